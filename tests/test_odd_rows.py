"""Receipts: no row that another program wrote hides the others, whatever stands in it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from factories import make_negotiations, make_quote

from storage.errors import DamagedRow
from storage.interventions import Intervention, Unreadable
from storage.ledger import Ledger

TOO_DEEP = "[" * 100_000


@pytest.fixture
def negotiation_id(store: Ledger) -> str:
    quote = make_quote()
    store.add_quote(quote)
    with store.connection(), store.transaction():
        store.open_negotiations(quote.id, make_negotiations(quote))
    return store.negotiations(quote.id)[0].id


def insert(path: Path, negotiation_id: str, columns: str, values: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            f"INSERT INTO interventions (id, negotiation_id, {columns}) "  # noqa: S608
            f"VALUES ('i-odd', '{negotiation_id}', {values})"
        )
        database.execute(
            "INSERT INTO interventions (id, negotiation_id, text) VALUES ('i-good', ?, 'Hurry.')",
            (negotiation_id,),
        )


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("text", "CAST(x'41ff' AS TEXT)"),
        ("text", "x'41'"),
        ("text", "x'ff'"),
        ("created_at", "CAST(x'ff' AS TEXT)"),
        ("accepts_seq", "x'ff'"),
        ("limits", "'{'"),
        ("limits", f"'{TOO_DEEP}'"),
        ("priorities", "'nonsense'"),
    ],
)
def test_what_is_no_intervention_names_its_column_and_is_refused(
    store: Ledger, negotiation_id: str, column: str, value: str
) -> None:
    insert(store.path, negotiation_id, column, value)

    requests = store.requests()

    assert [one.id for _, one in requests.received] == ["i-good"]
    (odd,) = requests.unreadable
    assert odd == Unreadable(
        id="i-odd", negotiation_id=negotiation_id, reason=f"it can't be read: {column}"
    )
    with store.connection(), store.transaction():
        store.refuse([("i-odd", odd.reason)])  # type: ignore[list-item]
    assert store.requests().unreadable == ()
    assert [one.id for one in store.interventions(negotiation_id)] == ["i-good"]  # type: ignore[arg-type]


def test_a_damaged_row_that_is_a_message_already_hides_no_other_and_is_not_refused(
    store: Ledger, negotiation_id: str
) -> None:
    insert(store.path, negotiation_id, "limits, message_seq", "'{', 1")

    requests = store.requests()

    assert [one.id for _, one in requests.received] == ["i-good"]
    assert requests.unreadable == ()
    with pytest.raises(DamagedRow):
        store.interventions(negotiation_id)  # type: ignore[arg-type]


def test_a_damaged_quote_that_is_to_start_hides_no_other(store: Ledger) -> None:
    damaged, sound = make_quote(), make_quote()
    for quote in (damaged, sound):
        store.add_quote(quote)
        store.start_quote(quote.id, automatic=None)
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute("UPDATE quotes SET lines = '{' WHERE id = ?", (damaged.id,))

    requests = store.requests()

    assert [quote.id for quote in requests.starting] == [sound.id]
    ((quote_id, why),) = requests.damaged
    assert quote_id == damaged.id
    assert "can't be read: lines" in why


def test_a_row_as_it_was_received_is_read_back(store: Ledger, negotiation_id: str) -> None:
    insert(store.path, negotiation_id, "text", "'Push.'")

    with store.connection():
        first, second = store.interventions(negotiation_id)  # type: ignore[arg-type]

    assert isinstance(first, Intervention)
    assert (first.text, second.text) == ("Push.", "Hurry.")
