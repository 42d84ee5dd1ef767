"""The event stream: typed events in, JSON lines and subscribers out."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from conftest import Heard

from actors import events as catalogue
from actors.event_stream import EventStream
from actors.events import (
    Event,
    NegotiationEndedEvent,
    NegotiationParkedEvent,
    QuoteCreated,
)
from storage.records import NegotiationId, QuoteId, SupplierId

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

    assert list(line) == ["ts", "level", "event", "quote_id"]
    assert (line["level"], line["event"], line["quote_id"]) == ("info", "quote.created", "q-1")
    assert str(line["ts"]).endswith("Z")
    stream.close()


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


def test_a_log_that_can_not_be_written_stops_nobody() -> None:
    stream = EventStream(Path("/dev/full"))
    heard = Heard()
    stream.subscribe(heard.append)

    stream.emit(CREATED)
    stream.emit(CREATED)
    stream.close()

    assert heard == [CREATED, CREATED]


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


EVENTS = [
    value
    for value in vars(catalogue).values()
    if isinstance(value, type) and issubclass(value, Event) and "name" in vars(value)
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_every_event_has_a_dotted_name_a_level_and_a_meaning(event: type[Event]) -> None:
    assert event.name.count(".") == 1
    assert event.level in {"debug", "info", "warning", "error", "critical"}
    assert (event.__doc__ or "").strip()
    assert [other.name for other in EVENTS].count(event.name) == 1
