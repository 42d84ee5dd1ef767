"""Live progress of one quote: a table on a terminal, one calm line per event elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from actors.event_stream import head
from actors.events import Event
from actors.log.log_events import LogFailed, RunFinished
from actors.monitoring.board import Board
from actors.monitoring.board_table import BoardTable
from actors.system import NegotiationSystem

SHOWN = ("info", "warning", "error", "critical")
SAID_ELSEWHERE = (LogFailed, RunFinished)
"""The one on standard error, the other by the outcomes."""


class Progress:
    """What is known of each negotiation, from events alone, told and shown in different threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._board = Board()

    def hear(self, event: Event) -> None:
        """Take note of an event, as it stands in a log."""
        with self._lock:
            self._board.hear(head(event) | event.facts())

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        with self._lock:
            yield from BoardTable(self._board, fits=True).__rich_console__(console, options)


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
    with Live(progress, console=console, refresh_per_second=4, transient=True):
        try:
            yield
        finally:
            end()


def print_line(event: Event, console: Console) -> None:
    """Print what a person wants to know of an event."""
    if event.level in SHOWN and not isinstance(event, SAID_ELSEWHERE):
        console.print(Text(event.line()), soft_wrap=True)
