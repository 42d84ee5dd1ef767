"""Rotation: a log file that has grown is renamed, and a new one begins where it was.

Several processes may append to one file: whoever writes or renames has the lock on the file, and
looks whether it still is the one at the path. So no line goes to a file that was put aside, and who
follows the path misses none, as long as a file lasts longer than it takes them to look.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import portalocker
from portalocker import LockFlags

from actors.log.descriptor import is_at, is_torn, reopen

MEGABYTE = 1_000_000
TRIES = 10
"""How often a file that another one writes to is tried; that takes it an instant."""
PAUSE_S = 0.0005


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

    def claim(self, descriptor: int, size: int) -> bool:
        """Lock the file that is at the path and has room for so many bytes.

        Args:
            descriptor: Of what was written to last; it is made that of this file.

        Returns:
            Whether the lock is ours; else it is for later.

        Raises:
            OSError: The file can't be renamed, or a new one can't be opened.
        """
        while self._locked(descriptor):
            if is_at(self._path, descriptor):
                if self._has_room(descriptor, size):
                    return True
                self._put_aside()
            reopen(descriptor, self._path)
        return False

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

    def _has_room(self, descriptor: int, size: int) -> bool:
        has = os.fstat(descriptor).st_size
        # half a line is not put aside: its end must come first
        return has == 0 or has + size <= self._max_bytes or is_torn(descriptor)

    def _put_aside(self) -> None:
        beyond = self._keep + 1
        while self._aside(beyond).exists():  # more were kept once
            self._aside(beyond).unlink()
            beyond += 1
        for number in range(self._keep - 1, 0, -1):
            older = self._aside(number)
            if older.exists():
                older.replace(self._aside(number + 1))
        self._path.replace(self._aside(1))

    def _aside(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
