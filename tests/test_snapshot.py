"""Snapshot: rows as they stand at one instant, while others write, whatever is in them."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from factories import make_negotiations, make_quote

from storage.errors import DamagedRow
from storage.ledger import Ledger
from storage.records import Quote
from storage.snapshot import read
from storage.store import Store
from storage.tables import to_row


def test_it_is_as_of_one_instant_and_nobody_waits_for_it(store: Ledger) -> None:
    first, second = make_quote(), make_quote()
    store.add_quote(first)
    reader = Store(store.path, read_only=True)

    with reader.snapshot() as rows:
        before = list(rows.quotes())
        store.add_quote(second)
        meanwhile = list(rows.quotes())
    with reader.snapshot() as rows:
        after = list(rows.quotes())

    assert (before, meanwhile, after) == ([1], [1], [1, 2])


def test_a_dossier_is_all_of_a_negotiation(store: Ledger) -> None:
    quote = make_quote()
    store.add_quote(quote)
    with store.connection(), store.transaction():
        _, (opened,) = store.open_negotiations(quote.id, make_negotiations(quote))

    with store.snapshot() as rows:
        (place,) = rows.negotiations()
        dossier = rows.dossier(place)
        assert (rows.dossier(99), rows.quote(99)) == (None, None)

    assert dossier is not None
    assert dossier.negotiation == to_row(opened)
    assert dossier.quote is not None
    assert dossier.quote["id"] == quote.id
    assert (*dossier.messages, *dossier.interventions, *dossier.calls) == ()


def test_what_is_no_text_comes_as_bytes_and_is_no_record(store: Ledger) -> None:
    store.add_quote(make_quote())
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute("UPDATE quotes SET notes = CAST(x'41ff' AS TEXT), currency = x'41'")

    with store.snapshot() as rows:
        found = rows.quote(1)

    assert found is not None
    assert (found[0]["notes"], found[0]["currency"]) == (b"A\xff", b"A")
    with pytest.raises(DamagedRow, match="currency, notes"):
        read(Quote, found[0])


def test_other_readers_of_the_thread_still_get_text(store: Ledger) -> None:
    store.add_quote(make_quote(notes="Grüße"))

    with store.connection():
        with store.snapshot() as rows:
            rows.quote(1)
        assert store.quotes()[0].notes == "Grüße"


def test_a_sound_file_has_no_damage(store: Ledger) -> None:
    with store.snapshot() as rows:
        assert (rows.damages(), rows.orphans()) == ([], [])


def test_what_an_index_does_not_know_is_damage(store: Ledger) -> None:
    store.add_quote(make_quote())
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute("PRAGMA writable_schema = ON")
        database.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'status,', 'currency,') "
            "WHERE name = 'quotes_by_status'"
        )

    with Store(store.path, read_only=True).snapshot() as rows:
        told = rows.damages()

    assert told
