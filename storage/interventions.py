"""Interventions: what a person asks of the brand's agent, and what became of it."""

from __future__ import annotations

from enum import StrEnum
from typing import NewType

from pydantic import JsonValue

from storage.records import Moment, NegotiationId, Priorities
from storage.shown import Shown, short
from storage.terms.kind import Record

InterventionId = NewType("InterventionId", str)
"""Text: `i-` and 16 hexadecimal digits."""


class InterventionStatus(StrEnum):
    """What became of an intervention."""

    RECEIVED = "received"
    """Committed; the brand's answer is still to come."""
    APPLIED = "applied"
    """Message `applied_seq` of the brand follows it; of a `continue`: the negotiation goes on."""
    REFUSED = "refused"
    """Nothing of it holds; `reason` says why."""


class Action(StrEnum):
    """What a person may do instead of an agent."""

    ACCEPT = "accept"
    WALK_AWAY = "walk_away"
    CONTINUE = "continue"
    """Go on with a negotiation that waits or is parked; it carries nothing else."""


class Intervention(Shown):
    """A person's guidance to the brand's agent in one negotiation, and its receipt."""

    id: InterventionId
    negotiation_id: NegotiationId
    text: str | None
    limits: dict[str, JsonValue] | None
    """Changed limits by their keys, such as `{"bottle.unit_price": "6.40"}`; private."""
    priorities: Priorities | None
    action: Action | None
    accepts_seq: int | None
    """For `accept`: the seq of the supplier's offer that the person saw."""
    status: InterventionStatus
    reason: str | None
    """Why it was refused, or what of it could have no effect."""
    message_seq: int | None
    """The seq of the user message that it became."""
    applied_seq: int | None
    """The seq of the brand's message that follows it."""
    row_hash: str | None
    """Over all other columns, once it is settled."""
    created_at: Moment

    def in_short(self) -> str:
        """Such as `i-… in n-…: applied, message 7 follows`; its text stays out."""
        place = f", message {self.applied_seq} follows" if self.applied_seq else ""
        why = f", {short(self.reason)}" if self.reason else ""
        return f"{self.id} in {self.negotiation_id}: {self.status}{place}{why}"

    @property
    def wording(self) -> str:
        """What its user message says: its text, or where there is none what it does."""
        if self.text is not None:
            return self.text
        if self.action is Action.ACCEPT:
            return f"Accept offer {self.accepts_seq}."
        if self.action is Action.WALK_AWAY:
            return "Walk away."
        changed = [name for name in ("limits", "priorities") if getattr(self, name) is not None]
        return f"Go by the changed {' and '.join(changed)}."

    @property
    def interrupts(self) -> bool:
        """Whether it can't wait for a supplier's answer that is being drafted."""
        return self.limits is not None or self.action is not None


class Unreadable(Record):
    """A row that another program wrote and that is no intervention."""

    id: str
    negotiation_id: str
    reason: str
