"""Statements for many rows: whatever their number, each row is taken once and in order."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from storage.statements import CHUNKS, RowsStatement


@pytest.mark.parametrize("count", [0, 1, 3, 2 * sum(CHUNKS) + 1])
def test_any_number_of_rows_is_taken_each_once_and_in_order(count: int) -> None:
    insert = RowsStatement(("id", "seq"), "INSERT INTO things (id, seq) VALUES ")
    rows = [{"seq": n, "more": "is not asked for", "id": f"t-{n}"} for n in range(count)]

    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE things (id TEXT, seq INTEGER)")
        for sql, values in insert.chunks(rows):
            database.execute(sql, tuple(values))
        found = database.execute("SELECT id, seq FROM things ORDER BY rowid").fetchall()

    assert found == [(f"t-{n}", n) for n in range(count)]
