"""Errand: the draft that a model is asked for, and on whose account its calls go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from storage.calls import CallEnd, CallStart
from storage.records import NegotiationId, QuoteId, SupplierId
from storage.rules import Budget
from storage.terms.kind import Side


class CallBook(Protocol):
    """Where calls are noted."""

    async def start(self, call: CallStart, budget: Budget) -> None:
        """Return once it is on disk that the call starts, or raise BudgetReached."""
        ...

    def end(self, call: CallStart, end: CallEnd, supplier_id: SupplierId) -> None:
        """Note what became of it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """The draft that a model is asked for."""

    quote_id: QuoteId
    negotiation_id: NegotiationId
    supplier_id: SupplierId
    draft_id: str
    side: Side
    timeout_s: float
    """Seconds that it may take, the waiting for turns not counted."""
    budget: Budget
    book: CallBook
    news: Callable[[], None]
    """To be called now and then while it waits for its turn."""
