"""The rows of interventions: read oldest first, also where another program wrote nonsense."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from factories import NOON, make_config, make_intervention, make_negotiations, make_quote

from storage.errors import DamagedRow, UnknownRecord
from storage.hashes import intervention_hash
from storage.interventions import Intervention, InterventionId, Unreadable
from storage.ledger import Ledger
from storage.records import Negotiation

CONFIG = make_config()


@pytest.fixture
def negotiation(store: Ledger) -> Negotiation:
    quote = make_quote(CONFIG)
    store.add_quote(quote)
    with store.connection(), store.transaction():
        return store.open_negotiations(quote.id, make_negotiations(quote, CONFIG))[1][0]


def by_another_program(store: Ledger, **columns: Any) -> None:
    names, places = ", ".join(columns), ", ".join("?" * len(columns))
    sql = f"INSERT INTO interventions ({names}) VALUES ({places})"  # noqa: S608
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute(sql, tuple(columns.values()))


def edited(store: Ledger, sql: str) -> None:
    with closing(sqlite3.connect(store.path)) as database, database:
        assert database.execute(sql).rowcount


def test_an_intervention_is_read_back_as_it_was_written(
    store: Ledger, negotiation: Negotiation
) -> None:
    one = make_intervention(
        negotiation.id,
        text="Grüße",
        limits={"unit_price": "6.40", "payment": ["100"]},
        priorities={"quality": 10, "cost": 10, "lead_time": 70, "payment_terms": 10},
        action="accept",
        accepts_seq=2,
    )

    assert store.add_interventions([one]) == [one]

    assert store.intervention(one.id) == one
    assert store.interventions(negotiation.id) == [one]
    with pytest.raises(UnknownRecord, match="intervention 'i-9'"):
        store.intervention(InterventionId("i-9"))


def test_they_are_read_oldest_first_and_in_their_order_within_an_instant(
    store: Ledger, negotiation: Negotiation
) -> None:
    times = {"i-3": 1, "i-9": 0, "i-2": 0, "i-5": 0}
    ones = [
        make_intervention(negotiation.id).model_copy(
            update={"id": name, "created_at": NOON + timedelta(seconds=seconds)}
        )
        for name, seconds in times.items()
    ]
    store.add_interventions(ones)

    expected = ["i-9", "i-2", "i-5", "i-3"]
    assert [one.id for one in store.interventions(negotiation.id)] == expected
    assert [one.id for _, one in store.requests().received] == expected
    assert [one.id for one in store.load(negotiation.id).interventions] == expected


@pytest.mark.parametrize(
    "columns",
    [
        {"limits": "{"},
        {"limits": "[1]"},
        {"priorities": '{"cost": 100}'},
        {"accepts_seq": "two"},
        {"created_at": "yesterday"},
    ],
)
def test_a_row_that_can_not_be_read_is_told_apart_and_hinders_no_other(
    store: Ledger, negotiation: Negotiation, columns: dict[str, Any]
) -> None:
    by_another_program(store, id="i-bad", negotiation_id=negotiation.id, **columns)
    good = store.add_interventions([make_intervention(negotiation.id)])

    requests = store.requests()

    (column,) = columns
    reason = f"it can't be read: {column}"
    assert requests.unreadable == (
        Unreadable(id="i-bad", negotiation_id=negotiation.id, reason=reason),
    )
    assert [one for _, one in requests.received] == good
    assert store.interventions(negotiation.id) == good
    assert list(store.load(negotiation.id).interventions) == good


def test_a_row_that_can_not_be_read_can_be_refused(store: Ledger, negotiation: Negotiation) -> None:
    by_another_program(store, id="i-bad", negotiation_id=negotiation.id, limits="{")

    with store.connection(), store.transaction():
        assert store.refuse([(InterventionId("i-bad"), "no")]) == ()

    with closing(sqlite3.connect(store.path)) as database:
        database.row_factory = sqlite3.Row
        row = dict(database.execute("SELECT * FROM interventions").fetchone())
    assert (row["status"], row["reason"]) == ("refused", "no")
    assert row["row_hash"] == intervention_hash(row)
    assert store.requests().unreadable == ()


def test_an_ending_refuses_what_can_not_be_read_too(
    store: Ledger, negotiation: Negotiation
) -> None:
    by_another_program(store, id="i-bad", negotiation_id=negotiation.id, limits="{")

    with store.connection(), store.transaction():
        assert store.settle_ended(negotiation.id, 3) == ()

    assert store.requests().unreadable == ()


def test_a_negotiation_is_not_loaded_without_what_it_was_guided_by(
    store: Ledger, negotiation: Negotiation
) -> None:
    (one,) = store.add_interventions([make_intervention(negotiation.id)])
    with store.connection(), store.transaction():
        store.guide(negotiation.id, 1, [one], negotiation.mandate)
    edited(store, "UPDATE interventions SET limits = '['")

    with pytest.raises(DamagedRow):
        store.load(negotiation.id)


def test_a_damaged_row_that_is_owed_hinders_nobody_elses_request(
    store: Ledger, negotiation: Negotiation
) -> None:
    by_another_program(store, negotiation_id=negotiation.id, limits="[", message_seq=1)
    (good,) = store.add_interventions([make_intervention(negotiation.id)])

    requests = store.requests()

    assert [one for _, one in requests.received] == [good]
    assert requests.unreadable == ()


def test_a_settled_row_is_no_request(store: Ledger, negotiation: Negotiation) -> None:
    (one,) = store.add_interventions([make_intervention(negotiation.id)])
    with store.connection(), store.transaction():
        store.refuse([(one.id, "no")])

    assert store.requests().received == ()
    assert [type(each) for each in store.interventions(negotiation.id)] == [Intervention]
