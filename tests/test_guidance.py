"""Rules 12 to 14: which interventions hold, what they come to together, and what a person does."""

from __future__ import annotations

from typing import Any

import pytest
from factories import guided, make_conversation, make_intervention, make_terms, said

from actors.mechanism.conversation import Conversation
from actors.mechanism.guidance import (
    ACCEPT_WORDS,
    FAREWELL_WORDS,
    TOOK_ITS_PLACE,
    Guidance,
    intervention_mistakes,
    person_draft,
    weigh,
)
from actors.mechanism.moves import LONGEST_TEXT, Draft
from storage.interventions import Intervention
from storage.mandates import LineId
from storage.records import Move, Sender
from storage.terms.offered import Terms

TALK = make_conversation()
MANDATE, REQUEST = TALK.brand.mandate, TALK.request
WIDGET = LineId("widget")
PRIORITIES = {"quality": 10, "cost": 10, "lead_time": 70, "payment_terms": 10}


def offered(terms: Terms | None = None) -> Conversation:
    """The brand has opened, and message 2 is the supplier's offer."""
    talk = said(make_conversation(), Sender.BRAND, Move.OFFER, terms=make_terms("6.00"))
    return said(talk, Sender.SUPPLIER, Move.OFFER, terms=terms or make_terms("7.50"))


def weighed(talk: Conversation, *contents: dict[str, Any]) -> Guidance:
    """What interventions 1, 2, … come to."""
    return weigh(talk, [make_intervention(number=n, **one) for n, one in enumerate(contents, 1)])


def taken(guidance: Guidance) -> list[str]:
    return [one.id for one in guidance.taken]


def refused(guidance: Guidance) -> dict[str, str]:
    return {one.intervention.id: one.reason for one in guidance.refused}


def mistakes(**content: Any) -> list[str]:
    return intervention_mistakes(make_intervention(**content), MANDATE, REQUEST)


def accept(seq: int | None = 2, **content: Any) -> dict[str, Any]:
    return {"action": "accept", "accepts_seq": seq, **content}


def test_all_that_wait_are_taken_together_oldest_first() -> None:
    guidance = weighed(offered(), {"text": "Push."}, {"priorities": PRIORITIES}, {"text": "More."})

    assert taken(guidance) == ["i-1", "i-2", "i-3"]
    assert guidance.refused == ()
    assert guidance.mandate == MANDATE


def test_the_limits_of_all_hold_and_the_newest_wins_per_limit() -> None:
    guidance = weighed(
        offered(),
        {"limits": {"unit_price": "7.00", "lead_time_days": 40}},
        {"limits": {"unit_price": "7.20"}},
    )

    assert guidance.mandate.prices[WIDGET].limit == make_terms("7.20").unit_prices[WIDGET]
    assert guidance.mandate.terms["lead_time_days"].model_dump()["limit"] == 40


def test_one_with_a_mistake_is_refused_alone_and_none_of_its_limits_holds() -> None:
    guidance = weighed(
        offered(), {"limits": {"unit_price": "7.00", "colour": 1}}, {"limits": {"payment": ["100"]}}
    )

    assert taken(guidance) == []
    assert "limits.colour: no such limit" in refused(guidance)["i-1"]
    assert "none of these is an option" in refused(guidance)["i-2"]
    assert guidance.mandate == MANDATE


def test_all_mistakes_of_one_stand_in_its_reason() -> None:
    guidance = weighed(offered(), {"limits": {"colour": 1, "size": 2}})

    assert refused(guidance)["i-1"].count("no such limit") == 2
    assert "; " in refused(guidance)["i-1"]


def test_of_several_actions_the_newest_wins_and_says_so() -> None:
    guidance = weighed(offered(), accept(), {"text": "Push."}, {"action": "walk_away"})

    assert taken(guidance) == ["i-2", "i-3"]
    assert refused(guidance) == {"i-1": TOOK_ITS_PLACE}


def test_the_limits_of_an_action_that_lost_its_place_do_not_hold() -> None:
    guidance = weighed(offered(), accept(limits={"unit_price": "7.80"}), {"action": "walk_away"})

    assert guidance.mandate == MANDATE


def test_an_older_action_is_not_what_the_person_wants_even_if_the_newest_is_refused() -> None:
    guidance = weighed(offered(), {"action": "walk_away"}, accept(9))

    assert taken(guidance) == []
    assert refused(guidance)["i-1"] == TOOK_ITS_PLACE
    assert "offer 9 does not stand" in refused(guidance)["i-2"]


def test_an_accept_of_the_standing_offer_holds() -> None:
    assert taken(weighed(offered(), accept())) == ["i-1"]


