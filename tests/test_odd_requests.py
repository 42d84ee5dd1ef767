"""Outside: what it sees is passed on once, and nothing ends it unheard."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from conftest import Heard
from factories import make_negotiations, make_quote
from probe import Probe

from actors.event_stream import EventStream
from actors.mailbox import InterventionReceived
from actors.outside import Outside
from actors.runtime import LoopThread
from actors.saves import SaveRefusals
from storage.ledger import Ledger


@contextmanager
def looking(store: Ledger, events: EventStream, loop: LoopThread) -> Iterator[tuple[Probe, Probe]]:
    """Probes for the Coordinator and Persistence while it looks."""
    coordinator, persistence = Probe(loop), Probe(loop)
    outside = Outside(
        store,
        events,
        lambda quote: pytest.fail(f"{quote} was not to be started"),
        coordinator=coordinator.ref,
        persistence=persistence.ref,
    )
    try:
        yield coordinator, persistence
    finally:
        outside.stop()


@pytest.fixture
def negotiation_id(store: Ledger) -> str:
    quote = make_quote()
    store.add_quote(quote)
    with store.connection(), store.transaction():
        store.open_negotiations(quote.id, make_negotiations(quote))
    return store.negotiations(quote.id)[0].id


def insert(store: Ledger, negotiation_id: str, **columns: str) -> str:
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    statement = (
        f"INSERT INTO interventions (negotiation_id, {names}) "  # noqa: S608
        f"VALUES (?, {marks}) RETURNING id"
    )
    with closing(sqlite3.connect(store.path)) as database:
        ((row_id,),) = database.execute(statement, (negotiation_id, *columns.values())).fetchall()
        database.commit()
    return str(row_id)


def test_each_row_is_passed_on_once_whether_it_was_there_before_or_not(
    store: Ledger, events: EventStream, loop: LoopThread, negotiation_id: str
) -> None:
    first = insert(store, negotiation_id, text="First.")
    with looking(store, events, loop) as (coordinator, _):
        assert coordinator.next(InterventionReceived).intervention.id == first
        second = insert(store, negotiation_id, text="Second.")
        assert coordinator.next(InterventionReceived).intervention.id == second


def test_a_continue_that_carries_guidance_is_refused_with_the_reason(
    store: Ledger, events: EventStream, loop: LoopThread, negotiation_id: str
) -> None:
    with looking(store, events, loop) as (_, persistence):
        row_id = insert(store, negotiation_id, action="continue", text="Hurry.")

        ((refused, reason),) = persistence.next(SaveRefusals).refused

    assert refused == row_id
    assert reason.startswith("action: continue carries nothing else")


def test_a_failure_is_logged_and_the_next_change_is_looked_at(
    store: Ledger,
    events: EventStream,
    heard: Heard,
    loop: LoopThread,
    negotiation_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = store.requests
    failing = [MemoryError("no more")]

    def requests() -> Any:
        if failing:
            raise failing.pop()
        return looks()

    monkeypatch.setattr(store, "requests", requests)
    insert(store, negotiation_id, text="First.")
    with looking(store, events, loop) as (coordinator, _):
        while failing:
            insert(store, negotiation_id, text="Again.")
        insert(store, negotiation_id, text="Last.")

        assert coordinator.next(InterventionReceived).intervention.text == "First."

    (failed,) = heard.of("actor.failed")
    assert failed.facts()["actor"] == "Outside"
    assert failed.facts()["error"].startswith("MemoryError at test_odd_requests.py:")
