"""The REPL as a person meets it: at a real terminal, and through a pipe."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from factories import make_config, make_supplier, quote_fields
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from terminal import ROOT, Terminal

from actors.prompt import INDENT, Names
from actors.repl import LONGEST_WAIT_S, ReplSystem

PATIENCE_S = 60
START = "q = system.create_quote(); s = system.start_negotiations(q.id)"
WAIT = "print('wai' + 'ting'); system.wait(q.id)"
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\x9b1A"


def piped(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "repl"],
        cwd=folder,
        input=script,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def log_of(folder: Path) -> list[str]:
    (log,) = folder.glob("parley.*.jsonl")
    return [json.loads(line)["event"] for line in log.read_text().splitlines()]


def tick(terminal: Terminal, numbers: str) -> None:
    """Have a thread print a line every millisecond."""
    terminal.press("import itertools, threading, time\r")
    terminal.press(f"def tick():\r for i in {numbers}: print('tick', i); time.sleep(0.001)\r\r")
    terminal.press("thread = threading.Thread(target=tick, daemon=True); thread.start()\r")
    terminal.until("tick 0")


# At a terminal


def test_half_a_line_stays_intact_while_events_come_and_then_runs(tmp_path: Path) -> None:
    with Terminal(tmp_path, "--pace", "0.1") as terminal:
        terminal.run(START, shows="supplier-1 message 1: brand offer USD 35000.00\r\n")

        for message, part in enumerate(["pri", "nt('i", "n' +", " 'tact'", ", len(s))"], start=2):
            terminal.press(part)
            terminal.until(f"supplier-1 message {message}: ")
        terminal.press("\r")

        terminal.until("intact 3\r\n")
        terminal.run("[n.status.value for n in system.wait(q.id)]", shows="['completed', ")
        assert "Traceback" not in terminal.screen


def test_no_line_is_lost_between_two_prompts(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.run("import threading, time", shows=">>>")
        terminal.press(
            "def tick():\r for i in range(1500): print('tick', i); time.sleep(0.001)\r\r"
        )
        terminal.run("thread = threading.Thread(target=tick); thread.start()", shows="tick 0")
        for number in range(25):
            terminal.run(f"print('do' + 'ne', {number})", shows=f"done {number}\r\n")
        terminal.run("thread.join(); print('o' + 'ver')", shows="over\r\n")

        assert set(re.findall(r"tick (\d+)\r\n", terminal.screen)) == set(map(str, range(1500)))


def test_keys_that_are_pressed_while_something_is_printed_reach_the_prompt(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        tick(terminal, "itertools.count()")
        terminal.press(f"print('o{'x' * 16}")
        for _ in range(16):
            terminal.until_next("tick")
            terminal.press("\x7f")
        terminal.press("k' + 'ay')\r")
        terminal.until("okay\r\n")

        terminal.until_next("tick")
        terminal.press("\x04")
        assert terminal.ended() == 0


def test_a_mistake_of_ours_is_one_line(tmp_path: Path) -> None:
    with Terminal(tmp_path, "--pace", "30") as terminal:
        terminal.run("system.quote('q-0')", shows="UnknownRecord: there is no quote 'q-0'")
        terminal.run("system.create_quote('none.toml')", shows="none.toml: can't be read")
        terminal.run(START, shows="quote.started")
        terminal.run("system.start_negotiations(q.id)", shows="QuoteNotPending: ")
        terminal.run(
            "system.wait(q.id, 0.01)", shows="TimeoutError: something still moved after 0.01 s"
        )
        assert "system.wait(quote_id, timeout_s=600) waits longer\r\n" in terminal.screen
        assert "Traceback" not in terminal.screen

        terminal.run("1 / 0", shows="ZeroDivisionError: division by zero\r\n")
        assert "Traceback" in terminal.screen


def test_ctrl_c_ends_a_wait_and_negotiations_go_on(tmp_path: Path) -> None:
    with Terminal(tmp_path, "--pace", "0.1") as terminal:
        terminal.run(START, shows="quote.started")
        terminal.press(f"{WAIT}\r")
        terminal.until("waiting\r\n")

        terminal.press("\x03")

        terminal.until("interrupted; negotiations go on\r\n")
        terminal.run("print('he' + 're')", shows="here\r\n")
        terminal.until("supplier-1 ended: completed")
        assert "Traceback" not in terminal.screen


def test_ctrl_c_drops_what_is_being_typed(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.press("1 / 0 + (")
        terminal.press("\x03")
        terminal.until("KeyboardInterrupt")
        terminal.run("print('he' + 're')", shows="here\r\n")
        assert "ZeroDivisionError" not in terminal.screen


@pytest.mark.parametrize(("way", "code"), [("\x04", 0), ("exit()\r", 0), ("exit(3)\r", 3)])
def test_leaving_stops_what_is_active_and_leaves_nothing_running(
    tmp_path: Path, way: str, code: int
) -> None:
    with Terminal(tmp_path, "--pace", "30") as terminal:
        terminal.run(START, shows="quote.started")
        terminal.press(way)

        assert terminal.ended() == code
        assert terminal.is_sane
        assert "Traceback" not in terminal.screen
        with pytest.raises(ProcessLookupError):
            os.killpg(terminal.process.pid, 0)
    assert log_of(tmp_path)[-2:] == ["system.stopped", "run.finished"]
    assert not list(tmp_path.glob("*.lock"))
    with closing(sqlite3.connect(tmp_path / "parley.db")) as database:
        rows = database.execute("SELECT DISTINCT status FROM negotiations").fetchall()
    assert rows == [("active",)]


@pytest.mark.parametrize("doing", ["typing", "waiting"])
def test_being_told_to_end_stops_it_too(tmp_path: Path, doing: str) -> None:
    with Terminal(tmp_path, "--pace", "30") as terminal:
        terminal.run(START, shows="quote.started")
        if doing == "waiting":
            terminal.press(f"{WAIT}\r")
            terminal.until("waiting\r\n")
        else:
            terminal.press("system.qu")
            terminal.until("system.qu")

        terminal.process.send_signal(signal.SIGTERM)

        assert terminal.ended() == 143
        assert terminal.is_sane
        assert "Traceback" not in terminal.screen
    assert log_of(tmp_path)[-2:] == ["system.stopped", "run.finished"]
    assert not list(tmp_path.glob("*.lock"))


def test_lines_that_are_pasted_together_run_one_by_one(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.press("\x1b[200~def f():\r    return 'fi' + 'ne'\r\rprint(f())\x1b[201~\r")
        terminal.until("fine\r\n")


def test_ctrl_c_drops_what_was_pasted_behind_it(tmp_path: Path) -> None:
    with Terminal(tmp_path, "--pace", "30") as terminal:
        terminal.run(START, shows="quote.started")
        terminal.press(f"\x1b[200~{WAIT}\rprint('nev' + 'er')\x1b[201~\r")
        terminal.until("waiting\r\n")

        terminal.press("\x03")

        terminal.until("interrupted; negotiations go on\r\n")
        terminal.run("print('he' + 're')", shows="here\r\n")
        assert "never\r\n" not in terminal.screen


def test_hostile_text_stays_inert(tmp_path: Path) -> None:
    stray = make_supplier(9).model_dump(mode="json") | {"name": HOSTILE}
    fields = quote_fields(suppliers=["supplier-9"], supplier=[stray], notes=HOSTILE)
    with Terminal(tmp_path) as terminal:
        before = len(terminal.screen)
        terminal.run(f"q = system.create_quote({fields!a})", shows="quote.created")
        terminal.run("q, q.notes", shows="(<Quote q-")
        terminal.run("print(q.notes, q.supplier_names)", shows="owned")
        terminal.run("n, = system.start_negotiations(q.id)", shows="quote.started")
        terminal.run("n, n.supplier.name", shows="(<Negotiation n-")
        terminal.run(f"system.quote({HOSTILE!a})", shows="UnknownRecord: ")
        terminal.run(f"raise ValueError({HOSTILE!a})", shows="ValueError: ")
        terminal.run(f"system.create_quote({fields!a} | dict(notes='x' * 10_000))", shows="500 ")
        terminal.run("system.quote('x' * 100_000)", shows="UnknownRecord: ")
        terminal.run("print('he' + 're')", shows="here\r\n")

        assert len(terminal.screen) - before < 40_000
        for harm in ("\x1b]0;", "\x1b[2J", "\u202e", "\x9b"):
            assert harm not in terminal.screen


# Through a pipe


def test_a_pipe_is_read_to_its_end_and_stdout_is_its_prints_alone(tmp_path: Path) -> None:
    ran = piped(tmp_path, f"{START}\nx = system.wait(q.id)\nprint(len(x))\nsystem.quote('q-0')\n")

    assert (ran.returncode, ran.stdout) == (0, "3\n")
    assert "supplier-1 message 1: brand offer" in ran.stderr
    assert "UnknownRecord: there is no quote 'q-0'" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert log_of(tmp_path)[-2:] == ["system.stopped", "run.finished"]


def test_a_pipe_that_only_asks_prints_the_answer(tmp_path: Path) -> None:
    assert piped(tmp_path, "print(system.quotes())").stdout == "[]\n"


# Within


def test_no_call_waits_for_ever_unless_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.repl.LONGEST_WAIT_S", 0.05)
    config = make_config()
    with ReplSystem.start(config, database=tmp_path / "parley.db", pace_s=3600) as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)

        with pytest.raises(TimeoutError, match=r"after 0\.05 s.*timeout_s=600"):
            system.wait(quote.id, None)

        other = system.create_quote(quote_fields())
        writing = system._store.transaction()
        with system._store.connection(), writing, pytest.raises(TimeoutError):
            system.start_negotiations(other.id)
        assert ReplSystem.wait.__defaults__ == (LONGEST_WAIT_S,)


def completed(line: str, **names: object) -> list[str]:
    completions = Names(names).get_completions(Document(line), CompleteEvent())
    return [completion.text for completion in completions]


def test_tab_completes_names_and_attributes_and_else_indents() -> None:
    class Thing:
        colour = "red"
        count = 1

    assert completed("thi", thing=Thing()) == ["thing"]
    assert completed("print(thing.co", thing=Thing()) == ["thing.colour", "thing.count"]
    assert completed("    ") == [INDENT]
    assert completed("nothing.co") == []
