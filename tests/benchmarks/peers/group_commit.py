"""A database that a thread of its own writes, everything that is queued in one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from typing import Generic, Self, TypeVar

from benchmarks.peers.work import MESSAGES, Row

TABLES = """
CREATE TABLE negotiations (id TEXT PRIMARY KEY, ended_at TEXT);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    negotiation_id TEXT NOT NULL REFERENCES negotiations,
    seq INTEGER NOT NULL,
    sender TEXT NOT NULL,
    move TEXT NOT NULL,
    content TEXT NOT NULL,
    terms TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (negotiation_id, seq)
);
"""
SAY = (
    "INSERT INTO messages (negotiation_id, seq, sender, move, content, terms, created_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
END = "UPDATE negotiations SET ended_at = ? WHERE id = ?"

WaiterT = TypeVar("WaiterT")


def create(database: Path, negotiation_ids: Sequence[str]) -> None:
    """Make a database in which these negotiations are about to begin."""
    with closing(_connect(database)) as connection, connection:
        connection.executescript(TABLES)
        begun = [(negotiation_id,) for negotiation_id in negotiation_ids]
        connection.executemany("INSERT INTO negotiations (id) VALUES (?)", begun)


def _connect(database: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


class Writer(Generic[WaiterT]):
    """Writes what is queued in one transaction, and then tells everybody who waits for a part."""

    def __init__(self, database: Path, written: Callable[[list[WaiterT]], object]) -> None:
        """Begin to write.

        Args:
            written: Called by the writer's thread with the waiters of what is on disk now.
        """
        self._queue: SimpleQueue[tuple[Row, WaiterT] | None] = SimpleQueue()
        self._written = written
        self._thread = threading.Thread(target=self._run, args=(database,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.put(None)
        self._thread.join()

    def write(self, row: Row, waiter: WaiterT) -> None:
        """Queue a row; the last one of a negotiation ends it."""
        self._queue.put((row, waiter))

    def _run(self, database: Path) -> None:
        with closing(_connect(database)) as connection:
            while group := self._next_group():
                rows = [row for row, _ in group]
                with connection:
                    connection.executemany(SAY, rows)
                    connection.executemany(END, [(r[-1], r[0]) for r in rows if r[1] == MESSAGES])
                self._written([waiter for _, waiter in group])

    def _next_group(self) -> list[tuple[Row, WaiterT]]:
        first = self._queue.get()
        # nobody else takes from the queue, so it stays at least as long
        rest = [self._queue.get() for _ in range(self._queue.qsize())]
        return [queued for queued in (first, *rest) if queued is not None]


class AsyncWriter:
    """The face of the writer for one event loop, which is woken once for each transaction."""

    def __init__(self, database: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self._writer: Writer[asyncio.Future[None]] = Writer(database, self._hand_over)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.__exit__()

    def write(self, row: Row) -> asyncio.Future[None]:
        """Queue a row; the future is done once it is on disk."""
        written: asyncio.Future[None] = self._loop.create_future()
        self._writer.write(row, written)
        return written

    def _hand_over(self, written: list[asyncio.Future[None]]) -> None:
        self._loop.call_soon_threadsafe(_resolve, written)


def _resolve(written: list[asyncio.Future[None]]) -> None:
    for future in written:
        future.set_result(None)
