"""A run full of negotiators that misbehave, and what the rules make of it.

`python tests/hostile.py` plays thousands of hostile, random and senseless drafts through the real
system, looks at the database with `inspection`, and prints how often each rule fired.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from factories import make_config, make_supplier, quote_fields
from misbehaviour import ACCEPTS_OTHERWISE, ALWAYS_REFUSED, HARMLESS, Cue, rival_by_name
from verified import faults

from actors.events import Event
from actors.mechanism.moves import Draft
from actors.mechanism.ruling import Rule
from actors.mechanism.views import View
from actors.negotiation_events import AcceptDemoted, DraftRefused, NegotiationEndedEvent
from actors.negotiators.tactics import Tactics
from actors.system import NegotiationSystem
from storage.mandates import LineId
from storage.records import Move, NegotiationStatus, QuoteStatus, Sender

WIDGET = LineId("widget")
ENDINGS = ("agreed", "walk_away", "max_rounds", "no_progress", "cancelled")


@dataclass
class Troublemaker:
    """Misbehaves at random, otherwise plays by tactics; each move follows from the view."""

    seed: int
    drafted: int = 0
    sane: Tactics = field(default_factory=Tactics)

    async def next_move(self, view: View) -> Any:
        self.drafted += 1
        side = view.utility.side
        known = (self.seed, view.supplier.id, side.value, view.request.notes)
        temper = random.Random(repr(known))
        dice = random.Random(repr((*known, len(view.messages), view.refused)))
        staller, calm = temper.random() < 0.2, temper.uniform(0.1, 0.8)
        if view.refused is not None:
            calm = 0.96
        if dice.random() < (0.1 if staller else calm):
            return await self.sane.next_move(view)
        if staller and view.refused is None and not view.final:
            return HARMLESS["the manager must be asked"](view)
        return dice.choice(EVERYTHING)(view) if dice.random() < 0.9 else nonsense(view, dice)


EVERYTHING: tuple[Cue, ...] = (
    *(cue for cue, _ in ALWAYS_REFUSED.values()),
    *[cue for cue, _ in ACCEPTS_OTHERWISE.values()] * 3,
    *[*HARMLESS.values()] * 2,
    rival_by_name,
    lambda _: {"move": "walk_away", "text": "That is it."},
)


def nonsense(view: View, dice: random.Random) -> Any:
    """A draft of random parts, some of which fit."""
    prices = {
        line.id: dice.choice([f"{dice.uniform(0.01, 20):.2f}", 7, "1e9", None, "٧", 10**30])
        for line in view.request.lines
    }
    terms = {
        "unit_prices": prices,
        "lead_time_days": dice.choice([0, 24, 30, 45, 99, -3, "30", None, 1e9]),
        "payment": dice.choice(["30/70", "net 30", "33/33/33", "30/60", 30, ""]),
    }
    draft = {
        "move": dice.choice([*Move, "bid", 0, None]),
        "text": dice.choice(["Well.", "", "7,20? 8.00! ￥９", "\0", "x" * 5000, 5, "But if we…"]),
        "terms": dice.choice([terms, terms, None, [], "terms"]),
        "accepts_seq": dice.choice([None, None, 1, 2, -1, "2", True]),
    }
    return dice.choice([draft, draft, Draft(**draft), list(draft), repr(draft)])


@dataclass
class Tally:
    """How often each rule fired and each ending came, over several systems."""

    fired: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    what: str = "drafts of troublemakers"
    drafted: int = 0
    negotiations: int = 0
    parked: int = 0
    faults: list[str] = field(default_factory=list)

    def hear(self, event: Event) -> None:
        """Count one event."""
        match event:
            case DraftRefused(rule=rule) | AcceptDemoted(rule=rule):
                self.fired[rule] += 1
            case NegotiationEndedEvent(reason=reason):
                self.endings[reason or "agreed"] += 1

    def missing(self) -> set[str]:
        """What never happened."""
        happened = {*self.fired, *(ending for ending in self.endings)}
        return {*Rule, *ENDINGS} - happened

    def table(self) -> str:
        """All counts, aligned."""
        rows: list[tuple[str, object]] = [
            (self.what, self.drafted),
            ("negotiations", self.negotiations),
            ("… of them parked", self.parked),
            *((f"rule: {rule}", self.fired[rule]) for rule in Rule),
            *((f"ending: {ending}", self.endings[ending]) for ending in ENDINGS),
            ("breaches, secrets told, deals on other terms", len(self.faults)),
        ]
        return "\n".join(f"{name:46}{count:>8,}" for name, count in rows)


@dataclass(frozen=True)
class Part:
    """One system of the run."""

    brand_is_hostile: bool
    suppliers_are_hostile: bool
    max_rounds: int
    no_progress_rounds: int | None = None
    guided: bool = False
    """Whether a person goes round by round, and lowers the limit now and then."""


PARTS = (
    Part(True, True, 8, 0),
    Part(True, False, 10, 3),
    Part(False, True, 10),
    Part(True, True, 4, 0),
    Part(True, True, 16),
    Part(True, False, 12, guided=True),
)


def play(folder: Path, seed: int = 1, quotes: int = 4, suppliers: int = 40) -> Tally:
    """Play the run into databases in a folder, and look for faults in each."""
    tally = Tally()
    for number, part in enumerate(PARTS):
        database = folder / f"hostile-{number}.db"
        _play_part(part, database, random.Random(f"{seed}/{number}"), quotes, suppliers, tally)
        tally.faults += faults(database)
    return tally


def _play_part(
    part: Part, database: Path, dice: random.Random, quotes: int, suppliers: int, tally: Tally
) -> None:
    config = make_config(
        [random_supplier(number, dice) for number in range(1, suppliers + 1)],
        max_rounds=part.max_rounds,
        no_progress_rounds=part.no_progress_rounds,
    )
    maker = Troublemaker(dice.randrange(10**9))
    with NegotiationSystem.start(
        config,
        database=database,
        brand=maker if part.brand_is_hostile else None,
        suppliers=maker if part.suppliers_are_hostile else None,
    ) as system:
        system.subscribe(tally.hear)
        asked = [system.create_quote(random_quote(number, dice)).id for number in range(quotes)]
        for quote_id in asked:
            system.start_negotiations(quote_id, automatic=not part.guided)
            if part.guided:
                guide(system, quote_id, dice)
        ended = [n for quote_id in asked for n in system.wait(quote_id, timeout_s=120)]
    tally.drafted += maker.drafted
    tally.negotiations += len(ended)
    tally.parked += sum(negotiation.last_error is not None for negotiation in ended)


def guide(system: NegotiationSystem, quote_id: Any, dice: random.Random) -> None:
    """Go on, or lower the limit below what the brand has offered; what is left is cancelled."""
    for _ in range(8):
        for negotiation in system.wait(quote_id, timeout_s=60):
            if negotiation.status is not NegotiationStatus.ACTIVE:
                continue
            messages = system.messages(negotiation.id)
            offers = [m.terms for m in messages if m.sender is Sender.BRAND and m.terms]
            if offers and dice.random() < 0.4:
                lower = offers[-1].unit_prices[WIDGET] * Decimal("0.97")
                limits = {"unit_price": str(lower.quantize(Decimal("0.01")))}
                system.add_user_intervention(negotiation_id=negotiation.id, limits=limits)
            else:
                system.continue_negotiation(negotiation_id=negotiation.id)
    system.wait(quote_id, timeout_s=60)
    if system.quote(quote_id).status is QuoteStatus.NEGOTIATING:
        system.cancel_quote(quote_id)


def random_supplier(number: int, dice: random.Random) -> Any:
    floor = dice.uniform(4, 7)
    return make_supplier(
        number,
        floor=f"{floor:.2f}",
        list_price=f"{floor * dice.uniform(1.05, 1.6):.2f}",
        shortest=dice.randint(15, 30),
        standard=dice.randint(31, 50),
        payment=dice.sample(["30/70", "net 30", "33/33/33"], dice.randint(1, 3)),
    )


def random_quote(number: int, dice: random.Random) -> dict[str, Any]:
    target = dice.uniform(3, 6)
    return quote_fields(
        target=f"{target:.2f}",
        limit=f"{target * dice.uniform(1.05, 1.8):.2f}",
        lead_target=dice.randint(15, 30),
        lead_limit=dice.randint(31, 60),
        payment=dice.sample(["30/70", "net 30", "33/33/33"], dice.randint(1, 3)),
        quantity=dice.choice([37, 100, 1000, 12_345]),
        notes=f"Quote no. {number}",
    )


def main(arguments: Iterable[str]) -> int:
    """Play the run and print its table; 1 when anything was broken or never happened."""
    seed = int(next(iter(arguments), "1"))
    with tempfile.TemporaryDirectory() as folder:
        tally = play(Path(folder), seed)
    sys.stdout.write(f"{tally.table()}\n")
    for fault in tally.faults:
        sys.stdout.write(f"{fault}\n")
    return 1 if tally.faults or tally.missing() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
