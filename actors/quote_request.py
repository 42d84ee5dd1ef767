"""Reading a quote from outside: a TOML file, a mapping, or the sample."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from actors.config import mistakes_of, read_toml
from actors.errors import QuoteError
from storage.mandates import UNIT_PRICE, Mandate, PriceRange
from storage.money import DECIMALS, in_currency
from storage.records import Line, Priorities, Quote, QuoteId, QuoteStatus, Supplier, SupplierId
from storage.terms.kind import Record, Side
from storage.terms.kinds import KINDS
from storage.terms.payment import Payment, PaymentBrief

SAMPLE = Path(__file__).parent / "samples" / "quote.toml"


class QuoteRequest(Record):
    """A quote as a person writes it; what is left out has a default."""

    currency: str = "USD"
    notes: str = Field(default="", max_length=500)
    priorities: Priorities = Priorities()
    lines: tuple[Line, ...]
    suppliers: tuple[SupplierId, ...] | None = None
    """None asks all that the config has, and those that the quote brings."""
    supplier: tuple[Supplier, ...] = ()
    """Suppliers that only this quote knows."""
    payment_options: tuple[str, ...] | None = None
    """None offers what the mandate accepts."""
    mandate: Mandate


def read_quote_request(
    source: QuoteRequest | Mapping[str, Any] | Path | str | None,
) -> QuoteRequest:
    """Read a quote.

    Args:
        source: A path to a TOML file, a mapping with the same keys, a QuoteRequest, or None for
            the sample.

    Raises:
        QuoteError: It can't be read, or has mistakes.
    """
    if isinstance(source, QuoteRequest):
        return source
    if isinstance(source, Mapping):
        fields, name = dict(source), "quote"
    else:
        path = SAMPLE if source is None else Path(source)
        fields, name = read_toml(path, QuoteError), str(path)
    try:
        return QuoteRequest.model_validate(_with_line_names(fields))
    except ValidationError as error:
        raise QuoteError(mistakes_of(error, name)) from None


def new_quote(
    request: QuoteRequest, configured: tuple[Supplier, ...], now: Callable[[], datetime]
) -> Quote:
    """Make a pending quote of a request.

    Raises:
        QuoteError: It contradicts itself, or its suppliers can't be asked for it.
    """
    known = {supplier.id: supplier for supplier in (*configured, *request.supplier)}
    asked = request.suppliers if request.suppliers is not None else tuple(known)
    mistakes = [*_mistakes(request), *supplier_mistakes(request, asked, known)]
    if mistakes:
        raise QuoteError(mistakes)
    return Quote(
        id=QuoteId(f"q-{secrets.token_hex(8)}"),
        status=QuoteStatus.PENDING,
        currency=request.currency,
        notes=request.notes,
        priorities=request.priorities,
        lines=request.lines,
        suppliers=asked,
        supplier_names=tuple(known[supplier_id].name for supplier_id in asked),
        brought=tuple(s for s in request.supplier if s.id in asked),
        payment_options=_payment_options(request),
        mandate=_in_currency(request.mandate, request.currency),
        automatic=True,
        created_at=now(),
        completed_at=None,
    )


def _with_line_names(fields: dict[str, Any]) -> dict[str, Any]:
    """Number lines that have no id, and let `unit_price` stand for the only line's."""
    lines = fields.get("lines")
    if not isinstance(lines, list | tuple) or not all(isinstance(x, Mapping) for x in lines):
        return fields
    named = [{"id": f"line-{place}", **line} for place, line in enumerate(lines, start=1)]
    mandate = fields.get("mandate")
    if isinstance(mandate, Mapping) and UNIT_PRICE in mandate and len(named) == 1:
        key = f"{named[0]['id']}.{UNIT_PRICE}"
        mandate = {key if k == UNIT_PRICE else k: v for k, v in mandate.items()}
    return {**fields, "lines": named, "mandate": mandate}


def _mistakes(request: QuoteRequest) -> Iterator[str]:
    ids = [line.id for line in request.lines]
    if len(set(ids)) < len(ids):
        yield "lines: two lines have the same id"
    brought = [supplier.id for supplier in request.supplier]
    if len(set(brought)) < len(brought):
        yield "supplier: two have the same id"
    if not any(line.quantity > 0 for line in request.lines):
        yield "lines: no line has a quantity above 0"
    if request.currency not in DECIMALS:
        yield f"currency: unknown currency {request.currency!r}: write a code such as USD"
    if set(request.mandate.prices) != set(ids):
        yield f"mandate: give {' and '.join(f'{i}.{UNIT_PRICE}' for i in ids)}, and no other prices"
    for line_id, prices in request.mandate.prices.items():
        field = f"mandate.{line_id}.{UNIT_PRICE}"
        yield from _failing(field, prices.check, Side.BRAND)
        if request.currency in DECIMALS:
            yield from _failing(field, _exact, prices, request.currency)
    for kind in KINDS:
        brief = request.mandate.terms[kind.key]
        yield from _failing(f"mandate.{kind.key}", kind.check_brief, brief, Side.BRAND)
    yield from _payment_mistakes(request)


def supplier_mistakes(
    request: QuoteRequest | Quote,
    asked: tuple[SupplierId, ...],
    known: Mapping[SupplierId, Supplier],
) -> Iterator[str]:
    """Why the suppliers that are asked can't be asked for this, a line each."""
    if not asked:
        yield "suppliers: name at least one"
    if len(set(asked)) < len(asked):
        yield "suppliers: one is named twice"
    for supplier_id in dict.fromkeys(asked):
        supplier = known.get(supplier_id)
        if supplier is None:
            yield f"suppliers: unknown supplier {supplier_id!r}: known are {', '.join(known)}"
            continue
        if supplier.currency != request.currency:
            yield f"currency: {supplier_id} prices in {supplier.currency}, not {request.currency}"
        for line in request.lines:
            if line.product not in supplier.private.prices:
                yield f"lines.{line.id}: {supplier_id} has no price for {line.product!r}"


def _payment_mistakes(request: QuoteRequest) -> Iterator[str]:
    unreadable = [
        mistake
        for option in request.payment_options or ()
        for mistake in _failing("payment_options", Payment().read, option)
    ]
    yield from unreadable
    if not unreadable and not set(_payment_options(request)) & set(_acceptable(request)):
        yield "payment_options: the mandate accepts none of them"


def _failing(field: str, check: Callable[..., object], *values: object) -> Iterator[str]:
    try:
        check(*values)
    except ValueError as error:
        yield f"{field}: {error}"


def _payment_options(request: QuoteRequest) -> tuple[str, ...]:
    options = request.payment_options or _acceptable(request)
    return tuple(dict.fromkeys(Payment().read(option) for option in options))


def _acceptable(request: QuoteRequest) -> tuple[str, ...]:
    brief = request.mandate.terms[Payment.key]
    assert isinstance(brief, PaymentBrief)  # noqa: S101 - read by that kind
    return brief.acceptable


def _exact(prices: PriceRange, currency: str) -> PriceRange:
    return PriceRange(
        target=in_currency(prices.target, currency), limit=in_currency(prices.limit, currency)
    )


def _in_currency(mandate: Mandate, currency: str) -> Mandate:
    prices = {line_id: _exact(prices, currency) for line_id, prices in mandate.prices.items()}
    return Mandate(prices=prices, terms=mandate.terms)
