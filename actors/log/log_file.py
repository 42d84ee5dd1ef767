"""LogFile: where the lines of one run go, whatever becomes of the disk or the pipe under it."""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from actors.events import Event
from actors.log.log_events import LogFailed, LogRestored
from actors.log.rotation import Rotation, opened
from actors.log.settings import LogSettings
from storage.database import why_not_writable

BACKLOG_BYTES = 1_000_000
"""What is kept for a disk that is full, or a pipe whose reader is slow; what is more is lost."""
LAST_WAIT_S = 1.0
"""How long a slow reader of a pipe, or another writer, is waited for at the end."""
PAUSE_S = 0.005
NOT_TAKEN = "nothing is taken any more"


def why_no_log(path: Path) -> str | None:
    """Why lines can't be written there, and what to do; None when they can, as far as is known."""
    return None if _is_stream(path) else why_not_writable(path)


class LogFile:
    """Takes lines from any thread; it never raises, and waits for nobody."""

    def __init__(
        self,
        path: Path,
        settings: LogSettings,
        line: Callable[[Event], bytes],
        tell: Callable[[Event], None],
    ) -> None:
        """Open it, to append.

        Args:
            line: Makes of an event the line that stands where others were lost.
            tell: Told when the log fails, and when it is written again.

        Raises:
            OSError: It can't be opened.
        """
        self.lost = 0
        """How many lines were lost so far."""
        self._path = path.absolute()  # the host program may change its working folder
        self._line = line
        self._tell = tell
        self._lock = threading.Lock()
        self._is_ours = not path.exists()
        self._descriptor: int | None = _opened(path)
        self._rotation: Rotation | None = None
        if settings.max_megabytes is not None and not _is_stream(path):
            self._rotation = Rotation(self._path, settings.max_megabytes, settings.keep)
        self._waiting = bytearray()
        """What is not written yet."""
        self._begun = False
        """Whether that begins within a line."""
        self._error: str | None = None
        """Why what waits is not written."""
        self._said = False
        """Whether it was told that the log fails."""
        self._gap = 0
        """Lines lost since the last one that was written."""
        self._news: list[Event] = []

    def write(self, lines: bytes) -> None:
        """Write whole lines, in one piece."""
        with self._lock:
            self._take(lines)
            news, self._news = self._news, []
        for event in news:
            self._tell(event)

    def close(self, last: bytes = b"") -> None:
        """Write the last lines, and close it; what comes after that is dropped."""
        with self._lock:
            self._take(last)
            until = time.monotonic() + LAST_WAIT_S
            while self._waiting and self._error is None and time.monotonic() < until:
                time.sleep(PAUSE_S)
                self._drain()
            if self._waiting:
                self._rotation = None  # better without the lock than not at all
                self._drain()
            self._leave()
            news, self._news = self._news, []
        for event in news:
            self._tell(event)

    def _take(self, lines: bytes) -> None:
        """Write what waits, and then these."""
        if self._descriptor is None:
            return
        if self._waiting:
            self._drain()
        if self._said and not self._waiting:
            restored = LogRestored(lines_lost=self._gap)
            self._news.append(restored)
            self._waiting += self._line(restored)
            self._said, self._gap = False, 0
        if self._waiting and len(self._waiting) + len(lines) > BACKLOG_BYTES:
            self._lose(lines)
            self._failed(NOT_TAKEN)
        else:
            self._waiting += lines
            self._drain()

    def _drain(self) -> None:
        """Write as much of what waits as there is room for."""
        try:
            written = self._write()
        except BlockingIOError:
            return  # a pipe is full, whose reader may only be slow
        except OSError as error:
            self._failed(error.strerror or str(error))
            return
        if written:
            self._begun = self._waiting[written - 1 : written] != b"\n"
        del self._waiting[:written]
        if not self._waiting:
            self._error = None

    def _write(self) -> int:
        assert self._descriptor is not None  # noqa: S101 - whoever holds the lock has looked
        if self._rotation is None or self._begun:
            return os.write(self._descriptor, self._waiting)
        try:
            size = len(self._waiting)
            self._descriptor, is_ours = self._rotation.claim(self._descriptor, size)
        except OSError as error:
            # the lines matter more than the size of their file
            self._rotation.release(self._descriptor)
            self._rotation = None
            self._news.append(self._failure(f"can't be put aside, so it grows: {error.strerror}"))
            return os.write(self._descriptor, self._waiting)
        if not is_ours:
            return 0
        try:
            return os.write(self._descriptor, self._waiting)
        finally:
            self._rotation.release(self._descriptor)

    def _failed(self, error: str) -> None:
        """Say it once, until it is written again."""
        self._error = self._error or error
        if not self._said:
            self._said = True
            self._news.append(self._failure(f"can't be written: {error}"))

    def _failure(self, error: str) -> LogFailed:
        return LogFailed(log_file=str(self._path), error=error)

    def _lose(self, lines: bytes | bytearray) -> None:
        count = lines.count(b"\n")
        self.lost += count
        self._gap += count

    def _leave(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        self._lose(self._waiting)
        self._waiting.clear()
        is_empty = self._is_ours and os.fstat(descriptor).st_size == 0
        os.close(descriptor)
        if is_empty and not _is_stream(self._path):
            with suppress(OSError):  # a file that stays is in nobody's way
                self._path.unlink()


def _is_stream(path: Path) -> bool:
    """Whether it is a pipe, a terminal or the like."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _opened(path: Path) -> int:
    try:
        return opened(path)
    except OSError as error:
        if error.errno == errno.ENXIO:
            error.strerror = "nobody reads this pipe: start its reader first"
        raise
