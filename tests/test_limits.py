"""Rule 5: a side's hard limits bind its offers and both sides' accepts, also at commit."""

from __future__ import annotations

import pytest
from factories import make_conversation, make_entry, make_terms

from actors.mechanism.limits import breaches, check_entry, check_limits
from actors.mechanism.rulebook import mandates_in_force
from actors.mechanism.ruling import Refused, Rule
from storage.records import Move, Sender
from storage.terms.kind import Side

CONVERSATION = make_conversation()
MANDATES = mandates_in_force(CONVERSATION)

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
