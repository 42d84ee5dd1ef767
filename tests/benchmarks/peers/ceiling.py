"""The practical ceiling: asyncio by hand, one task for each negotiation, and nothing else.

python tests/benchmarks/peers/ceiling.py NEGOTIATIONS MOVE_SECONDS
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.peers.group_commit import AsyncWriter, create
from benchmarks.peers.measuring import Taken, measured, report
from benchmarks.peers.work import MESSAGES, negotiation_ids, next_move, row


async def negotiate(negotiation_id: str, writer: AsyncWriter, move_s: float) -> None:
    """Say one message after the other, each once the last is on disk."""
    for seq in range(1, MESSAGES + 1):
        draft = await next_move(seq, move_s)
        await writer.write(row(negotiation_id, seq, draft))


async def play(database: Path, negotiations: int, move_s: float) -> Taken:
    """All negotiations at the same time."""
    ids = negotiation_ids(negotiations)
    create(database, ids)
    with AsyncWriter(database) as writer, measured() as taken:
        await asyncio.gather(*(negotiate(each, writer, move_s) for each in ids))
    return taken


def run(database: Path, negotiations: int, move_s: float) -> Taken:
    """The same outside the loop."""
    return asyncio.run(play(database, negotiations, move_s))


if __name__ == "__main__":
    report(run)
