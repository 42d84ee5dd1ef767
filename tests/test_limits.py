"""Rule 5: a side's hard limits bind its offers and both sides' accepts, also at commit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from factories import make_conversation, make_entry, make_terms

from actors.mechanism.limits import (
    breaches,
    check_entry,
    check_limits,
    limited,
    limits_read,
)
from actors.mechanism.rulebook import mandates_in_force
from actors.mechanism.ruling import Refused, Rule
from storage.mandates import LineId, PriceRange
from storage.records import Move, Sender
from storage.terms.kind import Side

CONVERSATION = make_conversation()
MANDATES = mandates_in_force(CONVERSATION)
REQUEST = CONVERSATION.request
WIDGET = LineId("widget")
KEYS = "widget.unit_price, lead_time_days, payment"

PRICE, LEAD_TIME, PAYMENT = "widget.unit_price", "lead_time_days", "payment"
TOO_DEAR = make_terms("8.01")
TOO_CHEAP = make_terms("5.99")


@pytest.mark.parametrize(
    ("side", "price", "lead_time_days", "payment", "broken"),
    [
        (Side.BRAND, "8.00", 45, "30/70", []),
        (Side.BRAND, "0.01", 0, "net 30", []),
        (Side.BRAND, "8.01", 45, "30/70", [PRICE]),
        (Side.BRAND, "8.00", 46, "30/70", [LEAD_TIME]),
        (Side.BRAND, "8.00", 45, "33/33/33", [PAYMENT]),
        (Side.BRAND, "800.00", 90, "33/33/33", [PRICE, LEAD_TIME, PAYMENT]),
        (Side.SUPPLIER, "6.00", 25, "30/70", []),
        (Side.SUPPLIER, "99.00", 99, "30/70", []),
        (Side.SUPPLIER, "5.99", 25, "30/70", [PRICE]),
        (Side.SUPPLIER, "6.00", 24, "30/70", [LEAD_TIME]),
        (Side.SUPPLIER, "6.00", 25, "net 30", [PAYMENT]),
    ],
)
def test_each_limit_is_kept_to_the_cent_the_day_and_the_letter(
    side: Side, price: str, lead_time_days: int, payment: str, broken: list[str]
) -> None:
    terms = make_terms(price, lead_time_days, payment)

    assert breaches(terms, MANDATES.of(side), side) == broken


def test_a_refusal_names_the_limits_and_no_figure() -> None:
    with pytest.raises(Refused) as refused:
        check_limits(make_terms("8.01", 46), MANDATES, (Side.BRAND,))

    assert refused.value.rule is Rule.LIMIT
    assert refused.value.reason == f"beyond the brand's limit: {PRICE}, {LEAD_TIME}"


@pytest.mark.parametrize(
    ("sender", "move", "terms", "holds"),
    [
        (Sender.BRAND, Move.OFFER, TOO_DEAR, False),
        (Sender.BRAND, Move.OFFER, TOO_CHEAP, True),
        (Sender.SUPPLIER, Move.OFFER, TOO_DEAR, True),
        (Sender.SUPPLIER, Move.OFFER, TOO_CHEAP, False),
        (Sender.BRAND, Move.ACCEPT, TOO_DEAR, False),
        (Sender.BRAND, Move.ACCEPT, TOO_CHEAP, False),
        (Sender.SUPPLIER, Move.ACCEPT, TOO_DEAR, False),
        (Sender.SUPPLIER, Move.ACCEPT, TOO_CHEAP, False),
        (Sender.BRAND, Move.ACCEPT, make_terms(), True),
        (Sender.SUPPLIER, Move.ACCEPT, make_terms(), True),
        (Sender.BRAND, Move.TALK, None, True),
        (Sender.USER, None, None, True),
    ],
)
def test_at_commit_an_offer_binds_its_sender_and_an_accept_both(
    sender: Sender, move: Move | None, terms: object, holds: bool
) -> None:
    entry = make_entry(CONVERSATION, sender, move).model_copy(update={"terms": terms})

    if holds:
        check_entry(entry, MANDATES)
    else:
        with pytest.raises(Refused, match="beyond"):
            check_entry(entry, MANDATES)


# A person changes the brand's


def test_a_changed_limit_replaces_the_old_one_and_leaves_the_others() -> None:
    mandate = limited(MANDATES.brand, {"widget.unit_price": "7.25"}, REQUEST)

    assert mandate.prices[WIDGET] == PriceRange(target=Decimal("5.00"), limit=Decimal("7.25"))
    assert mandate.terms == MANDATES.brand.terms


def test_all_limits_can_be_changed_at_once_by_the_mandates_keys() -> None:
    mandate = limited(
        MANDATES.brand,
        {"unit_price": "4.5", "lead_time_days": 20, "payment": ["33/33/33", "net 30"]},
        REQUEST,
    )

    assert mandate.model_dump(mode="json") == {
        "widget.unit_price": {"target": "4.50", "limit": "4.50"},
        "lead_time_days": {"target": 20, "limit": 20},
        "payment": ["33/33/33", "net 30"],
    }


def test_without_limits_the_mandate_is_the_very_same() -> None:
    assert limited(MANDATES.brand, {}, REQUEST) is MANDATES.brand


@pytest.mark.parametrize(
    ("limits", "mistakes"),
    [
        (
            {"colour": "red"},
            [
                f"limits.colour: no such limit: write {KEYS}",
            ],
        ),
        (
            {"gadget.unit_price": "7.00"},
            [f"limits.gadget.unit_price: no such limit: write {KEYS}"],
        ),
        ({"unit_price": "0"}, ["limits.unit_price: a price limit must be above 0"]),
        ({"unit_price": "7.001"}, ["limits.unit_price: has more than the 2 decimals of USD"]),
        (
            {"unit_price": 6.4},
            ['limits.unit_price: expected a plain number as text, such as "6.40"'],
        ),
        (
            {"unit_price": None},
            ['limits.unit_price: expected a plain number as text, such as "6.40"'],
        ),
        (
            {"lead_time_days": "30"},
            ["limits.lead_time_days: expected whole days, such as 35, not '30'"],
        ),
        (
            {"payment": "net 30"},
            [
                'limits.payment: expected a list of payments, such as ["30/70", "net 30"]',
            ],
        ),
        (
            {"payment": ["100", "50/50"]},
            [
                "limits.payment: none of these is an option of the quote: net 30, 30/70, 33/33/33",
            ],
        ),
    ],
)
def test_a_limit_that_can_not_be_read_is_told_with_its_key(
    limits: dict[str, Any], mistakes: list[str]
) -> None:
    assert limits_read(MANDATES.brand, limits, REQUEST)[1] == mistakes
    with pytest.raises(ValueError, match="limits"):
        limited(MANDATES.brand, limits, REQUEST)


def test_what_can_be_read_is_read_beside_what_can_not() -> None:
    mandate, mistakes = limits_read(
        MANDATES.brand, {"colour": 1, "payment": ["soon", "later"], "unit_price": "7.00"}, REQUEST
    )

    assert mandate.prices[WIDGET].limit == Decimal("7.00")
    assert [line.partition(": ")[0] for line in mistakes] == [
        "limits.colour",
        "limits.payment.0",
        "limits.payment.1",
    ]


def test_one_payment_that_is_an_option_is_enough() -> None:
    mandate = limited(MANDATES.brand, {"payment": ["100", "net 30"]}, REQUEST)

    assert mandate.model_dump(mode="json")["payment"] == ["100", "net 30"]


def test_with_several_lines_a_price_limit_names_its_line() -> None:
    lines = [{"id": name, "product": "Widget", "quantity": 1} for name in ("a", "b-c")]
    ranges = {"target": "5.00", "limit": "8.00"}
    mandate = {"a.unit_price": ranges, "b-c.unit_price": ranges}
    others = {"lead_time_days": {"target": 25, "limit": 45}, "payment": ["30/70"]}
    talk = make_conversation(lines=lines, mandate=mandate | others)

    changed, none = limits_read(talk.brand.mandate, {"b-c.unit_price": "6.00"}, talk.request)
    _, mistakes = limits_read(talk.brand.mandate, {"unit_price": "6.00"}, talk.request)

    assert none == []
    assert [str(price.limit) for price in changed.prices.values()] == ["8.00", "6.00"]
    assert "write a.unit_price, b-c.unit_price, lead_time_days, payment" in mistakes[0]
