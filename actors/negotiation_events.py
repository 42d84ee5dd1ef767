"""What is logged of negotiations: their drafts, messages, endings, and how a person steps in."""

from __future__ import annotations

from typing import ClassVar

from actors.events import Event, NegotiationEvent
from actors.inert import inert
from storage.records import NegotiationId


class NegotiationTakenUp(NegotiationEvent, frozen=True, kw_only=True, gc=False):
    """From now on this engine moves a negotiation, a new one or one of before."""

    name: ClassVar[str] = "negotiation.taken_up"
    level: ClassVar[str] = "debug"
    message_count: int
    """Messages that it holds already; 0: it is new."""


class MessageSavedEvent(NegotiationEvent, frozen=True, kw_only=True, gc=False):
    """A message is on disk, and whoever is next may see it."""

    name: ClassVar[str] = "message.saved"
    seq: int
    sender: str
    move: str | None
    """Missing where a person speaks."""
    origin: str
    """Who wrote it: `tactics`, `mistral`, `narrated`, `script`, `person` or `fallback`."""
    rounds: int
    total: str | None
    """What the terms of an offer or an accept come to, as text."""
    currency: str

    def line(self) -> str:
        """Such as `supplier-2 message 6: supplier offer USD 43300.00`."""
        money = f" {self.currency} {self.total}" if self.total else ""
        did = f"{self.sender} {self.move}" if self.move else self.sender
        return f"{self.supplier_id} message {self.seq}: {did}{money}"


class NegotiationEndedEvent(NegotiationEvent, frozen=True, kw_only=True, gc=False):
    """A negotiation has ended, agreed or not."""

    name: ClassVar[str] = "negotiation.ended"
    status: str
    reason: str | None
    rounds: int

    def line(self) -> str:
        """Such as `supplier-2 ended: completed after 8 rounds`."""
        why = f" ({self.reason})" if self.reason else ""
        return f"{self.supplier_id} ended: {self.status}{why} after {self.rounds} rounds"


class NegotiationParkedEvent(NegotiationEvent, frozen=True, kw_only=True, gc=False):
    """Nothing moves a negotiation by itself any more."""

    name: ClassVar[str] = "negotiation.parked"
    level: ClassVar[str] = "error"
    error: str

    def line(self) -> str:
        """Such as `supplier-2 parked: …`."""
        return f"{self.supplier_id} parked: {inert(self.error)}"


class NegotiationWaiting(NegotiationEvent, frozen=True, kw_only=True, gc=False):
    """A negotiation that is not automatic waits to be continued."""

    name: ClassVar[str] = "negotiation.waiting"

    def line(self) -> str:
        """Such as `supplier-2 waits to be continued`."""
        return f"{self.supplier_id} waits to be continued"


class NegotiationContinued(NegotiationEvent, frozen=True, kw_only=True, gc=False):
    """A negotiation that waited or was parked goes on."""

    name: ClassVar[str] = "negotiation.continued"


class NegotiationUnreadable(Event, frozen=True, kw_only=True, gc=False):
    """A negotiation that was asked for can't be loaded."""

    name: ClassVar[str] = "negotiation.unreadable"
    level: ClassVar[str] = "error"
    negotiation_id: NegotiationId
    error: str


class DraftRefused(NegotiationEvent, frozen=True, kw_only=True, gc=False):
    """A rule sent a draft back."""

    name: ClassVar[str] = "draft.refused"
    level: ClassVar[str] = "warning"
    side: str
    rule: str
    """One of those under “What always holds”."""
    fallback: str | None
    """Who decides next, if anybody else does."""


class AcceptDemoted(NegotiationEvent, frozen=True, kw_only=True, gc=False):
    """An accept became talk, because of its words."""

    name: ClassVar[str] = "accept.demoted"
    level: ClassVar[str] = "warning"
    side: str
    rule: str
    """One of those under “What always holds”."""


class DraftFailedEvent(NegotiationEvent, frozen=True, kw_only=True, gc=False):
    """A negotiator made no move."""

    name: ClassVar[str] = "draft.failed"
    level: ClassVar[str] = "warning"
    side: str
    error: str
    retry_in_s: float | None


class StaleDraftDropped(NegotiationEvent, frozen=True, kw_only=True, gc=False):
    """An answer came for a draft that nobody waits for any more."""

    name: ClassVar[str] = "draft.stale"
    level: ClassVar[str] = "debug"
    draft_id: str


class SaveRefused(NegotiationEvent, frozen=True, kw_only=True, gc=False):
    """A save broke a rule of the ledger; the negotiation is loaded again from disk."""

    name: ClassVar[str] = "save.refused"
    level: ClassVar[str] = "error"
    error: str


class InterventionHeard(NegotiationEvent, frozen=True, kw_only=True, gc=False):
    """A person's guidance has reached a negotiation."""

    name: ClassVar[str] = "intervention.received"
    intervention_id: str
    during: str
    """What the negotiation was doing."""
    action: str | None

    def line(self) -> str:
        """Such as `supplier-2 gets an intervention (drafting brand)`."""
        return f"{self.supplier_id} gets an intervention ({self.during})"


class InterventionSettled(NegotiationEvent, frozen=True, kw_only=True, gc=False):
    """An intervention is settled; its receipt says more."""

    name: ClassVar[str] = "intervention.settled"
    intervention_id: str
    status: str
    applied_seq: int | None
    """The brand's message that follows it."""

    def line(self) -> str:
        """Such as `supplier-2 intervention applied: message 7 follows it`."""
        place = f": message {self.applied_seq} follows it" if self.applied_seq else ""
        return f"{self.supplier_id} intervention {self.status}{place}"
