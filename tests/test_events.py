"""The event stream: typed events in, JSON lines and subscribers out."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import ClassVar, get_type_hints

import pytest
import structlog
from benchmarks import events as benchmark
from conftest import Heard
from msgspec.structs import fields, replace

from actors.event_stream import EventStream
from actors.events import Event, NegotiationEvent, QuoteCreated
from actors.log.catalogue import EVENTS
from actors.log.foreign_records import LEVELS
from actors.log.log_events import LibraryLogged
from actors.negotiation_events import NegotiationEndedEvent, NegotiationParkedEvent
from actors.stdio.subscription import told
from storage.records import NegotiationId, QuoteId, SupplierId, write_time

NEW_TYPES = (QuoteId, NegotiationId, NegotiationId | None, SupplierId, ClassVar[str])
CREATED = QuoteCreated(quote_id=QuoteId("q-1"))
PARKED = NegotiationParkedEvent(
    quote_id=QuoteId("q-1"),
    negotiation_id=NegotiationId("n-1"),
    supplier_id=SupplierId("supplier-1"),
    error='\x1b[31mred\n{"event": "forged"} \N{RIGHT-TO-LEFT OVERRIDE}',
)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_event_is_a_json_line_with_time_level_and_name_first(tmp_path: Path) -> None:
    stream = EventStream(tmp_path / "log.jsonl")
    stream.emit(CREATED)

    (line,) = lines(tmp_path / "log.jsonl")

    assert list(line) == ["ts", "level", "event", "run_id", "quote_id"]
    assert line["run_id"] == stream.run_id
    assert (line["level"], line["event"], line["quote_id"]) == ("info", "quote.created", "q-1")
    assert str(line["ts"]).endswith("Z")
    stream.close()


@pytest.mark.parametrize("microsecond", [0, 123_456])
def test_a_time_has_six_decimals_even_at_a_full_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, microsecond: int
) -> None:
    now = datetime(2026, 11, 26, 12, 0, 0, microsecond, UTC)
    now_ns = int(now.timestamp()) * 1_000_000_000 + microsecond * 1_000 + 789
    monkeypatch.setattr("time.time_ns", lambda: now_ns)
    stream = EventStream(tmp_path / "log.jsonl")
    stream.emit(CREATED)
    stream.close()

    (line,) = lines(tmp_path / "log.jsonl")
    notified = json.loads(told(CREATED))["params"]
    assert line["ts"] == notified["ts"] == write_time(now)
    assert line["ts"] == f"2026-11-26T12:00:00.{microsecond:06d}Z"
    assert list(notified) == ["ts", "level", "event", "quote_id"]


def test_hostile_text_forges_no_line_and_no_control_code(tmp_path: Path) -> None:
    stream = EventStream(tmp_path / "log.jsonl")
    stream.emit(PARKED)
    stream.close()

    raw = (tmp_path / "log.jsonl").read_bytes()

    assert raw.count(b"\n") == 1
    assert raw.isascii()
    assert b"\x1b" not in raw
    assert lines(tmp_path / "log.jsonl")[0]["error"] == PARKED.error


@pytest.mark.parametrize("text", ["calm", "Z\N{LATIN SMALL LETTER U WITH DIAERESIS}rich", "\ud800"])
def test_every_text_can_be_logged_and_read_back(tmp_path: Path, text: str) -> None:
    stream = EventStream(tmp_path / "log.jsonl")
    stream.emit(replace(PARKED, error=text))
    stream.close()

    assert (tmp_path / "log.jsonl").read_bytes().isascii()
    assert lines(tmp_path / "log.jsonl")[0]["error"] == text


def test_the_line_for_a_person_is_inert_and_calm() -> None:
    assert "\x1b" not in PARKED.line()
    assert "\n" not in PARKED.line()
    ended = NegotiationEndedEvent(
        quote_id=QuoteId("q-1"),
        negotiation_id=NegotiationId("n-1"),
        supplier_id=SupplierId("supplier-1"),
        status="impasse",
        reason="no_progress",
        rounds=7,
    )
    assert ended.line() == "supplier-1 ended: impasse (no_progress) after 7 rounds"


def test_a_log_is_appended_to_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    for _ in range(2):
        stream = EventStream(path)
        stream.emit(CREATED)
        stream.close()

    assert len(lines(path)) == 2
    assert path.stat().st_mode & 0o777 == 0o600


def test_lines_of_many_threads_are_whole(tmp_path: Path) -> None:
    stream = EventStream(tmp_path / "log.jsonl")

    def emit() -> None:
        for _ in range(300):
            stream.emit(PARKED)

    threads = [threading.Thread(target=emit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stream.close()

    assert len(lines(tmp_path / "log.jsonl")) == 8 * 300


def test_who_unsubscribes_hears_no_more() -> None:
    stream = EventStream()
    heard = Heard()
    end = stream.subscribe(heard.append)
    stream.emit(CREATED)
    end()
    stream.emit(CREATED)

    assert heard == [CREATED]


def test_the_host_programs_structlog_stays_as_it_was(tmp_path: Path) -> None:
    before = structlog.get_config()
    stream = EventStream(tmp_path / "log.jsonl")
    stream.emit(CREATED)
    stream.close()

    assert structlog.get_config() == before
    assert not structlog.is_configured()


def every(kind: type[Event]) -> set[type[Event]]:
    """All kinds of events that there are, in whatever file of the product."""
    below = {each for child in kind.__subclasses__() for each in every(child)}
    return below | ({kind} if "name" in vars(kind) else set())


def of_the_product(kind: type[Event]) -> bool:
    return kind.__module__.startswith("actors.")


def test_the_catalogue_is_closed() -> None:
    import_module("actors.system")  # and so all that can be logged
    # a dataclass with slots leaves the class that it was made from behind
    assert {kind.name for kind in every(Event) if of_the_product(kind)} == {e.name for e in EVENTS}
    assert len({event.name for event in EVENTS}) == len(EVENTS)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_every_event_has_a_dotted_name_a_level_and_a_meaning(event: type[Event]) -> None:
    assert event.name.count(".") == 1
    assert event is LibraryLogged or event.level in {*LEVELS.values(), "debug"}
    assert (event.__doc__ or "").strip()


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_ids_come_first_in_every_event_and_all_else_is_plain(event: type[Event]) -> None:
    names = [field.name for field in fields(event)]
    is_id = [name.endswith("_id") for name in names]

    assert is_id == sorted(is_id, reverse=True)
    if issubclass(event, NegotiationEvent):
        assert names[:3] == ["quote_id", "negotiation_id", "supplier_id"]
    kinds = set(get_type_hints(event).values())
    assert kinds <= {*(str, int, float, bool), *(x | None for x in (str, int, float)), *NEW_TYPES}


def test_an_event_costs_at_most_40_microseconds_of_cpu() -> None:
    found = benchmark.measured(runs=3, events=1_000)

    assert max(float(str(found[name])) for name in ("event_us", "rotating_us")) <= 40
    assert benchmark.heartbeat_us(active=100, beats=2) > 0
