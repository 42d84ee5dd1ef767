"""What is logged, typed: never a prompt, a key, a limit, or what a person said.

Here are the base and what concerns quotes and the system; `actors/log/catalogue.py` lists all.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, cast

from actors.inert import inert
from storage.records import NegotiationId, QuoteId, SupplierId


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base of all events."""

    name: ClassVar[str]
    level: ClassVar[str] = "info"

    def facts(self) -> dict[str, Any]:
        """The fields that are set, by name."""
        names = _field_names(cast("Hashable", type(self)))
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def line(self) -> str:
        """One calm line for a person."""
        facts = (f"{name}={inert(str(value))}" for name, value in self.facts().items())
        return " ".join([self.name, *facts])


@cache
def _field_names(event: Hashable) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cast("type[Event]", event)))


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationEvent(Event):
    """Something about one negotiation."""

    quote_id: QuoteId
    negotiation_id: NegotiationId
    supplier_id: SupplierId


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStarted(Event):
    """The system is ready."""

    name: ClassVar[str] = "system.started"
    database: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStoppedEvent(Event):
    """The system has stopped; what was active can be taken up again."""

    name: ClassVar[str] = "system.stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemHaltedEvent(Event):
    """Nothing can be saved any more, so nobody speaks."""

    name: ClassVar[str] = "system.halted"
    level: ClassVar[str] = "critical"
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteCreated(Event):
    """A quote is on disk, pending."""

    name: ClassVar[str] = "quote.created"
    quote_id: QuoteId


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteStarted(Event):
    """A quote's negotiations are on disk, active."""

    name: ClassVar[str] = "quote.started"
    quote_id: QuoteId
    negotiations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteCompleted(Event):
    """The last negotiation of a quote has ended."""

    name: ClassVar[str] = "quote.completed"
    quote_id: QuoteId


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteCancelled(Event):
    """A quote is cancelled; what is active of it ends."""

    name: ClassVar[str] = "quote.cancelled"
    quote_id: QuoteId


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveRetried(Event):
    """A transaction could not be committed and is tried again; nobody speaks meanwhile."""

    name: ClassVar[str] = "save.retried"
    level: ClassVar[str] = "error"
    error: str
    saves: int
    """How many the transaction holds."""
    retry_in_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideIgnored(Event):
    """Another program has set a quote's status to what can't be acted on."""

    name: ClassVar[str] = "outside.ignored"
    level: ClassVar[str] = "error"
    quote_id: QuoteId
    status: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorFailedEvent(Event):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopHeld(Event):
    """A handler or a negotiator kept all others waiting."""

    name: ClassVar[str] = "loop.held"
    level: ClassVar[str] = "warning"
    by: str
    """Whose handler or negotiator."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MailUndeliverable(Event):
    """Mail was sent to an actor that is gone."""

    name: ClassVar[str] = "mail.undeliverable"
    level: ClassVar[str] = "debug"
    mail: str
    """Its kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberFailed(Event):
    """Who watched the events raised, and is told no more."""

    name: ClassVar[str] = "subscriber.failed"
    level: ClassVar[str] = "error"
    error: str
