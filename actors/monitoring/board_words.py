"""What the board says in words: the state of a row, an amount, and the totals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.text import Text

from actors.inert import inert
from actors.monitoring.board import STATUSES, Board, Row
from actors.monitoring.moments import age_words, between
from storage.money import read_amount

WORDS = {"completed": "agreed"}
"""What is said of a status, where that is another word."""
MOST_FACTS = 12
"""Facts of a heartbeat that are shown."""
LONGEST_FACT = 40
NO_FACTS = {"ts", "level", "event", "run_id"}


def headline(board: Board, title: str, now: datetime | None) -> str:
    """Such as `parley.….jsonl: running for 12s, 57 lines, the last 3s ago`."""
    lines = f"{board.totals.lines:,} lines"
    if not board.first_at:
        return inert(f"{title}: nothing yet")
    took = age_words(between(board.first_at, now))
    if board.is_over:
        return inert(f"{title}: {board.state} after {took or '?'}, {lines}")
    how = f"{board.state} for {took or '?'}" if board.state == "running" else board.state
    return inert(f"{title}: {how}, {lines}, the last {_ago(board.last_at, now)}")


def state_words(row: Row) -> str:
    """Such as `supplier offer`, `parked: no move within 60 s` or `impasse: no_progress`."""
    match row.status:
        case "active":
            state, why = row.doing or "active", row.error
        case "completed":
            state, why = f"agreed {amount_words(row.agreed, '')}".rstrip(), ""
        case "impasse":
            state, why = "impasse", row.doing
        case _:
            state, why = row.status, row.error
    guided = f" (guided {row.interventions})" if row.interventions else ""
    return inert(f"{state}{guided}: {why}" if why else f"{state}{guided}")


def amount_words(total: str, currency: str) -> str:
    """Such as `39,400.00`; what is no amount stays as it is written."""
    try:
        words = f"{read_amount(total):,f}" if total else ""
    except ValueError:
        words = inert(total)
    return f"{inert(currency)} {words}" if words and currency else words


def totals(board: Board, now: datetime | None) -> Iterator[Text]:
    """What all negotiations come to, and how the system is."""
    statuses = board.statuses()
    told = [f"{count:,} {WORDS.get(s, s)}" for s in STATUSES if (count := statuses[s])]
    currencies = {row.currency for row in board.rows if row.currency}
    money = f" in {inert(*currencies)}" if len(currencies) == 1 else ""
    noun = "negotiation" if len(board.rows) == 1 else "negotiations"
    whole = f"{len(board.rows):,} {noun}{money}" + (f": {', '.join(told)}" if told else "")
    yield Text("; ".join([whole, *_counts(board)]))
    if board.heartbeat:
        at = str(board.heartbeat.get("ts"))
        yield Text(f"heartbeat {_ago(at, now)}: {', '.join(_facts(board))}", style="dim")
    if board.trouble is not None:
        words = f"{board.trouble.event} {_ago(board.trouble.at, now)}: {board.trouble.error}"
        yield Text(inert(words), style="red")


def _counts(board: Board) -> Iterator[str]:
    """What has happened at all, in words."""
    totals = board.totals
    for count, one, several in (
        (totals.messages, "message", "messages"),
        (totals.interventions, "intervention", "interventions"),
        (totals.drafts_refused, "draft refused", "drafts refused"),
        (totals.drafts_failed, "draft failed", "drafts failed"),
        (totals.calls, "model call", "model calls"),
        (totals.prompt_tokens + totals.completion_tokens, "token", "tokens"),
        (totals.lines_unreadable, "line can't be read", "lines can't be read"),
    ):
        if count:
            yield f"{count:,} {one if count == 1 else several}"


def _facts(board: Board) -> Iterator[str]:
    """Whatever a heartbeat says in numbers and words, but for what is 0."""
    facts = [
        (name, fact)
        for name, fact in board.heartbeat.items()
        if name not in NO_FACTS and isinstance(fact, (str, int, float)) and fact
    ]
    for name, fact in facts[:MOST_FACTS]:
        yield inert(f"{name[:LONGEST_FACT]} {str(fact)[:LONGEST_FACT]}")


def _ago(at: str, now: datetime | None) -> str:
    return f"{age} ago" if (age := age_words(between(at, now))) else "once"
