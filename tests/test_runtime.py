"""LoopActor keeps Pykka's promises on a shared thread, and our four differences."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pykka
import pytest
from conftest import Heard
from probe import PATIENCE_S, Probe, spin

from actors.event_stream import EventStream
from actors.events import LoopHeld
from actors.runtime import ActorFailed, LoopActor, LoopThread, Restart, say


class Recorder(LoopActor):
    """Does what it is told: calls what it gets, and keeps what that returned."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []
        self.threads: set[str] = set()
        self.failures: list[type[BaseException] | None] = []

    def on_start(self) -> None:
        self.seen.append("started")

    def on_stop(self) -> None:
        self.seen.append("stopped")

    def on_failure(self, *failure: Any) -> None:
        self.failures.append(failure[0])

    def on_receive(self, mail: Any) -> Any:
        self.threads.add(threading.current_thread().name)
        if isinstance(mail, Restart):
            self.seen.append("restarted")
            return None
        if callable(mail):
            return mail(self)
        self.seen.append(mail)
        return mail


def fail(error: BaseException) -> Callable[[Recorder], None]:
    def work(_: Recorder) -> None:
        raise error

    return work


def seen(actor: pykka.ActorRef[Any]) -> list[Any]:
    return list(actor.ask(lambda self: self.seen, timeout=PATIENCE_S))


def test_mail_is_handled_in_order_on_one_thread(loop: LoopThread) -> None:
    actors = [Recorder.start(loop=loop) for _ in range(20)]

    for number in range(50):
        for actor in actors:
            actor.tell(number)

    for actor in actors:
        assert seen(actor) == ["started", *range(50)]
        assert actor.ask(lambda self: self.threads) == {"parley-loop"}


def test_on_start_comes_before_mail_that_was_told_in_the_constructor(loop: LoopThread) -> None:
    class Eager(Recorder):
        def __init__(self) -> None:
            super().__init__()
            self.actor_ref.tell("told in __init__")

    assert seen(Eager.start(loop=loop)) == ["started", "told in __init__"]


def test_ask_returns_the_answer_or_raises_the_error_and_the_actor_lives(loop: LoopThread) -> None:
    actor = Recorder.start(loop=loop)

    assert actor.ask(5, timeout=PATIENCE_S) == 5
    with pytest.raises(LookupError, match="gone"):
        actor.ask(fail(LookupError("gone")), timeout=PATIENCE_S)

    assert actor.ask(6, timeout=PATIENCE_S) == 6


def test_stop_handles_earlier_mail_calls_on_stop_and_refuses_later_mail(loop: LoopThread) -> None:
    seen: list[Any] = []
    actor = Recorder.start(loop=loop)
    actor.tell(lambda self: setattr(self, "seen", seen))
    actor.tell("before")

    assert actor.stop(timeout=PATIENCE_S)

    assert seen == ["before", "stopped"]
    assert not actor.is_alive()
    with pytest.raises(pykka.ActorDeadError):
        actor.tell("after")
    with pytest.raises(pykka.ActorDeadError):
        actor.ask("after", timeout=PATIENCE_S)
    assert not actor.stop(timeout=PATIENCE_S)


def test_an_ask_that_races_with_stop_is_always_answered(loop: LoopThread) -> None:
    for _ in range(300):
        actor = Recorder.start(loop=loop)
        futures: list[pykka.Future[Any]] = []

        def asking(
            actor: pykka.ActorRef[Any] = actor, futures: list[pykka.Future[Any]] = futures
        ) -> None:
            futures.extend(actor.ask(number, block=False) for number in range(10))

        asker = threading.Thread(target=asking)
        asker.start()
        actor.stop(block=False)
        asker.join()
        for future in futures:
            with suppress(pykka.ActorDeadError):  # which is an answer
                future.get(timeout=PATIENCE_S)


