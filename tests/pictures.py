"""Pictures of a database, taken with plain SQL: what one must be, and how the next may differ."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

Row = dict[str, Any]
TABLES = ("quotes", "negotiations", "messages", "interventions")
NEXT_STATUSES = {
    "pending": {"pending", "negotiating", "completed", "cancelled"},
    "negotiating": {"negotiating", "completed", "cancelled"},
    "completed": {"completed"},
    "cancelled": {"cancelled"},
}
"""What a quote may be when it is looked at again."""
CHANGING = {
    "quotes": {"status", "automatic", "completed_at"},
    "negotiations": {
        *("status", "reason", "rounds", "agreed_terms", "last_error", "mandate", "message_count"),
        *("last_hash", "last_message_at", "row_hash", "ended_at"),
    },
    "messages": set(),
    "interventions": {"status", "reason", "message_seq", "applied_seq", "row_hash"},
}
"""The columns that are ever written again."""


@dataclass(frozen=True)
class Picture:
    """All rows of the four tables as of one instant, each table in the order of its writing."""

    quotes: dict[str, Row]
    negotiations: dict[str, Row]
    messages: dict[str, Row]
    interventions: dict[str, Row]

    @classmethod
    def of(cls, database: Path) -> Picture:
        with closing(sqlite3.connect(database)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("BEGIN")
            rows = [connection.execute(f"SELECT * FROM {t} ORDER BY rowid") for t in TABLES]  # noqa: S608
            return cls(*({str(row["id"]): dict(row) for row in each} for each in rows))

    def of_quote(self, quote_id: str) -> list[Row]:
        """Its negotiations, in the order in which they were opened."""
        return [row for row in self.negotiations.values() if row["quote_id"] == quote_id]

    def active(self, quote_id: str) -> list[str]:
        return [row["id"] for row in self.of_quote(quote_id) if row["status"] == "active"]

    def said(self, negotiation_id: str, sender: str = "") -> list[Row]:
        """Its messages by seq, all or those of one sender."""
        rows = [row for row in self.messages.values() if row["negotiation_id"] == negotiation_id]
        return sorted((r for r in rows if sender in ("", r["sender"])), key=lambda row: row["seq"])

    def asked(self, negotiation_id: str) -> list[Row]:
        """Its interventions."""
        rows = self.interventions.values()
        return [row for row in rows if row["negotiation_id"] == negotiation_id]

    def part(self, quote_id: str) -> list[Row]:
        """All rows that belong to a quote."""
        own = self.of_quote(quote_id)
        inner = [each for row in own for each in (*self.said(row["id"]), *self.asked(row["id"]))]
        return [self.quotes[quote_id], *own, *inner]

    def is_parked(self, negotiation_id: str) -> bool:
        row = self.negotiations[negotiation_id]
        return row["status"] == "active" and row["last_error"] is not None

    def waits(self, negotiation_id: str) -> bool:
        """Whether only a person moves it, because it was started by hand."""
        row, said = self.negotiations[negotiation_id], self.said(negotiation_id)
        by_hand = row["status"] == "active" and not row["automatic"]
        return by_hand and bool(said) and said[-1]["sender"] == "brand"

    def answered(self, before: Picture, negotiation_id: str) -> bool:
        """Whether the brand has spoken since, as a person asked, and it waits for the next call."""
        return self.waits(negotiation_id) and len(self.said(negotiation_id, "brand")) > len(
            before.said(negotiation_id, "brand")
        )

    def unsettled(self) -> Iterator[str]:
        """What an engine has still to take up, whoever asked for it; nothing of it may stay."""
        for row in self.interventions.values():
            owes = row["message_seq"] is not None and self.is_parked(row["negotiation_id"])
            if row["status"] == "received" and not owes:
                yield row["id"]
        for row in self.quotes.values():
            if row["status"] == "negotiating" and not self.of_quote(row["id"]):
                yield row["id"]
            if row["status"] == "cancelled":
                yield from self.active(row["id"])

    def standing_offer(self, negotiation_id: str) -> Row | None:
        """What the brand could accept."""
        offers = [m for m in self.said(negotiation_id, "supplier") if m["move"] == "offer"]
        return offers[-1] if offers else None

    def suits_the_brand(self, negotiation_id: str, offer: Row) -> bool:
        """Whether an offer keeps the brand's limits as they are in force."""
        mandate = json.loads(self.negotiations[negotiation_id]["mandate"])
        terms = json.loads(offer["terms"])
        (price,) = terms["unit_prices"].values()
        return (
            Decimal(price) <= Decimal(mandate["widget.unit_price"]["limit"])
            and terms["lead_time_days"] <= mandate["lead_time_days"]["limit"]
            and terms["payment"] in mandate["payment"]
        )


