"""The benchmark of the orchestration: what it prints, and that wrong results never become figures.

Nothing here says how fast anything is, and nothing needs the packages that the peers elsewhere do.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from benchmarks import kept, orchestration
from benchmarks.peers import ceiling, measuring
from benchmarks.peers.group_commit import create
from benchmarks.peers.measuring import Taken
from benchmarks.peers.stored import Stored, WrongResult
from benchmarks.peers.work import MESSAGES, draft, negotiation_ids, sender_of

NEGOTIATIONS = 5
SIDES = ("whole", "ceiling", "pykka_threads")
SPOILT = {
    "a message is missing": "DELETE FROM messages WHERE id = 7",
    "a message too many": """
        INSERT INTO messages (negotiation_id, seq, sender, move, content, terms, created_at)
        SELECT negotiation_id, 11, sender, move, content, terms, created_at FROM messages
        WHERE seq = 1 AND negotiation_id = 'n-0'
    """,
    "one was written before its turn": """
        UPDATE messages SET id = -id WHERE negotiation_id = 'n-1' AND seq = 4
    """,
    "the same side speaks twice": """
        UPDATE messages SET sender = 'brand' WHERE negotiation_id = 'n-2' AND seq = 6
    """,
    "a number is left out": """
        UPDATE messages SET seq = 11 WHERE negotiation_id = 'n-3' AND seq = 10
    """,
    "other words than were said": "UPDATE messages SET content = 'Yes.' WHERE id = 3",
    "another move than was made": "UPDATE messages SET move = 'talk' WHERE id = 3",
    "other terms than were offered": """
        UPDATE messages SET terms = replace(terms, '"lead_time_days": 40', '"lead_time_days": 41')
        WHERE negotiation_id = 'n-3' AND seq = 5
    """,
    "an offer without terms": "UPDATE messages SET terms = '{}' WHERE id = 3",
    "a negotiation has not ended": """
        UPDATE negotiations SET ended_at = NULL WHERE id = 'n-4'
    """,
    "a negotiation fell silent": "DELETE FROM messages WHERE negotiation_id = 'n-4'",
}


def command(*given: str) -> list[dict[str, Any]]:
    """What the one command prints."""
    script = [sys.executable, orchestration.__file__, *given]
    printed = subprocess.run(script, check=True, capture_output=True, text=True, timeout=60)
    return [json.loads(line) for line in printed.stdout.splitlines()]


def played(folder: Path) -> Path:
    """A database that the ceiling has written."""
    database = folder / "negotiations.db"
    ceiling.run(database, NEGOTIATIONS, 0.0)
    return database


def test_each_side_does_the_work_and_gets_its_figures() -> None:
    (result,) = command(
        "only=cpu_per_message",
        f"sides={','.join(SIDES)}",
        f"negotiations={NEGOTIATIONS}",
        "runs=1",
    )

    assert result["benchmark"] == "cpu_per_message"
    assert (result["negotiations"], result["messages_each"], result["runs"]) == (5, MESSAGES, 1)
    for side in SIDES:
        assert result[f"{side}_cpu_ms"] > 0
        assert result[f"{side}_messages_per_s"] > 0
    assert "autogen_core" not in result


def test_waits_are_measured_against_the_ideal_and_memory_for_each_negotiation() -> None:
    short, many = command(
        "only=short_waits,ten_thousand",
        "sides=ceiling",
        f"negotiations={NEGOTIATIONS}",
        "move_s=0.001",
        "runs=1",
    )

    assert 0 < short["ceiling_ideal_to_wall"] <= 1
    assert 0 < many["ceiling_ideal_to_wall"] <= 1
    assert "ceiling_kib_per_negotiation" in many


def test_the_sides_take_turns_and_a_slow_one_only_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order: list[str] = []

    def play(_python: Path, side: str, negotiations: int, move_s: float) -> dict[str, float]:
        order.append(side)
        return {"wall_s": 1.0 + len(order), "cpu_s": 1.0, "peak_kib": 100.0}

    monkeypatch.setattr(orchestration, "play", play)
    sides = ("whole", "autogen_core", "langgraph")
    measurement = orchestration.Measurement(
        "short_waits", sides, 10, 0.5, runs=2, once=("langgraph",)
    )

    taken = orchestration.turns(measurement, dict.fromkeys(sides, Path(sys.executable)))

    assert order == ["whole", "autogen_core", "langgraph", "whole", "autogen_core"]
    result = orchestration.result(measurement, taken)
    assert result["whole_ideal_to_wall"] == pytest.approx((5 / 2 + 5 / 5) / 2)
    assert result["langgraph_ideal_to_wall"] == 1.25


def test_the_ratio_is_that_of_the_same_turn() -> None:
    measurement = orchestration.Measurement(
        "cpu_per_message", ("whole", "autogen_core"), 100, 0.0, runs=3
    )
    walls = [(1.0, 2.0), (10.0, 40.0), (2.0, 20.0)]
    taken = [
        {
            "whole": {"wall_s": whole, "cpu_s": 0.5},
            "autogen_core": {"wall_s": autogen, "cpu_s": 1.5},
        }
        for whole, autogen in walls
    ]

    result = orchestration.result(measurement, taken)

    assert result["whole_to_autogen_core"] == 4.0
    assert result["whole_cpu_ms"] == 0.5
    assert result["whole_messages_per_s"] == 500
    assert result["autogen_core"] == orchestration.PINNED["autogen-core"]


def test_an_unknown_side_is_refused() -> None:
    script = [sys.executable, orchestration.__file__, "sides=hole"]

    refused = subprocess.run(script, capture_output=True, text=True, timeout=60)

    assert refused.returncode != 0
    assert "hole is none of whole, ceiling" in refused.stderr


def test_a_result_is_kept_only_when_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kept, "KEPT", tmp_path / "results")

    kept.publish({"benchmark": "x", "median_ms": 1.5})
    assert not (tmp_path / "results").exists()

    kept.publish({"benchmark": "x", "median_ms": 1.5}, ["--keep"])
    assert kept.kept("x")["median_ms"] == 1.5
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_what_the_work_should_leave_is_accepted(tmp_path: Path) -> None:
    Stored.read(played(tmp_path)).check(NEGOTIATIONS)


@pytest.mark.parametrize("sql", SPOILT.values(), ids=SPOILT.keys())
def test_anything_else_is_refused(tmp_path: Path, sql: str) -> None:
    database = played(tmp_path)
    with closing(sqlite3.connect(database)) as connection, connection:
        assert connection.execute(sql).rowcount > 0

    with pytest.raises(WrongResult):
        Stored.read(database).check(NEGOTIATIONS)


def test_another_number_of_negotiations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongResult):
        Stored.read(played(tmp_path)).check(NEGOTIATIONS + 1)


def lazy(database: Path, negotiations: int, _move_s: float) -> Taken:
    """A very fast side."""
    create(database, negotiation_ids(negotiations))
    return Taken()


def test_a_side_that_leaves_the_work_undone_prints_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["lazy.py", "5", "0"])

    with pytest.raises(WrongResult):
        measuring.report(lazy)

    assert not capsys.readouterr().out


def test_every_message_is_on_disk_before_the_next_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "negotiations.db"
    before: list[int] = []

    async def next_move(seq: int, _move_s: float) -> Any:
        with closing(sqlite3.connect(database)) as connection:
            before.append(connection.execute("SELECT count(*) FROM messages").fetchone()[0])
        return draft(seq)

    monkeypatch.setattr(ceiling, "next_move", next_move)

    ceiling.run(database, 1, 0.0)

    assert before == list(range(MESSAGES))


def test_the_words_are_about_400_characters_in_turn() -> None:
    said = [draft(seq) for seq in range(1, MESSAGES + 1)]

    assert all(350 < len(each.text) < 450 for each in said)
    assert [sender_of(seq) for seq in (1, 2, 3)] == ["brand", "supplier", "brand"]
    assert [bool(each.terms) for each in said] == [True] * 9 + [False]
