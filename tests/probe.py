"""A stand-in for the receiver of mail: an actor that keeps what it is told."""

from __future__ import annotations

import queue
import time
from typing import Any, TypeVar

from actors.runtime import LoopActor, LoopThread

M = TypeVar("M")
PATIENCE_S = 10.0
"""How long a test waits for mail that must come; it never waits for mail that must not."""


class Probe:
    """Takes the place of an actor on a loop; `ref` is what to hand out in its stead."""

    def __init__(self, loop: LoopThread) -> None:
        self._mail: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.ref = _Keeper.start(self._mail, loop=loop)

    def next(self, kind: type[M]) -> M:
        """The next piece of mail, which must be of this kind."""
        mail = self._mail.get(timeout=PATIENCE_S)
        assert isinstance(mail, kind), f"expected {kind.__name__}, got {mail}"
        return mail

    def until(self, kind: type[M]) -> M:
        """The next piece of mail of this kind, past all other."""
        while True:
            mail = self._mail.get(timeout=PATIENCE_S)
            if isinstance(mail, kind):
                return mail

    @property
    def is_silent(self) -> bool:
        """Whether nothing has come, once all that was sent before has been handled.

        Turns are given in order, so what an actor says to us while it handles earlier mail has
        come after two rounds through the loop.
        """
        for _ in range(2):
            self.ref.ask(None, timeout=PATIENCE_S)
        return self._mail.empty()

    def all(self) -> list[Any]:
        """All that has come, once all that was sent before has been handled."""
        mail = []
        while not self.is_silent:
            mail.append(self._mail.get())
        return mail


class _Keeper(LoopActor):
    def __init__(self, mail: queue.SimpleQueue[Any]) -> None:
        super().__init__()
        self._mail = mail

    def on_receive(self, mail: object) -> None:
        if mail is not None:
            self._mail.put(mail)


def spin(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass
