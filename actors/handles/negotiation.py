"""NegotiationHandle: what a person sees of one negotiation, and can do in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.acting import Acting
from actors.errors import OfferUnseen
from actors.handles.receipts import Receipts, receipts_of
from actors.handles.sheet import MOST_ROWS, Seen, Sheet, moving_of, told
from actors.inert import inert
from actors.monitoring.bill import Bill
from actors.monitoring.positions import Position, position_of, position_view
from actors.monitoring.tables import transcript
from storage.errors import NegotiationNotActive
from storage.reader import Loaded
from storage.records import Negotiation, NegotiationId, NegotiationStatus, Priorities


class NegotiationHandle:
    """The negotiation with one supplier: `q["Supplier 2"]` shows what stands in it, in full.

    >>> q["Supplier 2"].say("Not above 6.30 now.", limits={"bottle.unit_price": "6.30"})
    >>> q["Supplier 2"].transcript()
    >>> q["Supplier 2"].accept()
    """

    def __init__(self, system: Acting, negotiation_id: NegotiationId, seen: Seen) -> None:
        self.id = negotiation_id
        self._system = system
        self._seen = seen

    @property
    def record(self) -> Negotiation:
        """The negotiation as it is saved now, or UnknownRecord."""
        return self._system.negotiation(self.id)

    def status(self) -> Sheet:
        """What stands on both sides, with all terms, who is next, and what became of guidance."""
        loaded, position = self._look()
        view = position_view(loaded.quote, position, loaded.interventions[-MOST_ROWS:])
        return Sheet(view, (position,), self._seen)

    def transcript(self) -> Sheet:
        """The whole conversation, message by message, with your receipts below."""
        loaded, position = self._look()
        bill = Bill(self._system.spending(loaded.quote.id), self._system.prices)
        parts = (loaded.negotiation, loaded.messages, loaded.interventions, bill)
        return Sheet(transcript(loaded.quote, *parts), (position,), self._seen)

    def say(
        self,
        text: str | None = None,
        *,
        limits: Mapping[str, Any] | None = None,
        priorities: Mapping[str, int] | Priorities | None = None,
    ) -> Receipts:
        """Guide the brand's agent in this negotiation; see `help(q.say)`.

        Raises:
            InterventionError: It has mistakes; nothing was saved.
            NegotiationNotActive: The negotiation has ended.
        """
        return self._guide(text, limits=limits, priorities=priorities)

    def accept(
        self, text: str | None = None, *, limits: Mapping[str, Any] | None = None
    ) -> Receipts:
        """Accept, in the brand's place, the supplier's offer that you were shown last.

        It was shown by `q`, `q["…"]` or a transcript. If another offer stands by now, nothing is
        accepted: look at it first.

        Args:
            text: What you want noted beside it, in your own message; the supplier never reads it.
            limits: Those that it would break: nothing is accepted beyond a limit unless the limit
                is changed with it.

        Raises:
            OfferUnseen: No offer stands, or not the one that you saw.
            NegotiationNotActive: The negotiation has ended.
        """
        _, position = self._look()
        negotiation, name = position.negotiation, inert(position.negotiation.supplier.name)
        if negotiation.status is not NegotiationStatus.ACTIVE:
            raise NegotiationNotActive(self.id, negotiation.status)
        if position.supplier is None:
            raise OfferUnseen(f"{name} has made no offer yet")
        if (seen := self._seen.get(self.id)) is None:
            raise OfferUnseen(f"no offer of {name} was shown yet: look at it first")
        if seen != position.supplier.seq:
            newer = f"offer {position.supplier.seq} of {name} stands by now, and you saw {seen}"
            raise OfferUnseen(f"{newer}: look at it first")
        return self._guide(text, limits=limits, action="accept", accepts_seq=seen)

    def walk_away(self, text: str | None = None) -> Receipts:
        """End it in the brand's place, as impasse: `user_ended`.

        Raises:
            NegotiationNotActive: The negotiation has ended.
        """
        return self._guide(text, action="walk_away")

    def continue_(self) -> Sheet:
        """Go on with it, if it waits for you, is parked, or was left over.

        Raises:
            NothingToContinue: It moves by itself.
            NegotiationNotActive: The negotiation has ended.
        """
        self._system.continue_negotiation(negotiation_id=self.id)
        return self.status()

    def __repr__(self) -> str:
        return told(lambda: repr(self.status()), self.id)

    def _guide(self, text: str | None, **guidance: Any) -> Receipts:
        received = self._system.add_user_intervention(text, negotiation_id=self.id, **guidance)
        return receipts_of(self._system, received)

    def _look(self) -> tuple[Loaded, Position]:
        loaded = self._system.loaded(self.id)
        moving, _ = moving_of(self._system, loaded.quote.id)
        return loaded, position_of(loaded, moving)
