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
    shown = visible(text[:LONGEST_SHOWN], keep="\n" if lines else "")
    return shown + "…" if len(text) > LONGEST_SHOWN else shown


def visible(text: str, *, keep: str) -> str:
    """Do the same without cutting, and leave the characters in `keep` as they are."""
    return "".join(
        character if character in keep or _harmless(character) else _escape(character)
        for character in text
    )


def _harmless(character: str) -> bool:
    # Cc control, Cf format (right-to-left marks too), Cs surrogate, Co private, Zl and Zp breaks
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
