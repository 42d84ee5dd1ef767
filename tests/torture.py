"""Random `kill -9` of a real engine, hundreds of times, while a person steps in all the time.

`python tests/torture.py [KILLS [SEED]]` runs quotes with twenty suppliers each, whose agents are of
random speed. Every engine is killed at a random instant, from a few ms after it has begun, and the
next one starts at once; new quotes and a person's guidance come from other processes meanwhile.
After each kill nothing that was on disk may be lost or changed, nothing may stand there by half,
and whatever anybody was told must be there. In the end every quote is completed, every receipt is
true, each negotiation into which nobody stepped reads like an uninterrupted one, and in each other
one every message is what tactics say there. It prints how often what was hit; 1 when anything was
wrong or never happened.
"""

from __future__ import annotations

import contextlib
import io
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torture_person
from inspection import faults
from keepsake import Keepsake, copied, deep_faults, disobeyed, lost, taken, torn
from said_anew import strays
from torture_life import (
    CHILDREN,
    FASTEST_S,
    IDLE,
    LOADING,
    NEGOTIATING,
    OPENING,
    SLOWEST_S,
    TAKING_UP,
    Life,
    lines_of,
    untold,
)
from torture_scene import PATIENCE_S, SUPPLIERS, add_quote, config_file, conversation, uninterrupted

import main as command_line
from storage.records import NegotiationId
from storage.store import Store

KILLS = 500
KILLS_PER_DATABASE = 50
BETWEEN_REMARKS_S = 0.3
"""How long the person is silent on average."""
PAUSE_S = 0.02
"""Between two looks at what the last engine does; it can't tell us."""
LANES = 2
"""How many databases are tortured at the same time, each by a process of its own."""
WAITED = "  guidance waited"
OWED = "  an answer was owed"
VERIFIED = "checks by verify"
ROWS = (
    *("databases", "engines started", "kills", LOADING, OPENING, TAKING_UP, NEGOTIATING, IDLE),
    *("kills while", WAITED, OWED, "quotes", "  added while it ran", "  completed"),
    *("negotiations", "  agreed", "  impasse", "messages", "interventions", "  applied"),
    *("  refused", "refused at once", "compared: nobody stepped in", "compared: guided"),
    *("receipts given out", VERIFIED),
)
MAY_BE_NONE = {IDLE, "kills while"}


@dataclass
class Tally:
    """What was hit how often, and what must not be."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take in what another process has counted."""
        self.counts.update(other.counts)
        self.faults += other.faults

    def missing(self) -> set[str]:
        """What never happened."""
        return {row for row in ROWS if not self.counts[row]} - MAY_BE_NONE

    def table(self) -> str:
        """All counts, aligned."""
        lines = [f"{row:34}{self.counts[row]:>8,}" for row in ROWS if row != "kills while"]
        lines.insert(ROWS.index("kills while"), "kills while")
        return "\n".join([*lines, f"{'faults':34}{len(self.faults):>8,}"])


