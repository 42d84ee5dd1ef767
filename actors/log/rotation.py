"""Rotation: a log file that has grown is renamed, and a new one begins where it was.

Several processes may append to one file: whoever writes or renames has the lock on the file, and
looks whether it still is the one at the path. So no line goes to a file that `tail -F` has left.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import portalocker
from portalocker import LockFlags

MEGABYTE = 1_000_000
TRIES = 10
"""How often a file that another one writes to is tried; that takes it an instant."""
PAUSE_S = 0.0005


def opened(path: Path) -> int:
    """A descriptor that appends; the file is made for its owner only. A pipe is not waited for.

    Raises:
        OSError: It can't be opened; ENXIO: it is a pipe that nobody reads.
    """
    waits_for_nobody = getattr(os, "O_NONBLOCK", 0)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | waits_for_nobody, 0o600)


class Rotation:
    """Puts the file at a path aside as `<name>.1`, that as `<name>.2`, and so on."""

    def __init__(self, path: Path, max_megabytes: float, keep: int) -> None:
        """Nothing is touched yet.

        Args:
            max_megabytes: No file grows beyond it, unless it holds but one piece.
            keep: How many files that were put aside are kept.
        """
        self._path = path.resolve()  # a link stays where it is
        self._max_bytes = int(max_megabytes * MEGABYTE)
        self._keep = keep

    def claim(self, descriptor: int, size: int) -> tuple[int, bool]:
        """Lock the file that is at the path and has room for so many bytes.

        Args:
            descriptor: What was written to last; it is closed if that is the file no more.

        Returns:
            The descriptor to write to, and whether the lock is ours; else it is for later.

        Raises:
            OSError: The file can't be renamed, or a new one can't be opened. The descriptor stays.
        """
        while self._locked(descriptor):
            there = self._there()
            ours = os.fstat(descriptor)
            if there is not None and os.path.samestat(there, ours):
                if ours.st_size == 0 or ours.st_size + size <= self._max_bytes:
                    return descriptor, True
                self._put_aside()
            descriptor = self._replaced(descriptor)
        return descriptor, False

    def release(self, descriptor: int) -> None:
        """Unlock it."""
        portalocker.unlock(descriptor)

    def _locked(self, descriptor: int) -> bool:
        for _ in range(TRIES):
            try:
                portalocker.lock(descriptor, LockFlags.EXCLUSIVE | LockFlags.NON_BLOCKING)
            except portalocker.LockException:
                time.sleep(PAUSE_S)
            else:
                return True
        return False

    def _there(self) -> os.stat_result | None:
        try:
            return self._path.stat()
        except FileNotFoundError:
            return None

    def _put_aside(self) -> None:
        for number in range(self._keep - 1, 0, -1):
            older = self._aside(number)
            if older.exists():
                older.replace(self._aside(number + 1))
        self._path.replace(self._aside(1))

    def _aside(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _replaced(self, descriptor: int) -> int:
        new = opened(self._path)
        os.close(descriptor)
        return new
