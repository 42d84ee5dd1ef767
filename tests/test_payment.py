"""Payment: shares are exact, equal terms are equal text, and the order of the list ranks."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from storage.mistakes import mistakes_in
from storage.terms.kind import Scale, Side
from storage.terms.payment import Payment, PaymentBrief, read_instalments

SCALE = Scale(unit_price=10.0, price_range=3.0, quantity=100.0, weight=1.0)
PAYMENT = Payment()


def brief(*acceptable: str) -> PaymentBrief:
    return PAYMENT.read_brief(list(acceptable))


@pytest.mark.parametrize(
    ("written", "canonical", "shares", "due_days"),
    [
        ("30/70", "30/70", ["3/10", "7/10"], [0, 30]),
        (" 30 / 70 ", "30/70", ["3/10", "7/10"], [0, 30]),
        ("30.0/70.00", "30/70", ["3/10", "7/10"], [0, 30]),
        ("33/33/33", "33/33/33", ["1/3", "1/3", "1/3"], [0, 15, 30]),
        ("33.3/33.3/33.3", "33/33/33", ["1/3", "1/3", "1/3"], [0, 15, 30]),
        ("33/33/34", "33/33/34", ["33/100", "33/100", "34/100"], [0, 15, 30]),
        ("16/16/16/16/16/16", "16/16/16/16/16/16", ["1/6"] * 6, [0, 6, 12, 18, 24, 30]),
        ("12.5/87.5", "12.5/87.5", ["1/8", "7/8"], [0, 30]),
        ("3.125/96.875", "3.125/96.875", ["1/32", "31/32"], [0, 30]),
        ("0.0001/99.9999", "0.0001/99.9999", ["1/1000000", "999999/1000000"], [0, 30]),
        ("100", "100", ["1"], [0]),
        ("net 30", "net 30", ["1"], [60]),
        ("NET30", "net 30", ["1"], [60]),
        ("100 net 30", "net 30", ["1"], [60]),
        ("net 0", "100", ["1"], [0]),
        ("30/70 net 60", "30/70 net 60", ["3/10", "7/10"], [0, 90]),
        ("33/33/33 net 10", "33/33/33 net 10", ["1/3", "1/3", "1/3"], [0, 15, 40]),
    ],
)
def test_instalments_are_read_exactly_and_printed_in_one_way(
    written: str, canonical: str, shares: list[str], due_days: list[float]
) -> None:
    instalments = read_instalments(written)

    assert str(instalments) == canonical
    assert instalments.shares == tuple(map(Fraction, shares))
    assert sum(instalments.shares) == 1
    assert list(instalments.due_days) == due_days
    assert read_instalments(canonical) == instalments


@pytest.mark.parametrize("count", range(1, 13))
def test_equal_shares_stay_equal_however_many(count: int) -> None:
    written = "/".join([str(100 // count)] * count)

    instalments = read_instalments(written)

    assert instalments.shares == (Fraction(1, count),) * count
    assert read_instalments(str(instalments)) == instalments


def test_a_share_of_one_part_in_many_is_never_cut_beside_another() -> None:
    for hundredths in range(1, 10_000):
        text = f"{hundredths / 100:g}/{(10_000 - hundredths) / 100:g}"

        assert str(read_instalments(text)) == text


@pytest.mark.parametrize(
    "written",
    [
        *("", "   ", "net", "net thirty", "on delivery", "30/70 days", "30%/70%", "-30/130"),
        *("30/60", "30/71", "0/100", "100/0", "99.5", "49.5/49.5", "49/49", "33/33", "101"),
        *("net 366", "net 1000", "٣٠/٧٠", "30/70\nnet 30 or sooner", "/".join(["7"] * 13)),
        "30.00001/69.99999",
    ],
)
def test_bad_forms_are_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"expected payment|sum to 100|too many"):
        PAYMENT.read(written)


@pytest.mark.parametrize("raw", [30, 30.7, None, True, ["30/70"]])
def test_payment_is_text(raw: Any) -> None:
    with pytest.raises(ValueError, match="expected payment as text"):
        PAYMENT.read(raw)


def test_a_later_payment_has_a_lower_present_value() -> None:
    texts = ["100", "50/50", "30/70", "net 30", "net 60"]

    values = [read_instalments(text).present_value for text in texts]

    assert values == sorted(values, reverse=True)
    assert values[0] == 1.0
    assert values[3] == pytest.approx(1.12 ** (-60 / 365))


def test_a_brief_is_a_list_in_canonical_text_without_doubles() -> None:
    read = brief("100 net 30", "net 30", "30 / 70")

    assert read.acceptable == ("net 30", "30/70")
    assert PAYMENT.read_brief(PAYMENT.write_brief(read)) == read
    PAYMENT.check_brief(read, Side.BRAND)


def test_all_mistakes_in_a_brief_are_named_with_their_places() -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - its words are what is looked at
        PAYMENT.read_brief(["30/71", "30/70", "soon"])

    assert list(mistakes_in(raised.value)) == [
        ((0,), "the shares must be above 0 and sum to 100"),
        ((2,), 'expected payment such as "30/70" or "net 30"'),
    ]


@pytest.mark.parametrize("raw", [[], "30/70", None, {"30/70": 1}, [30], ["soon"]])
def test_a_brief_of_any_other_form_is_refused(raw: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        PAYMENT.read_brief(raw)


@pytest.mark.parametrize("side", Side)
def test_only_what_is_listed_is_allowed_and_proposed(side: Side) -> None:
    wanted = brief("net 30", "30/70")

    assert PAYMENT.allows(wanted, "30/70", side)
    assert not PAYMENT.allows(wanted, "50/50", side)
    assert PAYMENT.candidates(wanted, side, ("50/50",)) == ("net 30", "30/70")


@pytest.mark.parametrize(
    "order", [("net 30", "30/70", "100"), ("100", "30/70", "net 30"), ("30/70", "100", "net 30")]
)
def test_worth_follows_the_order_of_the_list(order: tuple[str, ...]) -> None:
    wanted = brief(*order)

    worths = [PAYMENT.worth(wanted, value, Side.BRAND, SCALE) for value in order]

    spread = read_instalments("100").present_value - read_instalments("net 30").present_value
    assert worths == pytest.approx([spread * 10, spread * 5, 0.0])


def test_what_is_not_listed_or_has_no_alternative_is_worth_nothing() -> None:
    assert PAYMENT.worth(brief("net 30", "100"), "50/50", Side.BRAND, SCALE) == 0.0
    assert PAYMENT.worth(brief("net 30"), "net 30", Side.BRAND, SCALE) == 0.0


def test_payments_are_alike_only_when_they_are_the_same() -> None:
    assert PAYMENT.likeness("30/70", "30/70") == 1.0
    assert PAYMENT.likeness("30/70", "net 30") == 0.0


def test_thirds_are_read_out_as_thirds() -> None:
    assert PAYMENT.words("33/33/33") == "three thirds (33/33/33)"
    assert PAYMENT.words("30/70") == "30/70"


def test_other_payments_replace_all_that_were_acceptable_in_their_order() -> None:
    changed = PAYMENT.limited(brief("net 30", "30/70"), ["100", "30 / 70", "100"])

    assert changed == brief("100", "30/70")
    with pytest.raises(ValueError, match="expected"):
        PAYMENT.limited(brief("net 30"), [])
