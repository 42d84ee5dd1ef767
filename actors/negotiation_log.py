"""NegotiationLog: tells the log what happens in one negotiation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from actors.bug import cause
from actors.event_stream import EventStream
from actors.mechanism.conversation import Conversation
from actors.mechanism.ruling import Refusal, Rule
from actors.negotiation_events import (
    AcceptDemoted,
    DraftFailedEvent,
    DraftRefused,
    InterventionHeard,
    InterventionSettled,
    MessageSavedEvent,
    NegotiationContinued,
    NegotiationEndedEvent,
    NegotiationParkedEvent,
    NegotiationTakenUp,
    NegotiationWaiting,
    SaveRefused,
    StaleDraftDropped,
)
from storage.interventions import Intervention
from storage.records import Ending, Message, Negotiation
from storage.terms.kind import Side


class NegotiationLog:
    """Each method is one event; its ids are the negotiation's."""

    def __init__(self, negotiation: Negotiation, events: EventStream) -> None:
        self._events = events
        self._ids = {
            "quote_id": negotiation.quote_id,
            "negotiation_id": negotiation.id,
            "supplier_id": negotiation.supplier_id,
        }

    def taken_up(self, message_count: int) -> None:
        """From now on this engine moves it; it holds so many messages already."""
        self._emit(NegotiationTakenUp, message_count=message_count)

    def saved(self, message: Message, conversation: Conversation) -> None:
        """A message is on disk; the conversation holds it."""
        total = conversation.total_of(message)
        self._emit(
            MessageSavedEvent,
            seq=message.seq,
            sender=message.sender,
            move=message.move,
            origin=message.origin,
            rounds=conversation.rounds,
            total=None if total is None else str(total),
            currency=conversation.request.currency,
        )

    def refused(self, side: Side, refusal: Refusal, fallback: str | None) -> None:
        """A draft goes back; the reason may hold a private figure, so only the rule is told."""
        self._emit(DraftRefused, side=side, rule=refusal.rule, fallback=fallback)

    def demoted(self, side: Side, rule: Rule) -> None:
        """An accept became talk."""
        self._emit(AcceptDemoted, side=side, rule=rule)

    def failed(self, side: Side, error: str, retry_in_s: float | None) -> None:
        """A negotiator made no move."""
        self._emit(DraftFailedEvent, side=side, error=error, retry_in_s=retry_in_s)

    def stale(self, draft_id: str) -> None:
        """An answer came for a draft that nobody waits for."""
        self._emit(StaleDraftDropped, draft_id=draft_id)

    def save_refused(self, error: Exception) -> None:
        """A save broke a rule of the ledger; what a foreign error says may be private."""
        self._emit(SaveRefused, error=cause(error))

    def parked(self, error: str) -> None:
        """Nothing moves it by itself any more."""
        self._emit(NegotiationParkedEvent, error=error)

    def waits(self) -> None:
        """It waits to be continued."""
        self._emit(NegotiationWaiting)

    def continued(self) -> None:
        """It goes on."""
        self._emit(NegotiationContinued)

    def ended(self, ending: Ending, rounds: int) -> None:
        """It is over."""
        self._emit(NegotiationEndedEvent, status=ending.status, reason=ending.reason, rounds=rounds)

    def intervention(self, intervention: Intervention, during: str) -> None:
        """A person's guidance has reached it; `during` says what it was at."""
        self._emit(
            InterventionHeard,
            intervention_id=intervention.id,
            during=during,
            action=intervention.action,
        )

    def settled(self, interventions: Iterable[Intervention]) -> None:
        """Receipts say what became of them."""
        for one in interventions:
            self._emit(
                InterventionSettled,
                intervention_id=one.id,
                status=one.status,
                applied_seq=one.applied_seq,
            )

    def _emit(self, event: Any, **facts: Any) -> None:
        self._events.emit(event(**self._ids, **facts))