@pytest.mark.parametrize(
    ("talk", "seq", "reason"),
    [
        (offered(), 1, "offer 1 does not stand, offer 2 does: look at the newest messages"),
        (offered(), 4, "offer 4 does not stand, offer 2 does: look at the newest messages"),
        (TALK, 2, "offer 2 does not stand, no offer does: look at the newest messages"),
    ],
)
def test_an_accept_of_what_does_not_stand_is_refused_with_what_does(
    talk: Conversation, seq: int, reason: str
) -> None:
    assert refused(weighed(talk, accept(seq))) == {"i-1": reason}


def test_an_accept_that_breaks_a_limit_is_refused_with_the_limit_to_change() -> None:
    guidance = weighed(offered(make_terms("8.50", 50)), {"text": "Well."}, accept())

    assert taken(guidance) == ["i-1"]
    assert refused(guidance) == {
        "i-2": "offer 2 breaks a limit: change widget.unit_price, lead_time_days "
        "in the same intervention"
    }


def test_an_accept_may_change_the_limit_that_it_breaks() -> None:
    guidance = weighed(offered(make_terms("8.50")), accept(limits={"unit_price": "8.50"}))

    assert taken(guidance) == ["i-1"]
    assert guidance.mandate.prices[WIDGET].limit == make_terms("8.50").unit_prices[WIDGET]


def test_limits_of_an_accept_that_is_refused_do_not_hold_and_the_others_do() -> None:
    guidance = weighed(
        offered(make_terms("9.50")),
        {"limits": {"lead_time_days": 30}},
        accept(limits={"unit_price": "9.00"}),
    )

    assert taken(guidance) == ["i-1"]
    assert guidance.mandate.prices == MANDATE.prices
    assert guidance.mandate.terms["lead_time_days"].model_dump()["limit"] == 30


def test_an_accept_is_weighed_by_the_limits_of_all_that_wait_with_it() -> None:
    guidance = weighed(offered(), accept(), {"limits": {"unit_price": "7.00"}})

    assert taken(guidance) == ["i-2"]
    assert list(refused(guidance)) == ["i-1"]


@pytest.mark.parametrize(
    "content",
    [
        {"text": "Push."},
        {"text": "x" * LONGEST_TEXT},
        {"limits": {"unit_price": "7.00"}},
        {"priorities": PRIORITIES},
        {"action": "walk_away"},
        {"action": "walk_away", "text": "Enough.", "limits": {"payment": ["30/70"]}},
        {"action": "continue"},
        accept(),
        accept(text="Take it.", priorities=PRIORITIES),
    ],
)
def test_what_a_person_may_ask_for_has_no_mistake(content: dict[str, Any]) -> None:
    assert mistakes(**content) == []


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        ({"text": " "}, "text: a message needs words"),
        ({"text": "x" * (LONGEST_TEXT + 1)}, "text: 4001 characters: at most 4000"),
        ({"text": "a\0b"}, "text: the text has characters that can't be stored"),
        (accept(None), "accepts_seq: name the supplier's offer to accept by its seq"),
        (
            {"action": "walk_away", "accepts_seq": 2},
            "accepts_seq: it goes with the action accept only",
        ),
        ({"text": "x", "accepts_seq": 2}, "accepts_seq: it goes with the action accept only"),
        (
            {"action": "continue", "text": "Go."},
            "action: continue carries nothing else: send the guidance by itself",
        ),
        (
            {"action": "continue", "limits": {"unit_price": "7.00"}},
            "action: continue carries nothing else: send the guidance by itself",
        ),
        (
            {"action": "continue", "priorities": PRIORITIES},
            "action: continue carries nothing else: send the guidance by itself",
        ),
        ({"text": None}, "it is empty: give text, limits, priorities or an action"),
        ({"limits": {}}, "limits: it is empty: leave it out, or name a limit"),
    ],
)
def test_each_mistake_says_what_to_do(content: dict[str, Any], mistake: str) -> None:
    assert mistakes(**content) == [mistake]


def test_all_mistakes_are_told_at_once() -> None:
    found = mistakes(text="", action="accept", limits={"unit_price": "0", "colour": 1})

    assert [line.partition(":")[0] for line in found] == [
        "text",
        "accepts_seq",
        "limits.unit_price",
        "limits.colour",
    ]


def test_accepting_and_walking_away_have_fixed_words_and_all_else_no_move() -> None:
    def draft(**content: Any) -> Draft | None:
        one: Intervention = make_intervention(**content)
        return person_draft(one)

    assert draft(**accept(4, text="Yes!")) == Draft(Move.ACCEPT, ACCEPT_WORDS, accepts_seq=4)
    assert draft(action="walk_away", text="No!") == Draft(Move.WALK_AWAY, FAREWELL_WORDS)
    assert draft(action="continue") is None
    assert draft(text="Push.") is None


def test_guidance_is_weighed_by_the_limits_that_were_changed_before() -> None:
    talk = guided(offered(), limits={"unit_price": "7.00"})

    guidance = weighed(talk, accept())

    assert list(refused(guidance)) == ["i-1"]
    assert guidance.mandate == talk.brand.mandate
