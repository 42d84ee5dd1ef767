"""Chosen quotes: what SQLite finds, so that only what is asked for is read and checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from peewee import SQL, ModelSelect, Node, fn

from storage.hashes import canonical
from storage.tables import QuoteRow

ROWID = SQL("rowid")
"""Grows with each quote that is added: it tells those apart that were made at the same instant."""

# what is no JSON counts as chosen: whoever reads it is told that it is damaged
ASKS = """
    CASE WHEN json_valid(suppliers) AND json_valid(supplier_names) THEN EXISTS (
        SELECT 1 FROM json_each(?) AS wanted
        WHERE wanted.value IN (SELECT value FROM json_each(suppliers))
        OR wanted.value IN (SELECT value FROM json_each(supplier_names))
    ) ELSE 1 END
"""


def chosen_quotes(
    statuses: Sequence[str], suppliers: Sequence[str], newest: int | None
) -> ModelSelect[Any]:
    """Quotes in one of the statuses that ask one of the suppliers, oldest first.

    Args:
        suppliers: Ids or names; none, as no statuses, chooses all quotes.
        newest: At most so many, and of these the newest; None takes all.
    """
    # an index alone finds the newest; their rows, which are long, are read only then
    rowids = _where(QuoteRow.select(ROWID), statuses, suppliers)
    newest_first = rowids.order_by(QuoteRow.created_at.desc(), ROWID.desc()).limit(newest)
    return QuoteRow.select().where(ROWID.in_(newest_first)).order_by(QuoteRow.created_at, ROWID)


def count_of_quotes(statuses: Sequence[str], suppliers: Sequence[str]) -> ModelSelect[Any]:
    """How many quotes those are, as `quotes`."""
    return _where(QuoteRow.select(fn.COUNT(SQL("*")).alias("quotes")), statuses, suppliers)


def _where(
    query: ModelSelect[Any], statuses: Sequence[str], suppliers: Sequence[str]
) -> ModelSelect[Any]:
    for condition in _conditions(statuses, suppliers):
        query = query.where(condition)
    return query


def _conditions(statuses: Sequence[str], suppliers: Sequence[str]) -> Iterator[Node]:
    if statuses:
        yield QuoteRow.status.in_(statuses)
    if suppliers:
        yield SQL(ASKS, [canonical(suppliers)])
