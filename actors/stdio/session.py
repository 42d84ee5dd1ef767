"""A session: one peer's calls from its pipe to the face, and what is answered.

Whatever comes in is a task on a loop of the session's own, which blocks nowhere: calls of the face
are done in lanes, and a `wait` is nothing but a future. What a peer sends or does not read holds
neither the actors nor another call.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self

from actors.errors import SystemHalted, SystemStopped
from actors.events import Event
from actors.stdio import protocol
from actors.stdio.failures import told as failure_of
from actors.stdio.lane import LaneThread
from actors.stdio.methods import METHODS, Arguments, Lane, as_json
from actors.stdio.outbox import EVENTS_KEPT, Outbox
from actors.stdio.pipes import Pipes, has_hung_up, lines
from actors.stdio.protocol import Call, CallFailed, Code, Invalid
from actors.stdio.subscription import Subscription
from actors.stdio.subscription import told as notification_of
from actors.system import NegotiationSystem
from storage.errors import DatabaseUnavailable
from storage.records import NegotiationId, QuoteId

MOST_UNDER_WAY = 16 * 1024 * 1024
"""Bytes of lines that are not answered, and of answers that are not read, after which no more is
read; each call counts `EACH_CALL` bytes more than its line has. So many bytes of answers that are
not read are also what no further look at the database is begun after."""
EACH_CALL = 1024
MOST_HELD = 16 * 1024 * 1024
"""Bytes of answers that wait for the others of their batches, after which a batch is refused what
only looks: its answers are one line, which can't be read before it is whole."""
LOOK_S = 0.05
"""Seconds between two looks whether there is room again."""
DRAIN_S = 5.0
"""Seconds that calls under way have when the session ends."""
FLUSH_S = 5.0
"""Seconds that the peer then has to read the last answers."""

_log = logging.getLogger(__name__)


