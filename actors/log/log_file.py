"""LogFile: where the lines of one run go, whatever becomes of the disk or the pipe under it."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from actors.events import Event
from actors.log.descriptor import end_line, is_at, opened, reopen
from actors.log.log_events import LogFailed, LogRestored
from actors.log.place import is_stream
from actors.log.rotation import Rotation
from actors.log.settings import LogSettings

BACKLOG_BYTES = 1_000_000
"""What is kept for a disk that is full, or a pipe whose reader is slow; what is more is lost."""
LAST_WAIT_S = 1.0
"""How long a slow reader of a pipe, or another writer, is waited for at the end."""
PAUSE_S = 0.005
LOOK_S = 1.0
"""How long a file that was renamed or deleted may go on being written to."""
END = ord("\n")
NOT_TAKEN = "nothing is taken any more"


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
        self._is_stream = is_stream(path)
        self._descriptor: int | None = _opened(path)
        self._looks_at = 0.0
        """When it is to be looked whether it still is the file at the path."""
        self._rotation: Rotation | None = None
        if settings.max_megabytes is not None and not self._is_stream:
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
        if not self._waiting:
            return  # nobody need be put aside for nothing
        try:
            written = self._write()
        except BlockingIOError:
            return  # a pipe is full, whose reader may only be slow
        except OSError as error:
            self._failed(error.strerror or str(error))
            return
        del self._waiting[:written]
        if not self._waiting:
            self._error = None

    def _write(self) -> int:
        """Write once, and on a line of its own what begins one."""
        assert self._descriptor is not None  # noqa: S101 - whoever holds the lock has looked
        if not self._begun and not self._claimed(self._descriptor):
            return 0
        try:
            if self._rotation is not None and not self._begun:
                end_line(self._descriptor)
            written = os.write(self._descriptor, self._waiting)
            if written:
                self._begun = self._waiting[written - 1] != END
            return written
        finally:
            # a line that has begun keeps the lock: nobody writes or renames before its end
            if self._rotation is not None and not self._begun:
                self._rotation.release(self._descriptor)

    def _claimed(self, descriptor: int) -> bool:
        """Whether to write now: to the file at the path, and with the lock on it if it rotates."""
        if self._rotation is None:
            self._look(descriptor)
            return True
        try:
            return self._rotation.claim(descriptor, len(self._waiting))
        except OSError as error:
            # the lines matter more than the size of their file
            self._rotation.release(descriptor)
            self._rotation = None
            self._news.append(self._failure(f"can't be put aside, so it grows: {error.strerror}"))
            return True

    def _look(self, descriptor: int) -> None:
        """Go on with what is at the path, if somebody has renamed or deleted the file there."""
        now = time.monotonic()
        if self._is_stream or now < self._looks_at:
            return
        if not is_at(self._path, descriptor):
            reopen(descriptor, self._path)
        end_line(descriptor)
        self._looks_at = now + LOOK_S

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
        if is_empty and not self._is_stream:
            with suppress(OSError):  # a file that stays is in nobody's way
                self._path.unlink()


def _opened(path: Path) -> int:
    try:
        return opened(path)
    except OSError as error:
        if error.errno == errno.ENXIO:
            error.strerror = "nobody reads this pipe: start its reader first"
        raise
