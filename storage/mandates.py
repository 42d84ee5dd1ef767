"""Mandates: a side's private brief, its targets and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, NewType, TypeVar

from pydantic import AfterValidator, AliasChoices, Field, model_serializer, model_validator

from storage.money import Amount
from storage.terms.kind import Record, Side, TermBrief
from storage.terms.kinds import KINDS, kind_of

LineId = NewType("LineId", str)
"""Text from the quote, unique in it, such as `bottle`."""

UNIT_PRICE = "unit_price"

K = TypeVar("K")
V = TypeVar("V")
ReadOnly = Annotated[Mapping[K, V], AfterValidator(MappingProxyType)]
"""A mapping that nobody can change, whoever is shown it."""


class PriceRange(Record):
    """What a side wants for a line and where it stops; a supplier's list and floor price."""

    target: Amount = Field(validation_alias=AliasChoices("target", "list"))
    limit: Amount = Field(validation_alias=AliasChoices("limit", "floor"))

    def check(self, side: Side) -> None:
        """Raise ValueError when the limit lies on the wrong side of the target."""
        if side is Side.BRAND and self.limit < self.target:
            raise ValueError(f"the limit {self.limit} must not be below the target {self.target}")
        if side is Side.SUPPLIER and self.limit > self.target:
            raise ValueError(f"the floor {self.limit} is above the list price {self.target}")

    def allows(self, price: Decimal, side: Side) -> bool:
        """Whether a price keeps the side's hard limit."""
        return price <= self.limit if side is Side.BRAND else price >= self.limit

    def limited(self, limit: Decimal) -> PriceRange:
        """The brand's range with another limit; one that passes the target takes it along."""
        if limit <= 0:
            raise ValueError("a price limit must be above 0")
        return PriceRange(target=min(self.target, limit), limit=limit)


class Mandate(Record):
    """A side's private brief: for each line and each kind of term, its target and its limit.

    In JSON its keys are those of limits everywhere: `<line id>.unit_price`, `lead_time_days`,
    `payment`; `unit_price` alone is understood where a quote has one line.
    """

    prices: ReadOnly[LineId, PriceRange]
    terms: ReadOnly[str, TermBrief]

    @model_validator(mode="before")
    @classmethod
    def _read_keys(cls, raw: Any) -> Any:
        if not isinstance(raw, Mapping) or set(raw) == {"prices", "terms"}:
            return raw
        prices: dict[str, Any] = {}
        terms: dict[str, Any] = {}
        for key, value in raw.items():
            line_id, _, last = str(key).rpartition(".")
            if last == UNIT_PRICE:
                prices[line_id] = value
            elif key in {kind.key for kind in KINDS}:
                terms[key] = read_brief(key, value)
            else:
                raise ValueError(f"unknown key {key!r}: write {', '.join(limit_keys())}")
        return {"prices": prices, "terms": terms}

    @model_serializer(mode="plain")
    def _write_keys(self) -> dict[str, Any]:
        prices = {
            f"{line_id}.{UNIT_PRICE}": {"target": str(p.target), "limit": str(p.limit)}
            for line_id, p in self.prices.items()
        }
        return prices | {k.key: k.write_brief(self.terms[k.key]) for k in KINDS}

    @model_validator(mode="after")
    def _complete(self) -> Mandate:
        missing = [k.key for k in KINDS if not isinstance(self.terms.get(k.key), k.brief_type)]
        if missing:
            raise ValueError(f"it says nothing about {', '.join(missing)}")
        return self


def limit_keys() -> list[str]:
    """How limits are named, for error messages."""
    return [f"<line id>.{UNIT_PRICE}", *(kind.key for kind in KINDS)]


def read_brief(key: str, raw: object) -> TermBrief:
    """Read a brief by the name of its kind, or raise ValueError that begins with the name."""
    try:
        brief: TermBrief = kind_of(key).read_brief(raw)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None
    return brief
