"""Pykka actors that share one event-loop thread, where each would otherwise need its own.

`pykka.Actor` names three methods for new actor types; `LoopActor` implements them. Mail is
handled one at a time, in order, per actor; `tell`, `ask` (from outside the loop), `stop`,
`on_start`, `on_stop` and `on_failure` behave as Pykka documents, with four differences: ours are in
no global registry, a failed actor waits for its supervisor instead of dying, closing an inbox is
atomic with putting into it, and no exception in a handler can stop other actors.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Self, TypeVar

import pykka
from msgspec import Struct
from pykka._envelope import Envelope
from pykka.messages import ProxyCall, ProxyGetAttr, ProxySetAttr, _ActorStop

from actors.event_stream import EventStream
from actors.events import LoopHeld, MailUndeliverable

T = TypeVar("T")
HELD_S = 0.1
"""Seconds after which whoever holds the loop is named in the log."""
STOP_S = 5.0
"""Seconds that whatever runs on the loop has for its end when the system stops."""
BURST = 256
"""Pieces of mail handled before the loop looks after its timers and sockets again."""
EXECUTOR_THREADS = 64
"""Threads at most for what coroutines run beside the loop; they are made as they are needed."""
PYKKA_MAIL = frozenset({_ActorStop, ProxyCall, ProxyGetAttr, ProxySetAttr})
"""What Pykka itself puts into an inbox."""


class Restart(Struct, frozen=True, kw_only=True):
    """Supervisor → failed actor. The only mail, beside stop, that it handles before all other."""


class ActorFailed(Struct, frozen=True, kw_only=True):
    """A handler of `actor` raised; it handles nothing more until it gets a Restart."""

    actor: pykka.ActorRef[Any]
    error: BaseException


def say(actor: pykka.ActorRef[Any], mail: object, events: EventStream) -> None:
    """Tell an actor that may be gone: in Pykka that would raise in the sender."""
    try:
        actor.tell(mail)
    except pykka.ActorDeadError:
        events.emit(MailUndeliverable(mail=type(mail).__name__))


class LoopThread:
    """One thread with an asyncio loop; it gives actors their turns."""

    def __init__(self, events: EventStream) -> None:
        self.events = events
        self._loop = asyncio.new_event_loop()
        # what a library runs beside the loop must not wait for a negotiator's blocking calls
        self._loop.set_default_executor(ThreadPoolExecutor(EXECUTOR_THREADS, "parley-executor"))
        self._ready: deque[LoopActor] = deque()
        self._lock = threading.Lock()
        self._awake = False
        self._last: Coroutine[Any, Any, None] | None = None
        self._thread = threading.Thread(target=self._run, name="parley-loop", daemon=True)
        self._thread.start()

    def wake(self, actor: LoopActor) -> None:
        """Give an actor a turn for one more piece of mail, from any thread."""
        with self._lock:
            self._ready.append(actor)
            if self._awake:
                return
            self._awake = True
        if threading.get_ident() == self._thread.ident:
            self._loop.call_soon(self._give_turns)
        else:
            # once per burst: waking the loop from outside costs a system call
            self._loop.call_soon_threadsafe(self._give_turns)

    @property
    def waiting(self) -> int:
        """Pieces of mail that wait for a turn, of all actors on the loop together."""
        return len(self._ready)

    def now(self) -> float:
        """The loop's clock, in seconds."""
        return self._loop.time()

    def later(self, delay_s: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back after `delay_s` seconds; for use on the loop."""
        return self._loop.call_later(delay_s, call)

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine beside the actors; for use on the loop. The caller keeps the task."""
        return self._loop.create_task(work)

    def held(self, by: str, seconds: float) -> None:
        """Note who held the loop for long."""
        self.events.emit(LoopHeld(by=by, seconds=round(seconds, 3)))

    def stop(self, last: Coroutine[Any, Any, None] | None = None) -> None:
        """Cancel what still runs, do one last thing, and end the thread; for use from outside.

        What neither ends nor gives the loop back within `STOP_S` is left behind: the thread is a
        daemon, so it keeps no process alive.
        """
        self._last = last
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(2 * STOP_S)

    def _give_turns(self) -> None:
        with self.events.burst():
            for _ in range(min(BURST, len(self._ready))):
                self._ready.popleft().take_turn()
        with self._lock:
            self._awake = bool(self._ready)
            if self._awake:
                self._loop.call_soon(self._give_turns)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks, timeout=STOP_S))
        if self._last is not None:
            self._loop.run_until_complete(self._finish(self._last))
        if all(task.done() for task in tasks):
            self._loop.close()

    async def _finish(self, last: Coroutine[Any, Any, None]) -> None:
        with suppress(Exception):  # it is closed as well as it can be
            await asyncio.wait_for(last, STOP_S)


