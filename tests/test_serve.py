"""One engine and many other processes: each thing asked for is done once, and nothing is lost."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from serving import (
    ENVIRONMENT,
    PATIENCE_S,
    ROOT,
    Engine,
    command,
    locked,
    negotiations_of,
    new_quote,
    parley,
    serving,
    sql,
    until,
)
from verified import faults

from actors.errors import InterventionError
from actors.reception import receive
from storage.errors import NegotiationNotActive
from storage.lock import Engine as Running
from storage.lock import runs_on
from storage.store import Store

SENDERS, EACH = 4, 125
LONG = {"PARLEY_RULES__MAX_ROUNDS": "25", "PARLEY_RULES__NO_PROGRESS_ROUNDS": "0"}
"""Negotiations that last."""
SLOW = ("--pace", "0.02")
STANDSTILL = ("--pace", "30")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with serving(tmp_path, *SLOW, **LONG) as engine:
        yield engine


def receipts(folder: Path) -> dict[str, tuple[str, str | None]]:
    """The status and the reason of every row, by its id."""
    rows = sql(folder, "SELECT id, status, reason FROM interventions")
    return {row_id: (status, reason) for row_id, status, reason in rows}


def insert(folder: Path, negotiation_id: str, **columns: Any) -> str:
    """Insert an intervention as another program does; its id."""
    names = ", ".join(["negotiation_id", *columns])
    marks = ", ".join("?" * (1 + len(columns)))
    statement = f"INSERT INTO interventions ({names}) VALUES ({marks}) RETURNING id"  # noqa: S608
    ((row_id,),) = sql(folder, statement, negotiation_id, *columns.values())
    return str(row_id)


def settled(folder: Path, row_id: str) -> tuple[str, str | None]:
    """What became of a row, as soon as it is settled."""

    def look() -> tuple[str, str | None] | None:
        receipt = receipts(folder)[row_id]
        return None if receipt[0] == "received" else receipt

    receipt = until(look)
    assert receipt is not None
    return receipt


def end_all(folder: Path) -> None:
    """Cancel what is not over, and wait until the engine has obeyed."""
    for (quote_id,) in sql(folder, "SELECT id FROM quotes WHERE status = 'negotiating'"):
        sql(folder, "UPDATE quotes SET status = 'cancelled' WHERE id = ?", quote_id)
    until(lambda: not sql(folder, "SELECT 1 FROM negotiations WHERE status = 'active'"))


# Being an engine


def test_it_says_in_one_line_when_it_is_ready_and_ends_0_on_sigterm(tmp_path: Path) -> None:
    with serving(tmp_path) as engine:
        assert engine.ready == {
            "ready": True,
            "pid": engine.process.pid,
            "version": version("parley"),
            "database": "parley.db",
        }
        assert runs_on(tmp_path / "parley.db") is not None

        assert engine.end() == (0, "", "")

    assert runs_on(tmp_path / "parley.db") is None
    assert engine.events("system.stopped")
    assert not list(tmp_path.glob("*.lock"))


def test_sigterm_in_the_middle_of_negotiations_ends_0_and_loses_nothing(
    tmp_path: Path, engine: Engine
) -> None:
    quote_id = new_quote(tmp_path)
    engine.wait_for("message.saved", 20)

    assert engine.end() == (0, "", "")

    assert faults(tmp_path / "parley.db") == []
    assert parley(tmp_path, "show", quote_id)["quote"]["status"] == "negotiating"


def test_ctrl_c_ends_it_with_130(tmp_path: Path, engine: Engine) -> None:
    assert engine.end(signal.SIGINT) == (130, "", "")


def test_an_engine_that_can_tell_nobody_that_it_is_ready_ends_with_1(tmp_path: Path) -> None:
    reader, broken = os.pipe()
    os.close(reader)
    full = os.open("/dev/full", os.O_WRONLY)

    told = []
    for output in (broken, full):
        ran = subprocess.run(
            [sys.executable, str(ROOT / "main.py"), "serve"],
            cwd=tmp_path,
            env=ENVIRONMENT,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        os.close(output)
        told.append((ran.returncode, ran.stderr))

    assert told == [
        (1, "parley: standard output: nobody reads that it is ready\n"),
        (1, "parley: standard output: No space left on device\n"),
    ]
    assert runs_on(tmp_path / "parley.db") is None


def test_a_second_engine_is_refused_while_the_first_goes_on(tmp_path: Path, engine: Engine) -> None:
    refused = command(tmp_path, "serve")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        f"parley: another engine (pid {engine.process.pid}) runs on parley.db: "
        "stop it, or choose another database\n"
    )
    new_quote(tmp_path)
    engine.wait_for("message.saved")


def test_a_killed_engine_is_followed_at_once(tmp_path: Path, engine: Engine) -> None:
    new_quote(tmp_path)
    engine.wait_for("message.saved")
    engine.end(signal.SIGKILL)
    assert (tmp_path / "parley.db.lock").exists()

    with serving(tmp_path) as second:
        assert runs_on(tmp_path / "parley.db") is not None
        quote_id = new_quote(tmp_path)
        second.wait_for("quote.completed", quote_id=quote_id)


def test_it_exits_with_its_parent_when_asked_to(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys\n"
        "engine = subprocess.Popen([sys.executable, *sys.argv[1:]], stdout=subprocess.PIPE)\n"
        "sys.stdout.buffer.write(engine.stdout.readline())\n"
        "sys.stdout.flush()\n"
        "sys.stdin.read()\n"
    )
    command = [str(ROOT / "main.py"), "serve", "--exit-with-parent", "--log-file", "x.jsonl"]
    with subprocess.Popen(
        [sys.executable, "-c", script, *command],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        pid = json.loads(parent.stdout.readline())["pid"]
        assert runs_on(tmp_path / "parley.db") == Running(pid)

        parent.kill()

    try:
        until(lambda: runs_on(tmp_path / "parley.db") is None)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert "system.stopped" in (tmp_path / "x.jsonl").read_text()


def test_an_engine_that_can_save_nothing_says_so_and_exits_1(tmp_path: Path) -> None:
    with serving(tmp_path) as engine:
        # there is no number left for the message after this one
        last = "VALUES (9223372036854775807, 'n-0', 1, 'brand', '', '', '', '')"
        columns = "(id, negotiation_id, seq, sender, content, origin, created_at, hash)"
        sql(tmp_path, f"INSERT INTO messages {columns} {last}")
        new_quote(tmp_path)
        engine.wait_for("system.halted")
        _, errors = engine.process.communicate(timeout=PATIENCE_S)

    assert engine.process.returncode == 1
    assert errors.startswith("parley: nothing can be saved any more: ")
    assert errors.count("\n") == 1


# Four processes


def send(folder: str, number: int) -> tuple[list[str], int]:
    """Send guidance of all kinds: the ids of the accepted rows, and how many were refused."""
    place, chance = Path(folder), random.Random(number)
    store = Store(place / "parley.db")
    accepted: list[str] = []
    refused = 0
    while len(accepted) + refused < EACH:
        active = sql(
            place, "SELECT id, message_count FROM negotiations WHERE status = 'active'"
        ) or until(lambda: another_quote(place))
        negotiation_id, said = chance.choice(active)
        guidance = some_guidance(chance, said)
        if chance.random() < 0.2:
            accepted.append(insert(place, negotiation_id, **as_columns(guidance)))
            continue
        try:
            _, (one,) = receive(store, negotiation_id=negotiation_id, **guidance)
        except (NegotiationNotActive, InterventionError):
            refused += 1
        else:
            accepted.append(one.id)
    return accepted, refused


def another_quote(folder: Path) -> list[Any]:
    """Have the engine start one more, unless one is about to start; what is active."""
    if not sql(folder, "SELECT 1 FROM quotes WHERE status = 'negotiating'"):
        new_quote(folder)
    return sql(folder, "SELECT id, message_count FROM negotiations WHERE status = 'active'")


def some_guidance(chance: random.Random, said: int) -> dict[str, Any]:
    """Mostly what helps, at times what ends a negotiation, at times what is wrong."""
    quality = chance.randint(0, 50)
    kinds: list[tuple[int, dict[str, Any]]] = [
        (30, {"text": f"Push on lead time, remark {chance.randint(0, 9999)}."}),
        (20, {"limits": {"bottle.unit_price": f"{chance.randint(650, 790) / 100:.2f}"}}),
        (10, {"text": "Be quick.", "limits": {"lead_time_days": chance.randint(50, 60)}}),
        (10, {"limits": {"payment": ["30/70", "33/33/33"]}}),
        (
            15,
            {
                "priorities": {
                    "quality": quality,
                    "cost": 50 - quality,
                    "lead_time": 30,
                    "payment_terms": 20,
                }
            },
        ),
        (5, {"action": "accept", "accepts_seq": max(1, said - chance.randint(0, 1))}),
        (2, {"action": "walk_away"}),
        (3, {"action": "continue"}),
        (2, {"text": "x" * 5000}),
        (2, {"limits": {"colour": "blue"}}),
        (1, {"text": ""}),
    ]
    return chance.choices([kind for _, kind in kinds], [weight for weight, _ in kinds])[0]


def as_columns(guidance: dict[str, Any]) -> dict[str, Any]:
    """What another program writes into the columns."""
    return {
        name: json.dumps(value) if isinstance(value, dict) else value
        for name, value in guidance.items()
    }


def test_each_of_500_interventions_from_four_processes_has_a_true_receipt(
    tmp_path: Path, engine: Engine
) -> None:
    opened = negotiations_of(tmp_path, new_quote(tmp_path))
    processes = multiprocessing.get_context("spawn").Pool(SENDERS)
    with processes:
        sent = processes.starmap_async(send, [(str(tmp_path), n) for n in range(SENDERS)])
        by_hand = [command(tmp_path, "intervene", each, "Hurry.", "--json") for each in opened]
        results = sent.get(timeout=2 * PATIENCE_S)
    end_all(tmp_path)
    until(lambda: not sql(tmp_path, "SELECT 1 FROM interventions WHERE status = 'received'"))
    assert engine.end() == (0, "", "")

    assert sum(len(accepted) + refused for accepted, refused in results) == SENDERS * EACH
    assert faults(tmp_path / "parley.db") == []
    told = [json.loads(ran.stdout)["written"]["id"] for ran in by_hand if ran.returncode == 0]
    assert all("has ended" in ran.stderr for ran in by_hand if ran.returncode != 0)
    ids = [*told, *(row_id for accepted, _ in results for row_id in accepted)]
    assert sorted(receipts(tmp_path)) == sorted(ids)
    heard = [event["intervention_id"] for event in engine.events("intervention.received")]
    assert len(heard) == len(set(heard))
    assert not engine.events("actor.failed")
    assert {status for status, _ in receipts(tmp_path).values()} == {"applied", "refused"}


# What other programs write


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"text": "x" * 5000}, "text: 5000 characters: at most 4000"),
        ({"text": ""}, "text: a message needs words"),
        ({"text": "a\0b"}, "text: the text has characters that can't be stored"),
        ({"text": b"\xff\xfe"}, "it can't be read: text"),
        ({}, "it is empty: give text, limits, priorities or an action"),
        ({"limits": "{"}, "it can't be read: limits"),
        ({"limits": "[1]"}, "it can't be read: limits"),
        ({"limits": "{}"}, "limits: it is empty: leave it out, or name a limit"),
        ({"limits": '{"bottle.unit_price": 6.4}'}, "limits.bottle.unit_price: expected a plain"),
        ({"limits": '{"bottle.unit_price": NaN}'}, "limits.bottle.unit_price: expected a plain"),
        ({"limits": '{"colour": "blue"}'}, "limits.colour: no such limit: write bottle.unit_"),
        ({"priorities": '{"quality": 100}'}, "it can't be read: priorities"),
        ({"priorities": "nonsense"}, "it can't be read: priorities"),
        ({"action": "accept"}, "accepts_seq: name the supplier's offer to accept by its seq"),
        ({"action": "accept", "accepts_seq": 99}, "offer 99 does not stand, "),
        ({"action": "accept", "accepts_seq": "x"}, "it can't be read: accepts_seq"),
        ({"action": "continue"}, "it moves by itself"),
        ({"action": "continue", "text": "Hurry."}, "action: continue carries nothing else"),
        ({"text": "Hurry.", "created_at": "yesterday"}, "it can't be read: created_at"),
    ],
)
def test_a_row_that_is_wrong_is_refused_with_the_reason(
    standing: tuple[Path, str], columns: dict[str, Any], reason: str
) -> None:
    folder, negotiation_id = standing

    status, told = settled(folder, insert(folder, negotiation_id, **columns))

    assert status == "refused"
    assert told is not None
    assert told.startswith(reason)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A negotiation in which everybody takes very long."""
    folder = tmp_path_factory.mktemp("standing")
    with serving(folder, *STANDSTILL):
        yield folder, negotiations_of(folder, new_quote(folder))[0]


