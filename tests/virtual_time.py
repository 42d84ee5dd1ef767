"""A loop whose clock jumps to the next timer: minutes pass in no time, and figures are exact."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
RESOLUTION_S = 1e-9
START_S = 5_000.0
"""What the clock says at first; as on a real machine it isn't 0."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Never waits: when nothing can run now, it is at once as late as the next timer says.

    When there is no timer either, nothing can happen any more, and it says so instead of hanging.
    Threads are not waited for, so nothing may run in one.
    """

    def __init__(self) -> None:
        self.now = START_S
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """The virtual time, in seconds."""
        return self.now


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("all wait for what can't come any more")
        if not ready and timeout:
            # no less than what the loop takes for the same instant, or it might not move at all
            self._loop.now += max(timeout, RESOLUTION_S)
        return ready


def in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def elapsed_s() -> float:
    """Virtual seconds since the loop began."""
    return asyncio.get_running_loop().time() - START_S
