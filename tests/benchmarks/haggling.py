"""Haggling: stand-ins that offer a little better every time, and quotes for them to haggle over."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from factories import make_config, make_supplier, quote_fields

from actors.config import Config
from actors.mechanism.moves import Draft
from actors.mechanism.views import BrandView
from storage.records import Move

WORDS = "We have looked at your request with care and would like to come closer. " * 5
STEP = Decimal("0.10")
"""USD by which every message is better than the one before; 2,000 of them stay within limits."""
OPENS, LISTS = Decimal("500.37"), Decimal("899.63")
"""What the two begin with, in USD; no message names a limit, which would be refused."""
LONGEST_MOVE_S = 3600.0


class Haggler:
    """Plays either side: takes its time, offers, and walks away with the last message."""

    def __init__(self, messages: int, move_s: float = 0.0) -> None:
        """Negotiate for so many messages, each of which takes so many seconds."""
        self.messages = messages
        self.move_s = move_s

    def takes_s(self) -> float:
        """Seconds that the next move takes."""
        return self.move_s

    async def next_move(self, view: Any) -> Draft:
        """An offer that is a little better every time, in about 400 characters."""
        await asyncio.sleep(self.takes_s())
        number = len(view.messages)
        if number == self.messages - 1:
            return Draft(Move.WALK_AWAY, WORDS)
        brand = isinstance(view, BrandView)
        price = str(OPENS + STEP * number if brand else LISTS - STEP * number)
        terms = {"unit_prices": {"widget": price}, "lead_time_days": 40, "payment": "30/70"}
        return Draft(Move.OFFER, f"{WORDS} We propose USD {price}.", terms)


def haggling_config(suppliers: int, rounds: int = 10) -> Config:
    """Suppliers of widgets who may haggle for so many rounds, with or without progress."""
    asked = [
        make_supplier(number, list_price="900.00", floor="600.00")
        for number in range(1, suppliers + 1)
    ]
    return make_config(
        asked, max_rounds=rounds, no_progress_rounds=0, move_timeout_s=LONGEST_MOVE_S
    )


def haggling_quote(notes: str = "") -> dict[str, Any]:
    """A quote for widgets that all suppliers of the config are asked for."""
    return quote_fields(target="500.00", limit="800.00", notes=notes)