class LoopInbox:
    """A queue whose closing is atomic with putting: no asker is left without an answer."""

    def __init__(self) -> None:
        self._envelopes: deque[Envelope[Any]] = deque()
        self._lock = threading.Lock()
        self._owner: LoopActor | None = None
        self._closed = False

    def put(self, envelope: Envelope[Any], /) -> None:
        """Add mail at the end; raises ActorDeadError, or answers the asker with it, when closed."""
        with self._lock:
            if not self._closed:
                self._envelopes.append(envelope)
                if self._owner is not None:
                    self._owner.loop.wake(self._owner)
                return
        if envelope.reply_to is None:
            raise pykka.ActorDeadError("the actor has stopped")
        _answer_dead(envelope.message, envelope.reply_to)

    def get(self) -> Envelope[Any]:
        """Take the first."""
        return self._envelopes.popleft()

    def get_urgent(self) -> Envelope[Any] | None:
        """Take the first Restart or stop, past all other mail."""
        with self._lock:
            for envelope in self._envelopes:
                if isinstance(envelope.message, Restart | _ActorStop):
                    self._envelopes.remove(envelope)
                    return envelope
        return None

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._envelopes

    def qsize(self) -> int:
        """How much waits."""
        return len(self._envelopes)

    def open(self, owner: LoopActor) -> None:
        """Wake the owner for each piece of mail, those that wait already included."""
        with self._lock:
            self._owner = owner
            for _ in range(len(self._envelopes)):  # the loop may take some meanwhile
                owner.loop.wake(owner)

    def close(self) -> list[Any]:
        """Refuse all further mail, and answer those who asked and wait.

        Returns:
            The mail that nobody asked about and that will not be handled.
        """
        with self._lock:
            self._closed = True
            left, self._envelopes = self._envelopes, deque()
        for envelope in left:
            if envelope.reply_to is not None:
                _answer_dead(envelope.message, envelope.reply_to)
        return [envelope.message for envelope in left if envelope.reply_to is None]


class LoopRef(pykka.ActorRef[Any]):
    """Writes to a LoopActor: its inbox itself refuses what comes too late, so nobody asks first."""

    def tell(self, message: Any) -> None:
        """Send mail and wait for nothing; raises ActorDeadError when the actor has stopped."""
        self.actor_inbox.put(Envelope(message))


class LoopActor(pykka.Actor):
    """An actor without a thread of its own. Its handlers must not block."""

    loop: LoopThread
    supervisor: pykka.ActorRef[Any] | None
    actor_inbox: LoopInbox
    _has_failed: bool = False

    def __init__(self) -> None:
        super().__init__()
        self._actor_ref = LoopRef(self)

    @classmethod
    def start(
        cls,
        *args: Any,
        loop: LoopThread,
        supervisor: pykka.ActorRef[Any] | None = None,
        **kwargs: Any,
    ) -> pykka.ActorRef[Self]:
        """Start an actor on a loop.

        Args:
            supervisor: Who is told by ActorFailed when a handler raises. Without one it stops.
        """
        actor = cls.__new__(cls)
        actor.loop = loop
        actor.supervisor = supervisor
        actor.__init__(*args, **kwargs)  # type: ignore[misc]
        actor._start_actor_loop()
        return actor.actor_ref

    @staticmethod
    def _create_actor_inbox() -> LoopInbox:
        return LoopInbox()

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return pykka.ThreadingFuture()

    def _start_actor_loop(self) -> None:
        # on_start has the first turn, before any mail
        self._started = False
        self.loop.wake(self)
        self.actor_inbox.open(self)

    def take_turn(self) -> None:
        """Handle one piece of mail, if any waits; called by the loop."""
        began = time.perf_counter()
        envelope: Envelope[Any] | None = None
        try:
            if not self._started:
                self._started = True
                self.on_start()
            elif self._has_failed:
                envelope = self._take_urgent()
            elif not self.actor_inbox.empty():
                envelope = self.actor_inbox.get()
            if envelope is not None:
                # Pykka would look for its own four kinds of mail in each piece of ours
                if envelope.reply_to is None and type(envelope.message) not in PYKKA_MAIL:
                    self.on_receive(envelope.message)
                else:
                    self._handle_pykkas(envelope)
        except BaseException as error:  # noqa: BLE001 - not even SystemExit may stop other actors
            self._fail(error, None if envelope is None else envelope.message)
        held_s = time.perf_counter() - began
        if held_s > HELD_S:
            doing = "on_start" if envelope is None else type(envelope.message).__name__
            self.loop.held(f"{type(self).__name__}.{doing}", held_s)

    def _take_urgent(self) -> Envelope[Any] | None:
        envelope = self.actor_inbox.get_urgent()
        if envelope is not None:
            self._has_failed = False
            # the turns of the mail that waited meanwhile were taken while nothing was handled
            self.actor_inbox.open(self)
        return envelope

    def _handle_pykkas(self, envelope: Envelope[Any]) -> None:
        """Handle a stop, a proxy's mail, or what somebody asks and waits for."""
        if envelope.reply_to is None:
            self._handle_receive(envelope.message)
            return
        try:
            envelope.reply_to.set(self._handle_receive(envelope.message))
        except BaseException:  # noqa: BLE001 - the asker gets it, whatever it is
            envelope.reply_to.set_exception()

    def _fail(self, error: BaseException, mail: object) -> None:
        self._has_failed = True
        with suppress(BaseException):  # a failing clean-up must not hide the failure
            self.on_failure(type(error), error, error.__traceback__)
        with suppress(BaseException):
            if mail is not None:
                self.on_lost(mail)
        if self.supervisor is None:
            self._close()
        else:
            failed = ActorFailed(actor=self.actor_ref, error=error)
            say(self.supervisor, failed, self.loop.events)

    def _stop(self) -> None:
        self._close()
        self.on_stop()

    def _close(self) -> None:
        self.actor_stopped.set()
        for mail in self.actor_inbox.close():
            self.on_undelivered(mail)

    def on_lost(self, mail: object) -> None:
        """The handler of this mail has raised, and it is handled no more."""

    def on_undelivered(self, mail: object) -> None:
        """Mail came behind the stop; it is handled no more."""
        self.loop.events.emit(MailUndeliverable(mail=type(mail).__name__))


def _answer_dead(message: object, reply_to: pykka.Future[Any]) -> None:
    if isinstance(message, _ActorStop):
        reply_to.set(None)
        return
    error = pykka.ActorDeadError("the actor stopped before handling the message")
    reply_to.set_exception((type(error), error, None))
