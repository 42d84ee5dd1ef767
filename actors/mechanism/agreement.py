"""Rules 1 and 2: an agreement is an accept of a standing offer, and prose never makes a deal."""

from __future__ import annotations

import re
from decimal import Decimal

from actors.mechanism.conversation import Conversation, StandingOffer
from actors.mechanism.figures import figures, plain
from actors.mechanism.moves import Draft, read_terms
from actors.mechanism.ruling import Refused, Rule
from storage.records import Request, Terms
from storage.terms.kind import Side

CONDITIONS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bprovid(?:ed|ing)\b(?!\s+(?:in|by|with|for)\b)",
        r"\bsubject\s+to\b",
        r"\bonly\s+(?:if|when|once|after)\b",
        r"\bunless\b",
        r"\buntil\s+(?:you|we)\b",
        r"\bon\s+(?:the\s+|one\s+)?condition\b",
        r"\bconditional(?:ly)?\b",
        r"\bcontingent\b",
        r"\b(?:as|so)\s+long\s+as\b",
        r"\bassuming\b",
        r"\bin\s+(?:exchange|return)\s+for\b",
        r"\bexcept\s+(?:that|for)\b",
        r"\bhowever\b",
        r"\bbut\s+(?:only|with|at|you|we|first|not|please|i)\b",
        r"\bif\s+(?:you|we)\s+(?:can|could|will|would|agree|also|get|pay|raise)\b",
        r"\bif\s+(?:you|we)\s+(?:throw|add|include|reduce|lower|extend|shorten|waive)\b",
        r"\bpending\b",
        r"\bplus\s+(?:\w+\s+){0,3}(?:fees?|surcharges?|charges?|costs?|freight|tax(?:es)?)\b",
        r"\b(?:surcharge|handling\s+fee|set-?up\s+fee|extra\s+charge|hidden\s+fee)s?\b",
    )
)
"""What makes the words of an accept a counter-proposal; a whole sentence can still hide one."""


def offer_accepted(draft: Draft, conversation: Conversation, side: Side) -> StandingOffer:
    """The standing offer that an accept names.

    Raises:
        Refused: The offer does not stand, or the accept claims other terms than it has.
    """
    standing = conversation.stance(side.other).standing
    if standing is None or draft.accepts_seq != standing.seq:
        stands = f"offer {standing.seq} stands" if standing else "no offer stands"
        raise Refused(Rule.NO_STANDING_OFFER, f"offer {draft.accepts_seq} does not stand: {stands}")
    if draft.terms is not None and read_terms(draft.terms, conversation.request) != standing.terms:
        raise Refused(Rule.NO_STANDING_OFFER, f"offer {standing.seq} has other terms than these")
    return standing


def prose_against(text: str, terms: Terms, request: Request) -> Rule | None:
    """What in an accept's words makes it no accept: a condition, another amount, or nothing."""
    for line in request.lines:
        # a product may well be called "1.50 m cable, freight pending"
        text = text.replace(line.product, " ")
    if any(condition.search(plain(text)) for condition in CONDITIONS):
        return Rule.CONDITION
    agreed = amounts(terms, request)
    for figure in figures(text):
        if figure.is_money and not figure.readings & agreed:
            return Rule.OTHER_AMOUNT
    return None


def amounts(terms: Terms, request: Request) -> frozenset[Decimal]:
    """All money in terms: unit prices, line totals, the total."""
    line_totals = (request.line_total(line, terms.unit_prices[line.id]) for line in request.lines)
    return frozenset({*terms.unit_prices.values(), *line_totals, request.total(terms)})