class Torture:
    """One database and all that is done to it."""

    def __init__(
        self, folder: Path, dice: random.Random, reference: dict[str, list[Any]], tally: Tally
    ) -> None:
        self._folder = folder
        self._database = folder / "parley.db"
        self._dice = dice
        self._reference = reference
        self._tally = tally
        self._notes = folder / "notes.jsonl"
        self._left = Keepsake()
        self._seen_through: set[str] = set()
        self._lives = 0

    def run(self, kills: int) -> None:
        """Kill so many engines, and let the last one finish."""
        config_file(self._folder)
        self._tally.counts["databases"] += 1
        with self._person_stepping_in() as person:
            for _ in range(kills):
                self._one_life()
            self._last_life(person)
        self._judge()

    @contextmanager
    def _person_stepping_in(self) -> Iterator[subprocess.Popen[bytes]]:
        errors_file = self._folder / "person.errors"
        seed, pause = str(self._dice.random()), str(BETWEEN_REMARKS_S)
        # the database must be there; half of them the first engine makes
        if self._dice.random() < 0.5:
            Store(self._database)
        with errors_file.open("wb") as errors:
            person = subprocess.Popen(
                [sys.executable, torture_person.__file__, seed, pause, str(self._notes)],
                cwd=self._folder,
                env=CHILDREN,
                stderr=errors,
            )
        try:
            yield person
        finally:
            ended_before = person.poll() is not None
            person.kill()
            person.wait()
        if ended_before:
            self._tally.faults.append(f"the person is gone: {errors_file.read_text()}")

    def _life(self, slowest_s: float = SLOWEST_S) -> Life:
        self._lives += 1
        self._tally.counts["engines started"] += 1
        return Life(self._folder, self._lives, self._dice, slowest_s)

    def _one_life(self) -> None:
        dice, counts = self._dice, self._tally.counts
        new_quote_is_due = 2 * len(self._left.active) < SUPPLIERS and not self._pending
        while_it_runs = dice.random() < 0.7
        if new_quote_is_due and not while_it_runs:
            add_quote(self._folder)
        life = self._life()
        try:
            life.begin()
            until_then_s = dice.random() * life.span_s
            deadline = time.monotonic() + life.span_s
            if new_quote_is_due and while_it_runs:
                time.sleep(until_then_s)
                add_quote(self._folder)
                counts["  added while it ran"] += 1
            time.sleep(max(0.0, deadline - time.monotonic()))
        finally:
            self._tally.faults += life.end(signal.SIGKILL)
        counts["kills"] += 1
        counts[life.was_at(self._left)] += 1
        self._look(life)

    @property
    def _pending(self) -> bool:
        """Whether a quote is to be started whose negotiations are not there yet."""
        begun = {row["quote_id"] for row in self._left.negotiations.values()}
        return not set(self._left.unfinished) <= begun

    def _look(self, life: Life) -> None:
        """What the dead have left, and whether it is all that it must be."""
        receipts = {note["received"] for note in lines_of(self._notes) if "received" in note}
        before, now = self._left, taken(self._database)
        faults_now = [*lost(before, now), *disobeyed(before, now), *torn(now)]
        faults_now += untold(now, life, receipts)
        if now.quotes:
            copy = self._folder / "copy.db"
            copied(self._database, copy)
            faults_now += _verified(copy, self._tally)
            faults_now += deep_faults(copy, self._seen_through)
        self._tally.faults += [f"{self._database}, life {self._lives}: {f}" for f in faults_now]
        self._tally.counts[WAITED] += bool(now.waiting)
        self._tally.counts[OWED] += any(row["message_seq"] for row in now.waiting)
        self._seen_through = set(now.quotes) - set(now.unfinished)
        self._left = now

    def _last_life(self, person: subprocess.Popen[bytes]) -> None:
        if not self._left.quotes:
            add_quote(self._folder)
        life = self._life(slowest_s=10 * FASTEST_S)
        try:
            self._await(life, lambda: bool(life.told()))
            self._await(life, lambda: self._none("quotes", "status IN ('pending', 'negotiating')"))
            person.send_signal(signal.SIGSTOP)  # no more remarks
            self._await(life, lambda: self._none("interventions", "status = 'received'"))
        finally:
            self._tally.faults += life.end(signal.SIGTERM)
            self._look(life)

    def _await(self, life: Life, look: Callable[[], bool]) -> None:
        """Wait for something; or until the engine is gone, or that takes for ever."""
        deadline = time.monotonic() + PATIENCE_S
        while not look() and life.process.poll() is None:
            if time.monotonic() > deadline:
                newest = [line["event"] for line in life.told()[-5:]]
                self._tally.faults.append(f"{self._database}: nothing comes after {newest}")
                return
            time.sleep(PAUSE_S)

    def _none(self, table: str, condition: str) -> bool:
        """Whether no row of a table is left that has still to change."""
        with closing(sqlite3.connect(self._database, timeout=PATIENCE_S)) as database:
            # S608: the names are our own
            look = f"SELECT 1 FROM {table} WHERE {condition}"  # noqa: S608
            return database.execute(look).fetchone() is None

    def _judge(self) -> None:
        """When all is over: is it what it would have been, and are the receipts true?"""
        tally, now = self._tally, self._left
        wrong = faults(self._database)
        wrong += [f"{key} is not finished" for key in (*now.unfinished, *now.active)]
        wrong += [f"{row['id']} was never settled" for row in now.waiting]
        wrong += [
            f"{row['id']} is parked: {row['last_error']}"
            for row in now.negotiations.values()
            if row["last_error"] is not None
        ]
        guided = {row["negotiation_id"] for row in now.interventions.values()}
        store = Store(self._database, read_only=True)
        for key, negotiation in now.negotiations.items():
            tally.counts["  agreed" if negotiation["status"] == "completed" else "  impasse"] += 1
            if key in guided:
                tally.counts["compared: guided"] += 1
                wrong += strays(store.load(NegotiationId(key)))
                continue
            tally.counts["compared: nobody stepped in"] += 1
            if conversation(now, negotiation) != self._reference[negotiation["supplier_id"]]:
                wrong.append(f"{key} is not what an uninterrupted one is")
        notes = lines_of(self._notes)
        tally.counts.update(
            {
                "quotes": len(now.quotes),
                "  completed": sum(q["status"] == "completed" for q in now.quotes.values()),
                "negotiations": len(now.negotiations),
                "messages": len(now.messages),
                "interventions": len(now.interventions),
                "receipts given out": sum("received" in note for note in notes),
                "refused at once": sum("refused" in note for note in notes),
            }
        )
        tally.counts.update(f"  {row['status']}" for row in now.interventions.values())
        tally.faults += [f"{self._database}: {each}" for each in wrong]


