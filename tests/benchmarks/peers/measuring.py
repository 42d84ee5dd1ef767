"""How a side is measured: it runs alone in a process, checks what it left, and prints one line."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.stored import Stored


@dataclass(slots=True)
class Taken:
    """What a run took."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    """User and system, of all threads of the process."""


@contextmanager
def measured() -> Iterator[Taken]:
    """What the body takes, known once it is left."""
    taken = Taken()
    wall, cpu = time.perf_counter(), time.process_time()
    yield taken
    taken.wall_s, taken.cpu_s = time.perf_counter() - wall, time.process_time() - cpu


Run = Callable[[Path, int, float], Taken]
"""Plays in a new database so many negotiations, whose moves take so many seconds each."""


def report(run: Run, read: Callable[[Path], Stored] = Stored.read) -> None:
    """Run a side with the numbers of the command line, check its database and print the figures.

    Raises:
        WrongResult: It has not done the work.
    """
    negotiations, move_s = int(sys.argv[1]), float(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "negotiations.db"
        taken = run(database, negotiations, move_s)
        peak_kib = peak()
        read(database).check(negotiations)
    figures = {"wall_s": taken.wall_s, "cpu_s": taken.cpu_s, "peak_kib": peak_kib}
    print(json.dumps(figures), flush=True)


def peak() -> int:
    """The most memory that this process has had so far, in KiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // 1024 if sys.platform == "darwin" else most
