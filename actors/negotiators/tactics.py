"""Tactics: the negotiator that needs no model, no key and no network; it plays either side.

It concedes along a time-dependent curve (Faratin, Sierra, Jennings 1998), faster when the other
side gives too, and proposes on its iso-utility set the terms that the other side seems to like.
Everything follows from the view, so a replay is byte-identical.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from actors.mechanism.limits import breaches
from actors.mechanism.moves import Draft
from actors.mechanism.views import View
from actors.negotiators import wording
from storage.mandates import LineId
from storage.money import tick
from storage.records import Move
from storage.terms.kind import Side, TermKind, TermValue
from storage.terms.kinds import KINDS
from storage.terms.offered import Terms

SHORT_GAME_ROUNDS = 10
"""Up to so many rounds a side may concede faster than in a longer game."""
SHORT_HARD, SHORT_SOFT = 0.6, 1.5
LONG_HARD, LONG_SOFT = 0.35, 1.2
LATE = 0.9
"""The part of the time after which the best offer so far is good enough."""
CLOSE = 1e-9
"""Utilities nearer than this are equal."""

Bundle = dict[str, TermValue]


class Tactics:
    """Decides by the numbers and words them plainly."""

    async def next_move(self, view: View) -> Draft:
        """Accept, offer or walk away; never talk."""
        ask, theirs = aspiration(view), view.their_offer
        terms = proposal(view, ask) if Move.OFFER in view.legal_moves else None
        if theirs is not None and (_acceptable(view, ask) or theirs.terms == terms):
            return Draft(Move.ACCEPT, wording.acceptance(view), accepts_seq=theirs.seq)
        if terms is None:
            return Draft(Move.WALK_AWAY, wording.farewell(view))
        return Draft(Move.OFFER, wording.offer(view, terms), terms)


def time_used(view: View) -> float:
    """τ: the part of the rounds that is over, 0 to 1."""
    return min(1.0, view.rounds / (view.max_rounds - 1)) if view.max_rounds > 1 else 1.0


def concession(used: float, beta: float, reserve: float) -> float:
    """C(τ, β) = φ + (1 − φ)(1 − τ^(1/β)): what to ask for at τ, from 1 down to φ."""
    return reserve + (1 - reserve) * (1 - math.pow(used, 1 / beta))


def aspiration(view: View) -> float:
    """A: the utility to ask for, A = max(C(τ, β_soft), min(C(τ, β_hard), 1 − γG), φ).

    G is the best gain that the counterpart has granted since its first offer. C falls with τ and
    G only grows, so A never backs up while the limits stay.
    """
    style, used = view.style, time_used(view)
    short = view.max_rounds <= SHORT_GAME_ROUNDS
    hard = style.hard or (SHORT_HARD if short else LONG_HARD)
    soft = style.soft or (SHORT_SOFT if short else LONG_SOFT)
    granted = view.received.best - view.received.first if view.received else 0.0
    firm = min(concession(used, hard, style.reserve), 1 - style.reciprocity * granted)
    return max(concession(used, soft, style.reserve), firm, style.reserve)


def proposal(view: View, ask: float) -> Terms | None:
    """The terms worth `ask` to oneself that the counterpart probably likes best.

    Never worse for oneself than what the counterpart has offered: that is proposed instead. None
    where the own limits leave nothing to offer: no payment that is an option, no price above 0.
    """
    options = _options(view, ask)
    if not options:
        return None
    enough = [option for option in options if option.worth >= ask - CLOSE]
    best = max(enough or options, key=lambda option: (option.appeal, option.worth))
    received = view.received
    if received and received.best_allowed and received.best_allowed_worth > best.worth + CLOSE:
        return received.best_allowed
    prices = _prices(view, best.factor)
    terms = Terms(prices, best.bundle)
    return None if breaches(terms, view.mandate, view.utility.side) else terms


@dataclass(frozen=True, slots=True)
class _Option:
    bundle: Bundle
    factor: float
    """Where its prices lie: 0 at the limits, 1 at the targets."""
    worth: float
    """To oneself, as utility, before prices are rounded in one's own favour."""
    appeal: tuple[bool, float]
    """To the counterpart, as a guess."""


@dataclass(frozen=True, slots=True)
class _Choice:
    value: TermValue
    worth: float
    """To oneself, currency per unit."""
    likeness: float
    """To what the counterpart asks for."""


def _options(view: View, ask: float) -> list[_Option]:
    """One for each bundle, in canonical order: the prices that make it worth `ask`, and its appeal.

    Appeal is half price, half likeness, as long as half of the time is left; then likeness weighs
    as much as the time used, because a price can always be paid and a limit cannot. Least of all
    appeals what needs a worse price for oneself than the counterpart itself asks.
    """
    utility = view.utility
    distance = utility.sign * (utility.target - utility.limit)
    asked = utility.price(view.their_offer.terms) if view.their_offer else utility.limit
    weight = max(0.5, time_used(view))
    options = []
    for choices in itertools.product(*(_choices(view, kind) for kind in KINDS)):
        value = sum(choice.worth for choice in choices)
        needed = (ask * utility.span - value) / distance if distance else 0.0
        factor = min(1.0, max(0.0, needed))
        money = factor * distance + value
        likeness = sum(choice.likeness for choice in choices) / len(choices)
        options.append(
            _Option(
                bundle={
                    kind.key: choice.value for kind, choice in zip(KINDS, choices, strict=True)
                },
                factor=factor,
                worth=utility.scaled(money),
                appeal=(
                    factor * distance >= utility.sign * (asked - utility.limit) - CLOSE,
                    (1 - weight) * (1 - factor) + weight * likeness,
                ),
            )
        )
    return options


def _choices(view: View, kind: TermKind[Any]) -> list[_Choice]:
    """The values of one kind that may be offered.

    Where none of them is anything like what the counterpart asks, each gets its turn, so that what
    both could accept is found.
    """
    theirs = view.their_offer.terms[kind.key] if view.their_offer else None
    seen = () if theirs is None else (theirs,)
    candidates = kind.candidates(view.mandate.terms[kind.key], view.utility.side, seen)
    values = [value for value in candidates if view.request.permits(kind.key, value)]
    alike = [0.0 if theirs is None else kind.likeness(value, theirs) for value in values]
    if theirs is not None and not any(alike):
        alike = [float(place == view.own_messages % len(values)) for place in range(len(values))]
    return [
        _Choice(value, view.utility.worth(kind.key, value), likeness)
        for value, likeness in zip(values, alike, strict=True)
    ]


def _prices(view: View, factor: float) -> dict[LineId, Decimal]:
    """All lines between limit and target by one factor, rounded in one's own favour."""
    step = tick(view.request.currency)
    rounding = ROUND_FLOOR if view.utility.side is Side.BRAND else ROUND_CEILING
    exact = Decimal(repr(factor))
    prices = {}
    for line in view.request.lines:
        wanted = view.mandate.prices[line.id]
        price = wanted.limit + exact * (wanted.target - wanted.limit)
        prices[line.id] = max(step, price.quantize(step, rounding=rounding))
    return prices


def _acceptable(view: View, ask: float) -> bool:
    offer = view.their_offer
    if offer is None or breaches(offer.terms, view.mandate, view.utility.side):
        return False
    worth = view.utility.of(offer.terms)
    if worth < -CLOSE:
        return False
    if worth >= ask - CLOSE or view.final or view.moves_left <= 1:
        return True
    best = view.received is not None and worth >= view.received.best - CLOSE
    return time_used(view) >= LATE and best
