"""The work that is the same for all sides: what is said in a negotiation, and the row it becomes.

Ten messages each, the brand's and the supplier's in turn, of about 400 characters and an offer; the
last one walks away. Only the standard library, since every side's environment reads this.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MESSAGES = 10
WORDS = "We have looked at your request with care and would like to come closer. " * 5
SENDERS = ("brand", "supplier")
OFFER, WALK_AWAY = "offer", "walk_away"

Row = tuple[str, int, str, str, str, str, str]
"""Negotiation id, seq, sender, move, content, terms as JSON, time as ISO 8601 in UTC."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A move as a stand-in makes it."""

    move: str
    text: str
    terms: dict[str, Any]
    """Empty unless it offers."""


def negotiation_ids(negotiations: int) -> list[str]:
    """The ids of so many negotiations."""
    return [f"n-{number}" for number in range(negotiations)]


def sender_of(seq: int) -> str:
    """Whose message it is; the brand says the first, which has seq 1."""
    return SENDERS[(seq - 1) % 2]


def draft(seq: int) -> Draft:
    """An offer that is a little better every time, and a farewell at the end."""
    if seq == MESSAGES:
        return Draft(WALK_AWAY, WORDS, {})
    said = seq - 1
    price = f"{5 + 0.05 * said if sender_of(seq) == 'brand' else 9 - 0.05 * said:.2f}"
    terms = {"unit_prices": {"widget": price}, "lead_time_days": 40, "payment": "30/70"}
    return Draft(OFFER, f"{WORDS} We propose USD {price}.", terms)


async def next_move(seq: int, move_s: float) -> Draft:
    """The draft, after so many seconds; none at all without any."""
    if move_s:
        await asyncio.sleep(move_s)
    return draft(seq)


def row(negotiation_id: str, seq: int, said: Draft) -> Row:
    """What is written of a message."""
    now = datetime.now(UTC).isoformat()
    terms = json.dumps(said.terms)
    return negotiation_id, seq, sender_of(seq), said.move, said.text, terms, now
