"""How soon 10,000 negotiations move again that a killed process has left over.

    python tests/benchmarks/recovery.py [--keep] [negotiations=10000] [runs=3]

Prints one JSON line. A process plays so many negotiations until each has two messages and the
brand drafts its next one in all of them; then it kills itself, with SIGKILL. A new process starts
on that database and recovers: medians of the seconds from then until the brand was asked for its
draft in the last of them, of the same per negotiation, of the start before it, and of the memory
that the new process takes at most, above what it took before it started. In every run no message
was lost or changed, and each draft was asked for exactly once.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent.parent)]

from benchmarks.haggling import Haggler, haggling_config, haggling_quote
from benchmarks.kept import arguments, publish, size

from actors.mechanism.moves import Draft
from actors.system import NegotiationSystem

MESSAGES = 2
"""What each has when the process dies."""
SUPPLIERS = 100
"""Of each quote."""
PATIENCE_S = 300.0
SETTLED_S = 0.5
"""How long a draft that is asked for twice has time to show."""
ROWS = "SELECT id, negotiation_id, seq, content, created_at, hash FROM messages ORDER BY id"


class Hanging(Haggler):
    """Haggles for two messages; then each draft hangs, and is counted."""

    def __init__(self, negotiations: int) -> None:
        super().__init__(2 * MESSAGES + 2)
        self.hung: Counter[tuple[str, str]] = Counter()
        """By quote and supplier."""
        self.all_hang = threading.Event()
        self.at = 0.0
        """When the last one began to, on the clock of `perf_counter`."""
        self._negotiations = negotiations

    async def next_move(self, view: Any) -> Draft:
        """An offer, or nothing for ever."""
        if len(view.messages) < MESSAGES:
            return await super().next_move(view)
        self.hung[view.request.notes, view.supplier.id] += 1
        if len(self.hung) == self._negotiations:
            self.at = time.perf_counter()
            self.all_hang.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody wakes it")


def started(database: Path, negotiations: int, stand_in: Hanging) -> NegotiationSystem:
    """A system in which that stand-in speaks for everybody."""
    return NegotiationSystem.start(
        haggling_config(min(SUPPLIERS, negotiations)),
        database=database,
        brand=stand_in,
        suppliers=stand_in,
        log_file=database.with_suffix(".jsonl"),
    )


def die(database: Path, negotiations: int) -> None:
    """Leave so many behind."""
    stand_in = Hanging(negotiations)
    system = started(database, negotiations, stand_in)
    for number in range(max(1, negotiations // SUPPLIERS)):
        quote = system.create_quote(haggling_quote(notes=f"Quote {number}"))
        system.start_negotiations(quote.id)
    assert stand_in.all_hang.wait(PATIENCE_S)
    os.kill(os.getpid(), signal.SIGKILL)


def recover(database: Path, negotiations: int) -> None:
    """Have all of them move again, and print what that took."""
    stand_in = Hanging(negotiations)
    before_kib = _peak_kib()
    began = time.perf_counter()
    with started(database, negotiations, stand_in) as system:
        ready = time.perf_counter()
        system.recover()
        assert stand_in.all_hang.wait(PATIENCE_S)
        peak_kib = _peak_kib()
        time.sleep(SETTLED_S)
        assert set(stand_in.hung.values()) == {1}, stand_in.hung.most_common(3)
        assert len(stand_in.hung) == negotiations
    took = {"start_s": ready - began, "recover_s": stand_in.at - ready}
    print(json.dumps({**took, "kib": peak_kib - before_kib, "peak_mib": peak_kib / 1024}))


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _rows(database: Path) -> list[Any]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(ROWS).fetchall()


def turn(folder: Path, negotiations: int) -> dict[str, float]:
    """One process that dies, and one that recovers."""
    database = folder / f"{time.time_ns()}.db"

    def does(what: str) -> list[str]:
        return [sys.executable, __file__, f"{what}={database}", f"negotiations={negotiations}"]

    died = subprocess.run(does("die"), check=False)
    assert died.returncode == -signal.SIGKILL, died.returncode
    left = _rows(database)
    assert len(left) == MESSAGES * negotiations, len(left)
    took: dict[str, float] = json.loads(subprocess.check_output(does("recover")))
    assert _rows(database) == left
    return took


def main(arguments: Sequence[str]) -> None:
    """Be one of the two processes, or measure both."""
    negotiations = int(size(arguments, "negotiations", 10_000))
    for argument in arguments:
        what, _, database = argument.partition("=")
        if what in ("die", "recover"):
            (die if what == "die" else recover)(Path(database), negotiations)
            return
    runs = int(size(arguments, "runs", 3))
    with tempfile.TemporaryDirectory() as folder:
        took = [turn(Path(folder), negotiations) for _ in range(runs)]
    median = {name: statistics.median(each[name] for each in took) for name in took[0]}
    publish(
        {
            "benchmark": "recovery",
            "runs": runs,
            "negotiations": negotiations,
            "start_s": round(median["start_s"], 3),
            "recover_s": round(median["recover_s"], 3),
            "ms_per_negotiation": round(1000 * median["recover_s"] / negotiations, 3),
            "peak_mib": round(median["peak_mib"], 1),
            "kib_per_negotiation": round(median["kib"] / negotiations, 1),
        },
        arguments,
    )


if __name__ == "__main__":
    main(arguments())
