"""The nouns, as they are on disk and in memory: frozen records without behaviour of their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, NewType, Self

from pydantic import (
    AfterValidator,
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    model_serializer,
    model_validator,
)

from storage.mandates import LineId, Mandate, PriceRange, is_read, read_terms
from storage.mistakes import Mistakes, unknown_key
from storage.money import Amount, Currency, rounded
from storage.rules import Rules
from storage.shown import Shown, short
from storage.terms.kind import Record, Side, TermBrief, TermValue
from storage.terms.kinds import KINDS
from storage.terms.offered import Terms
from storage.terms.payment import Payment

QuoteId = NewType("QuoteId", str)
"""Text: `q-` and 16 hexadecimal digits."""
NegotiationId = NewType("NegotiationId", str)
"""Text: `n-` and 16 hexadecimal digits."""
SupplierId = NewType("SupplierId", str)
"""Text from the config, such as `supplier-1`."""

PAYMENT = Payment.key


def write_time(moment: datetime) -> str:
    """Write a time as ISO 8601 in UTC with six decimals and `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


Moment = Annotated[datetime, PlainSerializer(write_time, return_type=str, when_used="json")]
"""An aware time in UTC."""


class Sender(StrEnum):
    """Who said a message."""

    BRAND = "brand"
    SUPPLIER = "supplier"
    USER = "user"


class Move(StrEnum):
    """What a message does."""

    OFFER = "offer"
    ACCEPT = "accept"
    WALK_AWAY = "walk_away"
    TALK = "talk"


class Origin(StrEnum):
    """Who worded a message: a model's words are never mistaken for another's."""

    TACTICS = "tactics"
    MISTRAL = "mistral"
    NARRATED = "narrated"
    SCRIPT = "script"
    PERSON = "person"
    FALLBACK = "fallback"


class QuoteStatus(StrEnum):
    """Where a quote stands."""

    PENDING = "pending"
    NEGOTIATING = "negotiating"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class NegotiationStatus(StrEnum):
    """Where a negotiation stands; `completed` means agreed."""

    ACTIVE = "active"
    COMPLETED = "completed"
    IMPASSE = "impasse"


class Reason(StrEnum):
    """Why a negotiation ended in impasse."""

    WALK_AWAY = "walk_away"
    MAX_ROUNDS = "max_rounds"
    NO_PROGRESS = "no_progress"
    BUDGET = "budget"
    USER_ENDED = "user_ended"
    CANCELLED = "cancelled"


class Line(Record):
    """One product of a quote."""

    id: LineId = Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")
    product: str = Field(min_length=1, max_length=200)
    quantity: Amount
    """In `unit`; 0 is allowed for a line whose price is only asked."""
    unit: str = Field(default="pcs", min_length=1, max_length=20)


class Priorities(Record):
    """How the brand weighs its wishes; the four sum to 100."""

    quality: int = Field(default=25, ge=0, le=100)
    cost: int = Field(default=25, ge=0, le=100)
    lead_time: int = Field(default=25, ge=0, le=100)
    payment_terms: int = Field(default=25, ge=0, le=100)

    @model_validator(mode="after")
    def _sum_to_100(self) -> Priorities:
        total = self.quality + self.cost + self.lead_time + self.payment_terms
        if total != 100:
            raise ValueError(f"the four sum to {total}: write whole numbers that sum to 100")
        return self


class Request(Record):
    """The public part of a quote: all that its suppliers may read."""

    currency: str
    lines: tuple[Line, ...]
    notes: str
    payment_options: tuple[str, ...]

    def line_total(self, line: Line, unit_price: Decimal) -> Decimal:
        """Quantity times price, in the quote's currency."""
        return rounded(line.quantity * unit_price, self.currency)

    def total(self, terms: Terms) -> Decimal:
        """The sum of all lines, in the quote's currency."""
        prices = terms.unit_prices
        totals = [self.line_total(line, prices[line.id]) for line in self.lines]
        return sum(totals, Decimal(0))

    def permits(self, key: str, value: TermValue) -> bool:
        """Whether an offer may carry this value: a payment must be one of the options."""
        return key != PAYMENT or value in self.payment_options

    @property
    def quantity(self) -> Decimal:
        """The units of all lines together; above 0."""
        return sum((line.quantity for line in self.lines), Decimal(0))


class Style(Record):
    """How a side bargains and sounds when tactics speak for it; what is None is tactics' choice."""

    hard: float | None = Field(default=None, gt=0, le=5)
    """β of the slowest concession that it makes: below 1 it holds out, above 1 it gives early."""
    soft: float | None = Field(default=None, gt=0, le=5)
    """β of the fastest concession that it makes when the other side gives."""
    reciprocity: float = Field(default=1.0, ge=0, le=3)
    """γ: how much of a counterpart's gain it gives back."""
    reserve: float = Field(default=0.10, ge=0, lt=1)
    """φ: the share of its span that it never offers away."""
    voice: str = "plain"


class SupplierProfile(Record):
    """What everybody may know of a supplier."""

    id: SupplierId = Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")
    name: str = Field(min_length=1, max_length=80)
    quality: float = Field(ge=0, le=5)
    """The brand's rating of what it delivers, 0 to 5."""
    about: str = Field(default="", max_length=500)


def _floor_at_or_below_list(prices: PriceRange) -> PriceRange:
    prices.check(Side.SUPPLIER)
    return prices


class SupplierPrivate(Record):
    """What only the supplier's own agent sees."""

    prices: dict[str, Annotated[PriceRange, AfterValidator(_floor_at_or_below_list)]]
    """By product: list and floor price."""
    terms: dict[str, TermBrief]
    style: Style = Style()
    negotiator: str | None = None
    """Who speaks for this supplier, by name; None takes the config's choice for suppliers."""

    @model_validator(mode="wrap")
    @classmethod
    def _read_keys(cls, raw: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(raw, Mapping) or is_read(raw):
            return read(raw)
        mistakes = Mistakes()
        terms = read_terms(raw, mistakes)
        for kind in KINDS:
            if kind.key in terms:
                with mistakes.at(kind.key):
                    kind.check_brief(terms[kind.key], Side.SUPPLIER)
        fields = [name for name in cls.model_fields if name != "terms"]
        known = [*fields, *(kind.key for kind in KINDS)]
        for key in raw:
            if key not in known:
                mistakes.add(unknown_key(key, known), key)
        with mistakes.at(model=cls):
            made = read({**{name: raw[name] for name in fields if name in raw}, "terms": terms})
        mistakes.raise_any()
        return made

    @model_serializer(mode="plain")
    def _write_keys(self) -> dict[str, Any]:
        prices = {p: {"list": str(r.target), "floor": str(r.limit)} for p, r in self.prices.items()}
        briefs = {kind.key: kind.write_brief(self.terms[kind.key]) for kind in KINDS}
        style = self.style.model_dump(mode="json")
        return {"prices": prices, **briefs, "style": style, "negotiator": self.negotiator}


class Supplier(SupplierProfile):
    """Who is asked: a public profile, and a private side."""

    currency: Currency
    """Of its prices; a quote in another one can't ask it."""
    private: SupplierPrivate

    @property
    def profile(self) -> SupplierProfile:
        """The public part alone."""
        return SupplierProfile(id=self.id, name=self.name, quality=self.quality, about=self.about)

    def mandate_for(self, lines: tuple[Line, ...]) -> Mandate:
        """The supplier's mandate in a quote with these lines, all of whose products it prices."""
        prices = {line.id: self.private.prices[line.product] for line in lines}
        return Mandate(prices=prices, terms=self.private.terms)


class Quote(Shown):
    """The brand's request, as saved."""

    id: QuoteId
    status: QuoteStatus
    currency: str
    notes: str
    priorities: Priorities
    lines: tuple[Line, ...]
    suppliers: tuple[SupplierId, ...]
    """Who is asked."""
    supplier_names: tuple[str, ...]
    """Their names, in the same order: no supplier may be told the others'."""
    brought: tuple[Supplier, ...]
    """Those of them that the quote itself describes; the config describes the others."""
    payment_options: tuple[str, ...]
    mandate: Mandate
    automatic: bool
    created_at: Moment
    completed_at: Moment | None

    def __hash__(self) -> int:
        """Equal quotes have the same id; the mandate in them can't be hashed."""
        return hash(self.id)

    def in_short(self) -> str:
        """Such as `q-45db45f2b9c38e3d negotiating, lines: 2, suppliers: 3`."""
        counts = f"lines: {len(self.lines)}, suppliers: {len(self.suppliers)}"
        return f"{short(self.id)} {self.status}, {counts}"

    @cached_property
    def request(self) -> Request:
        """The part that suppliers may read."""
        return Request(
            currency=self.currency,
            lines=self.lines,
            notes=self.notes,
            payment_options=self.payment_options,
        )


class Ending(Record):
    """How a negotiation ends."""

    status: NegotiationStatus
    reason: Reason | None
    agreed_terms: Terms | None


class Entry(Record):
    """A message before it is saved."""

    negotiation_id: NegotiationId
    seq: int
    sender: Sender
    content: str
    move: Move | None
    """None for a person's message."""
    terms: Terms | None
    """What is offered, or what is accepted."""
    accepts_seq: int | None
    """The seq of the offer that an accept takes."""
    origin: Origin


class Message(Entry, Shown):
    """One saved entry of a conversation; `seq` counts from 1."""

    id: int
    created_at: Moment
    hash: str
    """SHA-256 over its columns and the hash before it, in hexadecimal."""

    def in_short(self) -> str:
        """Such as `n-b43d7141bfe4c41b 14: supplier offer, 'We can do…'`; no words of a person."""
        head = f"{short(self.negotiation_id)} {self.seq}: {self.sender}"
        if self.sender is Sender.USER:
            return head
        accepted = f" of {self.accepts_seq}" if self.accepts_seq else ""
        return f"{head} {self.move}{accepted}, '{short(self.content)}'"


class Negotiation(Shown):
    """One quote with one supplier, as saved, with all that its later moves depend on."""

    id: NegotiationId
    quote_id: QuoteId
    supplier_id: SupplierId
    status: NegotiationStatus
    reason: Reason | None
    rounds: int
    """The supplier's messages so far."""
    agreed_terms: Terms | None
    last_error: str | None
    """Why it is parked; None when it is not."""
    supplier: Supplier
    mandate: Mandate
    """The brand's, with the limits that are in force."""
    rules: Rules
    automatic: bool
    brand_negotiator: str
    supplier_negotiator: str
    message_count: int
    last_hash: str
    last_message_at: Moment | None
    brief_hash: str
    row_hash: str
    created_at: Moment
    ended_at: Moment | None

    def in_short(self) -> str:
        """Such as `n-b43d7141bfe4c41b active with supplier-1, 3 rounds: parked, no move…`."""
        parked = f"parked, {short(self.last_error)}" if self.last_error else None
        why = f": {self.reason or parked}" if self.reason or parked else ""
        supplier = short(self.supplier_id)
        return f"{short(self.id)} {self.status} with {supplier}, {self.rounds} rounds{why}"


def is_parked(negotiation: Negotiation) -> bool:
    """Whether it is active, and nothing moves it by itself."""
    return negotiation.status is NegotiationStatus.ACTIVE and negotiation.last_error is not None
