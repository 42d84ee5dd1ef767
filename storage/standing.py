"""Standing: whether the statuses of quotes and negotiations fit their rows and each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from storage.faults import Fault, at
from storage.records import Quote, Reason
from storage.snapshot import Dossier, Row

WITHOUT_WORDS = (Reason.NO_PROGRESS, Reason.BUDGET, Reason.CANCELLED)
"""Reasons for which a negotiation ends without a further message."""


def quote_faults(quote: Quote, row: Row, negotiations: Sequence[Row]) -> Iterator[Fault]:
    """Where a quote's status does not fit its negotiations.

    One that is cancelled may have active ones: they end when an engine runs.
    """
    active = [one for one in negotiations if one["status"] == "active"]
    ends = [one["ended_at"] for one in negotiations]
    asked = {one["supplier_id"] for one in negotiations}
    completed = quote.status == "completed"
    for wrong, what in (
        (
            negotiations and asked != set(quote.suppliers),
            "its negotiations are not one with each of its suppliers",
        ),
        (quote.status == "pending" and negotiations, "it is pending, and has negotiations"),
        (
            quote.status == "negotiating" and negotiations and not active,
            "it is negotiating, and all its negotiations have ended",
        ),
        (completed and active, "it is completed, and has active negotiations"),
        (
            completed and row["completed_at"] not in ends,
            "its completed_at is not when one of its negotiations ended",
        ),
        (
            not completed and row["completed_at"] is not None,
            "it is not completed, and has a completed_at",
        ),
    ):
        if wrong:
            yield Fault(at(quote_id=row["id"]), what)


def ending_faults(dossier: Dossier) -> Iterator[Fault]:
    """Where a negotiation's status does not fit its other columns and its quote."""
    row, last = dossier.negotiation, dossier.messages[-1] if dossier.messages else None
    ended = row["status"] != "active"
    by_message = ended and row["reason"] not in WITHOUT_WORDS
    for wrong, what in (
        (ended != (row["ended_at"] is not None), "its ended_at does not fit its status"),
        (ended and row["last_error"] is not None, "it has ended, and has a last_error"),
        (
            by_message and (last is None or row["ended_at"] != last["created_at"]),
            "its ended_at is not when its last message closed it",
        ),
        (
            row["agreed_terms"] is not None
            and (last is None or row["agreed_terms"] != last["terms"]),
            "its agreed terms are not those of its accept, byte for byte",
        ),
        (
            row["reason"] == Reason.CANCELLED
            and dossier.quote is not None
            and dossier.quote["status"] != "cancelled",
            "it ended as cancelled, and its quote is not",
        ),
    ):
        if wrong:
            yield Fault(at(negotiation_id=row["id"]), what)
