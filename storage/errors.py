"""What can go wrong between us and the database.

StorageError
├── UnknownRecord          there is no such quote or negotiation
├── QuoteNotPending        the quote was started or ended already
├── QuoteEnded             the quote is completed or cancelled already
├── NegotiationNotActive   the negotiation has ended already
├── SequenceConflict       another message has that number already
├── BudgetReached          one more call of a model could pass the budget
├── StaleAgreement         the accepted offer is not the one on disk
├── DamagedRow             a row can't be read back
├── RowRefused             a row breaks a rule of its table
├── EngineRunning          another engine runs on the database
├── DatabaseUnavailable    locked, full or gone for now: it may pass
└── DatabaseUnusable       the file is not ours, newer than us, or can't be read
    └── DatabaseLost       it is gone, or another one stands in its place
"""

from __future__ import annotations


class StorageError(Exception):
    """The root of what the database refuses."""


class UnknownRecord(StorageError):
    """There is no quote or negotiation with that id."""

    def __init__(self, noun: str, record_id: str) -> None:
        super().__init__(f"there is no {noun} {str(record_id)[:60]!r}")
        self.record_id = record_id


class QuoteNotPending(StorageError):
    """Only a pending quote can be started; nothing was changed."""

    def __init__(self, quote_id: str, status: str) -> None:
        super().__init__(f"quote {quote_id} is {status}, and only a pending one can be started")
        self.quote_id = quote_id
        self.status = status


class QuoteEnded(StorageError):
    """A quote that is over can't be cancelled; nothing was changed."""

    def __init__(self, quote_id: str, status: str) -> None:
        super().__init__(f"quote {quote_id} is {status} already")
        self.quote_id = quote_id
        self.status = status


class NegotiationNotActive(StorageError):
    """The negotiation has ended, so nothing more can be saved in it."""

    def __init__(self, negotiation_id: str, status: str) -> None:
        super().__init__(f"negotiation {negotiation_id} has ended: {status}")
        self.negotiation_id = negotiation_id


class SequenceConflict(StorageError):
    """Another message is already saved under that number, or the one before it is missing."""

    def __init__(self, negotiation_id: str, seq: int, expected: int) -> None:
        super().__init__(f"{negotiation_id}: message {seq} does not fit, {expected} is next")
        self.negotiation_id = negotiation_id
        self.seq = seq


class BudgetReached(StorageError):
    """One more call of a model could pass the budget, so it may not start."""

    def __init__(self, owner: str, budget: str, *, is_final: bool) -> None:
        super().__init__(f"the budget of {owner}, {budget}, allows no further call")
        self.owner = owner
        self.is_final = is_final
        """Whether it is spent; else only what calls under way may cost stands against this one."""


class StaleAgreement(StorageError):
    """The terms of an accept are not those of the offer that it names, as saved."""

    def __init__(self, negotiation_id: str, accepts_seq: int | None) -> None:
        super().__init__(f"{negotiation_id}: message {accepts_seq} does not offer those terms")
        self.negotiation_id = negotiation_id


class DamagedRow(StorageError):
    """A row can't be read back: it was changed by another hand, or the disk has damaged it."""

    def __init__(self, noun: str, record_id: str, columns: list[str]) -> None:
        where = f": {', '.join(columns)}" if columns else ""
        super().__init__(f"{noun} {record_id} can't be read{where}; restore it from a backup")
        self.record_id = record_id
        self.columns = columns


class RowRefused(StorageError):
    """A row breaks a rule of its table: its key exists, or what it refers to does not."""


class EngineRunning(StorageError):
    """Another engine runs on the database, and there can be one only; nothing was changed."""

    def __init__(self, database: str, pid: int | None) -> None:
        who = "another engine" if pid is None else f"another engine (pid {pid})"
        super().__init__(f"{who} runs on {database}: stop it, or choose another database")
        self.pid = pid
        """Its process; None at the instant in which it starts or ends."""


class DatabaseUnavailable(StorageError):
    """The database can't be written now: locked, full, or gone. Trying again may help."""


class DatabaseUnusable(StorageError):
    """The file can't be used as our database; it was left as it is."""


class DatabaseLost(DatabaseUnusable):
    """The file was deleted, moved or replaced while it was in use."""
