"""Watching: `watch` shows what a log says, while it is written or afterwards."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.live import Live

from actors.command_line import DONE
from actors.commands.answers import print_json
from actors.inert import inert
from actors.monitoring.board import Board
from actors.monitoring.board_record import board_record
from actors.monitoring.board_table import BoardTable
from actors.monitoring.log_source import PIPE, Lines, blocks, newest_log, read_line
from actors.monitoring.tables import console

PAUSE_S = 0.25
"""Seconds between two drawings, at least."""
IDLE_PAUSE_S = 1.0
"""And while nothing happens: ages go on."""


def watch(options: argparse.Namespace) -> int:
    """Show what is known of each negotiation, until the system has stopped."""
    log = _newest_log(options) if options.log is None else options.log
    terminal = console()
    board = Board()
    title = inert("standard input" if log == PIPE else Path(log).name)
    heard = _heard(log, board, follow=not options.once)
    if options.once or options.json or not terminal.is_terminal or terminal.is_dumb_terminal:
        for _ in heard:
            pass
    else:
        _show(heard, board, title, terminal)
    if options.json:
        print_json(board_record(board))
    else:
        terminal.print(BoardTable(board, title))
    return DONE


def _newest_log(options: argparse.Namespace) -> str:
    from actors.commands.chosen import config_of  # a log that is named needs no config

    _, database = config_of(options)
    return str(newest_log(database))


def _heard(log: str, board: Board, *, follow: bool) -> Iterator[bool]:
    """Let the board hear the log; whether it heard something, again and again, to the end."""
    lines = Lines()
    for block in blocks(log, follow=follow):
        for line in lines.of(block):
            board.hear(read_line(line))
        if not block and board.is_over:
            return
        yield bool(block)


def _show(heard: Iterator[bool], board: Board, title: str, terminal: Console) -> None:
    """Draw the board while it hears; at the end the terminal shows again what it did before."""
    drawn_at, news = 0.0, True
    try:
        with Live(console=terminal, screen=True, auto_refresh=False) as live:
            for came in heard:
                news = news or came
                now = time.monotonic()
                if now - drawn_at >= (PAUSE_S if news else IDLE_PAUSE_S):
                    live.update(BoardTable(board, title, fits=True), refresh=True)
                    drawn_at, news = now, False
    except KeyboardInterrupt:
        # who leaves would like to go on seeing what was there
        terminal.print(BoardTable(board, title, fits=True))
        raise
