"""The board for eyes: what a line has room for, from a narrow terminal to a wide one."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from log_lines import ended, ids, line, parked, saved
from rich.cells import cell_len
from test_monitoring import printed

from actors.inert import visible
from actors.monitoring.board import Board
from actors.monitoring.board_layout import GAP, layout_for
from actors.monitoring.board_table import BoardTable
from actors.monitoring.moments import age_words, between, moment
from actors.monitoring.sparkline import sparklines
from actors.monitoring.tables import console

HOSTILE = "[red]\x1b]0;x\x07\N{RIGHT-TO-LEFT OVERRIDE}"
STOPPED = line("system.stopped", 60)
TWO_SIDES = [
    saved(1, "brand", 1, total="35000.00", rounds=0),
    saved(1, "supplier", 2, total="43500.00"),
    saved(1, "brand", 30, total="36000.00"),
]


def board_of(*lines: dict[str, Any]) -> Board:
    board = Board()
    for each in lines:
        board.hear(each)
    return board


def table(*lines: dict[str, Any], width: int = 80, title: str = "") -> list[str]:
    """What stands on the lines of a terminal."""
    return printed(BoardTable(board_of(*lines), title), width).splitlines()


def test_eighty_columns_have_room_for_both_sides_offers() -> None:
    assert table(*TWO_SIDES, STOPPED, title="x.jsonl") == [
        "x.jsonl: ended after 59s, 4 lines",
        "supplier    brand's          supplier's       rounds   age  state",
        "supplier-1  ▁▂    36,000.00  █     43,500.00       1   30s  brand offer",
        "1 negotiation in USD: 1 active; 3 messages",
    ]


def test_two_hundred_columns_have_room_for_ids_too() -> None:
    several = saved(2, "brand", quote_id="q-000000000000000b")

    titles, first, second, _ = table(*TWO_SIDES, several, STOPPED, width=200)

    for shown in ("negotiation", "quote", "brand's", "supplier's", "rounds", "age", "state"):
        assert f" {shown} " in f"{titles} "
    for shown in ("n-0000000000000001", "q-000000000000000a", "36,000.00", "43,500.00"):
        assert shown in first
    assert "q-000000000000000b" in second


def test_what_is_wrong_has_room_before_amounts_have() -> None:
    why = "no move within 60.0 s, asked 3 times"

    narrow, wide = (table(*TWO_SIDES, parked(1, why), STOPPED, width=w)[1] for w in (80, 200))

    assert narrow.endswith("  parked: no move within 60.0 s…")
    assert "36,000.00" not in narrow
    assert wide.endswith(f"parked: {why}")
    assert "36,000.00" in wide


@pytest.mark.parametrize("width", [1, 2, 9, 14, 20, 40, 60, 79, 80, 81, 100, 120, 200, 400])
def test_no_line_is_longer_than_the_terminal_and_a_row_is_one_line(width: int) -> None:
    long = saved(2, "brand", supplier_id="供应商" * 20, total="123456789012.123456")
    lines = table(*TWO_SIDES, long, parked(1, "x" * 300), STOPPED, width=width, title="x" * 300)

    assert max(map(cell_len, lines)) <= width
    assert sum("…" in each for each in lines) <= 4
    assert [each for each in lines if each.endswith(" ")] == []
    if width >= 40:
        assert sum(each.startswith("supplier") for each in lines) == 2  # the titles, one row


@given(
    width=st.integers(min_value=1, max_value=300),
    name=st.integers(min_value=0, max_value=40),
    amount=st.integers(min_value=0, max_value=30),
    offers=st.integers(min_value=0, max_value=16),
    quotes=st.integers(min_value=1, max_value=2),
    errors=st.booleans(),
)
def test_the_columns_fill_the_line_exactly(
    width: int, name: int, amount: int, offers: int, quotes: int, errors: bool
) -> None:
    layout = layout_for(
        width, names=[name], amounts=[amount], offers=[offers], quotes=quotes, errors=errors
    )

    one_sided = (layout.supplier, layout.negotiation, layout.quote, layout.rounds, layout.age)
    cells = [each for each in (*one_sided, layout.side, layout.side, layout.state) if each]
    assert sum(cells) + GAP * (len(cells) - 1) == width


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
def test_the_state_is_never_left_out(width: int) -> None:
    assert "brand offer" in table(*TWO_SIDES, width=width)[1]


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        ([ended(1)], "agreed"),
        ([saved(1, "brand", move="accept", total="36000.00"), ended(1)], "agreed 36,000.00"),
        ([ended(1, status="impasse", reason="max_rounds")], "impasse: max_rounds"),
        ([line("negotiation.waiting", **ids(1))], "waiting"),
        ([line("intervention.received", **ids(1))], "brand offer (guided 1)"),
        ([line("draft.failed", **ids(1), error="HTTP 503")], "brand offer: HTTP 503"),
        ([parked(1, "x\x1b[2J\ny")], r"parked: x\x1b[2J\ny"),
    ],
)
def test_a_state_is_said_in_words(lines: list[dict[str, Any]], state: str) -> None:
    assert table(*TWO_SIDES, *lines, width=120)[1].endswith(f"  {state}")


def test_currencies_are_named_where_there_are_several() -> None:
    both = table(*TWO_SIDES, saved(2, "brand", currency="JPY", total="900"), width=120)

    assert "USD 36,000.00" in both[1]
    assert "JPY 900" in both[2]
    assert both[3].startswith("2 negotiations: 2 active")


def test_an_amount_that_is_none_stands_as_it_was_written() -> None:
    for total, words in (("1_0", "1_0"), ("5\n", r"5\n")):
        assert f" {words} " in table(saved(1, "brand", total=total))[1]


def test_a_row_without_a_currency_makes_no_second_one() -> None:
    unreadable = line("negotiation.unreadable", negotiation_id="n-2", error="damaged")

    _, first, second, totals = table(*TWO_SIDES, unreadable, width=120)

    assert "USD" not in first
    assert second.startswith("n-2")
    assert second.endswith("active: damaged")
    assert "2 negotiations in USD" in totals


def test_what_is_wrong_is_red() -> None:
    failed = line("draft.failed", **ids(1), error="HTTP 503")
    out = io.StringIO()
    terminal = console(file=out, width=120, force_terminal=True, color_system="standard")

    terminal.print(BoardTable(board_of(*TWO_SIDES, failed, saved(2, "brand"))))

    _, first, second, _ = out.getvalue().splitlines()
    assert first.endswith("\x1b[31mbrand offer: HTTP 503\x1b[0m")
    assert second.endswith("\x1b[36mbrand offer\x1b[0m")


@pytest.mark.parametrize(
    "lines",
    [
        *(
            [saved(1, "brand", **{fact: HOSTILE})]
            for fact in ("supplier_id", "negotiation_id", "currency", "move")
        ),
        [saved(1, "brand"), saved(2, "brand", quote_id=HOSTILE)],
        [saved(1, "brand"), saved(2, "brand", currency=HOSTILE)],
        [saved(1, "brand"), saved(1, "brand", move="accept", total=HOSTILE), ended(1)],
        [ended(1, status="impasse", reason=HOSTILE)],
        [parked(1, HOSTILE)],
        [line("system.heartbeat", **{HOSTILE: 1})],
        [line("system.heartbeat", active=HOSTILE)],
        [line(HOSTILE, level="error")],
        [line("system.halted", level="critical", error=HOSTILE)],
    ],
)
def test_hostile_text_is_shown_and_not_obeyed(lines: list[dict[str, Any]]) -> None:
    (shown,) = (each for each in table(*lines, width=300) if r"\x1b" in each)

    assert r"[red]\x1b]0;x\x07" in shown
    assert visible(shown, keep="") == shown


def test_rows_that_do_not_fit_are_counted() -> None:
    board = board_of(*(saved(n, "brand") for n in range(100)), parked(70, "x"))
    out = io.StringIO()
    screen = console(file=out, width=80, height=10, force_terminal=True, color_system=None)

    screen.print(BoardTable(board, "x", fits=True))

    shown = out.getvalue().splitlines()
    assert len(shown) == 10
    assert [each.split()[0] for each in shown[2:8]] == [
        *(f"supplier-{n}" for n in range(5)),
        "supplier-70",
    ]
    assert shown[8:] == [
        "… and 94 more",
        "100 negotiations in USD: 99 active, 1 parked; 100 messages",
    ]


def test_totals_a_heartbeat_and_what_is_serious_stand_below() -> None:
    beat = line("system.heartbeat", 10, active=1, parked=0, oldest_draft_s=2.5, run_id="r")
    beat |= {"nested": {"a": 1}}
    halted = line("system.halted", 20, level="critical", error="disk\x1b full")

    *_, totals, heartbeat, trouble = table(*TWO_SIDES, beat, halted, STOPPED, width=120)

    assert totals == "1 negotiation in USD: 1 active; 3 messages"
    assert heartbeat == "heartbeat 50s ago: active 1, oldest_draft_s 2.5"
    assert trouble == r"system.halted 40s ago: disk\x1b full"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "x: nothing yet"),
        ([line("system.started", 1), line("run.finished", 13)], "x: ended after 12s, 2 lines"),
        ([line("system.started", 1)], "x: running for "),
    ],
)
def test_the_headline_says_how_it_stands(lines: list[dict[str, Any]], words: str) -> None:
    assert table(*lines, title="x")[0].startswith(words)


def test_sides_share_one_scale_so_that_the_gap_is_seen_to_close() -> None:
    assert sparklines([[1, 2, 3], [8, 6, 4]], 3) == ["▁▂▃", "█▆▄"]
    assert sparklines([[1, 2, 3], [8, 6, 4]], 2) == ["▁▃", "█▅"]
    assert sparklines([[], [7]], 3) == ["", "▁"]
    assert sparklines([[], []], 3) == ["", ""]


def test_a_time_without_a_zone_is_utc_wherever_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()

    read = moment("2026-01-02T12:00:00")

    monkeypatch.undo()
    time.tzset()
    assert read == moment("2026-01-02T12:00:00Z")


@pytest.mark.parametrize(
    ("later", "words"),
    [
        ("2026-01-02T12:00:00Z", "0s"),
        ("2026-01-02T11:00:00Z", "0s"),
        ("2026-01-02T12:00:59.9Z", "59s"),
        ("2026-01-02T12:59:59", "59m"),
        ("2026-01-02T14:00:00+02:00", "0s"),
        ("2026-01-03T11:00:00Z", "23h"),
        ("2026-01-09T12:00:00Z", "7d"),
        ("9999-12-31T23:59:59Z", "999d"),
        ("9999-12-31T23:59:59-23:59", ""),
        ("soon", ""),
    ],
)
def test_an_age_takes_four_characters_at_most(later: str, words: str) -> None:
    assert age_words(between("2026-01-02T12:00:00Z", moment(later))) == words
    assert age_words(between("soon", moment(later))) == ""
