"""The shared agents: each draft a task of its own, each answer mail with its id."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pykka
import pytest
from conftest import Heard
from factories import make_call, make_config, make_conversation, make_end
from probe import PATIENCE_S, Probe

from actors.agents import THREADS, BrandAgent, SupplierAgent
from actors.errors import ModelFailed, NegotiatorError
from actors.mailbox import (
    BudgetSpent,
    CancelDraft,
    DraftFailed,
    DraftId,
    DraftMove,
    DraftQueued,
    MoveDrafted,
)
from actors.mechanism.moves import Draft
from actors.mechanism.views import view_for
from actors.negotiators.cast import Cast
from actors.negotiators.errand import Errand
from actors.negotiators.negotiator import Speaker
from actors.runtime import LoopThread
from actors.saves import CallEndSaved, CallNotStarted, CallStartSaved, SaveCallEnd, SaveCallStart
from storage.calls import CallStart, Outcome
from storage.errors import BudgetReached, RowRefused
from storage.records import Move, NegotiationId, Origin, QuoteId
from storage.rules import Budget
from storage.terms.kind import Side

TALK = Draft(Move.TALK, "Hello.")


class Playing:
    """A negotiator that does what the test says."""

    def __init__(self, play: Callable[[Any], Awaitable[Any]]) -> None:
        self._play = play

    async def next_move(self, view: Any) -> Any:
        return await self._play(view)


class PlayingInThread:
    """The same, as a plain `def`."""

    def __init__(self, play: Callable[[Any], Any]) -> None:
        self._play = play

    def next_move(self, view: Any) -> Any:
        return self._play(view)


Start = Callable[[Any], pykka.ActorRef[BrandAgent]]


@pytest.fixture
def start(loop: LoopThread) -> Start:
    def build(brand: Any) -> pykka.ActorRef[BrandAgent]:
        return BrandAgent.start(Cast(make_config(), brand=brand), Probe(loop).ref, loop=loop)

    return build


def ask(
    negotiation: Probe, number: int = 1, *, negotiator: str = "custom", **more: Any
) -> DraftMove:
    return DraftMove(
        draft_id=DraftId(f"d-{number}"),
        negotiator=negotiator,
        reply_to=negotiation.ref,
        **{
            "view": view_for(make_conversation(), Side.BRAND),
            "is_fallback": False,
            "quote_id": QuoteId("q-1"),
            "negotiation_id": NegotiationId("n-1"),
            "budget": Budget(),
            "timeout_s": 30.0,
            **more,
        },
    )


def test_a_move_is_mailed_with_its_draft_id_and_its_origin(loop: LoopThread, start: Start) -> None:
    async def play(_: Any) -> Draft:
        return TALK

    negotiation = Probe(loop)
    start(Playing(play)).tell(ask(negotiation, 7))

    drafted = negotiation.next(MoveDrafted)
    assert (drafted.draft_id, drafted.proposal) == ("d-7", TALK)
    assert (drafted.origin, drafted.fallback) == (Origin.SCRIPT, None)


def test_tactics_and_fallbacks_are_told_apart(loop: LoopThread, start: Start) -> None:
    negotiation = Probe(loop)
    agent = start(None)

    agent.tell(ask(negotiation, negotiator="tactics"))
    assert negotiation.next(MoveDrafted).origin is Origin.TACTICS

    agent.tell(ask(negotiation, negotiator="tactics", is_fallback=True))
    assert negotiation.next(MoveDrafted).origin is Origin.FALLBACK


def test_drafts_do_not_wait_for_each_other(loop: LoopThread, start: Start) -> None:
    gate: list[asyncio.Event] = []
    arrived = 0

    async def play(_: Any) -> Draft:
        nonlocal arrived
        if not gate:
            gate.append(asyncio.Event())
        arrived += 1
        if arrived == 20:  # only when all 20 are at work may the first go on
            gate[0].set()
        await gate[0].wait()
        return TALK

    negotiation = Probe(loop)
    agent = start(Playing(play))
    for number in range(20):
        agent.tell(ask(negotiation, number))

    assert {negotiation.next(MoveDrafted).draft_id for _ in range(20)} == {
        f"d-{number}" for number in range(20)
    }


@pytest.mark.parametrize(
    ("error", "text", "told", "retryable"),
    [
        (ValueError("odd"), "ValueError: odd", "ValueError at HERE", True),
        (NegotiatorError("busy"), "NegotiatorError: busy", "NegotiatorError at HERE", True),
        (SystemExit(3), "SystemExit: 3", "SystemExit at HERE", True),
        (asyncio.CancelledError(), "CancelledError: ", "CancelledError at HERE", True),
        (TimeoutError(), "no move within 30 s", "no move within 30 s", True),
        (TimeoutError("odd"), "TimeoutError: odd", "TimeoutError at HERE", True),
        (
            ValueError("\ud800 \0 \x1b[31m"),
            "ValueError: \\ud800 \\x00 \\x1b[31m",
            "ValueError at HERE",
            True,
        ),
    ],
)
def test_whatever_a_negotiator_raises_is_mail_and_its_words_are_not_for_the_log(
    loop: LoopThread, start: Start, error: BaseException, text: str, told: str, retryable: bool
) -> None:
    async def play(_: Any) -> None:
        raise error

    negotiation = Probe(loop)
    agent = start(Playing(play))
    agent.tell(ask(negotiation))

    failed = negotiation.next(DraftFailed)
    here = re.sub(r"test_agents\.py:\d+$", "HERE", failed.told)
    assert (failed.error, here, failed.retryable) == (text, told, retryable)
    assert agent.is_alive()


def test_an_error_that_says_it_is_final_is_not_retryable(loop: LoopThread, start: Start) -> None:
    class BadKey(NegotiatorError):
        retryable = False

    async def play(_: Any) -> None:
        raise BadKey("no")

    negotiation = Probe(loop)
    start(Playing(play)).tell(ask(negotiation))

    assert not negotiation.next(DraftFailed).retryable


def test_one_that_hangs_is_given_up_after_its_time(loop: LoopThread, start: Start) -> None:
    async def play(_: Any) -> None:
        await asyncio.Event().wait()

    negotiation = Probe(loop)
    start(Playing(play)).tell(ask(negotiation, timeout_s=0.02))

    assert negotiation.next(DraftFailed).error == "no move within 0.02 s"


def test_a_plain_def_that_hangs_is_given_up_and_hinders_nobody(
    loop: LoopThread, start: Start
) -> None:
    release = threading.Event()
    negotiation = Probe(loop)
    agent = start(PlayingInThread(lambda _: release.wait(PATIENCE_S)))

    agent.tell(ask(negotiation, timeout_s=0.02))
    failed = negotiation.next(DraftFailed)
    release.set()

    assert failed.error == "no move within 0.02 s"


def test_a_plain_def_runs_in_a_thread(loop: LoopThread, start: Start) -> None:
    names = []
    negotiation = Probe(loop)

    def play(_: Any) -> Draft:
        names.append(threading.current_thread().name)
        return TALK

    agent = start(PlayingInThread(play))

    agent.tell(ask(negotiation))

    assert negotiation.next(MoveDrafted).proposal == TALK
    assert names == ["parley-negotiator"]


def test_a_plain_def_that_queues_for_a_thread_says_so_and_no_deadline_runs(
    loop: LoopThread, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.agents.QUEUE_NEWS_S", 0.01)
    release = threading.Event()
    negotiation, late = Probe(loop), Probe(loop)
    agent = start(PlayingInThread(lambda _: release.wait(PATIENCE_S) and TALK))
    for number in range(THREADS):
        agent.tell(ask(negotiation, number))

    agent.tell(ask(late, THREADS, timeout_s=5.0))

    for _ in range(3):
        assert late.next(DraftQueued).draft_id == f"d-{THREADS}"
    release.set()
    assert late.until(MoveDrafted).proposal == TALK


def test_a_cancelled_draft_is_cancelled_and_not_answered(loop: LoopThread, start: Start) -> None:
    cancelled = threading.Event()
    begun = threading.Event()

    async def play(_: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    negotiation = Probe(loop)
    agent = start(Playing(play))
    agent.tell(ask(negotiation, 1))
    assert begun.wait(PATIENCE_S)

    agent.tell(CancelDraft(draft_id=DraftId("d-1")))

    assert cancelled.wait(PATIENCE_S)
    assert negotiation.is_silent


def test_cancelling_what_is_over_is_harmless(loop: LoopThread, start: Start) -> None:
    agent = start(None)

    agent.tell(CancelDraft(draft_id=DraftId("long gone")))

    negotiation = Probe(loop)
    agent.tell(ask(negotiation, negotiator="tactics"))
    negotiation.next(MoveDrafted)


def test_a_negotiator_that_holds_the_loop_is_named(
    loop: LoopThread, start: Start, heard: Heard
) -> None:
    async def play(_: Any) -> Draft:
        until = time.perf_counter() + 0.12
        while time.perf_counter() < until:
            pass  # this is what one must not do
        return TALK

    negotiation = Probe(loop)
    start(Playing(play)).tell(ask(negotiation))
    negotiation.next(MoveDrafted)

    assert "Playing.next_move" in [event.facts()["by"] for event in heard.of("loop.held")]


def test_a_custom_negotiator_that_is_not_given_again_is_a_failure(
    loop: LoopThread, start: Start
) -> None:
    negotiation = Probe(loop)

    start(None).tell(ask(negotiation, negotiator="custom"))

    assert "give one again" in negotiation.next(DraftFailed).error


def test_suppliers_can_have_different_negotiators(loop: LoopThread) -> None:
    async def play(_: Any) -> Draft:
        return TALK

    cast = Cast(make_config(), suppliers={"supplier-1": Playing(play)})
    agent = SupplierAgent.start(cast, Probe(loop).ref, loop=loop)
    negotiation = Probe(loop)

    agent.tell(ask(negotiation, view=view_for(make_conversation(), Side.SUPPLIER)))

    assert negotiation.next(MoveDrafted).proposal == TALK


def test_stopping_an_agent_cancels_its_drafts(loop: LoopThread, start: Start) -> None:
    cancelled = threading.Event()
    begun = threading.Event()

    async def play(_: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    agent = start(Playing(play))
    agent.tell(ask(Probe(loop)))
    assert begun.wait(PATIENCE_S)

    agent.stop(timeout=PATIENCE_S)

    assert cancelled.wait(PATIENCE_S)


# With a model behind it


class Calling:
    """A negotiator with a model behind it, which does what the test says."""

    def __init__(self, play: Callable[[Any, Errand], Awaitable[Any]]) -> None:
        self._play = play

    async def next_move(self, view: Any, errand: Errand) -> Any:
        return await self._play(view, errand)


class CastOfOne(Cast):
    """Has one speaker, whoever is asked for."""

    def __init__(self, caller: Calling) -> None:
        super().__init__(make_config())
        self._one = Speaker.calling("mistral", caller, Origin.MISTRAL, "tactics")

    def speaker(self, *_: Any) -> Speaker:
        return self._one


class Desk:
    """An agent whose negotiators have a model, with a probe in Persistence's place."""

    def __init__(self, loop: LoopThread, play: Callable[[Any, Errand], Awaitable[Any]]) -> None:
        self.persistence, self.negotiation = Probe(loop), Probe(loop)
        cast = CastOfOne(Calling(play))
        self.agent = BrandAgent.start(cast, self.persistence.ref, loop=loop)

    def asks(self, number: int = 1, **more: Any) -> DraftMove:
        request = ask(self.negotiation, number, negotiator="mistral", **more)
        self.agent.tell(request)
        return request


