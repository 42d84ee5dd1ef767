"""The board: what a log's lines say, whoever has written them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_lines import ended, ids, line, parked, saved
from rich.cells import cell_len
from test_monitoring import printed

from actors.config import load_config
from actors.events import Event
from actors.inert import visible
from actors.monitoring.board import MOST_OFFERS, Board, Row
from actors.monitoring.board_record import board_record
from actors.monitoring.board_table import BoardTable
from actors.system import NegotiationSystem


def board_of(*lines: dict[str, Any] | None) -> Board:
    board = Board()
    for each in lines:
        board.hear(each)
    return board


def row_of(*lines: dict[str, Any] | None) -> Row:
    (row,) = board_of(*lines).rows
    return row


# What is told


def test_the_board_agrees_with_the_database_on_a_real_run(tmp_path: Path) -> None:
    log = tmp_path / "x.jsonl"
    with NegotiationSystem.start(load_config(), database=tmp_path / "x.db", log_file=log) as system:
        quote = system.create_quote()
        system.start_negotiations(quote.id)
        negotiations = system.wait(quote.id, timeout_s=60)
        messages = {each.id: system.messages(each.id) for each in negotiations}

    board = board_of(*map(json.loads, log.read_text().splitlines()))

    assert board.is_over
    assert board.totals.messages == sum(map(len, messages.values()))
    assert board.totals.lines_unreadable == 0
    told = {row["id"]: row for row in board_record(board)["negotiations"]}
    for each in negotiations:
        assert each.agreed_terms is not None
        row = told[each.id]
        assert (row["supplier_id"], row["quote_id"]) == (each.supplier_id, quote.id)
        assert (row["status"], row["reason"], row["rounds"]) == ("completed", None, each.rounds)
        assert row["total"] == str(quote.request.total(each.agreed_terms))
        for sender in ("brand", "supplier"):
            offers = [
                str(quote.request.total(message.terms))
                for message in messages[each.id]
                if message.sender == sender and message.move == "offer" and message.terms
            ]
            assert row[f"{sender}_offer"] == offers[-1]


def test_each_side_has_its_last_offers() -> None:
    offers = [saved(1, "brand", total=f"{n}.00") for n in range(MOST_OFFERS + 5)]

    row = row_of(*offers, saved(1, "supplier", total="900.00", rounds=7))

    assert row.offers["brand"].last == f"{MOST_OFFERS + 4}.00"
    assert row.offers["brand"].curve == [*range(5, MOST_OFFERS + 5)]
    assert row.offers["supplier"].curve == [900]
    assert row.rounds == 7


def test_an_accept_is_no_offer_and_says_what_was_agreed() -> None:
    row = row_of(
        saved(1, "supplier", total="700.00"),
        saved(1, "brand", move="accept", total="700.00"),
        ended(1),
    )

    assert row.offers["brand"].last == ""
    assert (row.status, row.agreed) == ("completed", "700.00")


def test_an_accept_that_did_not_end_it_so_is_no_agreement() -> None:
    lines = saved(1, "brand", move="accept"), ended(1, status="impasse", reason="cancelled")

    assert row_of(*lines).agreed == ""


def test_an_impasse_says_why() -> None:
    row = row_of(saved(1, "brand"), ended(1, status="impasse", reason="no_progress"))

    assert (row.status, row.doing) == ("impasse", "no_progress")


@pytest.mark.parametrize(
    "onward",
    [
        saved(1, "brand"),
        line("negotiation.continued", **ids(1)),
        line("negotiation.taken_up", **ids(1)),
        ended(1),
    ],
)
def test_what_was_wrong_is_forgotten_once_it_goes_on(onward: dict[str, Any]) -> None:
    failed = line("draft.failed", **ids(1), error="HTTP 503", side="brand")
    trouble = parked(1, "no move within 60 s")

    assert row_of(failed).error == "HTTP 503"
    assert (row_of(failed, trouble).status, row_of(trouble).error) == (
        "parked",
        "no move within 60 s",
    )
    row = row_of(failed, trouble, onward)
    assert (row.status != "parked", row.error) == (True, "")


def test_who_waits_to_be_continued_is_seen_to() -> None:
    assert row_of(saved(1, "brand"), line("negotiation.waiting", **ids(1))).status == "waiting"


def test_a_person_who_has_spoken_is_seen_in_the_row() -> None:
    heard = line("intervention.received", **ids(1), intervention_id="i-1", during="idle")

    row = row_of(saved(1, "brand"), heard, saved(1, "user", move=None, total=None))

    assert (row.interventions, row.doing) == (1, "person spoke")
    assert row.offers["brand"].last == "500.00"


def test_a_move_that_tactics_made_for_a_model_is_called_so() -> None:
    assert row_of(saved(1, "supplier", origin="fallback")).doing == "supplier fallback"


def test_a_row_has_the_age_of_its_last_event_whatever_that_was() -> None:
    row = row_of(saved(1, "brand", 1), line("something.new", 9, **ids(1)))

    assert row.last_at.endswith("12:00:09.000000Z")
    assert row.doing == "brand offer"


def test_everything_is_counted() -> None:
    call = {"gen_ai.usage.input_tokens": 700, "gen_ai.usage.output_tokens": 30}
    board = board_of(
        saved(1, "brand"),
        line("intervention.received", **ids(1)),
        line("draft.refused", **ids(1)),
        line("draft.failed", **ids(1), error="x"),
        line("model.answered", **ids(1), **call),
        line("model.failed", **ids(1)),
        line("model.cancelled", **ids(1)),
        None,
    )

    assert board_record(board)["totals"] == {
        **dict.fromkeys(["active", "messages", "interventions", "lines_unreadable"], 1),
        **dict.fromkeys(["drafts_refused", "drafts_failed"], 1),
        **dict.fromkeys(["waiting", "parked", "completed", "impasse"], 0),
        "calls": 3,
        "prompt_tokens": 700,
        "completion_tokens": 30,
        "lines": 8,
    }


@pytest.mark.parametrize(
    ("events", "state", "is_over"),
    [
        ([], "running", False),
        (["system.stopped"], "ended", True),
        (["run.finished"], "ended", True),
        (["system.halted"], "halted", False),
        (["system.halted", "system.stopped", "run.finished"], "halted", True),
        (["system.stopped", "system.started"], "running", False),
    ],
)
def test_the_last_word_of_a_system_is_known(events: list[str], state: str, is_over: bool) -> None:
    board = board_of(line("system.started"), *map(line, events))

    assert (board.state, board.is_over) == (state, is_over)


def test_what_is_serious_for_all_is_told_until_a_system_starts_anew() -> None:
    retried = line("save.retried", 3, level="error", error="disk full")

    board = board_of(line("system.started"), retried, saved(1, "brand", 4))
    assert board.trouble is not None
    assert (board.trouble.event, board.trouble.error) == ("save.retried", "disk full")
    board.hear(line("system.started"))
    assert board.trouble is None


def test_rows_for_which_there_is_room_are_the_most_urgent_in_the_order_in_which_they_came() -> None:
    board = board_of(*(saved(n, "brand") for n in range(6)), ended(0), ended(4), parked(5, "x"))

    def suppliers(most: int) -> list[str]:
        return [row.supplier_id[-1] for row in board.most_urgent(most)]

    assert suppliers(1) == ["5"]
    assert suppliers(3) == ["1", "2", "5"]
    assert suppliers(5) == ["0", "1", "2", "3", "5"]
    assert suppliers(6) == suppliers(600) == ["0", "1", "2", "3", "4", "5"]


def test_a_row_that_goes_on_stays_however_busy_others_are() -> None:
    board = board_of(*(saved(n, "brand") for n in range(4)))
    before = board.most_urgent(2)

    board.hear(saved(3, "supplier", 50))

    assert board.most_urgent(2) == before


# What is hostile


@pytest.mark.parametrize(
    "hostile",
    [
        None,
        {},
        {"event": "message.saved"},
        {"event": 7, "ts": "2026-01-02T12:00:00Z"},
        {"event": "message.saved", "ts": 7},
    ],
)
def test_a_line_that_is_none_is_counted_and_changes_nothing(hostile: Any) -> None:
    board = board_of(saved(1, "brand"), hostile)

    assert (board.totals.lines, board.totals.lines_unreadable) == (2, 1)
    assert board.last_at == "2026-01-02T12:00:00.000000Z"


@pytest.mark.parametrize("negotiation_id", [None, 7, "", "n" * 101, ["n-1"], {}])
def test_a_line_without_a_proper_id_makes_no_row(negotiation_id: Any) -> None:
    assert not board_of(saved(1, "brand") | {"negotiation_id": negotiation_id}).rows


@pytest.mark.parametrize("total", [None, 7, "", "nan", "inf", "-1", "1e12", "ten", ["1"], 1e999])
def test_what_is_no_amount_is_no_offer(total: Any) -> None:
    row = row_of(saved(1, "brand", total="500.00"), saved(1, "brand", total=total))

    assert (row.offers["brand"].last, row.offers["brand"].curve) == ("500.00", [500])


@pytest.mark.parametrize("count", [None, "7", -1, 10**12, True, 1.5, [7]])
def test_what_is_no_count_counts_as_none(count: Any) -> None:
    call = {"gen_ai.usage.input_tokens": count, "gen_ai.usage.output_tokens": count}
    board = board_of(saved(1, "brand", rounds=count), line("model.answered", **ids(1), **call))

    assert [row.rounds for row in board.rows] == [0]
    assert (board.totals.prompt_tokens, board.totals.completion_tokens) == (0, 0)


def test_what_is_endless_is_cut() -> None:
    endless = "x" * 100_000
    row = row_of(
        saved(1, "brand", supplier_id=endless, quote_id=endless),
        saved(1, "brand", move="accept", total=endless),
        saved(1, "brand", move=endless, currency=endless, total="0" * 100_000),
        parked(1, endless) | {"ts": endless},
    )

    kept = [row.doing, row.currency, row.supplier_id, row.quote_id, row.error, row.last_at]
    assert all(len(text) < 600 for text in [*kept, row.agreed, row.offers["brand"].last])


def event_names(kind: type[Event] = Event) -> Iterator[str]:
    for each in kind.__subclasses__():
        if "name" in vars(each):
            yield each.name
        yield from event_names(each)


FACTS = [
    *("ts", "level", "quote_id", "negotiation_id", "supplier_id", "sender", "move", "origin"),
    *("rounds", "total", "currency", "status", "reason", "error", "depths"),
    *("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"),
]
WORDS = ["2026-01-02T12:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "n-1"]
SAID = ["brand", "supplier", "offer", "accept", "completed", "1e11", "12.50", "٣", "error", "USD"]
VALUES = st.recursive(
    st.sampled_from(WORDS + SAID)
    | st.text()
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.integers(min_value=10**300, max_value=10**301),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=3,
)
EVENTS = st.sampled_from([*event_names(), "something.new"])
PROPER = [saved(1, "brand"), saved(1, "supplier", move="accept"), ended(1), parked(1, "x")]
LINES = st.builds(
    lambda proper, event, facts: {**proper, **event, **facts},
    st.sampled_from(PROPER),
    st.just({}) | st.builds(lambda name: {"event": name}, EVENTS),
    st.dictionaries(st.sampled_from(FACTS) | st.text(), VALUES, max_size=4),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, max_size=8), st.integers(min_value=1, max_value=220))
def test_no_line_of_any_content_breaks_the_board_or_steers_a_terminal(
    lines: list[dict[str, Any]], width: int
) -> None:
    board = board_of(*lines)

    shown = printed(BoardTable(board, "x\x1b[2J"), width)

    assert json.dumps(board_record(board))
    assert visible(shown, keep="\n") == shown
    assert max(map(cell_len, shown.splitlines())) <= width
