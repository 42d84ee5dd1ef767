"""`watch` as a person and a program meet it: at real terminals, through real pipes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from log_lines import ended, ids, line, parked, saved, written
from screen import ROOT, Screen
from serving import command, negotiations_of, new_quote, parley, serving
from terminal import PATIENCE_S

import main
from actors.command_line import INTERRUPTED, TERMINATED, WRONG_USE

BOTH_WIDTHS = pytest.mark.parametrize("columns", [80, 200])
FINISHED = written(
    line("system.started", 0),
    saved(1, "brand", 1, total="35000.00", rounds=0),
    saved(1, "supplier", 2, total="43500.00"),
    saved(1, "brand", 3, move="accept", total="43500.00"),
    ended(1, 3),
    saved(2, "brand", 1),
    parked(2, "no move within 60 s", 9),
    line("system.stopped", 10),
)
ESCAPE = b"\x1b"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of a finished run."""
    log = tmp_path / "x.jsonl"
    log.write_bytes(FINISHED)
    return log


def append(log: Path, text: bytes) -> None:
    with log.open("ab") as file:
        file.write(text)


def is_one_row_each(lines: list[str], *suppliers: str) -> bool:
    """Whether the rows stand below each other, none of them broken."""
    shown = "\n".join(lines).partition("supplier  ")[2].splitlines()[1:]
    rows, totals = shown[: len(suppliers)], "".join(shown[len(suppliers) :])
    return [row.partition(" ")[0] for row in rows] == [*suppliers] and totals[:1].isdigit()


# At a terminal


@BOTH_WIDTHS
def test_a_running_system_is_watched_until_it_has_stopped(tmp_path: Path, columns: int) -> None:
    suppliers = "supplier-1", "supplier-2", "supplier-3"
    with serving(tmp_path) as engine:
        quote_id = new_quote(tmp_path, manual=True)
        log = next(tmp_path.glob("*.jsonl"))
        with Screen(tmp_path, "watch", str(log), columns=columns) as screen:
            lines = screen.until("3 negotiations in USD: 3 waiting; 3 messages")
            assert "running" in lines[0]
            assert is_one_row_each(lines, *suppliers)
            assert sum("35,000.00" in each for each in lines) == 3
            assert any("n-" in each for each in lines) is (columns == 200)

            for negotiation_id in negotiations_of(tmp_path, quote_id):
                parley(tmp_path, "intervene", negotiation_id, "--walk-away")
            lines = screen.until("3 impasse; ")
            assert is_one_row_each(lines, *suppliers)
            assert sum("impasse (guided 1)" in each for each in lines) == 3

            engine.end()
            assert screen.ended() == 0
            assert "ended after" in screen.lines[0]
            assert is_one_row_each(screen.lines, *suppliers)


@BOTH_WIDTHS
def test_a_real_run_is_watched_from_its_first_offers_to_its_last(
    tmp_path: Path, columns: int
) -> None:
    arguments = [sys.executable, str(ROOT / "main.py"), "run", "--pace", "0.05"]
    with subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert "quote.created" in run.stdout.readline()
        with Screen(tmp_path, "watch", columns=columns) as screen:
            assert "brand" in screen.until("supplier-3")[1]
            run.communicate(timeout=PATIENCE_S)
            assert screen.ended() == 0
    assert is_one_row_each(screen.lines, "supplier-1", "supplier-2", "supplier-3")
    assert "3 negotiations in USD: 3 agreed;" in screen.lines[-1]


@BOTH_WIDTHS
@pytest.mark.parametrize("value", ["", "1"])
def test_no_color_leaves_out_all_colours(log: Path, columns: int, value: str) -> None:
    with Screen(log.parent, "watch", "x.jsonl", columns=columns, NO_COLOR=value) as screen:
        assert screen.ended() == 0

    codes = [code for codes in sgr_codes(screen.written) for code in codes]
    assert any(30 <= code <= 49 or 90 <= code <= 107 for code in codes) is (value == "")
    assert is_one_row_each(screen.lines, "supplier-1", "supplier-2")


