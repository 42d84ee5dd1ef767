"""A disk that is full, locked, read-only, gone or damaged: it is said, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import Heard
from factories import make_config, make_supplier, quote_fields
from outage import (
    destroy,
    filled,
    full,
    interrupted,
    noticed,
    pages,
    room,
    small_disk,
    transcript,
)
from serving import ENVIRONMENT, PATIENCE_S, ROOT, Engine, locked, new_quote, serving, sql, until
from verified import faults

import main
from actors.errors import SystemHalted
from actors.negotiators.tactics import Tactics
from actors.system import NegotiationSystem
from storage.errors import DatabaseUnavailable, DatabaseUnusable
from storage.migrations import STEPS
from storage.records import NegotiationStatus
from storage.store import Store

EVENT = "negotiation.unreadable"
UNREADABLE = (
    "parley: unreadable: supplier-1: the log tells what is damaged: restore it from a backup"
)
THREE = make_config([make_supplier(n) for n in (1, 2, 3)], retry_pause_s=0, draft_retries=0)
NOBODY = 65534
AS_NOBODY = f"""
import os, sys
import main, actors.commands.engines, actors.commands.lookups
if os.geteuid() == 0:  # who may write everywhere
    os.setuid({NOBODY})
sys.exit(max([main.main(asked.split()) for asked in sys.argv[1:]]))
"""
HALTED_AT_ONCE = """
import sys, time
import main
from actors.system import NegotiationSystem
start = NegotiationSystem.start
def start_and_halt(*arguments, **options):
    system = start(*arguments, **options)
    while system.halted is None:
        time.sleep(0.01)
    return system
NegotiationSystem.start = start_and_halt
sys.exit(main.main(["serve"]))
"""


def start(folder: Path, **options: Any) -> NegotiationSystem:
    chosen: dict[str, Any] = {"config": THREE, "database": folder / "parley.db", **options}
    return NegotiationSystem.start(**chosen)


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a locked database show at once, and have it tried again soon."""
    monkeypatch.setattr("storage.database.BUSY_TIMEOUT_S", 0.02)
    monkeypatch.setattr("actors.persistence.LONGEST_PAUSE_S", 0.05)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that anybody may use."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder
        folder.chmod(0o777)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# A full disk


def test_while_the_disk_is_full_nobody_speaks_and_when_there_is_room_all_goes_on(
    tmp_path: Path,
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    with serving(whole) as engine:
        engine.wait_for("quote.completed", quote_id=new_quote(whole))

    with serving(tmp_path, "--pace", "0.1") as engine:
        quote_id = new_quote(tmp_path)
        for said in (3, 9):
            engine.wait_for("message.saved", said)
            tries = len(engine.events("save.retried"))
            with full(engine.process.pid, tmp_path / "parley.db-wal"):
                engine.wait_for("save.retried", tries + 2)
                on_disk = sql(tmp_path, "SELECT count(*) FROM messages")
                # what was saved just before the disk was full is told by now, and nothing else
                until(lambda: [(len(engine.events("message.saved")),)] == on_disk)  # noqa: B023
                engine.wait_for("save.retried", tries + 4)
                assert sql(tmp_path, "SELECT count(*) FROM messages") == on_disk
                assert [(len(engine.events("message.saved")),)] == on_disk
        engine.wait_for("quote.completed", quote_id=quote_id)
        retried = engine.events("save.retried")

    assert {line["error"] for line in retried} == {"parley.db: disk I/O error"}
    assert all(line["level"] == "error" and line["saves"] >= 1 for line in retried)
    assert transcript(tmp_path / "parley.db") == transcript(whole / "parley.db")
    assert faults(tmp_path / "parley.db") == []


def test_a_real_disk_that_is_full_says_so_to_everybody_and_takes_all_when_there_is_room(
    tmp_path: Path,
) -> None:
    with (
        small_disk(tmp_path / "disk", "2m") as disk,
        serving(tmp_path, "--pace", "0.1", "--database", str(disk / "parley.db")) as engine,
    ):
        quote_id = new_quote(disk)
        engine.wait_for("message.saved", 3)
        filled(disk)
        told = engine.wait_for("save.retried", 2)
        with pytest.raises(DatabaseUnavailable, match="database or disk is full"):
            new_quote(disk)
        room(disk)
        engine.wait_for("quote.completed", quote_id=quote_id)

        assert {line["error"] for line in told} == {f"{disk}/parley.db: database or disk is full"}
        assert sql(disk, "SELECT id, status FROM quotes") == [(quote_id, "completed")]
        assert faults(disk / "parley.db") == []


def test_a_database_that_vanishes_from_a_full_disk_halts_it(tmp_path: Path) -> None:
    with serving(tmp_path, "--pace", "0.1") as engine:
        new_quote(tmp_path)
        engine.wait_for("message.saved", 3)
        with full(engine.process.pid, tmp_path / "parley.db-wal"):
            engine.wait_for("save.retried")
            (tmp_path / "parley.db").unlink()
            _, errors = engine.process.communicate(timeout=PATIENCE_S)

    assert engine.process.returncode == 1
    assert errors == (
        "parley: nothing can be saved any more: parley.db: is gone while it was in use: "
        "put it back\n"
    )


# A locked one


def test_while_the_database_is_locked_nobody_is_asked_to_answer_what_is_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: Heard
) -> None:
    quick(monkeypatch)
    noting = Noting()
    with start(tmp_path, brand=noting, suppliers=noting) as system:
        system.subscribe(heard.append)
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)
        until(lambda: len(noting.asked) >= 9)
        with locked(tmp_path, "BEGIN IMMEDIATE") as database:
            noting.may_go_on.set()
            until(lambda: len(heard.of("save.retried")) >= 2)
            saved = dict(database.execute("SELECT supplier_id, message_count FROM negotiations"))
            until(lambda: len(heard.of("save.retried")) >= 6)
            with pytest.raises(DatabaseUnavailable, match="database is locked"):
                system.create_quote(quote_fields())
            with pytest.raises(TimeoutError):
                system.wait(quote.id, timeout_s=0.05)
            assert all(said <= saved[supplier_id] for supplier_id, said in noting.asked)
        ended = system.wait(quote.id, PATIENCE_S)

    assert {one.status for one in ended} == {NegotiationStatus.COMPLETED}
    assert sql(tmp_path, "SELECT count(*) FROM quotes") == [(1,)]
    assert faults(tmp_path / "parley.db") == []


