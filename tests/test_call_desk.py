"""The desk at which calls are noted: none starts before it is on disk, and every end is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, TypeVar, cast

import pykka
import pytest
from conftest import Heard
from factories import make_call, make_conversation, make_end
from probe import PATIENCE_S, Probe

from actors.call_desk import CallDesk
from actors.event_stream import EventStream
from actors.runtime import LoopActor, LoopThread
from actors.saves import CallNotStarted, CallStartSaved, SaveCallEnd, SaveCallStart
from storage.calls import CallEnd, CallId, CallStart, Outcome
from storage.errors import BudgetReached
from storage.records import SupplierId
from storage.rules import Budget
from storage.terms.kind import Side

T = TypeVar("T")
BUDGET = Budget(calls=3)
NEGOTIATION = make_conversation().negotiation

SUPPLIER = SupplierId("supplier-1")
HEARD = {Outcome.ANSWERED, Outcome.UNREADABLE}
"""What a model's own answer ends with."""


def a_call(number: int = 1) -> CallStart:
    draft = {"draft_id": "n-1/4", "attempt": 2, "side": Side.SUPPLIER}
    changes = {"id": f"c-{number}", "quote_id": "q-1", "negotiation_id": "n-1", **draft}
    return make_call(NEGOTIATION, number, **changes)


def an_end(outcome: Outcome, **facts: Any) -> CallEnd:
    return make_end("c-1", outcome=outcome, **facts)


class Clerk(LoopActor):
    """Has a desk, hands over what Persistence answers, and does what a test wants done."""

    def __init__(self, persistence: pykka.ActorRef[Any]) -> None:
        super().__init__()
        self.desk = CallDesk(persistence, self.actor_ref, self.loop)
        self.tasks: list[asyncio.Task[None]] = []

    def on_receive(self, mail: CallStartSaved | CallNotStarted | Callable[[Clerk], Any]) -> Any:
        if isinstance(mail, CallStartSaved | CallNotStarted):
            self.desk.answered(mail)
            return None
        return mail(self)


class Scene:
    """A desk with a probe in Persistence's place."""

    def __init__(self, loop: LoopThread) -> None:
        self.persistence, self.caller = Probe(loop), Probe(loop)
        self.clerk = Clerk.start(self.persistence.ref, loop=loop)

    def do(self, work: Callable[[Clerk], T]) -> T:
        done: Any = self.clerk.ask(work, timeout=PATIENCE_S)
        return cast("T", done)

    def starts(self, call: CallStart) -> None:
        """Note a start; the caller is told `started`, or what was raised."""

        async def start(clerk: Clerk) -> None:
            told: object = "started"
            try:
                await clerk.desk.start(call, BUDGET)
            except BaseException as error:  # noqa: BLE001 - it is what the tests look at
                told = error
            self.caller.ref.tell(told)

        self.do(lambda clerk: clerk.tasks.append(clerk.loop.run(start(clerk))))

    def cancels(self) -> None:
        self.do(lambda clerk: clerk.tasks[-1].cancel())

    def waiting(self) -> int:
        return self.do(lambda clerk: len(clerk.desk._starting))


@pytest.fixture
def scene(loop: LoopThread) -> Scene:
    return Scene(loop)


def test_a_call_starts_only_once_it_is_on_disk(scene: Scene) -> None:
    call = a_call()
    scene.starts(call)

    save = scene.persistence.next(SaveCallStart)
    assert (save.call, save.budget, save.reply_to) == (call, BUDGET, scene.clerk)
    assert scene.caller.is_silent

    scene.clerk.tell(CallStartSaved(call_id=call.id))

    assert scene.caller.next(object) == "started"
    assert scene.persistence.is_silent
    assert scene.waiting() == 0


def test_a_call_that_may_not_start_is_told_why(scene: Scene) -> None:
    call, error = a_call(), BudgetReached("n-1", "3 calls", is_final=True)
    scene.starts(call)

    scene.clerk.tell(CallNotStarted(call_id=call.id, error=error))

    assert scene.caller.next(BudgetReached) is error
    scene.persistence.next(SaveCallStart)
    assert scene.persistence.is_silent
    assert scene.waiting() == 0


def test_each_receipt_is_for_its_own_call(scene: Scene) -> None:
    scene.starts(a_call(1))
    scene.starts(a_call(2))

    scene.clerk.tell(
        CallNotStarted(call_id=CallId("c-2"), error=BudgetReached("n-1", "1 calls", is_final=True))
    )
    scene.caller.next(BudgetReached)
    scene.clerk.tell(CallStartSaved(call_id=CallId("c-1")))

    assert scene.caller.next(object) == "started"


def test_one_that_is_cancelled_while_it_waits_is_noted_as_ended_for_nothing(scene: Scene) -> None:
    call = a_call()
    scene.starts(call)

    scene.cancels()

    scene.caller.next(asyncio.CancelledError)
    scene.persistence.next(SaveCallStart)
    assert scene.persistence.next(SaveCallEnd).end == CallEnd(
        id=call.id,
        outcome=Outcome.NOT_SENT,
        prompt_tokens=0,
        completion_tokens=0,
        latency_s=0.0,
    )
    assert scene.waiting() == 0