def sgr_codes(written: bytes) -> list[list[int]]:
    """The numbers in all that sets how text looks: `ESC [ 1 ; 36 m`."""
    parts = (part.partition(b"m")[0] for part in written.split(b"\x1b[")[1:])
    numbers = (part.split(b";") for part in parts)
    return [[int(n) for n in each] for each in numbers if all(n.isdigit() for n in each)]


def test_a_finished_run_is_shown_and_left_on_the_screen(log: Path) -> None:
    with Screen(log.parent, "watch", "x.jsonl", columns=80) as screen:
        assert screen.ended() == 0

    assert screen.lines[0] == "x.jsonl: ended after 10s, 8 lines"
    assert screen.lines[2].startswith("supplier-1")
    assert screen.lines[2].endswith("7s  agreed 43,500.00")
    assert screen.lines[3].endswith("1s  parked: no move within 60 s")


def test_ctrl_c_leaves_and_what_was_there_stays(log: Path) -> None:
    log.write_bytes(FINISHED.rpartition(b"{")[0])
    with Screen(log.parent, "watch", "x.jsonl", columns=80) as screen:
        screen.until("supplier-1")

        screen.press("\x03")

        assert screen.ended() == INTERRUPTED
        assert "running for" in screen.lines[0]
        assert is_one_row_each(screen.lines, "supplier-1", "supplier-2")
        assert len(screen.lines) == 5  # no traceback


def test_it_shows_what_fits_and_after_the_end_everything(tmp_path: Path) -> None:
    log = tmp_path / "x.jsonl"
    log.write_bytes(written(*(saved(n, "brand") for n in range(30))))
    with Screen(tmp_path, "watch", "x.jsonl", columns=80, lines=12) as screen:
        lines = screen.until("… and 22 more")
        assert len(lines) == 12
        assert lines[-1].startswith("30 negotiations in USD: 30 active; 30 messages")

        append(log, written(line("run.finished")))
        assert screen.ended() == 0
    assert screen.written.count(b"supplier-29") == 1


def test_a_terminal_that_becomes_narrower_is_drawn_anew(log: Path) -> None:
    log.write_bytes(FINISHED.rpartition(b"{")[0])
    with Screen(log.parent, "watch", "x.jsonl", columns=200) as screen:
        assert any("n-0000000000000001" in each for each in screen.until("supplier-2"))

        screen.resize(80, 20)
        while any("n-0" in each for each in screen.lines) or not is_one_row_each(
            screen.lines, "supplier-1", "supplier-2"
        ):
            screen.look()


def test_a_log_that_grows_is_rotated_and_is_cut_is_followed(log: Path) -> None:
    log.write_bytes(written(saved(1, "brand")))
    with Screen(log.parent, "watch", "x.jsonl", columns=80) as screen:
        screen.until("1 active; 1 message")
        append(log, written(saved(2, "brand"))[:40])
        append(log, written(saved(2, "brand"))[40:])
        screen.until("2 active; 2 messages")

        append(log, written(saved(3, "brand")))
        log.rename(log.with_suffix(".old"))
        log.write_bytes(written(saved(4, "brand")))
        screen.until("4 active; 4 messages")

        log.write_bytes(written(line("run.finished")))  # cut: shorter than what was read of it
        assert screen.ended() == 0
    assert "ended" in screen.lines[0]
    assert screen.lines[-1] == "4 negotiations in USD: 4 active; 4 messages"


def test_hostile_lines_are_counted_and_nothing_of_them_is_obeyed(log: Path) -> None:
    title = "\x1b]0;owned\x07"
    log.write_bytes(
        written(
            saved(1, "brand", supplier_id=f"s{title}", currency=title, total="5"),
            parked(1, f"{title}\x1b[2J\x9b31m\N{RIGHT-TO-LEFT OVERRIDE}[red]x[/red]"),
            saved(2, "brand", total=7, rounds="1", supplier_id="supplier-2", ts="9999"),
            line(f"system{title}", level="error", error=title),
            line("system.heartbeat", active=f"{title}", **{title: 1}),
            line("library.logged", **ids(2)),
            line("run.finished"),
        )
        + b"\0\n[]\n\xff\xfe\nnot json\n"
        + b"x" * 3_000_000
        + b"\n7\n"
    )

    with Screen(log.parent, "watch", "x.jsonl", columns=200) as screen:
        assert screen.ended() == 0

    lines = screen.lines
    assert lines[2].startswith(r"s\x1b]0;owned\x07")
    assert r"\x1b[2J\x9b31m\u202e[red]x[/red]" in lines[2]
    assert lines[3].startswith("supplier-2")
    assert lines[4].endswith("2 messages; 6 lines can't be read")
    assert lines[5].startswith("heartbeat")
    assert b"\x1b]" not in screen.written
    assert b"\x07" not in screen.written
    assert "Traceback" not in "\n".join(lines)


