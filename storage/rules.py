"""Rules: what a negotiation is bound by from its first message to its last."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from storage.terms.kind import Record


class Budget(Record):
    """How much the models of a negotiation may spend, and those of its whole quote; None: no end.

    No call starts that could pass it; then the negotiation ends, with the reason `budget`.
    """

    calls: int | None = Field(default=None, ge=0)
    """Of one negotiation, both sides together, failed ones too."""
    tokens: int | None = Field(default=None, ge=0)
    """Of one negotiation, prompts and answers together."""
    quote_calls: int | None = Field(default=None, ge=0)
    """Of all negotiations of a quote."""
    quote_tokens: int | None = Field(default=None, ge=0)


class ModelFallback(StrEnum):
    """What becomes of a negotiation whose model's draft was refused twice."""

    TACTICS = "tactics"
    """Tactics make this one move."""
    PARK = "park"


class Rules(Record):
    """What a negotiation is bound by from its first message to its last."""

    max_rounds: int = Field(default=10, ge=1, le=10_000)
    """After so many supplier messages the brand has one closing move."""
    no_progress_rounds: int | None = Field(default=None, ge=0)
    """Rounds without progress before both sides are told it is final; 0 switches it off."""
    move_timeout_s: float = Field(default=60.0, gt=0, le=86_400)
    """Seconds that a negotiator may take for one move."""
    draft_retries: int = Field(default=2, ge=0, le=20)
    """How often a move that failed is asked for again before the negotiation is parked."""
    retry_pause_s: float = Field(default=0.2, ge=0, le=60)
    """Seconds before the first such retry; each further one waits twice as long, 60 at most."""
    fallback: ModelFallback = ModelFallback.TACTICS
    """What becomes of it when a draft of a model was refused twice."""
    budget: Budget = Budget()

    @property
    def patience_rounds(self) -> int:
        """`no_progress_rounds`, or its default max(3, max_rounds ÷ 2)."""
        if self.no_progress_rounds is None:
            return max(3, self.max_rounds // 2)
        return self.no_progress_rounds
