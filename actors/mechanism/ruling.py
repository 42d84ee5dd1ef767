"""What the rules say to a draft: their names, their refusals, their rulings."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from storage.records import Ending, Entry


class Rule(StrEnum):
    """What a draft can run into; the README lists them."""

    UNREADABLE = "unreadable"
    """It is no move at all, or its terms are malformed."""
    CLOSING_MOVE = "closing_move"
    """After the last round the brand may only accept or walk away."""
    ILLEGAL_MOVE = "illegal_move"
    """After its offer was withdrawn by a person's limit the brand may not just talk."""
    ALTERED_REQUEST = "altered_request"
    """Lines, quantities, currency and payment options can't be changed by a move."""
    NO_STANDING_OFFER = "no_standing_offer"
    """An accept of what is not on the table."""
    CONDITION = "condition"
    """An accept whose words make a condition."""
    OTHER_AMOUNT = "other_amount"
    """An accept whose words name money that is not in the accepted terms."""
    LIMIT = "limit"
    """Terms beyond the hard limit of a side that they would bind."""
    PRIVATE_FIGURE = "private_figure"
    """Words that tell an own limit or target."""
    RIVAL_NAME = "rival_name"
    """Words that name another supplier of the quote."""


class Refused(Exception):
    """A draft that goes back, with the rule and a reason for its negotiator."""

    def __init__(self, rule: Rule, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason


class Refusal(Struct, frozen=True, gc=False):
    """Why a draft went back; `reason` may hold figures that are private to its side."""

    rule: Rule
    reason: str


class Ruling(Struct, frozen=True, gc=False):
    """What became of a draft: an entry to save, or a refusal."""

    entry: Entry | None = None
    ending: Ending | None = None
    """Set when the entry closes the negotiation."""
    refusal: Refusal | None = None
    demoted: Rule | None = None
    """Set when an accept became talk, with the rule that made it so."""