def a_call(errand: Errand, number: int = 1) -> CallStart:
    ids = {"draft_id": errand.draft_id, "side": errand.side}
    return make_call(make_conversation().negotiation, number, **ids)


def test_who_has_a_model_gets_the_view_and_an_errand_for_it(loop: LoopThread) -> None:
    given: list[tuple[Any, Errand]] = []

    async def play(view: Any, errand: Errand) -> Draft:
        given.append((view, errand))
        return TALK

    desk = Desk(loop, play)
    budget = Budget(calls=3, quote_tokens=9)
    request = desk.asks(7, timeout_s=12.5, budget=budget)

    drafted = desk.negotiation.next(MoveDrafted)
    assert (drafted.draft_id, drafted.proposal) == ("d-7", TALK)
    assert (drafted.origin, drafted.fallback) == (Origin.MISTRAL, "tactics")
    ((view, errand),) = given
    assert view is request.view
    assert (errand.quote_id, errand.negotiation_id, errand.draft_id) == ("q-1", "n-1", "d-7")
    assert (errand.side, errand.timeout_s, errand.budget) == (Side.BRAND, 12.5, budget)


def test_its_news_are_word_that_the_draft_queues(loop: LoopThread) -> None:
    async def play(_: Any, errand: Errand) -> Draft:
        errand.news()
        return TALK

    desk = Desk(loop, play)
    desk.asks(7)

    assert desk.negotiation.next(DraftQueued).draft_id == "d-7"
    desk.negotiation.next(MoveDrafted)


