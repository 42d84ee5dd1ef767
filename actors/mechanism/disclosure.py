"""Rule 8: a side's limits and targets, and the names of other suppliers, stay out of its words."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from actors.mechanism.agreement import amounts
from actors.mechanism.conversation import Conversation
from actors.mechanism.figures import Figure, figures, plain
from actors.mechanism.ruling import Refused, Rule
from storage.records import Mandate, Request, Terms
from storage.terms.kind import Side


def check_words(text: str, terms: Terms | None, conversation: Conversation, side: Side) -> None:
    """Refuse words that tell what is private.

    Raises:
        Refused: They name another supplier, or a figure that is an own limit or target and that
            is not public in this conversation anyway.
    """
    if side is Side.BRAND:
        _check_names(text, conversation)
    private = private_amounts(conversation.stance(side).mandate, conversation.request)
    for figure in figures(text):
        told = figure.readings & private
        if told and not _is_public(figure, terms, conversation):
            raise Refused(Rule.PRIVATE_FIGURE, f"the words tell a private figure: {figure.text}")


def private_amounts(mandate: Mandate, request: Request) -> frozenset[Decimal]:
    """A side's limits and targets, and what they come to for a line and for all of them."""
    targets = Terms(unit_prices={key: prices.target for key, prices in mandate.prices.items()})
    limits = Terms(unit_prices={key: prices.limit for key, prices in mandate.prices.items()})
    return amounts(targets, request) | amounts(limits, request)


def _is_public(figure: Figure, terms: Terms | None, conversation: Conversation) -> bool:
    request = conversation.request
    if terms is not None and figure.readings & amounts(terms, request):
        return True
    if figure.readings & _request_figures(request):
        return True
    return any(
        figure.readings & amounts(message.terms, request)
        for message in reversed(conversation.heard_by_supplier)
        if message.terms is not None
    )


def _request_figures(request: Request) -> frozenset[Decimal]:
    words = " ; ".join([request.notes, *(f"{line.product} {line.unit}" for line in request.lines)])
    written = (reading for figure in figures(words) for reading in figure.readings)
    return frozenset({*(line.quantity for line in request.lines), *written})


def _check_names(text: str, conversation: Conversation) -> None:
    words = _name_form(text)
    own = _name_form(conversation.negotiation.supplier.name)
    spoken = re.sub(rf"(?<!\w){re.escape(own)}(?!\w)", " ", words)
    for rival in conversation.negotiation.rivals:
        if _name_pattern(rival).search(spoken):
            raise Refused(Rule.RIVAL_NAME, "the words name another supplier of the quote")


@lru_cache(maxsize=4096)
def _name_pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(_name_form(name))}(?!\w)")


def _name_form(text: str) -> str:
    return " ".join(re.findall(r"\w+", plain(text).casefold()))
