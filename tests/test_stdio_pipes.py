"""The pipes: lines in bounded memory, and descriptors that nobody else can touch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from serving import ENVIRONMENT, PATIENCE_S, ROOT

from actors.stdio.pipes import has_hung_up, lines, write

Ends = tuple[int, int]
TAKE = f"import sys, os; sys.path.insert(0, {str(ROOT)!r}); from actors.stdio.pipes import Pipes\n"


@pytest.fixture
def pipe() -> Iterator[Ends]:
    source, output = os.pipe()
    yield source, output
    for descriptor in (source, output):
        with suppress(OSError):
            os.close(descriptor)


def read(pipe: Ends, data: bytes, longest: int = 10) -> list[bytes | None]:
    """The lines of what is written, to its end."""
    source, output = pipe

    def write_all() -> None:
        write(output, data)
        os.close(output)

    writer = threading.Thread(target=write_all)
    writer.start()
    found = list(lines(source, longest))
    writer.join()
    return found


def test_lines_come_without_their_ends(pipe: Ends) -> None:
    assert read(pipe, b"one\ntwo\r\n\nfour\n") == [b"one", b"two\r", b"", b"four"]


def test_what_stands_before_the_end_is_a_line_too(pipe: Ends) -> None:
    assert read(pipe, b"one\ntwo") == [b"one", b"two"]


def test_a_line_of_the_limit_is_read_and_a_longer_one_is_skipped_whole(pipe: Ends) -> None:
    data = b"\n".join([b"1234567890", b"12345678901", b"three", b"x" * 500_000, b"five", b"y" * 11])

    assert read(pipe, data) == [b"1234567890", None, b"three", None, b"five", None]


def test_a_line_that_is_longer_than_one_read_comes_whole(pipe: Ends) -> None:
    long = bytes(range(11, 200)) * 2000

    assert read(pipe, long + b"\nnext\n", longest=len(long)) == [long, b"next"]


def test_a_line_without_an_end_takes_no_memory(pipe: Ends) -> None:
    source, output = pipe
    found = lines(source, longest=10)
    # 64 MiB through a reader that may keep ten bytes
    program = "import sys\nfor _ in range(1024): sys.stdout.buffer.write(bytes(65536))"
    with subprocess.Popen([sys.executable, "-c", program], stdout=output):
        os.close(output)

        tracemalloc.start()
        assert list(found) == [None]
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < 1024 * 1024


def test_nothing_is_read_while_that_is_not_allowed(pipe: Ends) -> None:
    source, output = pipe
    write(output, b"one\n")

    assert list(lines(source, 10, may_read=lambda: False)) == []
    assert os.read(source, 10) == b"one\n"


def test_a_pipe_has_hung_up_once_nobody_writes_though_there_is_something_to_read(
    pipe: Ends,
) -> None:
    source, output = pipe
    write(output, b"one\n")
    assert not has_hung_up(source)

    os.close(output)

    assert has_hung_up(source)


def taken(program: str) -> subprocess.CompletedProcess[bytes]:
    """Run a program in a child of which we hold the pipes."""
    return subprocess.run(
        [sys.executable, "-c", TAKE + program],
        input=b"for the protocol\n",
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
    )


def test_prints_of_anybody_go_to_standard_error() -> None:
    program = (
        "print('before')\n"
        "sys.stdout.flush()\n"
        "pipes = Pipes.take()\n"
        "print('print')\n"
        "sys.stdout.flush()\n"
        "os.write(1, b'from C\\n')\n"
        "os.system('echo child')\n"
        "os.write(pipes.output, b'protocol\\n')\n"
    )

    ran = taken(program)

    assert ran.stdout == b"before\nprotocol\n"
    assert ran.stderr == b"print\nfrom C\nchild\n"


def test_nobody_else_can_read_what_is_for_the_protocol() -> None:
    program = (
        "pipes = Pipes.take()\n"
        "os.system('cat >&2')\n"
        "os.write(2, sys.stdin.buffer.read())\n"
        "os.write(pipes.output, os.read(pipes.input, 100))\n"
    )

    assert (taken(program).stdout, taken(program).stderr) == (b"for the protocol\n", b"")


def test_no_child_process_inherits_the_pipes() -> None:
    program = "pipes = Pipes.take()\nassert not os.get_inheritable(pipes.input)\n"
    program += "assert not os.get_inheritable(pipes.output)\n"

    assert taken(program).returncode == 0


def test_pipes_that_were_left_not_to_block_do(tmp_path: Path) -> None:
    program = (
        "os.set_blocking(0, False)\n"
        "os.set_blocking(1, False)\n"
        "pipes = Pipes.take()\n"
        "assert os.get_blocking(pipes.input) and os.get_blocking(pipes.output)\n"
    )

    assert taken(program).returncode == 0


def engine(folder: Path, redirected: str, *flags: str) -> subprocess.CompletedProcess[bytes]:
    """Run a real engine, redirected by bash, to the end of its input."""
    python = " ".join([f'"{sys.executable}"', *flags, f'"{ROOT / "main.py"}"'])
    return subprocess.run(
        ["bash", "-c", f"exec {python} serve --stdio {redirected}"],
        cwd=folder,
        env=ENVIRONMENT,
        input=b'{"jsonrpc": "2.0", "id": 1, "method": "quotes"}\n',
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.parametrize("redirected", ["<&-", ">&-", ">&- </dev/null", "<&- >&-"])
def test_an_engine_whose_standard_input_or_output_is_closed_says_so_on_one_line(
    tmp_path: Path, redirected: str
) -> None:
    ran = engine(tmp_path, redirected)

    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr == b"parley: standard input or output is closed: give it a pipe for each\n"
    assert list(tmp_path.iterdir()) == []


def test_an_engine_whose_standard_error_is_closed_speaks_nothing_but_the_protocol(
    tmp_path: Path,
) -> None:
    # Python itself then writes to descriptor 2 what it imports, before and after pipes are taken
    ran = engine(tmp_path, "2>&-", "-X", "importtime")

    ready, answer = map(json.loads, ran.stdout.splitlines())
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ready["method"] == "ready"
    assert answer == {"jsonrpc": "2.0", "id": 1, "result": []}
