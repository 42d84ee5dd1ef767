"""Reception: takes a person's guidance from any door, and commits it before anybody answers."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pydantic import JsonValue, ValidationError

from actors.config import line_of
from actors.errors import InterventionError
from actors.mechanism.guidance import intervention_mistakes
from storage.interventions import Action, Intervention, InterventionId, InterventionStatus
from storage.mistakes import mistakes_in
from storage.records import (
    Negotiation,
    NegotiationId,
    NegotiationStatus,
    Priorities,
    Quote,
    QuoteId,
)
from storage.store import Store, utc_now

PRIORITIES = tuple(Priorities.model_fields)


def receive(
    store: Store,
    text: str | None = None,
    *,
    negotiation_id: str | None = None,
    quote_id: str | None = None,
    limits: Mapping[str, Any] | None = None,
    priorities: Mapping[str, int] | Priorities | None = None,
    action: str | None = None,
    accepts_seq: int | None = None,
) -> tuple[QuoteId, list[Intervention]]:
    """Commit guidance for a negotiation, or for each active one of a quote, as `received`.

    Args:
        limits: Changed limits of the brand, by the mandate's keys.
        priorities: All four, summing to 100.
        action: `accept` (with `accepts_seq`) or `walk_away`; `continue` carries nothing else.

    Returns:
        The quote, and one receipt per negotiation.

    Raises:
        InterventionError: It has mistakes; all are listed, and nothing was saved.
        UnknownRecord: There is no such negotiation or quote.
        NegotiationNotActive: It has ended. A quote of which all have ended is an InterventionError.
    """
    with store.connection():  # once for all: to connect takes as long as to commit
        quote, negotiations = _addressees(store, negotiation_id, quote_id)
        mistakes = list(_shape_mistakes(text, limits, priorities, action, accepts_seq, quote_id))
        if mistakes:
            raise InterventionError(mistakes)
        content = {
            "text": text,
            "limits": None if limits is None else {k: _plain(v) for k, v in limits.items()},
            "priorities": _priorities(priorities),
            "action": action,
            "accepts_seq": accepts_seq,
        }
        made = _made(quote, negotiations, content)
        return quote.id, store.add_interventions(made, all_or_nothing=quote_id is None)


def _made(
    quote: Quote, negotiations: Sequence[Negotiation], content: Mapping[str, Any]
) -> list[Intervention]:
    """One for each negotiation, or InterventionError."""
    try:
        made = [_received(negotiation.id, content) for negotiation in negotiations]
    except ValidationError as error:
        found = mistakes_in(error, Intervention)
        raise InterventionError([line_of("intervention", *each) for each in found]) from None
    # all negotiations of a quote have the same request, so the same mistakes
    mistakes = intervention_mistakes(made[0], negotiations[0].mandate, quote.request)
    if mistakes:
        raise InterventionError(mistakes)
    return made


def _received(negotiation_id: NegotiationId, content: Mapping[str, Any]) -> Intervention:
    return Intervention(
        id=InterventionId(f"i-{secrets.token_hex(8)}"),
        negotiation_id=negotiation_id,
        **content,
        status=InterventionStatus.RECEIVED,
        reason=None,
        message_seq=None,
        applied_seq=None,
        row_hash=None,
        created_at=utc_now(),
    )


def _addressees(
    store: Store, negotiation_id: str | None, quote_id: str | None
) -> tuple[Quote, Sequence[Negotiation]]:
    if (negotiation_id is None) is (quote_id is None):
        raise InterventionError(["give exactly one of negotiation_id and quote_id"])
    if negotiation_id is not None:
        negotiation = store.negotiation(NegotiationId(negotiation_id))
        return store.quote(negotiation.quote_id), [negotiation]
    quote = store.quote(QuoteId(str(quote_id)))
    active = [
        negotiation
        for negotiation in store.negotiations(quote.id)
        if negotiation.status is NegotiationStatus.ACTIVE
    ]
    if not active:
        raise InterventionError([f"quote {quote.id} has no active negotiation: nobody would hear"])
    return quote, active


def _shape_mistakes(
    text: object,
    limits: object,
    priorities: object,
    action: object,
    accepts_seq: object,
    quote_id: object,
) -> Iterator[str]:
    """What can't even be written down, a line each."""
    if text is not None and not isinstance(text, str):
        yield f"text: expected text, not {type(text).__name__}"
    if limits is not None and not isinstance(limits, Mapping):
        yield 'limits: expected a mapping, such as {"unit_price": "6.40"}'
    elif limits is not None:
        floats = [key for key, value in limits.items() if isinstance(value, float)]
        yield from (f'limits.{key}: write the number as text, such as "6.40"' for key in floats)
    try:
        _priorities(priorities)
    except ValueError as error:
        yield f"priorities: {error}"
    if action is not None and action not in list(Action):
        yield f"action: no action {str(action)[:40]!r}: write accept or walk_away"
    if accepts_seq is not None and not _is_seq(accepts_seq):
        yield "accepts_seq: expected the number of the supplier's message, such as 6"
    if action == Action.ACCEPT and quote_id is not None:
        yield "action: accept takes one negotiation's offer: give its negotiation_id"


def _is_seq(raw: object) -> bool:
    # SQLite has no room for larger ones
    return isinstance(raw, int) and not isinstance(raw, bool) and 0 < raw < 2**63


def _priorities(raw: object) -> Priorities | None:
    if raw is None or isinstance(raw, Priorities):
        return raw
    if not isinstance(raw, Mapping) or set(raw) != set(PRIORITIES):
        raise ValueError(f"name all four, {', '.join(PRIORITIES)}, so that they sum to 100")
    try:
        return Priorities.model_validate(dict(raw))
    except ValidationError as error:
        words = (line_of("", *each) for each in mistakes_in(error, Priorities))
        raise ValueError("; ".join(words)) from None


def _plain(value: Any) -> JsonValue:
    """A limit's value as it is kept: amounts as text, lists as lists."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    return value  # type: ignore[no-any-return]
