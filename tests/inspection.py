"""An independent look at a database: plain SQL and JSON, and nothing of what wrote it."""

from __future__ import annotations

import json
import re
import sqlite3
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def faults(database: Path) -> list[str]:
    """All that must never be on disk: a breach, a secret told, or a deal on other terms."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.row_factory = sqlite3.Row
        quotes = {row["id"]: dict(row) for row in connection.execute("SELECT * FROM quotes")}
        negotiations = [dict(row) for row in connection.execute("SELECT * FROM negotiations")]
        messages: dict[str, list[Row]] = {row["id"]: [] for row in negotiations}
        for row in connection.execute("SELECT * FROM messages ORDER BY negotiation_id, seq"):
            messages[row["negotiation_id"]].append(dict(row))
        asked: dict[str, list[Row]] = {row["id"]: [] for row in negotiations}
        for row in connection.execute("SELECT * FROM interventions ORDER BY message_seq"):
            asked[row["negotiation_id"]].append(dict(row))
    connection.close()
    return [
        f"{negotiation['id']}: {fault}"
        for negotiation in negotiations
        for fault in (
            *_faults_in(
                quotes[negotiation["quote_id"]],
                negotiation,
                messages[negotiation["id"]],
                asked[negotiation["id"]],
            ),
            *_untrue_receipts(negotiation, messages[negotiation["id"]], asked[negotiation["id"]]),
        )
    ]


def _untrue_receipts(negotiation: Row, messages: list[Row], asked: list[Row]) -> Iterator[str]:
    """Where a receipt and the conversation differ."""
    by_seq = {message["seq"]: message for message in messages}
    users = {message["seq"] for message in messages if message["sender"] == "user"}
    parked = negotiation["status"] == "active" and negotiation["last_error"] is not None
    if [message["seq"] for message in messages] != list(range(1, len(messages) + 1)):
        yield "a message is missing or doubled"
    claimed = [row["message_seq"] for row in asked if row["message_seq"] is not None]
    if sorted(claimed) != sorted(users):
        yield f"user messages {sorted(users)}, but receipts for {sorted(claimed)}"
    for row in asked:
        said, answer = by_seq.get(row["message_seq"]), by_seq.get(row["applied_seq"])
        if row["text"] is not None and said is not None and said["content"] != row["text"]:
            yield f"{row['id']}: its user message says something else"
        if row["status"] == "received" and not parked:
            yield f"{row['id']}: left received in a negotiation that is not parked"
        if row["status"] == "refused" and not row["reason"]:
            yield f"{row['id']}: refused without a reason"
        if row["status"] != "applied" or row["action"] == "continue":
            continue
        if said is None or answer is None or answer["sender"] != "brand":
            yield f"{row['id']}: applied without its two messages"
            continue
        between = [by_seq[seq]["sender"] for seq in range(said["seq"] + 1, answer["seq"])]
        if set(between) - {"user"}:
            yield f"{row['id']}: {between} came before the answer"
        if row["action"] in ("accept", "walk_away") and answer["move"] != row["action"]:
            yield f"{row['id']}: the brand did something else"


def _faults_in(
    quote: Row, negotiation: Row, messages: list[Row], asked: list[Row]
) -> Iterator[str]:
    lines = json.loads(quote["lines"])
    briefs = _briefs(quote, negotiation, lines)
    told: set[Decimal] = set()
    taken = [row for row in asked if row["message_seq"] is not None]
    limits = {row["message_seq"]: json.loads(row["limits"] or "{}") for row in taken}
    texts = {row["message_seq"]: row["text"] or "" for row in taken}
    notes = re.findall(r"\d+(?:\.\d+)?", quote["notes"])
    public = {Decimal(line["quantity"]) for line in lines} | set(map(Decimal, notes))
    names = zip(json.loads(quote["suppliers"]), json.loads(quote["supplier_names"]), strict=True)
    rivals = [name for supplier_id, name in names if supplier_id != negotiation["supplier_id"]]
    standing: dict[str, Row] = {}
    accepts = [message for message in messages if message["move"] == "accept"]
    for message in messages:
        sender, terms = message["sender"], json.loads(message["terms"] or "null")
        if sender == "user":
            told |= _secrets(briefs["brand"], lines)
            told |= set(map(Decimal, re.findall(r"\d+\.\d\d", texts.get(message["seq"], ""))))
            _change(briefs["brand"], limits.get(message["seq"], {}), lines)
            offered = standing.get("brand")
            if offered is not None and [
                *_breaches(json.loads(offered["terms"]), quote, briefs["brand"], "brand", 0)
            ]:
                del standing["brand"]  # withdrawn
            continue
        if terms is not None:
            public |= _amounts(terms["unit_prices"], lines)
        secrets = _secrets(briefs[sender], lines) | (told if sender == "brand" else set())
        yield from _secrets_told(message, secrets - public, rivals)
        if message["move"] == "offer":
            yield from _breaches(terms, quote, briefs[sender], sender, message["seq"])
            standing[sender] = message
        if message["move"] == "accept":
            other = "supplier" if sender == "brand" else "brand"
            for side in (sender, other):
                yield from _breaches(terms, quote, briefs[side], side, message["seq"])
            offer = standing.get(other)
            if offer is None or (offer["seq"], offer["terms"]) != (
                message["accepts_seq"],
                message["terms"],
            ):
                yield f"message {message['seq']} accepts other terms than those that stand"
    agreed = negotiation["agreed_terms"]
    if (negotiation["status"] == "completed") is not bool(accepts):
        yield "it is agreed without an accept, or accepted and not agreed"
    if len(accepts) > 1 or (accepts and accepts[0] is not messages[-1]):
        yield "it goes on after an accept"
    if agreed != (accepts[0]["terms"] if accepts else None):
        yield "the agreed terms are not those of the accept, byte for byte"


def _briefs(quote: Row, negotiation: Row, lines: list[Row]) -> dict[str, Row]:
    """By side: limits and targets by line, the limit in days, the payments."""
    mandate = json.loads(quote["mandate"])
    private = json.loads(negotiation["supplier"])["private"]
    wanted = {line["id"]: mandate[f"{line['id']}.unit_price"] for line in lines}
    listed = {line["id"]: private["prices"][line["product"]] for line in lines}
    return {
        "brand": {
            "limits": {key: Decimal(prices["limit"]) for key, prices in wanted.items()},
            "targets": {key: Decimal(prices["target"]) for key, prices in wanted.items()},
            "days": mandate["lead_time_days"]["limit"],
            "payment": mandate["payment"],
        },
        "supplier": {
            "limits": {key: Decimal(prices["floor"]) for key, prices in listed.items()},
            "targets": {key: Decimal(prices["list"]) for key, prices in listed.items()},
            "days": private["lead_time_days"]["limit"],
            "payment": private["payment"],
        },
    }


def _amounts(unit_prices: Row, lines: list[Row]) -> set[Decimal]:
    prices = [Decimal(unit_prices[line["id"]]) for line in lines]
    totals = [
        (price * Decimal(line["quantity"])).quantize(Decimal("0.01"), ROUND_HALF_UP)
        for price, line in zip(prices, lines, strict=True)
    ]
    return {*prices, *totals, sum(totals, Decimal(0))}


def _breaches(terms: Row, quote: Row, brief: Row, side: str, seq: int) -> Iterator[str]:
    sign = 1 if side == "brand" else -1
    if set(terms) != {"unit_prices", "lead_time_days", "payment"}:
        yield f"message {seq} has other kinds of terms"
    if set(terms["unit_prices"]) != {line["id"] for line in json.loads(quote["lines"])}:
        yield f"message {seq} has other lines than the quote"
        return
    if any(sign * Decimal(price) > sign * brief["limits"][line_id]
           for line_id, price in terms["unit_prices"].items()):  # fmt: skip
        yield f"message {seq} breaks the {side}'s price limit"
    if sign * terms["lead_time_days"] > sign * brief["days"]:
        yield f"message {seq} breaks the {side}'s limit in days"
    if terms["payment"] not in brief["payment"]:
        yield f"message {seq} breaks the {side}'s payments"


def _change(brief: Row, limits: Row, lines: list[Row]) -> None:
    """Put the brand under changed limits; one that passes its target takes it along."""
    for key, value in limits.items():
        if key.endswith("unit_price"):
            line_id = key.rpartition(".")[0] or lines[0]["id"]
            brief["limits"][line_id] = Decimal(value)
            brief["targets"][line_id] = min(brief["targets"][line_id], Decimal(value))
        elif key == "lead_time_days":
            brief["days"] = value
        elif key == "payment":
            brief["payment"] = value


def _secrets(brief: Row, lines: list[Row]) -> set[Decimal]:
    return _amounts(brief["limits"], lines) | _amounts(brief["targets"], lines)


def _secrets_told(message: Row, secrets: set[Decimal], rivals: list[str]) -> Iterator[str]:
    text = unicodedata.normalize("NFKC", message["content"]).replace("\u200b", "")
    for secret in secrets:
        if _is_written(secret, text):
            yield f"message {message['seq']} tells the {message['sender']}'s {secret}"
    if message["sender"] == "brand":
        for rival in rivals:
            if re.search(rf"\b{re.escape(rival)}\b", text, re.IGNORECASE):
                yield f"message {message['seq']} names {rival}"


def _is_written(amount: Decimal, text: str) -> bool:
    """Whether the amount stands in a text, in any of the ways in which amounts are written."""
    full = f"{amount:,.2f}"
    plain = full.replace(",", "")
    forms = {
        full,
        plain,
        plain.replace(".", ","),
        full.replace(",", " "),
        full.replace(",", "'"),
        full.translate(str.maketrans(",.", ".,")),
        re.sub(r"\.?0+$", "", plain),
        full.removesuffix(".00"),
    }
    return any(
        re.search(rf"(?<![\d.,']){re.escape(form)}(?![\d%]|[.,']\d| days| %)", text)
        for form in forms
    )
