"""Bill: what the models of a quote's negotiations have spent, for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.negotiators.model_settings import Prices
from storage.calls import Spending
from storage.records import NegotiationId


@dataclass(frozen=True, slots=True)
class Bill:
    """Empty where no model was called: then nothing is shown of it."""

    spending: Mapping[NegotiationId, Spending] = field(default_factory=dict)
    prices: Prices | None = None
    """What tokens cost; without them no costs are shown."""

    def words(self, negotiation_id: NegotiationId) -> list[str]:
        """Such as `12 calls`, `10,230 tokens`, `EUR 0.0014`; `≥` where some is not known.

        Empty where no model was called for this negotiation.
        """
        if negotiation_id not in self.spending:
            return []
        spent = self._of(negotiation_id)
        least = "≥ " if spent.unknown else ""
        tokens = f"{least}{spent.prompt_tokens + spent.completion_tokens:,} tokens"
        cost = []
        if self.prices is not None:
            cost = [f"{least}{self.prices.currency} {self._amount(spent)}"]
        return [f"{spent.calls} call{'s' if spent.calls != 1 else ''}", tokens, *cost]

    def record(self, negotiation_id: NegotiationId) -> dict[str, Any]:
        """For programs; empty where no model was called."""
        if not self.spending:
            return {}
        spent = self._of(negotiation_id)
        record: dict[str, Any] = {
            "calls": spent.calls,
            "prompt_tokens": spent.prompt_tokens,
            "completion_tokens": spent.completion_tokens,
            "calls_of_unknown_cost": spent.unknown,
        }
        if self.prices is not None:
            record |= {"cost": self._amount(spent), "currency": self.prices.currency}
        return {"models": record}

    def _of(self, negotiation_id: NegotiationId) -> Spending:
        return self.spending.get(negotiation_id, Spending())

    def _amount(self, spent: Spending) -> str:
        """To a hundredth of a cent, because a call costs parts of one; empty without prices."""
        if self.prices is None:
            return ""
        return f"{self.prices.cost(spent.prompt_tokens, spent.completion_tokens):.4f}"


NO_BILL = Bill()
