"""Live progress of one quote: a table on a terminal, one calm line per event elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from actors.events import Event, NegotiationEvent
from actors.log.log_events import LogFailed, RunFinished
from actors.negotiation_events import (
    MessageSavedEvent,
    NegotiationEndedEvent,
    NegotiationParkedEvent,
)
from actors.system import NegotiationSystem

SHOWN = ("info", "warning", "error", "critical")
SAID_ELSEWHERE = (LogFailed, RunFinished)
"""The one on standard error, the other by the outcomes."""


class Progress:
    """What is known of each negotiation, from events alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, dict[str, str]] = {}

    def hear(self, event: Event) -> None:
        """Take note of an event."""
        if not isinstance(event, NegotiationEvent):
            return
        with self._lock:
            row = self._rows.setdefault(event.supplier_id, {})
            match event:
                case MessageSavedEvent():
                    row["rounds"] = str(event.rounds)
                    row["state"] = f"{event.sender}: {event.move}"
                    if event.total is not None:
                        row[event.sender] = f"{event.currency} {event.total}"
                case NegotiationEndedEvent():
                    row["state"] = event.reason or "agreed"
                case NegotiationParkedEvent():
                    row["state"] = "parked"

    def __rich__(self) -> Table:
        table = Table("supplier", "rounds", "brand's offer", "supplier's offer", "state")
        with self._lock:
            for supplier, row in sorted(self._rows.items()):
                cells = (row.get(key, "") for key in ("rounds", "brand", "supplier", "state"))
                table.add_row(supplier, *map(Text, cells))
        return table


@contextmanager
def shown(system: NegotiationSystem, console: Console) -> Iterator[None]:
    """Show what happens in the system while the block runs."""
    if not console.is_terminal:
        end = system.subscribe(lambda event: print_line(event, console))
        try:
            yield
        finally:
            end()
        return
    progress = Progress()
    end = system.subscribe(progress.hear)
    with Live(progress, console=console, refresh_per_second=8, transient=True):
        try:
            yield
        finally:
            end()


def print_line(event: Event, console: Console) -> None:
    """Print what a person wants to know of an event."""
    if event.level in SHOWN and not isinstance(event, SAID_ELSEWHERE):
        console.print(Text(event.line()), soft_wrap=True)