def test_its_calls_are_noted_by_persistence_and_the_receipts_are_handed_over(
    loop: LoopThread,
) -> None:
    async def play(_: Any, errand: Errand) -> Draft:
        call = a_call(errand)
        await errand.book.start(call, errand.budget)
        errand.book.end(call, make_end(call.id), errand.supplier_id)
        return TALK

    desk = Desk(loop, play)
    desk.asks(7, budget=Budget(calls=3))

    start = desk.persistence.next(SaveCallStart)
    assert (start.call.draft_id, start.budget) == ("d-7", Budget(calls=3))
    assert desk.negotiation.is_silent
    desk.agent.tell(CallStartSaved(call_id=start.call.id))
    end = desk.persistence.next(SaveCallEnd)
    assert end.end.id == start.call.id
    desk.agent.tell(CallEndSaved())
    desk.negotiation.next(MoveDrafted)


def test_a_reached_budget_is_told_as_such_and_is_no_failure(loop: LoopThread) -> None:
    async def play(_: Any, errand: Errand) -> Draft:
        await errand.book.start(a_call(errand), errand.budget)
        return TALK

    desk = Desk(loop, play)
    desk.asks(7)
    call = desk.persistence.next(SaveCallStart).call

    error = BudgetReached("n-1", "3 calls", is_final=True)
    desk.agent.tell(CallNotStarted(call_id=call.id, error=error))

    assert desk.negotiation.next(BudgetSpent).draft_id == "d-7"
    assert desk.negotiation.is_silent


