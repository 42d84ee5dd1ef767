"""The bill: what models spent, in words and for programs, and nothing where none was called."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pytest
from factories import make_config, make_negotiations, make_quote, make_supplier

from actors.monitoring.bill import NO_BILL, Bill
from actors.monitoring.tables import console, outcome_record, outcomes, transcript
from actors.negotiators.model_settings import Prices
from storage.calls import Spending
from storage.records import NegotiationId

CONFIG = make_config([make_supplier(1), make_supplier(2)])
QUOTE = make_quote(CONFIG)
NEGOTIATIONS = make_negotiations(QUOTE, CONFIG)
FIRST, SECOND = (negotiation.id for negotiation in NEGOTIATIONS)
PRICES = Prices.model_validate({"prompt": "0.10", "completion": "0.30", "currency": "USD"})
KNOWN = Spending(calls=12, prompt_tokens=10_000, completion_tokens=1_230)
UNKNOWN = Spending(calls=3, prompt_tokens=5_000, completion_tokens=0, unknown=1)


def printed(renderable: Any) -> str:
    out = io.StringIO()
    console(file=out, width=160, color_system=None).print(renderable)
    return out.getvalue()


@pytest.mark.parametrize(
    ("spent", "prices", "words"),
    [
        (KNOWN, None, ["12 calls", "11,230 tokens"]),
        (KNOWN, PRICES, ["12 calls", "11,230 tokens", "USD 0.0014"]),
        (UNKNOWN, None, ["3 calls", "≥ 5,000 tokens"]),
        (UNKNOWN, PRICES, ["3 calls", "≥ 5,000 tokens", "≥ USD 0.0005"]),
        (Spending(calls=2), PRICES, ["2 calls", "0 tokens", "USD 0.0000"]),
    ],
)
def test_it_says_how_many_calls_and_tokens_there_were_and_what_they_cost(
    spent: Spending, prices: Prices | None, words: list[str]
) -> None:
    assert Bill({FIRST: spent}, prices).words(FIRST) == words


def test_it_says_nothing_of_a_negotiation_that_called_no_model() -> None:
    bill = Bill({FIRST: KNOWN}, PRICES)

    assert bill.words(SECOND) == []
    assert NO_BILL.words(FIRST) == []


def test_programs_get_the_same_for_each_negotiation_once_one_has_called() -> None:
    bill = Bill({FIRST: UNKNOWN}, PRICES)

    assert bill.record(FIRST) == {
        "models": {
            "calls": 3,
            "prompt_tokens": 5_000,
            "completion_tokens": 0,
            "calls_of_unknown_cost": 1,
            "cost": "0.0005",
            "currency": "USD",
        }
    }
    assert bill.record(SECOND)["models"] == {
        "calls": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "calls_of_unknown_cost": 0,
        "cost": "0.0000",
        "currency": "USD",
    }


def test_programs_get_no_costs_without_prices_and_nothing_without_calls() -> None:
    assert "cost" not in Bill({FIRST: KNOWN}).record(FIRST)["models"]
    assert Bill({}, PRICES).record(FIRST) == {}


def test_prompts_and_answers_have_each_their_price() -> None:
    million: Mapping[NegotiationId, Spending] = {
        FIRST: Spending(1, prompt_tokens=1_000_000),
        SECOND: Spending(1, completion_tokens=1_000_000),
    }
    bill = Bill(million, PRICES)

    assert [bill.words(one)[-1] for one in (FIRST, SECOND)] == ["USD 0.1000", "USD 0.3000"]


def test_outcomes_have_a_column_for_models_once_one_has_called() -> None:
    shown = printed(outcomes(QUOTE, NEGOTIATIONS, Bill({SECOND: UNKNOWN}, PRICES)))

    assert "models" in shown
    first, *rest = shown[shown.index("Supplier 1") :].splitlines()
    assert "calls" not in first
    assert "3 calls" in rest[0]
    assert "≥ 5,000 tokens" in rest[1]
    assert "≥ USD 0.0005" in rest[2]


def test_outcomes_have_no_such_column_without_calls() -> None:
    for bill in (NO_BILL, Bill({}, PRICES)):
        assert "models" not in printed(outcomes(QUOTE, NEGOTIATIONS, bill))
        assert "models" not in str(outcome_record(QUOTE, NEGOTIATIONS, bill)["negotiations"])


def test_the_outcome_for_programs_has_what_each_negotiation_spent() -> None:
    record = outcome_record(QUOTE, NEGOTIATIONS, Bill({FIRST: KNOWN}))

    assert [one["models"]["calls"] for one in record["negotiations"]] == [12, 0]


def test_a_transcript_ends_with_what_was_spent_in_it() -> None:
    bill = Bill({FIRST: KNOWN}, PRICES)
    first, second = (printed(transcript(QUOTE, one, [], bill=bill)) for one in NEGOTIATIONS)

    assert first.endswith("models: 12 calls, 11,230 tokens, USD 0.0014\n")
    assert "models" not in second
