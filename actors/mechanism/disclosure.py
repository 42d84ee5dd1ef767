"""Rule 8: a side's limits and targets, and the names of other suppliers, stay out of its words."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from actors.mechanism.agreement import amounts
from actors.mechanism.conversation import Conversation
from actors.mechanism.figures import Figure, figures, plain
from actors.mechanism.ruling import Refused, Rule
from storage.records import Mandate, Quote, Request, Terms
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
    # a line of which none is ordered comes to nothing, which is no secret
    return (amounts(targets, request) | amounts(limits, request)) - {Decimal(0)}


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
    own = _name_words(conversation.negotiation.supplier.name)
    rivals = _names_of(_OneQuote(conversation.quote))
    spoken = _without(own, _name_words(text))
    longest = max(map(len, rivals), default=0)
    for start in range(len(spoken)):
        name = ""
        for word in spoken[start:]:
            name += word
            if name in rivals and name != "".join(own):
                raise Refused(Rule.RIVAL_NAME, "the words name another supplier of the quote")
            if len(name) >= longest:
                break


class _OneQuote:
    """A quote by its id, so that what is made of its many names is made once."""

    def __init__(self, quote: Quote) -> None:
        self.quote = quote

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _OneQuote) and other.quote.id == self.quote.id

    def __hash__(self) -> int:
        return hash(self.quote.id)


@lru_cache(maxsize=256)
def _names_of(one: _OneQuote) -> frozenset[str]:
    """The suppliers' names, their words run together: `Supplier 2` and `supplier2` are one."""
    names = ("".join(_name_words(name)) for name in one.quote.supplier_names)
    return frozenset(name for name in names if name)


def _name_words(text: str) -> list[str]:
    """The words of letters and digits, however they are capitalised and separated."""
    return re.findall(r"[^\W_]+", plain(text).casefold())


def _without(name: list[str], words: list[str]) -> list[str]:
    """The words with each place cut that says the name, so that it can't pass for another's."""
    kept: list[str] = []
    place = 0
    while place < len(words):
        if name and words[place : place + len(name)] == name:
            kept.append("")
            place += len(name)
        else:
            kept.append(words[place])
            place += 1
    return kept
