"""The one door to the database.

Reads open a connection of their own and never wait for the writer. What changes negotiations and
messages is called by one thread only, inside `transaction()`, each change inside `savepoint()`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import peewee

from storage.database import open_to_read, open_to_write, readable
from storage.errors import (
    DatabaseUnavailable,
    NegotiationNotActive,
    QuoteEnded,
    QuoteNotPending,
    RowRefused,
    SequenceConflict,
    StaleAgreement,
    StorageError,
    UnknownRecord,
)
from storage.hashes import (
    NEGOTIATION_STATE,
    brief_hash,
    canonical,
    message_hash,
    quote_hash,
    row_hash,
)
from storage.interventions import Intervention, InterventionId, Unreadable
from storage.receipts import Receipts
from storage.records import (
    Ending,
    Entry,
    Message,
    Move,
    Negotiation,
    NegotiationId,
    NegotiationStatus,
    Quote,
    QuoteId,
    QuoteStatus,
    write_time,
)
from storage.requests import Requests
from storage.state import after, ended, known, not_before, parked
from storage.statements import (
    INSERT_MESSAGES,
    INSERT_NEGOTIATIONS,
    SELECT_ACTIVE,
    SELECT_CHANGED,
    SELECT_LAST_ID,
    SELECT_OFFER,
    SELECT_QUOTES_OF,
    SELECT_STARTING,
    SELECT_STATES,
    UPDATE_AFTER_MESSAGE,
    UPDATE_STATES,
    RowsStatement,
)
from storage.tables import MessageRow, NegotiationRow, QuoteRow, from_row, terms_to_json, to_row

ENTRY_BODY = ("sender", "content", "move", "terms", "accepts_seq")
"""What makes two messages with the same seq the same."""


def utc_now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Appended:
    """A message that is saved, and whether saving it completed the quote."""

    message: Message
    quote_completed: bool


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
        self, path: Path, *, clock: Callable[[], datetime] = utc_now, read_only: bool = False
    ) -> None:
        """Open the database, and make it if there is none.

        Args:
            path: The SQLite file; its folder must exist. Only its owner may read it.
            clock: Tells the time of messages, in UTC.
            read_only: Nothing is made or changed; the file may be one that may not be written.

        Raises:
            DatabaseUnusable: The file is not ours, newer than us, or can't be opened.
        """
        self.path = path
        self._clock = clock
        self._database = open_to_read(path) if read_only else open_to_write(path)
        self._receipts = Receipts(self._database)
        # SQLite looks for the end of another's transaction at growing intervals; a lock just waits
        self._writing = threading.RLock()

    # Reading

    def quotes(self) -> list[Quote]:
        """All quotes, oldest first."""
        rows = self._rows(QuoteRow.select().order_by(QuoteRow.created_at, QuoteRow.id))
        return [from_row(Quote, row) for row in rows]

    def quote(self, quote_id: QuoteId) -> Quote:
        """One quote, or UnknownRecord."""
        rows = self._rows(QuoteRow.select().where(QuoteRow.id == quote_id))
        if not rows:
            raise UnknownRecord("quote", quote_id)
        return from_row(Quote, rows[0])

    def negotiations(self, quote_id: QuoteId) -> list[Negotiation]:
        """A quote's negotiations in the order of its suppliers, none while it is pending."""
        order = {supplier: place for place, supplier in enumerate(self.quote(quote_id).suppliers)}
        rows = self._rows(NegotiationRow.select().where(NegotiationRow.quote_id == quote_id))
        found = [from_row(Negotiation, row) for row in rows]
        return sorted(found, key=lambda negotiation: order[negotiation.supplier_id])

    def negotiation(self, negotiation_id: NegotiationId) -> Negotiation:
        """One negotiation, or UnknownRecord."""
        rows = self._rows(NegotiationRow.select().where(NegotiationRow.id == negotiation_id))
        if not rows:
            raise UnknownRecord("negotiation", negotiation_id)
        return from_row(Negotiation, rows[0])

    def messages(self, negotiation_id: NegotiationId) -> list[Message]:
        """A negotiation's messages by seq, or UnknownRecord."""
        self.negotiation(negotiation_id)
        query = MessageRow.select().where(MessageRow.negotiation_id == negotiation_id)
        return [from_row(Message, row) for row in self._rows(query.order_by(MessageRow.seq))]

    def load(self, negotiation_id: NegotiationId) -> Loaded:
        """All of a negotiation, as of one instant."""
        with readable(self.path), self.connection(), self._database.atomic():
            negotiation = self.negotiation(negotiation_id)
            quote = self.quote(negotiation.quote_id)
            messages = tuple(self.messages(negotiation_id))
            return Loaded(quote, negotiation, messages, self._receipts.of(negotiation_id))

    def interventions(self, negotiation_id: NegotiationId) -> list[Intervention]:
        """A negotiation's interventions, oldest first, or UnknownRecord."""
        with self.connection():
            self.negotiation(negotiation_id)
            return list(self._receipts.of(negotiation_id))

    def intervention(self, intervention_id: InterventionId) -> Intervention:
        """One intervention, or UnknownRecord."""
        with self.connection():
            return self._receipts.one(intervention_id)

    def data_version(self) -> int:
        """Another number whenever another connection has committed; for an open connection."""
        return int(self._database.pragma("data_version"))

    def requests(self) -> Requests:
        """What other processes ask for."""
        with self.connection(), _translated(), self._database.atomic():
            rows = self._receipts.received()
            read = [row for row in rows if isinstance(row, Intervention)]
            ids = canonical([row.negotiation_id for row in read])
            quotes = dict(self._run(SELECT_QUOTES_OF, ids).fetchall())
            starting = self._run(SELECT_STARTING).fetchall()
            changed = self._run(SELECT_CHANGED).fetchall()
            return Requests(
                received=tuple(
                    (QuoteId(quotes[row.negotiation_id]), row)
                    for row in read
                    if row.negotiation_id in quotes
                ),
                unreadable=tuple(row for row in rows if isinstance(row, Unreadable)),
                starting=tuple(self.quote(quote_id) for (quote_id,) in starting),
                changed=tuple(
                    (quote_id, status, tuple(orjson.loads(active)))
                    for quote_id, status, active in changed
                ),
            )

    # Writing

    def add_quote(self, quote: Quote) -> None:
        """Save a new quote, from any thread."""
        with readable(self.path), self.connection(), self.transaction():
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

    def connection(self) -> AbstractContextManager[Any]:
        """Keep this thread's connection open; nested uses share it, the outermost closes it."""
        return self._database.connection_context()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One IMMEDIATE transaction: committed and synced to disk on leaving it without error.

        Raises:
            DatabaseUnavailable: Nothing was saved, and trying again may help.
            RowRefused: Nothing was saved, because a row breaks a rule of its table.
        """
        with self._writing, _translated(), self._database.atomic("IMMEDIATE"):
            yield

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Inside a transaction: what fails in here is undone alone."""
        with _translated(), self._database.atomic():
            yield

    def open_negotiations(
        self, quote_id: QuoteId, negotiations: Iterable[Negotiation]
    ) -> tuple[Quote, tuple[Negotiation, ...]]:
        """Take a quote from pending to negotiating, with all its negotiations.

        One that another process has set to negotiating is adopted.

        Returns:
            The quote and its negotiations as they are saved, their hashes filled in.

        Raises:
            UnknownRecord: There is no such quote.
            QuoteNotPending: It was started before, or is over.
        """
        quote = self.quote(quote_id)
        adopted = quote.status is QuoteStatus.NEGOTIATING and not self.negotiations(quote_id)
        if quote.status is not QuoteStatus.PENDING and not adopted:
            raise QuoteNotPending(quote_id, quote.status)
        of_quote = quote_hash(to_row(quote))
        rows, opened = [], []
        for negotiation in negotiations:
            row = to_row(negotiation)
            row["brief_hash"] = row["last_hash"] = brief_hash(of_quote, row)
            row["row_hash"] = row_hash(row)
            rows.append(row)
            hashes = {name: row[name] for name in ("brief_hash", "last_hash", "row_hash")}
            opened.append(negotiation.model_copy(update=hashes))
        self._save(INSERT_NEGOTIATIONS, rows)
        automatic = all(negotiation.automatic for negotiation in opened)
        self._set_quote(quote_id, status=QuoteStatus.NEGOTIATING, automatic=automatic)
        changes = {"status": QuoteStatus.NEGOTIATING, "automatic": automatic}
        return quote.model_copy(update=changes), tuple(opened)

    def append(self, entry: Entry, ending: Ending | None = None) -> Appended:
        """Save the next message of a negotiation, with its ending where it closes it.

        The same message again changes nothing and is answered as the first time.

        Raises:
            UnknownRecord: There is no such negotiation.
            SequenceConflict: Another message has its seq, or the one before is missing.
            NegotiationNotActive: The negotiation has ended.
            StaleAgreement: What is accepted, or agreed, is not the offer that an accept names.
        """
        (answer,) = self.append_all([(entry, ending)])
        if isinstance(answer, StorageError):
            raise answer
        return answer

    def append_all(
        self, entries: Sequence[tuple[Entry, Ending | None]]
    ) -> list[Appended | StorageError]:
        """Save the next messages of several negotiations, at most one of each.

        Returns:
            For each what `append` returns or raises; what is refused is not saved.
        """
        states = self._states(entry.negotiation_id for entry, _ in entries)
        (last_id,) = self._run(SELECT_LAST_ID).fetchone()
        now = write_time(self._clock())
        answers: list[Appended | StorageError] = []
        rows: list[dict[str, Any]] = []
        said: list[dict[str, Any]] = []
        over: list[dict[str, Any]] = []
        closed: dict[QuoteId, int] = {}
        for entry, ending in entries:
            try:
                state = known(states, entry.negotiation_id)
                if 0 < entry.seq <= state["message_count"]:
                    answers.append(self._said_before(entry, state))
                    continue
                row = self._next_row(entry, ending, state, not_before(state, now))
            except StorageError as error:
                answers.append(error)
                continue
            row["id"] = last_id + len(rows) + 1
            rows.append(row)
            if ending is None:
                said.append(after(state, row, None))
            else:
                over.append(after(state, row, ending))
                closed[state["quote_id"]] = len(answers)
            # vars: to iterate over a record takes longer than to check it
            added = {column: row[column] for column in ("id", "created_at", "hash")}
            message = Message(**vars(entry), **added)
            answers.append(Appended(message, False))
        self._save(INSERT_MESSAGES, rows)
        self._save(UPDATE_AFTER_MESSAGE, said)
        self._save(UPDATE_STATES, over)
        for quote_id, place in closed.items():
            last = answers[place]
            assert isinstance(last, Appended)  # noqa: S101 - it was saved just now
            completed = self._complete_quote(quote_id, write_time(last.message.created_at))
            answers[place] = Appended(last.message, completed)
        return answers

    def end(self, negotiation_id: NegotiationId, ending: Ending) -> bool:
        """End a negotiation without a further message.

        Returns:
            Whether that completed the quote.

        Raises:
            UnknownRecord: There is no such negotiation.
            NegotiationNotActive: It has ended before.
        """
        state = self._active(negotiation_id)
        now = not_before(state, write_time(self._clock()))
        self._save(UPDATE_STATES, [ended(state, ending, now)])
        return self._complete_quote(state["quote_id"], now)

    def park(self, negotiation_id: NegotiationId, error: str) -> None:
        """Note why nothing moves an active negotiation any more.

        Raises:
            UnknownRecord: There is no such negotiation.
            NegotiationNotActive: It has ended.
        """
        self._save(UPDATE_STATES, [parked(self._active(negotiation_id), error)])

    # How

    def _rows(self, query: Any) -> list[Any]:
        with readable(self.path), self.connection():
            return list(query.bind(self._database).dicts())

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

    def _next_row(
        self, entry: Entry, ending: Ending | None, state: Mapping[str, Any], now: str
    ) -> dict[str, Any]:
        """The columns of the message that comes next, but for its id."""
        if state["status"] != NegotiationStatus.ACTIVE:
            raise NegotiationNotActive(entry.negotiation_id, state["status"])
        if entry.seq != state["message_count"] + 1:
            raise SequenceConflict(entry.negotiation_id, entry.seq, state["message_count"] + 1)
        row = dict(vars(entry))
        for column in ("sender", "move", "origin"):
            # plain text: sqlite3 takes longer to find out that an enum needs no adapter
            row[column] = row[column] and str(row[column])
        row["terms"] = terms_to_json(entry.terms)
        if entry.move is Move.ACCEPT or (ending and ending.agreed_terms):
            self._check_agreement(row, ending)
        row["created_at"] = now
        row["hash"] = message_hash(state["last_hash"], row)
        return row

    def _said_before(self, entry: Entry, state: Mapping[str, Any]) -> Appended:
        query = MessageRow.select().where(
            (MessageRow.negotiation_id == entry.negotiation_id) & (MessageRow.seq == entry.seq)
        )
        saved = from_row(Message, self._rows(query)[0])
        if any(getattr(saved, column) != getattr(entry, column) for column in ENTRY_BODY):
            raise SequenceConflict(entry.negotiation_id, entry.seq, state["message_count"] + 1)
        over = state["status"] != NegotiationStatus.ACTIVE
        last = entry.seq == state["message_count"]
        at = self.quote(state["quote_id"]).completed_at
        return Appended(saved, over and last and at == saved.created_at)

    def _check_agreement(self, accept: Mapping[str, Any], ending: Ending | None) -> None:
        key = (accept["negotiation_id"], accept["accepts_seq"])
        offered = self._run(SELECT_OFFER, *key).fetchone()
        agreed = accept["terms"] if ending is None else terms_to_json(ending.agreed_terms)
        if offered is None or not offered[0] == accept["terms"] == agreed:
            raise StaleAgreement(accept["negotiation_id"], accept["accepts_seq"])

    def _complete_quote(self, quote_id: QuoteId, at: str) -> bool:
        if self._run(SELECT_ACTIVE, quote_id).fetchone():
            return False
        return self._set_quote(quote_id, status=QuoteStatus.COMPLETED, completed_at=at)

    def _set_quote(self, quote_id: QuoteId, **changes: str | bool) -> bool:
        # a cancelled quote stays cancelled
        query = QuoteRow.update(changes).where(
            (QuoteRow.id == quote_id) & (QuoteRow.status != QuoteStatus.CANCELLED.value)
        )
        return bool(query.bind(self._database).execute())


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (sqlite3.OperationalError, peewee.OperationalError) as error:
        raise DatabaseUnavailable(str(error)) from error
    except (sqlite3.IntegrityError, peewee.IntegrityError) as error:
        raise RowRefused(str(error)) from error
