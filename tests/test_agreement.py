"""Rules 1 and 2: an accept takes a standing offer, and its prose makes no other deal."""

from __future__ import annotations

import pytest
from factories import make_conversation, make_terms, said

from actors.mechanism.agreement import offer_accepted, prose_against
from actors.mechanism.moves import Draft
from actors.mechanism.ruling import Refused, Rule
from storage.records import Move, Sender
from storage.terms.kind import Side

TERMS = make_terms("7.20", 35)
REQUEST = make_conversation().request
OFFERED = said(make_conversation(), Sender.BRAND, Move.OFFER, terms=TERMS)


@pytest.mark.parametrize(
    "text",
    [
        "We accept.",
        "Agreed: USD 7.20 per pcs of Widget, lead time 35 days, payment 30/70: USD 720.00 in all.",
        "Deal! 7,20 each, 720 in total, delivered within 35 days.",
        "We gladly accept your offer of $7.2 per unit for all 100 widgets.",
        "It is a deal at 7.20. Payment 30/70 as discussed.",
        "Accepted: 30% on order and 70% on delivery, 5-6 weeks is fine.",
        "You drive a hard bargain, but we accept.",
        "That is less than we had hoped for, but we're happy to agree.",
        "Last but not least, thank you for your patience. We accept.",
        "Agreed. We look forward to providing you with excellent work.",
        "We accept your offer as provided in message 3.",
        "Agreed, with the drawings you provided last week.",
        "We accept. Let us know if you need anything.",
        "Agreed. Please let us know if we can help in the meantime.",
        "Confirmed. If you have any questions, call us.",
        "Accepted at USD 7.20, no hidden fees and no surcharge.",
        "Agreed, without any extra charge.",
        "We accept unconditionally, not subject to anything.",
        "Done. Our order 4711 will follow by 12.05.2026, quality as in ISO 9001.",
        "We accept offer 4 and will ship once the deposit has arrived.",
        "Yes. Production of the 100 pieces starts on Monday, in lots of 25.",
        "Accepted. Delivery is included, as you said, with a 2-year warranty.",
        "We hereby accept: USD 720.00, that is 8 % above our first offer.",
        "Bon, nous acceptons : 7,20 USD pièce, soit 720,00 USD.",
    ],
)
def test_an_honest_accept_is_one(text: str) -> None:
    assert prose_against(text, TERMS, REQUEST) is None


@pytest.mark.parametrize(
    "text",
    [
        "We accept, provided that you pay in advance.",
        "Accepted, provided payment is made up front.",
        "We accept providing you order by Friday.",
        "Agreed, subject to contract.",
        "We accept only if you take 200.",
        "Deal, unless the steel price rises.",
        "Agreed on the condition that you order again.",
        "Our acceptance is conditional.",
        "Agreed, contingent on quality.",
        "Fine, as long as you pay the freight.",
        "We accept, assuming net 30.",
        "We accept in exchange for a longer lead time.",
        "We accept everything except for the payment.",
        "We accept. However, delivery takes longer.",
        "We accept, but only with 50/50.",
        "We accept, but you pay for the samples.",
        "We accept, but we need 50 days.",
        "We accept, but not the lead time.",
        "We accept if payment is made upfront.",
        "We accept USD 7.20 if it includes freight.",
        "Agreed if you throw in samples.",
        "Fine, if you throw in samples.",
        "Fine: to be shipped only after payment.",
        "Fine, and it holds until you reorder.",
        "We would accept; what if we raise the quantity?",
        "Accepted pending approval by my manager.",
        "We accept on the understanding that freight is yours.",
        "Agreed with one caveat: payment in advance.",
        "Agreed, plus a small handling fee.",
        "Agreed, plus shipping.",
        "Agreed, freight is extra.",
        "Agreed. A tooling charge applies.",
        "We accept with a surcharge of 3 %.",
        "We accept, pro\u200bvided that you pay in advance.",
        "We accept, ｕｎｌｅｓｓ it rains.",
        "WE ACCEPT, SUBJECT\n TO CONTRACT.",
    ],
)
def test_a_condition_makes_an_accept_no_accept(text: str) -> None:
    assert prose_against(text, TERMS, REQUEST) is Rule.CONDITION


@pytest.mark.parametrize(
    "text",
    [
        "We accept at USD 7.30.",
        "We accept at 7,30.",
        "We accept at 8 each.",
        "We accept at $8.",
        "We accept at 8 EUR.",
        "We accept for USD 730 in all.",
        "We accept: USD 72.00.",
        "We accept at ７.３０.",
        "We accept at 7\u200b.30.",
        "We accept 7.20 and add 0.10 for the box.",
        "We accept at 8 per pcs.",
    ],
)
def test_another_amount_makes_an_accept_no_accept(text: str) -> None:
    assert prose_against(text, TERMS, REQUEST) is Rule.OTHER_AMOUNT


def test_a_products_own_name_is_neither_condition_nor_amount() -> None:
    product = "Cable 1.50 m, however bent, unless cut"
    request = REQUEST.model_copy(
        update={"lines": (REQUEST.lines[0].model_copy(update={"product": product}),)}
    )

    assert prose_against(f"We accept for the {product}.", TERMS, request) is None


def test_an_accept_takes_the_standing_offer() -> None:
    accept = Draft(Move.ACCEPT, "We accept.", accepts_seq=1)

    assert offer_accepted(accept, OFFERED, Side.SUPPLIER).terms == TERMS


@pytest.mark.parametrize("seq", [0, -1, 2, 3, 99, pytest.param(10**5000, id="endless")])
def test_an_accept_of_what_does_not_stand_is_refused(seq: int) -> None:
    with pytest.raises(Refused) as refused:
        offer_accepted(Draft(Move.ACCEPT, "x", accepts_seq=seq), OFFERED, Side.SUPPLIER)

    assert refused.value.rule is Rule.NO_STANDING_OFFER


def test_an_offer_stands_after_a_counter_offer_and_falls_with_the_next_of_its_own_side() -> None:
    countered = said(OFFERED, Sender.SUPPLIER, Move.OFFER, terms=make_terms("8.50"))
    replaced = said(countered, Sender.BRAND, Move.OFFER, terms=make_terms("7.30"))
    accept = Draft(Move.ACCEPT, "We accept.", accepts_seq=1)

    assert offer_accepted(accept, countered, Side.SUPPLIER).terms == TERMS
    with pytest.raises(Refused):
        offer_accepted(accept, replaced, Side.SUPPLIER)


def test_nobody_accepts_an_own_offer() -> None:
    countered = said(OFFERED, Sender.SUPPLIER, Move.OFFER, terms=make_terms("8.50"))

    with pytest.raises(Refused):
        offer_accepted(Draft(Move.ACCEPT, "x", accepts_seq=2), countered, Side.SUPPLIER)


def test_an_accept_that_repeats_other_terms_is_refused() -> None:
    same = Draft(Move.ACCEPT, "We accept.", make_terms("7.2", 35), accepts_seq=1)
    other = Draft(Move.ACCEPT, "We accept.", make_terms("7.20", 36), accepts_seq=1)

    assert offer_accepted(same, OFFERED, Side.SUPPLIER).terms == TERMS
    with pytest.raises(Refused) as refused:
        offer_accepted(other, OFFERED, Side.SUPPLIER)
    assert refused.value.rule is Rule.NO_STANDING_OFFER