def test_text_that_is_no_unicode_is_refused_and_holds_nobody_up(
    standing: tuple[Path, str],
) -> None:
    folder, negotiation_id = standing
    ((row_id,),) = sql(
        folder,
        "INSERT INTO interventions (negotiation_id, text) VALUES (?, CAST(x'41ff' AS TEXT)) "
        "RETURNING id",
        negotiation_id,
    )

    assert settled(folder, row_id)[0] == "refused"
    assert settled(folder, insert(folder, negotiation_id, text=""))[0] == "refused"


def test_a_damaged_quote_that_is_to_start_holds_nobody_up(tmp_path: Path, engine: Engine) -> None:
    damaged = parley(tmp_path, "add")["written"]["id"]
    sql(tmp_path, "UPDATE quotes SET lines = '{', status = 'negotiating' WHERE id = ?", damaged)
    quote_id = new_quote(tmp_path)

    engine.wait_for("quote.started", quote_id=quote_id)
    assert len(engine.wait_for("outside.ignored", quote_id=damaged)) == 1


def test_guidance_for_no_negotiation_stays_and_holds_nobody_up(
    tmp_path: Path, engine: Engine
) -> None:
    lost = insert(tmp_path, "n-0", text="Hello?")
    (negotiation_id, *_) = negotiations_of(tmp_path, new_quote(tmp_path))

    heard = insert(tmp_path, negotiation_id, text="Push on lead time.")

    assert settled(tmp_path, heard)[0] == "applied"
    assert receipts(tmp_path)[lost] == ("received", None)


