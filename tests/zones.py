"""How often tactics find the terms that suit both sides: `python tests/zones.py` plays 2,000 cases.

A case is one quote with one supplier, drawn from a seed. The zone of a line is what the brand would
pay at most above what the supplier takes at least, in percent of the line's reference price; that
of a case is the zone of its narrowest line.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from statistics import mean
from typing import Any

from factories import NOON, make_config
from rehearsal import Rehearsal, rehearse

from actors.config import Config
from actors.mechanism.conversation import Conversation
from actors.negotiators.tactics import Tactics
from actors.opening import open_negotiations
from actors.quote_request import new_quote, read_quote_request
from storage.records import NegotiationStatus, Supplier

SEED = 20_260_102
CASES = 2_000
BANDS = (0, 2, 5, 10, 20)
"""Where one width of the zone ends and the next begins, in percent."""
PAYMENTS = ("net 30", "net 60", "30/70", "50/50", "33/33/33")


class Obstacle(StrEnum):
    """What, beside price, keeps the two sides apart."""

    NONE = "none"
    LEAD_TIME = "lead time"
    PAYMENT = "payment"


@dataclass(frozen=True, slots=True)
class Case:
    """One negotiation before its first message."""

    zone: float
    """Of the narrowest line, in percent of its reference price; below 0 no price suits both."""
    obstacle: Obstacle
    conversation: Conversation

    @property
    def is_feasible(self) -> bool:
        """Whether there are terms that keep both sides' limits."""
        return self.zone >= 0 and self.obstacle is Obstacle.NONE


@dataclass(frozen=True, slots=True)
class Played:
    """A case, and how tactics against tactics went."""

    case: Case
    rehearsal: Rehearsal

    @property
    def agreed(self) -> bool:
        """Whether it ended with an agreement."""
        ending = self.rehearsal.ending
        return ending is not None and ending.status is NegotiationStatus.COMPLETED

    @property
    def rounds(self) -> int:
        """The supplier's messages."""
        return self.rehearsal.conversation.rounds


def make_cases(count: int = CASES, seed: int = SEED) -> Iterator[Case]:
    """The same cases for the same seed."""
    dice = random.Random(seed)
    config = make_config(max_rounds=10)
    return (_make_case(dice, config) for _ in range(count))


def play(cases: Iterable[Case]) -> Iterator[Played]:
    """Tactics against tactics."""
    tactics = Tactics()
    # in the main thread asyncio.run also handles signals, which takes longer than a short game
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield from pool.map(
            lambda case: Played(case, rehearse(case.conversation, tactics, tactics)), cases
        )


def _make_case(dice: random.Random, config: Config) -> Case:
    obstacle = dice.choices(list(Obstacle), weights=(8, 1, 1))[0]
    lines = [_make_line(dice, number) for number in range(dice.randint(1, 3))]
    brand_days, supplier_days = _make_days(dice, obstacle)
    brand_pays, supplier_pays = _make_payments(dice, obstacle)
    worth = sum(float(line.fields["quantity"]) * line.reference for line in lines)
    if dice.random() < 0.7:
        supplier_days["day_cost"] = f"{worth * dice.uniform(0, 0.005):.2f}"
    supplier = Supplier.model_validate(
        {
            "id": "supplier-1",
            "name": "Supplier 1",
            "quality": 4.0,
            "currency": "USD",
            "private": {
                "prices": {line.fields["product"]: line.supplier for line in lines},
                "lead_time_days": supplier_days,
                "payment": supplier_pays,
            },
        }
    )
    fields = {
        "lines": [line.fields for line in lines],
        "priorities": _make_priorities(dice),
        "payment_options": PAYMENTS,
        "mandate": {
            **{f"{line.fields['id']}.unit_price": line.brand for line in lines},
            "lead_time_days": brand_days,
            "payment": brand_pays,
        },
    }
    config = config.model_copy(update={"suppliers": (supplier,)})
    quote = new_quote(read_quote_request(fields), config.suppliers, lambda: NOON)
    negotiation = open_negotiations(quote, config, "tactics", lambda _: "tactics", NOON)[0]
    return Case(min(line.zone for line in lines), obstacle, Conversation.opened(quote, negotiation))


