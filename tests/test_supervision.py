"""Supervision through the whole system: whoever dies, all negotiations end or tell why not."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Heard
from deaths import OFTEN, Bug, Deaths, begin, halt, play, wait
from factories import make_config, make_supplier, quote_fields
from serving import until
from soak import made

from actors.agents import BrandAgent
from actors.coordinator import Coordinator
from actors.errors import ParleyError
from actors.mailbox import (
    AwaitStillness,
    DraftMove,
    NegotiationEnded,
    QuoteCancelledOutside,
)
from actors.persevering import TRIES
from actors.runtime import Restart
from actors.saves import NegotiationsOpened
from actors.supplier_negotiation import SupplierNegotiation
from actors.system import NegotiationSystem
from storage.records import NegotiationStatus, QuoteId, is_parked

PATIENCE_S = 20.0
THREE = make_config([make_supplier(n) for n in (1, 2, 3)], retry_pause_s=0, move_timeout_s=0.1)


def start(folder: Path, **options: Any) -> NegotiationSystem:
    chosen: dict[str, Any] = {"config": THREE, "database": folder / "parley.db", **options}
    return NegotiationSystem.start(**chosen)


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has an actor die of a kind of mail, so many times; before it has done anything."""

    def dies_of(actor: Any, kind: type[Any], times: int) -> list[Any]:
        died: list[Any] = []
        sound = actor.on_receive

        def on_receive(self: Any, mail: Any) -> None:
            if isinstance(mail, kind) and len(died) < times:
                died.append(mail)
                raise Bug(f"number {len(died)}")
            sound(self, mail)

        monkeypatch.setattr(actor, "on_receive", on_receive)
        return died

    return dies_of


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whoever_dies_at_random_all_end_or_are_parked_with_the_reason(
    tmp_path: Path, seed: int
) -> None:
    deaths = Deaths(random.Random(seed), OFTEN, most=40)

    result = play(tmp_path, 20, deaths)

    assert result["negotiations"] == result["ended"] + result["parked"] == 20
    assert (result["stuck"], result["deaths not told"], result["faults"]) == (0, 0, 0)
    assert result["deaths"] > 0


@pytest.mark.parametrize(
    ("method", "after"), [("open_negotiations", 0), ("append_all", 5), ("check_place", 3)]
)
def test_a_bug_in_persistence_halts_every_caller_and_the_next_engine_goes_on(
    tmp_path: Path, method: str, after: int
) -> None:
    result = halt(tmp_path, method, after)

    assert result["callers told"] == "4 of 4"
    assert all(why.startswith("nothing can be saved any more: ") for why in result["why"])
    assert (result["ended after recovery"], result["faults"]) == (20, 0)


@pytest.mark.parametrize("kind", [NegotiationsOpened, NegotiationEnded])
def test_no_news_is_lost_with_the_coordinator_that_failed_with_it(
    tmp_path: Path, dying: Any, kind: type[Any]
) -> None:
    died = dying(Coordinator, kind, TRIES)
    with start(tmp_path) as system:
        heard = Heard()
        system.subscribe(heard.append)
        quote = system.create_quote(quote_fields())
        give_up_at = time.monotonic() + PATIENCE_S
        begin(system, quote.id, give_up_at)
        until(lambda: len(died) == TRIES)
        ended = wait(system, quote.id, give_up_at)

    assert {one.status for one in ended} == {NegotiationStatus.COMPLETED}
    failed = [event.facts()["error"] for event in heard.of("actor.failed")]
    assert all(re.fullmatch(r"Bug at test_supervision\.py:\d+", error) for error in failed)
    assert len(failed) == TRIES
    assert len(heard.of("quote.completed")) == 1


def test_a_coordinator_that_fails_with_a_piece_of_mail_for_ever_drops_it_and_goes_on(
    tmp_path: Path, dying: Any
) -> None:
    died = dying(Coordinator, QuoteCancelledOutside, 1_000)
    with start(tmp_path) as system:
        heard = Heard()
        system.subscribe(heard.append)
        quote = system.create_quote(quote_fields())
        cancelled = QuoteCancelledOutside(quote_id=QuoteId("q-none"), negotiation_ids=())
        system._coordinator.tell(cancelled)
        until(lambda: len(heard.of("actor.failed")) == TRIES + 1)
        system._coordinator.ask(Restart(), timeout=PATIENCE_S)  # behind the last restart
        system.start_negotiations(quote.id)
        ended = system.wait(quote.id, PATIENCE_S)

    assert {one.status for one in ended} == {NegotiationStatus.COMPLETED}
    assert len(heard.of("actor.failed")) == len(died) == TRIES + 1


def test_who_asks_a_coordinator_that_fails_with_the_question_is_told(
    tmp_path: Path, dying: Any
) -> None:
    died = dying(Coordinator, AwaitStillness, 1)
    with start(tmp_path) as system:
        quote = system.create_quote(quote_fields())
        with pytest.raises(ParleyError, match="the coordinator failed: ask again"):
            system.wait(quote.id, PATIENCE_S)
        assert system.wait(quote.id, PATIENCE_S) == []

    assert len(died) == 1


def test_an_agent_that_dies_for_ever_parks_the_negotiations_and_they_go_on_when_it_is_mended(
    tmp_path: Path, dying: Any
) -> None:
    dying(BrandAgent, DraftMove, 3 * (1 + THREE.rules.draft_retries))
    with start(tmp_path) as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)
        parked = system.wait(quote.id, PATIENCE_S)
        system.continue_negotiation(quote_id=quote.id)
        ended = system.wait(quote.id, PATIENCE_S)

    assert all(map(is_parked, parked))
    assert {one.last_error for one in parked} == {
        "the brand's negotiator made no move: nothing heard for 0.2 s"
    }
    assert {one.status for one in ended} == {NegotiationStatus.COMPLETED}


def test_a_death_after_the_end_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = SupplierNegotiation._tell_ended

    def dies(self: Any, *, quote_completed: bool) -> None:
        sound(self, quote_completed=quote_completed)
        raise Bug("too late")

    monkeypatch.setattr(SupplierNegotiation, "_tell_ended", dies)
    coordinators = made(Coordinator, monkeypatch)
    with start(tmp_path) as system:
        heard = Heard()
        system.subscribe(heard.append)
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)
        system.wait(quote.id, PATIENCE_S)
        system.wait(quote.id, PATIENCE_S)
        system._coordinator.ask(Restart(), timeout=PATIENCE_S)  # behind all that was told before
    (kept,) = coordinators

    failed = [str(event.facts()["error"]) for event in heard.of("actor.failed")]
    assert [error.partition(" at ")[0] for error in failed] == ["Bug"] * 3
    assert (kept._known, kept._failures, kept._places) == ({}, {}, {})
