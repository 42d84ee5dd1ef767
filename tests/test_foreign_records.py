"""What pykka and peewee log stands in our log too, and nothing private with it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import peewee
import pykka
import pytest
from conftest import Heard
from probe import PATIENCE_S

from actors.config import load_config
from actors.event_stream import EventStream
from actors.events import Event
from actors.log.foreign_records import LIBRARIES, ForeignRecords
from actors.log.log_events import LibraryLogged
from actors.system import NegotiationSystem

LIMIT = "8.37"
WORDS = "Zanzibar matters"


class Failing(pykka.ThreadingActor):
    """A host program's own actor."""

    use_daemon_thread = True

    def on_receive(self, message: Any) -> Any:
        if message == "fail":
            private = f"{LIMIT} {WORDS}"
            raise ValueError(private)
        return super().on_receive(message)


@pytest.fixture
def debug() -> Iterator[None]:
    """The host program wants to see all that the libraries log."""
    before = {name: logging.getLogger(name).level for name in LIBRARIES}
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def records(events: EventStream) -> Iterator[ForeignRecords]:
    handler = ForeignRecords(events)
    yield handler
    handler.close()


def told(heard: Heard) -> list[dict[str, Any]]:
    return [event.facts() for event in heard if isinstance(event, LibraryLogged)]


@pytest.mark.usefixtures("records")
def test_a_record_is_an_event_with_its_level_logger_and_place(heard: Heard) -> None:
    logging.getLogger("pykka").warning("Something odd")
    logging.getLogger("peewee.pool").error("Something worse")

    odd, worse = told(heard)
    assert (odd["level"], odd["logger"], odd["words"]) == ("warning", "pykka", "Something odd")
    assert (worse["level"], worse["logger"]) == ("error", "peewee.pool")
    assert odd["source"].startswith("test_foreign_records.py:")


@pytest.mark.usefixtures("records")
def test_of_an_exception_in_an_actor_only_its_type_is_told(heard: Heard) -> None:
    actor = Failing.start()
    actor.tell("fail")
    actor.actor_stopped.wait(PATIENCE_S)

    (failed,) = [each for each in told(heard) if each["level"] == "error"]
    assert (failed["words"], failed["exception"]) == (
        "Unhandled exception in Failing",
        "ValueError",
    )
    assert LIMIT not in str(heard)
    assert WORDS not in str(heard)


@pytest.mark.usefixtures("records", "debug")
def test_of_mail_that_pykka_did_not_expect_nothing_is_told(heard: Heard) -> None:
    actor = Failing.start()
    actor.ask({"limit": LIMIT, "text": WORDS}, timeout=PATIENCE_S)
    actor.stop(timeout=PATIENCE_S)

    assert "Unexpected message received by Failing" in [each["words"] for each in told(heard)]
    assert LIMIT not in str(heard)
    assert WORDS not in str(heard)


@pytest.mark.usefixtures("records", "debug")
@pytest.mark.parametrize(
    ("statement", "values", "words"),
    [
        ("SELECT * FROM t WHERE a = ?", (LIMIT,), "SELECT"),
        ("INSERT INTO t (a) VALUES ('Zanzibar matters')", (), "INSERT INTO t"),
        ("UPDATE t SET a = 8.37", (), "UPDATE t SET a"),
    ],
)
def test_of_a_statement_neither_values_nor_literals_are_told(
    heard: Heard, statement: str, values: tuple[str, ...], words: str
) -> None:
    database = peewee.SqliteDatabase(":memory:")
    database.execute_sql("CREATE TABLE t (a TEXT)")  # type: ignore[no-untyped-call]
    database.execute_sql(statement, values)  # type: ignore[no-untyped-call]

    assert told(heard)[-1]["words"] == words
    assert LIMIT not in str(heard)
    assert WORDS not in str(heard)


@pytest.mark.usefixtures("records")
@pytest.mark.parametrize("record", [7, None, (), (1,), {"a": LIMIT}, [LIMIT], ValueError(LIMIT)])
def test_a_record_may_be_anything(heard: Heard, record: object) -> None:
    logging.getLogger("peewee").error(record)

    assert [each["words"] for each in told(heard)] == [""]


def test_the_hosts_logging_stays_as_it_was(tmp_path: Path) -> None:
    def state() -> list[Any]:
        loggers = [logging.getLogger(name) for name in (*LIBRARIES, None)]
        return [(one.level, list(one.handlers), one.propagate, one.disabled) for one in loggers]

    before = state()
    with NegotiationSystem.start(database=tmp_path / "x.db"):
        during = state()

    assert state() == before
    for was, has in zip(before, during, strict=True):
        assert (was[0], was[2:]) == (has[0], has[2:])
        assert [each for each in has[1] if not isinstance(each, ForeignRecords)] == was[1]


@pytest.mark.usefixtures("debug")
def test_two_systems_get_them_both_and_each_until_it_is_stopped(tmp_path: Path) -> None:
    logs = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    one, two = (
        NegotiationSystem.start(database=log.with_suffix(".db"), log_file=log) for log in logs
    )
    logging.getLogger("pykka").error("First")
    one.stop()
    logging.getLogger("pykka").error("Second")
    two.stop()

    words = [
        [line["words"] for line in map(json.loads, log.read_text().splitlines()) if "words" in line]
        for log in logs
    ]
    assert ("First" in words[0], "First" in words[1]) == (True, True)
    assert ("Second" in words[0], "Second" in words[1]) == (False, True)
    assert json.loads(logs[0].read_text().splitlines()[-1])["event"] == "run.finished"


@pytest.mark.usefixtures("debug")
def test_a_subscriber_that_reads_the_database_is_not_told_of_that_for_ever(tmp_path: Path) -> None:
    heard = Heard()

    def look(_: Event) -> None:
        system.quotes()

    with NegotiationSystem.start(load_config(), database=tmp_path / "x.db") as system:
        system.subscribe(look)
        system.subscribe(heard.append)
        system.create_quote()

    assert heard.of("library.logged")
    assert not heard.of("subscriber.failed")


@pytest.mark.usefixtures("debug")
def test_a_whole_negotiation_at_debug_tells_no_value(tmp_path: Path) -> None:
    log = tmp_path / "x.jsonl"
    with NegotiationSystem.start(database=tmp_path / "x.db", log_file=log) as system:
        quote = system.create_quote()
        first, *_ = system.start_negotiations(quote.id, automatic=False)
        system.add_user_intervention(WORDS, negotiation_id=first.id)
        system.wait(quote.id, PATIENCE_S)

    statements = [line for line in log.read_text().splitlines() if '"logger":"peewee"' in line]
    assert len(statements) > 10
    assert {json.loads(line)["words"].split()[0] for line in statements} >= {"UPDATE", "INSERT"}
    assert WORDS not in log.read_text()
