"""Every log event, typed: never a prompt, a key, a limit, or what a person said."""

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
class DraftRefused(NegotiationEvent):
    """A rule sent a draft back; `fallback` names who decides next, if anybody else does."""

    name: ClassVar[str] = "draft.refused"
    level: ClassVar[str] = "warning"
    side: str
    rule: str
    fallback: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftFailedEvent(NegotiationEvent):
    """A negotiator made no move."""

    name: ClassVar[str] = "draft.failed"
    level: ClassVar[str] = "warning"
    side: str
    error: str
    retry_in_s: float | None


FINISH_REASONS = "gen_ai.response.finish_reasons"
OPEN_TELEMETRY = {
    "model": "gen_ai.request.model",
    "model_served": "gen_ai.response.model",
    "finish_reason": FINISH_REASONS,
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
    "outcome": "error.type",
}
"""What our facts of a model's call are called in logs everywhere."""
PROVIDER = "mistral_ai"
"""OpenTelemetry's name for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEvent(NegotiationEvent):
    """Something about one call of a model."""

    call_id: str
    draft_id: str
    side: str
    attempt: int
    model: str
    queued_s: float
    latency_s: float

    def facts(self) -> dict[str, Any]:
        """By OpenTelemetry's names, where it has some."""
        # past the base class: a slotted dataclass is made anew, which zero-argument super misses
        facts = Event.facts(self).items()
        named: dict[str, Any] = {OPEN_TELEMETRY.get(name, name): fact for name, fact in facts}
        if FINISH_REASONS in named:
            named[FINISH_REASONS] = [named[FINISH_REASONS]]  # OpenTelemetry allows for several
        return named | {"gen_ai.operation.name": "chat", "gen_ai.provider.name": PROVIDER}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAnswered(ModelEvent):
    """A model has answered; whether that is a move is for the rules to say."""

    name: ClassVar[str] = "model.answered"
    level: ClassVar[str] = "debug"
    model_served: str | None
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCallCancelled(ModelEvent):
    """Nobody waits for a call of a model any more, so it was ended."""

    name: ClassVar[str] = "model.cancelled"
    level: ClassVar[str] = "debug"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCallFailed(ModelEvent):
    """A call of a model brought no answer; it is made again, or its draft fails."""

    name: ClassVar[str] = "model.failed"
    level: ClassVar[str] = "warning"
    outcome: str
    http_status: int | None

    def line(self) -> str:
        """Such as `supplier-2 brand's model: call 2 failed (HTTP 503)`."""
        status = f" (HTTP {self.http_status})" if self.http_status else ""
        return f"{self.supplier_id} {self.side}'s model: call {self.attempt} {self.outcome}{status}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleDraftDropped(NegotiationEvent):
    """An answer came for a draft that nobody waits for any more."""

    name: ClassVar[str] = "draft.stale"
    level: ClassVar[str] = "debug"
    draft_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptDemoted(NegotiationEvent):
    """An accept became talk, because of its words."""

    name: ClassVar[str] = "accept.demoted"
    level: ClassVar[str] = "warning"
    side: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSavedEvent(NegotiationEvent):
    """A message is on disk, and whoever is next may see it."""

    name: ClassVar[str] = "message.saved"
    seq: int
    sender: str
    move: str | None
    origin: str
    rounds: int
    total: str | None
    """What the terms come to, as text; of an offer or an accept."""
    currency: str

    def line(self) -> str:
        """Such as `supplier-2 message 6: supplier offer USD 43300.00`."""
        money = f" {self.currency} {self.total}" if self.total else ""
        did = f"{self.sender} {self.move}" if self.move else self.sender
        return f"{self.supplier_id} message {self.seq}: {did}{money}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveRefused(NegotiationEvent):
    """A save broke a rule of the ledger; the negotiation is loaded again from disk."""

    name: ClassVar[str] = "save.refused"
    level: ClassVar[str] = "error"
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveRetried(Event):
    """A transaction could not be committed and is tried again; nobody speaks meanwhile."""

    name: ClassVar[str] = "save.retried"
    level: ClassVar[str] = "error"
    error: str
    saves: int
    retry_in_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationEndedEvent(NegotiationEvent):
    """A negotiation has ended, agreed or not."""

    name: ClassVar[str] = "negotiation.ended"
    status: str
    reason: str | None
    rounds: int

    def line(self) -> str:
        """Such as `supplier-2 ended: completed after 8 rounds`."""
        why = f" ({self.reason})" if self.reason else ""
        return f"{self.supplier_id} ended: {self.status}{why} after {self.rounds} rounds"


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationParkedEvent(NegotiationEvent):
    """Nothing moves a negotiation by itself any more."""

    name: ClassVar[str] = "negotiation.parked"
    level: ClassVar[str] = "error"
    error: str

    def line(self) -> str:
        """Such as `supplier-2 parked: …`."""
        return f"{self.supplier_id} parked: {inert(self.error)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationWaiting(NegotiationEvent):
    """A negotiation that is not automatic waits to be continued."""

    name: ClassVar[str] = "negotiation.waiting"

    def line(self) -> str:
        """Such as `supplier-2 waits to be continued`."""
        return f"{self.supplier_id} waits to be continued"


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationContinued(NegotiationEvent):
    """A negotiation that waited or was parked goes on."""

    name: ClassVar[str] = "negotiation.continued"


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationUnreadable(Event):
    """A negotiation that was asked for can't be loaded."""

    name: ClassVar[str] = "negotiation.unreadable"
    level: ClassVar[str] = "error"
    negotiation_id: NegotiationId
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InterventionHeard(NegotiationEvent):
    """A person's guidance has reached a negotiation; `during` says what it was doing."""

    name: ClassVar[str] = "intervention.received"
    intervention_id: str
    during: str
    action: str | None

    def line(self) -> str:
        """Such as `supplier-2 gets an intervention (drafting brand)`."""
        return f"{self.supplier_id} gets an intervention ({self.during})"


@dataclass(frozen=True, slots=True, kw_only=True)
class InterventionSettled(NegotiationEvent):
    """An intervention is settled; its receipt says more."""

    name: ClassVar[str] = "intervention.settled"
    intervention_id: str
    status: str
    applied_seq: int | None

    def line(self) -> str:
        """Such as `supplier-2 intervention applied: message 7 follows it`."""
        place = f": message {self.applied_seq} follows it" if self.applied_seq else ""
        return f"{self.supplier_id} intervention {self.status}{place}"


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
    actor: str
    error: str
    negotiation_id: NegotiationId | None
    restarts: int
    given_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopHeld(Event):
    """A handler or a negotiator kept all others waiting."""

    name: ClassVar[str] = "loop.held"
    level: ClassVar[str] = "warning"
    by: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MailUndeliverable(Event):
    """Mail was sent to an actor that is gone."""

    name: ClassVar[str] = "mail.undeliverable"
    level: ClassVar[str] = "debug"
    mail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberFailed(Event):
    """Who watched the events raised, and is told no more."""

    name: ClassVar[str] = "subscriber.failed"
    level: ClassVar[str] = "error"
    error: str
