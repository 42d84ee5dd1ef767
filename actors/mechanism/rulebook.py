"""What becomes of a draft, and when a conversation is over: the rules in the order they apply."""

from __future__ import annotations

from actors.mechanism.agreement import offer_accepted, prose_against
from actors.mechanism.conversation import Conversation
from actors.mechanism.disclosure import check_words
from actors.mechanism.limits import Mandates, check_limits
from actors.mechanism.moves import Draft, check_legal, legal_moves, read_draft, read_terms
from actors.mechanism.ruling import Refusal, Refused, Rule, Ruling
from storage.records import Ending, Entry, Move, NegotiationStatus, Origin, Reason, Sender
from storage.terms.kind import Side
from storage.terms.offered import Terms

CANCELLATION = Ending(status=NegotiationStatus.IMPASSE, reason=Reason.CANCELLED, agreed_terms=None)
"""How a negotiation of a cancelled quote ends."""
BUDGET_SPENT = Ending(status=NegotiationStatus.IMPASSE, reason=Reason.BUDGET, agreed_terms=None)
"""How a negotiation ends whose models may make no further call."""


def judge(conversation: Conversation, side: Side, raw: object, origin: Origin) -> Ruling:
    """Judge what a negotiator returned.

    Args:
        raw: Anything at all; a Draft or a mapping with its fields may pass.
        origin: Who worded it, by the agent's knowledge, not by the draft's own word.

    Returns:
        An entry to save, with an ending where it closes the negotiation; or a refusal.
    """
    try:
        draft = read_draft(raw)
        move = draft.move
        assert isinstance(move, Move)  # noqa: S101 - read_draft has made it one
        check_legal(move, conversation, side)
        match move:
            case Move.OFFER:
                terms = _check_offer(draft, conversation, side)
                ruling = _say(conversation, side, move, draft, origin, terms=terms)
            case Move.ACCEPT:
                ruling = _accept(conversation, side, draft, origin)
            case Move.WALK_AWAY:
                ending = _walking_away(conversation, side, origin)
                ruling = _say(conversation, side, move, draft, origin, ending=ending)
            case Move.TALK:
                ruling = _say(conversation, side, move, draft, origin)
    except Refused as refused:
        return Ruling(refusal=Refusal(refused.rule, refused.reason))
    return ruling


def ending_without_words(conversation: Conversation) -> Ending | None:
    """The impasse that needs no further message (rule 11), or None.

    After `patience_rounds` without progress both sides play one round knowing that it is final.
    """
    patience = conversation.negotiation.rules.patience_rounds
    if patience > 0 and conversation.stale_rounds > patience:
        return Ending(
            status=NegotiationStatus.IMPASSE, reason=Reason.NO_PROGRESS, agreed_terms=None
        )
    return None


def mandates_in_force(conversation: Conversation) -> Mandates:
    """Both sides' mandates, for the check at commit."""
    return Mandates(conversation.brand.mandate, conversation.supplier.mandate)


def _check_offer(draft: Draft, conversation: Conversation, side: Side) -> Terms:
    terms = read_terms(draft.terms, conversation.request)
    check_limits(terms, mandates_in_force(conversation), (side,))
    return terms


def _accept(conversation: Conversation, side: Side, draft: Draft, origin: Origin) -> Ruling:
    offer = offer_accepted(draft, conversation, side)
    check_limits(offer.terms, mandates_in_force(conversation), (side, side.other))
    against = prose_against(draft.text, offer.terms, conversation.request)
    if against is None:
        ending = Ending(status=NegotiationStatus.COMPLETED, reason=None, agreed_terms=offer.terms)
        return _say(
            conversation, side, Move.ACCEPT, draft, origin, terms=offer.terms, ending=ending
        )
    if Move.TALK not in legal_moves(conversation, side):
        raise Refused(against, "the words of this accept make it no accept: accept plainly or not")
    talk = Draft(Move.TALK, draft.text)
    return _say(conversation, side, Move.TALK, talk, origin, demoted=against)


def _walking_away(conversation: Conversation, side: Side, origin: Origin) -> Ending:
    closing = side is Side.BRAND and conversation.is_closing
    reason = Reason.MAX_ROUNDS if closing else Reason.WALK_AWAY
    if origin is Origin.PERSON:
        reason = Reason.USER_ENDED
    return Ending(status=NegotiationStatus.IMPASSE, reason=reason, agreed_terms=None)


def _say(
    conversation: Conversation,
    side: Side,
    move: Move,
    draft: Draft,
    origin: Origin,
    *,
    terms: Terms | None = None,
    ending: Ending | None = None,
    demoted: Rule | None = None,
) -> Ruling:
    check_words(draft.text, terms, conversation, side)
    entry = Entry(
        negotiation_id=conversation.negotiation.id,
        seq=conversation.message_count + 1,
        sender=Sender.BRAND if side is Side.BRAND else Sender.SUPPLIER,
        content=draft.text,
        move=move,
        terms=terms,
        accepts_seq=draft.accepts_seq,
        origin=origin,
    )
    return Ruling(entry=entry, ending=ending, demoted=demoted)
