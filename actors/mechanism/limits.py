"""Rule 5: hard limits, checked when a move is drafted and again when it is committed.

A person may change the brand's; `limited` is what becomes of its mandate.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from actors.mechanism.ruling import Refused, Rule
from storage.mandates import UNIT_PRICE, LineId, Mandate
from storage.mistakes import mistakes_in
from storage.money import in_currency, read_amount
from storage.records import Entry, Move, Request, Sender
from storage.terms.kind import Side
from storage.terms.kinds import KINDS, kind_of
from storage.terms.offered import Terms
from storage.terms.payment import PaymentBrief


class Mandates(Struct, frozen=True, gc=False):
    """Both sides' mandates as they are in force."""

    brand: Mandate
    supplier: Mandate

    def of(self, side: Side) -> Mandate:
        """One side's."""
        return self.brand if side is Side.BRAND else self.supplier


def breaches(terms: Terms, mandate: Mandate, side: Side) -> list[str]:
    """The limit keys that the terms break for this side."""
    ranges, briefs, values = mandate.prices, mandate.terms, terms.others
    broken: list[str] = []
    for line_id, price in terms.unit_prices.items():
        if not ranges[line_id].allows(price, side):
            broken += [f"{line_id}.{UNIT_PRICE}"]
    for kind in KINDS:
        key = kind.key
        if not kind.allows(briefs[key], values[key], side):
            broken += [key]
    return broken


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
    sender = Side.BRAND if entry.sender is Sender.BRAND else Side.SUPPLIER
    bound = (sender, sender.other) if entry.move is Move.ACCEPT else (sender,)
    check_limits(entry.terms, mandates, bound)


def limited(mandate: Mandate, limits: Mapping[str, object], request: Request) -> Mandate:
    """The brand's mandate under changed limits.

    Raises:
        ValueError: A limit can't be read; `limits_read` lists why.
    """
    changed, mistakes = limits_read(mandate, limits, request)
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return changed


def limits_read(
    mandate: Mandate, limits: Mapping[str, object], request: Request
) -> tuple[Mandate, list[str]]:
    """The brand's mandate under those of the limits that can be read, and what is wrong else."""
    if not limits:
        return mandate, []
    prices, terms = dict(mandate.prices), dict(mandate.terms)
    mistakes: list[str] = []
    for key, raw in limits.items():
        line_id = _line_of(key, request)
        try:
            if line_id in prices:
                price = in_currency(read_amount(raw), request.currency)
                prices[line_id] = prices[line_id].limited(price)
            elif key in terms:
                terms[key] = kind_of(key).limited(terms[key], raw)
                _check_payment(terms[key], request)
            else:
                mistakes.append(f"limits.{key}: no such limit: write {_known_keys(request)}")
        except ArithmeticError:
            mistakes.append(f"limits.{key}: expected a plain number")
        except ValueError as error:
            for inner, words in mistakes_in(error):
                mistakes.append(f"limits.{'.'.join(map(str, (key, *inner)))}: {words}")
    return Mandate(prices=prices, terms=terms), mistakes


def _line_of(key: str, request: Request) -> LineId:
    """The line that a price limit is for; `unit_price` alone where there is one line."""
    if key == UNIT_PRICE and len(request.lines) == 1:
        return request.lines[0].id
    line_id, _, last = key.rpartition(".")
    return LineId(line_id if last == UNIT_PRICE else "")


def _known_keys(request: Request) -> str:
    prices = [f"{line.id}.{UNIT_PRICE}" for line in request.lines]
    return ", ".join([*prices, *(kind.key for kind in KINDS)])


def _check_payment(brief: object, request: Request) -> None:
    if isinstance(brief, PaymentBrief) and not set(brief.acceptable) & set(request.payment_options):
        options = ", ".join(request.payment_options)
        raise ValueError(f"none of these is an option of the quote: {options}")
