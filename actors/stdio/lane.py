"""A lane: a thread of its own for calls that block, done one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any


class LaneThread:
    """A thread that does what it is given in order; it keeps no process alive."""

    # an executor's thread would: Python waits for it at exit, however long an audit takes

    def __init__(self, name: str) -> None:
        self._given: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        threading.Thread(target=self._run, name=f"parley-{name}", daemon=True).start()

    def do(self, work: Callable[[], Any]) -> Future[Any]:
        """Have it done; what is cancelled before its turn is not."""
        done: Future[Any] = Future()
        self._given.put((work, done))
        return done

    def end(self) -> None:
        """End the thread once all that it was given is done."""
        self._given.put(None)

    def _run(self) -> None:
        while (given := self._given.get()) is not None:
            work, done = given
            if not done.set_running_or_notify_cancel():
                continue
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - whoever waits for it must hear
                done.set_exception(error)
            else:
                done.set_result(result)
