"""Lead time: calendar days from the order to the delivery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AliasChoices, Field

from storage.money import Amount
from storage.terms.kind import Scale, Side, TermBrief, TermKind, TermValue

LONGEST_LEAD_TIME_DAYS = 3650

Days = Annotated[int, Field(strict=True, ge=0, le=LONGEST_LEAD_TIME_DAYS)]


class LeadTimeBrief(TermBrief):
    """The days a side wants and the days where it stops; a supplier's standard and shortest."""

    target: Days = Field(validation_alias=AliasChoices("target", "standard"))
    limit: Days = Field(validation_alias=AliasChoices("limit", "shortest"))
    day_cost: Amount | None = None
    """What each day saved costs a supplier, in the quote's currency for the whole order."""


class LeadTime(TermKind[LeadTimeBrief]):
    """The brand wants few days and can wait until its limit; the supplier the other way round."""

    key: ClassVar[str] = "lead_time_days"
    priority: ClassVar[str] = "lead_time"
    brief_type = LeadTimeBrief
    json_schema: ClassVar[Mapping[str, Any]] = {"type": "integer"}

    def read(self, raw: object) -> int:
        """Read whole days; a float, a bool or text is refused."""
        if isinstance(raw, bool) or not isinstance(raw, int):
            raise ValueError(f"expected whole days, such as 35, not {str(raw)[:40]!r}")
        if not 0 <= raw <= LONGEST_LEAD_TIME_DAYS:
            raise ValueError(f"expected 0 to {LONGEST_LEAD_TIME_DAYS} days, not {str(raw)[:40]}")
        return raw

    def read_brief(self, raw: object) -> LeadTimeBrief:
        """Read `{target = 30, limit = 45}`, with `day_cost` for a supplier."""
        return LeadTimeBrief.model_validate(raw)

    def write_brief(self, brief: LeadTimeBrief) -> dict[str, Any]:
        """The brief as a JSON object."""
        return brief.model_dump(mode="json", exclude_none=True)

    def check_brief(self, brief: LeadTimeBrief, side: Side) -> None:
        """The brand's limit is at or above its target, a supplier's at or below."""
        if side is Side.BRAND and brief.limit < brief.target:
            raise ValueError("the limit must not be below the target")
        if side is Side.SUPPLIER and brief.limit > brief.target:
            raise ValueError("the shortest must not be above the standard")

    def limited(self, brief: LeadTimeBrief, raw: object) -> LeadTimeBrief:
        """The most days that the brand can wait for."""
        days = self.read(raw)
        return LeadTimeBrief(target=min(brief.target, days), limit=days, day_cost=brief.day_cost)

    def allows(self, brief: LeadTimeBrief, value: TermValue, side: Side) -> bool:
        """The brand takes nothing longer than its limit, a supplier nothing shorter."""
        days = int(value)
        return days <= brief.limit if side is Side.BRAND else days >= brief.limit

    def candidates(
        self, brief: LeadTimeBrief, side: Side, seen: tuple[TermValue, ...]
    ) -> tuple[TermValue, ...]:
        """The target, the limit, the middle, and what the counterpart asked for."""
        days = {brief.target, brief.limit, (brief.target + brief.limit) // 2, *map(int, seen)}
        allowed = [value for value in days if self.allows(brief, value, side)]
        return tuple(sorted(allowed, reverse=side is Side.SUPPLIER))

    def worth(self, brief: LeadTimeBrief, value: TermValue, side: Side, scale: Scale) -> float:
        """Days away from the limit, up to the target: at their cost, or as a share of the range."""
        available = abs(brief.target - brief.limit)
        away = (brief.limit - int(value)) if side is Side.BRAND else (int(value) - brief.limit)
        gained = max(0, min(available, away))
        if brief.day_cost is not None:
            return gained * float(brief.day_cost) / scale.quantity * scale.weight
        return gained / available * scale.price_range * scale.weight if available else 0.0

    def likeness(self, value: TermValue, other: TermValue) -> float:
        """The shorter over the longer."""
        shorter, longer = sorted((int(value), int(other)))
        return shorter / longer if longer else 1.0

    def words(self, value: TermValue) -> str:
        """Such as `35 days`."""
        return "1 day" if value == 1 else f"{value} days"
