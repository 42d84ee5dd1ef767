"""Text from outside obeys nobody's terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.inert import LONGEST_SHOWN, inert


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ümläuts and 漢字", "plain, ümläuts and 漢字"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\x07b\x00c", "a\\x07b\\x00c"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe", "\\u202egpj.exe"),
        ("one\ntwo", "one\\ntwo"),
        ("\x9b31m", "\\x9b31m"),
        ("\ud800", "\\ud800"),
        ("a\N{LINE SEPARATOR}b", "a\\u2028b"),
    ],
)
def test_control_and_invisible_characters_are_shown(text: str, shown: str) -> None:
    assert inert(text) == shown


def test_line_breaks_stay_where_they_may() -> None:
    assert inert("one\ntwo\rthree", lines=True) == "one\ntwo\\rthree"


def test_long_text_is_cut() -> None:
    assert len(inert("x" * 50_000)) == LONGEST_SHOWN + 1


@given(st.text())
def test_nothing_but_harmless_characters_comes_out(text: str) -> None:
    assert all(unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co"} for c in inert(text))
