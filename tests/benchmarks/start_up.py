"""How long it takes to start: the libraries alone, `main.py --help`, and the whole sample.

    python tests/benchmarks/start_up.py [RUNS]

Prints one JSON line: median seconds of each over 7 runs in turn, and for the last two the median
of their ratios to importing the libraries in the same turn.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

MAIN = Path(__file__).parent.parent.parent / "main.py"
COMMANDS = {
    "import": ("-c", "import pydantic, pykka, peewee, structlog"),
    "help": (str(MAIN), "--help"),
    "sample": (str(MAIN),),
}
RUNS = 7


def seconds(arguments: Iterable[str]) -> float:
    """Wall seconds of one fresh Python process in a fresh folder, its output thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return time.perf_counter() - began


def measured(runs: int = RUNS) -> dict[str, object]:
    """Measure all commands in turn, so that the machine's mood hits each of them."""
    for arguments in COMMANDS.values():
        seconds(arguments)  # the first run of each writes byte code and warms the disk
    took = [{name: seconds(args) for name, args in COMMANDS.items()} for _ in range(runs)]
    medians = {
        f"{name}_s": round(statistics.median(turn[name] for turn in took), 3) for name in COMMANDS
    }
    ratios = {
        f"{name}_ratio": round(statistics.median(t[name] / t["import"] for t in took), 2)
        for name in ("help", "sample")
    }
    return {"benchmark": "start_up", "runs": runs, **medians, **ratios}


def main(arguments: Iterable[str]) -> None:
    """Measure, and print one line."""
    json.dump(measured(int(next(iter(arguments), RUNS))), sys.stdout)
    print()


if __name__ == "__main__":
    main(sys.argv[1:])
