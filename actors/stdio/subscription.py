"""A subscription: which events a peer wants to hear, and what it is told of each."""

from __future__ import annotations

from dataclasses import dataclass

from actors.event_stream import head
from actors.events import Event
from actors.log.catalogue import EVENTS
from actors.stdio.protocol import CallFailed, Code, notification
from storage.mistakes import unknown_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """All events, or those that meet each condition that is given."""

    quote_id: str | None = None
    negotiation_id: str | None = None
    events: list[str] | None = None
    """By name; without None."""

    def __post_init__(self) -> None:
        """Refuse names that no event has, as CallFailed: nobody would ever hear them."""
        known = sorted(event.name for event in EVENTS)
        strange = [name for name in self.events or () if name not in known]
        mistakes = [f"events: {unknown_key(name, known)}" for name in strange]
        if mistakes:
            raise CallFailed(Code.INVALID_PARAMS, "; ".join(mistakes), mistakes=mistakes)

    def wants(self, event: Event) -> bool:
        """Whether the peer is told of an event."""
        return (
            (self.events is None or event.name in self.events)
            and self.quote_id in (None, getattr(event, "quote_id", None))
            and self.negotiation_id in (None, getattr(event, "negotiation_id", None))
        )


def told(event: Event) -> bytes:
    """The notification of an event, with the names of the log."""
    return notification("event", head(event) | event.facts())
