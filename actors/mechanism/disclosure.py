"""Rule 8: a side's limits and targets, and the names of other suppliers, stay out of its words."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

from actors.mechanism.amounts import amounts
from actors.mechanism.conversation import Conversation
from actors.mechanism.figures import Figure, figures, may_name, plain
from actors.mechanism.ruling import Refused, Rule
from storage.records import Quote, Request
from storage.terms.kind import Side
from storage.terms.offered import Terms

NO_WORD = "_"
"""What no name begins with."""


def check_words(text: str, terms: Terms | None, conversation: Conversation, side: Side) -> None:
    """Refuse words that tell what is private.

    Raises:
        Refused: They name another supplier, or a figure that is an own limit or target and that
            is not public in this conversation anyway.
    """
    prose = plain(text)
    if side is Side.BRAND:
        _check_names(prose, conversation)
    secrets = conversation.stance(side).secrets
    if not may_name(prose, secrets):
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


def _check_names(prose: str, conversation: Conversation) -> None:
    names = _names_of(_OneQuote(conversation.quote))
    words = _words(prose)
    if names.beginnings.isdisjoint(words):
        return
    own = _name_words(conversation.negotiation.supplier.name)
    if names.said_in(_without(own, words)) - {"".join(own)}:
        raise Refused(Rule.RIVAL_NAME, "the words name another supplier of the quote")


class _Names:
    """Names with their words run together, so that `Supplier 2` and `supplier2` are one."""

    def __init__(self, names: Iterable[str]) -> None:
        self.all = {"".join(_name_words(name)) for name in names} - {""}
        self.beginnings = {name[:end] for name in self.all for end in range(1, len(name) + 1)}
        """All that a name may begin with, so that most words are told from all names at once."""

    def said_in(self, words: list[str]) -> set[str]:
        """The names that the words say."""
        said = set()
        for start, first in enumerate(words):
            if first not in self.beginnings:
                continue
            name = ""
            for word in words[start:]:
                name += word
                if name not in self.beginnings:
                    break
                if name in self.all:
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


@lru_cache(maxsize=16)
def _names_of(one: _OneQuote) -> _Names:
    """The suppliers' names, but for those that the request itself says."""
    names = _Names(one.quote.supplier_names)
    public = names.said_in(_name_words(_prose(one.quote.request)))
    return _Names(names.all - public)


def _name_words(text: str) -> list[str]:
    """The words of letters and digits, however they are capitalised and separated."""
    return _words(plain(text))


def _words(prose: str) -> list[str]:
    """The same of text that is plain already."""
    return prose.casefold().translate(_APART).split()


class _Apart(dict[int, str]):
    """What words are made of as it is, and a blank for all else; found out once per character."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = kept = character if character.isalnum() else " "
        return kept


_APART = _Apart()


def _without(name: list[str], words: list[str]) -> list[str]:
    """The words, with nothing in each place that says the name: it can't pass for another's."""
    kept = list(words)
    for place in range(len(words) - len(name) + 1):
        if name and words[place : place + len(name)] == name:
            kept[place : place + len(name)] = [NO_WORD] * len(name)
    return kept
