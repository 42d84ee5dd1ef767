"""What is logged of the calls of models, by OpenTelemetry's names where it has some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from actors.events import Event, NegotiationEvent

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
    """Which call for its draft it is, from 1."""
    model: str
    queued_s: float
    """Seconds that it waited for its turn."""
    latency_s: float
    """Seconds from then until it was answered, failed or was cancelled."""

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