@pytest.mark.parametrize("columns", [{"text": "Too late."}, {"action": "continue"}])
def test_guidance_by_sql_for_an_ended_negotiation_is_refused(
    tmp_path: Path, columns: dict[str, str]
) -> None:
    with serving(tmp_path) as engine:
        quote_id = new_quote(tmp_path)
        engine.wait_for("quote.completed", quote_id=quote_id)

        late = insert(tmp_path, negotiations_of(tmp_path, quote_id)[0], **columns)

        assert settled(tmp_path, late) == ("refused", "the negotiation has ended")
        again = insert(tmp_path, negotiations_of(tmp_path, quote_id)[0], **columns)
        assert settled(tmp_path, again) == ("refused", "the negotiation has ended")
    assert faults(tmp_path / "parley.db") == []


def test_a_quote_set_to_negotiating_by_sql_is_adopted_once(tmp_path: Path, engine: Engine) -> None:
    quote_id = parley(tmp_path, "add")["written"]["id"]

    sql(tmp_path, "UPDATE quotes SET status = 'negotiating'")

    engine.wait_for("message.saved", 6, quote_id=quote_id)
    assert len(engine.events("quote.started")) == 1
    assert len(negotiations_of(tmp_path, quote_id)) == 3


def test_a_quote_set_to_negotiating_before_the_engine_starts_is_adopted(tmp_path: Path) -> None:
    by_command = new_quote(tmp_path)
    by_sql = parley(tmp_path, "add")["written"]["id"]
    sql(tmp_path, "UPDATE quotes SET status = 'negotiating'")

    with serving(tmp_path) as engine:
        for quote_id in (by_command, by_sql):
            engine.wait_for("quote.completed", quote_id=quote_id)

    assert faults(tmp_path / "parley.db") == []