def test_actors_are_not_in_the_registry_of_the_host_program(loop: LoopThread) -> None:
    actor = Recorder.start(loop=loop)

    assert pykka.ActorRegistry.get_all() == []
    pykka.ActorRegistry.stop_all()

    assert actor.ask(1, timeout=PATIENCE_S) == 1


@pytest.mark.parametrize(
    "error", [ValueError("bug"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()]
)
def test_no_exception_in_a_handler_stops_other_actors(
    loop: LoopThread, error: BaseException
) -> None:
    supervisor = Probe(loop)
    failing = Recorder.start(loop=loop, supervisor=supervisor.ref)
    other = Recorder.start(loop=loop)

    failing.tell(fail(error))

    assert supervisor.next(ActorFailed).error is error
    assert other.ask(1, timeout=PATIENCE_S) == 1


def test_a_failed_actor_waits_for_restart_and_loses_no_mail(loop: LoopThread) -> None:
    supervisor = Probe(loop)
    actor = Recorder.start(loop=loop, supervisor=supervisor.ref)
    actor.tell(fail(ValueError("bug")))
    actor.tell("waits")
    failed = supervisor.next(ActorFailed)
    assert failed.actor.actor_urn == actor.actor_urn

    answer = actor.ask("waits too", block=False)
    assert supervisor.is_silent
    actor.tell(Restart())

    assert answer.get(timeout=PATIENCE_S) == "waits too"
    assert seen(actor) == ["started", "restarted", "waits", "waits too"]
    assert actor.ask(lambda self: self.failures) == [ValueError]


def test_a_failed_actor_can_be_stopped(loop: LoopThread) -> None:
    supervisor = Probe(loop)
    actor = Recorder.start(loop=loop, supervisor=supervisor.ref)
    actor.tell(fail(ValueError("bug")))
    waiting = actor.ask("never handled", block=False)
    supervisor.next(ActorFailed)

    assert actor.stop(timeout=PATIENCE_S)

    with pytest.raises(pykka.ActorDeadError):
        waiting.get(timeout=PATIENCE_S)


def test_a_failing_on_start_is_told_to_the_supervisor(loop: LoopThread) -> None:
    class Stillborn(Recorder):
        def on_start(self) -> None:
            raise RuntimeError("no start")

    supervisor = Probe(loop)
    Stillborn.start(loop=loop, supervisor=supervisor.ref)

    assert str(supervisor.next(ActorFailed).error) == "no start"


def test_without_a_supervisor_a_failed_actor_is_dead(loop: LoopThread) -> None:
    actor = Recorder.start(loop=loop)
    failed: Any = actor.ask(lambda self: self.actor_stopped, timeout=PATIENCE_S)

    actor.tell(fail(ValueError("bug")))

    assert failed.wait(PATIENCE_S)
    assert not actor.is_alive()


def test_saying_something_to_a_dead_actor_is_an_event(
    loop: LoopThread, events: EventStream, heard: Heard
) -> None:
    actor = Recorder.start(loop=loop)
    actor.stop(timeout=PATIENCE_S)

    say(actor, Restart(), events)

    assert [event.facts() for event in heard.of("mail.undeliverable")] == [{"mail": "Restart"}]


def test_a_handler_that_holds_the_loop_is_named(loop: LoopThread, heard: Heard) -> None:
    actor = Recorder.start(loop=loop)

    actor.ask(lambda _: spin(0.15), timeout=PATIENCE_S)
    seen(actor)

    held = [event for event in heard if isinstance(event, LoopHeld)]
    assert [event.by for event in held] == ["Recorder.function"]
    assert held[0].seconds >= 0.15


def test_stopping_the_loop_cancels_what_runs_beside_the_actors(events: EventStream) -> None:
    thread = LoopThread(events)
    ended = threading.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    actor = Recorder.start(loop=thread)
    actor.ask(lambda self: self.loop.run(work()) and None, timeout=PATIENCE_S)
    actor.ask(1, timeout=PATIENCE_S)
    thread.stop()

    assert ended.is_set()
