"""Reading a database: as often as anybody likes, from any thread, and never in the writer's way."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import peewee
from peewee import SqliteDatabase

from storage.calls import Call, Calls, Spending
from storage.chosen_quotes import chosen_quotes, count_of_quotes
from storage.database import atomic, read_rows, readable, run, text_or_bytes
from storage.errors import (
    DamagedRow,
    DatabaseLost,
    RowRefused,
    UnknownRecord,
)
from storage.hashes import NEGOTIATION_STATE, canonical
from storage.interventions import Intervention, InterventionId, Unreadable
from storage.last_quote import LastQuote
from storage.receipts import Receipts
from storage.records import (
    Message,
    Negotiation,
    NegotiationId,
    Quote,
    QuoteId,
)
from storage.requests import Requests
from storage.snapshot import Snapshot
from storage.statements import (
    SELECT_ALL_ACTIVE,
    SELECT_CHANGED,
    SELECT_MESSAGES,
    SELECT_NEGOTIATION,
    SELECT_NEGOTIATIONS,
    SELECT_QUOTE,
    SELECT_QUOTES_OF,
    SELECT_STARTING,
    SELECT_STATES,
)
from storage.tables import from_row


@dataclass(frozen=True, slots=True)
class Loaded:
    """All that is on disk of one negotiation."""

    quote: Quote
    negotiation: Negotiation
    messages: tuple[Message, ...]
    interventions: tuple[Intervention, ...] = ()


class Reader:
    """What can be read of a database; each read opens a connection of its own."""

    def __init__(self, path: Path, database: SqliteDatabase) -> None:
        self.path = path
        self._database = database
        self._file = path.absolute()  # the host program may change its working folder
        self._place = _place_of(self._file)
        self._receipts = Receipts(database)
        self._calls = Calls(database)
        self._last_quote = LastQuote()

    def check_place(self) -> None:
        """Make sure that the file is still the one that was opened: what it was may be gone.

        Raises:
            DatabaseLost: It is gone, or another one stands in its place.
        """
        place = _place_of(self._file)
        if place != self._place:
            what = "is gone" if place is None else "was replaced by another file"
            raise DatabaseLost(f"{self.path}: {what} while it was in use: put it back")

    def quotes(
        self,
        *,
        statuses: Sequence[str] = (),
        suppliers: Sequence[str] = (),
        newest: int | None = None,
    ) -> list[Quote]:
        """Quotes, oldest first; only those that are asked for are read.

        Args:
            statuses: In one of these; empty takes all.
            suppliers: Asking one of these, by id or by name; empty takes all.
            newest: At most so many, and of these the newest; None takes all.
        """
        sql, values = chosen_quotes(statuses, suppliers, newest)
        return [from_row(Quote, row) for row in self._rows(sql, *values)]

    def count_quotes(self, *, statuses: Sequence[str] = (), suppliers: Sequence[str] = ()) -> int:
        """How many quotes there are, of those that `quotes` would tell."""
        sql, values = count_of_quotes(statuses, suppliers)
        (row,) = self._rows(sql, *values)
        return int(row["quotes"])

    def quote(self, quote_id: QuoteId) -> Quote:
        """One quote, or UnknownRecord."""
        return from_row(Quote, self._row("quote", SELECT_QUOTE, quote_id))

    def negotiations(self, quote_id: QuoteId) -> list[Negotiation]:
        """A quote's negotiations in the order of its suppliers, none while it is pending."""
        quote = self.quote(quote_id)
        order = {supplier: place for place, supplier in enumerate(quote.suppliers)}
        found = [from_row(Negotiation, row) for row in self._rows(SELECT_NEGOTIATIONS, quote.id)]
        return sorted(found, key=lambda negotiation: order[negotiation.supplier_id])

    def negotiation(self, negotiation_id: NegotiationId) -> Negotiation:
        """One negotiation, or UnknownRecord."""
        return from_row(Negotiation, self._row("negotiation", SELECT_NEGOTIATION, negotiation_id))

    def messages(self, negotiation_id: NegotiationId, *, after_seq: int = 0) -> list[Message]:
        """A negotiation's messages by seq, or UnknownRecord."""
        return self._messages(self.negotiation(negotiation_id).id, after_seq)

    def load(self, negotiation_id: NegotiationId) -> Loaded:
        """All of a negotiation, as of one instant."""
        with self.instant():
            negotiation = self.negotiation(negotiation_id)
            quote = self._last_quote.of(self._row("quote", SELECT_QUOTE, negotiation.quote_id))
            messages = tuple(self._messages(negotiation.id))
            return Loaded(quote, negotiation, messages, self._receipts.of(negotiation.id))

    @contextmanager
    def instant(self) -> Iterator[None]:
        """All that is read inside, in this thread, is as of one instant; nobody waits meanwhile."""
        with self.connection(), atomic(self._database):
            yield

    def interventions(self, negotiation_id: NegotiationId) -> list[Intervention]:
        """A negotiation's interventions, oldest first, or UnknownRecord."""
        with self.connection():
            return list(self._receipts.of(self.negotiation(negotiation_id).id))

    def intervention(self, intervention_id: InterventionId) -> Intervention:
        """One intervention, or UnknownRecord."""
        with self.connection():
            return self._receipts.one(intervention_id)

    def calls(self, negotiation_id: NegotiationId) -> list[Call]:
        """The calls that models made for a negotiation, oldest first, or UnknownRecord."""
        with self.connection():
            self.negotiation(negotiation_id)
            return self._calls.of(negotiation_id)

    def spending(self, quote_id: QuoteId) -> dict[NegotiationId, Spending]:
        """What each negotiation of a quote has spent, without those whose models made no call."""
        with self.connection():
            return self._calls.spending(quote_id)

    def active(self) -> tuple[tuple[QuoteId, NegotiationId], ...]:
        """All negotiations that have not ended, oldest first, with their quotes."""
        with self.connection():
            return tuple(run(self._database, SELECT_ALL_ACTIVE).fetchall())

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """The rows as they stand at one instant, whatever is in them; nobody waits meanwhile.

        Raises:
            DatabaseUnavailable: It can't be read now, and trying again may help.
            DatabaseUnusable: It is damaged in what was read.
        """
        with self.connection(), self._database.atomic():
            connection: Any = self._database.connection()  # type: ignore[no-untyped-call]
            connection.text_factory = text_or_bytes
            try:
                yield Snapshot(connection)
            finally:
                connection.text_factory = str

    def data_version(self) -> int:
        """Another number whenever another connection has committed; for an open connection."""
        with readable(self.path):
            return int(run(self._database, "PRAGMA data_version").fetchone()[0])

    def requests(self) -> Requests:
        """What other processes ask for."""
        with self.instant():
            rows = self._receipts.received()
            read = [row for row in rows if isinstance(row, Intervention)]
            ids = canonical([row.negotiation_id for row in read])
            quotes = dict(run(self._database, SELECT_QUOTES_OF, ids).fetchall())
            starting, damaged = self._starting()
            changed = run(self._database, SELECT_CHANGED).fetchall()
            return Requests(
                received=tuple(
                    (QuoteId(quotes[row.negotiation_id]), row)
                    for row in read
                    if row.negotiation_id in quotes
                ),
                unreadable=tuple(row for row in rows if isinstance(row, Unreadable)),
                starting=tuple(starting),
                damaged=tuple(damaged),
                changed=tuple(
                    (quote_id, status, tuple(orjson.loads(active)))
                    for quote_id, status, active in changed
                ),
            )

    def _starting(self) -> tuple[list[Quote], list[tuple[QuoteId, str]]]:
        quotes, damaged = [], []
        for (quote_id,) in run(self._database, SELECT_STARTING).fetchall():
            try:
                quotes.append(self.quote(quote_id))
            except DamagedRow as error:  # one must not hide the others
                damaged.append((quote_id, str(error)))
        return quotes, damaged

    @contextmanager
    def connection(self) -> Iterator[None]:
        """Keep this thread's connection open; nested uses share it, the outermost closes it.

        What SQLite raises meanwhile, or when it opens the file, comes as `readable` tells it.
        """
        with readable(self.path), self._database.connection_context():
            yield

    # How

    def _messages(self, negotiation_id: NegotiationId, after_seq: int = 0) -> list[Message]:
        rows = self._rows(SELECT_MESSAGES, negotiation_id, after_seq)
        return [from_row(Message, row) for row in rows]

    def _row(self, noun: str, sql: str, record_id: str) -> dict[str, Any]:
        rows = self._rows(sql, str(record_id))  # a host program may ask for what is no text
        if not rows:
            raise UnknownRecord(noun, record_id)
        return rows[0]

    def _rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        with self.connection():
            return read_rows(self._database, sql, *values)

    def _states(self, negotiation_ids: Iterable[NegotiationId]) -> dict[str, dict[str, Any]]:
        (found,) = run(self._database, SELECT_STATES, canonical(list(negotiation_ids))).fetchone()
        rows = orjson.loads(found)
        return {row[0]: dict(zip(NEGOTIATION_STATE, row, strict=True)) for row in rows}


def _place_of(path: Path) -> tuple[int, int] | None:
    """The file that stands there, as the operating system tells files apart."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """What `readable` translates, and what breaks a rule of a table."""
    with readable(path):
        try:
            yield
        except (sqlite3.IntegrityError, peewee.IntegrityError) as error:
            raise RowRefused(str(error)) from error
