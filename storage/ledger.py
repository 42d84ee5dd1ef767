"""Ledger: the store with all that only Persistence writes.

Called by one thread only, inside `transaction()`, each change inside `savepoint()`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from storage.calls import CallEnd, CallStart
from storage.database import run
from storage.errors import (
    NegotiationNotActive,
    QuoteNotPending,
    SequenceConflict,
    StaleAgreement,
    StorageError,
)
from storage.hashes import brief_hash, message_hash, quote_hash, row_hash
from storage.interventions import Intervention, InterventionId, InterventionStatus
from storage.mandates import Mandate
from storage.pages import size_of
from storage.records import (
    Ending,
    Entry,
    Message,
    Move,
    Negotiation,
    NegotiationId,
    NegotiationStatus,
    Origin,
    Quote,
    QuoteId,
    QuoteStatus,
    Sender,
    write_time,
)
from storage.rules import Budget
from storage.state import after, ended, known, not_before, parked
from storage.statements import (
    INSERT_MESSAGES,
    INSERT_NEGOTIATIONS,
    SELECT_ACTIVE,
    SELECT_LAST_ID,
    SELECT_MESSAGE,
    SELECT_OFFER,
    UPDATE_AFTER_MESSAGE,
    UPDATE_STATES,
)
from storage.store import Store, utc_now
from storage.tables import NegotiationRow, from_row, terms_to_json, to_json, to_row

ENTRY_BODY = ("sender", "content", "move", "terms", "accepts_seq")
"""What makes two messages with the same seq the same."""
CHECKED_FIRST = 2 * 1024 * 1024
"""Bytes up to which every page is looked at on opening: some 2,000 messages, and 4 ms."""
TEXT_KEPT = "text kept; tactics acts on limits, priorities and actions"


class Appended(Struct, frozen=True):
    """A message that is saved, and whether saving it completed the quote."""

    message: Message
    quote_completed: bool


class Ledger(Store):
    """What is said, and what becomes of it."""

    def __init__(self, path: Path, *, clock: Callable[[], datetime] = utc_now) -> None:
        """Open the database; of a small one every page is looked at before anything is built on it.

        Raises:
            DatabaseUnusable: As for a store, or a page is damaged.
        """
        self.is_checked = size_of(path) <= CHECKED_FIRST
        """Whether every page was looked at; if not, somebody must while it is used."""
        super().__init__(path, clock=clock, all_pages=self.is_checked)

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
        INSERT_NEGOTIATIONS.save(self._database, rows)
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
        (last_id,) = run(self._database, SELECT_LAST_ID).fetchone()
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
        INSERT_MESSAGES.save(self._database, rows)
        UPDATE_AFTER_MESSAGE.save(self._database, said)
        UPDATE_STATES.save(self._database, over)
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
        UPDATE_STATES.save(self._database, [ended(state, ending, now)])
        return self._complete_quote(state["quote_id"], now)

    def park(self, negotiation_id: NegotiationId, error: str) -> None:
        """Note why nothing moves an active negotiation any more.

        Raises:
            UnknownRecord: There is no such negotiation.
            NegotiationNotActive: It has ended.
        """
        UPDATE_STATES.save(self._database, [parked(self._active(negotiation_id), error)])

    # A person's guidance

    def guide(
        self,
        negotiation_id: NegotiationId,
        first_seq: int,
        taken: Sequence[Intervention],
        mandate: Mandate,
    ) -> tuple[tuple[Message, Intervention], ...]:
        """Make user messages of interventions, and put the brand under changed limits.

        A negotiation that was parked is so no longer. Each intervention stays `received`: it is
        owed the brand's answer.

        Raises:
            UnknownRecord: There is no such negotiation.
            NegotiationNotActive: It has ended.
            SequenceConflict: Another message has that seq, or one of them is settled already.
        """
        guidance = []
        for seq, one in enumerate(taken, start=first_seq):
            entry = Entry(
                negotiation_id=negotiation_id,
                seq=seq,
                sender=Sender.USER,
                content=one.wording,
                move=None,
                terms=None,
                accepts_seq=None,
                origin=Origin.PERSON,
            )
            message = self.append(entry).message
            noted = self._receipts.settle(one.id, message_seq=seq)
            if noted is None:
                raise SequenceConflict(negotiation_id, seq, seq)
            guidance.append((message, noted))
        mandate_json = to_json(mandate.model_dump(mode="json"))
        self._set_state(negotiation_id, mandate=mandate_json, last_error=None)
        return tuple(guidance)

    def settle_answered(
        self, answers: Iterable[InterventionId], message: Message
    ) -> tuple[Intervention, ...]:
        """Note that a message of the brand follows these interventions."""
        settled = [self._settle_answered(one, message) for one in answers]
        return tuple(one for one in settled if one is not None)

    def settle_ended(
        self, negotiation_id: NegotiationId, seq: int | None
    ) -> tuple[Intervention, ...]:
        """Refuse what a negotiation still owes an answer to, because it has ended.

        Args:
            seq: Of the message that closed it; None when it ended without one.
        """
        how = f"ended at message {seq}" if seq else "ended without a further message"
        return self._receipts.refuse_all(negotiation_id, how)

    def refuse(self, refused: Iterable[tuple[InterventionId, str]]) -> tuple[Intervention, ...]:
        """Settle interventions of which nothing holds, each with its reason."""
        status = InterventionStatus.REFUSED.value
        settled = [
            self._receipts.settle(intervention_id, status=status, reason=reason)
            for intervention_id, reason in refused
        ]
        return tuple(one for one in settled if one is not None)

    def unpark(
        self, negotiation_id: NegotiationId, intervention_id: InterventionId | None
    ) -> tuple[Intervention, ...]:
        """Have a negotiation parked no longer, and settle the row that asked for it.

        Raises:
            UnknownRecord: There is no such negotiation.
            NegotiationNotActive: It has ended.
        """
        self._set_state(negotiation_id, last_error=None)
        if intervention_id is None:
            return ()
        status = InterventionStatus.APPLIED.value
        settled = self._receipts.settle(intervention_id, status=status)
        return () if settled is None else (settled,)

    # Calls of models

    def start_call(self, call: CallStart, budget: Budget) -> None:
        """Note that a call of a model starts, if the budget allows it, or BudgetReached."""
        self._calls.start(call, budget)

    def lose_calls(self) -> None:
        """Note, before an engine makes calls, that those of the one before are not heard of."""
        if self._calls.any_open():
            with self.transaction():
                self._calls.lose_all()

    def end_call(self, end: CallEnd) -> None:
        """Note what became of a call."""
        self._calls.end(end)

    # How

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
        (row,) = self._rows(SELECT_MESSAGE, entry.negotiation_id, entry.seq)
        saved = from_row(Message, row)
        if any(getattr(saved, column) != getattr(entry, column) for column in ENTRY_BODY):
            raise SequenceConflict(entry.negotiation_id, entry.seq, state["message_count"] + 1)
        over = state["status"] != NegotiationStatus.ACTIVE
        last = entry.seq == state["message_count"]
        at = self.quote(state["quote_id"]).completed_at
        return Appended(saved, over and last and at == saved.created_at)

    def _check_agreement(self, accept: Mapping[str, Any], ending: Ending | None) -> None:
        key = (accept["negotiation_id"], accept["accepts_seq"])
        offered = run(self._database, SELECT_OFFER, *key).fetchone()
        agreed = accept["terms"] if ending is None else terms_to_json(ending.agreed_terms)
        if offered is None or not offered[0] == accept["terms"] == agreed:
            raise StaleAgreement(accept["negotiation_id"], accept["accepts_seq"])

    def _complete_quote(self, quote_id: QuoteId, at: str) -> bool:
        if run(self._database, SELECT_ACTIVE, quote_id).fetchone():
            return False
        return self._set_quote(quote_id, status=QuoteStatus.COMPLETED, completed_at=at)

    def _settle_answered(
        self, intervention_id: InterventionId, message: Message
    ) -> Intervention | None:
        without_effect = message.origin in (Origin.TACTICS, Origin.NARRATED, Origin.FALLBACK)
        has_text = self._receipts.one(intervention_id).text is not None
        return self._receipts.settle(
            intervention_id,
            status=InterventionStatus.APPLIED.value,
            reason=TEXT_KEPT if without_effect and has_text else None,
            applied_seq=message.seq,
        )

    def _set_state(self, negotiation_id: NegotiationId, **changes: str | None) -> None:
        state = self._active(negotiation_id) | changes
        changes["row_hash"] = row_hash(state)
        query = NegotiationRow.update(changes).where(NegotiationRow.id == negotiation_id)
        query.bind(self._database).execute()
