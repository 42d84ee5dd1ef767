"""The tables: plain columns that another program can read, the same in code and on disk."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from factories import NOON, make_config, make_negotiations, make_quote, make_supplier, make_terms
from peewee import BooleanField, FloatField, IntegerField, Model

from storage.errors import DamagedRow
from storage.records import Message, Move, NegotiationId, Origin, Sender
from storage.store import Store
from storage.tables import (
    JSON_COLUMNS,
    TABLES,
    MessageRow,
    NegotiationRow,
    QuoteRow,
    from_row,
    terms_to_json,
    to_json,
    to_row,
)
from storage.terms.kind import Record

QUOTE = make_quote(make_config([make_supplier(1), make_supplier(2)]), notes="Größe M")
MESSAGE = Message(
    id=3,
    negotiation_id=NegotiationId("n-1"),
    seq=1,
    sender=Sender.BRAND,
    content="We propose USD 7.10.",
    move=Move.OFFER,
    terms=make_terms("7.10"),
    accepts_seq=None,
    origin=Origin.SCRIPT,
    created_at=NOON,
    hash="abc",
)
ON_DISK = {IntegerField: "INTEGER", BooleanField: "INTEGER", FloatField: "REAL"}
RECORDS: list[tuple[Record, type[Model]]] = [
    (QUOTE, QuoteRow),
    (
        make_negotiations(QUOTE, make_config([make_supplier(1), make_supplier(2)]))[0],
        NegotiationRow,
    ),
    (MESSAGE, MessageRow),
    (MESSAGE.model_copy(update={"terms": None, "move": None}), MessageRow),
]


@pytest.mark.parametrize("table", TABLES)
def test_the_columns_in_code_are_those_on_disk(table: type[Model], store: Store) -> None:
    with closing(sqlite3.connect(store.path)) as database:
        rows = database.execute(f"PRAGMA table_info({table._meta.table_name})").fetchall()

    on_disk = {name: (kind, not required) for _, name, kind, required, *_ in rows}
    in_code = {
        field.column_name: (
            ON_DISK.get(type(field), "TEXT"),
            field.null,
        )
        for field in table._meta.sorted_fields
    }
    assert on_disk == in_code
    assert [name for _, name, *_ in rows] == table._meta.sorted_field_names
    assert [name for _, name, *_, key in rows if key] == ["id"]


def test_every_table_on_disk_has_its_model(store: Store) -> None:
    with closing(sqlite3.connect(store.path)) as database:
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()

    assert {name for (name,) in names} == {table._meta.table_name for table in TABLES}


@pytest.mark.parametrize(("record", "table"), RECORDS)
def test_a_record_has_a_value_for_each_column_of_its_table(
    record: Record, table: type[Model]
) -> None:
    assert set(to_row(record)) == set(table._meta.sorted_field_names)


@pytest.mark.parametrize(("record", "table"), RECORDS)
def test_a_row_is_read_back_as_the_record_it_was(record: Record, table: type[Model]) -> None:
    row = to_row(record)

    assert from_row(type(record), row) == record
    assert to_row(from_row(type(record), row)) == row


@pytest.mark.parametrize(("record", "table"), RECORDS)
def test_lists_and_objects_are_json_and_all_else_is_plain(
    record: Record, table: type[Model]
) -> None:
    row = to_row(record)

    for column in JSON_COLUMNS[type(record)]:
        if row[column] is not None:
            assert isinstance(json.loads(row[column]), list | dict)
    assert all(value is None or isinstance(value, str | int | bool) for value in row.values())


def test_terms_alone_are_written_as_in_the_row_of_their_record() -> None:
    assert terms_to_json(MESSAGE.terms) == to_row(MESSAGE)["terms"]
    assert terms_to_json(None) is None


def test_money_is_text_with_the_currencys_decimals_and_only_inside_json() -> None:
    assert '"target":"5.00"' in to_row(QUOTE)["mandate"]
    assert json.loads(to_row(MESSAGE)["terms"])["unit_prices"] == {"widget": "7.10"}
    assert to_row(QUOTE)["created_at"] == "2026-01-02T12:00:00.000000Z"
    assert "Größe M" in to_row(QUOTE)["notes"]


def test_nothing_stays_null_instead_of_becoming_json() -> None:
    assert to_json(None) is None
    assert to_row(RECORDS[3][0])["terms"] is None


@pytest.mark.parametrize(
    ("column", "damaged"),
    [
        ("mandate", "{}"),
        ("lines", "[1"),
        ("status", "lost"),
        ("created_at", "noon"),
        ("notes", None),
    ],
)
def test_a_damaged_row_is_refused(column: str, damaged: Any) -> None:
    with pytest.raises(DamagedRow, match="restore it from a backup"):
        from_row(type(QUOTE), to_row(QUOTE) | {column: damaged})