@pytest.mark.parametrize(
    "receipt",
    [
        CallStartSaved(call_id=CallId("c-1")),
        CallNotStarted(call_id=CallId("c-1"), error=BudgetReached("n-1", "3 calls", is_final=True)),
    ],
)
def test_a_receipt_for_which_nobody_waits_any_more_is_dropped(
    scene: Scene, receipt: CallStartSaved | CallNotStarted
) -> None:
    scene.starts(a_call())
    scene.cancels()
    scene.caller.next(asyncio.CancelledError)

    scene.clerk.tell(receipt)
    scene.clerk.tell(receipt)

    assert scene.waiting() == 0
    assert scene.caller.is_silent
    assert scene.clerk.is_alive()


def test_one_that_is_cancelled_with_its_receipt_never_starts(scene: Scene) -> None:
    call = a_call()
    scene.starts(call)
    scene.persistence.next(SaveCallStart)

    def both(clerk: Clerk) -> None:
        clerk.desk.answered(CallStartSaved(call_id=call.id))
        clerk.desk.answered(CallStartSaved(call_id=call.id))
        clerk.tasks[-1].cancel()

    scene.do(both)

    scene.caller.next(asyncio.CancelledError)
    assert scene.persistence.next(SaveCallEnd).end.outcome is Outcome.NOT_SENT


@pytest.mark.parametrize("outcome", [Outcome.ANSWERED, Outcome.UNREADABLE])
def test_the_end_of_an_answered_call_is_mailed_and_logged_by_the_names_of_all_logs(
    scene: Scene, heard: Heard, outcome: Outcome
) -> None:
    end = an_end(
        outcome,
        http_status=200,
        model_served="small-2411",
        prompt_tokens=80,
        completion_tokens=9,
        finish_reason="stop",
    )

    scene.do(lambda clerk: clerk.desk.end(a_call(), end, SUPPLIER))

    save = scene.persistence.next(SaveCallEnd)
    assert (save.end, save.reply_to) == (end, scene.clerk)
    (event,) = heard
    assert (event.name, event.level) == ("model.answered", "debug")
    assert event.facts() == {
        "quote_id": "q-1",
        "negotiation_id": "n-1",
        "supplier_id": "supplier-1",
        "call_id": "c-1",
        "draft_id": "n-1/4",
        "side": "supplier",
        "attempt": 2,
        "gen_ai.request.model": "small",
        "gen_ai.response.model": "small-2411",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 80,
        "gen_ai.usage.output_tokens": 9,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "mistral_ai",
        "queued_s": 0.25,
        "latency_s": 1.5,
    }


@pytest.mark.parametrize("outcome", sorted({*Outcome} - HEARD - {Outcome.CANCELLED}))
def test_a_call_without_an_answer_is_logged_as_failed(
    scene: Scene, heard: Heard, outcome: Outcome
) -> None:
    end = an_end(outcome, http_status=503)

    scene.do(lambda clerk: clerk.desk.end(a_call(), end, SUPPLIER))

    assert scene.persistence.next(SaveCallEnd).end == end
    (event,) = heard
    assert (event.name, event.level) == ("model.failed", "warning")
    facts = event.facts()
    assert (facts["error.type"], facts["http_status"]) == (outcome.value, 503)
    assert (facts["call_id"], facts["gen_ai.request.model"]) == ("c-1", "small")


def test_a_call_that_nobody_waits_for_is_no_failure(scene: Scene, heard: Heard) -> None:
    scene.do(lambda clerk: clerk.desk.end(a_call(), an_end(Outcome.CANCELLED), SUPPLIER))

    (event,) = heard
    assert (event.name, event.level) == ("model.cancelled", "debug")


def test_what_is_logged_of_a_call_is_scalars(scene: Scene, heard: Heard) -> None:
    scene.do(lambda clerk: clerk.desk.end(a_call(), an_end(Outcome.ANSWERED), SUPPLIER))
    scene.do(lambda clerk: clerk.desk.end(a_call(), an_end(Outcome.TIMED_OUT), SUPPLIER))

    for event in heard:
        for fact in event.facts().values():
            listed = fact if isinstance(fact, list) else [fact]
            assert all(isinstance(each, str | int | float | None) for each in listed)
        json.dumps(event.facts())


def test_without_anybody_who_saves_it_is_heard_of(events: EventStream, loop: LoopThread) -> None:
    heard = Heard()
    events.subscribe(heard.append)
    scene = Scene(loop)
    scene.persistence.ref.stop(timeout=PATIENCE_S)

    scene.do(lambda clerk: clerk.desk.end(a_call(), an_end(Outcome.ANSWERED), SUPPLIER))

    assert [event.facts().get("mail") for event in heard.of("mail.undeliverable")] == [
        "SaveCallEnd"
    ]
