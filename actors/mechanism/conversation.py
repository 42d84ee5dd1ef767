"""One conversation as the rules see it: what was stored at creation, and a fold over its messages.

`Conversation.opened` starts it, `said` folds one saved message into it at constant cost, and
`restored` folds all of them: what a restart knows is what an uninterrupted run knows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from actors.mechanism.amounts import private_amounts
from actors.mechanism.figures import figures
from actors.mechanism.limits import breaches, limited
from actors.mechanism.utility import Utility, utility_of
from storage.interventions import Intervention
from storage.mandates import Mandate
from storage.records import (
    Message,
    Move,
    Negotiation,
    NegotiationStatus,
    Priorities,
    Quote,
    Request,
    Sender,
    SupplierProfile,
)
from storage.terms.kind import Side, TermValue
from storage.terms.offered import Terms

PROGRESS = Decimal("0.005")
"""By how much a side must better its total for the other for it to count as progress (0.5 %)."""


class PublicMessage(Struct, frozen=True, gc=False):
    """A message as the other side may see it."""

    seq: int
    sender: Sender
    content: str
    move: Move | None
    terms: Terms | None
    accepts_seq: int | None
    created_at: datetime


class StandingOffer(Struct, frozen=True, gc=False):
    """An offer that can be accepted until its sender makes another, or all ends."""

    seq: int
    terms: Terms
    total: Decimal
    """In the quote's currency."""


class Received(Struct, frozen=True, gc=False):
    """What a side remembers of the counterpart's offers, in its own utility."""

    first: float
    best: float
    best_allowed: Terms | None
    """The best of those that keep its limits."""
    best_allowed_worth: float


class Stance(Struct, frozen=True, gc=False):
    """One side of the conversation so far."""

    mandate: Mandate
    utility: Utility
    secrets: frozenset[Decimal]
    """The amounts that this side's words must not tell: its limits, its targets, their totals."""
    standing: StandingOffer | None = None
    received: Received | None = None
    """None until the counterpart makes its first offer."""
    progress_total: Decimal | None = None
    """This side's total when it last made progress."""
    offered: frozenset[tuple[str, TermValue]] = frozenset()
    """Every value of the kinds beside price that this side has offered."""

    def offering(self, offer: StandingOffer) -> tuple[Stance, bool]:
        """After an offer of this side, and whether that was progress.

        Progress is a total better for the other by 0.5 % than at the last progress, so that many
        small steps count too, or a value of another term that was not offered before.
        """
        values = frozenset(offer.terms.others.items())
        bettered = _betters(offer.total, self.progress_total, self.utility.side)
        stance = replace(
            self,
            standing=offer,
            progress_total=offer.total if bettered else self.progress_total,
            offered=self.offered | values,
        )
        return stance, bettered or not values <= self.offered

    def receiving(self, terms: Terms) -> Stance:
        """After an offer of the counterpart."""
        worth = self.utility.of(terms)
        so_far = self.received or Received(worth, worth, None, -math.inf)
        best = max(worth, so_far.best)
        allowed, allowed_worth = so_far.best_allowed, so_far.best_allowed_worth
        if worth > allowed_worth and not breaches(terms, self.mandate, self.utility.side):
            allowed, allowed_worth = terms, worth
        return replace(self, received=Received(so_far.first, best, allowed, allowed_worth))


def _stance(
    request: Request, side: Side, mandate: Mandate, priorities: Priorities | None
) -> Stance:
    utility = utility_of(request, side, mandate, priorities)
    return Stance(mandate, utility, private_amounts(mandate, request))


@lru_cache(maxsize=8)
def _brand_stance(quote: Quote) -> Stance:
    """The brand's before anything was said, which all negotiations of a quote share."""
    return _stance(quote.request, Side.BRAND, quote.mandate, quote.priorities)


def _betters(total: Decimal, reference: Decimal | None, side: Side) -> bool:
    if reference is None:
        return True
    if side is Side.BRAND:
        return total >= reference * (1 + PROGRESS)
    return total <= reference * (1 - PROGRESS)


