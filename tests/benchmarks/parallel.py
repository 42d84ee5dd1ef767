"""How much longer 300 negotiations take than one, when every move takes 50 ms.

    python tests/benchmarks/parallel.py [--keep] [runs=5] [negotiations=300] [move_s=0.05]

Prints one JSON line: median wall seconds of one and of 300 negotiations of 10 messages each, with
every message durable in SQLite before the next is asked for, and their ratio. The database is
checked after every run.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent.parent)]

from benchmarks.kept import arguments, publish, size

from actors.config import load_config
from actors.mechanism.moves import Draft
from actors.system import NegotiationSystem
from storage.records import Move, Supplier
from storage.store import Store

NEGOTIATIONS = 300
MESSAGES = 10
MOVE_S = 0.05
RUNS = 5
WORDS = "We have looked at your request with care and would like to come closer. " * 5


class StandIn:
    """Takes its time, talks and offers, and walks away with the last message."""

    def __init__(self, move_s: float) -> None:
        self._move_s = move_s

    async def next_move(self, view: Any) -> Draft:
        """An offer that is a little better every time."""
        await asyncio.sleep(self._move_s)
        number = len(view.messages)
        if number == MESSAGES - 1:
            return Draft(Move.WALK_AWAY, WORDS)
        brand = number % 2 == 0
        price = f"{5 + 0.05 * number if brand else 9 - 0.05 * number:.2f}"
        terms = {
            "unit_prices": {"widget": price},
            "lead_time_days": 40,
            "payment": "30/70",
        }
        return Draft(Move.OFFER, f"{WORDS} We propose USD {price}.", terms)


def suppliers(count: int) -> tuple[Supplier, ...]:
    """As many suppliers of widgets."""
    return tuple(
        Supplier.model_validate(
            {
                "id": f"s-{number}",
                "name": f"Supplier Number {number}",
                "quality": 4.0,
                "currency": "USD",
                "private": {
                    "prices": {"Widget": {"list": "9.00", "floor": "6.01"}},
                    "lead_time_days": {"standard": 40, "shortest": 25},
                    "payment": ["30/70"],
                },
            }
        )
        for number in range(count)
    )


QUOTE = {
    "lines": [{"id": "widget", "product": "Widget", "quantity": 100}],
    "mandate": {
        "unit_price": {"target": "5.00", "limit": "8.03"},
        "lead_time_days": {"target": 25, "limit": 45},
        "payment": ["30/70"],
    },
}


def run(folder: Path, negotiations: int, move_s: float) -> tuple[float, float]:
    """Wall and CPU seconds from the start of the negotiations to the end of the last."""
    config = load_config().model_copy(update={"suppliers": suppliers(negotiations)})
    database = folder / f"{time.time_ns()}.db"
    stand_in = StandIn(move_s)
    with NegotiationSystem.start(
        config,
        database=database,
        brand=stand_in,
        suppliers=stand_in,
        log_file=database.with_suffix(".jsonl"),
    ) as system:
        quote = system.create_quote(QUOTE)
        began, cpu = time.perf_counter(), time.process_time()
        system.start_negotiations(quote.id)
        ended = system.wait(quote.id)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    counts = {negotiation.message_count for negotiation in ended}
    stored = sum(len(Store(database).messages(n.id)) for n in ended[:10])
    assert counts == {MESSAGES}, counts
    assert stored == MESSAGES * len(ended[:10])
    return wall, cpu


def main(arguments: Sequence[str]) -> None:
    """Measure one and many in turn, so that the machine's mood hits both."""
    runs, move_s = int(size(arguments, "runs", RUNS)), size(arguments, "move_s", MOVE_S)
    negotiations = int(size(arguments, "negotiations", NEGOTIATIONS))
    ones, many, cpus = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs):
            ones.append(run(Path(folder), 1, move_s)[0])
            many.append(run(Path(folder), negotiations, move_s)[0])
            cpus.append(run(Path(folder), negotiations, 0.0)[1])
    cpu_ms = statistics.median(cpus) * 1000 / (negotiations * MESSAGES)
    publish(
        {
            "benchmark": "parallel",
            "runs": runs,
            "negotiations": negotiations,
            "messages_each": MESSAGES,
            "move_s": move_s,
            "one_s": round(statistics.median(ones), 3),
            "many_s": round(statistics.median(many), 3),
            "ratio": round(statistics.median(m / o for m, o in zip(many, ones, strict=True)), 2),
            "cpu_ms_per_message": round(cpu_ms, 3),
        },
        arguments,
    )


if __name__ == "__main__":
    main(arguments())
