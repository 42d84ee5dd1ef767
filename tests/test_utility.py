"""Utility: 0 at the limit with a neutral bundle, 1 at the target with the best one."""

from __future__ import annotations

import pytest
from factories import make_config, make_conversation, make_supplier, make_terms, quote_fields

from actors.mechanism.utility import HEAVIEST_WEIGHT, utility_of
from storage.records import Priorities
from storage.terms.kind import Side

TALK = make_conversation()
BRAND, SUPPLIER = TALK.brand.utility, TALK.supplier.utility


def test_the_limit_with_a_neutral_bundle_is_worth_nothing() -> None:
    assert BRAND.of(make_terms("8.00", 45, "30/70")) == pytest.approx(0)
    assert SUPPLIER.of(make_terms("6.00", 25, "30/70")) == pytest.approx(0)


def test_the_target_with_the_best_bundle_is_worth_one() -> None:
    assert BRAND.of(make_terms("5.00", 25, "net 30")) == pytest.approx(1)
    assert SUPPLIER.of(make_terms("9.00", 40, "30/70")) == pytest.approx(1)


def test_each_side_likes_its_own_direction() -> None:
    dear, cheap = make_terms("8.00"), make_terms("7.00")
    late, early = make_terms(lead_time_days=40), make_terms(lead_time_days=30)

    assert BRAND.of(cheap) > BRAND.of(dear)
    assert SUPPLIER.of(dear) > SUPPLIER.of(cheap)
    assert BRAND.of(early) > BRAND.of(late)
    assert SUPPLIER.of(late) > SUPPLIER.of(early)
    assert BRAND.of(make_terms(payment="net 30")) > BRAND.of(make_terms(payment="30/70"))


def test_a_price_beyond_the_limit_is_worth_less_than_nothing() -> None:
    assert BRAND.of(make_terms("8.01", 45, "30/70")) < 0
    assert SUPPLIER.of(make_terms("5.99", 25, "30/70")) < 0


@pytest.mark.parametrize("lead_time_days", [0, 24, 25, 45, 46, 3650])
@pytest.mark.parametrize("payment", ["net 30", "30/70", "33/33/33"])
def test_a_bundle_is_never_worth_less_than_nothing(lead_time_days: int, payment: str) -> None:
    bundle = make_terms("7.00", lead_time_days, payment).others

    assert 0 <= BRAND.value(bundle) <= BRAND.best_value
    assert 0 <= SUPPLIER.value(bundle) <= SUPPLIER.best_value


def test_a_day_saved_costs_a_supplier_its_day_cost_over_all_units() -> None:
    worth_more = SUPPLIER.value(make_terms(lead_time_days=35).others)
    worth_less = SUPPLIER.value(make_terms(lead_time_days=34).others)

    assert worth_more - worth_less == pytest.approx(50.00 / 100)


def test_without_a_span_the_limit_is_worth_one_and_beyond_it_minus_one() -> None:
    supplier = make_supplier(list_price="7.00", floor="7.00", standard=30, shortest=30)
    utility = make_conversation(make_config([supplier])).supplier.utility

    assert utility.span == 0
    assert utility.of(make_terms("7.00")) == utility.of(make_terms("9.00")) == 1
    assert utility.of(make_terms("6.99")) == -1


def test_prices_are_weighed_by_quantity() -> None:
    fields = quote_fields()
    lines = [
        {"id": "many", "product": "Widget", "quantity": 300},
        {"id": "few", "product": "Widget", "quantity": 100},
        {"id": "none", "product": "Widget", "quantity": 0},
    ]
    mandate = {
        **{k: v for k, v in fields["mandate"].items() if k != "unit_price"},
        "many.unit_price": {"target": "4.00", "limit": "6.00"},
        "few.unit_price": {"target": "8.00", "limit": "10.00"},
        "none.unit_price": {"target": "1.00", "limit": "100.00"},
    }
    utility = make_conversation(lines=lines, mandate=mandate).brand.utility

    assert utility.shares == (0.75, 0.25, 0)
    assert (utility.target, utility.limit) == (5.0, 7.0)


def test_priorities_weigh_terms_against_price_up_to_a_bound() -> None:
    def lead_time_worth(**priorities: int) -> float:
        chosen = Priorities.model_validate(priorities)
        utility = utility_of(TALK.request, Side.BRAND, TALK.brand.mandate, chosen)
        return utility.worth("lead_time_days", 25)

    even = lead_time_worth()
    double = lead_time_worth(quality=10, cost=20, lead_time=40, payment_terms=30)
    most = lead_time_worth(quality=0, cost=0, lead_time=100, payment_terms=0)
    none = lead_time_worth(quality=0, cost=100, lead_time=0, payment_terms=0)

    assert even == pytest.approx(3.00)  # the price range, where both weigh the same
    assert double == pytest.approx(2 * even)
    assert most == pytest.approx(HEAVIEST_WEIGHT * even)
    assert none == 0
