"""NegotiationLog: each event names its negotiation, and none holds what was said or a limit."""

from __future__ import annotations

import pytest
from conftest import Heard
from factories import (
    as_saved,
    make_conversation,
    make_entry,
    make_intervention,
    make_terms,
    said,
)

from actors.event_stream import EventStream
from actors.mechanism.ruling import Refusal, Rule
from actors.negotiation_log import NegotiationLog
from storage.errors import UnknownRecord
from storage.records import Ending, Move, NegotiationStatus, Reason, Sender
from storage.terms.kind import Side

TALK = make_conversation()
IDS = {
    "quote_id": TALK.quote.id,
    "negotiation_id": TALK.negotiation.id,
    "supplier_id": "supplier-1",
}


@pytest.fixture
def log(events: EventStream, heard: Heard) -> NegotiationLog:
    return NegotiationLog(TALK.negotiation, events)


def told(heard: Heard) -> list[tuple[str, dict[str, object]]]:
    """All events but for their ids, which must be the negotiation's."""
    facts = [(event.name, event.facts()) for event in heard]
    for _, each in facts:
        assert IDS.items() <= each.items()
    return [(name, {k: v for k, v in each.items() if k not in IDS}) for name, each in facts]


def test_a_saved_message_is_told_with_its_total_and_without_its_words(
    log: NegotiationLog, heard: Heard
) -> None:
    entry = make_entry(TALK, Sender.BRAND, Move.OFFER, terms=make_terms("6.00"), content="Zanzibar")
    log.saved(as_saved(entry), TALK.said(as_saved(entry)))
    log.saved(as_saved(make_entry(TALK, Sender.USER, None, content="Zanzibar")), TALK)

    (_, offer), (_, guidance) = told(heard)
    assert (offer["seq"], offer["total"], offer["currency"]) == (1, "600.00", "USD")
    assert (offer["sender"], offer["move"], offer["origin"]) == ("brand", "offer", "script")
    assert "total" not in guidance
    assert "Zanzibar" not in str(told(heard))


@pytest.mark.parametrize(
    ("sender", "accepts_seq", "price", "total"),
    [(Sender.BRAND, 2, "7.00", "700.00"), (Sender.SUPPLIER, 1, "6.00", "600.00")],
)
def test_an_accept_is_told_with_the_total_of_what_it_accepts(
    log: NegotiationLog, heard: Heard, sender: Sender, accepts_seq: int, price: str, total: str
) -> None:
    talk = said(TALK, Sender.BRAND, Move.OFFER, terms=make_terms("6.00"))
    talk = said(talk, Sender.SUPPLIER, Move.OFFER, terms=make_terms("7.00"))
    accept = make_entry(talk, sender, Move.ACCEPT, terms=make_terms(price), accepts_seq=accepts_seq)

    log.saved(as_saved(accept), talk.said(as_saved(accept)))

    ((_, accepted),) = told(heard)
    assert (accepted["move"], accepted["total"]) == ("accept", total)


def test_of_a_refusal_only_the_rule_is_told(log: NegotiationLog, heard: Heard) -> None:
    log.refused(Side.BRAND, Refusal(Rule.PRIVATE_FIGURE, "the words tell 7.20"), "tactics")
    log.demoted(Side.SUPPLIER, Rule.CONDITION)

    assert told(heard) == [
        ("draft.refused", {"side": "brand", "rule": "private_figure", "fallback": "tactics"}),
        ("accept.demoted", {"side": "supplier", "rule": "condition"}),
    ]


def test_what_went_wrong_is_told_with_its_reason(log: NegotiationLog, heard: Heard) -> None:
    log.failed(Side.BRAND, "no line", 0.2)
    log.stale("n-1/3")
    log.save_refused(UnknownRecord("quote", "q-1"))
    log.save_refused(ValueError("beyond 7.20"))
    log.parked("tired")

    assert told(heard) == [
        ("draft.failed", {"side": "brand", "error": "no line", "retry_in_s": 0.2}),
        ("draft.stale", {"draft_id": "n-1/3"}),
        ("save.refused", {"error": str(UnknownRecord("quote", "q-1"))}),
        ("save.refused", {"error": "ValueError"}),
        ("negotiation.parked", {"error": "tired"}),
    ]


def test_waiting_going_on_and_ending_are_told(log: NegotiationLog, heard: Heard) -> None:
    log.waits()
    log.continued()
    ending = Ending(status=NegotiationStatus.IMPASSE, reason=Reason.USER_ENDED, agreed_terms=None)
    log.ended(ending, 4)

    assert told(heard) == [
        ("negotiation.waiting", {}),
        ("negotiation.continued", {}),
        ("negotiation.ended", {"status": "impasse", "reason": "user_ended", "rounds": 4}),
    ]


def test_an_intervention_is_told_without_its_text_and_its_limits(
    log: NegotiationLog, heard: Heard
) -> None:
    one = make_intervention(text="Zanzibar", limits={"unit_price": "6.43"}, action="walk_away")
    log.intervention(one, "drafting brand")
    settled = one.model_copy(update={"status": "applied", "applied_seq": 7, "reason": "Zanzibar"})
    log.settled([settled, one])

    heard_of, applied, received = told(heard)
    assert heard_of == (
        "intervention.received",
        {"intervention_id": "i-1", "during": "drafting brand", "action": "walk_away"},
    )
    assert applied[1] == {"intervention_id": "i-1", "status": "applied", "applied_seq": 7}
    assert received[1] == {"intervention_id": "i-1", "status": "received"}
    assert "6.43" not in str(told(heard))
    assert "Zanzibar" not in str(told(heard))
