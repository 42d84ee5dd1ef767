"""What the Coordinator knows of one negotiation."""

from __future__ import annotations

from dataclasses import dataclass

from actors.mailbox import Call, Ref
from storage.interventions import InterventionId
from storage.records import QuoteId


@dataclass(slots=True)
class KnownNegotiation:
    """A negotiation that has not ended, as far as it concerns the Coordinator."""

    quote_id: QuoteId
    actor: Ref | None = None
    """None while it is being loaded, or given up."""
    calls: int = 0
    """How many pieces of mail of a person's its actor was sent."""
    queued: tuple[Call, ...] = ()
    """Such mail that waits for an actor."""
    rows: frozenset[InterventionId] = frozenset()
    """The interventions that were passed on."""
