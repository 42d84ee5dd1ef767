"""The board for eyes: a line for each negotiation, and below them what they come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from actors.inert import inert
from actors.monitoring.board import Board, Row, Side
from actors.monitoring.board_layout import GAP, layout_for
from actors.monitoring.board_words import amount_words, headline, state_words, totals
from actors.monitoring.moments import age_words, between, moment
from actors.monitoring.sparkline import sparklines
from actors.monitoring.tables import SENDER_STYLES, STATUS_STYLES
from storage.records import Sender

PLAIN, DIM, BOLD = Style.null(), Style.parse("dim"), Style.parse("bold")
BRAND = Style.parse(SENDER_STYLES[Sender.BRAND])
SUPPLIER = Style.parse(SENDER_STYLES[Sender.SUPPLIER])
STATUSES = {status: Style.parse(style) for status, style in STATUS_STYLES.items()}
"""How a status looks; `waiting` looks like nothing in particular."""


@dataclass(frozen=True, slots=True)
class Column:
    """What one column shows of a row."""

    title: str
    width: int
    text: Callable[[Row], str]
    style: Style | None = PLAIN
    """None is that of the row's status."""
    right: bool = False


class BoardTable:
    """The board, as it is when this is printed."""

    def __init__(self, board: Board, title: str = "", *, fits: bool = False) -> None:
        """Choose what of it is shown.

        Args:
            title: What stands above it.
            fits: Whether rows that the terminal is not high enough for are left out.
        """
        self._board = board
        self._title = title
        self._fits = fits

    # lines are made here and not by rich's Table, which takes ten times as long for each row
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        board, width = self._board, options.max_width
        # of what is over, ages are what they were at its end
        now = moment(board.last_at) if board.is_over else datetime.now(UTC)
        foot = [line for text in totals(board, now) for line in text.wrap(console, width)]
        most = len(board.rows)
        if self._fits:
            # also needed: the title, the columns' titles, and what is left out
            most = max(1, console.size.height - len(foot) - 3)
        rows = board.most_urgent(most)
        if self._title:
            words = headline(board, self._title, now)
            yield from _line([Segment(fitted(words, width), BOLD)])
        if rows:
            columns = _columns(rows, width, now)
            yield from _line(Segment(fitted(c.title, c.width, c.right), DIM) for c in columns)
            for row in rows:
                yield from _line(_cell(column, row) for column in columns)
        if left_out := len(board.rows) - len(rows):
            yield from _line([Segment(fitted(f"… and {left_out:,} more", width), DIM)])
        for line in foot:
            line.rstrip()
            yield from line.render(console, end="\n")


def _columns(rows: Sequence[Row], width: int, now: datetime | None) -> list[Column]:
    """As many as there is room for."""
    several = len({row.currency for row in rows if row.currency}) > 1

    def amount(row: Row, side: Side) -> str:
        return amount_words(row.offers[side].last, row.currency if several else "")

    def name(row: Row) -> str:
        return inert(row.supplier_id or row.negotiation_id)

    def offers(side: Side) -> Callable[[Row], str]:
        def shown(row: Row) -> str:
            curves = [each.curve for each in row.offers.values()]
            line = sparklines(curves, layout.spark)[list(row.offers).index(side)]
            last = f" {amount(row, side):>{layout.amount}}" if layout.amount else ""
            return line.ljust(layout.spark) + last

        return shown

    layout = layout_for(
        width,
        names=(cell_len(name(row)) for row in rows),
        amounts=(len(amount(row, side)) for row in rows for side in row.offers),
        offers=(len(side.curve) for row in rows for side in row.offers.values()),
        quotes=len({row.quote_id for row in rows}),
        errors=any(row.error for row in rows),
    )
    columns = [
        Column("supplier", layout.supplier, name),
        Column("negotiation", layout.negotiation, lambda row: inert(row.negotiation_id), DIM),
        Column("quote", layout.quote, lambda row: inert(row.quote_id), DIM),
        Column("brand's", layout.side, offers("brand"), BRAND),
        Column("supplier's", layout.side, offers("supplier"), SUPPLIER),
        Column("rounds", layout.rounds, lambda row: str(row.rounds), right=True),
        Column("age", layout.age, lambda r: age_words(between(r.last_at, now)), DIM, right=True),
        Column("state", layout.state, state_words, None),
    ]
    return [column for column in columns if column.width]


def _cell(column: Column, row: Row) -> Segment:
    status = "parked" if row.error else row.status
    style = STATUSES.get(status) if column.style is None else column.style
    return Segment(fitted(column.text(row), column.width, column.right), style)


def _line(cells: Iterable[Segment]) -> Iterator[Segment]:
    *inner, last = cells
    for cell in inner:
        yield cell
        yield Segment(" " * GAP)
    yield Segment(last.text.rstrip(), last.style)
    yield Segment.line()


def fitted(text: str, width: int, right: bool = False) -> str:
    """Make a text just as many cells wide; what has to be cut ends in `…`."""
    missing = width - cell_len(text)
    if missing < 0:
        return set_cell_size(text, max(0, width - 1)) + "…"
    return " " * missing + text if right else text + " " * missing
