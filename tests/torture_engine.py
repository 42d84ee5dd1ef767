"""An engine whose agents are of random speed: `serve`, with tactics that take their time.

`python tests/torture_engine.py SEED TEMPO_S SHOWN` and what `serve` takes. They are stored as
tactics, and say what tactics say. What each of them is shown is noted in the file SHOWN. It prints
a line once all code is loaded, right before the command begins.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from typing import Any

import actors.monitoring.progress
import actors.monitoring.tables
import actors.system  # noqa: F401 - what `serve` loads when it runs
import main
from actors.negotiators import catalog
from actors.negotiators.tactics import Tactics

BEGINS = "begins"
LONGEST_S = 5.0


class Unhurried(Tactics):
    """Tactics that answer at once or after any time, and tell first what they were shown."""

    def __init__(self, seed: str, tempo_s: float, shown: str) -> None:
        self._dice = random.Random(seed)
        self._tempo_s = tempo_s
        self._shown = os.open(shown, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def next_move(self, view: Any) -> Any:
        """Answer after a while that is nothing or `tempo_s` on average."""
        if view.messages:
            last = view.messages[-1]
            facts = [view.supplier.id, last.seq, last.sender, last.content]
            os.write(self._shown, json.dumps(facts).encode() + b"\n")
        pause_s = min(self._dice.expovariate(1 / self._tempo_s), LONGEST_S)
        await asyncio.sleep(self._dice.choice([0, pause_s, pause_s]))
        return await super().next_move(view)


def serve(seed: str, tempo_s: str, shown: str, *arguments: str) -> None:
    """Be the engine."""
    unhurried = Unhurried(seed, float(tempo_s), shown)
    # tactics are made where they are named, so these carry the name
    vars(catalog)["Tactics"] = lambda: unhurried
    sys.argv[1:] = ["serve", *arguments]
    print(BEGINS, flush=True)
    main.entry()


if __name__ == "__main__":
    serve(*sys.argv[1:])
