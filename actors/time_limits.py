"""Time limits for tasks on the loop: what `asyncio.timeout` does, with one timer for all.

Nearly every limit is kept, so a timer for each would be made only to be taken back.
"""

from __future__ import annotations

import asyncio
from typing import Any

Task = asyncio.Task[Any]

SLACK_S = 0.01
"""Seconds between two looks at what runs; a limit is noticed at most that much too late."""


class TimeLimits:
    """The tasks of one loop that have a limit, each one at a time."""

    def __init__(self) -> None:
        self._ends: dict[Task, float] = {}
        """When the time of each is over, on the loop's clock."""
        self._timer: asyncio.TimerHandle | None = None

    def start(self, task: Task, seconds: float) -> None:
        """Cancel the task in that time."""
        end = task.get_loop().time() + seconds
        self._ends[task] = end
        if self._timer is None or end < self._timer.when():
            self._look_at(end)

    def stop(self, task: Task) -> bool:
        """Let the task run on; returns whether it was cancelled before."""
        return self._ends.pop(task, None) is None

    def _look_at(self, end: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(end, self._look)

    def _look(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for task in [task for task, end in self._ends.items() if end <= now]:
            del self._ends[task]
            task.cancel()
        if self._ends:
            self._look_at(max(min(self._ends.values()), now + SLACK_S))


class Limit:
    """A time limit in force."""

    __slots__ = ("_limits", "_seconds", "_task")

    def __init__(self, limits: TimeLimits, seconds: float, task: Task) -> None:
        """Bound what a `with` of that task holds.

        Raises:
            TimeoutError: On leaving the `with`, if it was cancelled for taking too long.
        """
        self._limits = limits
        self._seconds = seconds
        self._task = task

    def __enter__(self) -> None:
        self._limits.start(self._task, self._seconds)

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if not self._limits.stop(self._task):
            return
        others = self._task.uncancel()  # who else has cancelled the task wants it to end
        if kind is not None and issubclass(kind, asyncio.CancelledError) and not others:
            raise TimeoutError
