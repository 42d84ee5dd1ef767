"""Replay: a conversation folded anew from its saved messages, each judged as its draft once was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from actors.mechanism.conversation import Conversation
from actors.mechanism.guidance import intervention_mistakes, person_draft
from actors.mechanism.moves import Draft
from actors.mechanism.rulebook import ending_without_words, judge
from actors.mechanism.ruling import Rule, Ruling
from actors.mechanism.views import view_for
from storage.faults import Fault, at
from storage.interventions import Action, Intervention
from storage.records import (
    Ending,
    Message,
    Negotiation,
    NegotiationStatus,
    Origin,
    Quote,
    Reason,
    Sender,
)
from storage.terms.kind import Side
from storage.terms.offered import Terms

SAID_OF = {
    Rule.UNREADABLE: "it is no well-formed move",
    Rule.CLOSING_MOVE: "it is no closing move, and the rounds are used up",
    Rule.ILLEGAL_MOVE: "it is talk, where the brand's withdrawn offer asks for another move",
    Rule.ALTERED_REQUEST: "its terms are for something else than the quote asks for",
    Rule.NO_STANDING_OFFER: "it accepts what does not stand, or on other terms",
    Rule.CONDITION: "it accepts with a condition in its words",
    Rule.OTHER_AMOUNT: "it accepts, and its words name another amount",
    Rule.LIMIT: "its terms break a limit that was in force",
    Rule.PRIVATE_FIGURE: "its words tell a private figure",
    Rule.RIVAL_NAME: "its words name another supplier of the quote",
}
"""A refusal in words that repeat nothing of the message."""
ACTIONS = (Action.ACCEPT, Action.WALK_AWAY)
UNFIT = (LookupError, ValueError, ArithmeticError)
"""What the rules raise for records that can be read one by one and don't fit together."""


def replay(
    quote: Quote,
    negotiation: Negotiation,
    messages: Sequence[Message],
    interventions: Iterable[Intervention],
    *,
    whole: bool = True,
) -> Iterator[Fault]:
    """Where a conversation is not what the rules allow.

    Args:
        messages: By seq, from the first one on.
        interventions: All of the negotiation that can be read.
        whole: Whether these are all messages, so that how it stands can be judged too.
    """
    here = at(negotiation_id=negotiation.id)
    try:
        one = _Replay(quote, negotiation, interventions)
    except UNFIT:
        yield Fault(here, "what was stored at its creation does not fit together")
        return
    for message in messages:
        try:
            yield from one.hear(message)
        except UNFIT:
            what = "it does not fit what was said before; what follows can't be judged"
            yield Fault(here | at(seq=message.seq), what)
            return
    if whole:
        yield from one.end()


