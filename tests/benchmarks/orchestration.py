"""The orchestration beside what people would use instead: the same negotiations, in the same run.

    python tests/benchmarks/orchestration.py [--keep] [--environment FOLDER] [OPTION=VALUE …]

Prints one JSON line for each of four results, medians over runs in which the sides take turns, so
that the machine's mood hits all. Each side runs alone in a process, which checks its database after
every run: exactly N x 10 messages, in order, and all negotiations ended.

    cpu_per_message   300 negotiations without any waiting: CPU (user and system) and messages/s
    short_waits       1,000 negotiations, every move takes 50 ms: ideal / wall
    long_waits        1,000 negotiations, every move takes 1 s: ideal / wall
    ten_thousand      10,000 negotiations, every move takes 1 s: ideal / wall, and memory for each

The ideal is the time of one negotiation alone that costs nothing besides its moves.

    --keep                 keep each result in a file beside this one, for the README
    --environment FOLDER   where autogen-core and LangGraph are or will be installed; otherwise
                           they are for this run only
    only=NAME,NAME         these results only
    sides=NAME,NAME        these of whole, ceiling, pykka_threads, autogen_core and langgraph only
    runs=N negotiations=N move_s=SECONDS    other sizes, for all results that are measured
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.kept import arguments, publish, size
from benchmarks.peers.work import MESSAGES

PEERS = Path(__file__).parent / "peers"
PROGRAMS = {
    "whole": "whole.py",
    "ceiling": "ceiling.py",
    "pykka_threads": "pykka_threads.py",
    "autogen_core": "autogen.py",
    "langgraph": "langgraph_checkpoints.py",
}
PINNED = {
    "autogen-core": "0.7.5",
    "langgraph": "1.2.24",
    "langgraph-checkpoint-sqlite": "3.1.2",
}
ELSEWHERE = ("autogen_core", "langgraph")
"""The sides that need the packages above, which our own environment shall not have."""

PATIENCE_S = 600
FEW = 10
"""So many negotiations show what a process needs before there are many."""

Figures = Mapping[str, float]
Turn = Mapping[str, Figures]
"""What each side took in one turn."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One result: how much work for whom, and how often."""

    name: str
    sides: tuple[str, ...]
    negotiations: int
    move_s: float
    runs: int
    once: tuple[str, ...] = ()
    """The sides that take so long that one run has to do."""
    memory: bool = False

    def narrowed(self, given: Sequence[str]) -> Measurement:
        """The same in the sizes and for the sides that the command line gives."""
        asked = names(given, "sides", tuple(PROGRAMS))
        return replace(
            self,
            sides=tuple(side for side in self.sides if side in asked),
            negotiations=int(size(given, "negotiations", self.negotiations)),
            move_s=size(given, "move_s", self.move_s),
            runs=int(size(given, "runs", self.runs)),
        )


MEASUREMENTS = (
    Measurement("cpu_per_message", tuple(PROGRAMS), 300, 0.0, runs=5),
    Measurement("short_waits", tuple(PROGRAMS), 1_000, 0.05, runs=3, once=("langgraph",)),
    Measurement("long_waits", ("whole", "ceiling", "autogen_core"), 1_000, 1.0, runs=3),
    Measurement("ten_thousand", ("whole", "ceiling"), 10_000, 1.0, runs=3, memory=True),
)


def names(given: Sequence[str], option: str, known: Sequence[str]) -> list[str]:
    """What an option such as `sides=whole,ceiling` names; all that is known if it isn't given."""
    for argument in given:
        key, _, value = argument.partition("=")
        if key == option:
            asked = value.split(",")
            if unknown := set(asked) - set(known):
                sys.exit(f"{option}: {', '.join(sorted(unknown))} is none of {', '.join(known)}")
            return asked
    return list(known)


def environment(folder: Path) -> Path:
    """The Python in the folder, which has exactly the pinned packages; made if it isn't there."""
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    wanted = [f"{package}=={release}" for package, release in PINNED.items()]
    install = [str(python), "-m", "pip", "install", "--quiet", "--no-cache-dir", *wanted]
    subprocess.run(install, check=True, stdout=sys.stderr)
    return python


