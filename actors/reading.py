"""Reading: what the face tells of a database; it never waits for who writes."""

from __future__ import annotations

from contextlib import AbstractContextManager

from actors.audit import Findings, audit
from storage.calls import Call, Spending
from storage.interventions import Intervention, InterventionId
from storage.reader import Loaded
from storage.records import Message, Negotiation, NegotiationId, Quote, QuoteId
from storage.store import Store


class Reading:
    """The half of the face that changes nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def quotes(self) -> list[Quote]:
        """All quotes, oldest first."""
        return self._store.quotes()

    def quote(self, quote_id: QuoteId) -> Quote:
        """One quote, or UnknownRecord."""
        return self._store.quote(quote_id)

    def negotiations(self, quote_id: QuoteId) -> list[Negotiation]:
        """A quote's negotiations in the order of its suppliers, or UnknownRecord."""
        return self._store.negotiations(quote_id)

    def negotiation(self, negotiation_id: NegotiationId) -> Negotiation:
        """One negotiation, or UnknownRecord."""
        return self._store.negotiation(negotiation_id)

    def messages(self, negotiation_id: NegotiationId) -> list[Message]:
        """A negotiation's messages in order, or UnknownRecord."""
        return self._store.messages(negotiation_id)

    def loaded(self, negotiation_id: NegotiationId) -> Loaded:
        """All of a negotiation, with its quote, as of one instant, or UnknownRecord."""
        return self._store.load(negotiation_id)

    def calls(self, negotiation_id: NegotiationId) -> list[Call]:
        """The calls that models made for a negotiation, oldest first, or UnknownRecord."""
        return self._store.calls(negotiation_id)

    def spending(self, quote_id: QuoteId) -> dict[NegotiationId, Spending]:
        """What each negotiation of a quote has spent, without those whose models made no call."""
        return self._store.spending(quote_id)

    def interventions(self, negotiation_id: NegotiationId) -> list[Intervention]:
        """A negotiation's interventions, oldest first, or UnknownRecord."""
        return self._store.interventions(negotiation_id)

    def intervention(self, intervention_id: InterventionId) -> Intervention:
        """What became of an intervention, or UnknownRecord."""
        return self._store.intervention(intervention_id)

    def verify(self, quote_id: QuoteId | None = None) -> Findings:
        """Audit the database, or one quote of it: what was looked at, and each fault.

        While it is used, too.
        """
        return audit(self._store, quote_id)

    def instant(self) -> AbstractContextManager[None]:
        """All that is read inside, in this thread, is as of one instant; nobody waits meanwhile."""
        return self._store.instant()
