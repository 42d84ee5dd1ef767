"""A real parent and a real `serve --stdio`: whatever the parent does, no message is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from peer import Parent, Refused, parenting
from readme import COMMANDS, blocks
from serving import ENVIRONMENT, PATIENCE_S, ROOT, command, parley, serving, sql, until
from verified import faults

from actors.stdio.protocol import LONGEST_LINE, Code
from storage.lock import runs_on

LONG = {"PARLEY_RULES__MAX_ROUNDS": "25", "PARLEY_RULES__NO_PROGRESS_ROUNDS": "0"}
"""Negotiations that last."""
SLOW = ("--pace", "0.02")
STANDSTILL = ("--pace", "30")

(PROGRAM,) = [block for block in blocks("python") if "--stdio" in block]


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Parent]:
    with parenting(tmp_path, *SLOW, **LONG) as parent:
        yield parent


def start_quote(parent: Parent, **options: Any) -> tuple[str, list[str]]:
    """The ids of a quote and of its negotiations, which are under way."""
    quote_id = parent.call("create_quote")["id"]
    opened = parent.call("start_negotiations", quote_id=quote_id, **options)
    return quote_id, [each["id"] for each in opened]


def saved(folder: Path) -> list[Any]:
    return sql(folder, "SELECT * FROM messages ORDER BY id")


# From ready to the end


def test_ready_comes_first_and_the_end_of_its_input_ends_it_with_0(tmp_path: Path) -> None:
    with parenting(tmp_path) as parent:
        running = runs_on(tmp_path / "parley.db")
        parent.hang_up()

        assert parent.rest() == []
        assert parent.ended() == (0, "")

    assert parent.ready == {
        "pid": parent.process.pid,
        "version": version("parley"),
        "database": "parley.db",
    }
    assert running is not None
    assert runs_on(tmp_path / "parley.db") is None
    assert "system.stopped" in parent.log.read_text()


def test_a_parent_in_twenty_lines(tmp_path: Path) -> None:
    program = tmp_path / "parent.py"
    program.write_text(PROGRAM)

    ran = subprocess.run(
        [sys.executable, "-W", "error", program],
        cwd=tmp_path,
        env={**ENVIRONMENT, "PATH": COMMANDS, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert len(PROGRAM.splitlines()) <= 20
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.count("completed") == 3
    messages = sql(tmp_path, "SELECT count(*) FROM messages")
    assert [(ran.stdout.count("'message.saved'"),)] == messages


def test_shutdown_is_answered_and_ends_it_with_0(parent: Parent, tmp_path: Path) -> None:
    start_quote(parent)

    assert parent.call("shutdown") is None

    assert parent.rest() == []
    assert parent.ended() == (0, "")
    assert runs_on(tmp_path / "parley.db") is None
    assert faults(tmp_path / "parley.db") == []


def test_sigterm_ends_it_with_0_and_tells_who_waits(parent: Parent, tmp_path: Path) -> None:
    quote_id, _ = start_quote(parent)
    wait = parent.send("wait", quote_id=quote_id)
    parent.call("quotes")

    parent.process.send_signal(signal.SIGTERM)

    with pytest.raises(Refused) as refused:
        parent.result(wait)
    assert refused.value.data == {"error": "SystemStopped"}
    assert parent.ended() == (0, "")
    assert faults(tmp_path / "parley.db") == []


def test_a_second_engine_says_nothing_on_its_output_and_exits_2(
    parent: Parent, tmp_path: Path
) -> None:
    refused = command(tmp_path, "serve", "--stdio")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("parley: another engine (pid ")
    assert refused.stderr.count("\n") == 1


def test_a_config_with_mistakes_says_each_on_standard_error_and_exits_2(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("colour = 1\n[rules]\nmax_rounds = 0\n")

    refused = command(tmp_path, "serve", "--stdio")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("parley: ") == refused.stderr.count("\n") == 2


def test_an_engine_that_can_save_nothing_tells_who_waits_and_exits_1(tmp_path: Path) -> None:
    with parenting(tmp_path, *STANDSTILL) as parent:
        quote_id, _ = start_quote(parent)
        parent.call("subscribe", events=["system.halted"])
        wait = parent.send("wait", quote_id=quote_id)
        # there is no number left for the message after this one
        last = "VALUES (9223372036854775807, 'n-0', 1, 'brand', '', '', '', '')"
        columns = "(id, negotiation_id, seq, sender, content, origin, created_at, hash)"
        sql(tmp_path, f"INSERT INTO messages {columns} {last}")
        parent.call("add_user_intervention", action="walk_away", quote_id=quote_id)

        with pytest.raises(Refused) as refused:
            parent.result(wait)
        assert refused.value.data == {"error": "SystemHalted"}
        assert [line["params"]["event"] for line in parent.rest()] == ["system.halted"]
        code, errors = parent.ended()

    assert code == 1
    assert errors.startswith("parley: nothing can be saved any more: ")
    assert errors.count("\n") == 1


# What a parent asks for


def test_two_interventions_are_applied_and_all_of_it_is_heard(
    parent: Parent, tmp_path: Path
) -> None:
    parent.call("subscribe")
    quote_id, (first, second, _) = start_quote(parent)
    parent.event("message.saved", negotiation_id=first)

    said = parent.call("add_user_intervention", text="We need it sooner.", negotiation_id=first)
    limited = parent.call(
        "add_user_intervention", negotiation_id=second, limits={"bottle.unit_price": "6.60"}
    )
    for receipt in (said, limited):
        parent.event("intervention.settled", intervention_id=receipt["id"])
    settled = [parent.call("intervention", intervention_id=each["id"]) for each in (said, limited)]
    parent.call("wait", quote_id=quote_id, timeout_s=PATIENCE_S)
    heard = [line["params"] for line in parent.kept if line.get("method") == "event"]
    parent.hang_up()

    assert parent.ended() == (0, "")
    assert [each["status"] for each in settled] == ["applied"] * 2
    for receipt in settled:
        shown = parley(tmp_path, "show", receipt["negotiation_id"])
        messages = {each["seq"]: each for each in shown["messages"]}
        assert messages[receipt["message_seq"]]["sender"] == "user"
        assert messages[receipt["applied_seq"]]["sender"] == "brand"
    # one event was asked for above, and so is not among the others
    count = sum(each["event"] == "message.saved" for each in heard) + 1
    assert count == len(saved(tmp_path))
    assert faults(tmp_path / "parley.db") == []


def test_two_hundred_requests_in_flight_are_answered_by_a_real_engine(
    parent: Parent, tmp_path: Path
) -> None:
    # by hand, so that it goes on to hear whatever is said to it
    quote_id, (first, *_) = start_quote(parent, automatic=False)
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("wait", {"quote_id": quote_id}),
        ("messages", {"negotiation_id": first}),
        ("verify", {}),
        ("create_quote", {}),
        ("add_user_intervention", {"negotiation_id": first, "text": "Hurry."}),
    ]
    asked = [parent.send(kinds[n % 5][0], **kinds[n % 5][1]) for n in range(200)]

    answers = {parent.result(call_id) is not None for call_id in asked}

    parent.call("wait", quote_id=quote_id, timeout_s=PATIENCE_S)
    assert answers == {True}
    assert sql(tmp_path, "SELECT count(*) FROM quotes") == [(41,)]
    receipts = sql(tmp_path, "SELECT DISTINCT status FROM interventions")
    assert ("received",) not in receipts
    assert faults(tmp_path / "parley.db") == []


def test_bad_lines_are_answered_and_negotiations_go_on(parent: Parent, tmp_path: Path) -> None:
    quote_id, _ = start_quote(parent)
    bad = [b"{", b"\xff\x00\x9b", os.urandom(1000).replace(b"\n", b""), b"NaN", b"[" * 9999]
    for line in [*bad, b"x" * (3 * LONGEST_LINE)]:
        parent.raw(line + b"\n")

    codes = [parent.find(lambda line: line.get("id") is None)["error"]["code"] for _ in range(6)]

    assert codes == [Code.PARSE_ERROR] * 6
    ended = parent.call("wait", quote_id=quote_id, timeout_s=PATIENCE_S)
    assert {each["status"] for each in ended} <= {"completed", "impasse"}
    assert faults(tmp_path / "parley.db") == []


# What becomes of a parent


def test_negotiations_go_on_though_the_parent_reads_nothing(tmp_path: Path) -> None:
    quotes = 25
    with parenting(tmp_path) as parent:
        parent.send("subscribe")
        for _ in range(quotes):
            parent.send("create_quote")
        ids = until(lambda: all_quotes(tmp_path, quotes))
        for quote_id in ids:
            parent.send("start_negotiations", quote_id=quote_id)

        completed = "SELECT count(*) FROM quotes WHERE status = 'completed'"
        until(lambda: sql(tmp_path, completed) == [(quotes,)])

        # it reads after all: far more than a pipe holds, and nothing is missing
        assert len(parent.call("quotes")) == quotes
        heard = [line for line in parent.kept if line.get("method") == "event"]
        messages = [line for line in heard if line["params"]["event"] == "message.saved"]
        assert len(messages) == len(saved(tmp_path))
        assert len(json.dumps(heard)) > 4 * 65536
    assert faults(tmp_path / "parley.db") == []


def all_quotes(folder: Path, count: int) -> list[str]:
    with suppress(Exception):  # it may not have made its database yet
        found = [row[0] for row in sql(folder, "SELECT id FROM quotes")]
        return found if len(found) == count else []
    return []


def test_a_parent_that_reads_nothing_and_hangs_up_is_left_with_0(tmp_path: Path) -> None:
    with parenting(tmp_path) as parent:
        quote_id, _ = start_quote(parent)
        parent.call("wait", quote_id=quote_id)
        for _ in range(200):
            parent.send("quotes")
            parent.send("negotiations", quote_id=quote_id)

        parent.hang_up()

        assert parent.ended() == (0, "")
    assert faults(tmp_path / "parley.db") == []


def test_a_parent_that_no_longer_listens_is_left_with_0(parent: Parent, tmp_path: Path) -> None:
    start_quote(parent)
    parent.stop_listening()

    parent.send("quotes")

    assert parent.ended() == (0, "")
    assert faults(tmp_path / "parley.db") == []


def test_its_input_closed_in_the_middle_loses_nothing_and_recover_goes_on(
    parent: Parent, tmp_path: Path
) -> None:
    parent.call("subscribe")
    quote_id, ids = start_quote(parent)
    for negotiation_id in ids:
        parent.event("message.saved", negotiation_id=negotiation_id, seq=4)
    parent.send("add_user_intervention", text="Hurry.", negotiation_id=ids[0])
    parent.hang_up()
    told = [each["params"] for each in parent.rest() if each.get("method") == "event"]

    assert parent.ended() == (0, "")
    before = saved(tmp_path)
    on_disk = {(row[1], row[2]) for row in before}
    assert on_disk >= {
        (each["negotiation_id"], each["seq"]) for each in told if each["event"] == "message.saved"
    }
    assert sql(tmp_path, "SELECT DISTINCT status FROM negotiations") == [("active",)]
    assert parley(tmp_path, "verify")["faults"] == []

    recovered = parley(tmp_path, "recover")["quotes"]

    assert [each["quote"]["status"] for each in recovered] == ["completed"]
    assert [each["quote"]["id"] for each in recovered] == [quote_id]
    assert saved(tmp_path)[: len(before)] == before
    assert [row[0] for row in sql(tmp_path, "SELECT status FROM interventions")] == ["applied"]
    assert faults(tmp_path / "parley.db") == []


def test_what_an_engine_by_pipes_leaves_the_next_one_takes_up(tmp_path: Path) -> None:
    with parenting(tmp_path, *STANDSTILL) as first:
        quote_id, _ = start_quote(first)
        first.process.kill()
        first.process.wait()

    with parenting(tmp_path) as second:
        ended = second.call("wait", quote_id=quote_id, timeout_s=PATIENCE_S)

    assert {each["status"] for each in ended} == {"completed"}
    assert faults(tmp_path / "parley.db") == []


MIDDLE = """\
import subprocess, sys
engine = subprocess.Popen([sys.executable, *sys.argv[1:]], stdin={stdin}, stdout=subprocess.PIPE)
sys.stdout.buffer.write(engine.stdout.readline())
sys.stdout.flush()
engine.wait()
"""


@pytest.mark.parametrize(
    ("stdin", "arguments"),
    [
        pytest.param("subprocess.PIPE", (), id="its pipe goes with it"),
        pytest.param("None", ("--exit-with-parent",), id="somebody else holds the pipe"),
    ],
)
def test_a_killed_parent_ends_it_in_order(
    tmp_path: Path, stdin: str, arguments: tuple[str, ...]
) -> None:
    main = str(ROOT / "main.py")
    program = MIDDLE.format(stdin=stdin)
    with subprocess.Popen(
        [sys.executable, "-c", program, main, "serve", "--stdio", "--log-file", "x", *arguments],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        pid = json.loads(parent.stdout.readline())["params"]["pid"]
        assert runs_on(tmp_path / "parley.db") is not None

        parent.kill()

        try:
            until(lambda: runs_on(tmp_path / "parley.db") is None)
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert "system.stopped" in (tmp_path / "x").read_text()


def test_an_engine_without_pipes_says_what_it_always_said(tmp_path: Path) -> None:
    with serving(tmp_path) as engine:
        assert engine.ready["ready"] is True
