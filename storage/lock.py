"""One engine per database, by a lock that the operating system takes back from the dead.

The lock is on a file beside the database, never on the database itself: closing a descriptor of
that would drop SQLite's own locks. The file holds the pid of whoever has the lock. It is emptied
while nobody can have the lock, and filled only by who has it, so that no pid in a locked file is
that of a dead one.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import portalocker
from portalocker import LockFlags

from storage.database import why_not_writable
from storage.errors import DatabaseUnusable, EngineRunning

PATIENCE_S = 0.5
"""How long an engine tries: whoever looks whether one runs holds it up for an instant."""
PAUSE_S = 0.005
NO_FOLLOWING = getattr(os, "O_NOFOLLOW", 0)
"""What stands beside a database may be a link that somebody else has put there."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Something that runs on a database and that no second one may join."""

    pid: int | None
    """Its process; None at the instant in which it starts or ends."""


class EngineLock:
    """The right to run the engine on a database, from when it is made until it is closed.

    It ends with the process, however that ends. Child processes don't have it.
    """

    def __init__(self, database: Path) -> None:
        """Take it.

        Args:
            database: The SQLite file, which need not exist; a link to it means the same.

        Raises:
            EngineRunning: Another engine has it, in this process or in another.
            DatabaseUnusable: There can be no database there, or no lock file beside it.
        """
        self._descriptor: int | None = None
        if reason := why_not_writable(database):
            raise DatabaseUnusable(f"{database}: {reason}")
        try:
            with _translated(database):
                self._path = lock_file(database)
                self._take(database)
        except BaseException:
            self._drop()
            raise

    def close(self) -> None:
        """Give it back, and leave no file behind. Twice is harmless."""
        descriptor = self._descriptor
        if descriptor is None:
            return
        with suppress(OSError):  # a file that stays is in nobody's way
            if _is_at(self._path, descriptor):
                self._path.unlink()
        self._drop()

    def _take(self, database: Path) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not self._taken():
            self._drop()
            engine = runs_on(database)
            pid = engine.pid if engine else None
            if pid is not None or time.monotonic() >= deadline:
                raise EngineRunning(str(database), pid)
            time.sleep(PAUSE_S)

    def _taken(self) -> bool:
        flags = os.O_RDWR | os.O_CREAT | NO_FOLLOWING
        self._descriptor = descriptor = os.open(self._path, flags, 0o600)
        _held.add(self)
        if not _locked(descriptor, LockFlags.SHARED):
            return False
        os.ftruncate(descriptor, 0)  # what a dead one left; nobody has the lock while we share it
        portalocker.unlock(descriptor)
        if not _locked(descriptor, LockFlags.EXCLUSIVE):
            return False
        if os.fstat(descriptor).st_size or not _is_at(self._path, descriptor):
            return False  # another one came and went in between
        os.write(descriptor, b"%d\n" % os.getpid())
        return True

    def _drop(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        _held.discard(self)
        if descriptor is not None:
            os.close(descriptor)


def runs_on(database: Path) -> Engine | None:
    """The engine that runs on a database, if one does; nothing is made or held up by asking.

    Raises:
        DatabaseUnusable: The lock file can't be read.
    """
    with _translated(database):
        try:
            descriptor = os.open(lock_file(database), os.O_RDONLY | NO_FOLLOWING)
        except FileNotFoundError:
            return None
        try:
            if _locked(descriptor, LockFlags.SHARED):
                return None
            return Engine(_pid(descriptor))
        finally:
            os.close(descriptor)


def lock_file(database: Path) -> Path:
    """The file that stands beside a database for its lock."""
    real = database.resolve()
    return real.with_name(f"{real.name}.lock")


def _locked(descriptor: int, kind: LockFlags) -> bool:
    try:
        portalocker.lock(descriptor, kind | LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        return False
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file is still the one there; a closing engine takes it away."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _pid(descriptor: int) -> int | None:
    with suppress(PermissionError):  # on Windows a lock keeps readers out too
        whole = re.fullmatch(rb"([1-9]\d{0,9})\n", os.read(descriptor, 32))
        return int(whole[1]) if whole else None
    return None


@contextmanager
def _translated(database: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, portalocker.LockException) as error:
        raise DatabaseUnusable(f"can't use {database} as the database: {error}") from error


_held: set[EngineLock] = set()


def _drop_in_child() -> None:
    # a child that lives longer than us must not keep the lock; closing leaves it with the parent
    for lock in tuple(_held):
        lock._drop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_in_child)