def test_a_quote_cancelled_by_sql_ends(tmp_path: Path, engine: Engine) -> None:
    quote_id = new_quote(tmp_path)
    engine.wait_for("message.saved", quote_id=quote_id)

    sql(tmp_path, "UPDATE quotes SET status = 'cancelled'")

    assert len(engine.wait_for("negotiation.ended", 3, reason="cancelled")) == 3
    assert sql(tmp_path, "SELECT DISTINCT status, reason FROM negotiations") == [
        ("impasse", "cancelled")
    ]
    assert sql(tmp_path, "SELECT status FROM quotes") == [("cancelled",)]
    assert faults(tmp_path / "parley.db") == []


def test_a_quote_cancelled_while_no_engine_runs_ends_when_one_does(tmp_path: Path) -> None:
    with serving(tmp_path, *STANDSTILL) as first:
        quote_id = new_quote(tmp_path)
        negotiations_of(tmp_path, quote_id)
        first.end(signal.SIGKILL)
    parley(tmp_path, "cancel", quote_id)

    with serving(tmp_path, *STANDSTILL) as second:
        second.wait_for("negotiation.ended", 3, reason="cancelled")

    assert sql(tmp_path, "SELECT count(*) FROM negotiations WHERE status = 'active'") == [(0,)]


@pytest.mark.parametrize("status", ["completed", "pending"])
def test_another_status_set_by_sql_is_logged_once_and_not_acted_on(
    tmp_path: Path, engine: Engine, status: str
) -> None:
    quote_id = new_quote(tmp_path)
    engine.wait_for("message.saved", quote_id=quote_id)

    sql(tmp_path, "UPDATE quotes SET status = ?", status)

    engine.wait_for("outside.ignored", quote_id=quote_id, status=status)
    row_id = insert(tmp_path, negotiations_of(tmp_path, quote_id)[0], text="Push on price.")
    assert settled(tmp_path, row_id)[0] == "applied"
    engine.wait_for("quote.completed", quote_id=quote_id)
    assert len(engine.events("outside.ignored")) == 1
    assert sql(tmp_path, "SELECT status FROM quotes") == [("completed",)]
    assert faults(tmp_path / "parley.db") == []