class Noting(Tactics):
    """Tactics that note with whom they were asked, and after how many messages; two, at first."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, int]] = []
        self.may_go_on = threading.Event()

    async def next_move(self, view: Any) -> Any:
        self.asked.append((view.supplier.id, len(view.messages)))
        while len(view.messages) >= 2 and not self.may_go_on.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        return await super().next_move(view)


def test_a_start_on_a_locked_database_goes_on_when_it_is_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: Heard
) -> None:
    quick(monkeypatch)
    with start(tmp_path, pace_s=30) as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)

    with locked(tmp_path, "BEGIN IMMEDIATE"):
        again = start(tmp_path, recover=True)
        again.subscribe(heard.append)
        until(lambda: heard.of("save.retried"))
    ended = again.wait(quote.id, PATIENCE_S)
    again.stop()

    assert {one.status for one in ended} == {NegotiationStatus.COMPLETED}
    assert faults(tmp_path / "parley.db") == []


def test_a_stop_gives_up_on_a_database_that_stays_locked_and_the_next_engine_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: Heard
) -> None:
    quick(monkeypatch)
    monkeypatch.setattr("actors.system.GRACE_S", 0.05)
    system = start(tmp_path, pace_s=0.1)
    system.subscribe(heard.append)
    quote = system.create_quote(quote_fields())
    system.start_negotiations(quote.id)
    until(lambda: len(heard.of("message.saved")) >= 3)
    with locked(tmp_path, "BEGIN IMMEDIATE"):
        until(lambda: heard.of("save.retried"))
        system.stop()
    before = transcript(tmp_path / "parley.db")

    with start(tmp_path, recover=True) as again:
        again.wait(quote.id, PATIENCE_S)

    after = transcript(tmp_path / "parley.db")
    assert [row for row in after if row in before] == before
    assert sql(tmp_path, "SELECT status FROM quotes") == [("completed",)]
    assert faults(tmp_path / "parley.db") == []


# A read-only one


@pytest.mark.parametrize(
    ("database", "folder", "words"),
    [
        (0o444, 0o777, "parley.db: may not be read and written: name another file"),
        (0o666, 0o555, "may not be written: name a file in another one"),
    ],
)
def test_a_read_only_database_is_refused_at_start_and_left_as_it_is(
    open_folder: Path, database: int, folder: int, words: str
) -> None:
    Store(open_folder / "parley.db")
    (open_folder / "parley.db").chmod(database)
    open_folder.chmod(folder)
    before = content(open_folder)

    ran = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, "run", "serve", "add"],
        cwd=open_folder,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert (ran.returncode, ran.stdout) == (2, "")
    (line,) = set(ran.stderr.splitlines())
    assert words in line
    assert ran.stderr.count("\n") == 3
    assert content(open_folder) == before


def test_a_database_that_becomes_read_only_stays_open_to_who_has_it_open(
    open_folder: Path,
) -> None:
    engine = subprocess.Popen(
        [sys.executable, "-c", AS_NOBODY, "serve --pace 0.05 --log-file log.jsonl"],
        cwd=open_folder,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert engine.stdout is not None
        engine.stdout.readline()
        for path in open_folder.glob("parley.db*"):
            path.chmod(0o666)
        new_quote(open_folder)
        until(lambda: '"message.saved"' in (open_folder / "log.jsonl").read_text())
        for path in open_folder.glob("parley.db*"):
            path.chmod(0o444)
        open_folder.chmod(0o555)
        until(lambda: '"quote.completed"' in (open_folder / "log.jsonl").read_text())
        engine.terminate()
        _, errors = engine.communicate(timeout=PATIENCE_S)
    finally:
        engine.kill()
        engine.communicate()

    assert (engine.returncode, errors) == (0, "")
    open_folder.chmod(0o777)
    for path in open_folder.glob("parley.db*"):
        path.chmod(0o666)
    assert faults(open_folder / "parley.db") == []


# A folder that vanishes


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
def test_a_folder_that_vanishes_halts_all_speaking_with_one_line_and_exit_1(
    tmp_path: Path, how: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    database = folder / "parley.db"
    with serving(tmp_path, "--pace", "0.02", "--database", str(database)) as engine:
        new_quote(folder)
        engine.wait_for("message.saved", 4)
        if how == "deleted":
            shutil.rmtree(folder)
        else:
            folder.rename(tmp_path / "elsewhere")
        if how == "replaced":
            folder.mkdir()
            Store(database)
        _, errors = engine.process.communicate(timeout=PATIENCE_S)
        (halted,) = engine.events("system.halted")

    assert engine.process.returncode == 1
    what = "was replaced by another file" if how == "replaced" else "is gone"
    assert errors == (
        f"parley: nothing can be saved any more: {database}: {what} while it was in use: "
        "put it back\n"
    )
    assert [line for line in engine.events("message.saved") if line["ts"] > halted["ts"]] == []
    if how == "moved":
        assert faults(tmp_path / "elsewhere" / "parley.db") == []


# A damaged one


@pytest.fixture
def left_over(tmp_path: Path) -> Path:
    interrupted(tmp_path / "parley.db")
    return tmp_path / "parley.db"


def test_a_damaged_page_anywhere_is_refused_at_start_and_the_file_left_as_it_is(
    left_over: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size, count = pages(left_over)
    sound = left_over.read_bytes()

    for page in range(count):
        damaged = bytearray(sound)
        damaged[page * size : (page + 1) * size] = b"\xaa" * size
        left_over.write_bytes(damaged)
        code = main.main(["recover", "--database", str(left_over)])
        errors = capsys.readouterr().err

        assert code == 2, page
        assert errors.startswith(f"parley: {left_over}: is "), page
        assert ": restore it from a backup" in errors or page == 0
        assert errors.count("\n") == 1
        assert content(left_over.parent) == {"parley.db": damaged}


def test_a_damaged_page_anywhere_in_a_large_database_is_refused_or_halts_the_engine(
    left_over: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.ledger.CHECKED_FIRST", 0)
    size, count = pages(left_over)
    sound = left_over.read_bytes()
    with start(left_over.parent) as system:
        assert system.halted is None

    ends = []
    for page in range(count):
        content = bytearray(sound)
        destroy(content, page * size, size)
        left_over.write_bytes(content)
        ends.append(noticed(left_over))

    assert {"refused", "halted"} == set(ends)
    assert ends[0] == "refused"  # nothing of it can be read


@pytest.fixture
def large_and_damaged(left_over: Path) -> Path:
    """A database that is looked at only while the engine works, with damage that nobody reads."""
    with closing(sqlite3.connect(left_over)) as connection, connection:
        other = {"id": "'q-other'", "status": "'pending'", "notes": "hex(zeroblob(2000000))"}
        names = [row[1] for row in connection.execute("PRAGMA table_info(quotes)")]
        values = ", ".join(other.get(name, name) for name in names)
        connection.execute(f"INSERT INTO quotes SELECT {values} FROM quotes LIMIT 1")  # noqa: S608
    size, count = pages(left_over)
    content = bytearray(left_over.read_bytes())
    # what the other quote's notes end in
    destroy(content, (count - 1) * size, size)
    left_over.write_bytes(content)
    return left_over


def test_an_engine_that_finds_damage_in_a_large_database_ends_with_one_line_and_exit_1(
    large_and_damaged: Path,
) -> None:
    engine = Engine(large_and_damaged.parent)
    _, errors = engine.process.communicate(timeout=PATIENCE_S)
    (halted,) = engine.events("system.halted")

    assert engine.process.returncode == 1
    (line,) = errors.splitlines()
    assert line == f"parley: nothing can be saved any more: {halted['error']}"
    assert halted["error"].startswith("parley.db: is a damaged database (")
    assert [line for line in engine.events("message.saved") if line["ts"] > halted["ts"]] == []


def test_an_engine_that_is_halted_before_anybody_listens_ends_all_the_same(
    large_and_damaged: Path,
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", HALTED_AT_ONCE],
        cwd=large_and_damaged.parent,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert ran.returncode == 1
    assert ran.stderr.startswith("parley: nothing can be saved any more: parley.db: is a damaged")


def test_tables_that_are_not_ours_any_more_halt_it_instead_of_being_tried_for_ever(
    left_over: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sql(left_over.parent, "ALTER TABLE interventions RENAME COLUMN applied_seq TO applied")

    code = main.main(["recover", "--database", str(left_over)])

    assert code == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"parley: nothing can be saved any more: {left_over}: "
        "can't be used as the database: no such column: applied_seq"
    )


@pytest.mark.parametrize(
    ("table", "column"), [("messages", "content"), ("negotiations", "last_hash")]
)
def test_a_damaged_text_is_told_of_its_own_negotiation_and_the_others_go_on(
    left_over: Path, table: str, column: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(left_over)) as connection, connection:
        ids = [
            own_id
            for (own_id,) in connection.execute(
                "SELECT id FROM negotiations WHERE status = 'active' ORDER BY supplier_id"
            )
        ]
        owner = "id" if table == "negotiations" else "negotiation_id"
        damage = f"UPDATE {table} SET {column} = CAST(x'ff80' AS TEXT) WHERE {owner} = ?"  # noqa: S608
        connection.execute(damage, ids[:1])

    code = main.main(["recover", "--database", str(left_over)])

    errors = [line for line in capsys.readouterr().err.splitlines() if "parley:" in line]
    (log,) = left_over.parent.glob("*.jsonl")
    lines = map(json.loads, log.read_text().splitlines())
    told = [line for line in lines if line["event"] == EVENT]
    status = "SELECT status FROM negotiations WHERE id = ?"
    folder = left_over.parent
    assert sql(folder, status, ids[0]) == [("active",)]
    assert [sql(folder, status, one) for one in ids[1:]] == [[("completed",)]] * 2
    assert [line["negotiation_id"] for line in told] == ids[:1]
    assert f" can't be read: {column}; restore it from a backup" in told[0]["error"]
    assert (code, errors) == (1, [UNREADABLE]) or (code == 2 and "can't be read" in errors[0])


def test_a_page_that_is_damaged_under_a_running_engine_halts_it(tmp_path: Path) -> None:
    with start(tmp_path) as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)
        system.wait(quote.id, PATIENCE_S)
    size, _ = pages(tmp_path / "parley.db")
    (root,) = sql(tmp_path, "SELECT rootpage FROM sqlite_master WHERE name = 'messages'")[0]

    with start(tmp_path) as system:
        with (tmp_path / "parley.db").open("r+b") as file:
            file.seek((root - 1) * size)
            file.write(b"\xaa" * size)
        other = system.create_quote(quote_fields())
        system.start_negotiations(other.id)

        for _ in range(2):
            with pytest.raises(SystemHalted, match=r"is a damaged database .*: restore it from a"):
                system.wait(other.id, PATIENCE_S)
        with pytest.raises(SystemHalted):
            system.start_negotiations(system.create_quote(quote_fields()).id)


# A newer one


@pytest.mark.parametrize(
    "asked", [["run"], ["serve"], ["recover"], ["add"], ["list"], ["cancel", "q-1"]]
)
def test_a_newer_version_s_database_is_exit_2_for_every_command_and_left_as_it_is(
    tmp_path: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "parley.db"
    Store(database)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    before = content(tmp_path)

    code = main.main([*asked, "--database", str(database)])

    assert code == 2
    assert capsys.readouterr().err == (
        f"parley: {database}: was written by a newer version "
        f"(schema {len(STEPS) + 1}, this one knows {len(STEPS)}): update this program\n"
    )
    assert content(tmp_path) == before


def test_a_newer_version_s_database_is_an_error_of_the_face(tmp_path: Path) -> None:
    Store(tmp_path / "parley.db")
    sql(tmp_path, f"PRAGMA user_version = {len(STEPS) + 1}")

    with pytest.raises(DatabaseUnusable, match="newer version"):
        start(tmp_path)
