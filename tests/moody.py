"""A negotiator in a mood: tactics, but for now and then, and the same for the same view."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from actors.errors import NegotiatorError
from actors.mechanism.moves import Draft
from actors.negotiators.tactics import Tactics
from storage.records import Move

PAUSE_S = 0.01


class Moody:
    """Fails, thinks, talks, says rubbish or leaves by a hash of what it sees; else tactics."""

    def __init__(self, seed: int) -> None:
        """Have moods of its own."""
        self._seed = seed

    async def next_move(self, view: Any) -> Any:
        heard = [(message.seq, message.move, message.content) for message in view.messages]
        seen = repr((self._seed, view.supplier.id, view.refused, heard))
        mood = hashlib.sha256(seen.encode()).digest()[0]
        if mood < 10:
            raise NegotiatorError("not today")
        if mood < 14:
            raise RuntimeError("a bug of its own")
        if mood < 40:
            return {"move": "Propose a trade with"}
        if mood < 64:
            return Draft(Move.TALK, "We are looking into it.")
        if mood < 68:
            return Draft(Move.WALK_AWAY, "This leads nowhere.")
        if mood < 128:
            await asyncio.sleep(PAUSE_S)
        return await Tactics().next_move(view)
