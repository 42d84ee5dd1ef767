"""Rules 12 to 14: what a person's interventions come to, before any of them is believed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from actors.mechanism.conversation import Conversation
from actors.mechanism.limits import breaches, limited, limits_read
from actors.mechanism.moves import Draft, text_mistake
from storage.interventions import Action, Intervention
from storage.mandates import Mandate
from storage.records import Move, Request
from storage.terms.kind import Side

TOOK_ITS_PLACE = "a newer action took its place"
ACCEPT_WORDS = "Agreed: we accept your offer as it stands."
FAREWELL_WORDS = "We end this negotiation here. Thank you for your time."


class Refusal(Struct, frozen=True):
    """An intervention of which nothing holds, and why."""

    intervention: Intervention
    reason: str


class Guidance(Struct, frozen=True):
    """What interventions that wait together come to."""

    taken: tuple[Intervention, ...]
    """Oldest first; they share one message of the brand."""
    refused: tuple[Refusal, ...]
    mandate: Mandate
    """The brand's, with all their limits; the newest wins."""


def weigh(conversation: Conversation, waiting: Sequence[Intervention]) -> Guidance:
    """Sort interventions, oldest first, into those that hold and those that are refused.

    Of several actions the newest wins, even if it is refused itself: an older one is no longer
    what the person wants.
    """
    mandate, request = conversation.brand.mandate, conversation.request
    actions = [one for one in waiting if one.action is not None]
    taken: list[Intervention] = []
    refused: list[Refusal] = []
    for one in waiting:
        mistakes = intervention_mistakes(one, mandate, request)
        if mistakes:
            refused.append(Refusal(one, "; ".join(mistakes)))
        elif one in actions[:-1]:
            refused.append(Refusal(one, TOOK_ITS_PLACE))
        else:
            taken.append(one)
    guided = _guided(mandate, taken, request)
    for one in taken:
        against = _against_accept(one, guided, conversation)
        if against is not None:
            taken.remove(one)
            refused.append(Refusal(one, against))
            guided = _guided(mandate, taken, request)
            break  # there is at most one accept
    return Guidance(tuple(taken), tuple(refused), guided)


def intervention_mistakes(
    intervention: Intervention, mandate: Mandate, request: Request
) -> list[str]:
    """What is wrong with an intervention whatever the conversation, a line each."""
    limits = intervention.limits or {}
    return [*_content_mistakes(intervention), *limits_read(mandate, limits, request)[1]]


def person_draft(intervention: Intervention) -> Draft | None:
    """The move that a person makes instead of the brand's negotiator, if any; in fixed words."""
    match intervention.action:
        case Action.ACCEPT:
            return Draft(Move.ACCEPT, ACCEPT_WORDS, accepts_seq=intervention.accepts_seq)
        case Action.WALK_AWAY:
            return Draft(Move.WALK_AWAY, FAREWELL_WORDS)
        case _:
            return None


def _guided(mandate: Mandate, taken: Sequence[Intervention], request: Request) -> Mandate:
    for one in taken:
        mandate = limited(mandate, one.limits or {}, request)
    return mandate


def _against_accept(
    intervention: Intervention, mandate: Mandate, conversation: Conversation
) -> str | None:
    if intervention.action is not Action.ACCEPT:
        return None
    seq, standing = intervention.accepts_seq, conversation.supplier.standing
    if standing is None or standing.seq != seq:
        stands = f"offer {standing.seq} does" if standing else "no offer does"
        return f"offer {seq} does not stand, {stands}: look at the newest messages"
    broken = breaches(standing.terms, mandate, Side.BRAND)
    if broken:
        return f"offer {seq} breaks a limit: change {', '.join(broken)} in the same intervention"
    return None


def _content_mistakes(one: Intervention) -> Iterator[str]:
    if one.text is not None and (mistake := text_mistake(one.text)):
        yield f"text: {mistake}"
    if one.action is Action.ACCEPT and one.accepts_seq is None:
        yield "accepts_seq: name the supplier's offer to accept by its seq"
    if one.action is not Action.ACCEPT and one.accepts_seq is not None:
        yield "accepts_seq: it goes with the action accept only"
    carried = (one.text, one.limits, one.priorities)
    if one.action is Action.CONTINUE and any(part is not None for part in carried):
        yield "action: continue carries nothing else: send the guidance by itself"
    if one.action is None and all(part is None for part in carried):
        yield "it is empty: give text, limits, priorities or an action"
    if one.limits is not None and not one.limits:
        yield "limits: it is empty: leave it out, or name a limit"
