"""The money that terms and mandates come to."""

from __future__ import annotations

from decimal import Decimal

from factories import make_conversation, make_terms
from msgspec.structs import replace

from actors.mechanism.amounts import amounts, private_amounts


def test_the_amounts_of_terms_are_prices_line_totals_and_the_total() -> None:
    lines = [
        {"id": "widget", "product": "Widget", "quantity": 100},
        {"id": "spare", "product": "Widget", "quantity": 3},
    ]
    prices = {"widget.unit_price": {"target": "5", "limit": "8"}}
    mandate = {
        **prices,
        "spare.unit_price": {"target": "5", "limit": "8"},
        "lead_time_days": {"target": 25, "limit": 45},
        "payment": ["30/70"],
    }
    request = make_conversation(lines=lines, mandate=mandate).request
    offered = {"widget": Decimal("7.10"), "spare": Decimal("0.35")}
    terms = replace(make_terms(), unit_prices=offered)

    found = {str(amount) for amount in amounts(terms, request)}

    # in binary fractions the total would be 711.0499999999999
    assert found == {"7.10", "0.35", "710.00", "1.05", "711.05"}


def test_a_sides_private_amounts_are_what_its_limits_and_targets_come_to() -> None:
    talk = make_conversation()

    of_brand = private_amounts(talk.brand.mandate, talk.request)
    of_supplier = private_amounts(talk.supplier.mandate, talk.request)

    assert {str(amount) for amount in of_brand} == {"5.00", "8.00", "500.00", "800.00"}
    assert {str(amount) for amount in of_supplier} == {"9.00", "6.00", "900.00", "600.00"}
