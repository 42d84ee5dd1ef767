"""Board: what the lines of a log say of each negotiation, and of all together.

A line is a mapping as the log has it: `ts`, `event`, then ids and facts. It may come from a file
that anybody has written to, so what is not of the right type counts as not said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Any, Literal

MOST_OFFERS = 16
"""Offers of each side that are kept: the last ones."""
LONGEST_ID = 100
LONGEST_TEXT = 500
HIGHEST = 10**12
"""Amounts and counts from here on are a slip, or hostile."""
ENDED = ("completed", "impasse")
SERIOUS = ("error", "critical")
STATUSES = ("active", "waiting", "parked", *ENDED)

Line = Mapping[str, Any]
Side = Literal["brand", "supplier"]


@dataclass(slots=True)
class Offers:
    """What one side has offered."""

    last: str = ""
    """The last total, as the log has it."""
    curve: list[float] = field(default_factory=list)
    """The last totals, oldest first: heights of a drawing, no money."""

    def add(self, total: object) -> None:
        """Take note of a total, if it is one."""
        try:
            height = float(total) if isinstance(total, str) else -1.0
        except ValueError:
            return
        if 0 <= height < HIGHEST:
            self.last = str(total)[:LONGEST_ID]
            self.curve.append(height)
            del self.curve[:-MOST_OFFERS]


@dataclass(slots=True)
class Row:
    """One negotiation."""

    negotiation_id: str
    quote_id: str = ""
    supplier_id: str = ""
    status: str = "active"
    """`active`, `waiting` to be continued, `parked`, `completed` (agreed), or `impasse`."""
    doing: str = ""
    """What happened last while it is active, such as `brand offer`; why, once it is an impasse."""
    rounds: int = 0
    offers: dict[Side, Offers] = field(
        default_factory=lambda: {"brand": Offers(), "supplier": Offers()}
    )
    currency: str = ""
    agreed: str = ""
    """The total that both have agreed on, as the log has it."""
    interventions: int = 0
    error: str = ""
    """What is wrong now; empty again once it goes on."""
    last_at: str = ""
    """When its last event happened, as the log has it."""

    @property
    def urgency(self) -> int:
        """The lower, the sooner a person should see it."""
        if self.error or self.status == "parked":
            return 0
        return 2 if self.status in ENDED else 1

    def spoke(self, line: Line) -> None:
        """A message is saved."""
        sender = line.get("sender")
        if sender not in ("brand", "supplier"):
            self.doing = "person spoke"
            return
        did = "fallback" if line.get("origin") == "fallback" else _text(line.get("move"))
        # whoever speaks is neither parked nor waiting, nor is what was wrong in the way any more
        self.status, self.doing, self.error = "active", f"{sender} {did}", ""
        self.rounds = _count(line.get("rounds"))
        self.currency = _text(line.get("currency"))[:LONGEST_ID]
        if line.get("move") == "accept":
            self.agreed = _text(line.get("total"))[:LONGEST_ID]
        elif line.get("move") == "offer":
            self.offers["brand" if sender == "brand" else "supplier"].add(line.get("total"))

    def ended(self, line: Line) -> None:
        """It has ended; whatever does not say that it is agreed is an impasse."""
        self.status = "completed" if line.get("status") == "completed" else "impasse"
        self.doing, self.error = _text(line.get("reason")), ""
        if self.status != "completed":
            self.agreed = ""
        self.rounds = _count(line.get("rounds"))

    def failed(self, line: Line) -> None:
        """Something is wrong."""
        self.error = _text(line.get("error")) or "?"


@dataclass(slots=True)
class Totals:
    """What is counted over all negotiations."""

    messages: int = 0
    interventions: int = 0
    drafts_refused: int = 0
    drafts_failed: int = 0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    lines: int = 0
    lines_unreadable: int = 0


@dataclass(slots=True)
class Trouble:
    """The last serious event that belongs to no negotiation."""

    event: str
    error: str
    at: str


class Board:
    """All that is known from a log so far."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self.totals = Totals()
        self.trouble: Trouble | None = None
        self.heartbeat: Line = {}
        """The facts of the last one; empty before the first."""
        self.first_at = ""
        self.last_at = ""
        """When the first and the last event happened, as the log has it."""
        self.state = "running"
        """`running`, `ended`, or `halted`: nothing could be saved any more."""
        self.is_over = False
        """Whether the system has said its last word."""

    @property
    def rows(self) -> Collection[Row]:
        """All negotiations, in the order in which they came."""
        return self._rows.values()

    def most_urgent(self, most: int) -> list[Row]:
        """As many rows as there is room for: trouble, then what goes on, then what has ended.

        They keep the order in which they came, and one that goes on stays until it has ended, so
        that a person who looks at a row does not lose it.
        """
        if most >= len(self._rows):
            return list(self.rows)
        chosen = {id(row) for row in nsmallest(most, self.rows, key=lambda row: row.urgency)}
        return [row for row in self.rows if id(row) in chosen]

    def statuses(self) -> Counter[str]:
        """How many negotiations there are of each status."""
        return Counter(row.status for row in self.rows)

    def hear(self, line: Line | None) -> None:
        """Take note of a line; None is one that can't be read."""
        self.totals.lines += 1
        name, at = (line.get("event"), line.get("ts")) if line else (None, None)
        if line is None or not isinstance(name, str) or not isinstance(at, str):
            self.totals.lines_unreadable += 1
            return
        self.last_at = at = at[:LONGEST_ID]
        self.first_at = self.first_at or at
        row = self._row(line)
        if row is None:
            self._hear(name, line, at)
        else:
            row.last_at = at
            self._hear_of(row, name, line)

    def _hear_of(self, row: Row, name: str, line: Line) -> None:
        match name:
            case "message.saved":
                self.totals.messages += 1
                row.spoke(line)
            case "model.answered" | "model.failed" | "model.cancelled":
                self._called(line)
            case "negotiation.ended":
                row.ended(line)
            case "negotiation.parked":
                row.status = "parked"
                row.failed(line)
            case "negotiation.waiting":
                row.status = "waiting"
            case "negotiation.continued" | "negotiation.taken_up":
                row.status, row.error = "active", ""
            case "draft.refused":
                self.totals.drafts_refused += 1
            case "draft.failed":
                self.totals.drafts_failed += 1
                row.failed(line)
            case "negotiation.unreadable" | "save.refused" | "actor.failed":
                row.failed(line)
            case "intervention.received":
                self.totals.interventions += 1
                row.interventions += 1
            case _:
                pass  # it moved, and that is all that a row shows of it

    def _hear(self, name: str, line: Line, at: str) -> None:
        match name:
            case "system.started":
                # a log file that is named may be used again
                self.state, self.is_over, self.trouble, self.heartbeat = "running", False, None, {}
            case "system.stopped" | "run.finished":
                self.is_over = True
                if self.state == "running":
                    self.state = "ended"
            case "system.heartbeat":
                self.heartbeat = line
            case "system.halted":
                self.state = "halted"
        if line.get("level") in SERIOUS:
            self.trouble = Trouble(name[:LONGEST_ID], _text(line.get("error")), at)

    def _called(self, line: Line) -> None:
        self.totals.calls += 1
        self.totals.prompt_tokens += _count(line.get("gen_ai.usage.input_tokens"))
        self.totals.completion_tokens += _count(line.get("gen_ai.usage.output_tokens"))

    def _row(self, line: Line) -> Row | None:
        """The row of the negotiation that a line is about; None when it is about none."""
        negotiation_id = line.get("negotiation_id")
        if not isinstance(negotiation_id, str) or not 0 < len(negotiation_id) <= LONGEST_ID:
            return None
        row = self._rows.get(negotiation_id)
        if row is None:
            row = self._rows[negotiation_id] = Row(negotiation_id)
        if not row.supplier_id:
            row.supplier_id = _text(line.get("supplier_id"))[:LONGEST_ID]
            row.quote_id = _text(line.get("quote_id"))[:LONGEST_ID]
        return row


def _text(fact: object) -> str:
    return fact[:LONGEST_TEXT] if isinstance(fact, str) else ""


def _count(fact: object) -> int:
    return fact if type(fact) is int and 0 <= fact < HIGHEST else 0
