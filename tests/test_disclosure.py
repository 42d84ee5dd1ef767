"""Rule 8: own limits and targets, and other suppliers' names, stay out of outgoing words."""

from __future__ import annotations

import pytest
from factories import guided, make_config, make_conversation, make_supplier, make_terms, said

from actors.mechanism.conversation import Conversation
from actors.mechanism.disclosure import check_words
from actors.mechanism.ruling import Refused, Rule
from storage.records import Move, Sender
from storage.terms.kind import Side
from storage.terms.offered import Terms


def conversation() -> Conversation:
    """The brand wants 6.10 and stops at 7.20; the supplier lists 9.30 and stops at 6.60."""
    suppliers = [
        make_supplier(1, list_price="9.30", floor="6.60"),
        make_supplier(2),
        make_supplier(10),
    ]
    return make_conversation(
        make_config(suppliers), target="6.10", limit="7.20", notes="As sample 8.", quantity=1000
    )


def refusal(text: str, side: Side = Side.BRAND, terms: Terms | None = None) -> Rule | None:
    return refusal_in(conversation(), text, side, terms)


def refusal_in(
    talk: Conversation, text: str, side: Side = Side.BRAND, terms: Terms | None = None
) -> Rule | None:
    try:
        check_words(text, terms, talk, side)
    except Refused as refused:
        return refused.rule
    return None


@pytest.mark.parametrize(
    "figure",
    [
        "7.20",
        "7,20",
        "7.2",
        "７.２０",
        "7\u200b.20",
        "USD7.20",
        "7·20",
        "net 7.20",
        "7.200",
        "6.10",
        "7 200.00",
        "7'200.00",
        "7,200",
        "7.2k",
        "USD 6,100",
    ],
)
def test_a_brand_never_tells_its_limit_its_target_or_what_they_come_to(figure: str) -> None:
    assert refusal(f"We can't go beyond {figure}, sorry.") is Rule.PRIVATE_FIGURE


@pytest.mark.parametrize("figure", ["6.60", "9.3", "6,600.00", "$9300"])
def test_a_supplier_never_tells_its_floor_or_its_list_price(figure: str) -> None:
    assert refusal(f"Our floor is {figure}.", Side.SUPPLIER) is Rule.PRIVATE_FIGURE


def test_a_figure_is_private_to_its_own_side_only() -> None:
    assert refusal("Surely 6.60 is possible?") is None
    assert refusal("Is 7.20 within your budget?", Side.SUPPLIER) is None


@pytest.mark.parametrize(
    "text",
    [
        "We look forward to your best price.",
        "Your price is 8 % above what we had in mind.",
        "Delivery within 45 days matters to us, 25 days would be ideal.",
        "We pay 30/70 or net 30.",
        "We need 1,000 pcs, all of them by June.",
        "Please quote as for sample 8.",
        "Could you do 6.50 per unit?",
        "That makes USD 6,500.00 for all 1000.",
        "Two other companies have quoted already.",
        "Dear Supplier 1, thank you for your offer.",
        "Dear SUPPLIER-1 team,",
        "We order 1'000 pieces twice a year.",
        "Our warehouse opens at 7, with 20 docks.",
        "ISO 9001 is a must; so is a 2-year warranty.",
        "We could sign by 6 March.",
        "A first lot of 720 pieces, then the rest.",
        "Lead time 7 to 20 days?",
    ],
)
def test_an_honest_text_may_be_said(text: str) -> None:
    assert refusal(text) is None


def test_a_private_figure_may_be_said_once_this_move_offers_it() -> None:
    offer = make_terms("7.20")

    assert refusal("We offer 7.20, so 7,200.00 in all.", terms=offer) is None
    assert refusal("We offer 7.20, down from 6.10.", terms=offer) is Rule.PRIVATE_FIGURE
    assert refusal("We offer 7.20.", terms=make_terms("7.10")) is Rule.PRIVATE_FIGURE


@pytest.mark.parametrize("sender", [Sender.BRAND, Sender.SUPPLIER])
def test_a_private_figure_may_be_said_once_it_was_offered(sender: Sender) -> None:
    offered = said(conversation(), sender, Move.OFFER, terms=make_terms("7.20"))
    later = said(offered, sender, Move.OFFER, terms=make_terms("7.10"))

    assert refusal_in(later, "You mentioned 7.20, or 7,200.00 in all.") is None


def test_what_was_only_talked_of_is_not_public() -> None:
    asked = said(conversation(), Sender.SUPPLIER, content="Is 7.20 your limit?")

    assert refusal_in(asked, "Yes, 7.20 it is.") is Rule.PRIVATE_FIGURE


