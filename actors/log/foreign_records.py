"""ForeignRecords: has what pykka and peewee log stand in our log too.

Nothing of the host program's logging is changed: no level, no other handler, no propagation. What
the libraries log may hold values of SQL statements, mail or exceptions; none of these is told.
"""

from __future__ import annotations

import logging
import re
import threading

from actors.event_stream import EventStream
from actors.log.log_events import LibraryLogged

LIBRARIES = ("pykka", "peewee")
LEVELS = {
    logging.CRITICAL: "critical",
    logging.ERROR: "error",
    logging.WARNING: "warning",
    logging.INFO: "info",
}
"""Ours by Python's; all others are `debug`."""
PLAIN = re.compile(r"[A-Za-z ,.]{0,100}")
"""What is no name of something, no figure and no quotation."""


class ForeignRecords(logging.Handler):
    """Emits an event for each of their records, from when it is made until it is closed."""

    def __init__(self, events: EventStream) -> None:
        super().__init__()
        self._events = events
        self._telling = threading.local()
        for library in LIBRARIES:
            logging.getLogger(library).addHandler(self)

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """Have none: the event stream needs none, and a subscriber may log itself."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Tell what the library says, but for what it says it about."""
        if getattr(self._telling, "now", False):
            return  # a subscriber that reads the database would have itself told of it for ever
        self._telling.now = True
        try:
            self._events.emit(
                LibraryLogged(
                    level=LEVELS.get(record.levelno, "debug"),
                    logger=record.name,
                    words=_plain_words(record),
                    source=f"{record.filename}:{record.lineno}",
                    exception=_type_of_exception(record),
                )
            )
        finally:
            self._telling.now = False

    def close(self) -> None:
        """Leave the libraries' loggers as they were."""
        for library in LIBRARIES:
            logging.getLogger(library).removeHandler(self)
        super().close()


def _plain_words(record: logging.LogRecord) -> str:
    # peewee logs a pair: the statement, with a question mark for each value, and the values
    said = record.msg[0] if isinstance(record.msg, tuple) and record.msg else record.msg
    # the arguments are what it is about
    found = PLAIN.match(said) if isinstance(said, str) else None
    return found[0].strip() if found else ""


def _type_of_exception(record: logging.LogRecord) -> str | None:
    kind = record.exc_info[0] if record.exc_info else None
    return None if kind is None else kind.__name__