def faults_between(before: Picture, after: Picture) -> Iterator[str]:
    """Where what was written once is gone, or says something else."""
    for table in TABLES:
        old, new = getattr(before, table), getattr(after, table)
        if list(new)[: len(old)] != list(old):
            yield f"{table}: rows are gone, or stand elsewhere"
        for own_id, row in old.items():
            changed = {name for name, value in row.items() if new[own_id][name] != value}
            if changed - CHANGING[table]:
                yield f"{own_id}: {changed - CHANGING[table]} changed"
    for own_id, row in before.quotes.items():
        status = after.quotes[own_id]["status"]
        if status not in NEXT_STATUSES[row["status"]]:
            yield f"{own_id}: was {row['status']} and is {status}"
    for own_id, row in before.negotiations.items():
        new = after.negotiations[own_id]
        if row["status"] != "active" and new != row:
            yield f"{own_id}: changed after its end"
        if new["rounds"] < row["rounds"] or new["message_count"] < row["message_count"]:
            yield f"{own_id}: counts fewer than before"
    for own_id, row in before.interventions.items():
        new = after.interventions[own_id]
        if row["status"] != "received" and new != row:
            yield f"{own_id}: changed after it was settled"
        if row["message_seq"] not in (None, new["message_seq"]):
            yield f"{own_id}: became another message"


def faults_in(picture: Picture) -> Iterator[str]:
    """What may stand at no instant."""
    for quote_id, quote in picture.quotes.items():
        own, active = picture.of_quote(quote_id), picture.active(quote_id)
        if own and [row["supplier_id"] for row in own] != json.loads(quote["suppliers"]):
            yield f"{quote_id}: not one negotiation with each supplier"
        if quote["status"] == "pending" and own:
            yield f"{quote_id}: pending, and has negotiations"
        if quote["status"] == "completed" and (active or not own):
            yield f"{quote_id}: completed, and {active} are active"
        if quote["status"] == "negotiating" and own and not active:
            yield f"{quote_id}: negotiating, and all have ended"
        if (quote["status"] == "completed") is (quote["completed_at"] is None):
            yield f"{quote_id}: {quote['status']} at {quote['completed_at']}"
    for own_id in picture.negotiations:
        yield from (f"{own_id}: {fault}" for fault in _faults_of(picture, own_id))


def _faults_of(picture: Picture, own_id: str) -> Iterator[str]:
    row, said = picture.negotiations[own_id], picture.said(own_id)
    ended = row["status"] != "active"
    if [message["seq"] for message in said] != list(range(1, row["message_count"] + 1)):
        yield "its messages are not those that it counts"
    if row["rounds"] != len(picture.said(own_id, "supplier")):
        yield "its rounds are not the supplier's messages"
    times = [row["created_at"], *(message["created_at"] for message in said)]
    if times != sorted(times):
        yield "times run backwards"
    if ended is (row["ended_at"] is None) or (ended and row["last_error"]):
        yield "neither ended nor active"
    if (row["status"] == "impasse") is (row["reason"] is None):
        yield f"{row['status']}, reason {row['reason']}"
    if row["status"] == "completed":
        last = said[-1]
        offer = said[(last["accepts_seq"] or 0) - 1]
        deal = (offer["move"], offer["terms"], offer["sender"] != last["sender"])
        if last["move"] != "accept" or deal != ("offer", row["agreed_terms"], True):
            yield "agreed on what was not offered"
    elif row["agreed_terms"] is not None:
        yield "agreed terms without an agreement"
    yield from _faults_of_receipts(row, said, picture.asked(own_id))


def _faults_of_receipts(row: Row, said: list[Row], asked: list[Row]) -> Iterator[str]:
    ended = row["status"] != "active"
    taken = sorted((r for r in asked if r["message_seq"]), key=lambda r: r["message_seq"])
    for key, limit in _limits_of(taken).items():
        brief = json.loads(row["mandate"])[key]
        if str(brief["limit"] if isinstance(brief, dict) else brief) != str(limit):
            yield f"{key} is not what a person has set it to"
    for one in asked:
        if one["status"] == "received" and ended:
            yield f"{one['id']}: received in a negotiation that has ended"
        if one["status"] == "applied" and one["action"] != "continue":
            answer = said[one["applied_seq"] - 1]
            if answer["sender"] != "brand" or answer["seq"] <= one["message_seq"]:
                yield f"{one['id']}: applied without an answer"
            if one["action"] == "accept" and answer["accepts_seq"] != one["accepts_seq"]:
                yield f"{one['id']}: another offer was accepted"
        if (one["status"] == "received") is (one["row_hash"] is not None):
            yield f"{one['id']}: {one['status']}, hash {one['row_hash']}"


def _limits_of(asked: list[Row]) -> Row:
    """What a person's limits come to; the newest wins for each."""
    limits: Row = {}
    for one in asked:
        for key, value in json.loads(one["limits"] or "{}").items():
            limits["widget.unit_price" if key == "unit_price" else key] = value
    return limits
