"""A log that can't be written stops nobody, says so once, and tells what is missing."""

from __future__ import annotations

import fcntl
import json
import logging
import logging.handlers
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Heard
from factories import make_config, make_supplier, quote_fields
from outage import filled, full, room, small_disk

from actors.event_stream import EventStream
from actors.events import QuoteCreated
from actors.log import log_file
from actors.log.log_events import LogFailed, LogRestored
from actors.monitoring.progress import print_line
from actors.monitoring.tables import console
from actors.system import NegotiationSystem
from storage.records import NegotiationStatus, QuoteId

ROOT = Path(__file__).parent.parent
PATIENCE_S = 60
CREATED = QuoteCreated(quote_id=QuoteId("q-1"))


def numbered(number: int) -> QuoteCreated:
    return QuoteCreated(quote_id=QuoteId(f"q-{number}"))


def lines(raw: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in raw.splitlines()]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def open_log(heard: Heard) -> Iterator[Callable[[Path], EventStream]]:
    streams: list[EventStream] = []

    def opened(path: Path) -> EventStream:
        stream = EventStream(path)
        stream.subscribe(heard.append)
        streams.append(stream)
        return stream

    yield opened
    for stream in streams:
        stream.close()


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A pipe with a name, and a reader that takes nothing by itself."""
    path = tmp_path / "log.pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    yield path, reader
    os.close(reader)


def read_all(reader: int) -> bytes:
    """What a pipe holds now."""
    read = b""
    try:
        while chunk := os.read(reader, 1 << 16):
            read += chunk
    except BlockingIOError:
        pass
    return read


Open = Callable[[Path], EventStream]


def test_a_full_disk_is_said_once_and_what_waited_is_written_when_there_is_room(
    tmp_path: Path, open_log: Open, heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    stream = open_log(tmp_path / "log.jsonl")
    stream.emit(numbered(1))
    with full(os.getpid(), size=(tmp_path / "log.jsonl").stat().st_size * 3 // 2):
        for number in range(2, 30):
            stream.emit(numbered(number))
    stream.emit(numbered(30))

    written = lines((tmp_path / "log.jsonl").read_bytes())
    told = [line for line in written if line["event"] == "log.restored"]
    assert [line["quote_id"] for line in written if line not in told] == [
        f"q-{number}" for number in range(1, 31)
    ]
    assert [line["lines_lost"] for line in told] == [0]
    assert written.index(told[0]) == 29
    assert [event.name for event in heard if event.name.startswith("log.")] == [
        *("log.failed", "log.restored")
    ]
    assert [record.name for record in caplog.records] == ["parley"]
    assert caplog.messages[0].endswith("the log can't be written: File too large; all else goes on")


def test_what_is_more_than_can_be_kept_is_counted_where_it_is_missing(
    tmp_path: Path, open_log: Open, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "BACKLOG_BYTES", 500)
    stream = open_log(tmp_path / "log.jsonl")
    with full(os.getpid(), size=1):
        for number in range(20):
            stream.emit(numbered(number))
    stream.emit(numbered(20))

    written = lines((tmp_path / "log.jsonl").read_bytes())
    (at,) = [at for at, line in enumerate(written) if line["event"] == "log.restored"]
    kept = [line["quote_id"] for line in written[:at]]
    assert kept == [f"q-{number}" for number in range(at)]
    assert written[at]["lines_lost"] == stream.lines_lost == 20 - at
    assert [line["quote_id"] for line in written[at + 1 :]] == ["q-20"]
    assert heard.of("log.restored") == [LogRestored(lines_lost=20 - at)]


def test_a_second_failure_is_said_again(tmp_path: Path, open_log: Open, heard: Heard) -> None:
    stream = open_log(tmp_path / "log.jsonl")
    for _ in range(2):
        with full(os.getpid(), size=1):
            stream.emit(CREATED)
            stream.emit(CREATED)
        stream.emit(CREATED)

    said = [event.name for event in heard if event.name.startswith("log.")]
    assert said == ["log.failed", "log.restored"] * 2


def test_a_pipe_without_a_reader_is_refused_at_once_and_nothing_is_made(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log.pipe")

    with pytest.raises(OSError, match="nobody reads this pipe: start its reader first"):
        NegotiationSystem.start(database=tmp_path / "x.db", log_file=tmp_path / "log.pipe")

    assert [path.name for path in tmp_path.iterdir()] == ["log.pipe"]


def test_a_reader_that_takes_nothing_holds_nobody_and_gets_it_all_later(
    pipe: tuple[Path, int], open_log: Open, heard: Heard
) -> None:
    path, reader = pipe
    stream = open_log(path)
    for number in range(1000):
        stream.emit(numbered(number))
    read = b""
    while not read.endswith(b'"q-1000"}\n'):
        stream.emit(numbered(1000))
        read += read_all(reader)

    ids = [line["quote_id"] for line in lines(read)]
    assert list(dict.fromkeys(ids)) == [f"q-{number}" for number in range(1001)]
    assert not heard.of("log.failed")


def test_a_reader_that_never_reads_again_is_said_once(
    pipe: tuple[Path, int], open_log: Open, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "BACKLOG_BYTES", 10_000)
    path, _ = pipe
    stream = open_log(path)
    for number in range(500):
        stream.emit(numbered(number))

    (failed,) = heard.of("log.failed")
    assert failed == LogFailed(
        log_file=str(path), error="can't be written: nothing is taken any more"
    )
    assert stream.lines_lost > 300


def test_a_pipe_whose_reader_went_is_written_again_when_another_one_comes(
    tmp_path: Path, open_log: Open, heard: Heard
) -> None:
    path = tmp_path / "log.pipe"
    os.mkfifo(path)
    first = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    stream = open_log(path)
    stream.emit(numbered(1))
    os.close(first)
    stream.emit(numbered(2))
    stream.emit(numbered(3))
    second = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    stream.emit(numbered(4))
    read = lines(read_all(second))
    os.close(second)

    assert [line.get("quote_id", line["event"]) for line in read] == [
        *("q-1", "q-2", "q-3", "log.restored", "q-4")
    ]
    (failed,) = heard.of("log.failed")
    assert "Broken pipe" in str(failed.facts()["error"])


def test_the_last_lines_wait_for_a_reader_that_is_slow(pipe: tuple[Path, int]) -> None:
    path, reader = pipe
    stream = EventStream(path)
    for number in range(1000):
        stream.emit(numbered(number))
    os.set_blocking(reader, True)
    read: list[bytes] = []
    slow = threading.Thread(target=lambda: read.extend(iter(lambda: os.read(reader, 4096), b"")))
    slow.start()
    stream.close(CREATED)
    slow.join(PATIENCE_S)

    assert len(lines(b"".join(read))) == 1001


def test_a_log_in_which_nothing_stands_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    new = EventStream(Path("new.jsonl"))
    monkeypatch.chdir("/")
    new.close()
    (tmp_path / "old.jsonl").touch()
    EventStream(tmp_path / "old.jsonl").close()

    assert [path.name for path in tmp_path.iterdir()] == ["old.jsonl"]


@pytest.mark.parametrize("log", ["/dev/full", "a pipe whose reader goes"])
def test_negotiations_go_on_without_their_log(tmp_path: Path, log: str) -> None:
    heard = Heard()
    path, reader = Path(log), -1
    if log != "/dev/full":
        path = tmp_path / "log.pipe"
        os.mkfifo(path)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    config = make_config([make_supplier(n) for n in (1, 2, 3)])
    with NegotiationSystem.start(config, database=tmp_path / "x.db", log_file=path) as system:
        system.subscribe(heard.append)
        if reader >= 0:
            os.close(reader)
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)
        ended = system.wait(quote.id, PATIENCE_S)

    assert [one.status for one in ended] == [NegotiationStatus.COMPLETED] * 3
    assert heard[-1].name == "run.finished"


def test_negotiations_go_on_while_the_disk_of_the_log_is_full(tmp_path: Path) -> None:
    heard = Heard()
    config = make_config([make_supplier(n) for n in (1, 2, 3)])
    with small_disk(tmp_path / "disk", "1m") as disk:
        log = disk / "log.jsonl"
        with NegotiationSystem.start(config, database=tmp_path / "x.db", log_file=log) as system:
            system.subscribe(heard.append)
            filled(disk)
            for _ in range(12):  # what they say is more than the last page of the log takes
                quote = system.create_quote(quote_fields())
                system.start_negotiations(quote.id)
                ended = system.wait(quote.id, PATIENCE_S)
                assert [one.status for one in ended] == [NegotiationStatus.COMPLETED] * 3
            (failed,) = heard.of("log.failed")
            room(disk)
            system.create_quote(quote_fields())
        told = lines(log.read_bytes())

    assert "No space left on device" in str(failed.facts()["error"])
    assert [line["lines_lost"] for line in told if line["event"] == "log.restored"] == [0]
    assert len([line for line in told if line["event"] == "quote.completed"]) == 12
    assert told[-1]["event"] == "run.finished"


@pytest.mark.parametrize("command", ["run", "run --json"])
def test_the_command_line_says_on_one_line_that_its_log_fails(tmp_path: Path, command: str) -> None:
    ran = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *command.split(), "--log-file", "/dev/full"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    said = "parley: /dev/full: the log can't be written: No space left on device; all else goes on"
    assert ran.returncode == 0
    assert (ran.stdout + ran.stderr).count("/dev/full") == 1
    assert said in ran.stderr.splitlines()


def test_what_standard_error_says_is_not_printed_twice(capsys: pytest.CaptureFixture[str]) -> None:
    print_line(LogFailed(log_file="x.jsonl", error="can't be written"), console())
    print_line(LogRestored(lines_lost=3), console())

    assert capsys.readouterr().out == "log.restored lines_lost=3\n"


def test_a_host_program_gets_it_by_its_own_logging(tmp_path: Path) -> None:
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    handler = logging.handlers.QueueHandler(records)
    logging.getLogger("parley").addHandler(handler)
    try:
        stream = EventStream(Path("/dev/full"))
        stream.emit(CREATED)
        stream.emit(CREATED)
        stream.close()
    finally:
        logging.getLogger("parley").removeHandler(handler)

    assert records.get().levelname == "ERROR"
    assert records.empty()
