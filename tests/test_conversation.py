"""A conversation is a fold over its messages: what stands, what progressed, who is next."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from factories import (
    NOON,
    as_saved,
    guided,
    make_config,
    make_conversation,
    make_entry,
    make_intervention,
    make_terms,
    said,
)

from actors.mechanism.conversation import Conversation
from actors.mechanism.rulebook import ending_without_words
from storage.records import Message, Move, NegotiationStatus, Reason, Sender
from storage.terms.kind import Side
from storage.terms.offered import Terms


def play_round(
    talk: Conversation, brand: Terms | None = None, supplier: Terms | None = None
) -> Conversation:
    """A brand's message and a supplier's: an offer where there are terms, else talk."""
    for sender, terms in ((Sender.BRAND, brand), (Sender.SUPPLIER, supplier)):
        talk = said(talk, sender, Move.OFFER if terms else Move.TALK, terms=terms)
    return talk


def play_idle_rounds(talk: Conversation, count: int) -> Conversation:
    for _ in range(count):
        talk = play_round(talk)
    return talk


def patient(rounds: int, max_rounds: int = 100) -> Conversation:
    return make_conversation(make_config(max_rounds=max_rounds, no_progress_rounds=rounds))


def test_nothing_stands_before_an_offer() -> None:
    talk = make_conversation()

    assert talk.brand.standing is talk.supplier.standing is None
    assert (talk.message_count, talk.rounds, talk.next_side) == (0, 0, Side.BRAND)


def test_an_offer_stands_until_its_own_sender_makes_another() -> None:
    first = said(make_conversation(), Sender.BRAND, Move.OFFER, terms=make_terms("6.00"))
    countered = said(first, Sender.SUPPLIER, Move.OFFER, terms=make_terms("9.00"))
    talked = said(countered, Sender.BRAND)
    replaced = said(talked, Sender.BRAND, Move.OFFER, terms=make_terms("6.50"))

    for talk in (first, countered, talked):
        assert talk.brand.standing is not None
        assert (talk.brand.standing.seq, talk.brand.standing.terms) == (1, make_terms("6.00"))
    assert replaced.brand.standing is not None
    assert (replaced.brand.standing.seq, replaced.brand.standing.total) == (4, Decimal("650.00"))
    assert replaced.supplier.standing is not None
    assert replaced.supplier.standing.seq == 2


def test_totals_are_exact_where_binary_fractions_are_not() -> None:
    lines = [{"id": "widget", "product": "Widget", "quantity": "0.3"}]
    talk = make_conversation(lines=lines)

    offered = said(talk, Sender.BRAND, Move.OFFER, terms=make_terms("0.35"))

    # 0.3 · 0.35 is 0.105, which rounds half up; in binary it is 0.10499999999999998
    assert offered.brand.standing is not None
    assert str(offered.brand.standing.total) == "0.11"


def test_only_a_supplier_message_ends_a_round() -> None:
    talk = said(make_conversation(), Sender.BRAND)
    asked = guided(talk)

    assert (talk.rounds, asked.rounds, said(asked, Sender.SUPPLIER).rounds) == (0, 0, 1)


def test_the_brand_answers_the_supplier_and_the_person() -> None:
    opened = said(make_conversation(), Sender.BRAND)

    assert opened.next_side is Side.SUPPLIER
    assert said(opened, Sender.SUPPLIER).next_side is Side.BRAND
    assert guided(opened).next_side is Side.BRAND


def test_a_suppliers_ears_hear_no_person() -> None:
    talk = said(guided(make_conversation(), text="Go low."), Sender.BRAND)

    assert [message.sender for message in talk.heard_by_brand] == [Sender.USER, Sender.BRAND]
    assert [message.sender for message in talk.heard_by_supplier] == [Sender.BRAND]
    assert talk.heard_by_supplier[0].created_at == NOON


def test_moves_left_count_down_to_the_last_of_each_side() -> None:
    talk = make_conversation(make_config(max_rounds=2))
    left = [(talk.moves_left(Side.BRAND), talk.moves_left(Side.SUPPLIER))]
    for _ in range(2):
        talk = play_round(talk)
        left.append((talk.moves_left(Side.BRAND), talk.moves_left(Side.SUPPLIER)))

    assert left == [(3, 2), (2, 1), (1, 0)]
    assert talk.is_closing


def test_a_brand_may_only_close_once_the_supplier_has_had_its_last_message() -> None:
    talk = play_idle_rounds(make_conversation(make_config(max_rounds=3)), 2)

    assert not talk.is_closing
    assert play_round(talk).is_closing


def test_rounds_without_progress_bring_one_final_round_and_then_an_impasse() -> None:
    talk = play_round(patient(3), make_terms("6.00"), make_terms("9.00"))
    seen = []
    for _ in range(5):
        seen.append((talk.is_final, ending_without_words(talk)))
        talk = play_round(talk)

    assert [final for final, _ in seen] == [False, False, False, True, True]
    assert [ending is not None for _, ending in seen] == [False] * 4 + [True]
    ending = seen[-1][1]
    assert ending is not None
    assert (ending.status, ending.reason) == (NegotiationStatus.IMPASSE, Reason.NO_PROGRESS)
    assert ending.agreed_terms is None


def test_progress_in_the_final_round_starts_the_count_anew() -> None:
    talk = play_idle_rounds(patient(3), 3)
    assert talk.is_final

    talk = play_round(talk, make_terms("6.00"))

    assert not talk.is_final
    assert talk.stale_rounds == 0
    assert not play_idle_rounds(talk, 2).is_final
    assert play_idle_rounds(talk, 3).is_final


@pytest.mark.parametrize(
    ("brand", "supplier", "progress"),
    [
        ("6.03", "9.00", True),
        ("6.02", "9.00", False),
        ("6.00", "8.95", True),
        ("6.00", "8.96", False),
        ("5.00", "9.90", False),
        ("6.00", "9.00", False),
    ],
)
def test_progress_is_half_a_percent_better_for_the_other(
    brand: str, supplier: str, progress: bool
) -> None:
    talk = play_round(patient(3), make_terms("6.00"), make_terms("9.00"))

    talk = play_round(talk, make_terms(brand), make_terms(supplier))

    assert (talk.stale_rounds == 0) is progress


def test_small_steps_add_up_to_progress() -> None:
    talk = play_round(patient(3), make_terms("6.00"), make_terms("9.00"))
    stale = []
    for cents in range(1, 7):
        talk = play_round(talk, make_terms(f"6.0{cents}"))
        stale.append(talk.stale_rounds)

    assert stale == [1, 2, 0, 1, 2, 3]  # 6.03 is 0.5 % above 6.00, and 6.06 not above 6.03


def test_going_back_and_forth_is_no_progress() -> None:
    talk = play_round(patient(3), make_terms("6.00"), make_terms("9.00"))
    for price in ("5.00", "6.00", "5.00", "6.00"):
        talk = play_round(talk, make_terms(price))

    assert talk.stale_rounds == 4


def test_a_new_value_of_another_term_is_progress_once() -> None:
    talk = play_round(patient(3), make_terms("6.00", 30), make_terms("9.00", 40))
    stale = []
    for lead_time_days, payment in ((31, "30/70"), (30, "30/70"), (31, "net 30"), (31, "30/70")):
        talk = play_round(talk, make_terms("6.00", lead_time_days, payment))
        stale.append(talk.stale_rounds)

    assert stale == [0, 1, 0, 1]


def test_one_side_alone_can_keep_it_going() -> None:
    talk = play_round(patient(3), make_terms("6.00"), make_terms("9.00"))
    for cents in range(90, 40, -10):
        talk = play_round(talk, None, make_terms(f"8.{cents}"))

    assert talk.stale_rounds == 0


@pytest.mark.parametrize(
    ("rules", "patience"),
    [
        ({"max_rounds": 10}, 5),
        ({"max_rounds": 4}, 3),
        ({"max_rounds": 30}, 15),
        ({"max_rounds": 10, "no_progress_rounds": 2}, 2),
    ],
)
def test_patience_lasts_half_of_the_rounds_and_at_least_three(
    rules: dict[str, Any], patience: int
) -> None:
    talk = make_conversation(make_config(**rules))

    assert not play_idle_rounds(talk, patience - 1).is_final
    assert play_idle_rounds(talk, patience).is_final


def test_patience_can_be_switched_off() -> None:
    talk = play_idle_rounds(patient(0), 50)

    assert not talk.is_final
    assert ending_without_words(talk) is None


def test_the_best_offer_within_ones_limits_is_remembered() -> None:
    talk = make_conversation()
    for price, lead_time_days in (("7.90", 40), ("7.00", 40), ("6.00", 60), ("7.50", 40)):
        terms = make_terms(price, lead_time_days)
        talk = said(talk, Sender.SUPPLIER, Move.OFFER, terms=terms)

    received = talk.brand.received
    assert received is not None
    assert received.best_allowed == make_terms("7.00", 40)
    assert received.first == talk.brand.utility.of(make_terms("7.90", 40))
    assert received.best >= received.best_allowed_worth > received.first


def test_a_restart_knows_what_an_uninterrupted_run_knows() -> None:
    talk = make_conversation()
    messages: list[Message] = []
    one = make_intervention(limits={"unit_price": "7.50"}).model_copy(update={"message_seq": 3})
    for sender, move, terms in (
        (Sender.BRAND, Move.OFFER, make_terms("6.00")),
        (Sender.SUPPLIER, Move.OFFER, make_terms("9.00")),
        (Sender.USER, None, None),
        (Sender.BRAND, Move.TALK, None),
        (Sender.SUPPLIER, Move.OFFER, make_terms("8.50", 30)),
    ):
        messages.append(as_saved(make_entry(talk, sender, move, terms=terms)))
        talk = talk.said(messages[-1]) if move else talk.guided(messages[-1], one)

    assert Conversation.restored(talk.quote, talk.negotiation, messages, [one]) == talk


# Guidance


def traded() -> Conversation:
    """The brand's offer 1 and the supplier's offers 2 and 4 stand or stood."""
    talk = said(make_conversation(), Sender.BRAND, Move.OFFER, terms=make_terms("6.00"))
    talk = said(talk, Sender.SUPPLIER, Move.OFFER, terms=make_terms("7.90", 40))
    talk = said(talk, Sender.BRAND)
    return said(talk, Sender.SUPPLIER, Move.OFFER, terms=make_terms("7.00", 40))


def test_a_user_message_is_the_next_one_and_changes_no_round_and_no_offer() -> None:
    before = traded()

    after = guided(before)

    assert (after.message_count, after.last_sender) == (5, Sender.USER)
    assert after.rounds == before.rounds
    assert (after.brand.standing, after.supplier) == (before.brand.standing, before.supplier)
    assert after.heard_by_brand[-1].content == "Push on lead time."


def test_an_intervention_starts_the_count_of_rounds_without_progress_anew() -> None:
    talk = said(play_idle_rounds(patient(3), 3), Sender.BRAND, Move.OFFER, terms=make_terms("6.00"))
    assert (talk.is_final, talk.progressed) == (True, True)

    asked = guided(talk)

    assert (asked.stale_rounds, asked.is_final, asked.progressed) == (0, False, False)


def test_text_alone_leaves_the_brand_what_it_was() -> None:
    before = traded()

    assert guided(before).brand == before.brand


@pytest.mark.parametrize(
    ("limits", "stands"),
    [
        ({"unit_price": "6.00"}, True),
        ({"unit_price": "5.99"}, False),
        ({"lead_time_days": 35}, True),
        ({"lead_time_days": 34}, False),
        ({"payment": ["30/70"]}, True),
        ({"payment": ["net 30"]}, False),
    ],
)
def test_a_changed_limit_withdraws_the_brands_offer_if_that_breaks_it(
    limits: dict[str, Any], stands: bool
) -> None:
    talk = guided(traded(), limits=limits)

    assert (talk.brand.standing is not None, talk.must_move) == (stands, not stands)
    assert talk.supplier.standing is not None
    assert talk.supplier.standing.seq == 4


def test_the_brand_must_move_until_it_has_spoken_and_however_often_it_is_guided() -> None:
    talk = guided(traded(), limits={"unit_price": "5.50"})

    assert guided(talk).must_move
    assert guided(talk, limits={"unit_price": "9.00"}).must_move
    assert said(talk, Sender.SUPPLIER).must_move
    assert not said(talk, Sender.BRAND, Move.OFFER, terms=make_terms("5.00")).must_move
    assert not guided(make_conversation(), limits={"unit_price": "5.50"}).must_move


def test_offers_received_before_are_worth_what_they_are_under_the_new_limits() -> None:
    before = said(traded(), Sender.SUPPLIER)
    limits = {"unit_price": "7.50"}
    afterwards = make_conversation(limit="7.50")
    for price in ("7.90", "7.00"):
        terms = make_terms(price, 40)
        afterwards = said(afterwards, Sender.SUPPLIER, Move.OFFER, terms=terms)

    after = guided(before, limits=limits)

    assert before.brand.received != afterwards.brand.received
    assert after.brand.received == afterwards.brand.received
    assert after.brand.utility == afterwards.brand.utility
    assert after.supplier == before.supplier


def test_what_the_brand_has_offered_itself_is_nothing_that_it_received() -> None:
    talk = said(make_conversation(), Sender.BRAND, Move.OFFER, terms=make_terms("6.00"))

    assert guided(talk, limits={"unit_price": "7.50"}).brand.received is None


def test_changed_priorities_alone_weigh_the_terms_anew() -> None:
    priorities = {"quality": 0, "cost": 10, "lead_time": 80, "payment_terms": 10}
    before = traded()

    after = guided(before, priorities=priorities)

    assert after.priorities.lead_time == 80
    assert after.brand.mandate == before.brand.mandate
    assert after.brand.utility != before.brand.utility
    assert after.brand.standing == before.brand.standing
    assert guided(after, text="Go on.").priorities == after.priorities


def test_limits_add_up_from_one_intervention_to_the_next() -> None:
    talk = guided(traded(), limits={"unit_price": "7.00"})
    talk = guided(talk, 2, limits={"lead_time_days": 40})

    assert talk.brand.mandate.model_dump(mode="json") == {
        "widget.unit_price": {"target": "5.00", "limit": "7.00"},
        "lead_time_days": {"target": 25, "limit": 40},
        "payment": ["net 30", "30/70"],
    }


def test_restored_messages_of_a_person_go_with_their_own_intervention() -> None:
    talk = traded()
    ones = [
        make_intervention(number=1, limits={"unit_price": "7.50"}),
        make_intervention(number=2, text="Only 5.50!", limits={"lead_time_days": 40}),
    ]
    asked = [
        one.model_copy(update={"message_seq": seq}) for seq, one in ((6, ones[0]), (5, ones[1]))
    ]
    messages = [
        as_saved(make_entry(talk, Sender.USER, None, seq=seq, content=one.wording))
        for seq, one in ((5, ones[1]), (6, ones[0]))
    ]

    restored = Conversation.restored(talk.quote, talk.negotiation, messages, asked)

    assert Decimal("5.50") in restored.brand.secrets
    assert restored.brand.mandate.model_dump(mode="json")["lead_time_days"]["limit"] == 40
    assert [message.content for message in restored.heard_by_brand] == [
        "Only 5.50!",
        "Go by the changed limits.",
    ]
