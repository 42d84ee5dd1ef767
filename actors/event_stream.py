"""Where all events of one system go: a file of JSON lines, and whoever subscribes.

Each line has `ts`, `level`, `event` and `run_id`, then ids, then facts.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import structlog

from actors.bug import bug
from actors.events import Event, SubscriberFailed
from actors.log.log_events import LogFailed
from actors.log.log_file import LogFile
from actors.log.settings import LogSettings

Subscriber = Callable[[Event], None]
LOGGER = logging.getLogger("parley")
"""Where a log says that it fails, as it can't itself: Python prints that on standard error, unless
the host program has set up its logging otherwise."""


class EventStream:
    """Where all events of one system go, from any thread."""

    def __init__(self, log_file: Path | None = None, settings: LogSettings | None = None) -> None:
        """Open the log, if one is named: appended to, and readable by its owner only.

        Raises:
            OSError: It can't be opened.
        """
        self.run_id = f"r-{secrets.token_hex(4)}"
        """Stands on every line, to tell apart runs that share a file."""
        self._subscribers: tuple[Subscriber, ...] = ()
        self._lock = threading.Lock()
        self._lines = _lines(self.run_id)
        self._file: LogFile | None = None
        if log_file is not None:
            self._file = LogFile(log_file, settings or LogSettings(), self._line, self._tell)
        self._bursting: int | None = None
        """The thread whose lines are gathered."""
        self._gathered: list[bytes] = []

    @property
    def lines_lost(self) -> int:
        """How many lines the log should hold and doesn't."""
        return 0 if self._file is None else self._file.lost

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Have every event from now on told to `subscriber`, in the thread where it happens.

        Returns:
            What ends the subscription.
        """
        with self._lock:
            self._subscribers = (*self._subscribers, subscriber)
        return lambda: self._unsubscribe(subscriber)

    def emit(self, event: Event) -> None:
        """Log an event and tell it to all subscribers; never raises."""
        if self._file is not None:
            line = self._line(event)
            if self._bursting == threading.get_ident():
                self._gathered.append(line)
            else:
                self._file.write(line)
        self._tell(event)

    @contextmanager
    def burst(self) -> Iterator[None]:
        """Write the lines of what happens in this thread meanwhile in one piece, at its end."""
        if self._file is None:
            yield
            return
        self._bursting = threading.get_ident()
        try:
            yield
        finally:
            self._bursting = None
            if self._gathered:
                lines, self._gathered = self._gathered, []
                self._file.write(b"".join(lines))

    def close(self, last: Event | None = None) -> None:
        """Close the log, with `last` as its last line; later events reach subscribers only."""
        if self._file is not None:
            self._file.close(b"" if last is None else self._line(last))
        if last is not None:
            self._tell(last)

    def _line(self, event: Event) -> bytes:
        line: bytes = self._lines.log(event)
        return line

    def _tell(self, event: Event) -> None:
        if isinstance(event, LogFailed):
            LOGGER.error("parley: %s", event.line())
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception as error:  # noqa: BLE001 - a watcher's bug is not ours
                self._unsubscribe(subscriber)
                self.emit(SubscriberFailed(error=bug(error)))

    def _unsubscribe(self, subscriber: Subscriber) -> None:
        with self._lock:
            self._subscribers = tuple(s for s in self._subscribers if s is not subscriber)


def head(event: Event) -> dict[str, Any]:
    """What an event begins with wherever it is told: `ts`, which is now, `level` and `event`."""
    return {"ts": _now(), "level": event.level, "event": event.name}


def _now() -> str:
    """The time as `write_time` writes it, which takes longer than all else of a line."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{_to_the_second(seconds)}.{nanoseconds // 1000:06d}Z"


@lru_cache(maxsize=1)
def _to_the_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class _Lines(structlog.BoundLoggerBase):
    """A structlog logger of our own, so that the host program's configuration stays untouched."""

    def log(self, event: Event) -> Any:
        """Make a line."""
        return self._proxy_to_logger("msg", told=event)


class _Rendered:
    """What structlog takes for a logger: hands the line back to who asked for it."""

    @staticmethod
    def msg(line: bytes) -> bytes:
        return line


def _lines(run_id: str) -> _Lines:
    lines: _Lines = structlog.wrap_logger(
        _Rendered(), wrapper_class=_Lines, processors=[_headed, _rendered]
    ).bind(run_id=run_id)
    return lines


def _headed(_logger: Any, _method: str, bound: Any) -> Any:
    event: Event = bound.pop("told")
    return head(event) | bound | event.facts()


def _rendered(_logger: Any, _method: str, line: Any) -> Any:
    return (_ascii_json(line) + b"\n",), {}


def _ascii_json(line: dict[str, Any]) -> bytes:
    """In ASCII, so that no text holds a control code or turns a reader's line around."""
    try:
        quick = orjson.dumps(line)
    except TypeError:  # it refuses lone surrogates
        quick = None
    if quick is not None and quick.isascii():
        return quick
    return json.dumps(line, separators=(",", ":")).encode("ascii")
