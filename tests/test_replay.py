"""Replay: what the rules forbid is named, and nothing else, when every hash is as it should be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from casebook import Casebook, impasse
from factories import make_terms
from msgspec.structs import replace

from actors.mechanism.conversation import Conversation
from actors.mechanism.guidance import FAREWELL_WORDS
from actors.mechanism.replay import SAID_OF
from actors.mechanism.ruling import Rule

Scene = Callable[[Casebook], object]

WALK = {"action": "walk_away"}
NOT_THE_PERSONS = "it is not what the person has decided in the brand's place"
NOT_ITS_ENDING = "its status, reason and agreed terms are not what its last message makes them"
NOTHING_ENDS_IT = "it has ended, and nothing in it ends it so"


@pytest.fixture
def case(tmp_path: Path) -> Casebook:
    return Casebook(tmp_path / "parley.db", 2, max_rounds=3, no_progress_rounds=0)


def opened(case: Casebook) -> None:
    case.offer("brand", "6.00")
    case.offer("supplier", "7.50")


def lowered(case: Casebook, limit: str) -> Any:
    return case.guide(case.receive(limits={"unit_price": limit}))


# What the rules say to a draft


def talk_at_the_close(case: Casebook) -> None:
    for _ in range(3):
        opened(case)
    case.say("brand", "talk")


def talk_after_a_withdrawal(case: Casebook) -> None:
    opened(case)
    case.say("brand", "talk", answers=lowered(case, "5.50"))


def accept_of_what_does_not_stand(case: Casebook) -> None:
    opened(case)
    case.offer("brand", "6.10")
    case.take("supplier", 1, "6.00")


def accept_with(words: str) -> Scene:
    def scene(case: Casebook) -> None:
        opened(case)
        case.take("brand", 2, "7.50", content=words)

    return scene


FORBIDDEN: dict[Rule, tuple[int, Scene]] = {
    Rule.UNREADABLE: (1, lambda case: case.say("brand", None)),
    Rule.CLOSING_MOVE: (7, talk_at_the_close),
    Rule.ILLEGAL_MOVE: (4, talk_after_a_withdrawal),
    Rule.ALTERED_REQUEST: (
        1,
        lambda case: case.say("brand", "offer", terms=make_terms("6.00", 35, "100")),
    ),
    Rule.NO_STANDING_OFFER: (4, accept_of_what_does_not_stand),
    Rule.CONDITION: (3, accept_with("Yes, unless it rains.")),
    Rule.OTHER_AMOUNT: (3, accept_with("Agreed at $ 7.40.")),
    Rule.LIMIT: (1, lambda case: case.offer("brand", "8.10")),
    Rule.PRIVATE_FIGURE: (1, lambda case: case.offer("brand", "6.00", content="We stop at 8.00.")),
    Rule.RIVAL_NAME: (1, lambda case: case.say("brand", "talk", content="Supplier 2 is cheap.")),
}


@pytest.mark.parametrize("rule", Rule)
def test_a_message_that_breaks_a_rule_is_named(case: Casebook, rule: Rule) -> None:
    seq, scene = FORBIDDEN[rule]
    scene(case)

    assert case.faults() == [f"{case.id} message {seq}: {SAID_OF[rule]}"]


# Limits, figures and turns, as they were at that message


def breach_by_the_supplier(case: Casebook) -> None:
    case.offer("brand", "6.00")
    case.offer("supplier", "5.90")


def breach_of_a_changed_limit(case: Casebook) -> None:
    opened(case)
    case.offer("brand", "7.00", answers=lowered(case, "6.50"))


def accept_of_a_withdrawn_offer(case: Casebook) -> None:
    opened(case)
    case.walk("brand", answers=lowered(case, "5.50"))
    reopened(case)
    case.take("supplier", 1, "6.00")


def figure_of_a_person(case: Casebook) -> None:
    answers = case.guide(case.receive(text="Hint at 6.66."))
    case.offer("brand", "6.00", content="Make it 6.66.", answers=answers)


def twice(case: Casebook) -> None:
    case.offer("brand", "6.00")
    case.offer("brand", "6.10")


def reopened(case: Casebook) -> None:
    case.sql(
        "UPDATE negotiations SET status = 'active', reason = NULL, ended_at = NULL",
        "UPDATE quotes SET status = 'negotiating', completed_at = NULL",
        rehash=True,
    )


def after_the_end(case: Casebook) -> None:
    case.walk("brand")
    reopened(case)
    case.say("supplier", "talk")


def persons_move_by_another(case: Casebook) -> None:
    case.walk("brand", content=FAREWELL_WORDS, answers=case.guide(case.receive(**WALK)))


def another_move(case: Casebook) -> None:
    answers = case.guide(case.receive(**WALK))
    case.say("brand", "talk", content=FAREWELL_WORDS, origin="person", answers=answers)


def other_words(case: Casebook) -> None:
    answers = case.guide(case.receive(**WALK))
    case.walk("brand", "user_ended", content="Bye.", origin="person", answers=answers)


def another_offer_than_the_persons(case: Casebook) -> None:
    opened(case)
    answers = case.guide(case.receive(action="accept", accepts_seq=1))
    words = "Agreed: we accept your offer as it stands."
    case.take("brand", 2, "7.50", content=words, origin="person", answers=answers)


@pytest.mark.parametrize(
    ("scene", "seq", "what"),
    [
        (breach_by_the_supplier, 2, SAID_OF[Rule.LIMIT]),
        (breach_of_a_changed_limit, 4, SAID_OF[Rule.LIMIT]),
        (figure_of_a_person, 2, SAID_OF[Rule.PRIVATE_FIGURE]),
        (twice, 2, "it speaks out of turn"),
        (lambda case: case.offer("supplier", "8.00"), 1, "it speaks out of turn"),
        (after_the_end, 2, "it comes after the message that closed the negotiation"),
        (
            lambda case: case.offer("brand", "6.00", origin="person"),
            1,
            "it speaks for a person who has not asked for it",
        ),
        (persons_move_by_another, 2, NOT_THE_PERSONS),
        (another_move, 2, NOT_THE_PERSONS),
        (other_words, 2, NOT_THE_PERSONS),
        (another_offer_than_the_persons, 4, NOT_THE_PERSONS),
    ],
)
def test_a_message_that_may_not_be_there_is_named(
    case: Casebook, scene: Scene, seq: int, what: str
) -> None:
    scene(case)

    assert f"{case.id} message {seq}: {what}" in case.faults()
    assert all(f" message {seq}: " in fault for fault in case.faults())


def test_an_offer_that_a_person_s_limit_withdrew_does_not_stand(case: Casebook) -> None:
    accept_of_a_withdrawn_offer(case)

    assert f"{case.id} message 5: {SAID_OF[Rule.NO_STANDING_OFFER]}" in case.faults()


def test_an_accept_without_its_terms_is_named(case: Casebook) -> None:
    opened(case)
    case.take("brand", 2, "7.50")
    case.sql("UPDATE messages SET terms = NULL WHERE seq = 3", rehash=True)

    what = "its terms are not those that the rules make of it"
    assert f"{case.id} message 3: {what}" in case.faults()


def test_a_round_after_the_last_without_progress_is_named(tmp_path: Path) -> None:
    case = Casebook(tmp_path / "parley.db", max_rounds=9, no_progress_rounds=1)
    for _ in range(4):
        opened(case)

    assert case.faults() == [
        f"{case.id} message {seq}: it comes after the last round without progress" for seq in (7, 8)
    ]


# How it ended


@pytest.mark.parametrize(
    ("scene", "what"),
    [
        (lambda case: case.say("brand", "walk_away"), NOT_ITS_ENDING),
        (lambda case: case.walk("brand", "max_rounds"), NOT_ITS_ENDING),
        (lambda case: case.end("no_progress"), NOTHING_ENDS_IT),
        (lambda case: case.end("budget"), NOTHING_ENDS_IT),
        (lambda case: case.end("cancelled"), "it ended as cancelled, and its quote is not"),
        (
            lambda case: case.say("brand", "talk", ending=impasse("walk_away")),
            NOTHING_ENDS_IT,
        ),
        (
            lambda case: case.sql("UPDATE negotiations SET reason = 'budget'", rehash=True),
            "it is active, and has a reason or agreed terms",
        ),
    ],
)
def test_an_ending_that_nothing_made_is_named(case: Casebook, scene: Scene, what: str) -> None:
    case.sql("DELETE FROM negotiations WHERE supplier_id = 'supplier-2'")
    case.sql("""UPDATE quotes SET suppliers = '["supplier-1"]'""", rehash=True)
    scene(case)

    assert case.faults() == [f"{case.id}: {what}"]


def test_an_end_without_progress_or_by_a_budget_is_clean(tmp_path: Path) -> None:
    stale = Casebook(tmp_path / "a.db", max_rounds=9, no_progress_rounds=1)
    for _ in range(3):
        opened(stale)
    stale.end("no_progress")
    spent = Casebook(tmp_path / "b.db", budget={"calls": 1})
    spent.end("budget")

    assert stale.faults() == spent.faults() == []


def test_a_supplier_that_sees_what_a_person_said_is_named(
    case: Casebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.guide(case.receive(text="Between us."))
    guided = Conversation.guided

    def careless(self: Conversation, *of: Any) -> Conversation:
        after = guided(self, *of)
        return replace(after, heard_by_supplier=after.heard_by_brand)

    monkeypatch.setattr(Conversation, "guided", careless)

    assert case.faults() == [f"{case.id}: its supplier can see what a person said"]
