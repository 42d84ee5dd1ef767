"""Signals that ask for an end, as a shell, a supervisor or a closed terminal sends them."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from peer import Refused, parenting
from serving import ENVIRONMENT, PATIENCE_S, ROOT, sql
from terminal import BEFORE, RUN, Terminal

MAIN = str(ROOT / "main.py")
AT_WORK = ("run", "--pace", "30", "--log-file", "x.jsonl")
SERVING = ("serve", "--log-file", "x.jsonl")
INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
BETWEEN_S = 0.001
"""Between two signals."""


def begun(folder: Path, *arguments: str, ignoring: str = "USR1") -> subprocess.Popen[str]:
    """A process that has said its first words."""
    process = subprocess.Popen(
        ["bash", "-c", f'trap "" {ignoring}; exec "$@"', "-", sys.executable, MAIN, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], PATIENCE_S)[0], "it said nothing"
    assert process.stdout.readline()
    return process


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code and what stands on standard error."""
    try:
        _, errors = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    return process.returncode, errors


def is_stopped(folder: Path) -> bool:
    return "system.stopped" in (folder / "x.jsonl").read_text()


@pytest.mark.parametrize("arguments", [SERVING, (*SERVING, "--stdio"), AT_WORK], ids=" ".join)
@pytest.mark.parametrize(("first", "then"), [(TERM, TERM), (INT, INT), (TERM, INT), (TERM, HUP)])
def test_signals_after_the_first_break_no_end_off(
    tmp_path: Path, arguments: tuple[str, ...], first: int, then: int
) -> None:
    process = begun(tmp_path, *arguments)

    process.send_signal(first)
    while process.poll() is None:
        time.sleep(BETWEEN_S)
        process.send_signal(then)

    # of two that come before it looks, any may be the first
    ways = {0 if "serve" in arguments and each != INT else 128 + each for each in (first, then)}
    code, errors = ended(process)
    assert code in ways
    assert errors == ""
    assert is_stopped(tmp_path)


def test_ctrl_c_after_sigterm_does_not_break_it_off(tmp_path: Path) -> None:
    with parenting(tmp_path, "--pace", "30") as parent:
        quote_id = parent.call("create_quote")["id"]
        parent.call("start_negotiations", quote_id=quote_id)
        wait = parent.send("wait", quote_id=quote_id)
        parent.call("quotes")

        parent.process.send_signal(TERM)
        with pytest.raises(Refused):
            parent.result(wait)
        while parent.process.poll() is None:
            time.sleep(BETWEEN_S)
            parent.process.send_signal(INT)

        assert parent.ended() == (0, "")
    assert "system.stopped" in parent.log.read_text()


def test_a_parent_that_closes_the_pipe_and_terminates_at_once_reads_0(tmp_path: Path) -> None:
    process = begun(tmp_path, *SERVING, "--stdio")
    assert process.stdin is not None

    process.stdin.close()
    process.stdin = None
    while process.poll() is None:
        time.sleep(BETWEEN_S)
        process.terminate()

    assert ended(process) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code"), [(SERVING, 0), (AT_WORK, 129)], ids=["serve", "run"]
)
def test_sighup_ends_it_in_order(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    process = begun(tmp_path, *arguments)

    process.send_signal(HUP)

    assert ended(process) == (code, "")
    assert is_stopped(tmp_path)


def test_what_is_ignored_when_it_starts_stays_ignored(tmp_path: Path) -> None:
    process = begun(tmp_path, *AT_WORK, ignoring="INT HUP")

    for number in (INT, HUP, TERM):
        process.send_signal(number)

    assert ended(process) == (128 + TERM, "")


def without_terminal(folder: Path, before: str, shows: bytes, *arguments: str) -> int:
    """Close the terminal of a process once it has shown something; its exit code."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, before, MAIN, *arguments],
        cwd=folder,
        env={**ENVIRONMENT, "TERM": "xterm", "COLUMNS": "200", "PYTHONPATH": str(ROOT)},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    screen = b""
    while shows not in screen:
        assert select.select([leader], [], [], PATIENCE_S)[0], screen
        screen += os.read(leader, 65536)
    os.close(leader)
    try:
        return process.wait(PATIENCE_S)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("arguments", "shows", "code"),
    [(AT_WORK, b"supplier-1", 129), (SERVING, b"ready", 0), (("repl", *AT_WORK[1:]), b">>>", 129)],
    ids=["run", "serve", "repl"],
)
def test_a_terminal_that_is_closed_ends_it_in_order(
    tmp_path: Path, arguments: tuple[str, ...], shows: bytes, code: int
) -> None:
    assert without_terminal(tmp_path, BEFORE["python"], shows, *arguments) == code
    assert is_stopped(tmp_path)


def test_a_run_that_ignores_that_its_terminal_is_closed_goes_on_to_its_end(tmp_path: Path) -> None:
    ignoring = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"

    assert without_terminal(tmp_path, ignoring, b"supplier-1", "run", "--pace", "0.02") == 0
    assert sql(tmp_path, "SELECT status FROM quotes") == [("completed",)]


def test_at_the_prompt_each_ctrl_c_ends_a_call(tmp_path: Path) -> None:
    with Terminal(tmp_path, "--pace", "30") as terminal:
        terminal.run("q = new(); q.start()", shows="quote.started")
        for _ in range(2):
            terminal.press("print('wai' + 'ting'); q.wait(600)\r")
            terminal.until("waiting\r\n")
            terminal.press("\x03")
            terminal.until("interrupted; negotiations go on\r\n")


def test_at_the_prompt_an_ignored_ctrl_c_stays_ignored(tmp_path: Path) -> None:
    told = "import signal; print(signal.getsignal(2) is signal.SIG_IGN)\n"
    ran = subprocess.run(
        ["bash", "-c", 'trap "" INT; exec "$@"', "-", sys.executable, MAIN, "repl"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        input=told,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )

    assert ran.stdout == "True\n"