# Engines that come and go


def test_what_came_while_no_engine_ran_is_taken_up_and_all_that_was_left_goes_on(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, *STANDSTILL) as first:
        guided, _, left = negotiations_of(tmp_path, new_quote(tmp_path))
        first.end(signal.SIGKILL)
    receipt = parley(tmp_path, "intervene", guided, "Push on price.")
    assert receipt["engine_pid"] is None

    with serving(tmp_path) as second:
        second.wait_for("negotiation.ended", negotiation_id=guided)

        assert settled(tmp_path, receipt["written"]["id"])[0] == "applied"
        second.wait_for("negotiation.ended", negotiation_id=left)
    assert faults(tmp_path / "parley.db") == []


def test_a_killed_engine_s_negotiation_goes_on_in_the_next_and_can_be_guided(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, *SLOW, **LONG) as first:
        negotiation_id, *_ = negotiations_of(tmp_path, new_quote(tmp_path))
        first.wait_for("message.saved", 4, negotiation_id=negotiation_id)
        first.end(signal.SIGKILL)
    before = sql(tmp_path, "SELECT * FROM messages ORDER BY id")

    with serving(tmp_path, *SLOW) as second:
        limit = ("--limit", "lead_time_days=50")
        receipt = parley(tmp_path, "intervene", negotiation_id, *limit)
        second.wait_for("negotiation.ended", negotiation_id=negotiation_id)

        assert settled(tmp_path, receipt["written"]["id"])[0] == "applied"
    assert sql(tmp_path, "SELECT * FROM messages ORDER BY id")[: len(before)] == before
    assert faults(tmp_path / "parley.db") == []


def test_rounds_by_hand_go_on_from_another_process(tmp_path: Path) -> None:
    with serving(tmp_path) as engine:
        quote_id = new_quote(tmp_path, manual=True)
        engine.wait_for("negotiation.waiting", 3)
        assert sql(tmp_path, "SELECT DISTINCT message_count FROM negotiations") == [(1,)]

        written = parley(tmp_path, "continue", quote_id)["written"]

        assert len(written) == 3
        engine.wait_for("negotiation.waiting", 6)
        assert sql(tmp_path, "SELECT DISTINCT message_count FROM negotiations") == [(3,)]
        assert {settled(tmp_path, row["id"]) for row in written} == {("applied", None)}


# A database that others hold


def test_a_long_reader_holds_nobody_up(tmp_path: Path) -> None:
    with serving(tmp_path) as engine:
        parley(tmp_path, "add")
        with locked(tmp_path, "BEGIN") as reader:
            assert reader.execute("SELECT count(*) FROM messages").fetchone() == (0,)
            quote_id = new_quote(tmp_path)
            engine.wait_for("quote.completed", quote_id=quote_id)
            assert reader.execute("SELECT count(*) FROM messages").fetchone() == (0,)
        assert not engine.events("save.retried")
    assert faults(tmp_path / "parley.db") == []


def test_a_database_that_is_locked_for_long_loses_nothing(tmp_path: Path, engine: Engine) -> None:
    quote_id = new_quote(tmp_path)
    negotiation_id, *_ = negotiations_of(tmp_path, quote_id)
    engine.wait_for("message.saved", 6)

    with locked(tmp_path, "BEGIN IMMEDIATE"):
        sender = subprocess.Popen(
            [
                *(sys.executable, str(ROOT / "main.py"), "intervene", "--json"),
                *(negotiation_id, "Push on price."),
            ],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        engine.wait_for("save.retried")

    printed, errors = sender.communicate(timeout=PATIENCE_S)
    assert (sender.returncode, errors) == (0, b"")
    assert settled(tmp_path, json.loads(printed)["written"]["id"])[0] == "applied"
    engine.wait_for("quote.completed", quote_id=quote_id)
    assert faults(tmp_path / "parley.db") == []
