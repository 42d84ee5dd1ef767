"""autogen-core: an agent for each negotiation, which asks two shared agents for their moves.

    python tests/benchmarks/peers/autogen.py NEGOTIATIONS MOVE_SECONDS

Direct messages, which is one trip and one answer for each move; the runtime's tracing is off, as
its documentation says how, and nobody configures its logs.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from autogen_core import (
    AgentId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    message_handler,
)
from benchmarks.peers.group_commit import AsyncWriter, create
from benchmarks.peers.measuring import Taken, measured, report
from benchmarks.peers.work import (
    MESSAGES,
    SENDERS,
    Draft,
    negotiation_ids,
    next_move,
    row,
    sender_of,
)
from opentelemetry.trace import NoOpTracerProvider


@dataclass
class Begin:
    """To a negotiation, which answers when it has ended."""


@dataclass
class DraftMove:
    """To the brand or the supplier, who answers with a draft."""

    seq: int
    heard: Draft | None
    """The message before it, which it answers."""


class Negotiator(RoutedAgent):
    """The brand of all negotiations, or the supplier."""

    def __init__(self, move_s: float) -> None:
        super().__init__("makes moves")
        self._move_s = move_s

    @message_handler
    async def on_draft_move(self, message: DraftMove, ctx: MessageContext) -> Draft:
        """Make a move."""
        return await next_move(message.seq, self._move_s)


class Negotiation(RoutedAgent):
    """One negotiation."""

    def __init__(self, writer: AsyncWriter) -> None:
        super().__init__("negotiates")
        self._writer = writer

    @message_handler
    async def on_begin(self, message: Begin, ctx: MessageContext) -> None:
        """Ask for one move after the other, each once the last is on disk."""
        draft: Draft | None = None
        for seq in range(1, MESSAGES + 1):
            negotiator = AgentId(sender_of(seq), "default")
            draft = await self.send_message(DraftMove(seq, draft), negotiator)
            await self._writer.write(row(self.id.key, seq, draft))


async def play(database: Path, negotiations: int, move_s: float) -> Taken:
    """All negotiations at the same time."""
    ids = negotiation_ids(negotiations)
    create(database, ids)
    runtime = SingleThreadedAgentRuntime(tracer_provider=NoOpTracerProvider())
    with AsyncWriter(database) as writer:
        for sender in SENDERS:
            await Negotiator.register(runtime, sender, lambda: Negotiator(move_s))
        await Negotiation.register(runtime, "negotiation", lambda: Negotiation(writer))
        runtime.start()
        with measured() as taken:
            begun = (runtime.send_message(Begin(), AgentId("negotiation", each)) for each in ids)
            await asyncio.gather(*begun)
        await runtime.stop_when_idle()
    return taken


def run(database: Path, negotiations: int, move_s: float) -> Taken:
    """The same outside the loop."""
    return asyncio.run(play(database, negotiations, move_s))


if __name__ == "__main__":
    report(run)
