"""The words of tactics: what they name, that they never repeat, that no rule stumbles on them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from factories import make_config, make_conversation, make_supplier, make_terms, said
from msgspec.structs import replace
from rehearsal import Rehearsal, rehearse

from actors.mechanism.agreement import prose_against
from actors.mechanism.conversation import Conversation
from actors.mechanism.figures import figures
from actors.mechanism.moves import LONGEST_TEXT, Draft
from actors.mechanism.rulebook import judge
from actors.mechanism.views import View, view_for
from actors.negotiators import wording
from actors.negotiators.scripted import Scripted
from actors.negotiators.tactics import Tactics
from storage.mandates import LineId
from storage.records import Move, Origin, Sender, Style
from storage.terms.kind import Side
from storage.terms.offered import Terms

ODD_PRODUCTS = (
    "1.50 m cable",
    "Bottle 750",
    "USD 7.00 gift card",
    "Bolt M8 x 1.25, 100 pcs (only if zinc-plated)",
    "Café-Tasse „Grün“ 0,3 l",
    "瓶子 500 毫升",
    "Widget {0} %s <b>\\n</b> & 'so' \"on\"",
    "Kit: subject to tax, plus shipping fee",
    "30/70 cotton blend",
    "7.00",
)


def after_offers(conversation: Conversation, brand: Terms, supplier: Terms) -> Conversation:
    conversation = said(conversation, Sender.BRAND, Move.OFFER, terms=brand)
    return said(conversation, Sender.SUPPLIER, Move.OFFER, terms=supplier)


def with_voice(voice: str) -> Conversation:
    return make_conversation(make_config([make_supplier(style={"voice": voice})]))


def texts(played: Rehearsal, sender: Sender) -> list[str]:
    return [entry.content for entry in played.entries if entry.sender is sender]


def of_product(product: str, **rules: Any) -> Conversation:
    config = make_config([make_supplier(product=product)], **rules)
    lines = [{"id": "widget", "product": product, "quantity": 100}]
    return make_conversation(config, lines=lines)


def test_an_offer_names_all_its_terms() -> None:
    view = view_for(make_conversation(), Side.BRAND)

    words = wording.offer(view, make_terms("7.00", 35, "30/70"))

    for named in ("Widget at USD 7.00 a piece", "lead time 35 days", "payment 30/70", "USD 700.00"):
        assert named in words


def test_an_offer_says_how_it_differs_from_the_other_sides_last() -> None:
    theirs = make_terms("8.00", 40, "30/70")
    view = view_for(after_offers(make_conversation(), make_terms("5.00"), theirs), Side.BRAND)

    words = wording.offer(view, make_terms("6.00", 30, "net 30"))

    assert (
        "25 % below your USD 800.00, 30 days instead of 40 days, net 30 instead of 30/70" in words
    )


def test_an_offer_says_what_moved_since_ones_own_last() -> None:
    own, theirs = make_terms("5.00", 25, "net 30"), make_terms("8.00", 40, "30/70")
    view = view_for(after_offers(make_conversation(), own, theirs), Side.BRAND)

    words = wording.offer(view, make_terms("5.50", 40, "30/70"))

    assert "We take up your lead time of 40 days and your payment of 30/70." in words
    assert "It is 10 % more than our last offer." in words


def test_after_a_refusal_an_offer_says_nothing_but_its_terms() -> None:
    conversation = after_offers(make_conversation(), make_terms("5.00"), make_terms("8.00"))

    words = wording.offer(view_for(conversation, Side.BRAND, refused="why"), make_terms("6.00"))

    assert {figure.readings for figure in figures(words) if figure.is_money} == {
        frozenset({Decimal("6.00")}),
        frozenset({Decimal("600.00")}),
    }


def test_a_share_out_of_all_proportion_is_not_told_as_a_number() -> None:
    conversation = after_offers(make_conversation(), make_terms("0.01"), make_terms("99999.00"))

    assert "far above your USD 1.00" in wording.offer(
        view_for(conversation, Side.SUPPLIER), make_terms("99999.00")
    )


def test_an_offer_of_nothing_can_be_answered() -> None:
    lines = [{"id": "widget", "product": "Widget", "quantity": "0.001"}]
    conversation = after_offers(make_conversation(lines=lines), make_terms(), make_terms("1.00"))

    assert "your USD 0.00" in wording.offer(view_for(conversation, Side.BRAND), make_terms("6.00"))


def test_no_side_says_the_same_twice_even_in_a_thousand_rounds() -> None:
    config = make_config([make_supplier(floor="8.50")], max_rounds=1_000, no_progress_rounds=0)

    played = rehearse(make_conversation(config), Tactics(), Tactics())

    assert played.refusal is None
    for sender in (Sender.BRAND, Sender.SUPPLIER):
        said_by_it = texts(played, sender)
        assert len(said_by_it) >= 1_000
        assert len(set(said_by_it)) == len(said_by_it)


@pytest.mark.parametrize("voice", wording.VOICES)
def test_no_side_repeats_itself_to_a_counterpart_that_does(voice: str) -> None:
    brand = Scripted(Draft(Move.OFFER, "Once more.", make_terms("5.00", 35)))
    config = make_config(
        [make_supplier(style={"voice": voice}, list_price="9.00", floor="9.00")],
        max_rounds=60,
        no_progress_rounds=0,
    )

    said_by_it = texts(rehearse(make_conversation(config), brand, Tactics()), Sender.SUPPLIER)

    assert len(said_by_it) == len(set(said_by_it)) == 60


def test_five_voices_share_no_phrase() -> None:
    voices = [wording.BRAND_VOICE, *wording.VOICES.values()]

    assert len({voice.opening for voice in voices}) == 5
    assert len({voice.accept for voice in voices}) == 5
    assert len({voice.farewell for voice in voices}) == 5
    closings = [closing for voice in voices for closing in voice.closings]
    assert len(set(closings)) == len(closings) == 25


@pytest.mark.parametrize("voice", wording.VOICES)
def test_each_supplier_sounds_like_itself_and_not_like_the_brand(voice: str) -> None:
    conversation = said(with_voice(voice), Sender.BRAND, Move.OFFER, terms=make_terms("5.00"))

    words = wording.offer(view_for(conversation, Side.SUPPLIER), make_terms("9.00"))

    assert words.startswith(wording.VOICES[voice].opening)
    assert wording.BRAND_VOICE.opening not in words


def test_an_unknown_voice_sounds_plain() -> None:
    view = view_for(with_voice("operatic"), Side.SUPPLIER)

    assert wording.farewell(view) == wording.VOICES["plain"].farewell


def test_no_id_and_no_time_is_ever_said() -> None:
    played = rehearse(make_conversation(), Tactics(), Tactics())
    negotiation = played.conversation.negotiation
    hidden = (negotiation.id, negotiation.quote_id, negotiation.supplier_id, "2026", ":00")

    for entry in played.entries:
        assert not [word for word in hidden if word in entry.content]


@pytest.mark.parametrize("voice", ["brand", *wording.VOICES])
@pytest.mark.parametrize("product", ODD_PRODUCTS)
def test_no_accept_of_tactics_reads_as_a_condition_or_another_amount(
    voice: str, product: str
) -> None:
    terms = make_terms("6.50")
    conversation = after_offers(of_product(product), terms, terms)
    view: View = view_for(conversation, Side.BRAND)
    if voice != "brand":
        view = replace(view_for(conversation, Side.SUPPLIER), style=Style(voice=voice))

    words = wording.acceptance(view)

    assert product in words
    assert prose_against(words, terms, view.request) is None


@pytest.mark.parametrize("product", ODD_PRODUCTS)
def test_no_rule_stumbles_on_a_product_name(product: str) -> None:
    played = rehearse(of_product(product), Tactics(), Tactics())

    assert played.refusal is None
    assert played.entries[-1].move is Move.ACCEPT


@pytest.mark.parametrize("price", ["21.00", "25.00", "40.00"])
def test_no_count_of_proposals_is_mistaken_for_a_private_price(price: str) -> None:
    supplier = make_supplier(list_price=price, floor=price)
    config = make_config([supplier], max_rounds=45, no_progress_rounds=0)
    conversation = make_conversation(config, target=price, limit=price, lead_limit=25)

    for count in range(45):
        assert judge(conversation, Side.BRAND, _offer(conversation), Origin.TACTICS).refusal is None
        conversation = said(conversation, Sender.BRAND, content=f"Talk {count}.")
        conversation = said(conversation, Sender.SUPPLIER)


def _offer(conversation: Conversation) -> Draft:
    view = view_for(conversation, Side.BRAND)
    price = view.mandate.prices[LineId("widget")].limit
    return Draft(
        Move.OFFER, wording.offer(view, make_terms(str(price), 25)), make_terms(str(price), 25)
    )


def test_a_quote_with_very_many_lines_still_fits_a_message() -> None:
    names = {f"line-{n}": f"Part {n} {'x' * 180}" for n in range(60)}
    prices = {name: {"list": "9.00", "floor": "6.00"} for name in names.values()}
    conversation = make_conversation(
        make_config([make_supplier(prices=prices)]),
        lines=[{"id": key, "product": name, "quantity": 5} for key, name in names.items()],
        mandate={
            **{f"{key}.unit_price": {"target": "5.00", "limit": "8.00"} for key in names},
            "lead_time_days": {"target": 25, "limit": 45},
            "payment": ["30/70"],
        },
    )

    played = rehearse(conversation, Tactics(), Tactics())

    assert played.refusal is None
    assert max(len(entry.content) for entry in played.entries) < LONGEST_TEXT
    assert "USD 1,500.00 in all" in played.entries[0].content


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "one"),
        (19, "nineteen"),
        (20, "twenty"),
        (21, "twenty-one"),
        (100, "one hundred"),
        (342, "three hundred forty-two"),
        (1_000, "one thousand"),
        (10_001, "ten thousand one"),
    ],
)
def test_numbers_are_spelled_out(number: int, words: str) -> None:
    assert wording.spelled(number) == words


def test_no_two_numbers_are_spelled_alike() -> None:
    assert len({wording.spelled(number) for number in range(10_002)}) == 10_002
