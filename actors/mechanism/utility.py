"""What terms are worth to a side, in money and on a scale where 0 is its limit.

For side s (brand −1, supplier +1): m(o) = s · (price − limit) + value(bundle), where price is the
quantity-weighted mean and value the worth of the other terms (Keeney & Raiffa's additive value,
written in money), and u = m / span with span = s · (target − limit) + the best possible value.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from storage.mandates import Mandate
from storage.records import Priorities, Request
from storage.terms.kind import Scale, Side, TermValue
from storage.terms.kinds import KINDS, kind_of
from storage.terms.offered import Terms

HEAVIEST_WEIGHT = 3.0
"""No kind of term weighs more than so many times what price weighs, whatever the priorities."""

NOTHING = 1e-12
"""Money per unit that is too little to count."""


class Utility(Struct, frozen=True, gc=False):
    """One side's view of what terms are worth; build it with `utility_of`."""

    request: Request
    side: Side
    mandate: Mandate
    limit: float
    """The quantity-weighted mean of the price limits, currency per unit."""
    target: float
    scales: Mapping[str, Scale]
    best_value: float
    """The worth of the best bundle, currency per unit."""
    shares: tuple[float, ...]
    """Each line's part of all units; they sum to 1."""
    sign: int
    """+1 for who wants a high price, −1 for who wants a low one."""
    span: float
    """From the limit with a neutral bundle to the target with the best one; 0 or more."""

    def price(self, terms: Terms) -> float:
        """The quantity-weighted mean unit price."""
        prices = terms.unit_prices
        lines = zip(self.request.lines, self.shares, strict=True)
        return sum([float(prices[line.id]) * share for line, share in lines])

    def value(self, bundle: Mapping[str, TermValue]) -> float:
        """What the terms beside price are worth, currency per unit, 0 or more."""
        side, briefs, scales = self.side, self.mandate.terms, self.scales
        worth = 0.0
        for kind in KINDS:
            key = kind.key
            worth += kind.worth(briefs[key], bundle[key], side, scales[key])
        return worth

    def worth(self, key: str, value: TermValue) -> float:
        """What one term's value is worth, currency per unit, 0 or more."""
        brief = self.mandate.terms[key]
        return kind_of(key).worth(brief, value, self.side, self.scales[key])

    def money(self, terms: Terms) -> float:
        """m: the money by which terms are better than the limit, currency per unit."""
        return self.sign * (self.price(terms) - self.limit) + self.value(terms.others)

    def of(self, terms: Terms) -> float:
        """u: 0 at the limit, 1 at the target with the best bundle, −1 beyond where span is 0."""
        return self.scaled(self.money(terms))

    def scaled(self, money: float) -> float:
        """u of an m."""
        if self.span > NOTHING:
            return money / self.span
        return 1.0 if money >= -NOTHING else -1.0


def utility_of(
    request: Request, side: Side, mandate: Mandate, priorities: Priorities | None
) -> Utility:
    """Build a side's utility from its mandate; without priorities every kind weighs like price."""
    quantity = float(request.quantity)
    shares = tuple(float(line.quantity) / quantity for line in request.lines)
    limit = _mean([float(mandate.prices[line.id].limit) for line in request.lines], shares)
    target = _mean([float(mandate.prices[line.id].target) for line in request.lines], shares)
    scales = {
        kind.key: Scale(
            unit_price=target,
            price_range=abs(limit - target),
            quantity=quantity,
            weight=_weight(kind.priority, priorities),
        )
        for kind in KINDS
    }
    best_value = sum(
        max(
            kind.worth(brief, value, side, scales[kind.key])
            for value in kind.candidates(brief, side, ())
        )
        for kind in KINDS
        for brief in [mandate.terms[kind.key]]
    )
    sign = 1 if side is Side.SUPPLIER else -1
    span = sign * (target - limit) + best_value
    return Utility(request, side, mandate, limit, target, scales, best_value, shares, sign, span)


def _mean(prices: list[float], shares: tuple[float, ...]) -> float:
    return sum(price * share for price, share in zip(prices, shares, strict=True))


def _weight(priority: str, priorities: Priorities | None) -> float:
    if priorities is None:
        return 1.0
    return min(HEAVIEST_WEIGHT, float(getattr(priorities, priority)) / max(1, priorities.cost))
