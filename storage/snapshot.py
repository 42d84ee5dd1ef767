"""Snapshot: the rows as they stand at one instant, whatever is in them.

Records are what a row means; this is what it is. Text that is no text comes as bytes, and a row
that no record can be made of is still a row, so that an audit can say what is wrong with it.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from peewee import Model

from storage.errors import DamagedRow
from storage.tables import (
    CallRow,
    InterventionRow,
    MessageRow,
    NegotiationRow,
    QuoteRow,
    from_row,
)
from storage.terms.kind import Record

Row = Mapping[str, Any]
"""A row's columns by name."""

R = TypeVar("R", bound=Record)

MOST_DAMAGES = 100
"""Lines that SQLite may tell of a damaged file."""
PARENTS: tuple[tuple[type[Model], str, type[Model]], ...] = (
    (NegotiationRow, "quote_id", QuoteRow),
    (MessageRow, "negotiation_id", NegotiationRow),
    (InterventionRow, "negotiation_id", NegotiationRow),
    (CallRow, "negotiation_id", NegotiationRow),
    (CallRow, "quote_id", QuoteRow),
)
"""Which column names a row of which other table."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """All rows of one negotiation."""

    quote: Row | None
    """None when there is none."""
    negotiation: Row
    messages: Sequence[Row]
    """By seq."""
    interventions: Sequence[Row]
    calls: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Orphans:
    """Rows that belong to one that is not there."""

    table: str
    column: str
    missing: Any
    """The id that there is no row of."""
    count: int


class Snapshot:
    """The rows of one database; valid inside `Store.snapshot()`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def damages(self) -> list[str]:
        """What SQLite itself finds wrong with the file, in its words."""
        rows = self._connection.execute(f"PRAGMA integrity_check({MOST_DAMAGES})").fetchall()
        return [str(told) for (told,) in rows if told != "ok"]

    def quotes(self, quote_id: str | None = None) -> array[int]:
        """Where each quote is, or the one with that id."""
        return self._places(QuoteRow, "id", quote_id)

    def negotiations(self, quote_id: str | None = None) -> array[int]:
        """Where each negotiation is, or those of one quote."""
        return self._places(NegotiationRow, "quote_id", quote_id)

    def quote(self, place: int) -> tuple[Row, Sequence[Row]] | None:
        """A quote and its negotiations, or None when it is there no more."""
        found = self._rows(QuoteRow, "rowid", place)
        if not found:
            return None
        return found[0], self._rows(NegotiationRow, "quote_id", found[0]["id"])

    def dossier(self, place: int) -> Dossier | None:
        """All of a negotiation, or None when it is there no more."""
        found = self._rows(NegotiationRow, "rowid", place)
        if not found:
            return None
        (negotiation,) = found
        quotes = self._rows(QuoteRow, "id", negotiation["quote_id"])
        of_it = ("negotiation_id", negotiation["id"])
        return Dossier(
            quote=quotes[0] if quotes else None,
            negotiation=negotiation,
            messages=self._rows(MessageRow, *of_it, order="seq"),
            interventions=self._rows(InterventionRow, *of_it, order="created_at, rowid"),
            calls=self._rows(CallRow, *of_it, order="created_at, rowid"),
        )

    def orphans(self) -> list[Orphans]:
        """Rows that belong to one that is not there."""
        return [
            Orphans(_name(table), column, missing, count)
            for table, column, parent in PARENTS
            for missing, count in self._connection.execute(
                f"SELECT {column}, count(*) FROM {_name(table)} "  # noqa: S608
                f"WHERE {column} NOT IN (SELECT id FROM {_name(parent)}) GROUP BY {column}"
            ).fetchall()
        ]

    def _places(self, table: type[Model], column: str, value: str | None) -> array[int]:
        # from an index, as SQLite does it, so that a page that can't be read hides its rows only
        sql = f"SELECT rowid FROM {_name(table)}"  # noqa: S608
        if value is None:
            rows = self._connection.execute(sql)
        else:
            rows = self._connection.execute(f"{sql} WHERE {column} = ?", (value,))
        return array("q", sorted(place for (place,) in rows))

    def _rows(
        self, table: type[Model], column: str, value: Any, *, order: str = "rowid"
    ) -> list[dict[str, Any]]:
        columns = table._meta.sorted_field_names
        sql = (
            f"SELECT {', '.join(columns)} FROM {_name(table)} "  # noqa: S608
            f"WHERE {column} = ? ORDER BY {order}"
        )
        rows = self._connection.execute(sql, (value,)).fetchall()
        return [dict(zip(columns, row, strict=True)) for row in rows]


def read(record_type: type[R], row: Row) -> R:
    """The record of a row as it stands, or DamagedRow."""
    if no_text := sorted(name for name, value in row.items() if isinstance(value, bytes)):
        raise DamagedRow(record_type.__name__.lower(), str(row["id"]), no_text)
    return from_row(record_type, row)


def _name(table: type[Model]) -> str:
    return str(table._meta.table_name)
