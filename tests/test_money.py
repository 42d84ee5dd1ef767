"""Money is read strictly, never loses a cent, and is written with the currency's decimals."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from storage.money import (
    DECIMALS,
    NO_DECIMALS,
    THREE_DECIMALS,
    TWO_DECIMALS,
    Amount,
    in_currency,
    money_words,
    read_amount,
    rounded,
    tick,
)


@pytest.mark.parametrize(
    ("raw", "amount"),
    [
        ("6.40", "6.40"),
        ("0", "0"),
        ("0.000001", "0.000001"),
        ("999999999999.999999", "999999999999.999999"),
        (12, "12"),
        (Decimal("1E+3"), "1000"),
        (Decimal("6.40"), "6.40"),
    ],
)
def test_a_plain_number_is_read_with_the_digits_it_was_written_with(raw: Any, amount: str) -> None:
    assert str(read_amount(raw)) == amount


@pytest.mark.parametrize(
    "raw",
    [
        *(6.4, 1.0, True, None, [], -1, 10**12),
        *("", " 6.40", "6.40\n", "-1", "+1", "1e3", "1,000", "6.", ".5", "NaN", "USD 6", "٦"),
        *("1234567890123", "0.0000001"),
        *map(Decimal, ("NaN", "sNaN", "Infinity", "-1", "-0", "1E+12")),
    ],
)
def test_anything_else_is_refused_with_what_was_expected(raw: Any) -> None:
    with pytest.raises(ValueError, match=r'expected a plain number as text, such as "6\.40"'):
        read_amount(raw)


def test_an_amount_is_a_decimal_in_python_and_text_in_json() -> None:
    class Priced(BaseModel):
        price: Amount

    priced = Priced.model_validate({"price": "6.40"})

    assert priced.model_dump() == {"price": Decimal("6.40")}
    assert priced.model_dump_json() == '{"price":"6.40"}'
    assert Priced.model_validate_json(priced.model_dump_json()) == priced


@pytest.mark.parametrize(
    ("currency", "step"), [("USD", "0.01"), ("EUR", "0.01"), ("JPY", "1"), ("KWD", "0.001")]
)
def test_the_smallest_step_of_a_price_follows_the_currency(currency: str, step: str) -> None:
    assert tick(currency) == Decimal(step)


def test_each_currency_stands_in_one_group_under_a_code_of_three_letters() -> None:
    codes = f"{TWO_DECIMALS} {NO_DECIMALS} {THREE_DECIMALS}".split()

    assert sorted(codes) == sorted(DECIMALS)
    assert all(len(code) == 3 and code.isupper() for code in codes)


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        ("6.4", "USD", "6.40"),
        ("6.400", "USD", "6.40"),
        ("640", "JPY", "640"),
        ("1", "KWD", "1.000"),
    ],
)
def test_an_amount_gets_exactly_the_decimals_of_its_currency(
    amount: str, currency: str, written: str
) -> None:
    assert str(in_currency(Decimal(amount), currency)) == written


@pytest.mark.parametrize(("amount", "currency"), [("6.405", "USD"), ("6.4", "JPY")])
def test_an_amount_finer_than_its_currency_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match=rf"decimals of {currency}"):
        in_currency(Decimal(amount), currency)


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [("1.005", "USD", "1.01"), ("1.004", "USD", "1.00"), ("2.5", "JPY", "3"), ("0.5", "JPY", "1")],
)
def test_computed_amounts_are_rounded_half_up(amount: str, currency: str, written: str) -> None:
    assert str(rounded(Decimal(amount), currency)) == written


def test_people_read_an_amount_with_its_currency_and_thousands_apart() -> None:
    assert money_words(Decimal("12400.00"), "USD") == "USD 12,400.00"
    assert money_words(Decimal(12400), "JPY") == "JPY 12,400"
