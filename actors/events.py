"""What is logged, typed: never a prompt, a key, a limit, or what a person said.

Here are the base and what concerns quotes and the system; `actors/log/catalogue.py` lists all.
"""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import Struct
from msgspec.structs import asdict

from actors.inert import inert
from storage.records import NegotiationId, QuoteId, SupplierId


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """The base of all events."""

    name: ClassVar[str]
    level: ClassVar[str] = "info"

    def facts(self) -> dict[str, Any]:
        """The fields that are set, by name."""
        return {name: fact for name, fact in asdict(self).items() if fact is not None}

    def line(self) -> str:
        """One calm line for a person."""
        facts = (f"{name}={inert(str(value))}" for name, value in self.facts().items())
        return " ".join([self.name, *facts])


class NegotiationEvent(Event, frozen=True, kw_only=True, gc=False):
    """Something about one negotiation."""

    quote_id: QuoteId
    negotiation_id: NegotiationId
    supplier_id: SupplierId


class SystemStarted(Event, frozen=True, kw_only=True, gc=False):
    """The system is ready."""

    name: ClassVar[str] = "system.started"
    database: str
    pid: int


class SystemStoppedEvent(Event, frozen=True, kw_only=True, gc=False):
    """The system has stopped; what was active can be taken up again."""

    name: ClassVar[str] = "system.stopped"


class SystemHaltedEvent(Event, frozen=True, kw_only=True, gc=False):
    """Nothing can be saved any more, so nobody speaks."""

    name: ClassVar[str] = "system.halted"
    level: ClassVar[str] = "critical"
    error: str


class QuoteCreated(Event, frozen=True, kw_only=True, gc=False):
    """A quote is on disk, pending."""

    name: ClassVar[str] = "quote.created"
    quote_id: QuoteId


class QuoteStarted(Event, frozen=True, kw_only=True, gc=False):
    """A quote's negotiations are on disk, active."""

    name: ClassVar[str] = "quote.started"
    quote_id: QuoteId
    negotiations: int


class QuoteCompleted(Event, frozen=True, kw_only=True, gc=False):
    """The last negotiation of a quote has ended."""

    name: ClassVar[str] = "quote.completed"
    quote_id: QuoteId


class QuoteCancelled(Event, frozen=True, kw_only=True, gc=False):
    """A quote is cancelled; what is active of it ends."""

    name: ClassVar[str] = "quote.cancelled"
    quote_id: QuoteId


class SaveRetried(Event, frozen=True, kw_only=True, gc=False):
    """A transaction could not be committed and is tried again; nobody speaks meanwhile."""

    name: ClassVar[str] = "save.retried"
    level: ClassVar[str] = "error"
    error: str
    saves: int
    """How many the transaction holds."""
    retry_in_s: float


class OutsideIgnored(Event, frozen=True, kw_only=True, gc=False):
    """Another program has set a quote's status to what can't be acted on."""

    name: ClassVar[str] = "outside.ignored"
    level: ClassVar[str] = "error"
    quote_id: QuoteId
    status: str
    why: str


class ActorFailedEvent(Event, frozen=True, kw_only=True, gc=False):
    """A handler raised: a bug; the actor is restarted, or given up after too many times."""

    name: ClassVar[str] = "actor.failed"
    level: ClassVar[str] = "error"
    negotiation_id: NegotiationId | None
    actor: str
    error: str
    restarts: int
    """How often it has failed lately."""
    given_up: bool
    """Whether it is parked instead of being restarted."""


class LoopHeld(Event, frozen=True, kw_only=True, gc=False):
    """A handler or a negotiator kept all others waiting."""

    name: ClassVar[str] = "loop.held"
    level: ClassVar[str] = "warning"
    by: str
    """Whose handler or negotiator."""
    seconds: float


class MailUndeliverable(Event, frozen=True, kw_only=True, gc=False):
    """Mail was sent to an actor that is gone."""

    name: ClassVar[str] = "mail.undeliverable"
    level: ClassVar[str] = "debug"
    mail: str
    """Its kind."""


class SubscriberFailed(Event, frozen=True, kw_only=True, gc=False):
    """Who watched the events raised, and is told no more."""

    name: ClassVar[str] = "subscriber.failed"
    level: ClassVar[str] = "error"
    error: str
