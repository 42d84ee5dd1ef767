"""Replies: the futures by which somebody who is no actor waits for an answer."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, TypeVar

from storage.records import QuoteId

T = TypeVar("T")


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
