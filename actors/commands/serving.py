"""Serving: `serve` is an engine for what other processes ask, by the database or by its pipes."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from actors import signals
from actors.command_line import DONE
from actors.standard_streams import OutputFailed
from actors.stdio.pipes import Pipes

if TYPE_CHECKING:
    from actors.system import NegotiationSystem

# The rest is imported once signals are heard and the parent known: they may come meanwhile.

PARENT_LOOK_S = 0.5
"""Seconds between two looks whether the parent process is still there."""


def serve(options: argparse.Namespace) -> int:
    """Be the engine until a signal asks for its end, the parent does, or the parent is gone.

    Where the line that says that it is ready can't be written, it ends with an error: whoever
    started it waits for that line, or is gone, and then would find the database taken.
    """
    parent = os.getppid()
    # a signal handler may put into a SimpleQueue at any instant; None is a signal, which is how an
    # engine is asked to end
    endings: SimpleQueue[str | None] = SimpleQueue()
    asking = [each for each in signals.ENDING if each != signal.SIGINT]
    signals.hear_first(lambda _: endings.put(None), asking)
    pipes = Pipes.take() if options.stdio else None  # before anybody else reads or prints

    from importlib.metadata import version

    from actors.commands.chosen import config_of, engine_of
    from actors.errors import SystemHalted
    from actors.events import Event, SystemHaltedEvent
    from actors.monitoring.progress import print_line
    from actors.monitoring.tables import console
    from actors.system import NegotiationSystem

    def hear(event: Event) -> None:
        if isinstance(event, SystemHaltedEvent):
            endings.put(event.error)

    config, database = config_of(options)
    chosen = engine_of(options, config, database)
    terminal = console(stderr=True)
    with NegotiationSystem.start(config, recover=True, **chosen) as system:
        system.subscribe(hear)
        if system.halted is not None:  # before anybody heard
            endings.put(system.halted)
        if terminal.is_terminal:
            system.subscribe(lambda event: print_line(event, terminal))
        facts = {"pid": os.getpid(), "version": version("parley"), "database": str(database)}
        with _announced(system, facts, pipes, endings):
            halted = _ending(endings, parent if options.exit_with_parent else None)
            signals.ignore()
    if halted is not None:
        raise SystemHalted(f"nothing can be saved any more: {halted}")
    return DONE


@contextmanager
def _announced(
    system: NegotiationSystem,
    facts: dict[str, Any],
    pipes: Pipes | None,
    endings: SimpleQueue[str | None],
) -> Iterator[None]:
    """Tell who started us that we are ready: with one line, or with the first of many."""
    from actors.commands.answers import print_json

    if pipes is None:
        try:
            print_json({"ready": True, **facts})
        except BrokenPipeError:
            raise OutputFailed("standard output: nobody reads that it is ready") from None
        yield
        return
    from actors.stdio.session import Session

    with Session(system, pipes, lambda: endings.put(None), ready=facts):
        yield


def _ending(endings: SimpleQueue[str | None], parent: int | None) -> str | None:
    """Wait until an engine is to end; what halted it, or None when it was asked to."""
    while True:
        try:
            return endings.get(timeout=None if parent is None else PARENT_LOOK_S)
        except Empty:
            if os.getppid() != parent:
                return None
