"""A log that rotates loses no line: not for `tail -F`, not between processes, not for a rename."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import portalocker
import pytest
from conftest import Heard
from outage import full
from pydantic import ValidationError

import main
from actors.command_line import DONE
from actors.config import load_config
from actors.event_stream import EventStream
from actors.events import QuoteCreated
from actors.log import log_file, rotation
from actors.log.log_events import LogFailed
from actors.log.settings import LogSettings
from actors.system import NegotiationSystem
from storage.records import QuoteId

ROOT = Path(__file__).parent.parent
PATIENCE_S = 60
LINE_BYTES = len(
    b'{"ts":"2026-11-26T11:25:18.795583Z","level":"info","event":"quote.created",'
    b'"run_id":"r-59d4c9af","quote_id":"q-00000"}\n'
)


def rotating(max_megabytes: float, keep: int = 1000) -> LogSettings:
    """Smaller files than anybody may set, so that many of them come of few lines."""
    return LogSettings().model_copy(update={"max_megabytes": max_megabytes, "keep": keep})


TEN_LINES = rotating(10.5 * LINE_BYTES / 1e6)
WRITER = """
import sys
from pathlib import Path
from actors.event_stream import EventStream
from actors.events import QuoteCreated
from actors.log.settings import LogSettings
path, first, count, max_megabytes = sys.argv[1:]
settings = LogSettings().model_copy(update={"max_megabytes": float(max_megabytes), "keep": 1000})
stream = EventStream(Path(path), settings)
for number in range(int(first), int(first) + int(count)):
    stream.emit(QuoteCreated(quote_id=f"q-{number:05}"))
