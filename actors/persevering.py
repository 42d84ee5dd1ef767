"""Persevering: an actor for which no piece of mail is lost because a handler raised."""

from __future__ import annotations

from typing import Any

from actors.runtime import LoopActor, Restart

TRIES = 3
"""How often the mail that an actor failed with is handled again before it is dropped."""


class Persevering(LoopActor):
    """Handles the mail that it failed with again, first of all, after its restart.

    Whatever it does with a piece of mail must be harmless when it is done twice.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lost: Any = None
        """What it failed with."""
        self._tries = 0

    def on_lost(self, mail: object) -> None:
        """Keep it for after the restart."""
        if not isinstance(mail, Restart):  # during which it is tried again
            self._lost, self._tries = mail, 0

    def try_again(self) -> None:
        """Handle what it failed with, if there is something; for use at a restart."""
        if self._lost is None:
            return
        if self._tries < TRIES:
            self._tries += 1
            self.on_receive(self._lost)
        self._lost = None