def _verified(copy: Path, tally: Tally) -> list[str]:
    """What the product's own check says."""
    tally.counts[VERIFIED] += 1
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = command_line.main(["verify", "--database", str(copy)])
    return [] if code == 0 else [f"verify ends {code}: {printed.getvalue()}"]


def _lane(folder: Path, kills: int, seed: str) -> Tally:
    """One database after the other, until there were so many kills."""
    tally = Tally()
    whole = folder / "whole"
    whole.mkdir(parents=True)
    reference = uninterrupted(whole)
    for number, begun in enumerate(range(0, kills, KILLS_PER_DATABASE), start=1):
        place = folder / str(number)
        place.mkdir()
        torture = Torture(place, random.Random(f"{seed}/{number}"), reference, tally)
        torture.run(min(KILLS_PER_DATABASE, kills - begun))
    return tally


def play(folder: Path, kills: int = KILLS, seed: int = 1, lanes: int = 1) -> Tally:
    """Kill so many engines, in so many processes, and look for faults."""
    shares = [len(range(lane, kills, lanes)) for lane in range(lanes)]
    if lanes == 1:
        return _lane(folder / "lane-1", kills, f"{seed}/1")
    tally = Tally()
    with ProcessPoolExecutor(lanes) as pool:
        playing = [
            pool.submit(_lane, folder / f"lane-{lane}", share, f"{seed}/{lane}")
            for lane, share in enumerate(shares, start=1)
        ]
        for each in playing:
            tally.add(each.result())
    return tally


def main(arguments: Sequence[str]) -> int:
    """Play, and print the table; 1 when anything was wrong or never happened."""
    kills, seed, *_ = [*map(int, arguments), *(KILLS, 1)[len(arguments) :]]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        tally = play(Path(folder), kills, seed, LANES)
    took = f"{time.monotonic() - began:.0f} s, seed {seed}"
    sys.stdout.write(f"{tally.table()}\n{took}\n")
    for line in [*tally.faults[:20], *(f"never happened: {each}" for each in tally.missing())]:
        sys.stdout.write(f"{line}\n")
    return 1 if tally.faults or tally.missing() or tally.counts["kills"] != kills else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
