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

from actors.mechanism.limits import breaches
from actors.mechanism.moves import Draft
from actors.mechanism.views import View
from actors.negotiators import wording
from storage.money import tick
from storage.records import LineId, Move, Terms
from storage.terms.kind import Side, TermValue
from storage.terms.kinds import KINDS

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
        ask = aspiration(view)
        if view.their_offer is not None and _acceptable(view, ask):
            return Draft(Move.ACCEPT, wording.acceptance(view), accepts_seq=view.their_offer.seq)
        if Move.OFFER not in view.legal_moves:
            return Draft(Move.WALK_AWAY, wording.farewell(view))
        terms = proposal(view, ask)
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


def proposal(view: View, ask: float) -> Terms:
    """The terms worth `ask` to oneself that the counterpart probably likes best.

    Never worse for oneself than what the counterpart has offered: that is proposed instead.
    """
    options = [_option(view, bundle, ask) for bundle in _bundles(view)]
    enough = [option for option in options if option.worth >= ask - CLOSE]
    best = max(enough or options, key=lambda option: (option.appeal, option.worth))
    received = view.received
    if received and received.best_allowed and received.best_allowed_worth > best.worth + CLOSE:
        return received.best_allowed
    return best.terms


@dataclass(frozen=True, slots=True)
class _Option:
    terms: Terms
    worth: float
    """To oneself, as utility."""
    appeal: float
    """To the counterpart, as a guess: half price, half likeness to what it asked for."""


def _bundles(view: View) -> list[Bundle]:
    theirs = view.their_offer.terms.others if view.their_offer else {}
    side = view.utility.side
    choices = [
        [
            value
            for value in kind.candidates(
                view.mandate.terms[kind.key], side, _known(theirs.get(kind.key))
            )
            if view.request.permits(kind.key, value)
        ]
        for kind in KINDS
    ]
    keys = [kind.key for kind in KINDS]
    return [dict(zip(keys, values, strict=True)) for values in itertools.product(*choices)]


def _known(value: TermValue | None) -> tuple[TermValue, ...]:
    return () if value is None else (value,)


def _option(view: View, bundle: Bundle, ask: float) -> _Option:
    utility = view.utility
    price = utility.limit + utility.sign * (ask * utility.span - utility.value(bundle))
    distance = utility.target - utility.limit
    factor = min(1.0, max(0.0, (price - utility.limit) / distance)) if distance else 0.0
    terms = Terms.model_validate({"unit_prices": _prices(view, factor), **bundle})
    likeness = 0.0
    if view.their_offer is not None:
        theirs = view.their_offer.terms
        likeness = sum(kind.likeness(bundle[kind.key], theirs[kind.key]) for kind in KINDS)
    return _Option(terms, utility.of(terms), (1 - factor) / 2 + likeness / len(KINDS) / 2)


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
