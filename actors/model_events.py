"""What is logged of the calls of models, by OpenTelemetry's names where it has some."""

from __future__ import annotations

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


class ModelEvent(NegotiationEvent, frozen=True, kw_only=True, gc=False):
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


class ModelAnswered(ModelEvent, frozen=True, kw_only=True, gc=False):
    """A model has answered; whether that is a move is for the rules to say."""

    name: ClassVar[str] = "model.answered"
    level: ClassVar[str] = "debug"
    model_served: str | None
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None


class ModelCallCancelled(ModelEvent, frozen=True, kw_only=True, gc=False):
    """Nobody waits for a call of a model any more, so it was ended."""

    name: ClassVar[str] = "model.cancelled"
    level: ClassVar[str] = "debug"


class ModelCallFailed(ModelEvent, frozen=True, kw_only=True, gc=False):
    """A call of a model brought no answer; it is made again, or its draft fails."""

    name: ClassVar[str] = "model.failed"
    level: ClassVar[str] = "warning"
    outcome: str
    http_status: int | None

    def line(self) -> str:
        """Such as `supplier-2 brand's model: call 2 failed (HTTP 503)`."""
        status = f" (HTTP {self.http_status})" if self.http_status else ""
        return f"{self.supplier_id} {self.side}'s model: call {self.attempt} {self.outcome}{status}"
