"""What a database held at an instant, and what of it is not as it was: plain SQL, read-only.

A look leaves the file and its write-ahead log as a dead process left them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from inspection import faults

Row = dict[str, Any]
PATIENCE_S = 30.0
TABLES = ("quotes", "negotiations", "messages", "interventions")
ORDER = {
    "quotes": ["pending", "negotiating", "completed"],
    "negotiations": ["active", "completed"],
    "interventions": ["received", "applied"],
}
"""Each status with those that may follow it; the last stands for all that are final."""
MAY_CHANGE = {
    "quotes": {"status", "automatic", "completed_at"},
    "negotiations": {
        *("status", "reason", "rounds", "agreed_terms", "last_error", "mandate", "message_count"),
        *("last_hash", "last_message_at", "row_hash", "ended_at"),
    },
    "messages": set[str](),
    "interventions": {"status", "reason", "message_seq", "applied_seq", "row_hash"},
}
"""Columns that say what became of a row; once that is final they may not change either."""
LEFT_RECEIVED = "left received in a negotiation that is not parked"
UNFINISHED = """
    SELECT n.id, i.id FROM interventions AS i JOIN negotiations AS n ON n.id = i.negotiation_id
    WHERE i.status = 'received' AND (n.status = 'active'
        OR (i.message_seq IS NULL AND substr(i.created_at, 1, 23) >= substr(n.ended_at, 1, 23)))
"""
"""What nobody has answered yet, and what another program wrote behind the end (times by the ms)."""


@dataclass(frozen=True, slots=True)
class Keepsake:
    """All rows that another process could see."""

    quotes: dict[str, Row] = field(default_factory=dict)
    negotiations: dict[str, Row] = field(default_factory=dict)
    messages: dict[str, Row] = field(default_factory=dict)
    interventions: dict[str, Row] = field(default_factory=dict)

    def of(self, negotiation_id: str) -> list[Row]:
        """A negotiation's messages by seq."""
        rows = [row for row in self.messages.values() if row["negotiation_id"] == negotiation_id]
        return sorted(rows, key=lambda row: int(row["seq"]))

    @property
    def active(self) -> list[str]:
        """The negotiations that have not ended."""
        return [key for key, row in self.negotiations.items() if row["status"] == "active"]

    @property
    def waiting(self) -> list[Row]:
        """The interventions that nobody has answered."""
        return [row for row in self.interventions.values() if row["status"] == "received"]

    @property
    def unfinished(self) -> list[str]:
        """The quotes that are not through."""
        going = ("pending", "negotiating")
        return [key for key, row in self.quotes.items() if row["status"] in going]


def opened(database: Path) -> sqlite3.Connection:
    """A connection that can't write, not even at its end into the file what its log holds."""
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=PATIENCE_S)
    connection.row_factory = sqlite3.Row
    return connection


def taken(database: Path) -> Keepsake:
    """All rows as they are now; none where there is no database yet, or no table in it."""
    if not database.exists():
        return Keepsake()
    with closing(opened(database)) as connection:
        connection.execute("BEGIN")
        if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            return Keepsake()
        return Keepsake(
            **{
                table: {
                    row["id"]: dict(row)
                    # S608: the names are our own
                    for row in connection.execute(f"SELECT * FROM {table}")  # noqa: S608
                }
                for table in TABLES
            }
        )


