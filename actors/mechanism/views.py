"""What each side may see: all that a negotiator ever gets (rule 7).

A view holds this negotiation only. `SupplierView` has no field for the brand's mandate or
priorities, for a person's messages, or for another supplier.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from actors.mechanism.conversation import (
    Conversation,
    PublicMessage,
    Received,
    StandingOffer,
)
from actors.mechanism.moves import legal_moves
from actors.mechanism.ruling import Rule
from actors.mechanism.utility import Utility
from storage.mandates import Mandate
from storage.records import Move, Priorities, Request, Style, SupplierProfile
from storage.terms.kind import Side


class View(Struct, frozen=True, gc=False, kw_only=True):
    """What both sides see of a negotiation, each from its own place."""

    request: Request
    supplier: SupplierProfile
    """The public profile of the supplier in this negotiation."""
    mandate: Mandate
    """The viewer's own."""
    style: Style
    """How the viewer bargains and sounds."""
    utility: Utility
    """What terms are worth to the viewer."""
    messages: tuple[PublicMessage, ...]
    own_offer: StandingOffer | None
    their_offer: StandingOffer | None
    """What an accept would take."""
    received: Received | None
    """What the viewer remembers of the counterpart's offers."""
    own_messages: int
    """How many messages the viewer has sent."""
    rounds: int
    max_rounds: int
    moves_left: int
    """The viewer's own, this one included."""
    final: bool
    """Whether it ends unless this round brings progress."""
    legal_moves: tuple[Move, ...]
    refused: str | None
    """Why the viewer's draft was just sent back."""
    refused_by: Rule | None
    """Which rule sent it back."""


class BrandView(View, frozen=True, gc=False, kw_only=True):
    """What the brand's negotiator sees; `messages` holds the person's too."""

    priorities: Priorities


class SupplierView(View, frozen=True, gc=False, kw_only=True):
    """What a supplier's negotiator sees."""


BRAND_STYLE = Style()


def view_for(
    conversation: Conversation,
    side: Side,
    refused: str | None = None,
    refused_by: Rule | None = None,
) -> BrandView | SupplierView:
    """What a side sees when it is asked for its next move."""
    own, theirs = conversation.stances(side)
    negotiation = conversation.negotiation
    shared: dict[str, Any] = {
        "request": conversation.request,
        "supplier": conversation.profile,
        "mandate": own.mandate,
        "utility": own.utility,
        "own_offer": own.standing,
        "their_offer": theirs.standing,
        "received": own.received,
        "own_messages": conversation.messages_of(side),
        "rounds": conversation.rounds,
        "max_rounds": negotiation.rules.max_rounds,
        "moves_left": conversation.moves_left(side),
        "final": conversation.is_final,
        "legal_moves": legal_moves(conversation, side),
        "refused": refused,
        "refused_by": refused_by,
    }
    if side is Side.BRAND:
        return BrandView(
            **shared,
            messages=conversation.heard_by_brand,
            style=BRAND_STYLE,
            priorities=conversation.priorities,
        )
    return SupplierView(
        **shared,
        messages=conversation.heard_by_supplier,
        style=negotiation.supplier.private.style,
    )
