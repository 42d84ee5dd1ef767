"""A kind of term: how its values are read, limited, valued and worded.

A new kind is one file beside this one that implements `TermKind`, its test, and its line in
`kinds.py`. Rules, tactics, config and tables then carry it without knowing its name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

from msgspec import Struct
from pydantic import BaseModel, ConfigDict

TermValue = int | str
"""A value of a term in its one canonical form: equal terms are equal values."""


class Side(StrEnum):
    """The two sides of a negotiation."""

    BRAND = "brand"
    SUPPLIER = "supplier"

    @property
    def other(self) -> Side:
        """The counterpart."""
        return Side.SUPPLIER if self is Side.BRAND else Side.BRAND


class Record(BaseModel):
    """The base of all nouns: frozen, and with no field that nobody asked for."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,  # an error must not carry a limit into a log
    )


class TermBrief(Record):
    """What one side privately wants of one kind of term, and where it stops."""


class Scale(Struct, frozen=True, gc=False):
    """What turns a term's value into money, so that it can be traded against price."""

    unit_price: float
    """The side's target price, currency per unit, averaged over the lines by quantity."""
    price_range: float
    """From the side's price limit to its target, currency per unit."""
    quantity: float
    """Units in all lines together."""
    weight: float
    """How heavy this kind weighs against price: 1 is as heavy."""


B = TypeVar("B", bound=TermBrief)


class TermKind(ABC, Generic[B]):
    """One kind of term; stateless, and the same for both sides unless a method takes the side."""

    key: ClassVar[str]
    """Its name in terms, mandates and limits, with its unit where it has one."""
    priority: ClassVar[str]
    """Which of the brand's priorities weighs it."""
    brief_type: ClassVar[type[TermBrief]]
    json_schema: ClassVar[Mapping[str, Any]]
    """What a value is in JSON, for a model that answers by a schema; `read` checks it."""

    @abstractmethod
    def read(self, raw: object) -> TermValue:
        """Read a value from outside into its canonical form, or raise ValueError."""

    @abstractmethod
    def read_brief(self, raw: object) -> B:
        """Read a side's brief as it stands in a mandate.

        Raises:
            ValueError: It can't be read; `storage.mistakes` puts every mistake in words.
        """

    @abstractmethod
    def write_brief(self, brief: B) -> Any:
        """The brief as plain JSON; `read_brief` reads it back."""

    @abstractmethod
    def check_brief(self, brief: B, side: Side) -> None:
        """Raise ValueError when the limit lies on the wrong side of the target."""

    @abstractmethod
    def limited(self, brief: B, raw: object) -> B:
        """The brand's brief with another limit, as a person wrote it, or raise ValueError.

        A limit that passes its target takes the target along.
        """

    @abstractmethod
    def allows(self, brief: B, value: TermValue, side: Side) -> bool:
        """Whether the value keeps the side's hard limit."""

    @abstractmethod
    def candidates(
        self, brief: B, side: Side, seen: tuple[TermValue, ...]
    ) -> tuple[TermValue, ...]:
        """Values worth proposing, in canonical order: all keep the limit, best first.

        Args:
            seen: What the counterpart has offered, to be met where the limit allows it.
        """

    @abstractmethod
    def worth(self, brief: B, value: TermValue, side: Side, scale: Scale) -> float:
        """What the value is worth to the side, currency per unit: 0 at its limit, never below."""

    @abstractmethod
    def likeness(self, value: TermValue, other: TermValue) -> float:
        """How near two values are: 1 when equal, towards 0 the further apart."""

    @abstractmethod
    def words(self, value: TermValue) -> str:
        """The value as a person reads it."""