def copied(database: Path, copy: Path) -> None:
    """A copy that may be looked at by whoever writes to what it looks at."""
    copy.unlink(missing_ok=True)
    with closing(opened(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def lost(before: Keepsake, after: Keepsake) -> Iterator[str]:
    """What was there and is gone, or is not as it was."""
    for table in TABLES:
        old, new = getattr(before, table), getattr(after, table)
        for key, row in old.items():
            if key not in new:
                yield f"{table}: {key} is gone"
                continue
            changed = {column for column in row if row[column] != new[key][column]}
            if table in ORDER and row["status"] in ORDER[table][:-1]:
                changed -= MAY_CHANGE[table]
            if changed:
                yield f"{table}: {key} is not as it was: {sorted(changed)}"
    yield from _backwards(before, after)


def _backwards(before: Keepsake, after: Keepsake) -> Iterator[str]:
    """What may change, but only one way."""
    for key in before.quotes.keys() & after.quotes.keys():
        row, order = before.quotes[key], ORDER["quotes"]
        if order.index(after.quotes[key]["status"]) < order.index(row["status"]):
            yield f"quotes: {key} went back to {after.quotes[key]['status']}"
    for key in before.negotiations.keys() & after.negotiations.keys():
        count = before.negotiations[key]["message_count"]
        if after.negotiations[key]["message_count"] < count:
            yield f"negotiations: {key} has fewer messages than before"
    for key in before.interventions.keys() & after.interventions.keys():
        seq = before.interventions[key]["message_seq"]
        if seq not in (None, after.interventions[key]["message_seq"]):
            yield f"interventions: {key} became another message"


def disobeyed(before: Keepsake, after: Keepsake) -> Iterator[str]:
    """Guidance that lay there when an engine died, and that the next one did not mind first.

    Args:
        before: What a dead engine left; whoever went on had all of it on disk.
    """
    # what a person does in the brand's place, and has begun, leaves nothing to guide
    acts = [row for row in before.waiting if row["action"] in ("accept", "walk_away")]
    acted = {row["negotiation_id"] for row in acts if row["message_seq"] is not None}
    for row in before.waiting:
        of, now = row["negotiation_id"], after.interventions.get(row["id"], row)
        count = before.negotiations[of]["message_count"]
        then = [message for message in after.of(of) if message["seq"] > count]
        ended_before = before.negotiations[of]["status"] != "active"
        if ended_before or not then or row["action"] == "continue":
            continue
        users = list(takewhile(lambda message: message["sender"] == "user", then))
        spoken = then[len(users) :]
        if row["message_seq"] is None and of in acted:
            continue
        if row["message_seq"] is None:
            against = now["status"] == "refused" and not now["reason"].startswith("ended")
            if not against and now["message_seq"] not in [user["seq"] for user in users]:
                yield f"{row['id']}: waited, and {of} went on without it: {now['status']}"
        elif spoken and (spoken[0]["sender"], spoken[0]["seq"]) != ("brand", now["applied_seq"]):
            yield f"{row['id']}: was owed an answer, and {of} went on without it: {now['status']}"


def torn(now: Keepsake) -> Iterator[str]:
    """What belongs into one transaction and is there by half."""
    spoken: dict[str, list[Row]] = {key: [] for key in now.negotiations}
    for row in sorted(now.messages.values(), key=lambda row: int(row["seq"])):
        spoken[row["negotiation_id"]].append(row)
    for key, negotiation in now.negotiations.items():
        rows = spoken[key]
        if [row["seq"] for row in rows] != list(range(1, len(rows) + 1)):
            yield f"{key}: its messages are numbered {[row['seq'] for row in rows]}"
        if negotiation["message_count"] != len(rows):
            yield f"{key}: counts {negotiation['message_count']} messages and has {len(rows)}"
        if negotiation["last_hash"] != (rows[-1]["hash"] if rows else negotiation["brief_hash"]):
            yield f"{key}: its last hash is another message's"
        said = [(row["sender"], row["content"]) for row in rows if row["sender"] != "user"]
        if len(said) != len(set(said)):
            yield f"{key}: a side said the same twice"
        times = [row["created_at"] for row in rows]
        if times != sorted(times):
            yield f"{key}: its times run backwards"
        closing_move = bool(rows) and rows[-1]["move"] in ("accept", "walk_away")
        if closing_move and negotiation["status"] == "active":
            yield f"{key}: goes on after its closing message"
    for key, row in now.interventions.items():
        if row["status"] == "refused" and row["message_seq"] is not None:
            yield f"{key}: is message {row['message_seq']}, and was refused: {row['reason']}"
    for key, quote in now.quotes.items():
        own = [row["status"] for row in now.negotiations.values() if row["quote_id"] == key]
        over = bool(own) and "active" not in own
        if quote["status"] != "cancelled" and (quote["status"] == "completed") is not over:
            yield f"{key}: is {quote['status']}, and its negotiations are {sorted(set(own))}"


def deep_faults(copy: Path, seen_through: set[str]) -> list[str]:
    """What `inspection` finds in a copy, without what is only not finished yet.

    Args:
        copy: Changed here: the quotes that are named are left out.
        seen_through: Quotes that were over when they were looked at before.
    """
    with closing(sqlite3.connect(copy)) as connection, connection:
        for quote_id in seen_through:
            own = "IN (SELECT id FROM negotiations WHERE quote_id = ?)"
            for table in ("messages", "interventions"):
                connection.execute(
                    f"DELETE FROM {table} WHERE negotiation_id {own}",  # noqa: S608
                    [quote_id],
                )
            connection.execute("DELETE FROM negotiations WHERE quote_id = ?", [quote_id])
    excused = {f"{of}: {row_id}: {LEFT_RECEIVED}" for of, row_id in unfinished(copy)}
    return [fault for fault in faults(copy) if fault not in excused]


def unfinished(database: Path) -> list[tuple[str, str]]:
    """Negotiations and interventions of theirs that an engine has still to settle."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(UNFINISHED).fetchall()
