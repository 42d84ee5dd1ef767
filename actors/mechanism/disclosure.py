"""Rule 8: a side's limits and targets, and the names of other suppliers, stay out of its words."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
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
    written = (reading for figure in figures(_prose(request)) for reading in figure.readings)
    return frozenset({*(line.quantity for line in request.lines), *written})


def _prose(request: Request) -> str:
    return " ; ".join([request.notes, *(f"{line.product} ; {line.unit}" for line in request.lines)])


def _check_names(text: str, conversation: Conversation) -> None:
    names = _names_of(_OneQuote(conversation.quote))
    words = _name_words(text)
    if not names.starts_in(words):
        return
    own = _name_words(conversation.negotiation.supplier.name)
    if names.said_in(_without(own, words)) - {"".join(own)}:
        raise Refused(Rule.RIVAL_NAME, "the words name another supplier of the quote")


class _Names:
    """Names with their words run together, so that `Supplier 2` and `supplier2` are one."""

    def __init__(self, names: Iterable[str]) -> None:
        self.all = sorted({"".join(_name_words(name)) for name in names} - {""})
        lengths = range(1, BEGINNING + 1)
        self._beginnings = {name[:length] for name in self.all for length in lengths}

    def starts_in(self, words: list[str]) -> list[int]:
        """The places where one of the names may begin."""
        beginnings = self._beginnings
        return [place for place, word in enumerate(words) if word[:BEGINNING] in beginnings]

    def said_in(self, words: list[str]) -> set[str]:
        """The names that the words say."""
        said = set()
        for start in self.starts_in(words):
            name = ""
            for word in words[start:]:
                name += word
                place = bisect_left(self.all, name)
                if place == len(self.all) or not self.all[place].startswith(name):
                    break
                if self.all[place] == name:
                    said.add(name)
        return said


class _OneQuote:
    """A quote by its id, so that what is made of its many names is made once."""

    def __init__(self, quote: Quote) -> None:
        self.quote = quote

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _OneQuote) and other.quote.id == self.quote.id

    def __hash__(self) -> int:
        return hash(self.quote.id)


@lru_cache(maxsize=256)
def _names_of(one: _OneQuote) -> _Names:
    """The suppliers' names, but for those that the request itself says."""
    names = _Names(one.quote.supplier_names)
    public = names.said_in(_name_words(_prose(one.quote.request)))
    return _Names(set(names.all) - public)


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
