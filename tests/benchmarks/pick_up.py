"""How soon an engine picks up what another process has committed, and what it costs while idle.

    python tests/benchmarks/pick_up.py [--keep] [interventions=100] [idle_s=10]

Prints one JSON line: median and largest milliseconds from the commit of an intervention by SQL to
its `intervention.received` in the log of a `serve` process, over 100 of them, and the CPU seconds
that a minute of the same process takes while nothing happens.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent.parent)]

from benchmarks.kept import arguments, publish, size

ROOT = Path(__file__).parent.parent.parent
INTERVENTIONS = 100
IDLE_S = 10.0
PATIENCE_S = 30.0
PAUSE_S = 0.01
APART_S = 0.1
"""The longest pause before an intervention; a random one keeps out of step with the engine."""


def parley(folder: Path, *arguments: str) -> Any:
    """Run a command, and read the JSON that it prints."""
    command = [sys.executable, str(ROOT / "main.py"), *arguments, "--json"]
    return json.loads(subprocess.check_output(command, cwd=folder))


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has taken, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def received(log: Path) -> dict[str, float]:
    """When each intervention was picked up, in seconds since 1970, by its id."""
    written, _, _half_a_line = log.read_text().rpartition("\n")
    lines = map(json.loads, written.splitlines())
    return {
        line["intervention_id"]: datetime.fromisoformat(line["ts"]).timestamp()
        for line in lines
        if line["event"] == "intervention.received"
    }


def pick_ups(
    folder: Path, log: Path, negotiations: Sequence[str], interventions: int
) -> list[float]:
    """Milliseconds from each commit to its pick-up."""
    committed: dict[str, float] = {}
    insert = "INSERT INTO interventions (negotiation_id, text) VALUES (?, ?) RETURNING id"
    with closing(sqlite3.connect(folder / "parley.db", timeout=PATIENCE_S)) as database:
        for number in range(interventions):
            time.sleep(random.uniform(0, APART_S))
            with database:
                negotiation_id = negotiations[number % len(negotiations)]
                values = (negotiation_id, f"Push on price, remark {number}.")
                ((row_id,),) = database.execute(insert, values).fetchall()
            committed[row_id] = time.time()
            deadline = time.monotonic() + PATIENCE_S
            while row_id not in received(log):
                assert time.monotonic() < deadline, "it was not picked up"
                time.sleep(PAUSE_S)
    heard = received(log)
    return [1000 * (heard[row_id] - at) for row_id, at in committed.items()]


def main(arguments: Sequence[str]) -> None:
    """Measure an engine in which negotiations wait to be continued, so that nothing else moves."""
    interventions = int(size(arguments, "interventions", INTERVENTIONS))
    idle_s = size(arguments, "idle_s", IDLE_S)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        log = folder / "log.jsonl"
        with subprocess.Popen(
            [sys.executable, str(ROOT / "main.py"), "serve", "--log-file", str(log)],
            cwd=folder,
            stdout=subprocess.PIPE,
        ) as engine:
            try:
                assert engine.stdout is not None
                pid = json.loads(engine.stdout.readline())["pid"]
                quote_id = parley(folder, "add")["written"]["id"]
                parley(folder, "start", quote_id, "--manual")
                found: list[dict[str, str]] = []
                while not found:
                    found = parley(folder, "show", quote_id)["negotiations"]
                took = pick_ups(folder, log, [each["id"] for each in found], interventions)
                before, began = cpu_s(pid), time.monotonic()
                time.sleep(idle_s)
                idle = (cpu_s(pid) - before) * 60 / (time.monotonic() - began)
            finally:
                engine.terminate()
    publish(
        {
            "benchmark": "pick_up",
            "interventions": interventions,
            "median_ms": round(statistics.median(took), 1),
            "max_ms": round(max(took), 1),
            "idle_s": idle_s,
            "idle_cpu_s_per_minute": round(idle, 2),
        },
        arguments,
    )


if __name__ == "__main__":
    main(arguments())
