"""Databases too large to be played: copies of a quote that was, each under ids of its own.

Their hashes are computed anew, as the ledger would, because they cover the ids.
"""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from storage.hashes import brief_hash, message_hash, quote_hash, row_hash

Row = dict[str, Any]


def multiply(database: Path, quote_id: str, copies: int) -> None:
    """Add so many copies of a completed quote, with all its negotiations and messages."""
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = OFF")  # nobody minds losing it
        quote = _rows(connection, "quotes", "id", quote_id)[0]
        negotiations = _rows(connection, "negotiations", "quote_id", quote_id)
        messages = {
            each["id"]: _rows(connection, "messages", "negotiation_id", each["id"])
            for each in negotiations
        }
        for _ in range(copies):
            copy = quote | {"id": f"q-{secrets.token_hex(8)}"}
            with connection:
                _insert(connection, "quotes", [copy])
                for negotiation in negotiations:
                    own, said = _copied(negotiation, messages[negotiation["id"]], copy)
                    _insert(connection, "negotiations", [own])
                    _insert(connection, "messages", said)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def counted(database: Path) -> int:
    """How many messages there are."""
    with closing(sqlite3.connect(database)) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM messages").fetchall()
    return int(count)


def _copied(negotiation: Row, messages: list[Row], quote: Row) -> tuple[Row, list[Row]]:
    """A negotiation and its messages in a copy of its quote."""
    own = negotiation | {"id": f"n-{secrets.token_hex(8)}", "quote_id": quote["id"]}
    own["brief_hash"] = last = brief_hash(quote_hash(quote), own)
    said = []
    for message in messages:
        # SQLite gives the next id
        one = message | {"id": None, "negotiation_id": own["id"]}
        one["hash"] = last = message_hash(last, one)
        said.append(one)
    own["last_hash"] = last
    own["row_hash"] = row_hash(own)
    return own, said


def _rows(connection: sqlite3.Connection, table: str, column: str, value: str) -> list[Row]:
    query = f"SELECT * FROM {table} WHERE {column} = ? ORDER BY rowid"  # noqa: S608 - our own names
    return [dict(row) for row in connection.execute(query, (value,))]


def _insert(connection: sqlite3.Connection, table: str, rows: list[Row]) -> None:
    marks = ", ".join(f":{column}" for column in rows[0])
    sql = f"INSERT INTO {table} ({', '.join(rows[0])}) VALUES ({marks})"  # noqa: S608 - likewise
    connection.executemany(sql, rows)
