"""Payment: the instalments in which an order is paid.

`30/70` is 30 % on order and 70 % on delivery; with more shares they fall due at even distances
in between. `net 30` is all of it 30 days after delivery, `30/70 net 30` moves the last share.
Equal shares may be cut short: `33/33/33` is exactly three thirds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, ClassVar

from storage.mistakes import Mistakes
from storage.terms.kind import Scale, Side, TermBrief, TermKind, TermValue

ANNUAL_RATE = 0.12
"""The yearly cost of capital by which a later payment is worth less (present value)."""
DELIVERY_DAYS = 30
"""The days to delivery assumed when instalments are compared, whatever the lead time is."""
MOST_INSTALMENTS = 12
LONGEST_NET_DAYS = 365

_SHARE = r"\d{1,3}(?:\.\d{1,4})?"
_FORM = re.compile(
    rf"(?P<shares>{_SHARE}(?:\s*/\s*{_SHARE})*)?\s*(?:net\s*(?P<net>\d{{1,3}}))?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Instalments:
    """Exact shares that sum to 1, and the days after delivery at which the last one is due."""

    shares: tuple[Fraction, ...]
    net_days: int

    def __str__(self) -> str:
        """The canonical text: equal shares cut to whole percent, others exact."""
        if len(self.shares) == 1 and self.net_days:
            return f"net {self.net_days}"
        shares = "/".join(_percent(share) for share in self.shares)
        return f"{shares} net {self.net_days}" if self.net_days else shares

    @property
    def due_days(self) -> tuple[float, ...]:
        """When each share is due, in days from the order."""
        last = DELIVERY_DAYS + self.net_days
        if len(self.shares) == 1:
            return (last if self.net_days else 0,)
        step = DELIVERY_DAYS / (len(self.shares) - 1)
        return (*(step * index for index in range(len(self.shares) - 1)), last)

    @property
    def present_value(self) -> float:
        """What 1 paid so is worth on the day of the order: Σ share · (1 + rate)^(−days / 365)."""
        dues = zip(self.shares, self.due_days, strict=True)
        return sum(float(share) * math.pow(1 + ANNUAL_RATE, -days / 365) for share, days in dues)


def _percent(share: Fraction) -> str:
    percent = share * 100
    if 1_000_000 % share.denominator:  # finer than four decimals: an equal share that was cut
        return str(percent.numerator // percent.denominator)
    return f"{float(percent):g}"


@lru_cache(maxsize=4096)
def read_instalments(text: str) -> Instalments:
    """Read instalments from text such as `30/70`, `33/33/33` or `net 30`.

    Raises:
        ValueError: It has no such form, or its shares don't sum to 100 %.
    """
    form = _FORM.fullmatch(text.strip())
    if form is None or not (form["shares"] or form["net"]):
        raise ValueError('expected payment such as "30/70" or "net 30"')
    net_days = int(form["net"] or 0)
    written = [part.strip() for part in (form["shares"] or "100").split("/")]
    shares = _exact_shares(written)
    if len(shares) > MOST_INSTALMENTS or net_days > LONGEST_NET_DAYS:
        raise ValueError(
            f"has too many shares (at most {MOST_INSTALMENTS}) or days (net {LONGEST_NET_DAYS})"
        )
    if sum(shares) != 1 or not all(shares):
        raise ValueError("the shares must be above 0 and sum to 100")
    return Instalments(shares, net_days)


def _exact_shares(written: list[str]) -> tuple[Fraction, ...]:
    equal = Fraction(1, len(written))
    last_digit = Fraction(1, 10 ** len(written[0].partition(".")[2]))
    if len(set(written)) == 1 and 0 <= equal * 100 - Fraction(written[0]) < last_digit:
        return (equal,) * len(written)
    return tuple(Fraction(part) / 100 for part in written)


@lru_cache(maxsize=4096)
def canonical_payment(text: str) -> str:
    """The one way in which instalments are written, or ValueError."""
    return str(read_instalments(text))


@lru_cache(maxsize=4096)
def _present_value(text: str) -> float:
    return read_instalments(text).present_value


class PaymentBrief(TermBrief):
    """The payments a side accepts, the one it likes best first."""

    acceptable: tuple[str, ...]


class Payment(TermKind[PaymentBrief]):
    """Both sides list what they accept, in order; anything else breaks their limit."""

    key: ClassVar[str] = "payment"
    priority: ClassVar[str] = "payment_terms"
    brief_type = PaymentBrief
    json_schema: ClassVar[Mapping[str, Any]] = {"type": "string"}

    def read(self, raw: object) -> str:
        """Read the canonical text of the instalments."""
        if not isinstance(raw, str):
            raise ValueError('expected payment as text, such as "30/70"')
        return canonical_payment(raw)

    def read_brief(self, raw: object) -> PaymentBrief:
        """Read a list such as `["30/70", "net 30"]`."""
        if not isinstance(raw, list | tuple) or not raw:
            raise ValueError('expected a list of payments, such as ["30/70", "net 30"]')
        mistakes = Mistakes()
        acceptable: list[str] = []
        for place, item in enumerate(raw):
            with mistakes.at(place):
                acceptable.append(self.read(item))
        mistakes.raise_any()
        return PaymentBrief(acceptable=tuple(dict.fromkeys(acceptable)))

    def write_brief(self, brief: PaymentBrief) -> list[str]:
        """The list, in order."""
        return list(brief.acceptable)

    def check_brief(self, brief: PaymentBrief, side: Side) -> None:
        """Any order is a possible one."""

    def limited(self, brief: PaymentBrief, raw: object) -> PaymentBrief:
        """The payments that are acceptable from now on, in order."""
        return self.read_brief(raw)

    def allows(self, brief: PaymentBrief, value: TermValue, side: Side) -> bool:
        """Only what is listed."""
        return value in brief.acceptable

    def candidates(
        self, brief: PaymentBrief, side: Side, seen: tuple[TermValue, ...]
    ) -> tuple[TermValue, ...]:
        """All that is listed, in its order."""
        return brief.acceptable

    def worth(self, brief: PaymentBrief, value: TermValue, side: Side, scale: Scale) -> float:
        """The place in the side's own order, as a share of what present value says it matters.

        The person's order ranks; the spread of the present values says how much all of it is worth.
        """
        if value not in brief.acceptable or len(brief.acceptable) == 1:
            return 0.0
        values = [_present_value(item) for item in brief.acceptable]
        last = len(brief.acceptable) - 1
        place = (last - brief.acceptable.index(str(value))) / last
        return (max(values) - min(values)) * scale.unit_price * place * scale.weight

    def likeness(self, value: TermValue, other: TermValue) -> float:
        """The same, or not."""
        return 1.0 if value == other else 0.0

    def words(self, value: TermValue) -> str:
        """Such as `30/70` or `three thirds (33/33/33)`."""
        return f"three thirds ({value})" if value == "33/33/33" else str(value)
