"""How fast `watch` reads: a log of a million lines, from the first byte to the printed table.

    python tests/benchmarks/watch.py [--keep] [runs=3] [lines=1000000]

The lines are those of a real run, again and again, with other ids. Prints one JSON line: medians of
the seconds of `watch FILE --once` in a process of its own, start included; of its ratio to a
process that only reads the same file with `orjson.loads`; of the seconds until a terminal shows the
first table of it, which is drawn while it is still read; and of the most memory that `watch` took,
in MiB.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent)]

from benchmarks.kept import arguments, publish, size
from screen import Screen

MAIN = Path(__file__).parent.parent.parent / "main.py"
LINES = 1_000_000
ID = re.compile(rb'"([qn])-[0-9a-f]{13}')
PLAIN = "import orjson, sys\nfor line in open(sys.argv[1], 'rb'): orjson.loads(line)"


def long_log(folder: Path, lines: int) -> Path:
    """A log of as many lines: a real one, over and over, each time of other negotiations."""
    subprocess.run([sys.executable, str(MAIN)], cwd=folder, stdout=subprocess.DEVNULL, check=True)
    (real,) = folder.glob("*.jsonl")
    written = real.read_bytes().splitlines(keepends=True)
    first, middle, last = written[0], b"".join(written[1:-1]), written[-1]
    log = folder / "long.jsonl"
    left = lines - 2
    with log.open("wb") as file:
        file.write(first)
        for turn in count():
            again = ID.sub(rb'"\1-%013x' % turn, middle).splitlines(keepends=True)[:left]
            file.writelines(again)
            left -= len(again)
            if not left:
                break
        file.write(last)
    return log


def took(*arguments: str) -> tuple[float, float]:
    """Wall seconds of a Python process, and the most memory that it took, in MiB."""
    began = time.perf_counter()
    with Path(os.devnull).open("wb") as nowhere:
        process = subprocess.Popen([sys.executable, *arguments], stdout=nowhere)
        _, status, used = os.wait4(process.pid, 0)
    assert status == 0
    return time.perf_counter() - began, used.ru_maxrss / 1024


def first_table(log: Path) -> float:
    """Seconds until a person at a terminal sees the first rows."""
    began = time.perf_counter()
    with Screen(log.parent, "watch", str(log), columns=120, lines=40) as screen:
        screen.until("supplier-1")
        return time.perf_counter() - began


def turn(log: Path, lines: int) -> dict[str, float]:
    """Read the log once in each way."""
    plain_s, _ = took("-c", PLAIN, str(log))
    seconds, memory = took(str(MAIN), "watch", str(log), "--once")
    return {
        "once_s": seconds,
        "lines_per_s": lines / seconds,
        "ratio_to_plain": seconds / plain_s,
        "first_table_s": first_table(log),
        "memory_mib": memory,
    }


def main(arguments: Sequence[str]) -> None:
    """Make the log, and measure the ways in turn, so that the machine's mood hits each."""
    runs, lines = int(size(arguments, "runs", 3)), int(size(arguments, "lines", LINES))
    with tempfile.TemporaryDirectory() as folder:
        log = long_log(Path(folder), lines)
        # before the log is read here: a child's most memory counts that of its parent at the fork
        turns = [turn(log, lines) for _ in range(runs)]
        sizes = {
            "runs": runs,
            "lines": lines,
            "mib": round(log.stat().st_size / 2**20, 1),
            "negotiations": len(set(re.findall(rb'"n-[0-9a-f]{16}', log.read_bytes()))),
        }
    medians = {name: round(statistics.median(t[name] for t in turns), 2) for name in turns[0]}
    publish({"benchmark": "watch", **sizes, **medians}, arguments)


if __name__ == "__main__":
    main(arguments())
