"""Rule 5: hard limits, checked when a move is drafted and again when it is committed."""

from __future__ import annotations

from dataclasses import dataclass

from actors.mechanism.ruling import Refused, Rule
from storage.mandates import UNIT_PRICE, Mandate
from storage.records import Entry, Move, Sender, Terms
from storage.terms.kind import Side
from storage.terms.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Mandates:
    """Both sides' mandates as they are in force."""

    brand: Mandate
    supplier: Mandate

    def of(self, side: Side) -> Mandate:
        """One side's."""
        return self.brand if side is Side.BRAND else self.supplier


def breaches(terms: Terms, mandate: Mandate, side: Side) -> list[str]:
    """The limit keys that the terms break for this side."""
    prices = [
        f"{line_id}.{UNIT_PRICE}"
        for line_id, price in terms.unit_prices.items()
        if not mandate.prices[line_id].allows(price, side)
    ]
    others = [
        kind.key
        for kind in KINDS
        if not kind.allows(mandate.terms[kind.key], terms[kind.key], side)
    ]
    return prices + others


def check_limits(terms: Terms, mandates: Mandates, bound: tuple[Side, ...]) -> None:
    """Refuse terms that break a limit of a side that they would bind."""
    for side in bound:
        broken = breaches(terms, mandates.of(side), side)
        if broken:
            raise Refused(Rule.LIMIT, f"beyond the {side}'s limit: {', '.join(broken)}")


def check_entry(entry: Entry, mandates: Mandates) -> None:
    """Refuse an entry that must not be committed: an offer binds its sender, an accept both."""
    if entry.terms is None or entry.sender is Sender.USER:
        return
    sender = Side(entry.sender.value)
    bound = (sender, sender.other) if entry.move is Move.ACCEPT else (sender,)
    check_limits(entry.terms, mandates, bound)
