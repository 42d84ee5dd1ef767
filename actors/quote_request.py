"""Reading a quote from outside: a TOML file, a mapping, or the sample."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator

from actors.config import Suppliers, distinct, ids_in, line_of
from actors.errors import QuoteError
from actors.toml_file import read_toml
from storage.mandates import UNIT_PRICE, LineId, Mandate, PriceRange, is_read, read_limits
from storage.mistakes import Mistakes, mistakes_in
from storage.money import Currency, in_currency
from storage.records import Line, Priorities, Quote, QuoteId, QuoteStatus, Supplier, SupplierId
from storage.terms.kind import Record, Side, TermBrief
from storage.terms.kinds import KINDS
from storage.terms.payment import Payment, PaymentBrief

SAMPLE = Path(__file__).parent / "samples" / "quote.toml"
LONGEST_ID = 60
"""Characters after which an unknown id is cut in a message about it."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a quote is checked against while it is read."""

    configured: tuple[Supplier, ...] | None = None
    """The suppliers that the config has; None leaves it open whether those asked can be asked."""
    line_ids: tuple[str, ...] = ()
    """Of the lines, those with mistakes too."""
    brought_ids: tuple[str, ...] = ()
    """Of the suppliers that the quote brings, those with mistakes too."""


class QuoteRequest(Record):
    """A quote as a person writes it; what is left out has a default.

    The order counts: a field is checked against those above it that could be read.
    """

    currency: Currency = "USD"
    notes: str = Field(default="", max_length=500)
    priorities: Priorities = Priorities()
    lines: Annotated[tuple[Line, ...], distinct(Line)]
    supplier: Suppliers = ()
    """Suppliers that only this quote knows."""
    payment_options: tuple[Annotated[str, AfterValidator(Payment().read)], ...] | None = None
    """None offers what the mandate accepts."""
    mandate: Mandate
    suppliers: tuple[SupplierId, ...] | None = Field(default=None, validate_default=True)
    """None asks all that the config has, and those that the quote brings."""

    @field_validator("lines")
    @classmethod
    def _asks_for_something(cls, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        if not any(line.quantity > 0 for line in lines):
            raise ValueError("no line has a quantity above 0: write one")
        return lines

    @field_validator("mandate", mode="before")
    @classmethod
    def _suits_the_quote(cls, raw: Any, info: ValidationInfo) -> Any:
        if not isinstance(raw, Mapping) or is_read(raw):
            return raw
        mistakes = Mistakes()
        prices, terms = read_limits(raw, mistakes)
        _check_prices(prices, info.data.get("currency"), mistakes)
        _check_line_ids(raw, _surroundings(info).line_ids, mistakes)
        for kind in KINDS:
            if kind.key in terms:
                with mistakes.at(kind.key):
                    kind.check_brief(terms[kind.key], Side.BRAND)
        options = info.data.get("payment_options")
        if options and Payment.key in terms and not set(options) & set(_acceptable(terms)):
            mistakes.add("accepts none of payment_options: list one of them", Payment.key)
        mistakes.raise_any()
        return {"prices": prices, "terms": terms}

    @field_validator("suppliers")
    @classmethod
    def _can_be_asked(
        cls, suppliers: tuple[SupplierId, ...] | None, info: ValidationInfo
    ) -> tuple[SupplierId, ...] | None:
        around = _surroundings(info)
        if around.configured is None:
            return suppliers
        known = {s.id: s for s in (*around.configured, *info.data.get("supplier", ()))}
        asked = suppliers if suppliers is not None else tuple(known)
        unread = [s for s in around.brought_ids if s not in known]
        mistakes = Mistakes()
        lines, currency = info.data.get("lines", ()), info.data.get("currency")
        for words in supplier_mistakes(asked, known, lines, currency, unread):
            mistakes.add(words)
        mistakes.raise_any()
        return suppliers


def read_quote_request(
    source: QuoteRequest | Mapping[str, Any] | Path | str | None,
    configured: tuple[Supplier, ...] | None = None,
) -> QuoteRequest:
    """Read a quote.

    Args:
        source: A path to a TOML file, a mapping with the same keys, a QuoteRequest, or None for
            the sample.
        configured: The suppliers that the config has; None leaves it to `new_quote` to find out
            whether those asked can be asked.

    Raises:
        QuoteError: It can't be read, or has mistakes; all are listed.
    """
    if isinstance(source, QuoteRequest):
        return source
    if isinstance(source, Mapping):
        fields, name = dict(source), "quote"
    else:
        path = SAMPLE if source is None else Path(source)
        fields, name = read_toml(path, QuoteError), str(path)
    fields = _with_line_names(fields)
    around = Surroundings(
        configured=configured,
        line_ids=tuple(ids_in(fields.get("lines")).values()),
        brought_ids=tuple(ids_in(fields.get("supplier")).values()),
    )
    try:
        return QuoteRequest.model_validate(fields, context=around)
    except ValidationError as error:
        found = mistakes_in(error, QuoteRequest)
        raise QuoteError([line_of(name, field, words) for field, words in found]) from None


def new_quote(
    request: QuoteRequest, configured: tuple[Supplier, ...], now: Callable[[], datetime]
) -> Quote:
    """Make a pending quote of a request.

    Raises:
        QuoteError: Its suppliers can't be asked for it.
    """
    known = {supplier.id: supplier for supplier in (*configured, *request.supplier)}
    asked = request.suppliers if request.suppliers is not None else tuple(known)
    mistakes = supplier_mistakes(asked, known, request.lines, request.currency)
    if mistakes:
        raise QuoteError([line_of("quote", ("suppliers",), words) for words in mistakes])
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


def supplier_mistakes(
    asked: tuple[SupplierId, ...],
    known: Mapping[SupplierId, Supplier],
    lines: Iterable[Line],
    currency: str | None,
    unread: Iterable[str] = (),
) -> list[str]:
    """Why the suppliers that are asked can't be asked for these lines.

    Args:
        currency: The quote's; None when it could not be read.
        unread: Ids of suppliers that could not be read.
    """
    mistakes: list[str] = []
    if not asked and not list(unread):
        mistakes.append("name at least one")
    if len(set(asked)) < len(asked):
        mistakes.append("one is named twice: name each once")
    for supplier_id in dict.fromkeys(asked):
        supplier = known.get(supplier_id)
        if supplier is None:
            if supplier_id not in unread:
                shown, names = supplier_id[:LONGEST_ID], ", ".join(known)
                mistakes.append(f"unknown supplier {shown!r}: known are {names}")
            continue
        if currency is not None and supplier.currency != currency:
            mistakes.append(
                f"{supplier_id} prices in {supplier.currency}, not {currency}: don't ask it"
            )
        mistakes += [
            f"{supplier_id} has no price for {line.product!r}: ask others for {line.id}"
            for line in lines
            if line.product not in supplier.private.prices
        ]
    return mistakes


def _surroundings(info: ValidationInfo) -> Surroundings:
    return info.context if isinstance(info.context, Surroundings) else Surroundings()


def _with_line_names(fields: dict[str, Any]) -> dict[str, Any]:
    """Number lines that have no id, and let `unit_price` stand for the only line's."""
    lines = fields.get("lines")
    if not isinstance(lines, list | tuple):
        return fields
    named = [
        {"id": f"line-{place}", **line} if isinstance(line, Mapping) else line
        for place, line in enumerate(lines, start=1)
    ]
    mandate = fields.get("mandate")
    ids = ids_in(named)
    if isinstance(mandate, Mapping) and UNIT_PRICE in mandate and len(named) == len(ids) == 1:
        key = f"{ids[0]}.{UNIT_PRICE}"
        mandate = {key if k == UNIT_PRICE else k: v for k, v in mandate.items()}
        return {**fields, "lines": named, "mandate": mandate}
    return {**fields, "lines": named}


def _check_prices(
    prices: Mapping[LineId, PriceRange], currency: str | None, mistakes: Mistakes
) -> None:
    for line_id, of_line in prices.items():
        key = f"{line_id}.{UNIT_PRICE}".removeprefix(".")
        with mistakes.at(key):
            of_line.check(Side.BRAND)
        if currency is None:
            continue
        for name in PriceRange.model_fields:
            with mistakes.at(key, name):
                in_currency(getattr(of_line, name), currency)


def _check_line_ids(raw: Mapping[str, Any], line_ids: tuple[str, ...], mistakes: Mistakes) -> None:
    keys = [f"{line_id}.{UNIT_PRICE}" for line_id in dict.fromkeys(line_ids)]
    if not keys:
        return  # there are no lines that could be read, and that is a mistake of its own
    for key in keys:
        if key not in raw:
            mistakes.add("is missing: add it", key)
    for key in raw:
        if str(key).rpartition(".")[2] == UNIT_PRICE and key not in keys:
            mistakes.add(f"there is no such line: write {' and '.join(keys)}", key)


def _payment_options(request: QuoteRequest) -> tuple[str, ...]:
    options = request.payment_options or _acceptable(request.mandate.terms)
    return tuple(dict.fromkeys(options))


def _acceptable(terms: Mapping[str, TermBrief]) -> tuple[str, ...]:
    brief = terms[Payment.key]
    assert isinstance(brief, PaymentBrief)  # noqa: S101 - read by that kind
    return brief.acceptable


def _in_currency(mandate: Mandate, currency: str) -> Mandate:
    prices = {
        line_id: PriceRange(
            target=in_currency(of_line.target, currency), limit=in_currency(of_line.limit, currency)
        )
        for line_id, of_line in mandate.prices.items()
    }
    return Mandate(prices=prices, terms=mandate.terms)
