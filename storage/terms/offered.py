"""Terms: what an offer says, of price and of each other kind of term."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from msgspec import Struct
from pydantic import ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from storage.mandates import LineId
from storage.money import Amount
from storage.terms.kind import Record, TermValue


class _WrittenTerms(Record):
    """Terms as JSON and tables hold them: each kind is a field of its own."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, TermValue]

    unit_prices: dict[LineId, Amount]


class Terms(Struct, frozen=True, gc=False):
    """What an offer says: a unit price per line, and a value for each other kind of term.

    The other kinds are fields of their own in JSON and in Python: `terms.lead_time_days`. There are
    more of these than of all else, so they are small, and nothing that Python's garbage collector
    need look at: they hold no way back to themselves.
    """

    unit_prices: Mapping[LineId, Decimal]
    others: Mapping[str, TermValue] = {}
    """The values of the kinds beside the unit prices."""

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Terms:
        """Read them as they are written, or raise ValueError."""
        return cls._of(_WrittenTerms.model_validate(raw))

    def written(self) -> dict[str, Any]:
        """Plain JSON; `read` reads it back."""
        prices = {line_id: str(price) for line_id, price in self.unit_prices.items()}
        return {"unit_prices": prices, **self.others}

    __iter__: ClassVar[None] = None  # else Python would ask for the terms 0, 1, 2 …

    def __getitem__(self, key: str) -> TermValue:
        """The value of one of the other kinds."""
        return self.others[key]

    def __getattr__(self, key: str) -> TermValue:
        """The same: asked for what is no field."""
        try:
            return self.others[key]
        except KeyError:
            raise AttributeError(f"there is no term {key!r}") from None

    def __repr__(self) -> str:
        others = (f"{key}={value!r}" for key, value in self.others.items())
        return f"Terms({', '.join([f'unit_prices={self.unit_prices!r}', *others])})"

    @classmethod
    def _of(cls, written: _WrittenTerms) -> Terms:
        return cls(written.unit_prices, written.__pydantic_extra__)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        def read(raw: object, read_written: Callable[[object], _WrittenTerms]) -> Terms:
            return raw if isinstance(raw, cls) else cls._of(read_written(raw))

        return core_schema.no_info_wrap_validator_function(
            read,
            handler.generate_schema(_WrittenTerms),
            serialization=core_schema.plain_serializer_function_ser_schema(cls.written),
        )