def test_what_a_person_said_is_not_public() -> None:
    asked = guided(conversation(), text="Never tell them 7.20.")

    assert refusal_in(asked, "We stop at 7.20.") is Rule.PRIVATE_FIGURE


def test_figures_of_the_quotes_lines_and_notes_are_public() -> None:
    talk = make_conversation(limit="100.00", quantity=100, target="8.00", notes="Like sample 8.00")

    assert refusal_in(talk, "For 100 pieces of sample 8.00, please.") is None


def test_nothing_is_a_secret_about_a_line_of_which_none_is_ordered() -> None:
    lines = [
        {"id": "widget", "product": "Widget", "quantity": 100},
        {"id": "spare", "product": "Widget", "quantity": 0},
    ]
    mandate = {
        "widget.unit_price": {"target": "5.00", "limit": "8.00"},
        "spare.unit_price": {"target": "5.00", "limit": "8.00"},
        "lead_time_days": {"target": 25, "limit": 45},
        "payment": ["30/70"],
    }
    talk = make_conversation(lines=lines, mandate=mandate)

    assert refusal_in(talk, "We had 0 complaints so far.") is None


@pytest.mark.parametrize(
    "text",
    [
        "Supplier 2 is cheaper.",
        "SUPPLIER-2 is cheaper.",
        "supplier_2's price is lower",
        "Supplier2 is cheaper.",
        "Ｓｕｐｐｌｉｅｒ　２ is cheaper.",
        "Sup\u200bplier\n2 is cheaper.",
        "Unlike you, Supplier 1, Supplier 10 answers.",
    ],
)
def test_a_brand_never_names_another_supplier(text: str) -> None:
    assert refusal(text) is Rule.RIVAL_NAME


@pytest.mark.parametrize(
    "text",
    ["Supplier 1 is our choice.", "Supplier 20 is not asked.", "Two suppliers are enough."],
)
def test_only_a_rivals_whole_name_names_it(text: str) -> None:
    assert refusal(text) is None


def test_a_name_within_the_own_name_may_be_said_as_part_of_it() -> None:
    long = make_supplier(1).model_copy(update={"name": "Acme Steel"})
    short = make_supplier(2).model_copy(update={"name": "Acme"})
    talk = make_conversation(make_config([long, short]))

    assert refusal_in(talk, "Dear Acme Steel,") is None
    assert refusal_in(talk, "Dear Acme,") is Rule.RIVAL_NAME


def test_a_name_without_a_letter_silences_nobody() -> None:
    nameless = make_supplier(2).model_copy(update={"name": "★★★"})
    talk = make_conversation(make_config([make_supplier(1), nameless]))

    assert refusal_in(talk, "Good morning!") is None


def test_a_refusal_repeats_the_figure_to_its_own_negotiator() -> None:
    with pytest.raises(Refused, match=r"private figure: 7\.20"):
        check_words("We stop at 7.20.", None, conversation(), Side.BRAND)


# After a person has stepped in


def test_limits_stay_secret_after_they_were_changed_and_the_new_ones_are_too() -> None:
    talk = guided(conversation(), limits={"unit_price": "5.90"})

    for figure in ("7.20", "7,200.00", "6.10", "5.90", "5,900.00"):
        assert refusal_in(talk, f"We stop at {figure}.") is Rule.PRIVATE_FIGURE
    assert refusal_in(talk, "Is 5.90 possible?", Side.SUPPLIER) is None


@pytest.mark.parametrize("words", ["7.05", "7,05", "USD 7.05", "７.０５"])
def test_a_figure_of_a_persons_text_is_secret(words: str) -> None:
    talk = guided(conversation(), text=f"Don't go beyond {words} yet.")

    assert refusal_in(conversation(), "Would 7.05 do?") is None
    assert refusal_in(talk, "Would 7.05 do?") is Rule.PRIVATE_FIGURE
    assert refusal_in(guided(talk, 2), "Would 7.05 do?") is Rule.PRIVATE_FIGURE


def test_a_figure_of_a_persons_text_that_is_public_may_be_said() -> None:
    offered = said(conversation(), Sender.SUPPLIER, Move.OFFER, terms=make_terms("7.05"))
    talk = guided(offered, text="7.05 for 1000 is too dear, 6.95 isn't.")

    assert refusal_in(talk, "7.05 for 1000 pieces is too much.") is None
    assert refusal_in(talk, "6.95 is not.") is Rule.PRIVATE_FIGURE
    assert refusal_in(talk, "We offer 6.95.", terms=make_terms("6.95")) is None


def test_the_wording_of_an_action_makes_no_secret() -> None:
    talk = guided(conversation(), action="accept", accepts_seq=6)

    assert talk.brand.secrets == conversation().brand.secrets