# Through a pipe


def test_a_pipe_is_watched_live_to_its_end(tmp_path: Path) -> None:
    log = tmp_path / "x.jsonl"
    log.write_bytes(written(saved(1, "brand")))
    shell = 'tail -n +1 -F "$1" | "$2" "$3" watch -'
    arguments = ["sh", "-c", shell, "sh", str(log), sys.executable, str(ROOT / "main.py")]
    with Screen(tmp_path, program=arguments, columns=80) as screen:
        screen.until("1 active; 1 message")
        assert screen.lines[0].startswith("standard input: running for")

        append(log, written(saved(2, "brand")))
        screen.until("2 active; 2 messages")
        append(log, written(line("run.finished")))
        screen.until("standard input: ended")


@pytest.mark.parametrize("arguments", [["-"], ["-", "--once"], ["-", "--json"]])
def test_a_pipe_is_read_to_its_end_by_programs(tmp_path: Path, arguments: list[str]) -> None:
    ran = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "watch", *arguments],
        input=FINISHED.rpartition(b"{")[0].rstrip(b"\n"),  # not over, and half a line
        cwd=tmp_path,
        capture_output=True,
        timeout=PATIENCE_S,
        check=True,
    )

    assert ran.stderr == b""
    assert ESCAPE not in ran.stdout
    if "--json" in arguments:
        assert json.loads(ran.stdout)["totals"]["parked"] == 1
    else:
        assert b"parked: no move within 60 s" in ran.stdout


def test_a_pipe_that_can_not_be_read_is_said(tmp_path: Path) -> None:
    shell = f'"{sys.executable}" "{ROOT / "main.py"}" watch - <&-'

    ran = subprocess.run(["sh", "-c", shell], cwd=tmp_path, capture_output=True, check=False)

    assert (ran.returncode, ran.stdout) == (WRONG_USE, b"")
    assert ran.stderr == (b"parley: standard input is closed: name a log, or give it a pipe\n")


def test_output_that_is_no_terminal_gets_one_table_at_the_end(log: Path) -> None:
    log.write_bytes(b"")
    arguments = [sys.executable, str(ROOT / "main.py"), "watch", "x.jsonl"]
    with subprocess.Popen(arguments, cwd=log.parent, stdout=subprocess.PIPE, text=True) as watch:
        append(log, FINISHED)
        printed, _ = watch.communicate(timeout=PATIENCE_S)

    assert watch.returncode == 0
    assert printed.count("supplier-1") == 1
    assert printed.startswith("x.jsonl: ended after 10s, 8 lines\n")


def test_a_terminal_that_can_not_draw_gets_one_table_at_the_end(log: Path) -> None:
    with Screen(log.parent, "watch", "x.jsonl", columns=80, TERM="dumb") as screen:
        assert screen.ended() == 0

    assert ESCAPE not in screen.written
    assert is_one_row_each(screen.lines, "supplier-1", "supplier-2")


def test_sigterm_ends_it(log: Path) -> None:
    log.write_bytes(FINISHED.rpartition(b"{")[0])
    with Screen(log.parent, "watch", "x.jsonl", columns=80) as screen:
        screen.until("supplier-1")
        screen.process.send_signal(signal.SIGTERM)

        assert screen.ended() == TERMINATED
    # the cursor and what stood there before are back
    assert screen.written.endswith(b"\x1b[?25h\x1b[?1049l")


# For programs, and what may be typed

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line in a fresh folder: its exit code, and what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main.main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_once_shows_what_is_there_and_ends_though_the_system_goes_on(log: Path, run: Run) -> None:
    append(log, written(line("system.started", 20)) + b'{"ts": "half a li')

    code, printed, _ = run("watch", "x.jsonl", "--once")

    assert code == 0
    assert "x.jsonl: running for" in printed
    assert "can't be read" not in printed


