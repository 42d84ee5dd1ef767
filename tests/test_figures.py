"""Figures are found however their digits and separators are written."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.mechanism.figures import figures, may_name, plain, readings


def values(text: str) -> list[set[Decimal]]:
    return [set(figure.readings) for figure in figures(text)]


@pytest.mark.parametrize(
    "written",
    [
        "7.20",
        "7,20",
        "7.2",
        "7.200000",
        "07.20",
        "USD7.20",
        "$7.20",
        "7.20USD",
        "7.20€",
        "net 7.20",
        "(7.20)",
        "**7.20**",
        "７.２０",
        "７．２０",
        "٧٫٢٠",
        "७.२०",
        "𝟟.𝟚𝟘",
        "⑦.②⓪",
        "7·20",
        "7\u200b.2\u200d0",
        "7\u2060.\u00ad20",
        "7.\ufeff20",
        "7\u0332.\u03322\u03320\u0332",
        "7\ufe0f\u20e3.2\ufe0f\u20e30\ufe0f\u20e3",
        "7\x07.20",
        "7\u3164.20",
    ],
)
def test_one_price_is_the_same_figure_however_it_is_written(written: str) -> None:
    assert values(f"Our price: {written} today.") == [{Decimal("7.20")}]


@pytest.mark.parametrize(
    "written",
    [
        "7 200.00",
        "7\u00a0200.00",
        "7\u202f200.00",
        "7\u2009200,00",
        "7,200.00",
        "7.200,00",
        "7'200.00",
        "7’200.00",
        "7_200",
        "7200",
        "7200.0",
    ],
)
def test_thousands_may_be_set_apart_by_any_separator(written: str) -> None:
    assert values(f"USD {written} in all") == [{Decimal(7200)}]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1'234.50", ["1234.5"]),
        ("1,234,567.89", ["1234567.89"]),
        ("1.234.567,89", ["1234567.89"]),
        ("12,34,567.00", ["1234567"]),
        ("7,200", ["7200", "7.2"]),
        ("7.200", ["7200", "7.2"]),
        ("39.5k", ["39.5", "39500"]),
        ("39.5 thousand", ["39.5", "39500"]),
    ],
)
def test_a_figure_has_every_value_that_it_may_mean(written: str, meant: list[str]) -> None:
    assert values(written) == [{Decimal(value) for value in meant}]


@pytest.mark.parametrize(
    "prose",
    [
        "delivery in 45 days",
        "a 45-day lead time",
        "45 working days",
        "8 to 10 weeks",
        "8–10 weeks",
        "within 3 months, with a 2-year warranty",
        "payment 30/70",
        "payment 30 / 70",
        "33/33/33",
        "33.33/33.33/33.34",
        "30/70 net 45",
        "net 30",
        "8 % below that",
        "8%",
        "8 percent",
    ],
)
def test_lead_times_shares_and_percentages_are_no_figures(prose: str) -> None:
    assert figures(prose) == []


@pytest.mark.parametrize(
    "prose",
    ["30/60", "net 7.20", "net 39 500", "net 1,250", "8 boxes", "8 or 10 pieces"],
)
def test_what_only_looks_like_a_share_or_a_lead_time_is_a_figure(prose: str) -> None:
    assert figures(prose) != []


@pytest.mark.parametrize(
    "prose",
    [
        "USD 7",
        "usd 7",
        "7 EUR",
        "$7",
        "7€",
        "₺7",
        "7 dollars",
        "7 per unit",
        "7 per pcs",
        "7/pc",
        "7 a piece",
        "7 each",
        "7.00",
        "ALL 7",
    ],
)
def test_a_currency_a_unit_or_two_decimals_make_a_figure_money(prose: str) -> None:
    assert [figure.is_money for figure in figures(prose)] == [True]


@pytest.mark.parametrize(
    "prose",
    [
        "all 100 pieces",
        "for all 5,000",
        "the top 3",
        "offer 4",
        "ISO 9001",
        "order 4711",
        "by 12.05.2026",
        "2026-05-12",
        "version 3",
    ],
)
def test_other_numbers_are_not_money(prose: str) -> None:
    assert not any(figure.is_money for figure in figures(prose))


def test_plain_text_keeps_words_lines_and_composed_letters() -> None:
    assert plain("Café, señor:\n\t7 %") == "Café, señor:\n\t7 %"


def test_a_number_without_marks_has_one_reading() -> None:
    assert readings("7 200") == {Decimal(7200)}


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("We could pay 30/70 800 or so.", "800"),
        ("We could do 5 300 days from now.", "5"),
        ("It is 7'20 then 300 days.", "7"),
        ("net 30 7.20", "7.20"),
        ("10_800 days", "10"),
    ],
)
def test_a_quick_no_is_certain(text: str, amount: str) -> None:
    secret = frozenset({Decimal(amount)})
    is_read = any(figure.readings & secret for figure in figures(text))

    assert may_name(plain(text), secret) or not is_read


@given(st.text(alphabet="0123456789 .,'_/net%dayskUSD-", max_size=40), st.integers(1, 999))
@settings(derandomize=True, max_examples=2000)
def test_a_quick_no_is_certain_whatever_the_text(text: str, amount: int) -> None:
    for secret in (Decimal(amount), Decimal(amount) / 100):
        is_read = any(secret in figure.readings for figure in figures(text))

        assert may_name(plain(text), frozenset({secret})) or not is_read
