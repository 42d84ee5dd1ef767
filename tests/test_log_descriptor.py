"""A log's file as others leave it: half a line at its end, renamed, deleted, without its folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Heard
from serving import until

from actors.config import load_config
from actors.event_stream import EventStream
from actors.events import QuoteCreated
from actors.log import descriptor, log_file
from actors.log.settings import LogSettings
from actors.system import NegotiationSystem
from storage.records import QuoteId


def numbered(number: int) -> QuoteCreated:
    return QuoteCreated(quote_id=QuoteId(f"q-{number}"))


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_bytes().splitlines()]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


@pytest.fixture
def stream(log: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventStream]:
    """Looks with every line whether its file is still there."""
    monkeypatch.setattr(log_file, "LOOK_S", 0.0)
    stream = EventStream(log)
    yield stream
    stream.close()


@pytest.mark.parametrize("torn", [b'{"ts":"2026', b'{"ts":"2026-11-26"}\n{'])
def test_what_a_run_that_was_killed_left_half_written_swallows_no_line(
    log: Path, torn: bytes
) -> None:
    log.write_bytes(torn)
    stream = EventStream(log)
    stream.emit(numbered(1))
    stream.close()

    before, _, line = log.read_bytes().removesuffix(b"\n").rpartition(b"\n")
    assert before == torn
    assert json.loads(line)["quote_id"] == "q-1"


def test_a_log_that_ends_as_it_should_is_only_added_to(log: Path, stream: EventStream) -> None:
    log.write_bytes(b"{}\n")
    stream.emit(numbered(1))

    assert log.read_bytes().startswith(b'{}\n{"ts"')


def deleted(log: Path) -> None:
    log.unlink()


def renamed(log: Path) -> None:
    log.rename(log.with_suffix(".old"))


def renamed_and_made_anew(log: Path) -> None:
    renamed(log)
    log.touch()


@pytest.mark.parametrize("move", [deleted, renamed, renamed_and_made_anew])
def test_a_log_that_somebody_has_taken_away_is_begun_anew(
    log: Path, stream: EventStream, move: Callable[[Path], None]
) -> None:
    stream.emit(numbered(1))
    move(log)
    stream.emit(numbered(2))

    assert [line["quote_id"] for line in lines(log)] == ["q-2"]
    if move is not deleted:
        assert [line["quote_id"] for line in lines(log.with_suffix(".old"))] == ["q-1"]


def test_a_log_whose_folder_is_gone_fails_until_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "LOOK_S", 0.0)
    heard = Heard()
    log = tmp_path / "folder" / "log.jsonl"
    log.parent.mkdir()
    stream = EventStream(log)
    stream.subscribe(heard.append)
    stream.emit(numbered(1))
    log.parent.rename(tmp_path / "old")
    stream.emit(numbered(2))
    log.parent.mkdir()
    stream.emit(numbered(3))
    stream.close()

    told = [line.get("quote_id", line["event"]) for line in lines(log)]
    assert told == ["q-2", "log.restored", "q-3"]
    (failed,) = heard.of("log.failed")
    assert failed.facts()["error"] == "can't be written: No such file or directory"


def test_an_engine_at_rest_notices_with_its_heartbeat_that_its_log_is_gone(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "LOOK_S", 0.0)
    config = load_config().model_copy(update={"log": LogSettings(heartbeat_s=0.02)})
    with NegotiationSystem.start(config, database=tmp_path / "x.db", log_file=log):
        log.unlink()
        assert until(log.exists)
        assert until(lambda: b"system.heartbeat" in log.read_bytes())


def test_a_file_that_is_opened_anew_is_no_child_programs_either(tmp_path: Path) -> None:
    one = descriptor.opened(tmp_path / "one")
    descriptor.reopen(one, tmp_path / "two")
    try:
        assert descriptor.is_at(tmp_path / "two", one)
        assert not os.get_inheritable(one)
    finally:
        os.close(one)
