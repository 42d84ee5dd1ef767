"""Replies: the futures by which somebody who is no actor waits for an answer."""

from __future__ import annotations

import itertools
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from storage.records import Negotiation, Quote, QuoteId

T = TypeVar("T")


@dataclass(slots=True)
class Askers:
    """Who waits for an answer of the Coordinator, by quote, the longest first."""

    starting: dict[QuoteId, list[Future[tuple[Negotiation, ...]]]] = field(default_factory=dict)
    cancelling: dict[QuoteId, list[Future[Quote]]] = field(default_factory=dict)
    waiting: dict[QuoteId, list[Future[None]]] = field(default_factory=dict)
    """For stillness."""

    def answer_all_with(self, error: Exception) -> None:
        """Have it raised wherever somebody waits."""
        everybody: list[Future[Any]] = []
        for asking in (self.starting, self.cancelling, self.waiting):
            everybody += itertools.chain.from_iterable(asking.values())
            asking.clear()
        for reply in everybody:
            answer_with(reply, error)


def first(askers: dict[QuoteId, list[Future[T]]], quote_id: QuoteId) -> list[Future[T]]:
    """Who waits longest for the quote's answer; nobody after a failure of our own."""
    waiting = askers.get(quote_id, [])
    first, waiting[:1] = waiting[:1], []
    if not waiting:
        askers.pop(quote_id, None)
    return first


def answer(reply: Future[Any], result: object) -> None:
    """Give the result to who waits, who may have given up meanwhile."""
    if reply.set_running_or_notify_cancel():
        reply.set_result(result)


def answer_with(reply: Future[Any], error: Exception) -> None:
    """Have it raised where somebody waits."""
    if reply.set_running_or_notify_cancel():
        reply.set_exception(error)
