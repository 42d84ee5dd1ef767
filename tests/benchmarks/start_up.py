"""How long it takes to start: libraries alone, the face, `main.py --help`, and the whole sample.

    python tests/benchmarks/start_up.py [--keep] [runs=7]

Prints one JSON line: median seconds of each in turn, of a fresh Python process in a fresh folder,
and but for the libraries the median of their ratios to importing the libraries in the same turn.
`face` is what a program imports that embeds the system; `first_output` is the time until the first
byte of the sample can be read from its standard output.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent)]

from benchmarks.kept import arguments, publish, size

MAIN = Path(__file__).parent.parent.parent / "main.py"
COMMANDS = {
    "import": ("-c", "import pydantic, pykka, peewee, structlog"),
    "face": ("-c", f"import sys; sys.path.insert(0, {str(MAIN.parent)!r}); import actors.system"),
    "help": (str(MAIN), "--help"),
    "sample": (str(MAIN),),
}
RUNS = 7


def seconds(command: Iterable[str]) -> tuple[float, float]:
    """Wall seconds of one fresh Python process to its first output and to its end."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, *command], cwd=folder, stdout=subprocess.PIPE, bufsize=0
        ) as process:
            assert process.stdout is not None
            process.stdout.read(1)
            first = time.perf_counter() - began
            process.stdout.read()
        assert process.returncode == 0, command
        return first, time.perf_counter() - began


def measured(runs: int = RUNS) -> dict[str, object]:
    """Measure all commands in turn, so that the machine's mood hits each of them."""
    for command in COMMANDS.values():
        seconds(command)  # the first run of each writes byte code and warms the disk
    took = [_turn() for _ in range(runs)]
    medians = {
        f"{name}_s": round(statistics.median(turn[name] for turn in took), 3) for name in took[0]
    }
    ratios = {
        f"{name}_ratio": round(statistics.median(t[name] / t["import"] for t in took), 2)
        for name in took[0]
        if name != "import"
    }
    return {"benchmark": "start_up", "runs": runs, **medians, **ratios}


def _turn() -> dict[str, float]:
    both = {name: seconds(command) for name, command in COMMANDS.items()}
    whole = {name: end for name, (_, end) in both.items()}
    return whole | {"first_output": both["sample"][0]}


def main(arguments: Sequence[str]) -> None:
    """Measure, and print one line."""
    publish(measured(int(size(arguments, "runs", RUNS))), arguments)


if __name__ == "__main__":
    main(arguments())
