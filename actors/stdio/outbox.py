"""Outbox: what is to be written, and the thread that writes it: nobody else waits for the peer.

Answers are never dropped: while many are unread, no more is read of what the peer asks. Events for
a peer that does not keep up are dropped beyond a bound, and where they are missing it is told how
many.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from actors.stdio.pipes import write
from actors.stdio.protocol import notification

EVENTS_KEPT = 10_000
"""Events that wait for a peer at most."""
AT_ONCE = 100
"""Lines that are written in one piece at most."""


@dataclass(frozen=True, slots=True)
class _Line:
    text: bytes
    is_event: bool


@dataclass(slots=True, eq=False)
class _Gap:
    """Stands where events were dropped."""

    dropped: int


class Outbox:
    """Lines on their way to the peer, in order."""

    def __init__(
        self, descriptor: int, gone: Callable[[], None], events_kept: int = EVENTS_KEPT
    ) -> None:
        """Start the thread.

        Args:
            gone: Called once when nobody can read any more.
        """
        self._descriptor = descriptor
        self._gone = gone
        self._events_kept = events_kept
        self._waiting: deque[_Line | _Gap] = deque()
        self._changed = threading.Condition()
        self._events = 0
        self._gap: _Gap | None = None
        """The newest one, while nothing was let in after it."""
        self._is_closed = False
        self.unread = 0
        """Bytes of answers that wait; may be looked at from any thread."""
        self._thread = threading.Thread(target=self._run, name="parley-outbox", daemon=True)
        self._thread.start()

    def answer(self, line: bytes) -> None:
        """Write a line as soon as all before it is written."""
        with self._changed:
            if not self._is_closed:
                self.unread += len(line)
                self._put(_Line(line, is_event=False))

    def tell(self, line: bytes) -> None:
        """Write the line of an event, or count it where the peer does not keep up."""
        with self._changed:
            if self._is_closed:
                return
            if self._events < self._events_kept:
                # so is one that is being written: then nothing waits before it, and there is room
                self._gap = None
                self._events += 1
                self._put(_Line(line, is_event=True))
            elif self._gap is None:
                self._gap = _Gap(dropped=1)
                self._put(self._gap)
            else:
                self._gap.dropped += 1

    def close(self, timeout_s: float) -> None:
        """Take no more, and write what waits if the peer reads it within `timeout_s` seconds."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _put(self, waiting: _Line | _Gap) -> None:
        self._waiting.append(waiting)
        self._changed.notify()

    def _run(self) -> None:
        while taken := self._take():
            try:
                write(self._descriptor, b"".join(_text(each) + b"\n" for each in taken))
            except OSError:  # nobody will ever read what waits
                self._drop_all()
                self._gone()
            else:
                answers = sum(_weight(each) for each in taken)
                with self._changed:
                    self.unread -= answers

    def _take(self) -> list[_Line | _Gap]:
        """What is next, once there is something; nothing when it is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            count = min(AT_ONCE, len(self._waiting))
            taken = [self._waiting.popleft() for _ in range(count)]
            self._events -= sum(isinstance(each, _Line) and each.is_event for each in taken)
            return taken

    def _drop_all(self) -> None:
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            self.unread = 0


def _text(waiting: _Line | _Gap) -> bytes:
    if isinstance(waiting, _Gap):
        return notification("events.dropped", {"count": waiting.dropped})
    return waiting.text


def _weight(waiting: _Line | _Gap) -> int:
    return 0 if isinstance(waiting, _Gap) or waiting.is_event else len(waiting.text)
