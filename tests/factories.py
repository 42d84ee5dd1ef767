"""Quotes, negotiations and terms for tests; each has a default for everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from actors.config import Config, load_config
from actors.mechanism.conversation import Conversation
from actors.opening import open_negotiations
from actors.quote_request import new_quote, read_quote_request
from storage.calls import CallEnd, CallStart, Outcome
from storage.interventions import Intervention
from storage.records import Entry, Message, Move, Negotiation, Origin, Quote, Sender, Supplier
from storage.rules import Rules
from storage.terms.kind import Side
from storage.terms.offered import Terms

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def make_supplier(
    number: int = 1,
    *,
    list_price: str = "9.00",
    floor: str = "6.00",
    standard: int = 40,
    shortest: int = 25,
    payment: Iterable[str] = ("30/70",),
    product: str = "Widget",
    **private: Any,
) -> Supplier:
    """A supplier that prices one product."""
    return Supplier.model_validate(
        {
            "id": f"supplier-{number}",
            "name": f"Supplier {number}",
            "quality": 4.0,
            "currency": "USD",
            "private": {
                "prices": {product: {"list": list_price, "floor": floor}},
                "lead_time_days": {
                    "standard": standard,
                    "shortest": shortest,
                    "day_cost": "50.00",
                },
                "payment": list(payment),
                **private,
            },
        }
    )


def make_config(suppliers: Iterable[Supplier] = (), **rules: Any) -> Config:
    """A config with these suppliers (one by default) and rules."""
    chosen = list(suppliers) or [make_supplier()]
    return load_config().model_copy(
        update={"suppliers": tuple(chosen), "rules": Rules.model_validate(rules)}
    )


def quote_fields(
    *,
    target: str = "5.00",
    limit: str = "8.00",
    lead_target: int = 25,
    lead_limit: int = 45,
    payment: Iterable[str] = ("net 30", "30/70"),
    quantity: int = 100,
    **fields: Any,
) -> dict[str, Any]:
    """A quote for one line of widgets, as a person would write it."""
    return {
        "lines": [{"id": "widget", "product": "Widget", "quantity": quantity}],
        "payment_options": ["net 30", "30/70", "33/33/33"],
        "mandate": {
            "unit_price": {"target": target, "limit": limit},
            "lead_time_days": {"target": lead_target, "limit": lead_limit},
            "payment": list(payment),
        },
        **fields,
    }


def make_quote(config: Config | None = None, **fields: Any) -> Quote:
    """A pending quote; it asks all suppliers of the config."""
    chosen = config or make_config()
    request = read_quote_request(quote_fields(**fields))
    return new_quote(request, chosen.suppliers, lambda: NOON)


def make_negotiations(quote: Quote, config: Config | None = None) -> list[Negotiation]:
    """The negotiations that a quote opens, not saved yet."""
    return open_negotiations(quote, config or make_config(), "tactics", lambda _: "tactics", NOON)


def make_conversation(config: Config | None = None, **fields: Any) -> Conversation:
    """An opened conversation with the first supplier, in which nothing was said."""
    chosen = config or make_config()
    quote = make_quote(chosen, **fields)
    return Conversation.opened(quote, make_negotiations(quote, chosen)[0])


def make_terms(price: str = "7.00", lead_time_days: int = 35, payment: str = "30/70") -> Terms:
    """Terms for the one line of widgets."""
    return Terms.read(
        {
            "unit_prices": {"widget": Decimal(price)},
            "lead_time_days": lead_time_days,
            "payment": payment,
        }
    )


def make_entry(
    conversation: Conversation,
    sender: Sender,
    move: Move | None = Move.TALK,
    *,
    terms: Terms | None = None,
    accepts_seq: int | None = None,
    content: str = "Let us talk.",
    seq: int | None = None,
) -> Entry:
    """The next message of a conversation, before it is saved."""
    return Entry(
        negotiation_id=conversation.negotiation.id,
        seq=seq if seq is not None else conversation.message_count + 1,
        sender=sender,
        content=content,
        move=move,
        terms=terms,
        accepts_seq=accepts_seq,
        origin=Origin.SCRIPT,
    )


def as_saved(entry: Entry) -> Message:
    """An entry as the database would give it back, without a database."""
    fields: Mapping[str, Any] = {name: getattr(entry, name) for name in Entry.model_fields}
    return Message(**fields, id=entry.seq, created_at=NOON, hash="")


def make_intervention(negotiation_id: str = "n-1", number: int = 1, **content: Any) -> Intervention:
    """An intervention as it was received; text alone by default."""
    fields: dict[str, Any] = {
        **dict.fromkeys(Intervention.model_fields),
        "id": f"i-{number}",
        "negotiation_id": negotiation_id,
        "status": "received",
        "created_at": NOON,
        **(content or {"text": "Push on lead time."}),
    }
    return Intervention.model_validate(fields)


def make_call(negotiation: Negotiation, number: int = 1, **changes: Any) -> CallStart:
    """The start of a call of a model; later ones have higher numbers."""
    fields = {
        "id": f"c-{number:016x}",
        "quote_id": negotiation.quote_id,
        "negotiation_id": negotiation.id,
        "draft_id": f"{negotiation.id}/1",
        "side": Side.BRAND,
        "attempt": 1,
        "model": "small",
        "prompt_version": "1",
        "may_cost_tokens": 100,
        "queued_s": 0.25,
        "created_at": NOON + timedelta(seconds=number),
    }
    return CallStart.model_validate(fields | changes)


def make_end(call_id: str, **changes: Any) -> CallEnd:
    """The end of a call that was answered, by default."""
    fields = {"id": call_id, "outcome": Outcome.ANSWERED, "latency_s": 1.5}
    return CallEnd.model_validate(fields | changes)


def guided(conversation: Conversation, number: int = 1, **content: Any) -> Conversation:
    """The conversation after a user message."""
    one = make_intervention(conversation.negotiation.id, number, **content)
    entry = make_entry(conversation, Sender.USER, None, content=one.wording)
    return conversation.guided(as_saved(entry), one)


def said(
    conversation: Conversation, sender: Sender, move: Move | None = Move.TALK, **entry: Any
) -> Conversation:
    """The conversation after one more message."""
    return conversation.said(as_saved(make_entry(conversation, sender, move, **entry)))
