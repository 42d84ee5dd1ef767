"""Positions: where negotiations stand, what each side offers, and who is next."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from actors.inert import inert
from actors.mechanism.conversation import Conversation, StandingOffer
from actors.monitoring.selection import status_of
from actors.monitoring.tables import STATUS_STYLES, receipt, terms_text
from storage.interventions import Intervention, InterventionStatus
from storage.money import money_words
from storage.reader import Loaded
from storage.records import (
    Negotiation,
    NegotiationId,
    NegotiationStatus,
    Quote,
    Request,
    Sender,
)
from storage.terms.kinds import KINDS

BY_HAND = "you: continue_()"
"""It waits, is parked, or was left over from before: all three are continued."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where one negotiation stands.

    Where it ended in impasse, the offers are those that stood then; where the two agreed, both are
    what they agreed on.
    """

    negotiation: Negotiation
    status: str
    """`active`, `parked`, `completed` or `impasse`."""
    brand: StandingOffer | None
    """What the brand offers."""
    supplier: StandingOffer | None
    """What the supplier offers."""
    next_up: str
    """Such as `brand is next`, or what a person is to do; empty where it has ended."""
    unanswered: tuple[Intervention, ...]
    """What a person has asked for and what is not settled yet."""

    @property
    def gap(self) -> Decimal | None:
        """What the supplier asks above what the brand offers, in the quote's currency."""
        if self.brand is None or self.supplier is None:
            return None
        return self.supplier.total - self.brand.total

    @property
    def gap_percent(self) -> Decimal | None:
        """The gap in percent of what the brand offers."""
        if self.gap is None or self.brand is None or not self.brand.total:
            return None
        return 100 * self.gap / self.brand.total


def position_of(loaded: Loaded, moving: Collection[NegotiationId] | None) -> Position:
    """Fold a conversation as the rules do, and see where it stands.

    Args:
        moving: The negotiations that move by themselves now, which no row says; None where nobody
            knows.
    """
    negotiation = loaded.negotiation
    conversation = Conversation.restored(
        loaded.quote, negotiation, loaded.messages, loaded.interventions
    )
    brand, supplier = conversation.brand.standing, conversation.supplier.standing
    if (agreed := negotiation.agreed_terms) is not None:
        brand = supplier = brand if brand is not None and brand.terms == agreed else supplier
    open_ones = (one for one in loaded.interventions if one.status is InterventionStatus.RECEIVED)
    return Position(
        negotiation=negotiation,
        status=status_of(negotiation),
        brand=brand,
        supplier=supplier,
        next_up=_next_up(conversation, moving),
        unanswered=tuple(open_ones),
    )


def positions_table(quote: Quote, positions: Iterable[Position]) -> RenderableType:
    """Negotiations side by side, in the order of their suppliers: nobody is recommended."""
    table = Table(
        "supplier",
        Column("brand's offer", justify="right"),
        Column("its offer", justify="right"),
        Column("gap", justify="right", no_wrap=True),
        Column("rounds", justify="right", no_wrap=True),
        "status, next",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    for one in positions:
        table.add_row(
            Text(inert(one.negotiation.supplier.name)),
            _offer(quote.request, one.brand),
            _offer(quote.request, one.supplier),
            "\n".join(_gap(one)),
            str(one.negotiation.rounds),
            _status(one),
        )
    return table


def position_view(quote: Quote, one: Position, receipts: Sequence[Intervention]) -> RenderableType:
    """One negotiation with all the terms that stand in it, and its newest receipts."""
    negotiation = one.negotiation
    reason = negotiation.reason or negotiation.last_error
    head = Text(inert(f"{negotiation.supplier.name} ({negotiation.id}): {one.status}"))
    head.append(f" ({inert(reason)})" if reason else "")
    head.append(f", rounds: {negotiation.rounds}")
    head.append(f", {one.next_up}" if one.next_up else "")
    grid = Table.grid(padding=(0, 2))
    for side, offer in ((Sender.BRAND, one.brand), (Sender.SUPPLIER, one.supplier)):
        if offer is not None:
            total = money_words(offer.total, quote.currency)
            terms = terms_text(quote.request, offer.terms)
            grid.add_row(f"{side} offer {offer.seq}", Text(f"{total}: {terms}"))
    if gap := _gap(one):
        grid.add_row("gap", f"{quote.currency} {' = '.join(gap)}")
    return Group(head, grid, *map(receipt, receipts))


def _next_up(conversation: Conversation, moving: Collection[NegotiationId] | None) -> str:
    negotiation = conversation.negotiation
    if negotiation.status is not NegotiationStatus.ACTIVE:
        return ""
    if moving is None or negotiation.id in moving:
        return f"{conversation.next_side} is next"
    return BY_HAND


def _status(one: Position) -> Text:
    reason = one.negotiation.reason or one.negotiation.last_error
    status = Text(one.status, style=STATUS_STYLES[one.status])
    for line in (
        inert(reason or ""),
        one.next_up,
        f"unanswered: {len(one.unanswered)}" if one.unanswered else "",
    ):
        status.append(f"\n{line}" if line else "", style="none")
    return status


def _offer(request: Request, offer: StandingOffer | None) -> str:
    if offer is None:
        return ""
    others = (kind.words(offer.terms[kind.key]) for kind in KINDS)
    return "\n".join([f"{offer.total:,f}", *others])


def _gap(one: Position) -> list[str]:
    percent = "" if one.gap_percent is None else f"{one.gap_percent:.1f} %"
    return [] if one.gap is None else [f"{one.gap:,f}", percent]
