"""The nouns: frozen, strict, private where they must be, and the same in JSON as in memory."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from factories import (
    NOON,
    as_saved,
    make_config,
    make_conversation,
    make_entry,
    make_negotiations,
    make_quote,
    make_supplier,
    make_terms,
)
from pydantic import ValidationError

from storage.mandates import Mandate, limit_keys
from storage.records import (
    Line,
    Move,
    NegotiationStatus,
    Priorities,
    Quote,
    Reason,
    Sender,
    Style,
    Supplier,
    SupplierPrivate,
    write_time,
)
from storage.rules import Rules
from storage.terms.kind import Record, Side
from storage.terms.offered import Terms

MANDATE: dict[str, Any] = {
    "widget.unit_price": {"target": "5.00", "limit": "8.00"},
    "lead_time_days": {"target": 25, "limit": 45},
    "payment": ["net 30", "30/70"],
}


def without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


@pytest.mark.parametrize(
    "record",
    [
        make_quote(notes="Grün — 100 % recycled"),
        make_negotiations(make_quote())[0],
        make_supplier(style={"hard": 0.5, "voice": "warm"}, negotiator="script"),
        as_saved(
            make_entry(make_conversation(), Sender.SUPPLIER, Move.OFFER, terms=make_terms("7.10"))
        ),
        Mandate.model_validate(MANDATE),
    ],
)
def test_a_record_is_read_back_from_json_as_it_was(record: Record) -> None:
    written = record.model_dump(mode="json")

    assert type(record).model_validate(written) == record
    assert type(record).model_validate_json(json.dumps(written)) == record


def test_what_a_person_meets_is_short_in_repr_and_print() -> None:
    quote = make_quote()
    negotiation = make_negotiations(quote)[0]
    offer = as_saved(
        make_entry(make_conversation(), Sender.SUPPLIER, Move.OFFER, content="Take it.")
    )
    accept = offer.model_copy(update={"seq": 2, "move": Move.ACCEPT, "accepts_seq": 1})

    for record, shown in (
        (quote, f"<Quote {quote.id} pending, lines: 1, suppliers: 1>"),
        (negotiation, f"<Negotiation {negotiation.id} active with supplier-1, 0 rounds>"),
        (offer, f"<Message {offer.negotiation_id} 1: supplier offer, 'Take it.'>"),
        (accept, f"<Message {offer.negotiation_id} 2: supplier accept of 1, 'Take it.'>"),
    ):
        assert (repr(record), str(record)) == (shown, shown)


def test_a_short_form_tells_why_a_negotiation_ended_or_is_parked() -> None:
    negotiation = make_negotiations(make_quote())[0]
    parked = negotiation.model_copy(update={"last_error": "no move\nwithin 5 s"})
    ended = negotiation.model_copy(
        update={"status": NegotiationStatus.IMPASSE, "reason": Reason.MAX_ROUNDS, "rounds": 10}
    )

    assert repr(parked).endswith("0 rounds: parked, no move\\nwithin 5 s>")
    assert repr(ended).endswith(f"{ended.id} impasse with supplier-1, 10 rounds: max_rounds>")


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b]0;owned\a\x1b[2J",
        "\u202egnp.exe",
        "a\r\nb\x9b1A\u2028c\x00",
        "x" * 10_000,
        "'><'" * 99,
    ],
)
def test_a_short_form_is_one_short_inert_line_whatever_stands_in_it(hostile: str) -> None:
    quote = make_quote(notes=hostile[:500]).model_copy(update={"id": hostile})
    changes: dict[str, Any] = {"id": hostile, "supplier_id": hostile, "last_error": hostile}
    negotiation = make_negotiations(make_quote())[0].model_copy(update=changes)
    said = as_saved(make_entry(make_conversation(), Sender.BRAND, content=hostile))

    for record in (quote, negotiation, said.model_copy(update={"negotiation_id": hostile})):
        assert repr(record).isprintable()
        assert len(repr(record)) < 800


def test_a_short_form_holds_nothing_private() -> None:
    quote = make_quote(target="5.13", limit="8.37")
    negotiation = make_negotiations(quote)[0]
    guidance = as_saved(make_entry(make_conversation(), Sender.USER, None, content="Pay 8.37"))

    assert repr(guidance) == f"<Message {guidance.negotiation_id} 1: user>"
    for record in (quote, negotiation, guidance):
        for secret in ("5.13", "8.37", "6.00"):
            assert secret not in repr(record)
            assert secret not in str([record])


def test_a_record_is_frozen_and_takes_no_unknown_field() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        make_quote().currency = "EUR"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="colour"):
        Line.model_validate({"id": "a", "product": "A", "quantity": 1, "colour": "red"})


def test_terms_are_read_back_from_json_as_they_were() -> None:
    terms = make_terms("7.10", 35, "30/70")

    read = Terms.read(json.loads(json.dumps(terms.written())))

    assert read == terms
    assert repr(read) == (
        "Terms(unit_prices={'widget': Decimal('7.10')}, lead_time_days=35, payment='30/70')"
    )
    assert copy.deepcopy(terms) == pickle.loads(pickle.dumps(terms)) == terms  # noqa: S301


def test_terms_do_not_tell_what_they_do_not_hold() -> None:
    terms = make_terms("7.10", 35, "30/70")

    assert terms.lead_time_days == 35
    with pytest.raises(AttributeError, match="there is no term 'warranty_months'"):
        _ = terms.warranty_months
    with pytest.raises(TypeError, match="not iterable"):
        _ = "payment" in terms  # type: ignore[operator]


def test_terms_are_flat_in_json_and_read_by_key_in_python() -> None:
    terms = make_terms("7.10", 35, "30/70")

    assert terms.written() == {
        "unit_prices": {"widget": "7.10"},
        "lead_time_days": 35,
        "payment": "30/70",
    }
    assert terms["lead_time_days"] == 35
    assert dict(terms.others) == {"lead_time_days": 35, "payment": "30/70"}


@pytest.mark.parametrize("change", [{"lead_time_days": 35.5}, {"payment": None}, {"extra": []}])
def test_a_term_is_a_whole_number_or_text(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.read(make_terms().written() | change)


def test_a_mandate_has_the_keys_of_limits_in_json() -> None:
    mandate = Mandate.model_validate(MANDATE)

    assert mandate.model_dump(mode="json") == MANDATE
    assert limit_keys() == ["<line id>.unit_price", "lead_time_days", "payment"]


@pytest.mark.parametrize(
    ("raw", "mistake"),
    [
        (without(MANDATE, "payment"), "payment\n  is missing: add it"),
        (without(MANDATE, "payment", "lead_time_days"), "lead_time_days\n  is missing: add it"),
        (
            MANDATE | {"warranty": 1},
            "warranty\n  unknown key: known are <line id>.unit_price",
        ),
        (MANDATE | {"lead_time_days": 30}, "lead_time_days\n  expected a table"),
        (MANDATE | {"payment": ["soon"]}, r"payment\.0\n  expected payment"),
        (MANDATE | {"widget.unit_price": {"target": "5.00"}}, "limit"),
        (MANDATE | {"widget.unit_price": {"target": 5.0, "limit": "8.00"}}, "plain number as text"),
        ({"prices": {}, "terms": {"lead_time_days": {}, "payment": {}}}, "prices\n  unknown key"),
    ],
)
def test_a_mistake_in_a_mandate_is_named(raw: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ValidationError, match=mistake):
        Mandate.model_validate(raw)


@pytest.mark.parametrize(
    ("private", "mistake"),
    [
        ({"payment": []}, "payment\n  expected a list"),
        (
            {"prices": {"Widget": {"list": "5.00", "floor": "6.00"}}},
            r"the floor must not be above",
        ),
        (
            {"lead_time_days": {"standard": 20, "shortest": 30}},
            "the shortest must not be above",
        ),
        ({"terms": {}}, "lead_time_days"),
        ({"mood": "good"}, "mood"),
    ],
)
def test_a_mistake_in_a_suppliers_private_side_is_named(
    private: dict[str, Any], mistake: str
) -> None:
    fields = make_supplier().private.model_dump(mode="json") | private

    with pytest.raises(ValidationError, match=mistake):
        SupplierPrivate.model_validate(fields)


def test_a_suppliers_brief_is_never_an_empty_one() -> None:
    empty: dict[str, Any] = {"prices": {}, "terms": {"lead_time_days": {}, "payment": {}}}

    with pytest.raises(ValidationError, match="lead_time_days\n  is missing: add it"):
        SupplierPrivate.model_validate(empty)


@pytest.mark.parametrize("key", ["lead_time_days", "payment"])
def test_a_supplier_says_something_about_each_kind_of_term(key: str) -> None:
    fields = without(make_supplier().private.model_dump(mode="json"), key)

    with pytest.raises(ValidationError, match=f"{key}\n  is missing: add it"):
        SupplierPrivate.model_validate(fields)


def test_a_profile_holds_nothing_of_the_private_side() -> None:
    supplier = make_supplier()

    public = supplier.profile.model_dump(mode="json")

    assert public == {"id": "supplier-1", "name": "Supplier 1", "quality": 4.0, "about": ""}
    assert type(supplier.profile) is not Supplier


def test_a_suppliers_mandate_prices_the_lines_by_their_products() -> None:
    supplier = make_supplier(list_price="9.00", floor="6.00")
    line = Line.model_validate({"id": "a", "product": "Widget", "quantity": "10"})

    mandate = supplier.mandate_for((line,))

    assert mandate.prices[line.id].target == Decimal("9.00")
    assert mandate.prices[line.id].limit == Decimal("6.00")
    assert mandate.terms == supplier.private.terms


def test_what_suppliers_may_read_of_a_quote_is_four_fields() -> None:
    quote = make_quote(notes="In cartons.")

    assert quote.request.model_dump(mode="json") == {
        "currency": "USD",
        "lines": [{"id": "widget", "product": "Widget", "quantity": "100", "unit": "pcs"}],
        "notes": "In cartons.",
        "payment_options": ["net 30", "30/70", "33/33/33"],
    }


def test_totals_are_exact_and_each_line_is_rounded_by_itself() -> None:
    lines = [{"id": i, "product": "Widget", "quantity": "1.5"} for i in ("a", "b")]
    prices = {f"{i}.unit_price": {"target": "0.01", "limit": "0.01"} for i in ("a", "b")}
    quote = make_quote(lines=lines, mandate=without(MANDATE, "widget.unit_price") | prices)
    terms = Terms.read({"unit_prices": {"a": "0.01", "b": "0.01"}})

    assert quote.request.quantity == Decimal("3.0")
    assert quote.request.line_total(quote.lines[0], Decimal("0.01")) == Decimal("0.02")
    assert str(quote.request.total(terms)) == "0.04"


def test_an_offer_may_carry_only_a_payment_that_is_an_option() -> None:
    request = make_quote(payment_options=["30/70"], payment=["30/70"]).request

    assert request.permits("payment", "30/70")
    assert not request.permits("payment", "net 30")
    assert request.permits("lead_time_days", 3000)


@pytest.mark.parametrize(
    ("price", "brand", "supplier"),
    [("5.99", True, False), ("6.00", True, True), ("8.00", True, True), ("8.01", False, True)],
)
def test_a_limit_holds_from_the_side_that_set_it(price: str, brand: bool, supplier: bool) -> None:
    buying = Mandate.model_validate(MANDATE).prices[make_quote().lines[0].id]
    selling = make_supplier(floor="6.00").private.prices["Widget"]

    assert buying.allows(Decimal(price), Side.BRAND) is brand
    assert selling.allows(Decimal(price), Side.SUPPLIER) is supplier


def test_a_price_limit_on_the_wrong_side_of_the_target_is_refused() -> None:
    buying = Mandate.model_validate(MANDATE).prices[make_quote().lines[0].id]
    selling = make_supplier().private.prices["Widget"]
    buying.check(Side.BRAND)
    selling.check(Side.SUPPLIER)

    with pytest.raises(ValueError, match="must not be below the target"):
        selling.check(Side.BRAND)
    with pytest.raises(ValueError, match="above the list price"):
        buying.check(Side.SUPPLIER)


@pytest.mark.parametrize("cost", [24, 26, -25, 101])
def test_the_four_priorities_sum_to_100(cost: int) -> None:
    assert sum(Priorities().model_dump().values()) == 100

    with pytest.raises(ValidationError):
        Priorities(cost=cost)


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        (Line, {"id": "a.b", "product": "A", "quantity": 1}),
        (Line, {"id": "a\n", "product": "A", "quantity": 1}),
        (Line, {"id": "", "product": "A", "quantity": 1}),
        (Line, {"id": "a", "product": "", "quantity": 1}),
        (Line, {"id": "a", "product": "A", "quantity": 1.5}),
        (Line, {"id": "a", "product": "A", "quantity": -1}),
        (Rules, {"max_rounds": 0}),
        (Rules, {"move_timeout_s": 0}),
        (Rules, {"move_timeout_s": float("nan")}),
        (Rules, {"draft_retries": -1}),
        (Style, {"hard": 0}),
        (Style, {"reserve": 1}),
        (Supplier, {"id": "s", "name": "S", "quality": 6, "currency": "USD"}),
    ],
)
def test_a_value_out_of_range_is_refused(record: type[Record], fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        record.model_validate(fields)


@pytest.mark.parametrize(
    ("rules", "rounds"),
    [
        ({"max_rounds": 10}, 5),
        ({"max_rounds": 4}, 3),
        ({"max_rounds": 21}, 10),
        ({"no_progress_rounds": 0}, 0),
        ({"no_progress_rounds": 7}, 7),
    ],
)
def test_patience_is_half_of_the_rounds_and_at_least_three(
    rules: dict[str, int], rounds: int
) -> None:
    assert Rules.model_validate(rules).patience_rounds == rounds


def test_times_are_written_in_utc_with_six_decimals_so_that_text_sorts_like_time() -> None:
    moments = [NOON + timedelta(microseconds=step) for step in (0, 1, 10, 999_999, 1_000_000)]

    written = [write_time(moment) for moment in moments]

    assert written[:2] == ["2026-01-02T12:00:00.000000Z", "2026-01-02T12:00:00.000001Z"]
    assert written == sorted(written)
    assert write_time(datetime(2026, 1, 2, 14, tzinfo=timezone(timedelta(hours=2)))) == written[0]
    assert make_quote().model_dump(mode="json")["created_at"] == written[0]


def test_a_time_read_back_is_aware() -> None:
    quote = Quote.model_validate(make_quote(make_config()).model_dump(mode="json"))

    assert quote.created_at == NOON
    assert quote.created_at.tzinfo is not None
    assert quote.created_at.utcoffset() == UTC.utcoffset(None)
