"""Standard streams that are closed, full or narrow, as shells and supervisors leave them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from serving import ENVIRONMENT, PATIENCE_S, ROOT, sql

SETTLED = (
    "import os, sys\n"
    f"sys.path.insert(0, {str(ROOT)!r})\n"
    "from actors.standard_streams import settle\n"
    "settle()\n"
)


def shell(
    folder: Path, line: str, program: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, in which `parley` is the program and `settled` another one."""
    python = f'"{sys.executable}"'
    named = f'parley() {{ {python} "{ROOT / "main.py"}" "$@"; }}\n'
    named += f'settled() {{ {python} -c "$PROGRAM"; }}\n'
    return subprocess.run(
        ["bash", "-c", named + line],
        cwd=folder,
        env={**ENVIRONMENT, "PROGRAM": SETTLED + program, "COLUMNS": "160", **settings},
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the sample was run once."""
    folder = tmp_path_factory.mktemp("sample")
    assert shell(folder, "parley run --json").returncode == 0
    return folder


def quote_id(sample: Path) -> str:
    ((found,),) = sql(sample, "SELECT id FROM quotes")
    return str(found)


# Closed


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_no_file_that_is_opened_later_takes_the_place_of_a_closed_one(
    tmp_path: Path, closed: str
) -> None:
    program = (
        "file = os.open('later', os.O_CREAT | os.O_RDWR)\n"
        "print('printed', flush=True)\n"
        "print('failed', file=sys.stderr, flush=True)\n"
        "os.system('echo from C; echo from C >&2')\n"
        "sys.stdin.read()\n"
        "sys.exit(file < 3)\n"
    )

    ran = shell(tmp_path, f"settled </dev/null {closed}", program)

    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "later").read_text() == ""


def test_that_a_stream_was_closed_can_still_be_told() -> None:
    told = "sys.exit(sys.__stdin__ is not None or sys.__stdout__ is not None)"

    assert shell(Path(), "settled <&- >&-", told).returncode == 0


@pytest.mark.parametrize("arguments", ["report {id} -o -", "list", "show {id} --json"])
def test_a_closed_standard_output_is_nothing_and_no_bug(sample: Path, arguments: str) -> None:
    ran = shell(sample, f"parley {arguments.format(id=quote_id(sample))} >&-")

    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_mistake_is_not_told_on_standard_output_where_standard_error_is_closed(
    sample: Path,
) -> None:
    ran = shell(sample, "parley show q-0 2>&-")

    assert (ran.returncode, ran.stdout) == (2, "")


def test_the_prompt_of_a_closed_standard_input_ends_at_once(tmp_path: Path) -> None:
    ran = shell(tmp_path, "parley repl <&-")

    assert (ran.returncode, ran.stderr) == (0, "\n")


# Narrow


def test_a_character_that_an_encoding_lacks_is_escaped(sample: Path) -> None:
    ran = shell(sample, "parley list", PYTHONIOENCODING="ascii")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert r"5000 \xd7 Steel bottle" in ran.stdout


# Full


@pytest.mark.parametrize(
    "arguments", ["list", "list --json", "verify", "report {id} -o -", "show {id}"]
)
def test_an_output_that_can_t_be_written_is_one_line_and_exit_1(
    sample: Path, arguments: str
) -> None:
    ran = shell(sample, f"parley {arguments.format(id=quote_id(sample))} >/dev/full")

    assert ran.returncode == 1
    assert ran.stderr == "parley: standard output: No space left on device\n"


@pytest.mark.parametrize("arguments", ["", "--json"])
def test_a_run_whose_output_can_t_be_written_loses_nothing(tmp_path: Path, arguments: str) -> None:
    ran = shell(tmp_path, f"parley run {arguments} >/dev/full")

    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1] == "parley: standard output: No space left on device"
    assert "Traceback" not in ran.stderr
    assert sql(tmp_path, "SELECT status FROM quotes") == [("completed",)]
    assert json.loads(shell(tmp_path, "parley verify --json").stdout)["faults"] == []


def test_what_can_t_be_told_on_standard_error_either_is_in_the_exit_code(sample: Path) -> None:
    assert shell(sample, "parley show q-0 2>/dev/full").returncode == 2
    assert shell(sample, "parley list >/dev/full 2>/dev/full").returncode == 1


# As it was


def test_output_that_is_not_to_be_buffered_is_not() -> None:
    program = "print('now', end='')\nos._exit(0)\n"

    assert shell(Path(), "PYTHONUNBUFFERED=1 settled", program).stdout == "now"
    assert shell(Path(), "settled", program).stdout == ""
