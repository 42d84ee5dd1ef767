"""Opening a database: what is wrong with its file shows before anything is written to it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peewee
from peewee import SqliteDatabase

from storage import migrations
from storage.errors import DatabaseUnavailable, DatabaseUnusable

# temp_store: what undoes a savepoint needs no file
PRAGMAS = {"journal_mode": "wal", "synchronous": "full", "foreign_keys": 1, "temp_store": "memory"}
BUSY_TIMEOUT_S = 5.0
"""How long a statement waits for another process's transaction."""
NEVER_PASSES = ("no such ", "Could not decode")
"""What tells, among all that may pass, of tables or texts that aren't as we wrote them."""
NOT_UNDONE_ALONE = (
    sqlite3.DatabaseError,
    peewee.DatabaseError,
    DatabaseUnavailable,
    DatabaseUnusable,
)
"""What may have undone the whole transaction, so that no savepoint of it is left."""


class Database(SqliteDatabase):
    """Undoes what there is to undo: of a full or damaged disk SQLite itself undoes everything."""

    def rollback(self) -> None:
        """Undo the transaction, if there still is one; what has ended it is what must be told."""
        connection: Any = self.connection()  # type: ignore[no-untyped-call]
        if connection.in_transaction:
            super().rollback()


def open_to_write(path: Path, *, all_pages: bool = False) -> SqliteDatabase:
    """Open a database at the newest version, and make it if there is none.

    Args:
        all_pages: Whether to look at every page first: a second for some 600 MB.

    Raises:
        DatabaseUnusable: It can't be written, is not ours, is newer than us, or is damaged.
    """
    if reason := why_not_writable(path):
        raise DatabaseUnusable(f"{path}: {reason}")
    # absolute, because the host program may change its working folder; and a file that was deleted
    # must not be made anew, empty, by whoever reads next
    uri = f"{path.absolute().as_uri()}?mode=rw"
    database = Database(uri, uri=True, pragmas=PRAGMAS, timeout=BUSY_TIMEOUT_S)
    with _explained(path):
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        # WAL is a change of the file, so a file that is not ours must be found out before
        with SqliteDatabase(str(path), timeout=BUSY_TIMEOUT_S) as plain:
            migrations.check(plain, path)
            if all_pages:
                check_pages(plain.connection())  # type: ignore[no-untyped-call]
        with database.connection_context():
            migrations.migrate(database)
    return database


def open_to_read(path: Path) -> SqliteDatabase:
    """Open a database that is there; nothing of it is changed.

    Raises:
        DatabaseUnusable: It is missing, can't be read, is not ours, or is of another version.
    """
    if not path.exists():
        raise DatabaseUnusable(f"{path}: there is no such database: `run` makes one")
    if reason := _why_no_file(path):
        raise DatabaseUnusable(f"{path}: {reason}: name another file")
    if not os.access(path, os.R_OK):
        raise DatabaseUnusable(f"{path}: may not be read: name another file, or ask its owner")
    uri = f"{path.absolute().as_uri()}?{_reading_mode(path)}"
    database = Database(uri, uri=True, timeout=BUSY_TIMEOUT_S)
    with _explained(path), database.connection_context():
        migrations.check(database, path)
        migrations.check_is_newest(database, path)
    return database


def why_not_writable(path: Path) -> str | None:
    """Why a file can't be written or made there, and what to do; None when it can."""
    folder = path.parent
    if reason := _why_no_file(path):
        return f"{reason}: name another file"
    if not folder.is_dir():
        return f"there is no folder {folder}: make it, or name another file"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"the folder {folder} may not be written: name a file in another one"
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        return "may not be read and written: name another file, or ask its owner"
    return None


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Translate what SQLite raises while a database is read.

    Raises:
        DatabaseUnavailable: It can't be read now, and trying again may help.
        DatabaseUnusable: It is damaged.
    """
    try:
        yield
    # peewee translates what a statement raises at once, not what SQLite finds out row by row
    except (sqlite3.OperationalError, peewee.OperationalError) as error:
        if any(words in str(error) for words in NEVER_PASSES):
            raise DatabaseUnusable(_words(path, error)) from error
        raise DatabaseUnavailable(f"{path}: {error}") from error
    except (sqlite3.DatabaseError, peewee.DatabaseError) as error:
        raise DatabaseUnusable(_words(path, error)) from error


@contextmanager
def atomic(database: SqliteDatabase, *kind: str) -> Iterator[None]:
    """A transaction, or a savepoint inside one, that raises what went wrong first.

    When a disk is full or damaged SQLite may undo the whole transaction by itself; then undoing a
    savepoint fails too, and that says nothing.
    """
    first: BaseException | None = None
    try:
        with database.atomic(*kind):
            try:
                yield
            except BaseException as error:
                first = error
                raise
    except peewee.OperationalError:
        if isinstance(first, NOT_UNDONE_ALONE):
            raise first from None
        raise


def run(database: SqliteDatabase, sql: str, *values: Any) -> sqlite3.Cursor:
    """Run a statement on this thread's connection.

    Past peewee, which takes as long to hand a statement over as SQLite to run it.
    """
    connection: sqlite3.Connection = database.connection()  # type: ignore[no-untyped-call]
    return connection.execute(sql, values)


def read_rows(database: SqliteDatabase, sql: str, *values: Any) -> list[dict[str, Any]]:
    """What a statement selects, with what is no text as bytes: one such row must not hide others.

    Another program may have written it, or the disk has damaged it; SQLite would raise.
    """
    connection: Any = database.connection()  # type: ignore[no-untyped-call]
    connection.text_factory = text_or_bytes
    try:
        cursor = connection.execute(sql, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    finally:
        connection.text_factory = str


def text_or_bytes(raw: bytes) -> str | bytes:
    """What SQLite holds as text, decoded where it is text."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def check_pages(connection: sqlite3.Connection) -> None:
    """Look at every page; a damaged one is an error as SQLite would raise it of a row there."""
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(f"malformed: {' '.join(found.split())}")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.DatabaseError, peewee.DatabaseError) as error:
        raise DatabaseUnusable(_words(path, error)) from error


def _words(path: Path, error: Exception) -> str:
    told = str(error)
    if "not a database" in told:
        return f"{path}: is no database: name another file"
    if "malformed" in told:
        return f"{path}: is a damaged database ({told}): restore it from a backup"
    if "locked" in told:
        return f"{path}: is locked by another program: try again when that is done"
    return f"{path}: can't be used as the database: {told}"


def _why_no_file(path: Path) -> str | None:
    if path.is_dir():
        return "is a folder"
    return "is no plain file" if path.exists() and not path.is_file() else None


def _reading_mode(path: Path) -> str:
    """How SQLite reads the database without changing it, and without leaving files beside it."""
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        # it needs two files beside a database in WAL mode, and takes away what it made
        return "mode=rw"
    if path.with_name(f"{path.name}-wal").exists():
        return "mode=ro"  # somebody writes to it, so those files are there
    # nobody writes to it, and the two files can't be made; SQLite must be told that it may do
    # without
    return "immutable=1"
