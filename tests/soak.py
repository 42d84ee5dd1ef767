"""Many quotes one after the other through one system, and what is left over of them.

`python tests/soak.py [NEGOTIATIONS]` plays 50,000 messages in 1,000 negotiations, 20 at a time, and
prints one JSON line: the memory after 10,000 messages and at the end, and the threads, files and
tasks that were added between the first quote and the last. It exits 1 if memory has grown by more
than 5 %, or anything is left over.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from factories import make_config, make_supplier, quote_fields
from verified import faults

from actors.agents import Agent
from actors.coordinator import Coordinator
from actors.mechanism.moves import Draft
from actors.system import NegotiationSystem
from storage.records import Move, NegotiationStatus

NEGOTIATIONS = 1_000
AT_ONCE = 20
"""The suppliers of a quote."""
ROUNDS = 25
"""Each has a message of both sides, and the last is the brand's, which walks away."""
MESSAGES = 2 * ROUNDS
EARLY_MESSAGES = 10_000
MOST_GROWTH = 1.05
PATIENCE_S = 120.0


class Talks:
    """Talks without coming closer, and walks away with the last message."""

    async def next_move(self, view: Any) -> Draft:
        """The next thing to say."""
        number = len(view.messages)
        if number == MESSAGES - 1:
            return Draft(Move.WALK_AWAY, "We can not come together.")
        # no figure, which could be a private one
        return Draft(Move.TALK, "We have looked at it with care, again and again. " * 5)


def made(kind: type[Any], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All actors of a kind that are started from now on."""
    started: list[Any] = []
    sound = kind.on_start

    def on_start(self: Any) -> None:
        started.append(self)
        sound(self)

    monkeypatch.setattr(kind, "on_start", on_start)
    return started


def memory() -> int:
    """Bytes that the process holds in memory, once what nobody needs is gone."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def tasks(system: NegotiationSystem) -> int:
    """The tasks on the system's loop."""
    counted: Future[int] = Future()
    loop = system._loop._loop
    loop.call_soon_threadsafe(lambda: counted.set_result(len(asyncio.all_tasks(loop))))
    return counted.result(PATIENCE_S)


def left(system: NegotiationSystem) -> dict[str, int]:
    """The threads, open files and tasks of this process."""
    return {
        "threads": threading.active_count(),
        "files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - iterdir opens one itself, longer
        "tasks": tasks(system),
    }


def kept(coordinator: Coordinator) -> dict[str, int]:
    """What a coordinator still holds of quotes and negotiations."""
    askers = coordinator._askers
    held: dict[str, Any] = {
        "known": coordinator._known,
        "places": coordinator._places,
        "moving": coordinator._moving,
        "cancelled": coordinator._cancelled_quotes,
        "failures": coordinator._failures,
        "asking": [*askers.starting, *askers.cancelling, *askers.waiting],
    }
    return {name: len(what) for name, what in held.items() if what}


def drafts(agents: list[Agent]) -> int:
    """What the agents still draft."""
    return sum(len(agent._drafts) + len(agent._limits._ends) for agent in agents)


def soak(folder: Path, negotiations: int) -> dict[str, Any]:
    """Play them all, and measure."""
    suppliers = [make_supplier(n) for n in range(1, AT_ONCE + 1)]
    config = make_config(suppliers, max_rounds=ROUNDS, no_progress_rounds=0)
    database = folder / "parley.db"
    messages, early = 0, 0
    before: dict[str, int] = {}
    began = time.perf_counter()
    with NegotiationSystem.start(
        config,
        database=database,
        brand=Talks(),
        suppliers=Talks(),
        log_file=folder / "log.jsonl",
    ) as system:
        for _ in range(negotiations // AT_ONCE):
            quote = system.create_quote(quote_fields())
            system.start_negotiations(quote.id)
            ended = system.wait(quote.id, PATIENCE_S)
            assert {one.status for one in ended} == {NegotiationStatus.IMPASSE}, ended[0]
            messages += sum(one.message_count for one in ended)
            before = before or left(system)
            if not early and messages >= EARLY_MESSAGES:
                early = memory()
        seconds = time.perf_counter() - began
        after = left(system)
        late = memory()
    return {
        "negotiations": negotiations,
        "messages": messages,
        "seconds": round(seconds, 1),
        "early_mb": round(early / 1e6, 1),
        "late_mb": round(late / 1e6, 1),
        "growth": round(late / early, 3) if early else None,
        "added": {name: after[name] - before[name] for name in after},
        "faults": len(faults(database)),
    }


def run(negotiations: int = NEGOTIATIONS) -> int:
    """Print one JSON line, and return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        result = soak(Path(folder), negotiations)
    json.dump(result, sys.stdout)
    print()
    within = result["growth"] is None or result["growth"] <= MOST_GROWTH
    return 0 if within and not any(result["added"].values()) and not result["faults"] else 1


if __name__ == "__main__":
    sys.exit(run(*map(int, sys.argv[1:])))
