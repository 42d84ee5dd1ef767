"""A real `serve` process on a real database, its log, and commands from other processes."""

from __future__ import annotations

import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from actors.config import load_config
from actors.quote_request import new_quote as drawn_up
from actors.quote_request import read_quote_request
from storage.store import Store, utc_now

T = TypeVar("T")
ROOT = Path(__file__).parent.parent
PATIENCE_S = 30.0
"""What takes longer has failed."""
PAUSE_S = 0.005
"""Between two looks at what another process writes; it can't tell us."""
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
"""Without what would hide that a line is not flushed."""

Row = tuple[Any, ...]


def until(look: Callable[[], T]) -> T:
    """What `look` finds as soon as that is something."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(PAUSE_S)
    return found


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def parley(folder: Path, *arguments: str) -> Any:
    """Run a command with --json, and read what it prints."""
    ran = command(folder, *arguments, "--json")
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def sql(folder: Path, statement: str, *values: Any) -> list[Row]:
    """Run a statement as another program does, and commit."""
    with closing(sqlite3.connect(folder / "parley.db", timeout=PATIENCE_S)) as database:
        found = database.execute(statement, values).fetchall()
        database.commit()
        return found


@contextmanager
def locked(folder: Path, statement: str) -> Iterator[sqlite3.Connection]:
    """Keep a transaction open, as another program does."""
    with closing(sqlite3.connect(folder / "parley.db", isolation_level=None)) as database:
        database.execute(statement)
        yield database


class Engine:
    """A `serve` process that is ready, and its log."""

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        """Start it; `settings` go into its environment."""
        self._log = folder / f"{time.time_ns()}.jsonl"
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "main.py"), "serve", "--log-file", self._log, *arguments],
            cwd=folder,
            env={**ENVIRONMENT, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @cached_property
    def ready(self) -> dict[str, Any]:
        """Its first line, as soon as it is there."""
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], PATIENCE_S)[0], "it did not get ready"
        line: dict[str, Any] = json.loads(self.process.stdout.readline())
        return line

    def events(self, name: str, **facts: Any) -> list[dict[str, Any]]:
        """All events so far with this name and these facts."""
        written, _, _half_a_line = self._log.read_text().rpartition("\n")
        lines = map(json.loads, written.splitlines())
        return [line for line in lines if line["event"] == name and facts.items() <= line.items()]

    def wait_for(self, name: str, count: int = 1, **facts: Any) -> list[dict[str, Any]]:
        """These events, as soon as there are as many."""

        def look() -> list[dict[str, Any]]:
            found = self.events(name, **facts)
            return found if len(found) >= count else []

        return until(look)

    def end(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """Send a signal: the exit code, and what it still printed."""
        self.process.send_signal(how)
        printed, errors = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, printed, errors


@contextmanager
def serving(folder: Path, *arguments: str, **settings: str) -> Iterator[Engine]:
    """An engine that never outlives its test."""
    engine = Engine(folder, *arguments, **settings)
    try:
        assert engine.ready
        yield engine
    finally:
        engine.process.kill()
        engine.process.communicate()


def new_quote(folder: Path, *, manual: bool = False) -> str:
    """Add the sample and have it started, from this process."""
    store = Store(folder / "parley.db")
    quote = drawn_up(read_quote_request(None), load_config().suppliers, utc_now)
    store.add_quote(quote)
    store.start_quote(quote.id, automatic=not manual)
    return quote.id


def negotiations_of(folder: Path, quote_id: str) -> list[str]:
    """The ids of a quote's negotiations, as soon as there are some."""
    of_quote = "SELECT id FROM negotiations WHERE quote_id = ? ORDER BY supplier_id"
    return [row[0] for row in until(lambda: sql(folder, of_quote, quote_id))]
