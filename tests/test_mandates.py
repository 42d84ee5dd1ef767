"""Mandates: the brand's price range under another limit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from storage.mandates import PriceRange

WANTED = PriceRange(target=Decimal("5.00"), limit=Decimal("8.00"))


@pytest.mark.parametrize(
    ("limit", "target"),
    [("9.00", "5.00"), ("6.40", "5.00"), ("5.00", "5.00"), ("4.99", "4.99"), ("0.01", "0.01")],
)
def test_a_limit_that_passes_its_target_takes_the_target_along(limit: str, target: str) -> None:
    assert WANTED.limited(Decimal(limit)) == PriceRange(
        target=Decimal(target), limit=Decimal(limit)
    )


@pytest.mark.parametrize("limit", ["0", "-1"])
def test_a_limit_leaves_a_price_to_pay(limit: str) -> None:
    with pytest.raises(ValueError, match="a price limit must be above 0"):
        WANTED.limited(Decimal(limit))
