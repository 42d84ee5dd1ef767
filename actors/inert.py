"""Text from outside, made harmless for a terminal."""

from __future__ import annotations

import unicodedata

LONGEST_SHOWN = 10_000
"""Characters after which text is cut."""


def inert(text: str, *, lines: bool = False) -> str:
    """Show control and invisible characters instead of obeying them.

    Args:
        lines: Whether line breaks may stay.
    """
    shown = "".join(
        character if _harmless(character) or (lines and character == "\n") else _escape(character)
        for character in text[:LONGEST_SHOWN]
    )
    return shown + "…" if len(text) > LONGEST_SHOWN else shown


def _harmless(character: str) -> bool:
    # Cc control, Cf format (right-to-left marks too), Cs surrogate, Co private, Zl and Zp breaks
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
