"""Totals: what a run has come to, counted from its events alone."""

from __future__ import annotations

import threading
import time
from collections import Counter

from actors.events import Event, QuoteCancelled, QuoteCompleted, QuoteStarted, SaveRetried
from actors.log.log_events import RunFinished
from actors.model_events import ModelAnswered, ModelEvent
from actors.negotiation_events import (
    DraftFailedEvent,
    DraftRefused,
    InterventionHeard,
    MessageSavedEvent,
    NegotiationContinued,
    NegotiationEndedEvent,
    NegotiationParkedEvent,
    NegotiationTakenUp,
)
from storage.records import NegotiationId, NegotiationStatus

COUNTED: dict[type[Event], str] = {
    MessageSavedEvent: "messages",
    InterventionHeard: "interventions",
    DraftRefused: "drafts_refused",
    DraftFailedEvent: "drafts_failed",
    QuoteStarted: "quotes_started",
    QuoteCompleted: "quotes_completed",
    QuoteCancelled: "quotes_cancelled",
    SaveRetried: "saves_retried",
}
"""What each of these events is counted as."""


class Totals:
    """A subscriber, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._counts: Counter[str] = Counter()
        self._active: set[NegotiationId] = set()
        self._parked: set[NegotiationId] = set()

    def hear(self, event: Event) -> None:
        """Take note of an event."""
        with self._lock:
            counted = COUNTED.get(type(event))
            if counted is not None:
                self._counts[counted] += 1
            match event:
                case MessageSavedEvent() | NegotiationContinued():
                    self._parked.discard(event.negotiation_id)
                case NegotiationTakenUp():
                    self._active.add(event.negotiation_id)
                    self._parked.discard(event.negotiation_id)
                case NegotiationParkedEvent():
                    self._parked.add(event.negotiation_id)
                case NegotiationEndedEvent():
                    self._end(event)
                case ModelEvent():
                    self._call(event)

    def standing(self) -> tuple[int, int]:
        """How many negotiations have not ended, and how many of them are parked."""
        with self._lock:
            return len(self._active), len(self._parked)

    def finished(self, lines_lost: int) -> RunFinished:
        """All of it."""
        with self._lock:
            counts = self._counts
            return RunFinished(
                seconds=round(time.monotonic() - self._began, 3),
                quotes_started=counts["quotes_started"],
                quotes_completed=counts["quotes_completed"],
                quotes_cancelled=counts["quotes_cancelled"],
                negotiations_completed=counts[NegotiationStatus.COMPLETED],
                negotiations_impasse=counts[NegotiationStatus.IMPASSE],
                negotiations_active=len(self._active),
                negotiations_parked=len(self._parked),
                messages=counts["messages"],
                interventions=counts["interventions"],
                drafts_refused=counts["drafts_refused"],
                drafts_failed=counts["drafts_failed"],
                model_calls=counts["model_calls"],
                model_input_tokens=counts["model_input_tokens"],
                model_output_tokens=counts["model_output_tokens"],
                saves_retried=counts["saves_retried"],
                log_lines_lost=lines_lost,
            )

    def _end(self, ended: NegotiationEndedEvent) -> None:
        self._active.discard(ended.negotiation_id)
        self._parked.discard(ended.negotiation_id)
        self._counts[ended.status] += 1

    def _call(self, call: ModelEvent) -> None:
        self._counts["model_calls"] += 1
        if isinstance(call, ModelAnswered):
            self._counts["model_input_tokens"] += call.prompt_tokens or 0
            self._counts["model_output_tokens"] += call.completion_tokens or 0