def play(python: Path, side: str, negotiations: int, move_s: float) -> Figures:
    """What a side takes, in a process of its own that fails if the work isn't done."""
    command = [str(python), str(PEERS / PROGRAMS[side]), str(negotiations), str(move_s)]
    printed = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, timeout=PATIENCE_S
    ).stdout
    figures: dict[str, float] = json.loads(printed)
    return figures


def turns(measurement: Measurement, pythons: Mapping[str, Path]) -> list[Turn]:
    """Every side once in each turn, except those that are only in the first."""
    taken: list[Turn] = []
    for number in range(measurement.runs):
        turn: dict[str, Figures] = {}
        for side in measurement.sides:
            if number and side in measurement.once:
                continue
            figures = play(pythons[side], side, measurement.negotiations, measurement.move_s)
            if measurement.memory:
                few = play(pythons[side], side, FEW, 0.0)
                figures = {**figures, "few_peak_kib": few["peak_kib"]}
            turn[side] = figures
        taken.append(turn)
    return taken


def result(measurement: Measurement, taken: Sequence[Turn]) -> dict[str, object]:
    """The medians of a measurement, with what it was made of and where."""
    found: dict[str, object] = {
        "benchmark": measurement.name,
        "negotiations": measurement.negotiations,
        "messages_each": MESSAGES,
        "move_s": measurement.move_s,
        "runs": measurement.runs,
    }
    for side in measurement.sides:
        mine = [figures_of(measurement, turn[side]) for turn in taken if side in turn]
        for name in mine[0]:
            middle = statistics.median(figures[name] for figures in mine)
            found[f"{side}_{name}"] = float(f"{middle:.4g}")
    if not measurement.move_s and {"whole", "autogen_core"} <= set(measurement.sides):
        ratios = (turn["autogen_core"]["wall_s"] / turn["whole"]["wall_s"] for turn in taken)
        found["whole_to_autogen_core"] = round(statistics.median(ratios), 2)
    return found | releases(measurement.sides)


def figures_of(measurement: Measurement, taken: Figures) -> dict[str, float]:
    """What is said of one run."""
    messages = measurement.negotiations * MESSAGES
    if not measurement.move_s:
        figures = {
            "cpu_ms": taken["cpu_s"] * 1000 / messages,
            "messages_per_s": messages / taken["wall_s"],
        }
    else:
        ideal_s = MESSAGES * measurement.move_s
        figures = {"wall_s": taken["wall_s"], "ideal_to_wall": ideal_s / taken["wall_s"]}
    if measurement.memory:
        grown = taken["peak_kib"] - taken["few_peak_kib"]
        figures["kib_per_negotiation"] = grown / measurement.negotiations
    return figures


def releases(sides: Sequence[str]) -> dict[str, str]:
    """Of the packages that the sides are made of."""
    ours = {"pykka": version("pykka")}
    if not set(sides) & set(ELSEWHERE):
        return ours
    return ours | {package.replace("-", "_"): release for package, release in PINNED.items()}


def main(given: Sequence[str]) -> None:
    """Measure what the command line asks for."""
    if "--help" in given:
        print(__doc__)
        return
    only = names(given, "only", [each.name for each in MEASUREMENTS])
    chosen = [each.narrowed(given) for each in MEASUREMENTS if each.name in only]
    pythons = dict.fromkeys(PROGRAMS, Path(sys.executable))
    with tempfile.TemporaryDirectory() as folder:
        if any(side in ELSEWHERE for each in chosen for side in each.sides):
            asked = given[given.index("--environment") + 1] if "--environment" in given else folder
            pythons |= dict.fromkeys(ELSEWHERE, environment(Path(asked)))
        for measurement in chosen:
            publish(result(measurement, turns(measurement, pythons)), given)


if __name__ == "__main__":
    main(arguments())
