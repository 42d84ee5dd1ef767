"""What a message costs late in a long negotiation: 10 rounds beside 1,000.

    python tests/benchmarks/long_negotiation.py [--keep] [runs=5] [short=10] [long=1000]

Prints one JSON line: medians over runs in turn of the CPU per message of one negotiation with so
many rounds, two messages each, between stand-ins that answer at once; and their ratio. Rule 11 is
off. As many short negotiations are played, one after the other, as take the messages of the long
one. Its last tenth is told apart, because the mean hides how the cost grows. The database is
checked after every run.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent.parent)]

from benchmarks.haggling import Haggler, haggling_config, haggling_quote
from benchmarks.kept import arguments, publish, size

from actors.mechanism.moves import Draft
from actors.system import NegotiationSystem
from storage.store import Store


class Clocked(Haggler):
    """Notes the process's CPU when its last tenth begins."""

    def __init__(self, messages: int) -> None:
        super().__init__(messages)
        self.last = max(1, messages // 10)
        """How many messages that is."""
        self.at = 0.0

    async def next_move(self, view: Any) -> Draft:
        """The next offer."""
        if len(view.messages) == self.messages - self.last:
            self.at = time.process_time()
        return await super().next_move(view)


def cpu_ms(folder: Path, rounds: int, negotiations: int) -> tuple[float, float]:
    """Milliseconds of CPU per message: of all, and of the last tenth of the last negotiation."""
    messages = 2 * rounds
    database = folder / f"{time.time_ns()}.db"
    stand_in = Clocked(messages)
    with NegotiationSystem.start(
        haggling_config(1, rounds),
        database=database,
        brand=stand_in,
        suppliers=stand_in,
        log_file=database.with_suffix(".jsonl"),
    ) as system:
        quotes = [system.create_quote(haggling_quote()) for _ in range(negotiations)]
        began = time.process_time()
        for quote in quotes:
            system.start_negotiations(quote.id)
            system.wait(quote.id)
        ended = time.process_time()
    store = Store(database, read_only=True)
    for quote in quotes:
        (negotiation,) = store.negotiations(quote.id)
        said = store.messages(negotiation.id)
        assert [message.seq for message in said] == list(range(1, messages + 1)), len(said)
        assert negotiation.ended_at == said[-1].created_at
    each = 1000 * (ended - began) / (messages * negotiations)
    return each, 1000 * (ended - stand_in.at) / stand_in.last


def main(arguments: Sequence[str]) -> None:
    """Measure both in turn, so that the machine's mood hits both."""
    runs = int(size(arguments, "runs", 5))
    short, long = int(size(arguments, "short", 10)), int(size(arguments, "long", 1000))
    shorts, longs, lasts = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        cpu_ms(Path(folder), short, 1)  # the first run imports and compiles
        for _ in range(runs):
            shorts.append(cpu_ms(Path(folder), short, max(1, long // short))[0])
            whole, last = cpu_ms(Path(folder), long, 1)
            longs.append(whole)
            lasts.append(last)
    ratios = [late / early for early, late in zip(shorts, longs, strict=True)]
    last_ratios = [late / early for early, late in zip(shorts, lasts, strict=True)]
    publish(
        {
            "benchmark": "long_negotiation",
            "runs": runs,
            "short_rounds": short,
            "long_rounds": long,
            "short_cpu_ms_per_message": round(statistics.median(shorts), 3),
            "long_cpu_ms_per_message": round(statistics.median(longs), 3),
            "last_tenth_cpu_ms_per_message": round(statistics.median(lasts), 3),
            "ratio": round(statistics.median(ratios), 2),
            "last_tenth_ratio": round(statistics.median(last_ratios), 2),
        },
        arguments,
    )


if __name__ == "__main__":
    main(arguments())