stream.close()
"""


def numbered(number: int) -> QuoteCreated:
    return QuoteCreated(quote_id=QuoteId(f"q-{number:05}"))


def files(path: Path) -> list[Path]:
    """The file and those put aside, the oldest first."""
    aside = path.parent.glob(f"{path.name}.*")
    return [*sorted(aside, key=lambda each: -int(each.suffix[1:])), path]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def ids(path: Path) -> list[str]:
    return [line["quote_id"] for each in files(path) for line in lines(each)]


def expected(count: int) -> list[str]:
    return [f"q-{number:05}" for number in range(count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


@pytest.fixture
def tail(path: Path) -> Iterator[Callable[[int], list[str]]]:
    """A real `tail -F`; gives the ids of so many more lines once it has shown them."""
    if shutil.which("tail") is None:
        pytest.skip("tail is not installed")
    command = ["tail", "-n", "+1", "-s", "0.01", "-F", str(path)]
    shown: queue.SimpleQueue[str] = queue.SimpleQueue()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None

        def read(source: Any) -> None:
            for line in source:
                shown.put(json.loads(line)["quote_id"])

        threading.Thread(target=read, args=(process.stdout,), daemon=True).start()
        yield lambda count: [shown.get(timeout=PATIENCE_S) for _ in range(count)]
        process.terminate()


def test_a_file_that_has_grown_is_put_aside_between_two_lines(path: Path) -> None:
    stream = EventStream(path, TEN_LINES)
    for number in range(95):
        stream.emit(numbered(number))
    stream.close()

    assert [len(lines(each)) for each in files(path)] == [10] * 9 + [5]
    assert ids(path) == expected(95)
    assert {each.stat().st_mode & 0o777 for each in files(path)} == {0o600}


def test_only_as_many_are_kept_as_are_wanted(path: Path) -> None:
    stream = EventStream(path, TEN_LINES.model_copy(update={"keep": 2}))
    for number in range(95):
        stream.emit(numbered(number))
    stream.close()

    assert [each.name for each in files(path)] == ["log.jsonl.2", "log.jsonl.1", "log.jsonl"]
    assert ids(path) == expected(95)[70:]


def test_those_that_are_wanted_no_more_are_taken_away(path: Path) -> None:
    for keep, count in ((10, 115), (5, 10)):
        stream = EventStream(path, TEN_LINES.model_copy(update={"keep": keep}))
        for number in range(count):
            stream.emit(numbered(number))
        stream.close()

    assert [each.name for each in files(path)] == [
        *(f"log.jsonl.{number}" for number in range(5, 0, -1)),
        "log.jsonl",
    ]


@pytest.mark.parametrize("max_megabytes", [0, 0.99])
def test_nobody_may_set_files_so_small_that_they_come_and_go_unseen(max_megabytes: float) -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        LogSettings(max_megabytes=max_megabytes)


def test_nothing_is_put_aside_unless_it_is_set(path: Path) -> None:
    stream = EventStream(path)
    for number in range(95):
        stream.emit(numbered(number))
    stream.close()

    assert files(path) == [path]


def test_a_piece_that_is_larger_than_a_file_may_be_stays_whole(path: Path) -> None:
    stream = EventStream(path, TEN_LINES)
    stream.emit(numbered(0))
    with stream.burst():
        for number in range(1, 30):
            stream.emit(numbered(number))
    stream.emit(numbered(30))
    stream.close()

    assert [len(lines(each)) for each in files(path)] == [1, 29, 1]


def test_tail_follows_every_line_through_many_rotations(
    path: Path, tail: Callable[[int], list[str]]
) -> None:
    stream = EventStream(path, TEN_LINES)
    shown: list[str] = []
    for start in range(0, 400, 8):  # so that at most one rotation is within each step
        for number in range(start, start + 8):
            stream.emit(numbered(number))
        shown += tail(8)
    stream.close()

    assert shown == expected(400)
    assert len(files(path)) == 40


def test_tail_follows_every_line_of_two_who_write_to_one_file(
    path: Path, tail: Callable[[int], list[str]]
) -> None:
    one, other = EventStream(path, TEN_LINES), EventStream(path, TEN_LINES)
    shown: list[str] = []
    for start in range(0, 400, 8):
        for number in range(start, start + 8, 2):
            one.emit(numbered(number))
            other.emit(numbered(number + 1))
        shown += tail(8)
    one.close()
    other.close()

    assert shown == ids(path) == expected(400)
    assert len(files(path)) == 40


def test_no_line_of_several_processes_is_lost_or_torn(path: Path) -> None:
    size = str(50 * LINE_BYTES / 1e6)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(1000 * number), "1000", size],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for number in range(4)
    ]
    assert [writer.wait(PATIENCE_S) for writer in writers] == [0] * 4

    assert sorted(ids(path)) == expected(4000)
    assert all(each.stat().st_size <= 50 * LINE_BYTES for each in files(path))
    for number in range(4):  # each writer's lines are in the order in which it wrote them
        of_one = [each for each in ids(path) if int(each[2:]) // 1000 == number]
        assert of_one == sorted(of_one)


def test_a_line_that_has_begun_is_ended_in_the_same_file(path: Path) -> None:
    stream = EventStream(path, TEN_LINES)
    stream.emit(numbered(0))
    with full(os.getpid(), size=LINE_BYTES * 3 // 2):
        for number in range(1, 12):
            stream.emit(numbered(number))
    stream.emit(numbered(12))
    stream.close()

    told = [line.get("quote_id") for each in files(path) for line in lines(each)]
    assert [each for each in told if each] == expected(13)


def test_nobody_comes_between_the_parts_of_a_line_nor_renames_its_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "PAUSE_S", 0.0)
    one, other = EventStream(path, TEN_LINES), EventStream(path, TEN_LINES)
    with full(os.getpid(), size=LINE_BYTES * 3 // 2):
        one.emit(numbered(0))
        one.emit(numbered(1))  # half of it
    for number in range(2, 20):
        other.emit(numbered(number))
    one.emit(numbered(20))
    other.close()
    one.close()

    told = [line.get("quote_id") for each in files(path) for line in lines(each)]
    assert sorted(each for each in told if each) == expected(21)
    assert len(files(path)) > 1


@pytest.mark.parametrize("count", [0, 1, 10])
def test_what_a_writer_that_died_left_half_written_swallows_no_line(path: Path, count: int) -> None:
    stream = EventStream(path, TEN_LINES)
    for number in range(count):
        stream.emit(numbered(number))
    with path.open("ab") as file:
        file.write(b'{"ts":"2026-11-26T11')
    stream.emit(numbered(count))
    stream.emit(numbered(count + 1))
    stream.close()

    told = [line for each in files(path) for line in each.read_bytes().splitlines(keepends=True)]
    assert all(line.endswith(b"}\n") for line in told if line != b'{"ts":"2026-11-26T11\n')
    whole = [json.loads(line)["quote_id"] for line in told if line.endswith(b"}\n")]
    assert whole == expected(count + 2)


def test_a_new_file_that_can_not_be_put_aside_either_is_written_to(path: Path) -> None:
    stream = EventStream(path, TEN_LINES.model_copy(update={"keep": 1}))
    stream.emit(numbered(0))
    path.rename(path.with_name("elsewhere"))
    path.write_bytes(b"{}\n" * LINE_BYTES * 4)
    (path.with_name("log.jsonl.1") / "taken").mkdir(parents=True)
    stream.emit(numbered(1))
    stream.close()

    assert lines(path)[-1]["quote_id"] == "q-00001"


def test_a_file_that_somebody_else_has_renamed_is_begun_anew(path: Path) -> None:
    stream = EventStream(path, TEN_LINES)
    stream.emit(numbered(0))
    path.rename(path.with_name("log.jsonl.1"))
    stream.emit(numbered(1))
    stream.close()

    assert [len(lines(each)) for each in files(path)] == [1, 1]


def test_who_can_not_lock_waits_with_its_lines_and_not_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "PAUSE_S", 0.0)
    monkeypatch.setattr(log_file, "LAST_WAIT_S", 0.0)
    stream = EventStream(path, TEN_LINES)
    stream.emit(numbered(0))
    with path.open("ab") as file:
        portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE)
        for number in range(1, 20):
            stream.emit(numbered(number))
        assert ids(path) == expected(1)
    stream.emit(numbered(20))
    assert ids(path) == expected(21)

    with path.open("ab") as file:
        portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE)
        stream.emit(numbered(21))
        stream.close()
    assert ids(path) == expected(22)


def test_a_file_that_can_not_be_renamed_grows_and_that_is_said_once(path: Path) -> None:
    heard = Heard()
    path.with_name("log.jsonl.1").mkdir()
    (path.with_name("log.jsonl.1") / "taken").touch()
    stream = EventStream(path, TEN_LINES.model_copy(update={"keep": 1}))
    stream.subscribe(heard.append)
    for number in range(40):
        stream.emit(numbered(number))
    with path.open("ab") as file:  # nobody else who writes to it is kept waiting
        portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    stream.close()

    assert [line["quote_id"] for line in lines(path)] == expected(40)
    (failed,) = [event for event in heard if isinstance(event, LogFailed)]
    assert failed.error.startswith("can't be put aside, so it grows: ")


def test_a_link_stays_where_it_is(path: Path) -> None:
    (path.parent / "elsewhere").mkdir()
    real = path.parent / "elsewhere" / "real.jsonl"
    path.symlink_to(real)
    stream = EventStream(path, TEN_LINES)
    for number in range(25):
        stream.emit(numbered(number))
    stream.close()

    assert path.is_symlink()
    assert [len(lines(each)) for each in files(real)] == [10, 10, 5]


def test_a_host_that_changes_its_folder_moves_no_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stream = EventStream(Path("log.jsonl"), TEN_LINES)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for number in range(25):
        stream.emit(numbered(number))
    stream.close()

    assert list(Path().iterdir()) == []
    assert ids(tmp_path / "log.jsonl") == expected(25)


def test_all_runs_of_a_system_share_the_file_and_differ_by_their_id(path: Path) -> None:
    config = load_config().model_copy(update={"log": rotating(0.005)})
    for _ in range(2):
        with NegotiationSystem.start(config, database=path.with_name("x.db"), log_file=path) as one:
            quote = one.create_quote()
            one.start_negotiations(quote.id)
            one.wait(quote.id, PATIENCE_S)

    told = [line for each in files(path) for line in lines(each)]
    runs = list(dict.fromkeys(line["run_id"] for line in told))
    ends = [line["run_id"] for line in told if line["event"] == "run.finished"]
    assert len(runs) == 2
    assert ends == runs
    assert len(files(path)) > 2


def test_the_command_line_has_all_runs_write_to_one_file_when_that_rotates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLEY_LOG__MAX_MEGABYTES", "10")
    for _ in range(2):
        assert main.main(["run"]) == DONE

    assert {each.name for each in tmp_path.iterdir()} == {"parley.db", "parley.jsonl"}
    assert [line["event"] for line in lines(tmp_path / "parley.jsonl")].count("run.finished") == 2