def test_once_for_programs_has_the_columns_names(log: Path, run: Run) -> None:
    code, printed, _ = run("watch", str(log), "--once", "--json")

    told = json.loads(printed)
    assert code == 0
    assert told["state"] == "ended"
    assert told["negotiations"][0] == {
        "id": "n-0000000000000001",
        "quote_id": "q-000000000000000a",
        "supplier_id": "supplier-1",
        "status": "completed",
        "state": "completed",
        "reason": None,
        "rounds": 1,
        "brand_offer": "35000.00",
        "supplier_offer": "43500.00",
        "total": "43500.00",
        "currency": "USD",
        "interventions": 0,
        "last_error": None,
        "last_event_at": "2026-01-02T12:00:03.000000Z",
    }
    assert told["negotiations"][1]["status"] == "active"
    assert told["negotiations"][1]["state"] == "parked"
    assert told["negotiations"][1]["last_error"] == "no move within 60 s"


def test_without_a_file_it_is_the_newest_log_beside_the_database(run: Run, tmp_path: Path) -> None:
    older, newer = (f"a.20260102T12000{n}Z-7.jsonl" for n in (1, 2))
    for second, name in enumerate((older, newer)):
        (tmp_path / name).write_bytes(FINISHED)
        os.utime(tmp_path / name, (second, second))

    code, printed, _ = run("watch", "--once", "--database", "a.db")

    assert code == 0
    assert printed.startswith(newer)


def test_a_log_that_is_named_needs_no_config(log: Path, run: Run) -> None:
    (log.parent / "config.toml").write_text("nonsense = 1")

    assert run("watch", str(log))[0] == 0
    assert run("watch")[0] == WRONG_USE


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "parley.db: no log beside it: name one, or - for standard input"),
        (["missing.jsonl"], "missing.jsonl: No such file or directory"),
        (["."], ".: Is a directory"),
        (["--database", "no/where.db"], "no: No such file or directory"),
    ],
)
def test_what_can_not_be_watched_is_said_in_one_line(
    run: Run, arguments: list[str], words: str
) -> None:
    code, printed, errors = run("watch", *arguments)

    assert (code, printed, errors) == (WRONG_USE, "", f"parley: {words}\n")


def test_a_reader_who_has_seen_enough_is_no_error(log: Path) -> None:
    log.write_bytes(written(*(saved(n, "brand") for n in range(20_000))))
    shell = f'"{sys.executable}" "{ROOT / "main.py"}" watch x.jsonl --once | head -n 1'

    ran = subprocess.run(["sh", "-c", shell], cwd=log.parent, capture_output=True, check=True)

    assert ran.stderr == b""
    assert ran.stdout.startswith(b"x.jsonl: running for")


# The live table of `run`


@BOTH_WIDTHS
@pytest.mark.parametrize("no_color", ["", "1"])
def test_run_shows_the_same_table_while_it_negotiates(
    tmp_path: Path, columns: int, no_color: str
) -> None:
    suppliers = "supplier-1", "supplier-2", "supplier-3"
    with Screen(tmp_path, "run", "--pace", "0.1", columns=columns, NO_COLOR=no_color) as screen:
        lines = screen.until("3 negotiations in USD: 3 active")
        assert is_one_row_each(lines, *suppliers)
        assert screen.ended() == 0

    assert screen.lines[0].startswith("┏")  # the outcomes, and nothing is left of the live table
    assert "Next: " in screen.lines[-1]
    colours = {code for codes in sgr_codes(screen.written) for code in codes if 30 <= code <= 37}
    assert bool(colours) is not bool(no_color)


def test_run_with_more_suppliers_than_lines_shows_what_fits(tmp_path: Path) -> None:
    with Screen(tmp_path, "run", "--pace", "0.1", columns=80, lines=6) as screen:
        lines = screen.until("… and 1 more")
        assert len(lines) <= 6
        assert screen.ended() == 0


def test_a_real_run_reads_the_same_afterwards(tmp_path: Path) -> None:
    command(tmp_path, "run")
    printed = command(tmp_path, "watch").stdout

    assert printed.startswith("parley.2")
    assert "3 negotiations in USD: 3 agreed; 49 messages" in printed
