"""The lines of a log, from a file that grows, is rotated or cut, or from a pipe."""

from __future__ import annotations

import os
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.monitoring.log_source import BLOCK, LONGEST_LINE, Lines, blocks, newest_log, read_line


@pytest.fixture
def log(tmp_path: Path) -> Path:
    log = tmp_path / "x.jsonl"
    log.write_bytes(b"one\ntwo\nthr")
    return log


@pytest.fixture
def followed(log: Path) -> Iterator[Iterator[bytes]]:
    source = blocks(str(log), follow=True)
    yield source
    source.close()  # type: ignore[attr-defined]


def come(source: Iterator[bytes], lines: Lines) -> list[bytes]:
    """All lines that have come, until for a moment nothing comes."""
    found: list[bytes] = []
    while block := next(source):
        found += lines.of(block)
    return found


def append(log: Path, text: bytes) -> None:
    with log.open("ab") as file:
        file.write(text)


def test_half_a_line_waits_for_its_rest(log: Path, followed: Iterator[bytes]) -> None:
    lines = Lines()

    assert come(followed, lines) == [b"one", b"two"]
    append(log, b"ee\nfour\n")
    assert come(followed, lines) == [b"three", b"four"]


def test_a_file_that_is_not_followed_is_read_as_far_as_it_goes(log: Path) -> None:
    lines = Lines()

    found = [line for block in blocks(str(log), follow=False) for line in lines.of(block)]

    assert found == [b"one", b"two"]


def test_a_file_that_is_rotated_is_read_to_its_end_first(
    log: Path, followed: Iterator[bytes], tmp_path: Path
) -> None:
    lines = Lines()
    come(followed, lines)

    append(log, b"ee\nfo")
    log.rename(tmp_path / "x.jsonl.1")
    log.write_bytes(b"five\n")
    append(tmp_path / "x.jsonl.1", b"ur\nhalf")

    assert come(followed, lines) == [b"three", b"four", b"half", b"five"]
    append(log, b"six\n")
    assert come(followed, lines) == [b"six"]


def test_what_comes_to_a_file_just_before_it_is_rotated_is_not_lost(
    log: Path, followed: Iterator[bytes], tmp_path: Path
) -> None:
    lines = Lines()
    come(followed, lines)  # and it is at its end now

    append(log, b"ee\n")
    log.rename(tmp_path / "x.jsonl.1")

    assert come(followed, lines) == [b"three"]  # there is no new one yet
    append(tmp_path / "x.jsonl.1", b"four\n")
    assert come(followed, lines) == [b"four"]
    log.write_bytes(b"five\n")
    assert come(followed, lines) == [b"five"]


def test_a_file_that_is_cut_is_read_from_its_start(log: Path, followed: Iterator[bytes]) -> None:
    lines = Lines()
    come(followed, lines)

    log.write_bytes(b"new\n")

    assert come(followed, lines) == [b"thr", b"new"]


def test_a_line_that_has_no_end_takes_bounded_memory_and_can_not_be_read() -> None:
    lines = Lines()
    block = b"x" * BLOCK
    tracemalloc.start()

    found = [line for _ in range(100) for line in lines.of(block)]
    found += lines.of(b'{"event": "of it"}\n{"event": "x"}\n')
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 5 * BLOCK
    assert len(found) == 2
    assert list(map(read_line, found)) == [None, {"event": "x"}]


def test_the_longest_line_is_read() -> None:
    lines = Lines()
    longest = b'{"x": "%s"}' % (b"x" * (LONGEST_LINE - 9))

    assert lines.of(longest) == []
    (line,) = lines.of(b"\n")
    assert line == longest


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"x", b"7", b"[]", b'"x"', b"null", b'{"a": 1', b"\0", b'{"a": "\x01"}', b"\xff"),
        *(b"[" * 100_000, b'{"a":' * 100_000, b"9" * 100_000, "{}".encode("utf-16")),
    ],
)
def test_what_is_no_json_object_can_not_be_read(line: bytes) -> None:
    assert read_line(line) in (None, {})
    assert line.startswith("{}".encode("utf-16")) or read_line(line) is None


def test_half_a_surrogate_pair_can_be_read_as_a_log_has_it() -> None:
    assert read_line(b'{"error": "\\ud800"}') == {"error": "\ud800"}


def test_a_pipe_is_read_to_its_end_also_half_a_line(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"one\ntwo",))
    writer.start()
    lines = Lines()

    found = [line for block in blocks(str(pipe), follow=False) for line in lines.of(block)]

    writer.join()
    assert found == [b"one", b"two"]


def test_a_pipe_that_is_silent_lets_its_reader_look_at_the_clock(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)  # so that opening it to read does not wait
    source = blocks(str(pipe), follow=True)

    assert next(source) == b""
    os.write(writer, b"one\n")
    assert next(block for block in source if block) == b"one\n"
    os.close(writer)
    assert list(filter(None, source)) == [b"\n"]


def test_what_can_not_be_read_is_said(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.jsonl"):
        with pytest.raises(OSError, match=path.name):
            next(blocks(str(path), follow=True))


@pytest.mark.parametrize("newest", ["parley.20260102T120000Z-2.jsonl", "parley.jsonl"])
def test_the_newest_log_of_a_database_is_the_one_last_written_to(
    tmp_path: Path, newest: str
) -> None:
    names = [
        "parley.20260102T130000Z-1.jsonl",
        newest,
        "parley.prompts.jsonl",
        "parley.20260102T140000Z-1.jsonl.1",
        "parley.jsonl.1",
        "other.20260102T140000Z-1.jsonl",
        "parleyx20260102T140000Z-1.jsonl",
    ]
    for second, name in enumerate(names):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (second, second))

    assert newest_log(tmp_path / "parley.db").name == newest


def test_a_database_may_have_any_name(tmp_path: Path) -> None:
    (tmp_path / "a+b.20260102T120000Z-1.jsonl").touch()

    assert newest_log(tmp_path / "a+b.db").name.startswith("a+b.")


def test_a_database_without_a_log_is_said_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no log beside it: name one, or - for"):
        newest_log(tmp_path / "parley.db")
