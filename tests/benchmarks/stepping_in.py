"""How soon a person is heard: from `add_user_intervention` to the brand's draft that knows of it.

    python tests/benchmarks/stepping_in.py [--keep] [negotiations=1000] [interventions=300]
        [move_s=1] [spread=0.5] [runs=3]

Prints one JSON line: median, 99 % and largest milliseconds from the call of the face to the moment
at which the brand's stand-in is asked for a move with the guidance in its view, both of which are
on disk by then. So many negotiations are active, each of whose moves takes a second, more or less
by the spread. Interventions come at random moments, some ms apart, to negotiations chosen at
random. One whose brand drafts gets text: that draft is dropped and made anew. One whose supplier
drafts gets text and a changed limit, because text alone would wait for the supplier by design, and
this measures the system and not that wait. Saves in flight are waited for, and counted.

The figures are of all runs together; `receipt` is how long the call of the face itself takes.
`in_step` tells the same with a spread of 0: all negotiations then move at the same instants, in
bursts of as many messages. After every run each intervention was answered once, by the brand's
next message.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent.parent)]

from benchmarks.haggling import Haggler, haggling_config, haggling_quote
from benchmarks.kept import arguments, publish, size

from actors.mechanism.moves import Draft
from actors.mechanism.views import BrandView
from actors.system import NegotiationSystem
from storage.interventions import Intervention, InterventionStatus
from storage.records import Sender, SupplierId
from storage.store import Store

ROUNDS = 1000
"""More than anybody plays, so that all stay active."""
APART_S = 0.02
"""Mean pause between two interventions, in seconds."""
WARM_ROUNDS = 2
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    negotiations: int
    interventions: int
    move_s: float
    spread: float
    """By which share of `move_s` a move may be shorter or longer."""


@dataclass(slots=True)
class Took:
    """Seconds from the call of the face, one for each intervention."""

    heard: list[float] = field(default_factory=list)
    receipt: list[float] = field(default_factory=list)

    def ms(self, prefix: str = "") -> dict[str, float]:
        """Median, 99 % and the largest, in milliseconds, and the median of the receipts."""
        heard = sorted(self.heard)
        return {
            f"{prefix}median_ms": round(1000 * statistics.median(heard), 2),
            f"{prefix}p99_ms": round(1000 * heard[min(len(heard) * 99 // 100, len(heard) - 1)], 2),
            f"{prefix}max_ms": round(1000 * heard[-1], 2),
            f"{prefix}receipt_median_ms": round(1000 * statistics.median(self.receipt), 2),
        }


class Listening(Haggler):
    """Haggles, and notes when the brand first hears what a person has said."""

    def __init__(self, moves: Size, dice: random.Random) -> None:
        super().__init__(2 * ROUNDS, moves.move_s)
        self._spread = moves.spread
        self._dice = dice
        self._brand_drafts: dict[SupplierId, float] = {}
        """Since when, on the clock of `perf_counter`."""
        self.heard_at: dict[str, float] = {}
        """By the text, on the same clock."""
        self.warm = threading.Event()

    def takes_s(self) -> float:
        """More or less what a move takes."""
        return self.move_s * (1 + self._dice.uniform(-self._spread, self._spread))

    async def next_move(self, view: Any) -> Draft:
        """The next offer, after a second or so."""
        now = time.perf_counter()
        for message in reversed(view.messages):
            if message.sender is not Sender.USER:
                break
            self.heard_at.setdefault(message.content, now)
        if view.rounds >= WARM_ROUNDS:
            self.warm.set()
        if isinstance(view, BrandView):
            self._brand_drafts[view.supplier.id] = now
        else:
            self._brand_drafts.pop(view.supplier.id, None)
        return await super().next_move(view)

    def brand_drafts(self, supplier_id: SupplierId) -> bool:
        """Whether the brand drafts there, and for a while yet."""
        since = self._brand_drafts.get(supplier_id)
        soonest_s = self.move_s * (1 - self._spread)
        return since is not None and time.perf_counter() - since < soonest_s / 2


def step_in(folder: Path, sized: Size, took: Took, seed: int) -> None:
    """Play, step in, and check that every intervention was answered."""
    dice = random.Random(seed)
    stand_in = Listening(sized, dice)
    database = folder / f"{time.time_ns()}.db"
    with NegotiationSystem.start(
        haggling_config(sized.negotiations, ROUNDS),
        database=database,
        brand=stand_in,
        suppliers=stand_in,
        log_file=database.with_suffix(".jsonl"),
    ) as system:
        quote = system.create_quote(haggling_quote())
        started = system.start_negotiations(quote.id)
        assert stand_in.warm.wait(PATIENCE_S)
        given = []
        for number in range(sized.interventions):
            time.sleep(dice.uniform(0, 2 * APART_S))
            negotiation = dice.choice(started)
            text = f"Push on price, remark {number}."
            alone = stand_in.brand_drafts(negotiation.supplier_id)
            limits = None if alone else {"unit_price": f"{801 + number}.00"}
            began = time.perf_counter()
            receipt = system.add_user_intervention(
                text, negotiation_id=negotiation.id, limits=limits
            )
            took.receipt.append(time.perf_counter() - began)
            assert isinstance(receipt, Intervention)
            given.append((receipt, began))
        _answered(system, [receipt for receipt, _ in given])
        assert len(system.moving(quote.id)) == sized.negotiations
    took.heard += [stand_in.heard_at[str(one.text)] - began for one, began in given]
    _check(Store(database, read_only=True), [one for one, _ in given])


def _answered(system: NegotiationSystem, given: Sequence[Intervention]) -> None:
    """Wait until each was answered."""
    deadline = time.monotonic() + PATIENCE_S
    for one in given:
        while system.intervention(one.id).status is InterventionStatus.RECEIVED:
            assert time.monotonic() < deadline, f"{one.id} was not answered"
            time.sleep(0.05)


def _check(store: Store, given: Sequence[Intervention]) -> None:
    """Each became one user message, which nothing but others of them parts from the answer."""
    for one in map(store.intervention, [one.id for one in given]):
        assert one.status is InterventionStatus.APPLIED, one
        assert one.message_seq is not None
        assert one.applied_seq is not None
        said = store.messages(one.negotiation_id)
        assert [message.content for message in said].count(str(one.text)) == 1
        assert said[one.message_seq - 1].content == one.text
        between = said[one.message_seq - 1 : one.applied_seq - 1]
        assert {message.sender for message in between} == {Sender.USER}
        assert said[one.applied_seq - 1].sender is Sender.BRAND


def main(arguments: Sequence[str]) -> None:
    """Measure both kinds in turn, so that the machine's mood hits both."""
    runs, move_s = int(size(arguments, "runs", 3)), size(arguments, "move_s", 1.0)
    negotiations = int(size(arguments, "negotiations", 1000))
    interventions = int(size(arguments, "interventions", 300))
    spread = size(arguments, "spread", 0.5)
    apart, in_step = Took(), Took()
    with tempfile.TemporaryDirectory() as folder:
        for run in range(runs):
            for took, by in ((apart, spread), (in_step, 0.0)):
                step_in(Path(folder), Size(negotiations, interventions, move_s, by), took, run)
    publish(
        {
            "benchmark": "stepping_in",
            "runs": runs,
            "negotiations": negotiations,
            "interventions": interventions,
            "move_s": move_s,
            "spread": spread,
            **apart.ms(),
            **in_step.ms("in_step_"),
        },
        arguments,
    )


if __name__ == "__main__":
    main(arguments())
