"""Sheets: what a look has found, for eyes; what was shown on one may be accepted."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import RenderableType

from actors.acting import Acting
from actors.errors import ParleyError
from actors.inert import inert
from actors.monitoring.positions import Position
from actors.monitoring.tables import as_text
from storage.records import NegotiationId, QuoteId

MOST_ROWS = 50
"""Rows that a table shows: one row is read in some 2 ms."""
ANSWER_S = 1.0
"""Seconds that a look waits for the system to say what moves."""

Seen = dict[NegotiationId, int]
"""The supplier's standing offer that a person saw last, by its seq."""


class Sheet:
    """What a look has found: `repr` and `print` show it, `positions` are for programs."""

    def __init__(self, view: RenderableType, positions: tuple[Position, ...], seen: Seen) -> None:
        self.positions = positions
        """Where each negotiation stood; at most 50 of them."""
        self._view = view
        self._seen = seen

    def __rich__(self) -> RenderableType:
        self._is_shown()
        return self._view

    def __repr__(self) -> str:
        self._is_shown()
        return as_text(self._view)

    def _is_shown(self) -> None:
        """Take note of what may be accepted from now on."""
        for one in self.positions:
            if one.supplier is not None:
                self._seen[one.negotiation.id] = one.supplier.seq


def moving_of(system: Acting, quote_id: QuoteId) -> tuple[frozenset[NegotiationId] | None, str]:
    """Which negotiations move; None where nobody knows, and why."""
    try:
        return system.moving(quote_id, ANSWER_S), ""
    except ParleyError as error:
        return None, str(error)
    except TimeoutError:
        return None, f"the system did not answer within {ANSWER_S:g} s"


def told(tell: Callable[[], str], name: str) -> str:
    """What is told, or a short line instead: nobody's prompt may break by looking at something."""
    try:
        return tell()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        return inert(f"<{name}: {type(error).__name__}: {error}>")
