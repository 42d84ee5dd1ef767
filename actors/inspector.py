"""Inspector: looks at every page of a large database while the engine already works on it.

A small one is looked at before an engine starts, so that nothing is built on damaged ground. A
large one would hold the start up for seconds: the look goes on in a thread of its own, and damage
halts the engine as it does where a save comes upon it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress

from actors.bug import bug
from actors.event_stream import EventStream
from actors.events import ActorFailedEvent
from actors.mailbox import Ref
from actors.runtime import say
from actors.saves import DatabaseDamaged
from storage.errors import DatabaseUnavailable, DatabaseUnusable
from storage.pages import Pages

NICENESS = 10
"""How far the look steps back: it gets about a tenth of a core where others want all of it."""
PAUSE_S = 60.0
"""Seconds until a database that can't be read now is looked at anew."""
INTERRUPT_S = 0.02
"""Seconds between two tries to end a look: one that is only about to begin hears nothing of it."""

STOP_TIMEOUT_S = 5.0
"""Longest wait, in seconds, for a look to end; what hangs in the operating system hears nothing."""


class Inspector:
    """One look from the first page to the last."""

    def __init__(self, pages: Pages, events: EventStream, *, persistence: Ref) -> None:
        """Begin at once."""
        self._pages = pages
        self._events = events
        self._persistence = persistence
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="parley-inspector", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the look, however far it has come; one that hangs is left behind, and unheard."""
        self._stopping.set()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while self._thread.is_alive() and time.monotonic() < deadline:
            self._pages.interrupt()
            self._thread.join(INTERRUPT_S)

    def _run(self) -> None:
        _step_back()
        while not self._stopping.is_set():
            try:
                self._pages.check()
            except DatabaseUnavailable:
                self._stopping.wait(PAUSE_S)  # locked or gone: whoever saves says so
            except DatabaseUnusable as error:
                if not self._stopping.is_set():  # half a look finds pages that nobody seems to use
                    say(self._persistence, DatabaseDamaged(error=error), self._events)
                return
            except Exception as error:  # noqa: BLE001 - nothing may end this thread unheard
                self._failed(error)
                return
            else:
                return

    def _failed(self, error: Exception) -> None:
        self._events.emit(
            ActorFailedEvent(
                actor=type(self).__name__,
                error=bug(error),
                negotiation_id=None,
                restarts=0,
                given_up=True,
            )
        )


def _step_back() -> None:
    """Have others go first; a process that is nicer already stays so, and needn't be allowed to."""
    if sys.platform == "linux":  # elsewhere only whole processes have a niceness
        thread = threading.get_native_id()
        with suppress(OSError):  # then the look goes on as fast as all else
            nice = max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread))
            os.setpriority(os.PRIO_PROCESS, thread, nice)
