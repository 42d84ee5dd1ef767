"""The statements of the hot path, written out once: peewee would do so every time.

Those that save take many rows at a time. Saving 300 messages takes few more steps of SQLite than
saving one: each step hands Python's lock over and back, which takes longer than the step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from peewee import Model, SqliteDatabase

from storage.database import run
from storage.hashes import NEGOTIATION_STATE
from storage.tables import InterventionRow, MessageRow, NegotiationRow, QuoteRow

CHUNKS = (256, 64, 16, 4, 1)
"""The numbers of rows for which a statement is prepared; a group takes a few of them."""


class RowsStatement:
    """A statement that takes any number of rows."""

    def __init__(self, columns: Sequence[str], before: str, after: str = "") -> None:
        """Write it out for each size of chunk.

        Args:
            columns: What it takes of each row, in this order.
            before: Its text up to the rows.
            after: Its text behind them.
        """
        row = f"({', '.join('?' * len(columns))})"
        self._chunks = [(size, before + ", ".join([row] * size) + after) for size in CHUNKS]
        self._values = itemgetter(*columns)

    def save(self, database: SqliteDatabase, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run it for all rows, inside a transaction."""
        for sql, values in self.chunks(rows):
            run(database, sql, *values)

    def chunks(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Iterable[Any]]]:
        """What to run for all rows, one after the other: its text and its values."""
        done = 0
        for size, sql in self._chunks:
            while len(rows) - done >= size:
                yield sql, chain.from_iterable(map(self._values, rows[done : done + size]))
                done += size


def _insert(table: type[Model]) -> RowsStatement:
    name, columns = table._meta.table_name, table._meta.sorted_field_names
    return RowsStatement(columns, f"INSERT INTO {name} ({', '.join(columns)}) VALUES ")  # noqa: S608


def _update(table: type[Model], changing: Sequence[str]) -> RowsStatement:
    name = table._meta.table_name
    # SQLite names the columns of VALUES column1, column2, ...
    changes = ", ".join(f"{column} = new.column{n}" for n, column in enumerate(changing, start=2))
    return RowsStatement(
        ("id", *changing),
        f"UPDATE {name} SET {changes} FROM (VALUES ",  # noqa: S608
        f") AS new WHERE {name}.id = new.column1",
    )


def select(table: type[Model], which: str) -> str:
    """What reads whole rows, as records are made of them."""
    columns = ", ".join(table._meta.sorted_field_names)
    return f"SELECT {columns} FROM {table._meta.table_name} {which}"  # noqa: S608


MESSAGE_CHANGES = ("rounds", "message_count", "last_hash", "last_message_at", "row_hash")
"""What a message changes in its negotiation."""
ENDING_CHANGES = ("status", "reason", "agreed_terms", "last_error", "ended_at")
"""What an ending or a parking changes beside these."""

INSERT_MESSAGES = _insert(MessageRow)
INSERT_NEGOTIATIONS = _insert(NegotiationRow)
INSERT_INTERVENTIONS = _insert(InterventionRow)
UPDATE_AFTER_MESSAGE = _update(NegotiationRow, MESSAGE_CHANGES)
UPDATE_STATES = _update(NegotiationRow, MESSAGE_CHANGES + ENDING_CHANGES)

# Whole rows, as records are made of them.
SELECT_QUOTE = select(QuoteRow, "WHERE id = ?")
SELECT_NEGOTIATION = select(NegotiationRow, "WHERE id = ?")
SELECT_NEGOTIATIONS = select(NegotiationRow, "WHERE quote_id = ?")
SELECT_MESSAGE = select(MessageRow, "WHERE negotiation_id = ? AND seq = ?")
SELECT_MESSAGES = select(MessageRow, "WHERE negotiation_id = ? AND seq > ? ORDER BY seq")
# the rowid tells apart what another program wrote within a millisecond
OLDEST_FIRST = "ORDER BY created_at, rowid"
SELECT_INTERVENTION = select(InterventionRow, "WHERE id = ?")
SELECT_INTERVENTIONS = select(InterventionRow, f"WHERE negotiation_id = ? {OLDEST_FIRST}")
SELECT_RECEIVED = select(InterventionRow, f"WHERE status = 'received' {OLDEST_FIRST}")

SELECT_STATES = (
    f"SELECT json_group_array(json_array({', '.join(NEGOTIATION_STATE)})) "  # noqa: S608
    "FROM negotiations WHERE id IN (SELECT value FROM json_each(?))"
)
SELECT_ACTIVE = "SELECT 1 FROM negotiations WHERE quote_id = ? AND status = 'active' LIMIT 1"
SELECT_ALL_ACTIVE = (
    "SELECT quote_id, id FROM negotiations WHERE status = 'active' ORDER BY created_at, rowid"
)
SELECT_OFFER = "SELECT terms FROM messages WHERE negotiation_id = ? AND seq = ? AND move = 'offer'"
SELECT_RECEIVED_BY = (
    "SELECT id FROM interventions WHERE negotiation_id = ? AND status = 'received' "  # noqa: S608
    f"{OLDEST_FIRST}"
)
SELECT_LAST_ID = "SELECT coalesce(max(id), 0) FROM messages"

# What other processes ask for. Each of these looks only at what is not over.
SELECT_QUOTES_OF = (
    "SELECT id, quote_id FROM negotiations WHERE id IN (SELECT value FROM json_each(?))"
)
SELECT_STARTING = (
    "SELECT id FROM quotes WHERE status = 'negotiating' AND NOT EXISTS "
    "(SELECT 1 FROM negotiations WHERE quote_id = quotes.id) ORDER BY created_at, id"
)
SELECT_CHANGED = (
    "SELECT id, status, (SELECT json_group_array(n.id) FROM negotiations AS n "
    "WHERE n.quote_id = quotes.id AND n.status = 'active') FROM quotes "
    "WHERE status <> 'negotiating' AND id IN "
    "(SELECT DISTINCT quote_id FROM negotiations WHERE status = 'active')"
)
