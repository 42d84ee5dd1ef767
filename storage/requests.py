"""What other processes ask for, by rows that they wrote."""

from __future__ import annotations

from dataclasses import dataclass

from storage.interventions import Intervention, Unreadable
from storage.records import NegotiationId, Quote, QuoteId


@dataclass(frozen=True, slots=True)
class Requests:
    """All that stands in the database and asks the engine for something."""

    received: tuple[tuple[QuoteId, Intervention], ...] = ()
    """Interventions that are not settled, oldest first, with their quotes."""
    unreadable: tuple[Unreadable, ...] = ()
    """Rows that can't be taken for an intervention."""
    starting: tuple[Quote, ...] = ()
    """Quotes that were set to negotiating and have no negotiations."""
    damaged: tuple[tuple[QuoteId, str], ...] = ()
    """Such quotes that can't be read, and why."""
    changed: tuple[tuple[QuoteId, str, tuple[NegotiationId, ...]], ...] = ()
    """Quotes with active negotiations that are not negotiating: their status, those that are."""