class Session:
    """One peer and one system; within `with` the peer is told `ready`, and then heard."""

    def __init__(
        self,
        system: NegotiationSystem,
        pipes: Pipes,
        end: Callable[[], None],
        *,
        ready: Mapping[str, Any],
        events_kept: int = EVENTS_KEPT,
    ) -> None:
        """Prepare it.

        Args:
            end: Called when the peer is gone or asks for `shutdown`, from any thread: whoever made
                the session is to leave it then.
            ready: The facts of the notification `ready`.
            events_kept: How many events wait for a slow reader at most.
        """
        self._system = system
        self._pipes = pipes
        self._end = end
        self._ready = ready
        self._own: dict[str, tuple[Arguments, Callable[..., Awaitable[Any]]]] = {
            "wait": (Arguments(NegotiationSystem.wait), self._wait),
            "subscribe": (Arguments(Subscription), self._subscribe),
            "unsubscribe": (Arguments(self._unsubscribe), self._unsubscribe),
            "shutdown": (Arguments(self._shutdown), self._shutdown),
        }
        self._outbox = Outbox(pipes.output, end, events_kept)
        self._lanes = {lane: LaneThread(lane.value) for lane in Lane}
        self._loop = asyncio.new_event_loop()
        self._calls: set[asyncio.Task[bytes | None]] = set()
        self._waits: set[asyncio.Task[Any]] = set()
        self._shutdowns: set[asyncio.Task[Any]] = set()
        self._lines: set[asyncio.Task[None]] = set()
        self._batched: set[asyncio.Task[Any]] = set()
        self._looking = {lane: asyncio.Lock() for lane in (Lane.READING, Lane.AUDITING)}
        self._taken, self._answered = 0, 0
        """Bytes of lines; written by the reading thread alone, and by the loop alone."""
        self._held = 0
        """Bytes of answers that wait for the others of their batches."""
        self._is_ending = False
        self._is_over = asyncio.Event()
        self._subscription: Subscription | None = None

    def __enter__(self) -> Self:
        self._stop_hearing = self._system.subscribe(self._hear)
        self._outbox.answer(protocol.notification("ready", self._ready))
        self._thread = _start(self._loop.run_forever, "session")
        _start(self._read, "reader")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Read no more, answer what is under way, and have it read; all in bounded time."""
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result()
        self._stop_hearing()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        for lane in self._lanes.values():
            lane.end()
        self._outbox.close(FLUSH_S)

    # The reading thread

    def _read(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody answers any more
            for line in lines(self._pipes.input, protocol.LONGEST_LINE, self._may_read):
                found = protocol.too_long() if line is None else protocol.read(line)
                calls = len(found) if isinstance(found, list) else 1
                weight = len(line or b"") + EACH_CALL * calls
                self._taken += weight
                self._loop.call_soon_threadsafe(self._take, found, weight)
        self._end()

    def _may_read(self) -> bool:
        """Whether to read on, once there is room; a peer that doesn't read is in no hurry."""
        while self._taken - self._answered + self._outbox.unread > MOST_UNDER_WAY:
            if self._is_ending or has_hung_up(self._pipes.input):
                return False
            time.sleep(LOOK_S)
        return not self._is_ending

    # Any thread

    def _hear(self, event: Event) -> None:
        subscription = self._subscription
        if subscription is not None and subscription.wants(event):
            self._outbox.tell(notification_of(event))

    # The loop

    def _take(self, found: Call | Invalid | list[Call | Invalid], weight: int) -> None:
        if self._is_ending:
            return
        # all begin here, so that their lanes get them in the order in which they came
        if isinstance(found, list):
            begun = [self._begin(each) for each in found]
            self._batched.update(begun)
            answering = self._answer_batch(begun, weight)
        else:
            answering = self._answer_line(self._begin(found), weight)
        _noted(self._lines, self._loop.create_task(answering))

    def _begin(self, said: Call | Invalid) -> asyncio.Task[bytes | None]:
        task = self._loop.create_task(self._answer(said))
        _noted(self._calls, task)
        return task

    async def _answer_line(self, begun: asyncio.Task[bytes | None], weight: int) -> None:
        if (answer := await begun) is not None:
            self._outbox.answer(answer)
        self._answered += weight

    async def _answer_batch(self, begun: list[asyncio.Task[bytes | None]], weight: int) -> None:
        answers = [answer for task in begun if (answer := await task) is not None]
        if answers:
            self._outbox.answer(protocol.batch(answers))
        self._held -= sum(map(len, answers))
        self._batched.difference_update(begun)
        self._answered += weight

    async def _answer(self, said: Call | Invalid) -> bytes | None:
        """The answer to one call; None to a notification."""
        answer = await self._made(said)
        if answer is not None and asyncio.current_task() in self._batched:
            self._held += len(answer)
        return answer

    async def _made(self, said: Call | Invalid) -> bytes | None:
        if isinstance(said, Invalid):
            return protocol.failure(said.id, said.failure)
        try:
            answer = protocol.result(said.id, await self._result(said))
        except asyncio.CancelledError:  # by ourselves, at the end
            answer = protocol.failure(said.id, failure_of(self._why_it_ends()))
        except Exception as error:  # noqa: BLE001 - whatever it is, the peer waits for an answer
            failed = failure_of(error)
            if failed.code == Code.INTERNAL_ERROR:
                # without the error's own words, which may repeat what is private
                where = "".join(traceback.format_tb(error.__traceback__))
                _log.error("a bug in %s: %s\n%s", said.method, type(error).__name__, where)
            answer = protocol.failure(said.id, failed)
        return None if said.is_notification else answer

    async def _result(self, call: Call) -> Any:
        if call.method in self._own:
            arguments, does = self._own[call.method]
            return await does(**arguments.read(call.params))
        if call.method not in METHODS:
            names = ", ".join(sorted([*METHODS, *self._own]))
            raise CallFailed(Code.METHOD_NOT_FOUND, f"no such method: there are {names}")
        lane, arguments = METHODS[call.method]
        does = partial(getattr(self._system, call.method), **arguments.read(call.params))
        return await (self._in(lane, does) if lane is Lane.ACTING else self._look(lane, does))

    async def _look(self, lane: Lane, does: Callable[[], Any]) -> Any:
        """Have a call that only looks done, once the peer has read enough of what came before.

        One that changes something never waits for that: it is done even for a peer that is gone.
        """
        async with self._looking[lane]:
            while self._outbox.unread > MOST_UNDER_WAY:  # noqa: ASYNC110 - it knows no loop
                await asyncio.sleep(LOOK_S)
            if asyncio.current_task() in self._batched and self._held > MOST_HELD:
                most = f"the answers of batches have {MOST_HELD} bytes at most: ask for less"
                raise CallFailed(Code.INVALID_REQUEST, most)
            return await self._in(lane, does)

    def _in(self, lane: Lane, does: Callable[[], Any]) -> Awaitable[Any]:
        """Have a call of the face done in a lane, its result as JSON."""
        return asyncio.wrap_future(self._lanes[lane].do(lambda: as_json(does())))

    async def _wait(self, quote_id: QuoteId, timeout_s: float | None = None) -> Any:
        _noted(self._waits, asyncio.current_task())
        try:
            async with asyncio.timeout(timeout_s):
                _, still = await asyncio.gather(
                    self._find(quote_id),  # one that there is not must not wait for its turn
                    # after what was asked for before, for it is about that too
                    self._in(Lane.ACTING, partial(self._system.when_still, quote_id)),
                )
                await asyncio.wrap_future(still)
        except TimeoutError:
            raise TimeoutError(f"something still moved after {timeout_s} s") from None
        return await self._look(Lane.READING, partial(self._system.negotiations, quote_id))

    async def _subscribe(self, **conditions: Any) -> None:
        before, asked = self._subscription, Subscription(**conditions)
        self._subscription = asked  # at once: what the next call sets off is to be heard
        try:
            await self._find(asked.quote_id, asked.negotiation_id)
        except Exception:
            if self._subscription is asked:
                self._subscription = before
            raise

    async def _find(self, quote_id: str | None, negotiation_id: str | None = None) -> None:
        """Look whether there are such records, or raise UnknownRecord."""
        with suppress(DatabaseUnavailable):  # then nobody can say
            if quote_id is not None:
                await self._in(Lane.READING, partial(self._system.quote, QuoteId(quote_id)))
            if negotiation_id is not None:
                looked_for = NegotiationId(negotiation_id)
                await self._in(Lane.READING, partial(self._system.negotiation, looked_for))

    async def _unsubscribe(self) -> None:
        self._subscription = None

    async def _shutdown(self) -> None:
        _noted(self._shutdowns, asyncio.current_task())
        self._is_ending = True
        self._end()
        await self._is_over.wait()

    async def _finish(self) -> None:
        self._is_ending = True
        for wait in self._waits:
            wait.cancel()
        if working := self._calls - self._shutdowns:
            await asyncio.wait(working, timeout=DRAIN_S)
        for late in self._calls - self._shutdowns:
            late.cancel()
        self._is_over.set()
        if self._lines:
            await asyncio.wait(self._lines)

    def _why_it_ends(self) -> Exception:
        if self._system.halted is not None:
            return SystemHalted(f"nothing can be saved any more: {self._system.halted}")
        return SystemStopped("the system was stopped before it could answer")


def _start(run: Callable[[], None], name: str) -> threading.Thread:
    # a daemon: a thread that reads or writes where nobody answers must keep no process alive
    thread = threading.Thread(target=run, name=f"parley-{name}", daemon=True)
    thread.start()
    return thread


def _noted(tasks: set[asyncio.Task[Any]], task: asyncio.Task[Any] | None) -> None:
    """Keep a task in a set while it runs."""
    assert task is not None  # noqa: S101 - each call is one
    tasks.add(task)
    task.add_done_callback(tasks.discard)
