"""LangGraph: a graph of two nodes, whose own SQLite checkpointer makes every message durable.

    python tests/benchmarks/peers/langgraph_checkpoints.py NEGOTIATIONS MOVE_SECONDS

Each negotiation is a thread of the same graph, and each message a step; with the durability "sync"
the checkpoint of a step is on disk before the next one begins.
"""

from __future__ import annotations

import asyncio
import operator
import sqlite3
import sys
from contextlib import closing
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, TypedDict

sys.path.insert(0, str(Path(__file__).parents[2]))

import aiosqlite
from benchmarks.peers.measuring import Taken, measured, report
from benchmarks.peers.stored import Said, Stored
from benchmarks.peers.work import MESSAGES, SENDERS, negotiation_ids, next_move, row
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph

COLUMNS = ("negotiation_id", "seq", "sender", "move", "content", "terms", "created_at")
SAID = itemgetter(*COLUMNS[1:-1])
STEPS = 100
"""More than a negotiation has; without it LangGraph stops after 25."""


class State(TypedDict):
    """One negotiation."""

    negotiation_id: str
    messages: Annotated[list[dict[str, Any]], operator.add]


def negotiation_graph(move_s: float = 0.0) -> Any:
    """The brand speaks, then the supplier, until all is said."""

    async def speak(state: State) -> dict[str, Any]:
        seq = len(state["messages"]) + 1
        said = row(state["negotiation_id"], seq, await next_move(seq, move_s))
        return {"messages": [dict(zip(COLUMNS, said, strict=True))]}

    def after_supplier(state: State) -> str:
        return END if len(state["messages"]) == MESSAGES else "brand"

    graph = StateGraph(State)
    for sender in SENDERS:
        graph.add_node(sender, speak)
    graph.add_edge(START, "brand")
    graph.add_edge("brand", "supplier")
    graph.add_conditional_edges("supplier", after_supplier, ["brand", END])
    return graph


async def play(database: Path, negotiations: int, move_s: float) -> Taken:
    """All negotiations at the same time."""
    async with aiosqlite.connect(database) as connection:
        await connection.execute("PRAGMA journal_mode = WAL")
        await connection.execute("PRAGMA synchronous = FULL")
        saver = AsyncSqliteSaver(connection)
        await saver.setup()
        graph = negotiation_graph(move_s).compile(checkpointer=saver)

        async def negotiate(negotiation_id: str) -> None:
            begin = {"negotiation_id": negotiation_id, "messages": []}
            await graph.ainvoke(begin, thread(negotiation_id), durability="sync")

        with measured() as taken:
            await asyncio.gather(*(negotiate(each) for each in negotiation_ids(negotiations)))
    return taken


def thread(negotiation_id: str) -> dict[str, Any]:
    """What tells LangGraph which negotiation is meant."""
    return {"configurable": {"thread_id": negotiation_id}, "recursion_limit": STEPS}


def read(database: Path) -> Stored:
    """What was new in each checkpoint, from the oldest on, and the threads that have no next step.

    A message that came together with another one in a checkpoint would be missing here.
    """
    said: list[Said] = []
    with closing(sqlite3.connect(database, check_same_thread=False)) as connection:
        saver = SqliteSaver(connection)
        graph = negotiation_graph().compile(checkpointer=saver)
        known: dict[str, int] = {}
        for checkpoint in reversed(list(saver.list(None))):
            messages = checkpoint.checkpoint["channel_values"].get("messages", [])
            negotiation_id = checkpoint.config["configurable"]["thread_id"]
            if len(messages) > known.get(negotiation_id, 0):
                said.append((negotiation_id, *SAID(messages[-1])))
            known[negotiation_id] = len(messages)
        ended = [each for each in known if not graph.get_state(thread(each)).next]
    return Stored(said, ended)


def run(database: Path, negotiations: int, move_s: float) -> Taken:
    """The same outside the loop."""
    return asyncio.run(play(database, negotiations, move_s))


if __name__ == "__main__":
    report(run, read)