@pytest.mark.parametrize(
    ("error", "text", "retryable"),
    [
        (ModelFailed("no answer (attempt 5)"), "no answer (attempt 5)", False),
        (RowRefused("no such negotiation"), "RowRefused: no such negotiation", True),
    ],
)
def test_a_model_that_could_not_be_asked_is_a_failure(
    loop: LoopThread, error: Exception, text: str, retryable: bool
) -> None:
    async def play(*_: Any) -> None:
        raise error

    desk = Desk(loop, play)
    desk.asks()

    failed = desk.negotiation.next(DraftFailed)
    assert (failed.error, failed.retryable) == (text, retryable)
    assert failed.told == text


def test_it_keeps_its_time_by_itself_since_queueing_does_not_count(loop: LoopThread) -> None:
    async def play(_: Any, errand: Errand) -> Draft:
        await asyncio.sleep(10 * errand.timeout_s)
        return TALK

    desk = Desk(loop, play)
    desk.asks(timeout_s=0.002)

    assert desk.negotiation.next(MoveDrafted).proposal == TALK


def test_a_cancelled_draft_cancels_the_call_that_waits_for_its_receipt(loop: LoopThread) -> None:
    async def play(_: Any, errand: Errand) -> Draft:
        await errand.book.start(a_call(errand), errand.budget)
        return TALK

    desk = Desk(loop, play)
    desk.asks(1)
    call = desk.persistence.next(SaveCallStart).call
    desk.agent.tell(CancelDraft(draft_id=DraftId("d-1")))

    end = desk.persistence.next(SaveCallEnd).end
    assert (end.id, end.outcome, end.prompt_tokens) == (call.id, Outcome.NOT_SENT, 0)
    desk.agent.tell(CallStartSaved(call_id=call.id))
    assert desk.negotiation.is_silent


def test_a_negotiator_without_a_model_gets_no_errand_and_makes_no_calls(
    loop: LoopThread,
) -> None:
    persistence, negotiation = Probe(loop), Probe(loop)
    agent = BrandAgent.start(Cast(make_config()), persistence.ref, loop=loop)

    agent.tell(ask(negotiation, negotiator="tactics"))

    negotiation.next(MoveDrafted)
    assert persistence.is_silent
