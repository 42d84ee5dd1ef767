"""Chosen quotes: what SQLite finds, so that only what is asked for is read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storage.hashes import canonical
from storage.statements import OLDEST_FIRST, select
from storage.tables import QuoteRow

Statement = tuple[str, list[Any]]
"""SQL and its values."""

HAS_STATUS = "status IN (SELECT value FROM json_each(?))"
# what is no list counts as chosen: whoever reads it is told that it is damaged
ASKS = """
    CASE
    WHEN (json_valid(suppliers) AND json_valid(supplier_names)) IS NOT TRUE THEN 1
    WHEN json_type(suppliers) <> 'array' OR json_type(supplier_names) <> 'array' THEN 1
    ELSE EXISTS (
        SELECT 1 FROM json_each(?) AS wanted
        WHERE wanted.value IN (SELECT value FROM json_each(suppliers))
        OR wanted.value IN (SELECT value FROM json_each(supplier_names))
    ) END
"""
NO_LIMIT = -1


def chosen_quotes(
    statuses: Sequence[str], suppliers: Sequence[str], newest: int | None
) -> Statement:
    """Quotes in one of the statuses that ask one of the suppliers, oldest first.

    Args:
        suppliers: Ids or names; none, as no statuses, chooses all quotes.
        newest: At most so many, and of these the newest; None takes all.
    """
    where, values = _where(statuses, suppliers)
    # an index alone finds the newest; their rows, which are long, are read only then
    rowids = f"SELECT rowid FROM quotes {where} ORDER BY created_at DESC, rowid DESC LIMIT ?"  # noqa: S608
    limit = NO_LIMIT if newest is None else newest
    return select(QuoteRow, f"WHERE rowid IN ({rowids}) {OLDEST_FIRST}"), [*values, limit]


def count_of_quotes(statuses: Sequence[str], suppliers: Sequence[str]) -> Statement:
    """How many quotes those are, as `quotes`."""
    where, values = _where(statuses, suppliers)
    return f"SELECT count(*) AS quotes FROM quotes {where}", values  # noqa: S608


def _where(statuses: Sequence[str], suppliers: Sequence[str]) -> Statement:
    asked = [(HAS_STATUS, statuses), (ASKS, suppliers)]
    conditions = [(sql, canonical(wanted)) for sql, wanted in asked if wanted]
    where = " AND ".join(sql for sql, _ in conditions)
    return f"WHERE {where}" if where else "", [value for _, value in conditions]
