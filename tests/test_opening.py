"""What a quote becomes when it is started: one negotiation per supplier, complete in itself."""

from __future__ import annotations

import pytest
from factories import NOON, make_config, make_quote, make_supplier

from actors.errors import QuoteError
from actors.opening import open_negotiations
from storage.records import Negotiation, NegotiationStatus, Quote, Supplier

CONFIG = make_config([make_supplier(number) for number in (1, 2, 3)], max_rounds=7)


def opened(quote: Quote) -> list[Negotiation]:
    def voice(supplier: Supplier) -> str:
        return f"voice of {supplier.id}"

    return open_negotiations(quote, CONFIG, "tactics", voice, NOON)


def test_one_negotiation_is_opened_per_supplier_in_the_quotes_order() -> None:
    quote = make_quote(CONFIG, suppliers=["supplier-3", "supplier-1"])

    negotiations = opened(quote)

    assert [n.supplier_id for n in negotiations] == ["supplier-3", "supplier-1"]
    assert len({n.id for n in negotiations}) == 2
    for negotiation in negotiations:
        assert negotiation.id.startswith("n-")
        assert len(negotiation.id) == 18
        assert negotiation.quote_id == quote.id
        assert negotiation.status is NegotiationStatus.ACTIVE
        assert (negotiation.rounds, negotiation.message_count) == (0, 0)
        assert negotiation.created_at == NOON


@pytest.mark.parametrize("automatic", [True, False])
def test_a_negotiation_holds_all_that_its_later_moves_depend_on(automatic: bool) -> None:
    quote = make_quote(CONFIG).model_copy(update={"automatic": automatic})

    for negotiation, supplier in zip(opened(quote), CONFIG.suppliers, strict=True):
        assert negotiation.supplier == supplier
        assert negotiation.mandate == quote.mandate
        assert negotiation.rules == CONFIG.rules
        assert negotiation.automatic is automatic
        assert negotiation.brand_negotiator == "tactics"
        assert negotiation.supplier_negotiator == f"voice of {supplier.id}"


def test_a_supplier_that_the_quote_brings_goes_before_the_configs() -> None:
    own = [make_supplier(number, floor="7.77") for number in (1, 9)]
    brought = [supplier.model_dump(mode="json") for supplier in own]
    quote = make_quote(CONFIG, supplier=brought, suppliers=["supplier-1", "supplier-9"])

    assert [negotiation.supplier for negotiation in opened(quote)] == own


def test_suppliers_that_left_the_config_are_named() -> None:
    larger = make_config([make_supplier(number) for number in (1, 4, 5)])

    with pytest.raises(
        QuoteError, match=r"unknown supplier 'supplier-4'.*\n.*unknown supplier 'supplier-5'"
    ):
        opened(make_quote(larger))
