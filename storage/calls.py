"""Calls of models: each is on disk before it starts, so that no budget is passed and none is lost.

A call of which the tokens are not known, because it is under way or was cut off, counts with all
that it may cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NewType

from peewee import SqliteDatabase

from storage.database import run
from storage.errors import BudgetReached
from storage.records import Moment, NegotiationId, QuoteId
from storage.rules import Budget
from storage.tables import CallRow, from_row, to_row
from storage.terms.kind import Record, Side

CallId = NewType("CallId", str)
"""Text: `c-` and 16 hexadecimal digits."""

TOKENS = (
    "CASE WHEN prompt_tokens IS NULL OR completion_tokens IS NULL "
    "THEN may_cost_tokens ELSE prompt_tokens + completion_tokens END"
)
SPENT = (
    f"SELECT count(*), coalesce(sum({TOKENS}), 0), "  # noqa: S608
    "coalesce(sum(may_cost_tokens) FILTER (WHERE outcome IS NULL), 0) "
    "FROM calls WHERE outcome IS NOT 'not_sent' AND "
)
SPENDING = (
    "SELECT negotiation_id, count(*), coalesce(sum(prompt_tokens), 0), "
    "coalesce(sum(completion_tokens), 0), sum(prompt_tokens IS NULL OR completion_tokens IS NULL) "
    "FROM calls WHERE quote_id = ? AND outcome IS NOT 'not_sent' GROUP BY negotiation_id"
)


class Outcome(StrEnum):
    """How a call ended."""

    ANSWERED = "answered"
    """With something that can be a move or its words."""
    UNREADABLE = "unreadable"
    """With something that can't."""
    REFUSED = "refused"
    """By the server, for good: the key, the request or the model is wrong."""
    THROTTLED = "throttled"
    """By the server, because it gets too many calls."""
    FAILED = "failed"
    """In the server."""
    MALFORMED = "malformed"
    """The response keeps no protocol."""
    DISCONNECTED = "disconnected"
    """The connection broke, or there was none."""
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    """Nobody waits for it any more."""
    NOT_SENT = "not_sent"
    """It was cancelled before it started, and counts nowhere."""
    LOST = "lost"
    """The engine ended before it did."""


class CallStart(Record):
    """What is known of a call before it starts."""

    id: CallId
    quote_id: QuoteId
    negotiation_id: NegotiationId
    draft_id: str
    side: Side
    """Whose model it is."""
    attempt: int
    """Counts from 1 for each draft."""
    model: str
    """As asked for."""
    prompt_version: str
    may_cost_tokens: int
    """The most that it can cost: the bytes of prompt and schema, and what its answer may have."""
    queued_s: float
    """Seconds that it waited for its turn."""
    created_at: Moment


class CallEnd(Record):
    """What became of a call."""

    id: CallId
    outcome: Outcome
    http_status: int | None = None
    """What the server answered, if it did."""
    model_served: str | None = None
    prompt_tokens: int | None = None
    """None where nobody can say."""
    completion_tokens: int | None = None
    finish_reason: str | None = None
    latency_s: float
    """Seconds from its start to its end."""


class Call(CallStart):
    """One call, as saved."""

    outcome: Outcome | None
    """None while it is under way."""
    http_status: int | None
    model_served: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    finish_reason: str | None
    latency_s: float | None


@dataclass(frozen=True, slots=True)
class Spending:
    """What the calls of a negotiation cost."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unknown: int = 0
    """Calls of which the tokens are not known."""


class Calls:
    """The table `calls` of one database; used inside the store's transactions."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    def start(self, call: CallStart, budget: Budget) -> None:
        """Note that a call starts.

        Raises:
            BudgetReached: It could take the negotiation or its quote over the budget, together with
                what was spent and what the calls under way may cost; nothing was saved.
        """
        self._check("negotiation_id", call.negotiation_id, call, budget.calls, budget.tokens)
        self._check("quote_id", call.quote_id, call, budget.quote_calls, budget.quote_tokens)
        row = to_row(call)
        CallRow.insert(row).bind(self._database).execute()

    def end(self, end: CallEnd) -> None:
        """Note what became of a call."""
        changes = end.model_dump(mode="json", exclude={"id"})
        CallRow.update(changes).where(CallRow.id == end.id).bind(self._database).execute()

    def lose_all(self) -> None:
        """Note that nobody hears any more of what was under way."""
        query = CallRow.update(outcome=Outcome.LOST.value).where(CallRow.outcome.is_null())
        query.bind(self._database).execute()

    def any_open(self) -> bool:
        """Whether calls are under way."""
        query = CallRow.select(CallRow.id).where(CallRow.outcome.is_null()).limit(1)
        return bool(list(query.bind(self._database).tuples()))

    def of(self, negotiation_id: NegotiationId) -> list[Call]:
        """All calls of a negotiation, oldest first."""
        query = CallRow.select().where(CallRow.negotiation_id == negotiation_id)
        query = query.order_by(CallRow.created_at, CallRow.attempt)
        rows: Any = query.bind(self._database).dicts()
        return [from_row(Call, row) for row in rows]

    def spending(self, quote_id: QuoteId) -> dict[NegotiationId, Spending]:
        """What each negotiation of a quote has spent, without those that made no call."""
        rows = run(self._database, SPENDING, quote_id).fetchall()
        return {
            NegotiationId(negotiation_id): Spending(*counts) for negotiation_id, *counts in rows
        }

    def _check(
        self, column: str, owner: str, call: CallStart, calls: int | None, tokens: int | None
    ) -> None:
        if calls is None and tokens is None:
            return
        made, spent, under_way = run(self._database, f"{SPENT} {column} = ?", owner).fetchone()
        if calls is not None and made >= calls:
            raise BudgetReached(owner, f"{calls} calls", is_final=True)
        if tokens is not None and spent + call.may_cost_tokens > tokens:
            is_final = spent - under_way + call.may_cost_tokens > tokens
            raise BudgetReached(owner, f"{tokens} tokens", is_final=is_final)
