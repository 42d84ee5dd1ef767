"""Answers: whatever a model returns is a draft for the rules to judge, or withheld."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from factories import make_conversation
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.mechanism.moves import Draft, Withheld, read_draft, read_terms
from actors.mechanism.ruling import Refused, Rule
from actors.negotiators.answers import (
    LONGEST_ANSWER,
    MOVE,
    WORDING,
    Schema,
    read_move,
    read_wording,
)
from storage.records import Move
from storage.terms.kinds import KINDS

REQUEST = make_conversation().request
OFFER: dict[str, Any] = {
    "move": "offer",
    "text": "We offer 6.40.",
    "accepts_seq": None,
    "unit_prices": [{"line": "widget", "price": "6.40"}],
    "lead_time_days": 30,
    "payment": "30/70",
}
NOTHING: dict[str, Any] = dict.fromkeys(OFFER)
ACCEPT = NOTHING | {"move": "accept", "text": "Agreed.", "accepts_seq": 3}
TALK = NOTHING | {"move": "talk", "text": "Well?"}
LONGEST_REASON = 500


def read(answer: Any, finish_reason: str | None = "stop") -> Draft | Withheld:
    content = answer if isinstance(answer, str) else json.dumps(answer)
    return read_move(content, finish_reason)


def withheld(answer: Any) -> str:
    """Why an answer is none."""
    found = read(answer)
    assert isinstance(found, Withheld)
    assert found.rule is Rule.UNREADABLE
    return found.reason


def fits(schema: Schema, value: Any) -> bool:
    """Whether a value is by a schema, as far as these schemas go."""
    if "anyOf" in schema:
        return any(fits(each, value) for each in schema["anyOf"])
    match schema["type"]:
        case "null":
            return value is None
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "string":
            options = schema.get("enum", [value])
            pattern = schema.get("pattern", "")
            return isinstance(value, str) and value in options and bool(re.search(pattern, value))
        case "array":
            return isinstance(value, list) and all(fits(schema["items"], one) for one in value)
        case "object":
            inner = schema["properties"]
            return (
                isinstance(value, dict)
                and set(value) == set(inner)
                and all(fits(inner[key], value[key]) for key in inner)
            )
    raise AssertionError(f"no schema of ours: {schema}")


def is_taken(draft: Draft) -> bool:
    """Whether the rules can read it; what they make of it is tested elsewhere."""
    try:
        terms = read_draft(draft).terms
        if terms is not None:
            read_terms(terms, REQUEST)
    except Refused:
        return False
    return True


def objects(schema: Any) -> list[Any]:
    """All schemas of objects within a schema."""
    if isinstance(schema, Mapping):
        inner = [found for each in schema.values() for found in objects(each)]
        return [schema, *inner] if schema.get("type") == "object" else inner
    return [found for each in schema for found in objects(each)] if isinstance(schema, list) else []


# --- the schema ------------------------------------------------------------------------------


@pytest.mark.parametrize(("schema", "count"), [(MOVE, 2), (WORDING, 1)])
def test_every_property_is_required_and_no_other_is_allowed(schema: Schema, count: int) -> None:
    found = objects(schema)

    assert len(found) == count
    for each in found:
        assert each["required"] == list(each["properties"])
        assert each["additionalProperties"] is False


def test_the_schema_has_all_moves_and_all_kinds_of_terms() -> None:
    assert MOVE["properties"]["move"]["enum"] == ["offer", "accept", "walk_away", "talk"]
    assert {*OFFER} == {*MOVE["properties"]}
    assert {kind.key for kind in KINDS} < {*MOVE["properties"]}


@pytest.mark.parametrize("price", ["6.40", "0", "1", "123456789012", "0.123456"])
def test_a_price_is_text_that_both_schema_and_reader_take(price: str) -> None:
    answer = OFFER | {"unit_prices": [{"line": "widget", "price": price}]}

    assert fits(MOVE, answer)
    assert read(answer) == Draft(
        "offer",
        "We offer 6.40.",
        {"unit_prices": {"widget": price}, "lead_time_days": 30, "payment": "30/70"},
    )


@pytest.mark.parametrize(
    "price",
    [
        *(6.4, 6, None, True, "", "6,40", "-1", "+1", "1e3", "6.", ".5", "NaN", "USD 6", " 6"),
        *("٦", "1234567890123", "0.1234567", "6.40\n6"),
    ],
)
def test_a_price_that_is_no_such_text_is_no_price(price: object) -> None:
    answer = OFFER | {"unit_prices": [{"line": "widget", "price": price}]}

    assert not fits(MOVE, answer)
    assert withheld(answer).startswith("not by the schema: unit_prices.0.price: ")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "move": st.sampled_from([*(move.value for move in Move), "bid"]),
    "text": st.text(min_size=1, max_size=20),
    "accepts_seq": st.none() | st.integers(min_value=-(2**70), max_value=2**70),
    "unit_prices": st.none()
    | st.lists(
        st.fixed_dictionaries(
            {
                "line": st.sampled_from(["widget", "lid"]),
                "price": st.sampled_from(["6.40", "6", "6.401", "0", "1e3"]),
            }
        ),
        max_size=2,
    ),
    "lead_time_days": st.none() | st.integers(-5, 5_000),
    "payment": st.none() | st.sampled_from(["30/70", "net 30", "33/33/33", "30/60", ""]),
}
_NEAR = st.fixed_dictionaries(_FIELDS)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(_NEAR)
def test_what_keeps_the_schema_is_read_if_no_line_has_two_prices(answer: dict[str, Any]) -> None:
    lines = [pair["line"] for pair in answer["unit_prices"] or ()]
    in_range = answer["accepts_seq"] is None or -(2**63) <= answer["accepts_seq"] < 2**64
    if fits(MOVE, answer) and len(set(lines)) == len(lines) and in_range:
        assert isinstance(read(answer), Draft)


@settings(derandomize=True, max_examples=500, deadline=None)
@given(_NEAR, st.sampled_from([*OFFER, "extra"]), _JSON, st.booleans())
def test_what_the_rules_take_keeps_the_schema(
    answer: dict[str, Any], field: str, value: Any, changes: bool
) -> None:
    if changes:
        answer[field] = value
    found = read(answer)

    if isinstance(found, Draft) and is_taken(found):
        assert fits(MOVE, answer)


# --- a move ----------------------------------------------------------------------------------


def test_what_does_not_apply_is_left_out() -> None:
    assert read(ACCEPT) == Draft("accept", "Agreed.", None, 3)
    assert read(TALK) == Draft("talk", "Well?")
    assert read(OFFER | {"payment": None}) == Draft(
        "offer",
        "We offer 6.40.",
        {"unit_prices": {"widget": "6.40"}, "lead_time_days": 30},
    )


def test_terms_without_prices_are_for_the_rules_to_refuse() -> None:
    found = read(TALK | {"lead_time_days": 30})

    assert found == Draft("talk", "Well?", {"unit_prices": None, "lead_time_days": 30})
    assert isinstance(found, Draft)
    assert not is_taken(found)


def test_an_empty_list_of_prices_is_none_left_out() -> None:
    assert read(TALK | {"unit_prices": []}) == Draft("talk", "Well?", {"unit_prices": {}})


def test_a_line_has_one_price() -> None:
    twice = [{"line": "widget", "price": "6.40"}, {"line": "widget", "price": "6.40"}]

    assert withheld(OFFER | {"unit_prices": twice}).endswith("a line has two prices")


@pytest.mark.parametrize("field", OFFER)
def test_a_missing_field_is_named(field: str) -> None:
    answer = {name: value for name, value in OFFER.items() if name != field}

    reason = withheld(answer)

    assert field in reason
    assert "missing" in reason or "required" in reason


def test_unknown_fields_are_named() -> None:
    reason = withheld(OFFER | {"discount": "5 %", "bonus": None})

    assert reason == "not by the schema: bonus, discount: unknown"
    pair = {"line": "widget", "price": "6.40", "currency": "EUR"}
    assert "unit_prices.0.currency" in withheld(OFFER | {"unit_prices": [pair]})


WRONG: dict[str, list[Any]] = {
    "move": [None, 1, ["offer"]],
    "text": [None, 1, {}],
    "accepts_seq": ["3", 3.0, True, [3], 10**30],
    "unit_prices": [{"widget": "6.40"}, "6.40", ["6.40"], [[]]],
}


@pytest.mark.parametrize(
    ("field", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_a_field_of_another_type_is_named(field: str, value: object) -> None:
    assert field in withheld(OFFER | {field: value})


def test_all_that_is_wrong_is_told_at_once() -> None:
    reason = withheld(OFFER | {"move": 1, "text": None, "accepts_seq": "x"})

    assert all(field in reason for field in ("move", "text", "accepts_seq"))


# --- what is no answer -----------------------------------------------------------------------


@pytest.mark.parametrize("finish_reason", ["length", "content_filter", "tool_calls", "error", ""])
def test_what_was_not_finished_is_withheld_however_good_it_looks(finish_reason: str) -> None:
    for reader, answer in ((read_move, OFFER), (read_wording, {"text": "Hello."})):
        found = reader(json.dumps(answer), finish_reason)

        assert isinstance(found, Withheld)
        assert found.rule is Rule.UNREADABLE
        assert found.reason.endswith(f"not finished: {finish_reason}")


def test_a_server_need_not_say_that_an_answer_is_finished() -> None:
    assert isinstance(read(OFFER, None), Draft)


@pytest.mark.parametrize("content", [None, "", " \n\t "])
def test_an_empty_answer_is_withheld(content: str | None) -> None:
    found = read_move(content, "stop")

    assert found == Withheld(Rule.UNREADABLE, "not by the schema: the answer is empty")


@pytest.mark.parametrize(
    "content",
    [
        *("Sure! Here it is: {}", "{", "{'move': 'talk'}", "move: talk", "[1,", "\0", "\ufeff{}"),
        *("NaN", '{"move": NaN}', json.dumps(TALK) * 2, f"{json.dumps(TALK)} Good luck!"),
        *("\ud83d", '{"move": "\ud83d"}', '{"move": "\\ud83d"}'),
        *("[" * 10_000 + "]" * 10_000, '{"move":' * 10_000),
    ],
)
def test_what_is_no_json_is_withheld(content: str) -> None:
    assert withheld(content) == "not by the schema: the answer is not one JSON object"


@pytest.mark.parametrize("answer", [[OFFER], [], "offer", 3, None, True])
def test_anything_but_an_object_is_withheld(answer: object) -> None:
    withheld(json.dumps(answer))


def test_an_endless_answer_is_not_looked_at() -> None:
    longest = json.dumps(TALK).ljust(LONGEST_ANSWER)

    assert isinstance(read(longest), Draft)
    assert withheld(f"{longest} ").endswith("far too long")


@pytest.mark.parametrize("fence", ["```json\n{}\n```", "```\n{}\n```", "  ```json\n{}```  \n"])
def test_a_fence_around_an_answer_is_no_part_of_it(fence: str) -> None:
    assert read(fence.replace("{}", json.dumps(TALK))) == Draft("talk", "Well?")
    worded = read_wording(fence.replace("{}", '{"text": "Hello."}'), "stop")
    assert worded == "Hello."


@pytest.mark.parametrize(
    "fence", ["```json\n{}", "{}\n```", "```python\n{}\n```", "Here:\n```json\n{}\n```", "```"]
)
def test_half_a_fence_or_words_around_it_are_no_answer(fence: str) -> None:
    withheld(fence.replace("{}", json.dumps(TALK)))


def test_of_two_fields_with_one_name_no_more_than_one_is_believed() -> None:
    content = json.dumps(TALK)[:-1] + ', "move": "walk_away"}'

    assert read(content) == Draft("walk_away", "Well?")


def _nested(depth: int) -> Any:
    value: Any = "30/70"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [1, 100, 900])
@pytest.mark.parametrize("field", OFFER)
def test_a_nested_value_is_withheld_or_refused(field: str, depth: int) -> None:
    found = read(OFFER | {field: _nested(depth)})

    assert isinstance(found, Withheld) or not is_taken(found)


@settings(derandomize=True, max_examples=500, deadline=None)
@given(
    st.text(st.characters())
    | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape"))
    | _JSON.map(json.dumps)
    | st.dictionaries(st.sampled_from([*OFFER, "x"]), _JSON).map(json.dumps),
    st.sampled_from(["stop", "stop", "stop", "length", None]) | st.text(max_size=600),
)
def test_no_answer_whatever_is_more_than_a_draft_or_a_reason(content: str, ended: str) -> None:
    moved, worded = read_move(content, ended), read_wording(content, ended)

    assert isinstance(moved, Draft | Withheld)
    assert isinstance(worded, str | Withheld)
    for found in (moved, worded):
        if isinstance(found, Withheld):
            assert found.rule is Rule.UNREADABLE
            assert 0 < len(found.reason) <= LONGEST_REASON


@pytest.mark.parametrize(
    "spoil",
    [
        lambda answer: answer | {"x" * 5_000: 1},
        lambda answer: answer | {str(number): 1 for number in range(1_000)},
        lambda answer: answer | {"unit_prices": [{}] * 1_000},
        lambda answer: answer | {"unit_prices": [{"y" * 5_000: 1}]},
    ],
)
def test_a_reason_has_at_most_500_characters(spoil: Callable[[Any], Any]) -> None:
    assert len(withheld(spoil(copy.deepcopy(OFFER)))) == LONGEST_REASON


# --- wording ---------------------------------------------------------------------------------


def test_words_are_read() -> None:
    assert read_wording('{"text": "Good morning.\\n“Yes.”"}', "stop") == "Good morning.\n“Yes.”"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({}, "text"),
        ({"text": None}, "text"),
        ({"text": 5}, "text"),
        ({"text": ["Hello."]}, "text"),
        ({"text": "Hello.", "move": "accept"}, "move"),
        ([{"text": "Hello."}], ""),
        ("Hello.", ""),
    ],
)
def test_what_is_not_words_alone_is_withheld(answer: Any, told: str) -> None:
    found = read_wording(json.dumps(answer), "stop")

    assert isinstance(found, Withheld)
    assert found.rule is Rule.UNREADABLE
    assert told in found.reason
