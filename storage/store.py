"""The one door to the database.

Reads open a connection of their own and never wait for the writer. Any process may add quotes and
interventions, start quotes and cancel them; what changes negotiations and messages is in `ledger`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import peewee

from storage.calls import Call, Calls, Spending
from storage.chosen_quotes import chosen_quotes, count_of_quotes
from storage.database import atomic, open_to_read, open_to_write, read_rows, readable, text_or_bytes
from storage.errors import (
    DamagedRow,
    DatabaseLost,
    NegotiationNotActive,
    QuoteEnded,
    QuoteNotPending,
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
    NegotiationStatus,
    Quote,
    QuoteId,
    QuoteStatus,
)
from storage.requests import Requests
from storage.snapshot import Snapshot
from storage.state import known
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
    RowsStatement,
)
from storage.tables import QuoteRow, from_row, to_row


def utc_now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Loaded:
    """All that is on disk of one negotiation."""

    quote: Quote
    negotiation: Negotiation
    messages: tuple[Message, ...]
    interventions: tuple[Intervention, ...] = ()


class Store:
    """A database that is open, checked and at the newest version."""

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], datetime] = utc_now,
        read_only: bool = False,
        all_pages: bool = False,
    ) -> None:
        """Open the database, and make it if there is none.

        Args:
            path: The SQLite file; its folder must exist. Only its owner may read it.
            clock: Tells the time of messages, in UTC.
            read_only: Nothing is made or changed; the file may be one that may not be written.
            all_pages: Whether every page is looked at first: a second for some 600 MB.

        Raises:
            DatabaseUnusable: The file is not ours, newer than us, damaged, or can't be opened.
        """
        self.path = path
        self._clock = clock
        self._database = (
            open_to_read(path) if read_only else open_to_write(path, all_pages=all_pages)
        )
        self._file = path.absolute()  # the host program may change its working folder
        self._place = _place_of(self._file)
        self._receipts = Receipts(self._database)
        self._calls = Calls(self._database)
        self._last_quote = LastQuote()
        # SQLite looks for the end of another's transaction at growing intervals; a lock just waits
        self._writing = threading.RLock()

    def check_place(self) -> None:
        """Make sure that the file is still the one that was opened: what it was may be gone.

        Raises:
            DatabaseLost: It is gone, or another one stands in its place.
        """
        place = _place_of(self._file)
        if place != self._place:
            what = "is gone" if place is None else "was replaced by another file"
            raise DatabaseLost(f"{self.path}: {what} while it was in use: put it back")

    # Reading

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
            return tuple(self._run(SELECT_ALL_ACTIVE).fetchall())

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
        with _translated(self.path):
            return int(self._run("PRAGMA data_version").fetchone()[0])

    def requests(self) -> Requests:
        """What other processes ask for."""
        with self.instant():
            rows = self._receipts.received()
            read = [row for row in rows if isinstance(row, Intervention)]
            ids = canonical([row.negotiation_id for row in read])
            quotes = dict(self._run(SELECT_QUOTES_OF, ids).fetchall())
            starting, damaged = self._starting()
            changed = self._run(SELECT_CHANGED).fetchall()
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
        for (quote_id,) in self._run(SELECT_STARTING).fetchall():
            try:
                quotes.append(self.quote(quote_id))
            except DamagedRow as error:  # one must not hide the others
                damaged.append((quote_id, str(error)))
        return quotes, damaged

    # Writing

    def add_quote(self, quote: Quote) -> None:
        """Save a new quote, from any thread."""
        with self.connection(), self.transaction():
            QuoteRow.insert(to_row(quote)).bind(self._database).execute()

    def add_interventions(
        self, interventions: Sequence[Intervention], *, all_or_nothing: bool = True
    ) -> list[Intervention]:
        """Save new interventions, `received`, from any thread or process.

        Args:
            all_or_nothing: Without it those are left out whose negotiation has ended.

        Returns:
            Those that were saved.

        Raises:
            NegotiationNotActive: A negotiation has ended, or all have; nothing was saved.
            DatabaseUnavailable: Nothing was saved, and trying again may help.
        """
        with self.connection(), self.transaction():
            states = self._states(one.negotiation_id for one in interventions)
            saved = []
            for one in interventions:
                status = known(states, one.negotiation_id)["status"]
                if status == NegotiationStatus.ACTIVE:
                    saved.append(one)
                elif all_or_nothing or (one is interventions[-1] and not saved):
                    raise NegotiationNotActive(one.negotiation_id, status)
            self._receipts.add(saved)
            return saved

    def start_quote(self, quote_id: QuoteId, *, automatic: bool | None) -> Quote:
        """Set a pending quote to negotiating, for the engine to start; from any process.

        Raises:
            UnknownRecord: There is no such quote.
            QuoteNotPending: It was started before, or is over.
        """
        with self.connection(), self.transaction():
            quote = self.quote(quote_id)
            if quote.status is not QuoteStatus.PENDING:
                raise QuoteNotPending(quote_id, quote.status)
            chosen = quote.automatic if automatic is None else automatic
            self._set_quote(quote_id, status=QuoteStatus.NEGOTIATING, automatic=chosen)
            return self.quote(quote_id)

    def cancel_quote(self, quote_id: QuoteId) -> tuple[Quote, tuple[NegotiationId, ...]]:
        """Cancel a quote, from any process; its active negotiations have still to end.

        Returns:
            The quote, and those negotiations.

        Raises:
            UnknownRecord: There is no such quote.
            QuoteEnded: It is completed or cancelled already.
        """
        with self.connection(), self.transaction():
            quote = self.quote(quote_id)
            if quote.status in (QuoteStatus.COMPLETED, QuoteStatus.CANCELLED):
                raise QuoteEnded(quote_id, quote.status)
            self._set_quote(quote_id, status=QuoteStatus.CANCELLED)
            active = [
                negotiation.id
                for negotiation in self.negotiations(quote_id)
                if negotiation.status is NegotiationStatus.ACTIVE
            ]
            return self.quote(quote_id), tuple(active)

    @contextmanager
    def connection(self) -> Iterator[None]:
        """Keep this thread's connection open; nested uses share it, the outermost closes it.

        What SQLite raises meanwhile, or when it opens the file, comes as `readable` tells it.
        """
        with readable(self.path), self._database.connection_context():
            yield

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One IMMEDIATE transaction: committed and synced to disk on leaving it without error.

        Raises:
            DatabaseUnavailable: Nothing was saved, and trying again may help.
            RowRefused: Nothing was saved, because a row breaks a rule of its table.
            DatabaseUnusable: Nothing was saved, because the file is damaged.
        """
        with self._writing, _translated(self.path), atomic(self._database, "IMMEDIATE"):
            yield

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Inside a transaction: what fails in here is undone alone."""
        with _translated(self.path), atomic(self._database):
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

    def _run(self, sql: str, *values: Any) -> Any:
        # past peewee, which takes as long to hand a statement over as SQLite to run it
        return self._database.connection().execute(sql, values)  # type: ignore[no-untyped-call]

    def _states(self, negotiation_ids: Iterable[NegotiationId]) -> dict[str, dict[str, Any]]:
        (found,) = self._run(SELECT_STATES, canonical(list(negotiation_ids))).fetchone()
        rows = orjson.loads(found)
        return {row[0]: dict(zip(NEGOTIATION_STATE, row, strict=True)) for row in rows}

    def _save(self, statement: RowsStatement, rows: Sequence[Mapping[str, Any]]) -> None:
        for sql, values in statement.chunks(rows):
            self._run(sql, *values)

    def _active(self, negotiation_id: NegotiationId) -> dict[str, Any]:
        state = known(self._states([negotiation_id]), negotiation_id)
        if state["status"] != NegotiationStatus.ACTIVE:
            raise NegotiationNotActive(negotiation_id, state["status"])
        return state

    def _set_quote(self, quote_id: QuoteId, **changes: str | bool) -> bool:
        # a cancelled quote stays cancelled
        query = QuoteRow.update(changes).where(
            (QuoteRow.id == quote_id) & (QuoteRow.status != QuoteStatus.CANCELLED.value)
        )
        return bool(query.bind(self._database).execute())


def _place_of(path: Path) -> tuple[int, int] | None:
    """The file that stands there, as the operating system tells files apart."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    with readable(path):
        try:
            yield
        except (sqlite3.IntegrityError, peewee.IntegrityError) as error:
            raise RowRefused(str(error)) from error
