"""Reception: guidance from any door is committed whole, or refused with all its mistakes."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from factories import make_config, make_negotiations, make_quote, make_supplier

from actors.errors import InterventionError
from actors.mechanism.guidance import intervention_mistakes
from actors.reception import receive
from storage.errors import DatabaseUnavailable, NegotiationNotActive, UnknownRecord
from storage.interventions import Intervention
from storage.ledger import Ledger
from storage.records import Ending, Negotiation, NegotiationStatus, Priorities, Reason

CONFIG = make_config([make_supplier(number) for number in (1, 2, 3)])
IMPASSE = Ending(status=NegotiationStatus.IMPASSE, reason=Reason.NO_PROGRESS, agreed_terms=None)
ALL_FOUR = "name all four, quality, cost, lead_time, payment_terms, so that they sum to 100"
PRIORITIES = {"quality": 10, "cost": 10, "lead_time": 70, "payment_terms": 10}


@pytest.fixture
def negotiations(store: Ledger) -> tuple[Negotiation, ...]:
    quote = make_quote(CONFIG)
    store.add_quote(quote)
    with store.connection(), store.transaction():
        return store.open_negotiations(quote.id, make_negotiations(quote, CONFIG))[1]


@pytest.fixture
def negotiation(negotiations: tuple[Negotiation, ...]) -> Negotiation:
    return negotiations[0]


def end(store: Ledger, *negotiations: Negotiation) -> None:
    with store.connection(), store.transaction():
        for negotiation in negotiations:
            store.end(negotiation.id, IMPASSE)


def all_received(store: Ledger, negotiations: tuple[Negotiation, ...]) -> list[Intervention]:
    return [one for each in negotiations for one in store.interventions(each.id)]


def mistakes(store: Ledger, text: Any = None, **content: Any) -> tuple[str, ...]:
    with pytest.raises(InterventionError) as refused:
        receive(store, text, **content)
    return refused.value.mistakes


def test_it_is_on_disk_as_received_before_anybody_answers(
    store: Ledger, negotiation: Negotiation
) -> None:
    quote_id, received = receive(
        store,
        "Push on lead time.",
        negotiation_id=negotiation.id,
        limits={"unit_price": Decimal("7.50"), "payment": ("30/70", "net 30")},
        priorities=PRIORITIES,
        action="accept",
        accepts_seq=2,
    )

    assert quote_id == negotiation.quote_id
    assert received == store.interventions(negotiation.id)
    (one,) = received
    assert one.id.startswith("i-")
    assert (one.text, one.action, one.accepts_seq) == ("Push on lead time.", "accept", 2)
    assert one.limits == {"unit_price": "7.50", "payment": ["30/70", "net 30"]}
    assert one.priorities == Priorities.model_validate(PRIORITIES)
    assert (one.status, one.message_seq, one.row_hash) == ("received", None, None)


def test_priorities_may_be_a_record(store: Ledger, negotiation: Negotiation) -> None:
    priorities = Priorities.model_validate(PRIORITIES)

    _, (one,) = receive(store, negotiation_id=negotiation.id, priorities=priorities)

    assert one.priorities == priorities


def test_a_whole_quote_at_once_is_one_receipt_for_each_active_negotiation(
    store: Ledger, negotiations: tuple[Negotiation, ...]
) -> None:
    end(store, negotiations[1])

    quote_id, received = receive(store, "Push.", quote_id=negotiations[0].quote_id)

    assert quote_id == negotiations[0].quote_id
    assert [one.negotiation_id for one in received] == [negotiations[0].id, negotiations[2].id]
    assert len({one.id for one in received}) == 2
    assert all_received(store, negotiations) == received


def test_a_negotiation_or_a_quote_that_has_ended_is_told_so_and_nothing_is_written(
    store: Ledger, negotiations: tuple[Negotiation, ...]
) -> None:
    end(store, *negotiations)

    with pytest.raises(NegotiationNotActive, match="has ended: impasse"):
        receive(store, "Push.", negotiation_id=negotiations[0].id)
    (line,) = mistakes(store, "Push.", quote_id=negotiations[0].quote_id)

    assert "has no active negotiation: nobody would hear" in line
    assert all_received(store, negotiations) == []


def test_it_connects_once_and_nothing_is_locked_while_it_is_looked_at(
    store: Ledger, negotiation: Negotiation, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect
    connected: list[sqlite3.Connection] = []
    looked_at: list[bool] = []

    def connecting(*args: Any, **options: Any) -> sqlite3.Connection:
        connected.append(connect(*args, **options))
        return connected[-1]

    def look(*args: Any) -> list[str]:
        (ours,) = connected
        looked_at.append(ours.in_transaction)
        return intervention_mistakes(*args)

    monkeypatch.setattr(sqlite3, "connect", connecting)
    monkeypatch.setattr("actors.reception.intervention_mistakes", look)
    receive(store, "Push.", negotiation_id=negotiation.id)

    assert len(connected) == 1
    assert looked_at == [False]


def test_a_database_that_can_not_be_opened_is_told_in_our_words(
    store: Ledger, negotiation: Negotiation
) -> None:
    store.path.rename(store.path.with_suffix(".moved"))

    with pytest.raises(DatabaseUnavailable, match="unable to open"):
        receive(store, "Push.", negotiation_id=negotiation.id)


def test_unknown_ids_are_told_by_name(store: Ledger) -> None:
    with pytest.raises(UnknownRecord, match="negotiation 'n-none'"):
        receive(store, "Push.", negotiation_id="n-none")
    with pytest.raises(UnknownRecord, match="quote 'q-none'"):
        receive(store, "Push.", quote_id="q-none")


def test_exactly_one_of_the_two_ids_is_given(store: Ledger, negotiation: Negotiation) -> None:
    line = "give exactly one of negotiation_id and quote_id"

    assert mistakes(store, "Push.") == (line,)
    assert mistakes(
        store, "Push.", negotiation_id=negotiation.id, quote_id=negotiation.quote_id
    ) == (line,)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"text": 7}, "text: expected text, not int"),
        ({"text": " "}, "text: a message needs words"),
        ({"text": "x" * 4001}, "text: 4001 characters: at most 4000"),
        ({}, "it is empty: give text, limits, priorities or an action"),
        ({"limits": []}, 'limits: expected a mapping, such as {"unit_price": "6.40"}'),
        ({"limits": "6.40"}, 'limits: expected a mapping, such as {"unit_price": "6.40"}'),
        ({"limits": {}}, "limits: it is empty: leave it out, or name a limit"),
        (
            {"limits": {"unit_price": 6.4}},
            'limits.unit_price: write the number as text, such as "6.40"',
        ),
        ({"limits": {"unit_price": "0"}}, "limits.unit_price: a price limit must be above 0"),
        ({"action": "dance"}, "action: no action 'dance': write accept or walk_away"),
        ({"action": ["accept"]}, "action: no action \"['accept']\": write accept or walk_away"),
        ({"action": "accept"}, "accepts_seq: name the supplier's offer to accept by its seq"),
        (
            {"text": "x", "accepts_seq": 2},
            "accepts_seq: it goes with the action accept only",
        ),
        (
            {"action": "continue", "text": "Go."},
            "action: continue carries nothing else: send the guidance by itself",
        ),
        (
            {"priorities": {"cost": 100}},
            f"priorities: {ALL_FOUR}",
        ),
        ({"priorities": 25}, f"priorities: {ALL_FOUR}"),
        (
            {"priorities": [25, 25, 25, 25]},
            f"priorities: {ALL_FOUR}",
        ),
        (
            {"priorities": PRIORITIES | {"cost": 11}},
            "priorities: the four sum to 101: write whole numbers that sum to 100",
        ),
        (
            {"priorities": PRIORITIES | {"cost": -1}},
            "priorities: cost: is too small: write 0 or more",
        ),
    ],
)
def test_each_mistake_says_what_to_do_and_nothing_is_written(
    store: Ledger,
    negotiations: tuple[Negotiation, ...],
    content: Mapping[str, Any],
    line: str,
) -> None:
    assert mistakes(store, negotiation_id=negotiations[0].id, **content) == (line,)
    assert mistakes(store, quote_id=negotiations[0].quote_id, **content)[0] == line or (
        content.get("action") == "accept"
    )
    assert all_received(store, negotiations) == []


def test_a_number_that_is_no_number_of_a_message_is_told(
    store: Ledger, negotiation: Negotiation
) -> None:
    content: dict[str, Any] = {"action": "accept", "accepts_seq": "two"}

    (line,) = mistakes(store, negotiation_id=negotiation.id, **content)

    assert line == "accepts_seq: expected the number of the supplier's message, such as 6"


def test_all_mistakes_of_its_shape_are_told_at_once(
    store: Ledger, negotiation: Negotiation
) -> None:
    lines = mistakes(
        store,
        7,
        negotiation_id=negotiation.id,
        limits={"unit_price": 6.4, "lead_time_days": 30.0},
        priorities={},
        action="dance",
    )

    assert [line.partition(":")[0] for line in lines] == [
        *("text", "limits.unit_price", "limits.lead_time_days", "priorities", "action"),
    ]


def test_all_mistakes_of_its_content_are_told_at_once(
    store: Ledger, negotiation: Negotiation
) -> None:
    limits = {"unit_price": "0", "colour": "red"}

    lines = mistakes(store, "", negotiation_id=negotiation.id, limits=limits, action="accept")

    assert [line.partition(":")[0] for line in lines] == [
        *("text", "accepts_seq", "limits.unit_price", "limits.colour"),
    ]


def test_an_offer_is_one_negotiations_and_not_a_whole_quotes(
    store: Ledger, negotiation: Negotiation
) -> None:
    lines = mistakes(store, quote_id=negotiation.quote_id, action="accept", accepts_seq=2)

    assert lines == ("action: accept takes one negotiation's offer: give its negotiation_id",)
    receive(store, quote_id=negotiation.quote_id, action="walk_away")


def test_a_continue_is_received_like_any_other(store: Ledger, negotiation: Negotiation) -> None:
    _, (one,) = receive(store, negotiation_id=negotiation.id, action="continue")

    assert (one.action, one.text) == ("continue", None)