class Conversation(Struct, frozen=True, gc=False):
    """The state of one negotiation; replaced with every message, never edited."""

    quote: Quote
    negotiation: Negotiation
    """As it was when the conversation was opened or restored: the brief, not the state."""
    request: Request
    profile: SupplierProfile
    priorities: Priorities
    """The brand's, as they are in force."""
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
    must_move: bool = False
    """Whether the brand's standing offer was withdrawn, so that talk alone won't do (rule 6)."""
    heard_by_brand: tuple[PublicMessage, ...] = ()
    """All messages, the person's too."""
    heard_by_supplier: tuple[PublicMessage, ...] = ()
    """The two sides' messages."""

    @classmethod
    def opened(cls, quote: Quote, negotiation: Negotiation) -> Conversation:
        """A conversation in which nothing has been said."""
        request = quote.request
        of_supplier = negotiation.supplier.mandate_for(quote.lines)
        return cls(
            quote=quote,
            negotiation=negotiation,
            request=request,
            profile=negotiation.supplier.profile,
            priorities=quote.priorities,
            # the negotiation's own mandate has all limits that a person has changed since
            brand=_brand_stance(quote),
            supplier=_stance(request, Side.SUPPLIER, of_supplier, None),
        )

    @classmethod
    def restored(
        cls,
        quote: Quote,
        negotiation: Negotiation,
        messages: Iterable[Message],
        interventions: Iterable[Intervention] = (),
    ) -> Conversation:
        """The conversation as it stands on disk."""
        asked = {one.message_seq: one for one in interventions}
        conversation = cls.opened(quote, negotiation)
        for message in messages:
            if message.sender is Sender.USER:
                conversation = conversation.guided(message, asked[message.seq])
            else:
                conversation = conversation.said(message)
        return replace(conversation, status=negotiation.status)

    def stance(self, side: Side) -> Stance:
        """One side of it."""
        return self.brand if side is Side.BRAND else self.supplier

    def stances(self, side: Side) -> tuple[Stance, Stance]:
        """A side and the other one, as the first sees them."""
        if side is Side.BRAND:
            return self.brand, self.supplier
        return self.supplier, self.brand

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
        return self.stale_rounds >= patience > 0

    def messages_of(self, side: Side) -> int:
        """How many messages the side has sent."""
        return self.rounds if side is Side.SUPPLIER else len(self.heard_by_supplier) - self.rounds

    def moves_left(self, side: Side) -> int:
        """How many messages the side may still send, the closing one of the brand included."""
        left = self.negotiation.rules.max_rounds - self.rounds
        return left + 1 if side is Side.BRAND else left

    def total_of(self, message: Message) -> Decimal | None:
        """What a message's terms come to, in the quote's currency; None without any."""
        if message.terms is None:
            return None
        standing = self.brand.standing if message.sender is Sender.BRAND else self.supplier.standing
        if standing is not None and standing.seq == message.seq:
            return standing.total  # it was computed when that was said
        return self.request.total(message.terms)

    def guided(self, message: Message, intervention: Intervention) -> Conversation:
        """The conversation after a user message: only the brand hears it, by its limits it goes.

        Limits that it had before stay secret, and so do the figures of the person's text.
        """
        mandate = limited(self.brand.mandate, intervention.limits or {}, self.request)
        priorities = intervention.priorities or self.priorities
        brand = self.brand
        if mandate != brand.mandate or priorities != self.priorities:
            brand = self._brand_under(mandate, priorities)
        told = (figure.readings for figure in figures(intervention.text or ""))
        withdrawn = self.brand.standing is not None and brand.standing is None
        return replace(
            self,
            brand=replace(brand, secrets=brand.secrets.union(*told)),
            priorities=priorities,
            message_count=message.seq,
            # the person may know more than the two, so patience begins anew
            stale_rounds=0,
            progressed=False,
            last_sender=message.sender,
            must_move=self.must_move or withdrawn,
            heard_by_brand=(*self.heard_by_brand, _public(message)),
        )

    def _brand_under(self, mandate: Mandate, priorities: Priorities) -> Stance:
        """The brand's stance with other limits: what it was offered is worth something else now."""
        brand, standing = self.brand, self.brand.standing
        if standing is not None and breaches(standing.terms, mandate, Side.BRAND):
            standing = None
        stance = replace(
            brand,
            mandate=mandate,
            utility=utility_of(self.request, Side.BRAND, mandate, priorities),
            secrets=brand.secrets | private_amounts(mandate, self.request),
            standing=standing,
            received=None,
        )
        for heard in self.heard_by_supplier:
            if heard.sender is Sender.SUPPLIER and heard.move is Move.OFFER and heard.terms:
                stance = stance.receiving(heard.terms)
        return stance

    def said(self, message: Message) -> Conversation:
        """The conversation after a saved message of one of the two sides."""
        public = _public(message)
        side = Side.BRAND if message.sender is Sender.BRAND else Side.SUPPLIER
        own, theirs, progressed = self._spoken(side, message)
        round_ended = side is Side.SUPPLIER
        stale_rounds = self.stale_rounds
        if round_ended:
            stale_rounds = 0 if progressed else stale_rounds + 1
        return replace(
            self,
            brand=theirs if round_ended else own,
            supplier=own if round_ended else theirs,
            message_count=message.seq,
            rounds=self.rounds + round_ended,
            stale_rounds=stale_rounds,
            progressed=progressed and not round_ended,
            last_sender=message.sender,
            must_move=self.must_move and round_ended,
            heard_by_brand=(*self.heard_by_brand, public),
            heard_by_supplier=(*self.heard_by_supplier, public),
        )

    def _spoken(self, side: Side, message: Message) -> tuple[Stance, Stance, bool]:
        """Both stances after a message, its sender's first, and whether the round has progress."""
        own, theirs = self.stances(side)
        if message.move is not Move.OFFER or message.terms is None:
            return own, theirs, self.progressed
        offer = StandingOffer(message.seq, message.terms, self.request.total(message.terms))
        own, progress = own.offering(offer)
        return own, theirs.receiving(message.terms), self.progressed or progress


def _public(message: Message) -> PublicMessage:
    return PublicMessage(
        message.seq,
        message.sender,
        message.content,
        message.move,
        message.terms,
        message.accepts_seq,
        message.created_at,
    )
