"""The totals of a run are counted from its events, and are its last line."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from factories import make_config, make_supplier, quote_fields
from model_server import ModelServer
from modelled import model_config, models, negotiated

from actors.events import Event, QuoteStarted
from actors.log.totals import Totals
from actors.negotiation_events import (
    NegotiationContinued,
    NegotiationEndedEvent,
    NegotiationParkedEvent,
    NegotiationTakenUp,
)
from actors.negotiators.scripted import Scripted
from actors.system import NegotiationSystem
from storage.records import QuoteId

PATIENCE_S = 60


def of(kind: Any, number: int, **facts: Any) -> Event:
    ids = {"quote_id": "q-1", "negotiation_id": f"n-{number}", "supplier_id": f"s-{number}"}
    event: Event = kind(**ids, **facts)
    return event


def taken_up(number: int) -> Event:
    return of(NegotiationTakenUp, number, message_count=0)


def parked(number: int) -> Event:
    return of(NegotiationParkedEvent, number, error="no")


def ended(number: int) -> Event:
    return of(NegotiationEndedEvent, number, status="completed", reason=None, rounds=3)


@pytest.mark.parametrize(
    ("events", "standing"),
    [
        ([taken_up(1), taken_up(2)], (2, 0)),
        ([taken_up(1), taken_up(1)], (1, 0)),
        ([taken_up(1), parked(1)], (1, 1)),
        ([taken_up(1), parked(1), parked(1)], (1, 1)),
        ([taken_up(1), parked(1), of(NegotiationContinued, 1)], (1, 0)),
        ([taken_up(1), parked(1), taken_up(1)], (1, 0)),
        ([taken_up(1), parked(1), ended(1)], (0, 0)),
        ([taken_up(1), taken_up(2), ended(1)], (1, 0)),
    ],
)
def test_what_stands_is_what_was_taken_up_and_has_not_ended(
    events: list[Event], standing: tuple[int, int]
) -> None:
    totals = Totals()
    for event in events:
        totals.hear(event)

    assert totals.standing() == standing
    assert totals.finished(0).negotiations_active == standing[0]
    assert totals.finished(0).negotiations_parked == standing[1]


def test_each_event_is_counted_once_and_lost_lines_are_told() -> None:
    totals = Totals()
    for number in (1, 2):
        totals.hear(QuoteStarted(quote_id=QuoteId("q-1"), negotiations=2))
        totals.hear(ended(number))

    finished = totals.finished(17)
    assert (finished.quotes_started, finished.negotiations_completed) == (2, 2)
    assert (finished.messages, finished.log_lines_lost) == (0, 17)


def last_line(log: Path) -> dict[str, Any]:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in lines[-2:]] == ["system.stopped", "run.finished"]
    last: dict[str, Any] = lines[-1]
    return last


def count(database: Path, sql: str) -> int:
    with closing(sqlite3.connect(database)) as connection:
        (found,) = connection.execute(sql).fetchone()
    return int(found or 0)


def test_they_are_those_of_the_database(tmp_path: Path) -> None:
    database, log = tmp_path / "x.db", tmp_path / "x.jsonl"
    config = make_config([make_supplier(n) for n in (1, 2, 3)], draft_retries=1, retry_pause_s=0.0)
    suppliers = {
        "supplier-1": "tactics",
        "supplier-2": Scripted({"move": "walk_away", "text": "No."}),
        "supplier-3": Scripted({"move": "jump", "text": "No."}, RuntimeError("no")),
    }
    with NegotiationSystem.start(
        config, database=database, suppliers=suppliers, log_file=log
    ) as system:
        quote = system.create_quote(quote_fields())
        one, _, _ = system.start_negotiations(quote.id, automatic=False)
        system.wait(quote.id, PATIENCE_S)
        system.add_user_intervention("Hurry.", negotiation_id=one.id)
        system.wait(quote.id, PATIENCE_S)
        system.continue_negotiation(quote_id=quote.id)
        system.wait(quote.id, PATIENCE_S)
        cancelled = system.create_quote(quote_fields())
        system.start_negotiations(cancelled.id, automatic=False)
        system.wait(cancelled.id, PATIENCE_S)
        system.cancel_quote(cancelled.id)
        system.wait(cancelled.id, PATIENCE_S)

    finished = last_line(log)
    active = count(database, "SELECT COUNT(*) FROM negotiations WHERE status = 'active'")
    impasses = count(database, "SELECT COUNT(*) FROM negotiations WHERE status = 'impasse'")
    assert finished["seconds"] > 0
    assert (finished["quotes_started"], finished["quotes_cancelled"]) == (2, 1)
    assert finished["quotes_completed"] == finished["negotiations_completed"] == 0
    assert finished["negotiations_impasse"] == impasses == 4
    assert finished["negotiations_active"] == active == 2
    assert finished["negotiations_parked"] == 1
    assert finished["messages"] == count(database, "SELECT COUNT(*) FROM messages")
    assert finished["interventions"] == 1
    assert finished["drafts_refused"] == 2
    assert finished["drafts_failed"] == 0
    assert finished["saves_retried"] == finished["log_lines_lost"] == 0


def test_what_was_left_over_is_counted_too(tmp_path: Path) -> None:
    config = make_config([make_supplier(n) for n in (1, 2)])
    with NegotiationSystem.start(config, database=tmp_path / "x.db") as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id, automatic=False)
        system.wait(quote.id, PATIENCE_S)
    log = tmp_path / "x.jsonl"
    with NegotiationSystem.start(
        config, database=tmp_path / "x.db", log_file=log, recover=True
    ) as system:
        system.wait(quote.id, PATIENCE_S)

    assert last_line(log)["negotiations_active"] == 2
    taken = [json.loads(line) for line in log.read_text().splitlines() if "taken_up" in line]
    assert [line["message_count"] for line in taken] == [1, 1]


def test_calls_and_tokens_of_models_are_those_on_the_books(tmp_path: Path) -> None:
    with ModelServer() as server:
        config = model_config(server, [make_supplier(1)])
        with models(tmp_path / "x.db", config) as system:
            negotiated(system, quote_fields())

    finished = last_line(tmp_path / "x.jsonl")
    for total, sql in (
        ("model_calls", "SELECT COUNT(*) FROM calls"),
        ("model_input_tokens", "SELECT SUM(prompt_tokens) FROM calls"),
        ("model_output_tokens", "SELECT SUM(completion_tokens) FROM calls"),
    ):
        assert finished[total] == count(tmp_path / "x.db", sql) > 0
