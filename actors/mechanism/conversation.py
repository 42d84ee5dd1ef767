"""One conversation as the rules see it: what was stored at creation, and a fold over its messages.

`Conversation.opened` starts it, `said` folds one saved message into it at constant cost, and
`restored` folds all of them: what a restart knows is what an uninterrupted run knows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from actors.mechanism.limits import breaches
from actors.mechanism.utility import Utility, utility_of
from storage.records import (
    Mandate,
    Message,
    Move,
    Negotiation,
    NegotiationStatus,
    Quote,
    Request,
    Sender,
    SupplierProfile,
    Terms,
)
from storage.terms.kind import Side, TermValue

PROGRESS = Decimal("0.005")
"""By how much a side must better its total for the other for it to count as progress (0.5 %)."""


@dataclass(frozen=True, slots=True)
class PublicMessage:
    """A message as the other side may see it."""

    seq: int
    sender: Sender
    content: str
    move: Move | None
    terms: Terms | None
    accepts_seq: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StandingOffer:
    """An offer that can be accepted until its sender makes another, or all ends."""

    seq: int
    terms: Terms
    total: Decimal
    """In the quote's currency."""


@dataclass(frozen=True, slots=True)
class Received:
    """What a side remembers of the counterpart's offers, in its own utility."""

    first: float
    best: float
    best_allowed: Terms | None
    """The best of those that keep its limits."""
    best_allowed_worth: float


@dataclass(frozen=True, slots=True)
class Stance:
    """One side of the conversation so far."""

    mandate: Mandate
    utility: Utility
    standing: StandingOffer | None = None
    messages: int = 0
    received: Received | None = None
    """None until the counterpart makes its first offer."""
    progress_total: Decimal | None = None
    """This side's total when it last made progress."""
    offered: frozenset[tuple[str, TermValue]] = frozenset()
    """Every value of the kinds beside price that this side has offered."""

    def spoke(self) -> Stance:
        """After a message of this side."""
        return replace(self, messages=self.messages + 1)

    def offering(self, offer: StandingOffer, side: Side) -> tuple[Stance, bool]:
        """After an offer of this side, and whether that was progress.

        Progress is a total better for the other by 0.5 % than at the last progress, so that many
        small steps count too, or a value of another term that was not offered before.
        """
        values = frozenset((key, value) for key, value in offer.terms.others.items())
        bettered = _betters(offer.total, self.progress_total, side)
        stance = replace(
            self,
            standing=offer,
            offered=self.offered | values,
            progress_total=offer.total if bettered else self.progress_total,
        )
        return stance, bettered or not values <= self.offered

    def receiving(self, terms: Terms) -> Stance:
        """After an offer of the counterpart."""
        side = self.utility.side
        worth = self.utility.of(terms)
        so_far = self.received or Received(worth, worth, None, -math.inf)
        received = replace(so_far, best=max(worth, so_far.best))
        if worth > so_far.best_allowed_worth and not breaches(terms, self.mandate, side):
            received = replace(received, best_allowed=terms, best_allowed_worth=worth)
        return replace(self, received=received)


def _betters(total: Decimal, reference: Decimal | None, side: Side) -> bool:
    if reference is None:
        return True
    if side is Side.BRAND:
        return total >= reference * (1 + PROGRESS)
    return total <= reference * (1 - PROGRESS)


@dataclass(frozen=True, slots=True)
class Conversation:
    """The state of one negotiation; replaced with every message, never edited."""

    quote: Quote
    negotiation: Negotiation
    """As it was when the conversation was opened or restored: the brief, not the state."""
    request: Request
    profile: SupplierProfile
    brand: Stance
    supplier: Stance
    status: NegotiationStatus = NegotiationStatus.ACTIVE
    message_count: int = 0
    rounds: int = 0
    """The supplier's messages so far."""
    stale_rounds: int = 0
    """Rounds since anybody made progress."""
    progressed: bool = False
    """Whether somebody has made progress in the round that is under way."""
    last_sender: Sender | None = None
    heard_by_brand: tuple[PublicMessage, ...] = ()
    """All messages, the person's too."""
    heard_by_supplier: tuple[PublicMessage, ...] = ()

    @classmethod
    def opened(cls, quote: Quote, negotiation: Negotiation) -> Conversation:
        """A conversation in which nothing has been said."""
        request = quote.request
        of_supplier = negotiation.supplier.mandate_for(quote.lines)
        brand = utility_of(request, Side.BRAND, negotiation.mandate, quote.priorities)
        supplier = utility_of(request, Side.SUPPLIER, of_supplier, None)
        return cls(
            quote=quote,
            negotiation=negotiation,
            request=request,
            profile=negotiation.supplier.profile,
            brand=Stance(mandate=negotiation.mandate, utility=brand),
            supplier=Stance(mandate=of_supplier, utility=supplier),
        )

    @classmethod
    def restored(
        cls, quote: Quote, negotiation: Negotiation, messages: Iterable[Message]
    ) -> Conversation:
        """The conversation as it stands on disk."""
        conversation = cls.opened(quote, negotiation)
        for message in messages:
            conversation = conversation.said(message)
        return replace(conversation, status=negotiation.status)

    def stance(self, side: Side) -> Stance:
        """One side of it."""
        return self.brand if side is Side.BRAND else self.supplier

    @property
    def next_side(self) -> Side:
        """Who speaks next: the brand opens, and answers the supplier and the person."""
        return Side.SUPPLIER if self.last_sender is Sender.BRAND else Side.BRAND

    @property
    def is_closing(self) -> bool:
        """Whether the supplier has had its last message, so that the brand may only close."""
        return self.rounds >= self.negotiation.rules.max_rounds

    @property
    def is_final(self) -> bool:
        """Whether this is the round that must bring progress."""
        patience = self.negotiation.rules.patience_rounds
        return patience > 0 and self.stale_rounds >= patience

    def moves_left(self, side: Side) -> int:
        """How many messages the side may still send, the closing one of the brand included."""
        left = self.negotiation.rules.max_rounds - self.rounds
        return left + 1 if side is Side.BRAND else left

    def said(self, message: Message) -> Conversation:
        """The conversation after a saved message."""
        public = PublicMessage(
            message.seq,
            message.sender,
            message.content,
            message.move,
            message.terms,
            message.accepts_seq,
            message.created_at,
        )
        told = replace(
            self,
            message_count=message.seq,
            last_sender=message.sender,
            heard_by_brand=(*self.heard_by_brand, public),
        )
        if message.sender is Sender.USER:
            return told
        told = replace(told, heard_by_supplier=(*self.heard_by_supplier, public))
        side = Side(message.sender.value)
        told = told._with_stance(side, told.stance(side).spoke())
        if message.move is Move.OFFER and message.terms is not None:
            told = told._offered(side, message.seq, message.terms)
        return told._round_ended() if side is Side.SUPPLIER else told

    def _offered(self, side: Side, seq: int, terms: Terms) -> Conversation:
        offer = StandingOffer(seq, terms, self.request.total(terms))
        offerer, progressed = self.stance(side).offering(offer, side)
        told = replace(self, progressed=self.progressed or progressed)
        told = told._with_stance(side, offerer)
        return told._with_stance(side.other, told.stance(side.other).receiving(terms))

    def _round_ended(self) -> Conversation:
        stale = 0 if self.progressed else self.stale_rounds + 1
        return replace(self, rounds=self.rounds + 1, stale_rounds=stale, progressed=False)

    def _with_stance(self, side: Side, stance: Stance) -> Conversation:
        if side is Side.BRAND:
            return replace(self, brand=stance)
        return replace(self, supplier=stance)
