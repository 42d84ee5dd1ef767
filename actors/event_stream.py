"""Where all events of one system go: a file of JSON lines, and whoever subscribes.

Each line has `ts`, `level` and `event`, then ids, then facts.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import structlog

from actors.events import Event, SubscriberFailed

Subscriber = Callable[[Event], None]


class EventStream:
    """Where all events of one system go, from any thread."""

    def __init__(self, log_file: Path | None = None) -> None:
        """Open the log, if one is named: appended to, and readable by its owner only.

        Raises:
            OSError: It can't be opened.
        """
        self._subscribers: tuple[Subscriber, ...] = ()
        self._lock = threading.Lock()
        self._file = None if log_file is None else _LogFile(log_file)
        self._logger = None if self._file is None else _json_lines(self._file)

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
        if self._logger is not None:
            self._logger.log(event.level, event.name, event.facts())
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception as error:  # noqa: BLE001 - a watcher's bug is not ours
                self._unsubscribe(subscriber)
                self.emit(SubscriberFailed(error=repr(error)))

    @contextmanager
    def burst(self) -> Iterator[None]:
        """Write the lines of what happens in this thread meanwhile in one piece, at its end."""
        if self._file is None:
            yield
            return
        self._file.gather()
        try:
            yield
        finally:
            self._file.write_gathered()

    def close(self) -> None:
        """Close the log; later events reach subscribers only."""
        self._logger = None
        if self._file is not None:
            self._file.close()

    def _unsubscribe(self, subscriber: Subscriber) -> None:
        with self._lock:
            self._subscribers = tuple(s for s in self._subscribers if s is not subscriber)


class _LogFile:
    """An append-only file of lines, each piece one write; it never raises."""

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._thread: int | None = None
        self._gathered: list[bytes] = []
        self._rest = b""
        """Of a line that a full disk took a part of."""

    def msg(self, line: bytes) -> None:
        """Write a line, or keep it for the end of this thread's burst."""
        if self._thread == threading.get_ident():
            self._gathered.append(line)
        else:
            self._write(line)

    def gather(self) -> None:
        self._thread = threading.get_ident()

    def write_gathered(self) -> None:
        self._thread = None
        if self._gathered:
            lines, self._gathered = self._gathered, []
            self._write(b"".join(lines))

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _write(self, lines: bytes) -> None:
        if self._descriptor is None:
            return
        lines = self._rest + lines
        with suppress(OSError):  # a full disk under the log must not stop a negotiation
            written = os.write(self._descriptor, lines)
            # whole lines may be lost, but what has begun is ended when there is room again
            begun = written < len(lines) and lines[written - 1 : written] != b"\n"
            self._rest = lines[written : lines.index(b"\n", written) + 1] if begun else b""


class _Lines(structlog.BoundLoggerBase):
    """A structlog logger of our own, so that the host program's configuration stays untouched."""

    def log(self, level: str, name: str, facts: dict[str, Any]) -> None:
        """Write one line."""
        self._proxy_to_logger("msg", event=name, level=level, facts=facts)


def _json_lines(file: _LogFile) -> _Lines:
    lines: _Lines = structlog.wrap_logger(
        file,
        wrapper_class=_Lines,
        processors=[structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"), _rendered],
    ).bind()
    return lines


def _rendered(_logger: Any, _method: str, line: Any) -> Any:
    head = {"ts": line["ts"], "level": line["level"], "event": line["event"]}
    return (_ascii_json(head | line["facts"]) + b"\n",), {}


def _ascii_json(line: dict[str, Any]) -> bytes:
    """In ASCII, so that no text holds a control code or turns a reader's line around."""
    try:
        quick = orjson.dumps(line)
    except TypeError:  # it refuses lone surrogates
        quick = None
    if quick is not None and quick.isascii():
        return quick
    return json.dumps(line, separators=(",", ":")).encode("ascii")
