"""Reading a draft: from whatever a negotiator returned to a move that is well-formed and legal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from actors.mechanism.conversation import Conversation
from actors.mechanism.ruling import Refused, Rule
from storage.money import in_currency, read_amount
from storage.records import Move, Request
from storage.terms.kind import Side
from storage.terms.kinds import KINDS
from storage.terms.offered import Terms

LONGEST_TEXT = 4_000
"""Characters that a message may have."""
LONGEST_ECHO = 60
"""Characters of what was wrong that a reason repeats."""
FIELDS_OF_TERMS = frozenset({"unit_prices", *(kind.key for kind in KINDS)})
CLOSING_MOVES = (Move.ACCEPT, Move.WALK_AWAY)
MOVES = (Move.OFFER, Move.ACCEPT, Move.WALK_AWAY, Move.TALK)
MOVES_BUT_ACCEPT = (Move.OFFER, Move.WALK_AWAY, Move.TALK)


class Draft(Struct, frozen=True):
    """A move as a negotiator proposes it; nothing in it is believed before it was judged."""

    move: Move | str
    text: str
    terms: Terms | Mapping[str, Any] | None = None
    """For an offer; an accept takes the terms as they stand."""
    accepts_seq: int | None = None
    """For an accept: the seq of the standing offer."""


class Withheld(Struct, frozen=True):
    """In place of a draft: a negotiator saw itself that what it has would be refused."""

    rule: Rule
    reason: str


def read_draft(raw: object) -> Draft:
    """Read what a negotiator returned: a Draft, or a mapping with its fields.

    Raises:
        Refused: It is no draft, its move is none of the four, or its text can't be stored.
    """
    if isinstance(raw, Withheld):
        raise Refused(raw.rule, raw.reason)
    if isinstance(raw, Mapping):
        unknown = set(raw) - {"move", "text", "terms", "accepts_seq"}
        if unknown:
            raise Refused(Rule.UNREADABLE, f"unknown fields {_echo(sorted(map(str, unknown)))}")
        raw = Draft(
            raw.get("move", ""), raw.get("text", ""), raw.get("terms"), raw.get("accepts_seq")
        )
    if not isinstance(raw, Draft):
        raise Refused(Rule.UNREADABLE, f"expected a move, not {_echo(type(raw).__name__)}")
    try:
        move = Move(raw.move)
    except (ValueError, TypeError, RecursionError):
        choices = ", ".join(Move)
        raise Refused(Rule.UNREADABLE, f"no move {_echo(raw.move)}: one of {choices}") from None
    seq = raw.accepts_seq
    if seq is not None and (isinstance(seq, bool) or not isinstance(seq, int)):
        raise Refused(Rule.UNREADABLE, f"accepts_seq must be a message's number, not {_echo(seq)}")
    if (seq is not None) is not (move is Move.ACCEPT):
        raise Refused(
            Rule.UNREADABLE, "an accept names the offer by accepts_seq, no other move does"
        )
    if raw.terms is not None and move not in (Move.OFFER, Move.ACCEPT):
        raise Refused(Rule.UNREADABLE, f"a {move} carries no terms")
    return Draft(move, _read_text(raw.text), raw.terms, seq)


def read_terms(raw: Terms | Mapping[str, Any] | None, request: Request) -> Terms:
    """Read an offer's terms: a price for each line, a value for each kind, and nothing else.

    Raises:
        Refused: Something is missing, malformed, or not the brand's request.
    """
    if not isinstance(raw, Mapping):
        if not isinstance(raw, Terms) or not isinstance(raw.others, Mapping):
            raise Refused(Rule.UNREADABLE, "an offer needs terms: unit_prices and each other term")
        raw = {"unit_prices": raw.unit_prices, **raw.others}
    unknown = set(map(str, raw)) - FIELDS_OF_TERMS
    if unknown:
        raise Refused(Rule.ALTERED_REQUEST, f"no such terms here: {_echo(sorted(unknown))}")
    prices = raw.get("unit_prices")
    if not isinstance(prices, Mapping):
        raise Refused(Rule.UNREADABLE, "unit_prices must hold a price for each line id")
    asked = [line.id for line in request.lines]
    if set(prices) != set(asked):
        raise Refused(Rule.ALTERED_REQUEST, f"the lines are {', '.join(asked)}, each with a price")
    try:
        read = {line_id: _read_price(prices[line_id], request.currency) for line_id in asked}
        others = {kind.key: kind.read(raw.get(kind.key)) for kind in KINDS}
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise Refused(Rule.UNREADABLE, str(error)) from None
    for key, value in others.items():
        if not request.permits(key, value):
            options = ", ".join(request.payment_options)
            raise Refused(Rule.ALTERED_REQUEST, f"{key} is one of {options}")
    # every value was read strictly just now, so nothing is left to validate
    return Terms(read, others)


def legal_moves(conversation: Conversation, side: Side) -> tuple[Move, ...]:
    """The moves that a side may make now (rules 6 and 10)."""
    if side is Side.SUPPLIER:
        return MOVES_BUT_ACCEPT if conversation.brand.standing is None else MOVES
    can_accept = conversation.supplier.standing is not None
    if conversation.is_closing:
        return CLOSING_MOVES if can_accept else (Move.WALK_AWAY,)
    legal = MOVES if can_accept else MOVES_BUT_ACCEPT
    return legal[:-1] if conversation.must_move else legal  # anything but talk


def check_legal(move: Move, conversation: Conversation, side: Side) -> None:
    """Refuse a move that its side may not make now."""
    legal = legal_moves(conversation, side)
    if move in legal:
        return
    choices = ", ".join(legal)
    if move is Move.ACCEPT:
        raise Refused(Rule.NO_STANDING_OFFER, f"there is no offer to accept: {choices}")
    if not (side is Side.BRAND and conversation.is_closing):
        raise Refused(Rule.ILLEGAL_MOVE, f"your offer was withdrawn, so {move} won't do: {choices}")
    raise Refused(Rule.CLOSING_MOVE, f"{move} is no closing move: {choices}")


def _read_price(raw: object, currency: str) -> Any:
    price = in_currency(read_amount(raw), currency)
    if price <= 0:
        raise ValueError("a unit price must be above 0")
    return price


def text_mistake(text: str) -> str | None:
    """Why a text can't be a message's, or None."""
    if not text.strip():
        return "a message needs words"
    if len(text) > LONGEST_TEXT:
        return f"{len(text)} characters: at most {LONGEST_TEXT}"
    if "\0" in text or not _is_unicode(text):
        return "the text has characters that can't be stored"
    return None


def _read_text(raw: object) -> str:
    text = raw if isinstance(raw, str) else ""
    mistake = text_mistake(text)
    if mistake is not None:
        raise Refused(Rule.UNREADABLE, mistake)
    return text


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def _echo(value: object) -> str:
    try:
        return repr(value)[:LONGEST_ECHO]
    except (ValueError, RecursionError):  # an integer of thousands of digits, or endless nesting
        return type(value).__name__
