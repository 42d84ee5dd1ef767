"""The prompt log: a line for each call, for its owner's eyes only, and never in anybody's way."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from factories import NOON

from actors.negotiators.prompt_log import PromptLog
from actors.negotiators.prompts import Prompt
from storage.calls import CallStart

PROMPT = Prompt("You negotiate.", "<brief>\nlimit 8.47 “€”\n</brief>")
HALF = "half a character: \ud83d"

OPEN_FILES = Path("/dev/fd")

needs_rights = pytest.mark.skipif(os.name == "nt", reason="rights are the folder's there")


def call(number: int = 1, **changes: Any) -> CallStart:
    fields: dict[str, Any] = {
        "id": f"c-{number}",
        "quote_id": "q-1",
        "negotiation_id": "n-1",
        "draft_id": "d-1",
        "side": "brand",
        "attempt": 2,
        "model": "m",
        "prompt_version": PROMPT.version,
        "may_cost_tokens": 100,
        "queued_s": 0.0,
        "created_at": NOON,
    }
    return CallStart.model_validate(fields | changes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "parley.prompts.jsonl"


@pytest.fixture
def log(path: Path) -> Iterator[PromptLog]:
    log = PromptLog(path)
    yield log
    log.close()


def written(path: Path) -> list[Any]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_lies_beside_the_database() -> None:
    assert PromptLog.beside(Path("data/parley.db")) == Path("data/parley.prompts.jsonl")


def test_nothing_is_made_before_the_first_line(path: Path, log: PromptLog) -> None:
    log.close()

    assert not path.exists()


def test_a_call_is_a_line_with_all_that_was_said(path: Path, log: PromptLog) -> None:
    log.write(call(), PROMPT, '{"move":\n"talk"}')
    log.write(call(2, side="supplier"), PROMPT, None)

    first, second = written(path)
    assert first == {
        "ts": "2026-01-02T12:00:00.000000Z",
        "call_id": "c-1",
        "negotiation_id": "n-1",
        "side": "brand",
        "attempt": 2,
        "system": PROMPT.system,
        "user": PROMPT.user,
        "answer": '{"move":\n"talk"}',
    }
    assert (second["side"], second["answer"]) == ("supplier", None)


def test_a_later_log_adds_to_what_is_there(path: Path, log: PromptLog) -> None:
    log.write(call(1), PROMPT, "first")
    log.close()
    log.write(call(2), PROMPT, "second")
    other = PromptLog(path)
    other.write(call(3), PROMPT, "third")
    other.close()

    assert [line["answer"] for line in written(path)] == ["first", "second", "third"]


@needs_rights
def test_only_its_owner_may_read_it(path: Path, log: PromptLog) -> None:
    before = os.umask(0)
    try:
        log.write(call(), PROMPT, None)
    finally:
        os.umask(before)

    assert rights(path) == 0o600


@needs_rights
def test_a_file_that_was_open_to_others_is_closed_to_them(path: Path, log: PromptLog) -> None:
    path.write_bytes(b"")
    path.chmod(0o666)

    log.write(call(), PROMPT, None)

    assert rights(path) == 0o600
    assert len(written(path)) == 1


class OfAnotherOwner(type(Path())):  # type: ignore[misc]
    """A path to a file whose rights are not ours to change."""

    def chmod(self, mode: int, *, follow_symlinks: bool = True) -> None:
        raise PermissionError(1, "Operation not permitted")


@needs_rights
def test_nothing_is_written_to_a_file_that_others_may_go_on_reading(path: Path) -> None:
    log = PromptLog(OfAnotherOwner(path))

    for number in range(3):
        log.write(call(number), PROMPT, "private")
    log.close()

    assert path.read_bytes() == b""
    assert rights(path) == 0o600  # as it was made


@pytest.mark.parametrize(
    ("prompt", "answer"), [(PROMPT, HALF), (Prompt(HALF, ""), None), (Prompt("", HALF), "x")]
)
def test_half_a_character_stops_nobody(
    path: Path, log: PromptLog, prompt: Prompt, answer: str | None
) -> None:
    log.write(call(1), prompt, answer)
    log.write(call(2), PROMPT, "whole")

    assert written(path)[-1]["answer"] == "whole"


def test_a_path_where_nothing_can_be_written_stops_nobody(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing" / "log", tmp_path / ("x" * 300)):
        log = PromptLog(path)
        log.write(call(), PROMPT, None)
        log.close()

    assert list(tmp_path.iterdir()) == []


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """To the writer the same as a disk that is full."""
    if sys.platform == "win32":
        pytest.skip("there is no such limit")
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_stops_nobody(path: Path, log: PromptLog) -> None:
    with no_file_longer_than(0):
        log.write(call(1), PROMPT, "lost")
    log.write(call(2), PROMPT, "kept")

    assert [line["answer"] for line in written(path)] == ["kept"]


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="no list of open files")
def test_it_holds_one_file_open_and_none_once_it_is_closed(path: Path, log: PromptLog) -> None:
    before = len(list(OPEN_FILES.iterdir()))
    for number in range(3):
        log.write(call(number), PROMPT, None)

    assert len(list(OPEN_FILES.iterdir())) == before + 1

    log.close()
    log.close()

    refused = PromptLog(OfAnotherOwner(path))
    refused.write(call(), PROMPT, None)
    assert len(list(OPEN_FILES.iterdir())) == before
