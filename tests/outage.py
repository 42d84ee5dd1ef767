"""Outages of a disk, made for a while: no room for a process, and a small disk that fills up.

`python tests/outage.py` lets a `serve` process run into a full disk and into a locked database, ten
seconds each, then destroys every page of a database in turn, and flips a bit in each, and destroys
each once more for an engine that looks at its pages only after the start; it prints one JSON line,
and exits 1 if anything was lost, told wrongly or left as a traceback.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from factories import make_config, make_supplier, quote_fields
from serving import locked, new_quote, serving, sql, until
from verified import faults

import main
from actors.events import Event
from actors.system import NegotiationSystem
from storage.errors import DatabaseUnusable

OUTAGE_S = 10.0
TRANSCRIPT = (
    "SELECT n.supplier_id, m.seq, m.sender, m.content, m.move, m.terms, m.accepts_seq, m.origin "
    "FROM messages AS m JOIN negotiations AS n ON n.id = m.negotiation_id ORDER BY n.rowid, m.seq"
)


def transcript(database: Path) -> list[Any]:
    """All that was said, without ids and times."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(TRANSCRIPT).fetchall()


@contextmanager
def full(pid: int, file: Path | None = None, *, size: int | None = None) -> Iterator[None]:
    """No room for a process: none of its files may grow beyond this one, or this size."""
    if not hasattr(resource, "prlimit"):
        pytest.skip("only Linux can change another process's limits")
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    limit = file.stat().st_size if file is not None else size
    assert limit is not None
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of that size in memory; the test is skipped where none can be had."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "parley-test", str(folder)]
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root can have a small disk, on Linux")
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def filled(disk: Path) -> None:
    """Take all the room that is left."""
    with (disk / "ballast").open("ab", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(512))
        except OSError:
            return


def room(disk: Path) -> None:
    """Give it back."""
    (disk / "ballast").unlink()


def pages(database: Path) -> tuple[int, int]:
    """The size of a page, and how many there are."""
    with closing(sqlite3.connect(database)) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        (count,) = connection.execute("PRAGMA page_count").fetchone()
    return size, count


def interrupted(database: Path) -> None:
    """A database with a quote that was negotiated to its end, and one that was interrupted."""
    config = make_config([make_supplier(n) for n in (1, 2, 3)])
    with NegotiationSystem.start(config, database=database) as system:
        done = system.create_quote(quote_fields())
        system.start_negotiations(done.id)
        system.wait(done.id)
    told: list[Event] = []
    with NegotiationSystem.start(config, database=database, pace_s=0.1) as system:
        system.subscribe(told.append)
        system.start_negotiations(system.create_quote(quote_fields()).id)
        until(lambda: sum(event.name == "message.saved" for event in told) >= 6)


def outage(folder: Path, kind: str) -> dict[str, Any]:
    """Ten seconds of it in the middle of the sample, and what the log tells."""
    folder.mkdir()
    with serving(folder, "--pace", "0.1") as engine:
        quote_id = new_quote(folder)
        engine.wait_for("message.saved", 6)
        hindered = (
            full(engine.process.pid, folder / "parley.db-wal")
            if kind == "full"
            else locked(folder, "BEGIN IMMEDIATE")
        )
        with hindered:
            began = time.monotonic()
            engine.wait_for("save.retried")
            said = sql(folder, "SELECT count(*) FROM messages")
            until(lambda: time.monotonic() > began + OUTAGE_S)
            silent = sql(folder, "SELECT count(*) FROM messages") == said
        ended = time.monotonic()
        engine.wait_for("quote.completed", quote_id=quote_id)
        retried = engine.events("save.retried")
        return {
            "outage": kind,
            "seconds": round(ended - began, 1),
            "told": sorted({line["error"] for line in retried}),
            "retries": len(retried),
            "silent": silent,
            "done_after_s": round(time.monotonic() - ended, 1),
            "faults": len(faults(folder / "parley.db")),
        }


Damage = Callable[[bytearray, int, int], None]
"""Does something to a page of a file, by its start and its size in bytes."""


def damaged_copies(folder: Path, damage: Damage) -> Iterator[Path]:
    """A database with work left over, with one page damaged at a time, each page once."""
    folder.mkdir()
    database = folder / "parley.db"
    interrupted(database)
    size, count = pages(database)
    sound = database.read_bytes()
    for page in range(count):
        for path in folder.iterdir():
            path.unlink()
        content = bytearray(sound)
        damage(content, page * size, size)
        database.write_bytes(content)
        yield database


def damaged(folder: Path, kind: str, damage: Damage) -> Any:
    """Damage each page in turn and recover; how often it ended with which exit code."""
    codes: Counter[str] = Counter()
    for database in damaged_copies(folder, damage):
        content = database.read_bytes()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                code = f"exit {main.main(['recover', '--database', str(database)])}"
            except Exception as error:  # noqa: BLE001 - which would be a traceback
                code = f"{type(error).__name__}"
        untouched = database.read_bytes() == content
        codes[f"{code}, untouched" if untouched else code] += 1
    return {"damage": kind, "pages": codes.total(), **codes}


def noticed(database: Path) -> str:
    """How a system that is started on a damaged database tells that it is."""
    try:
        with NegotiationSystem.start(make_config(), database=database) as system:
            until(lambda: system.halted is not None)
            return "halted"
    except DatabaseUnusable:
        return "refused"


def noticed_meanwhile(folder: Path) -> dict[str, Any]:
    """Destroy each page in turn where pages are looked at only after the start."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("storage.ledger.CHECKED_FIRST", 0)
        ends = Counter(map(noticed, damaged_copies(folder, destroy)))
    return {"damage": "destroyed page, looked at meanwhile", "pages": ends.total(), **ends}


def destroy(content: bytearray, start: int, size: int) -> None:
    """Leave nothing of a page."""
    content[start : start + size] = b"\xaa" * size


def flip(content: bytearray, start: int, size: int) -> None:
    """Make no text of a text, by one bit."""
    content[start + size - 200] ^= 0x80


def run() -> int:
    """All of it, and the exit code."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        outages = [outage(folder / kind, kind) for kind in ("full", "locked")]
        destroyed = damaged(folder / "destroyed", "destroyed page", destroy)
        flipped = damaged(folder / "flipped", "flipped bit", flip)
        meanwhile = noticed_meanwhile(folder / "meanwhile")
    json.dump([*outages, destroyed, flipped, meanwhile], sys.stdout)
    print()
    well = (
        all(one["silent"] and not one["faults"] for one in outages)
        and destroyed["exit 2, untouched"] == destroyed["pages"]
        and not [code for code in flipped if code.endswith("Error")]
        and meanwhile.get("refused", 0) + meanwhile.get("halted", 0) == meanwhile["pages"]
    )
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(run())
