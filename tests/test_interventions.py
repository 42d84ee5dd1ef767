"""Interventions: what their user messages say, which of them can't wait, and their short form."""

from __future__ import annotations

from typing import Any

import pytest
from factories import make_intervention

from storage.interventions import Intervention

PRIORITIES = {"quality": 10, "cost": 10, "lead_time": 70, "payment_terms": 10}
LIMITS = {"unit_price": "6.40"}


def settled(**changes: Any) -> Intervention:
    return Intervention.model_validate(make_intervention().model_dump() | changes)


@pytest.mark.parametrize(
    ("content", "wording"),
    [
        ({"text": "Push on lead time.", "limits": LIMITS}, "Push on lead time."),
        ({"text": "Take it!", "action": "accept", "accepts_seq": 4}, "Take it!"),
        ({"action": "accept", "accepts_seq": 4, "limits": LIMITS}, "Accept offer 4."),
        ({"action": "walk_away"}, "Walk away."),
        ({"limits": LIMITS}, "Go by the changed limits."),
        ({"priorities": PRIORITIES}, "Go by the changed priorities."),
        ({"limits": LIMITS, "priorities": PRIORITIES}, "Go by the changed limits and priorities."),
    ],
)
def test_a_user_message_says_the_text_or_what_it_does_without_a_figure(
    content: dict[str, Any], wording: str
) -> None:
    assert make_intervention(**content).wording == wording


@pytest.mark.parametrize(
    ("content", "interrupts"),
    [
        ({"text": "Push."}, False),
        ({"priorities": PRIORITIES}, False),
        ({"limits": LIMITS}, True),
        ({"text": "Push.", "limits": LIMITS}, True),
        ({"action": "walk_away"}, True),
        ({"action": "accept", "accepts_seq": 4}, True),
    ],
)
def test_only_limits_and_actions_can_not_wait_for_a_suppliers_answer(
    content: dict[str, Any], interrupts: bool
) -> None:
    assert make_intervention(**content).interrupts is interrupts


def test_its_short_form_says_what_became_of_it_and_keeps_its_text() -> None:
    applied = settled(text="Stop at 6.40!", limits=LIMITS, status="applied", applied_seq=7)
    refused = settled(status="refused", reason="a newer action\ntook its place")

    assert make_intervention().in_short() == "i-1 in n-1: received"
    assert repr(applied) == "<Intervention i-1 in n-1: applied, message 7 follows>"
    assert refused.in_short() == "i-1 in n-1: refused, a newer action\\ntook its place"
