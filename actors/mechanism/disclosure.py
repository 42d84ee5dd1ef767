"""Rule 8: a side's limits and targets, and the names of other suppliers, stay out of its words."""

from __future__ import annotations

import re
from bisect import bisect_left
from decimal import Decimal
from functools import lru_cache

from actors.mechanism.amounts import amounts
from actors.mechanism.conversation import Conversation
from actors.mechanism.figures import Figure, figures, may_name, plain
from actors.mechanism.ruling import Refused, Rule
from storage.records import Quote, Request, Terms
from storage.terms.kind import Side

BEGINNING = 3
"""Characters by which most words are told from all names at once."""
_WORD = re.compile(r"[^\W_]+")
NO_WORD = "_"
"""What no name begins with."""


def check_words(text: str, terms: Terms | None, conversation: Conversation, side: Side) -> None:
    """Refuse words that tell what is private.

    Raises:
        Refused: They name another supplier, or a figure that is an own limit or target and that
            is not public in this conversation anyway.
    """
    if side is Side.BRAND:
        _check_names(text, conversation)
    secrets = conversation.stance(side).secrets
    if not may_name(text, secrets):
        return
    for figure in figures(text):
        told = figure.readings & secrets
        if told and not _is_public(figure, terms, conversation):
            raise Refused(Rule.PRIVATE_FIGURE, f"the words tell a private figure: {figure.text}")


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
    rivals, beginnings = _names_of(_OneQuote(conversation.quote))
    words = _name_words(text)
    starts = [place for place, word in enumerate(words) if word[:BEGINNING] in beginnings]
    if not starts:
        return
    own = _name_words(conversation.negotiation.supplier.name)
    spoken = _without(own, words)
    for start in starts:
        name = ""
        for word in spoken[start:]:
            name += word
            place = bisect_left(rivals, name)
            if place == len(rivals) or not rivals[place].startswith(name):
                break
            if rivals[place] == name and name != "".join(own):
                raise Refused(Rule.RIVAL_NAME, "the words name another supplier of the quote")


class _OneQuote:
    """A quote by its id, so that what is made of its many names is made once."""

    def __init__(self, quote: Quote) -> None:
        self.quote = quote

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _OneQuote) and other.quote.id == self.quote.id

    def __hash__(self) -> int:
        return hash(self.quote.id)


@lru_cache(maxsize=256)
def _names_of(one: _OneQuote) -> tuple[list[str], frozenset[str]]:
    """The suppliers' names in order, their words run together, and the beginnings of them.

    `Supplier 2` and `supplier2` are one.
    """
    names = {"".join(_name_words(name)) for name in one.quote.supplier_names} - {""}
    beginnings = {name[:length] for name in names for length in range(1, BEGINNING + 1)}
    return sorted(names), frozenset(beginnings)


def _name_words(text: str) -> list[str]:
    """The words of letters and digits, however they are capitalised and separated."""
    return _WORD.findall(plain(text).casefold())


def _without(name: list[str], words: list[str]) -> list[str]:
    """The words, with nothing in each place that says the name: it can't pass for another's."""
    kept = list(words)
    for place in range(len(words) - len(name) + 1):
        if name and words[place : place + len(name)] == name:
            kept[place : place + len(name)] = [NO_WORD] * len(name)
    return kept
