"""Mistakes in plain words: all at once, each with its place, none with what was written."""

from __future__ import annotations

from typing import Any

import pytest
from factories import make_supplier
from pydantic import ValidationError

from storage.mistakes import Mistakes, mistakes_in, unknown_key
from storage.records import Supplier
from storage.rules import Rules


def found(model: type[Any], raw: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as raised:
        model.model_validate(raw)
    return {".".join(map(str, path)): words for path, words in mistakes_in(raised.value, model)}


def test_what_is_collected_is_raised_together_and_found_again_at_its_place() -> None:
    mistakes = Mistakes()
    mistakes.add("is {odd}", "first")
    with mistakes.at("second", 2):
        raise ValueError("is even")
    with mistakes.at("third", model=Rules):
        Rules.model_validate({"max_rounds": 0, "max_round": 1})

    with pytest.raises(ValidationError) as raised:
        mistakes.raise_any()

    assert list(mistakes_in(raised.value))[:3] == [
        (("first",), "is {odd}"),
        (("second", 2), "is even"),
        (("third", "max_rounds"), "is too small: write 1 or more"),
    ]
    assert list(mistakes_in(raised.value))[3][1].startswith("unknown key: did you mean max_rounds?")


def test_nothing_is_raised_when_nothing_was_collected() -> None:
    Mistakes().raise_any()


def test_a_key_that_is_like_no_other_is_answered_with_the_known_ones_alone() -> None:
    assert unknown_key("zzz", ["cost", "quality"]) == "unknown key: known are cost, quality"


def test_a_key_where_there_is_none_is_to_be_left_out() -> None:
    assert unknown_key("zzz", []) == "unknown key: leave it out"


@pytest.mark.parametrize(
    "value",
    [None, [], {}, "x", "x" * 5000, 1.5, -1, 10**5000, float("nan")],
    ids=lambda value: type(value).__name__,
)
def test_no_mistake_is_in_pydantics_words_or_repeats_a_private_value(value: Any) -> None:
    fields = make_supplier().model_dump(mode="json")
    every = dict.fromkeys((*fields, "secret-key"), value)
    private = dict.fromkeys((*fields["private"], "more"), value)
    prices = {"prices": {"Widget": {"list": value, "floor": "5.4321"}}}

    for raw in (every, fields | {"private": private}, fields | {"private": prices}):
        for words in found(Supplier, raw).values():
            assert not words.startswith(("Input", "Value error", "Extra", "Field", "String"))
            assert "5.4321" not in words
            assert "set_int_max_str_digits" not in words
            assert len(words) < 200
