"""One engine process that is to be killed, and whom it has told what."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torture_engine
from keepsake import Keepsake, Row
from serving import ENVIRONMENT, ROOT

SOONEST_S, LATEST_S = 0.002, 1.6
"""When an engine is killed, after its command has begun; as often before 57 ms as after that."""
SHIPPED = 0.15
"""How many engines are `main.py serve` as it is shipped; they are killed while they load, too."""
SOONEST_SHIPPED_S, LATEST_SHIPPED_S = 0.1, 3.0
FASTEST_S, SLOWEST_S = 0.005, 0.2
"""The time that the agents of one engine take on average."""
CHILDREN = {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests")))}
"""The environment of processes that import what this one does."""

LOADING = "  loading its code"
OPENING = "  opening the database"
TAKING_UP = "  taking up what was left"
NEGOTIATING = "  negotiating"
IDLE = "  with nothing to do"


class Life:
    """One engine process, from its start to its end."""

    def __init__(
        self, folder: Path, number: int, dice: random.Random, slowest_s: float = SLOWEST_S
    ) -> None:
        self._files = {kind: folder / f"{number}.{kind}" for kind in ("log", "shown", "errors")}
        self._shipped = dice.random() < SHIPPED
        seed, tempo = str(dice.random()), f"{spread(dice, FASTEST_S, slowest_s):.3f}"
        shown, arguments = str(self._files["shown"]), ["--log-file", str(self._files["log"])]
        if self._shipped:
            self.span_s = spread(dice, SOONEST_SHIPPED_S, LATEST_SHIPPED_S)
            program = [str(ROOT / "main.py"), "serve", "--pace", tempo]
        else:
            self.span_s = spread(dice, SOONEST_S, LATEST_S)
            program = [torture_engine.__file__, seed, tempo, shown]
        with self._files["errors"].open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *program, *arguments],
                cwd=folder,
                env=CHILDREN,
                stdout=subprocess.PIPE,
                stderr=errors,
            )

    def begin(self) -> None:
        """Wait until its code is loaded, if it tells."""
        assert self.process.stdout is not None
        if not self._shipped:
            self.process.stdout.readline()

    def end(self, how: signal.Signals) -> Iterator[str]:
        """Send a signal, and wait until it is gone; what was wrong with that."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.communicate()
        wanted = 0 if how is signal.SIGTERM else -how
        if self.process.returncode != wanted:
            errors = self._files["errors"].read_text()
            yield f"an engine ended with {self.process.returncode} by itself: {errors}"

    def told(self) -> list[Row]:
        """All that it has logged; the last line may be cut off."""
        return lines_of(self._files["log"])

    def shown(self) -> list[Any]:
        """The newest message of all that its agents were shown."""
        return lines_of(self._files["shown"])

    def was_at(self, before: Keepsake) -> str:
        """What it was doing when it died, after one that had left `before`."""
        names = {line["event"] for line in self.told()}
        if not names:
            return OPENING if self._begun else LOADING
        if "message.saved" in names:
            return NEGOTIATING
        return TAKING_UP if before.unfinished else IDLE

    @property
    def _begun(self) -> bool:
        return not self._shipped or self._files["log"].exists()


def untold(now: Keepsake, life: Life, receipts: set[str]) -> Iterator[str]:
    """What somebody was told and is not on disk.

    Args:
        receipts: The ids that were given out to the person.
    """
    saved = {(row["negotiation_id"], row["seq"]) for row in now.messages.values()}
    status = {key: row["status"] for key, row in (now.negotiations | now.interventions).items()}
    for line in life.told():
        match line["event"]:
            case "message.saved" if (line["negotiation_id"], line["seq"]) not in saved:
                yield f"it logged as saved, and is gone: {line}"
            case "negotiation.ended":
                if status.get(line["negotiation_id"], "active") == "active":
                    yield f"it logged as ended, and goes on: {line}"
            case "intervention.settled":
                if status.get(line["intervention_id"]) != line["status"]:
                    yield f"it logged as settled, and is not: {line}"
            case "actor.failed" | "negotiation.parked" | "negotiation.unreadable":
                yield f"it logged a failure: {line}"
    supplier_of = {key: row["supplier_id"] for key, row in now.negotiations.items()}
    said = {
        (supplier_of[row["negotiation_id"]], row["seq"], row["sender"], row["content"])
        for row in now.messages.values()
    }
    yield from (f"an agent was shown {m}" for m in life.shown() if tuple(m) not in said)
    yield from (f"{row_id}: a receipt for nothing" for row_id in receipts - {*now.interventions})


def spread(dice: random.Random, least: float, most: float) -> float:
    """A random number between the two, log-uniform."""
    return math.exp(dice.uniform(math.log(least), math.log(most)))


def lines_of(path: Path) -> list[Any]:
    """The whole lines of a file that may not be there."""
    if not path.exists():
        return []
    written, _, _half_a_line = path.read_text(encoding="utf-8").rpartition("\n")
    return [json.loads(line) for line in written.splitlines()]
