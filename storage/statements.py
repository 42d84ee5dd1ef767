"""The statements of the hot path, prepared once, each for a whole group of rows.

A group comes and goes as one JSON array of rows, so that saving 300 messages takes as many steps of
SQLite as saving one: each step hands Python's lock over and back, which takes longer than the step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter

from peewee import Model

from storage.hashes import NEGOTIATION_STATE
from storage.tables import MessageRow, NegotiationRow


def _columns(table: type[Model]) -> tuple[str, ...]:
    return tuple(table._meta.sorted_field_names)


def _from_json(columns: Sequence[str]) -> str:
    """A query for the rows of a JSON array of arrays."""
    fields = (f"json_extract(value, '$[{n}]') AS {column}" for n, column in enumerate(columns))
    return f"SELECT {', '.join(fields)} FROM json_each(?)"  # noqa: S608


def _insert(table: type[Model], columns: Sequence[str]) -> str:
    name = table._meta.table_name
    return f"INSERT INTO {name} ({', '.join(columns)}) {_from_json(columns)}"


def _update(table: type[Model], columns: Iterable[str]) -> str:
    name = table._meta.table_name
    changes = ", ".join(f"{column} = new.{column}" for column in columns if column != "id")
    rows = _from_json(tuple(columns))
    return f"UPDATE {name} SET {changes} FROM ({rows}) AS new WHERE {name}.id = new.id"  # noqa: S608


MESSAGE_COLUMNS = _columns(MessageRow)
message_values = itemgetter(*MESSAGE_COLUMNS)
NEGOTIATION_COLUMNS = _columns(NegotiationRow)
STATE_CHANGES = (
    "id",
    "status",
    "reason",
    "rounds",
    "agreed_terms",
    "last_error",
    "message_count",
    "last_hash",
    "last_message_at",
    "row_hash",
    "ended_at",
)
"""What saving changes in a negotiation, after the id by which it is found."""

INSERT_MESSAGES = _insert(MessageRow, MESSAGE_COLUMNS)
INSERT_NEGOTIATIONS = _insert(NegotiationRow, NEGOTIATION_COLUMNS)
UPDATE_STATES = _update(NegotiationRow, STATE_CHANGES)
SELECT_STATES = (
    f"SELECT json_group_array(json_array({', '.join(NEGOTIATION_STATE)})) "  # noqa: S608
    "FROM negotiations WHERE id IN (SELECT value FROM json_each(?))"
)
SELECT_ACTIVE = "SELECT 1 FROM negotiations WHERE quote_id = ? AND status = 'active' LIMIT 1"
SELECT_OFFER = "SELECT terms FROM messages WHERE negotiation_id = ? AND seq = ? AND move = 'offer'"
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
    "SELECT q.id, q.status, json_group_array(n.id) FROM negotiations AS n "
    "JOIN quotes AS q ON q.id = n.quote_id "
    "WHERE n.status = 'active' AND q.status <> 'negotiating' GROUP BY q.id"
)