@dataclass(frozen=True, slots=True)
class _Line:
    reference: float
    """Currency per unit."""
    fields: dict[str, Any]
    brand: dict[str, str]
    supplier: dict[str, str]

    @property
    def zone(self) -> float:
        apart = Decimal(self.brand["limit"]) - Decimal(self.supplier["floor"])
        return float(apart) / self.reference * 100


def _make_line(dice: random.Random, number: int) -> _Line:
    reference = dice.uniform(1, 1000)
    limit, floor = (reference * dice.uniform(0.7, 1.3) for _ in range(2))
    target, list_price = limit * dice.uniform(0.6, 0.9), floor * dice.uniform(1.1, 1.4)
    return _Line(
        reference,
        {"id": f"line-{number}", "product": f"Part {number}", "quantity": dice.randint(1, 9999)},
        {"target": f"{target:.2f}", "limit": f"{limit:.2f}"},
        {"list": f"{list_price:.2f}", "floor": f"{floor:.2f}"},
    )


def _make_days(dice: random.Random, obstacle: Obstacle) -> tuple[dict[str, Any], dict[str, Any]]:
    """The brand's and the supplier's days, which meet unless they are the obstacle."""
    target, shortest = dice.randint(10, 60), dice.randint(10, 60)
    limit, standard = target + dice.randint(0, 40), shortest + dice.randint(0, 40)
    if obstacle is Obstacle.LEAD_TIME:
        shortest, standard = limit + 1, max(limit + 1, standard)
    else:
        limit = max(limit, shortest)
    return {"target": target, "limit": limit}, {"standard": standard, "shortest": shortest}


def _make_payments(dice: random.Random, obstacle: Obstacle) -> tuple[list[str], list[str]]:
    """What each accepts: something in common, unless that is the obstacle."""
    mixed = dice.sample(PAYMENTS, len(PAYMENTS))
    if obstacle is Obstacle.PAYMENT:
        return mixed[:3], mixed[3:]
    brand, supplier = ([mixed[0], *dice.sample(mixed[1:], dice.randint(0, 3))] for _ in range(2))
    dice.shuffle(brand)
    dice.shuffle(supplier)
    return brand, supplier


def _make_priorities(dice: random.Random) -> dict[str, int]:
    cuts = sorted(dice.randint(0, 100) for _ in range(3))
    shares = [after - before for before, after in zip([0, *cuts], [*cuts, 100], strict=True)]
    return dict(zip(("quality", "cost", "lead_time", "payment_terms"), shares, strict=True))


def _band(case: Case) -> str:
    if not case.is_feasible:
        return "infeasible"
    lower = max(bound for bound in BANDS if case.zone >= bound)
    upper = min((bound for bound in BANDS if case.zone < bound), default=None)
    return f"{lower} to {upper} %" if upper else f"{lower} % and more"


def table(played: Iterable[Played]) -> str:
    """How often they agree and in how many rounds, by the width of the zone."""
    rows = [f"{'zone':<14}{'cases':>6}{'agreed':>8}{'rounds':>8}"]
    by_zone = sorted(played, key=lambda game: (game.case.is_feasible, game.case.zone))
    for band, group in groupby(by_zone, key=lambda game: _band(game.case)):
        games = list(group)
        agreed = mean(game.agreed for game in games)
        rounds = mean(game.rounds for game in games)
        rows.append(f"{band:<14}{len(games):>6}{agreed:>8.1%}{rounds:>8.1f}")
    return "\n".join(rows)


def main() -> None:
    """Print how often they agree, and how long it takes."""
    cases = list(make_cases())
    started = time.perf_counter()
    played = list(play(cases))
    took_s = time.perf_counter() - started
    moves = sum(len(game.rehearsal.entries) for game in played)
    print(table(played))
    print(f"{moves} moves in {took_s:.1f} s: {took_s / moves * 1000:.2f} ms a move")


if __name__ == "__main__":
    main()