class _Replay:
    def __init__(
        self, quote: Quote, negotiation: Negotiation, interventions: Iterable[Intervention]
    ) -> None:
        self._here = at(negotiation_id=negotiation.id)
        self._negotiation = negotiation
        self._conversation = Conversation.opened(quote, negotiation)
        rows = list(interventions)
        self._asked: Mapping[int | None, Intervention] = {one.message_seq: one for one in rows}
        self._acts = {one.applied_seq: one for one in rows if one.action in ACTIONS}
        self._closing: Ending | None = None
        """How the last message ends it."""
        self._refused = False
        """Whether the last message should not be there, so that it tells of no ending."""

    def hear(self, message: Message) -> Iterator[Fault]:
        """Judge a message, and fold it."""
        here = self._here | at(seq=message.seq)
        if self._closing is not None:
            yield Fault(here, "it comes after the message that closed the negotiation")
            self._closing = None
        judged = self._guidance if message.sender is Sender.USER else self._move
        for what in judged(message):
            yield Fault(here, what)
        if message.sender is Sender.USER:
            self._conversation = self._conversation.guided(message, self._asked[message.seq])
        else:
            self._conversation = self._conversation.said(message)

    def end(self) -> Iterator[Fault]:
        """Judge what has become of the negotiation."""
        for what in (*self._ending(), *self._outlook()):
            yield Fault(self._here, what)

    def _guidance(self, message: Message) -> Iterator[str]:
        if message.origin is not Origin.PERSON:
            yield "it is a person's, and its origin is another"
        if (message.move, message.terms, message.accepts_seq) != (None, None, None):
            yield "it is a person's, and makes a move"
        asked = self._asked[message.seq]
        mandate, request = self._conversation.brand.mandate, self._conversation.request
        if intervention_mistakes(asked, mandate, request):
            yield "its intervention has mistakes, and should have been refused"

    def _move(self, message: Message) -> Iterator[str]:
        conversation, side = self._conversation, Side(message.sender.value)
        if conversation.next_side is not side:
            yield "it speaks out of turn"
        if ending_without_words(conversation) is not None:
            yield "it comes after the last round without progress"
        yield from self._person(message)
        draft = Draft(message.move or "", message.content, message.terms, message.accepts_seq)
        ruling = judge(conversation, side, draft, message.origin)
        self._closing = ruling.ending
        against = ruling.refusal.rule if ruling.refusal else ruling.demoted
        self._refused = against is not None
        if against is not None:
            yield SAID_OF[against]
        elif not _is_as_ruled(message, ruling):
            yield "its terms are not those that the rules make of it"
            self._refused = True

    def _person(self, message: Message) -> Iterator[str]:
        """A person's own move has fixed words, and nobody else moves in a person's name."""
        act = self._acts.get(message.seq)
        if act is None and message.origin is Origin.PERSON:
            yield "it speaks for a person who has not asked for it"
        if act is None:
            return
        draft = person_draft(act)
        assert draft is not None  # noqa: S101 - it is an action
        told = (message.origin, message.move, message.content, message.accepts_seq)
        if told != (Origin.PERSON, draft.move, draft.text, draft.accepts_seq):
            yield "it is not what the person has decided in the brand's place"

    def _ending(self) -> Iterator[str]:
        if self._refused:
            return
        negotiation = self._negotiation
        ending = Ending(
            status=negotiation.status,
            reason=negotiation.reason,
            agreed_terms=negotiation.agreed_terms,
        )
        if self._closing is not None:
            if ending != self._closing:
                yield "its status, reason and agreed terms are not what its last message makes them"
        elif negotiation.status is NegotiationStatus.ACTIVE:
            if ending.reason is not None or ending.agreed_terms is not None:
                yield "it is active, and has a reason or agreed terms"
        elif not self._may_end_so(ending):
            yield "it has ended, and nothing in it ends it so"

    def _may_end_so(self, ending: Ending) -> bool:
        """Whether it may end so without a message."""
        if ending.status is not NegotiationStatus.IMPASSE or ending.agreed_terms is not None:
            return False
        match ending.reason:
            case Reason.NO_PROGRESS:
                return ending_without_words(self._conversation) is not None
            case Reason.BUDGET:
                budget = self._negotiation.rules.budget
                return any(most is not None for _, most in budget)
            case reason:
                return reason is Reason.CANCELLED  # the quote tells whether that is true

    def _outlook(self) -> Iterator[str]:
        if self._negotiation.mandate != self._conversation.brand.mandate:
            yield "its mandate is not what interventions have made of the quote's"
        view = view_for(self._conversation, Side.SUPPLIER)
        if any(message.sender is Sender.USER for message in view.messages):
            yield "its supplier can see what a person said"


def _is_as_ruled(message: Message, ruling: Ruling) -> bool:
    """Whether its terms are those that the rules made of its draft, as they are written."""
    assert ruling.entry is not None  # noqa: S101 - it was not refused
    # equal amounts can be written with other decimals
    saved, ruled = (_written(terms) for terms in (message.terms, ruling.entry.terms))
    return saved == ruled


def _written(terms: Terms | None) -> object:
    return None if terms is None else terms.written()
