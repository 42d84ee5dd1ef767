"""Opening a database: what is wrong with its file is said, and nothing is made or changed."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from casebook import Casebook
from factories import make_quote

from storage.database import open_to_read, open_to_write
from storage.errors import DatabaseUnusable
from storage.store import Store

ROOT = Path(__file__).parent.parent
NOBODY = 65534
READ_AS_NOBODY = f"""
import os, sys
from pathlib import Path
from storage.errors import DatabaseUnusable
from storage.store import Store
if os.geteuid() == 0:  # who may write everywhere
    os.setuid({NOBODY})
try:
    print(len(Store(Path(sys.argv[1]), read_only=sys.argv[2] == "read").quotes()))
except DatabaseUnusable as error:
    print(error)
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder with a database that others may read and not write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Store(folder / "parley.db").add_quote(make_quote())
        (folder / "parley.db").chmod(0o444)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def as_nobody(folder: Path, how: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", READ_AS_NOBODY, str(folder / "parley.db"), how],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ran.stdout.strip()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_who_may_only_read_a_database_can_read_it(shared: Path) -> None:
    assert as_nobody(shared, "read") == "1"
    shared.chmod(0o777)
    assert as_nobody(shared, "read") == "1"

    assert names(shared) == ["parley.db"]


def test_who_may_only_read_a_database_can_read_it_while_another_writes(shared: Path) -> None:
    with closing(sqlite3.connect(shared / "parley.db")) as writer:
        if os.geteuid() != 0:
            (shared / "parley.db").chmod(0o644)
            shared.chmod(0o755)
        writer.execute("UPDATE quotes SET notes = 'new'")
        writer.commit()

        assert as_nobody(shared, "read") == "1"


def test_who_may_only_read_a_database_is_told_before_anything_is_written(shared: Path) -> None:
    assert "may not be written: name a file in another one" in as_nobody(shared, "write")
    shared.chmod(0o777)
    assert "may not be read and written: name another file" in as_nobody(shared, "write")

    assert names(shared) == ["parley.db"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no such database: `run` makes one"),
        (b"", "is empty or was written by an older version"),
        (b"Dear diary, " * 100, "is no database: name another file"),
        (b"SQLite format 3\x00" + b"\xaa" * 5000, "is no database|is a damaged database"),
    ],
)
def test_what_can_not_be_read_is_left_as_it_is(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "parley.db"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(DatabaseUnusable, match=words):
        open_to_read(path)

    left = [entry.read_bytes() for entry in tmp_path.iterdir()]
    assert left == ([] if content is None else [content])


def test_a_reader_brings_no_database_to_a_newer_version(tmp_path: Path) -> None:
    path = tmp_path / "parley.db"
    Store(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 0")
        database.commit()

    with pytest.raises(DatabaseUnusable, match="older version: `run` brings it up to date"):
        Store(path, read_only=True)


@pytest.mark.parametrize("opened", [open_to_read, open_to_write])
def test_a_pipe_is_no_database_and_holds_nobody_up(
    tmp_path: Path, opened: Callable[[Path], object]
) -> None:
    os.mkfifo(tmp_path / "parley.db")

    with pytest.raises(DatabaseUnusable, match="is no plain file: name another file"):
        opened(tmp_path / "parley.db")


def test_a_database_whose_pages_are_damaged_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "parley.db"
    Store(path).add_quote(make_quote())
    with closing(sqlite3.connect(path)) as database:
        (size,) = database.execute("PRAGMA page_size").fetchone()
        pages = "SELECT rootpage FROM sqlite_master WHERE tbl_name = 'quotes'"
        damaged = [page for (page,) in database.execute(pages)]
    content = bytearray(path.read_bytes())
    for page in damaged:
        content[(page - 1) * size : page * size] = b"\xaa" * size
    path.write_bytes(content)

    with pytest.raises(DatabaseUnusable, match=r"is a damaged database .*: restore it from a"):
        Store(path, read_only=True).quotes()
    with pytest.raises(DatabaseUnusable, match=r"is a damaged database .*: restore it from a"):
        Store(path).add_quote(make_quote())


def test_damage_that_shows_row_by_row_is_said_too(tmp_path: Path) -> None:
    case = Casebook(tmp_path / "parley.db")
    for _ in range(30):
        case.say("brand", "talk", content="Let us talk. " * 50)
    with closing(sqlite3.connect(case.ledger.path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = database.execute("PRAGMA page_size").fetchone()
    sound, told = case.ledger.path.read_bytes(), 0
    copy = tmp_path / "copy.db"

    for place in range(size, len(sound), size):
        copy.write_bytes(sound[:place] + b"\xaa" * size + sound[place + size :])
        for read in (Store.messages, Store.interventions, Store.calls):
            try:
                read(Store(copy, read_only=True), case.id)
            except DatabaseUnusable:  # and nothing else
                told += 1

    assert told > 9
