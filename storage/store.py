"""The one door to the database.

Reads open a connection of their own and never wait for the writer. Any process may add quotes and
interventions, start quotes and cancel them; what changes negotiations and messages is in `ledger`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from storage.database import atomic, open_to_read, open_to_write
from storage.errors import (
    NegotiationNotActive,
    QuoteEnded,
    QuoteNotPending,
)
from storage.interventions import Intervention
from storage.reader import Reader, translated
from storage.records import (
    NegotiationId,
    NegotiationStatus,
    Quote,
    QuoteId,
    QuoteStatus,
)
from storage.state import known
from storage.tables import QuoteRow, to_row


def utc_now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)


class Store(Reader):
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
        database = open_to_read(path) if read_only else open_to_write(path, all_pages=all_pages)
        super().__init__(path, database)
        self._clock = clock
        # SQLite looks for the end of another's transaction at growing intervals; a lock just waits
        self._writing = threading.RLock()

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
    def transaction(self) -> Iterator[None]:
        """One IMMEDIATE transaction: committed and synced to disk on leaving it without error.

        Raises:
            DatabaseUnavailable: Nothing was saved, and trying again may help.
            RowRefused: Nothing was saved, because a row breaks a rule of its table.
            DatabaseUnusable: Nothing was saved, because the file is damaged.
        """
        with self._writing, translated(self.path), atomic(self._database, "IMMEDIATE"):
            yield

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Inside a transaction: what fails in here is undone alone."""
        with translated(self.path), atomic(self._database):
            yield

    # How

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
