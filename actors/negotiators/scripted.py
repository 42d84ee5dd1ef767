"""A negotiator that follows a script: for tests, rehearsals and demonstrations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from actors.mechanism.moves import Draft
from actors.mechanism.views import BrandView, SupplierView

Cue = Draft | Mapping[str, Any] | BaseException | Callable[[Any], Any]
"""A move, an error to raise, or what makes a move (or an awaitable of one) from the view."""


class Scripted:
    """Plays one cue per message of its side; the last cue again when the script is over."""

    def __init__(self, *cues: Cue) -> None:
        """Take the cues in the order of the side's own messages, at least one."""
        if not cues:
            raise ValueError("a script needs at least one cue")
        self._cues: Sequence[Cue] = cues

    async def next_move(self, view: BrandView | SupplierView) -> Any:
        """The cue for the message that is due."""
        cue = self._cues[min(view.own_messages, len(self._cues) - 1)]
        if isinstance(cue, BaseException):
            raise cue
        move = cue(view) if callable(cue) else cue
        return await move if isinstance(move, Awaitable) else move
