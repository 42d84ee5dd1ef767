"""A draft is read strictly: a well-formed, legal move of the brand's request, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from factories import guided, make_config, make_conversation, make_terms, said

from actors.mechanism.moves import (
    LONGEST_TEXT,
    Draft,
    check_legal,
    legal_moves,
    read_draft,
    read_terms,
)
from actors.mechanism.ruling import Refused, Rule
from storage.records import Move, Sender
from storage.terms.kind import Side
from storage.terms.offered import Terms

REQUEST = make_conversation().request
TERMS: dict[str, Any] = {
    "unit_prices": {"widget": "7.00"},
    "lead_time_days": 35,
    "payment": "30/70",
}


def refusal_of_draft(raw: object) -> Rule:
    with pytest.raises(Refused) as refused:
        read_draft(raw)
    return refused.value.rule


def refusal_of_terms(raw: Any) -> Rule:
    with pytest.raises(Refused) as refused:
        read_terms(raw, REQUEST)
    return refused.value.rule


def test_a_mapping_is_read_like_a_draft() -> None:
    as_mapping = read_draft({"move": "offer", "text": "We offer.", "terms": TERMS})
    as_draft = read_draft(Draft(Move.OFFER, "We offer.", TERMS))

    assert as_mapping == as_draft == Draft(Move.OFFER, "We offer.", TERMS)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "",
        "accept",
        42,
        ["offer"],
        object(),
        {},
        {"text": "no move"},
        {"move": None, "text": "x"},
        {"move": "", "text": "x"},
        {"move": "Accept!", "text": "x"},
        {"move": "OFFER", "text": "x"},
        {"move": "Propose a trade with", "text": "x"},
        {"move": ["offer"], "text": "x"},
        {"move": 10**5000, "text": "x"},
        {"move": "talk"},
        {"move": "talk", "text": ""},
        {"move": "talk", "text": " \n\t"},
        {"move": "talk", "text": None},
        {"move": "talk", "text": 7},
        {"move": "talk", "text": b"bytes"},
        {"move": "talk", "text": "x" * (LONGEST_TEXT + 1)},
        {"move": "talk", "text": "a\0b"},
        {"move": "talk", "text": "half a \ud83d"},
        {"move": "talk", "text": "x", "limits": {}},
        {"move": "talk", "text": "x", 7: "x"},
        {"move": "talk", "text": "x", "accepts_seq": 1},
        {"move": "talk", "text": "x", "terms": TERMS},
        {"move": "walk_away", "text": "x", "terms": TERMS},
        {"move": "offer", "text": "x", "terms": TERMS, "accepts_seq": 1},
        {"move": "accept", "text": "x"},
        {"move": "accept", "text": "x", "accepts_seq": "1"},
        {"move": "accept", "text": "x", "accepts_seq": 1.0},
        {"move": "accept", "text": "x", "accepts_seq": True},
    ],
)
def test_what_is_no_move_is_unreadable(raw: object) -> None:
    assert refusal_of_draft(raw) is Rule.UNREADABLE


def test_the_longest_text_can_be_said() -> None:
    assert read_draft({"move": "talk", "text": "x" * LONGEST_TEXT}).text == "x" * LONGEST_TEXT


@pytest.mark.parametrize(
    "price",
    ["7", "7.0", "7.00", "7.000", 7, Decimal(7), Decimal("7.00")],
)
def test_a_price_is_read_exactly_and_written_with_the_currencys_decimals(price: object) -> None:
    terms = read_terms({**TERMS, "unit_prices": {"widget": price}}, REQUEST)

    assert terms == make_terms("7.00")
    assert str(terms.unit_prices[REQUEST.lines[0].id]) == "7.00"


@pytest.mark.parametrize(
    "price",
    [
        7.0,
        float("nan"),
        "NaN",
        "Infinity",
        Decimal("NaN"),
        Decimal("Infinity"),
        "-7.00",
        -7,
        0,
        "0.00",
        "7.001",
        "7,00",
        "USD 7.00",
        "EUR 7.00",
        "7.00 €",
        "1e3",
        "７.００",
        " 7.00",
        "7_000",
        "9999999999999",
        pytest.param(10**5000, id="a number of 5,001 digits"),
        True,
        None,
        [],
        {"amount": "7.00", "currency": "EUR"},
    ],
)
def test_a_price_that_is_not_plainly_one_is_unreadable(price: object) -> None:
    assert refusal_of_terms({**TERMS, "unit_prices": {"widget": price}}) is Rule.UNREADABLE


@pytest.mark.parametrize(
    "changes",
    [
        {"lead_time_days": "35"},
        {"lead_time_days": 35.0},
        {"lead_time_days": -1},
        {"lead_time_days": 100_000},
        {"lead_time_days": 10**5000},
        {"lead_time_days": None},
        {"payment": "30/60"},
        {"payment": "someday"},
        {"payment": ["30/70"]},
        {"unit_prices": None},
        {"unit_prices": "7.00"},
        {"unit_prices": [7]},
    ],
)
def test_a_malformed_term_is_unreadable(changes: Mapping[str, Any]) -> None:
    assert refusal_of_terms({**TERMS, **changes}) is Rule.UNREADABLE


def test_endless_nesting_is_unreadable() -> None:
    nested: list[Any] = []
    for _ in range(10_000):
        nested = [nested]

    assert refusal_of_terms({**TERMS, "lead_time_days": nested}) is Rule.UNREADABLE
    assert refusal_of_draft({"move": nested, "text": "x"}) is Rule.UNREADABLE


@pytest.mark.parametrize("missing", ["unit_prices", "lead_time_days", "payment"])
def test_an_offer_names_every_term(missing: str) -> None:
    terms = {key: value for key, value in TERMS.items() if key != missing}

    assert refusal_of_terms(terms) is Rule.UNREADABLE
    assert refusal_of_terms(None) is Rule.UNREADABLE


@pytest.mark.parametrize(
    "changes",
    [
        {"currency": "EUR"},
        {"quantity": 50},
        {"handling_fee": "25.00"},
        {"unit_prices": {}},
        {"unit_prices": {"gadget": "7.00"}},
        {"unit_prices": {"widget": "7.00", "setup": "25.00"}},
        {"payment": "50/50"},
    ],
)
def test_a_move_cant_change_lines_quantities_currency_or_payment_options(
    changes: Mapping[str, Any],
) -> None:
    assert refusal_of_terms({**TERMS, **changes}) is Rule.ALTERED_REQUEST


def test_a_line_is_named_by_its_text_and_nothing_that_prints_like_it() -> None:
    lines = [{"id": "1", "product": "Widget", "quantity": 1}]
    request = make_conversation(lines=lines).request

    with pytest.raises(Refused) as refused:
        read_terms({**TERMS, "unit_prices": {1: "7.00"}}, request)

    assert refused.value.rule is Rule.ALTERED_REQUEST


def test_terms_given_as_a_record_are_read_like_any_others() -> None:
    assert read_terms(make_terms("7.00"), REQUEST) == make_terms("7.00")
    assert refusal_of_terms(make_terms("7.001")) is Rule.UNREADABLE
    assert refusal_of_terms(make_terms(payment="50/50")) is Rule.ALTERED_REQUEST
    assert refusal_of_terms(Terms(unit_prices={})) is Rule.ALTERED_REQUEST
    for unreadable in (Terms({}, 5), Terms(5, {})):  # type: ignore[arg-type]
        assert refusal_of_terms(unreadable) is Rule.UNREADABLE


def test_either_side_may_offer_talk_or_leave_and_accept_what_stands() -> None:
    opened = make_conversation()
    offered = said(opened, Sender.BRAND, Move.OFFER, terms=make_terms())

    assert legal_moves(opened, Side.BRAND) == (Move.OFFER, Move.WALK_AWAY, Move.TALK)
    assert legal_moves(offered, Side.SUPPLIER) == tuple(Move)
    assert Move.ACCEPT not in legal_moves(offered, Side.BRAND)


def test_after_the_last_round_the_brand_may_only_accept_or_walk_away() -> None:
    opened = said(make_conversation(make_config(max_rounds=1)), Sender.BRAND)
    talked = said(opened, Sender.SUPPLIER)
    offered = said(opened, Sender.SUPPLIER, Move.OFFER, terms=make_terms())

    assert legal_moves(talked, Side.BRAND) == (Move.WALK_AWAY,)
    assert legal_moves(offered, Side.BRAND) == (Move.ACCEPT, Move.WALK_AWAY)
    for move in (Move.OFFER, Move.TALK):
        with pytest.raises(Refused) as refused:
            check_legal(move, offered, Side.BRAND)
        assert refused.value.rule is Rule.CLOSING_MOVE


def test_there_is_nothing_to_accept_before_the_other_side_has_offered() -> None:
    own_only = said(make_conversation(), Sender.BRAND, Move.OFFER, terms=make_terms())

    with pytest.raises(Refused) as refused:
        check_legal(Move.ACCEPT, own_only, Side.BRAND)

    assert refused.value.rule is Rule.NO_STANDING_OFFER


def test_after_its_offer_was_withdrawn_the_brand_may_do_anything_but_talk() -> None:
    opened = said(make_conversation(), Sender.BRAND, Move.OFFER, terms=make_terms("6.00"))
    answered = said(opened, Sender.SUPPLIER, Move.OFFER, terms=make_terms())
    limits = {"unit_price": "5.50"}

    assert legal_moves(guided(opened, limits=limits), Side.BRAND) == (Move.OFFER, Move.WALK_AWAY)
    assert legal_moves(guided(answered, limits=limits), Side.BRAND) == (
        *(Move.OFFER, Move.ACCEPT, Move.WALK_AWAY),
    )
    assert Move.TALK in legal_moves(guided(answered), Side.BRAND)
    assert Move.TALK in legal_moves(guided(answered, limits=limits), Side.SUPPLIER)


def test_talk_after_a_withdrawn_offer_is_an_illegal_move_and_no_closing_one() -> None:
    opened = said(make_conversation(), Sender.BRAND, Move.OFFER, terms=make_terms("6.00"))
    talk = guided(opened, limits={"unit_price": "5.50"})

    with pytest.raises(Refused, match="withdrawn, so talk won't do: offer, walk_away") as refused:
        check_legal(Move.TALK, talk, Side.BRAND)
    assert refused.value.rule is Rule.ILLEGAL_MOVE
    check_legal(Move.OFFER, talk, Side.BRAND)
    check_legal(Move.TALK, talk, Side.SUPPLIER)


def test_after_the_last_round_even_a_withdrawn_offer_leaves_only_a_closing_move() -> None:
    talk = said(
        make_conversation(make_config(max_rounds=1)),
        Sender.BRAND,
        Move.OFFER,
        terms=make_terms("6.00"),
    )
    talk = guided(said(talk, Sender.SUPPLIER), limits={"unit_price": "5.50"})

    assert talk.must_move
    with pytest.raises(Refused) as refused:
        check_legal(Move.TALK, talk, Side.BRAND)
    assert refused.value.rule is Rule.CLOSING_MOVE


def test_a_supplier_is_bound_to_no_closing_move() -> None:
    talk = said(make_conversation(make_config(max_rounds=1)), Sender.BRAND)
    talk = said(talk, Sender.SUPPLIER)

    assert Move.TALK in legal_moves(talk, Side.SUPPLIER)
