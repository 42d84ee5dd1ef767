"""Rules 1 and 2: an agreement is an accept of a standing offer, and prose never makes a deal."""

from __future__ import annotations

import re

from actors.mechanism.amounts import amounts
from actors.mechanism.conversation import Conversation, StandingOffer
from actors.mechanism.figures import figures, plain
from actors.mechanism.moves import Draft, read_terms
from actors.mechanism.ruling import Refused, Rule
from storage.records import Request
from storage.terms.kind import Side
from storage.terms.offered import Terms

_EXTRA = r"(?:freight|shipping|delivery|tooling|packaging|dut(?:y|ies)|vat|tax(?:es)?)"
_NOT_IN_IT = r"(?:extra|excluded|not\s+included|on\s+top)"
_TAKING_IT = (
    r"(?:(?:ll|re|m|will|can|do|would|are|am|happy|glad|gladly|hereby|to|both|now)\s+)*"
    r"(?:accept|agree|confirm|take\s+it|appreciate|have\s+a\s+deal)"
)


def _not_after(*words: str) -> str:
    return "".join(rf"(?<!\b{word} )" for word in words)


CONDITIONS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        _not_after("as", "you", "we", "have", "has", "was", "were")
        + r"\bprovided,?\s+(?!(?:in|by|with|for|to|at|on|so|above|below|here|earlier|last|and)\b)",
        _not_after("to", "for", "of", "by", "in", "and")
        + r"\bproviding\b(?!\s+(?:in|by|with|for|you\s+with)\b)",
        _not_after("not") + r"\bsubject\s+to\b",
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
        r"\bbut\s+(?:only|with|at|first|please)\b",
        _not_after("last") + r"\bbut\s+not\b",
        rf"\bbut\s+(?:you|we|i)\b(?!'?\s*{_TAKING_IT}\b)",
        r"\b(?:accept|agree|confirm|deal|yes|works)(?:s|d|ed|ance)?\b(?:[^.!?;\n]|\.(?=\d)){0,80}?"
        + _not_after("even", "know")
        + r"\bif\b(?!\s+(?:any|needed|necessary|possible)\w*\b)",
        _not_after("know")
        + r"\bif\s+(?:you|we)\s+(?:can|could|will|would|agree|also|get|pay|raise)\b",
        r"\bif\s+(?:you|we)\s+(?:throw|add|include|reduce|lower|extend|shorten|waive)\b",
        r"\bpending\b",
        r"\bon\s+the\s+(?:understanding|basis|assumption)\b",
        r"\b(?:proviso|caveat)\b",
        rf"\bplus\s+(?:\w+\s+){{0,3}}(?:fees?|surcharges?|charges?|costs?|{_EXTRA})\b",
        rf"\b{_EXTRA}\s+(?:(?:is|are|comes?|will\s+be)\s+)?{_NOT_IN_IT}\b",
        _not_after("no", "without", "without any")
        + r"\b(?:surcharge|hidden\s+fee|(?:extra|additional)\s+charge"
        + r"|(?:handling|set-?up|tooling|service)\s+(?:fee|charge))s?\b",
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
        raise Refused(Rule.NO_STANDING_OFFER, f"accepts_seq names no offer that stands: {stands}")
    if draft.terms is not None and read_terms(draft.terms, conversation.request) != standing.terms:
        raise Refused(Rule.NO_STANDING_OFFER, f"offer {standing.seq} has other terms than these")
    return standing


def prose_against(text: str, terms: Terms, request: Request) -> Rule | None:
    """What in an accept's words makes it no accept: a condition, another amount, or nothing."""
    # a product may well be called "1.50 m cable, freight pending", and be part of another's name
    for name in sorted(_public_names(request), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", text)
    words = plain(text)
    if any(condition.search(words) for condition in CONDITIONS):
        return Rule.CONDITION
    agreed = amounts(terms, request)
    for figure in figures(text):
        if figure.is_money and not figure.readings & agreed:
            return Rule.OTHER_AMOUNT
    return None


def _public_names(request: Request) -> set[str]:
    units = {line.unit for line in request.lines if any(map(str.isdigit, line.unit))}
    return units | {line.product for line in request.lines}
