"""The layout of the board: what a line has room for, and how wide it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

GAP = 2
"""Cells between two columns."""
MOST_NAME, MOST_AMOUNT = 24, 24
SIDE, AGE, ROUNDS, ID = len("supplier's"), 4, len("rounds"), 18
LEAST_SPARK = 5
LEAST_STATE, USUAL_STATE, LEAST_ERROR = 14, 20, 24


@dataclass(frozen=True, slots=True)
class Layout:
    """All widths in cells; 0 is what is left out."""

    supplier: int
    negotiation: int
    quote: int
    spark: int
    """Of each side; a cell for each of its last offers."""
    amount: int
    """Of each side, a cell after its spark."""
    rounds: int
    age: int
    state: int
    """All that is left: this column is the last, and what is wrong stands in it."""

    @property
    def side(self) -> int:
        """Of the offers of one side."""
        return self.spark + 1 + self.amount if self.amount else self.spark


def layout_for(
    width: int,
    *,
    names: Iterable[int],
    amounts: Iterable[int],
    offers: Iterable[int],
    quotes: int,
    errors: bool,
) -> Layout:
    """Give room to what matters most, and what is left to what is nice to see.

    Args:
        width: Cells of a line.
        names, amounts: How long each of those that shall be shown is.
        offers: How many each side has made.
        quotes: How many there are: one needs no column.
        errors: Whether something is wrong in some row.
    """
    room = _Room(width)
    state = room.take_up_to(LEAST_STATE)
    supplier = room.take(min(max([len("supplier"), *names]), MOST_NAME))
    spark = SIDE if room.take(2 * SIDE + GAP) else 0
    age, rounds = room.take(AGE), room.take(ROUNDS)
    state += room.take_up_to(LEAST_ERROR - state) if errors else 0
    amount = min(max(amounts, default=0), MOST_AMOUNT)
    more = max(0, 2 * (LEAST_SPARK + 1 + amount - SIDE))
    if spark and amount and more <= room.cells:
        room.cells -= more
        spark = max(LEAST_SPARK, SIDE - 1 - amount)
    else:
        amount = 0
    negotiation, quote = room.take(ID), room.take(ID) if quotes > 1 else 0
    state += room.take_up_to(USUAL_STATE - state)
    if spark:
        wanted = max([SIDE, *offers]) - spark
        spark += room.take_up_to(2 * min(wanted, room.cells // 2)) // 2
    return Layout(
        supplier=supplier,
        negotiation=negotiation,
        quote=quote,
        spark=spark,
        amount=amount,
        rounds=rounds,
        age=age,
        state=state + room.cells,
    )


class _Room:
    """What is left of a line."""

    def __init__(self, cells: int) -> None:
        self.cells = cells

    def take(self, cells: int) -> int:
        """These cells and a gap, or none of them when there are not as many."""
        if cells + GAP > self.cells:
            return 0
        self.cells -= cells + GAP
        return cells

    def take_up_to(self, cells: int) -> int:
        """As many of these cells as there are."""
        taken = min(self.cells, max(0, cells))
        self.cells -= taken
        return taken
