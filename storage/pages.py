"""Pages: a look at all of a database, while others read and write it."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from storage.database import BUSY_TIMEOUT_S, check_pages, readable


def size_of(path: Path) -> int:
    """Bytes of a database, with what waits in its write-ahead log; 0 where there is none."""
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.is_file())


class Pages:
    """Every page of a database, read on a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # the host program may change its working folder, and a file that is gone must not be made
        self._uri = f"{path.absolute().as_uri()}?mode=rw"
        self._looking: sqlite3.Connection | None = None

    def check(self) -> None:
        """Look at each, as of one instant: a second for some 600 MB. Nobody waits meanwhile.

        What is committed meanwhile stays in the write-ahead log, which grows until this is over.

        Raises:
            DatabaseUnusable: One is damaged.
            DatabaseUnavailable: It can't be read now, or another thread has interrupted this.
        """
        with readable(self._path):
            opened = sqlite3.connect(
                self._uri, uri=True, timeout=BUSY_TIMEOUT_S, check_same_thread=False
            )
            with closing(opened):
                self._looking = opened
                try:
                    check_pages(opened)
                finally:
                    self._looking = None

    def interrupt(self) -> None:
        """Have another thread's check end, if it has begun."""
        looking = self._looking
        if looking is not None:
            with suppress(sqlite3.ProgrammingError):  # it has just ended by itself
                looking.interrupt()
