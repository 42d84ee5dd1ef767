"""Mandates: a side's private brief, its targets and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, NewType, TypeVar

from pydantic import AfterValidator, AliasChoices, Field, model_serializer, model_validator

from storage.mistakes import Mistakes, unknown_key
from storage.money import Amount
from storage.terms.kind import Record, Side, TermBrief
from storage.terms.kinds import KINDS

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
            raise ValueError("the limit must not be below the target")
        if side is Side.SUPPLIER and self.limit > self.target:
            raise ValueError("the floor must not be above the list price")

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
        if not isinstance(raw, Mapping) or is_read(raw):
            return raw
        mistakes = Mistakes()
        prices, terms = read_limits(raw, mistakes)
        mistakes.raise_any()
        return {"prices": prices, "terms": terms}

    @model_serializer(mode="plain")
    def _write_keys(self) -> dict[str, Any]:
        prices = {
            f"{line_id}.{UNIT_PRICE}": {"target": str(p.target), "limit": str(p.limit)}
            for line_id, p in self.prices.items()
        }
        return prices | {k.key: k.write_brief(self.terms[k.key]) for k in KINDS}


def limit_keys() -> list[str]:
    """How limits are named, for error messages."""
    return [f"<line id>.{UNIT_PRICE}", *(kind.key for kind in KINDS)]


def is_read(raw: Mapping[str, Any]) -> bool:
    """Whether the kinds of terms in it are briefs already, and not yet what a person writes."""
    terms = raw.get("terms")
    return isinstance(terms, Mapping) and {key: type(brief) for key, brief in terms.items()} == {
        kind.key: kind.brief_type for kind in KINDS
    }


def read_limits(
    raw: Mapping[str, Any], mistakes: Mistakes
) -> tuple[dict[LineId, PriceRange], dict[str, TermBrief]]:
    """Read what can be read of a mandate, by line and by kind, and note what is wrong."""
    prices: dict[LineId, PriceRange] = {}
    for key, value in raw.items():
        line_id, _, last = str(key).rpartition(".")
        if last == UNIT_PRICE:
            with mistakes.at(key, model=PriceRange):
                prices[LineId(line_id)] = PriceRange.model_validate(value)
        elif key not in {kind.key for kind in KINDS}:
            mistakes.add(unknown_key(key, limit_keys()), key)
    return prices, read_terms(raw, mistakes)


def read_terms(raw: Mapping[str, Any], mistakes: Mistakes) -> dict[str, TermBrief]:
    """Read a brief of each kind of term, and note what is wrong or missing."""
    terms: dict[str, TermBrief] = {}
    for kind in KINDS:
        with mistakes.at(kind.key, model=kind.brief_type):
            if kind.key not in raw:
                raise ValueError("is missing: add it")
            terms[kind.key] = kind.read_brief(raw[kind.key])
    return terms
