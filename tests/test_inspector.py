"""Inspector: what is damaged is found while the engine works, and halts it."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from conftest import Heard
from outage import destroy, pages
from probe import PATIENCE_S, Probe
from serving import until

from actors.event_stream import EventStream
from actors.inspector import NICENESS, Inspector
from actors.runtime import LoopThread
from actors.saves import DatabaseDamaged
from storage.database import check_pages
from storage.errors import DatabaseUnavailable, DatabaseUnusable
from storage.pages import Pages, size_of

only_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has a niceness for each thread"
)


class Looks(Pages):
    """Looks that go as they are told to, the last one until it is interrupted."""

    def __init__(self, *ends: Exception) -> None:
        super().__init__(Path("parley.db"))
        self._ends = iter(ends)
        self._interrupted = threading.Event()
        self.count = 0
        self.niceness: int | None = None
        """Of the thread that looks."""
        self.is_last = threading.Event()

    def check(self) -> None:
        self.count += 1
        self.niceness = os.nice(0)
        for end in self._ends:
            raise end
        self.is_last.set()
        assert self._interrupted.wait(PATIENCE_S)
        raise DatabaseUnusable("page 7 is never used")  # what half a look may seem to find

    def interrupt(self) -> None:
        self._interrupted.set()


class Hanging(Looks):
    """A look that the operating system doesn't answer."""

    def interrupt(self) -> None:
        """Not heard."""

    def let_go(self) -> None:
        super().interrupt()


@pytest.fixture
def persistence(loop: LoopThread) -> Probe:
    return Probe(loop)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A database of 30 MB."""
    path = tmp_path / "large.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode = wal")
        database.execute("CREATE TABLE zeros (some BLOB)")
        database.executemany("INSERT INTO zeros VALUES (zeroblob(?))", [(100_000,)] * 300)
    return path


def damage(path: Path) -> None:
    size, count = pages(path)
    content = bytearray(path.read_bytes())
    destroy(content, (count - 1) * size, size)
    destroy(content, size, size)
    path.write_bytes(content)


def test_a_sound_database_is_looked_at_once_and_nothing_is_told(
    large: Path, events: EventStream, persistence: Probe, heard: Heard
) -> None:
    Pages(large).check()

    inspector = Inspector(Pages(large), events, persistence=persistence.ref)
    inspector.stop()

    assert persistence.is_silent
    assert heard == []


def test_a_damaged_page_is_told_to_persistence(
    large: Path, events: EventStream, persistence: Probe
) -> None:
    damage(large)

    inspector = Inspector(Pages(large), events, persistence=persistence.ref)
    told = persistence.next(DatabaseDamaged)
    inspector.stop()

    assert isinstance(told.error, DatabaseUnusable)
    assert f"{large}: is a damaged database (" in str(told.error)


def test_a_look_that_a_stop_cuts_short_accuses_nobody(
    events: EventStream, persistence: Probe
) -> None:
    looks = Looks()
    inspector = Inspector(looks, events, persistence=persistence.ref)
    assert looks.is_last.wait(PATIENCE_S)

    inspector.stop()

    assert persistence.is_silent


def test_a_look_that_hangs_holds_nobody_up_for_ever(
    events: EventStream, persistence: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.inspector.STOP_TIMEOUT_S", 0.05)
    looks = Hanging()
    inspector = Inspector(looks, events, persistence=persistence.ref)
    assert looks.is_last.wait(PATIENCE_S)

    stopping = threading.Thread(target=inspector.stop)
    stopping.start()
    stopping.join(PATIENCE_S)
    has_stopped = not stopping.is_alive()
    looks.let_go()
    stopping.join(PATIENCE_S)

    assert has_stopped
    assert persistence.is_silent


def test_a_database_that_can_not_be_read_now_is_looked_at_anew(
    events: EventStream, persistence: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.inspector.PAUSE_S", 0.001)
    looks = Looks(DatabaseUnavailable("locked"), DatabaseUnavailable("locked"))

    inspector = Inspector(looks, events, persistence=persistence.ref)
    assert looks.is_last.wait(PATIENCE_S)
    inspector.stop()

    assert looks.count == 3
    assert persistence.is_silent


def test_a_bug_of_ours_is_told_in_the_log(
    events: EventStream, persistence: Probe, heard: Heard
) -> None:
    inspector = Inspector(Looks(ValueError("a limit of 8.00")), events, persistence=persistence.ref)

    (failed,) = until(lambda: heard.of("actor.failed"))
    inspector.stop()

    assert failed.facts()["actor"] == "Inspector"
    assert "8.00" not in str(failed.facts())
    assert persistence.is_silent


@only_linux
@pytest.mark.parametrize("before", [NICENESS - 7, NICENESS + 5])
def test_a_look_steps_back_and_never_forward(
    events: EventStream, persistence: Probe, before: int
) -> None:
    looks = Looks()

    def look() -> int:  # a thread is as nice as the one that starts it
        own = os.nice(max(0, before - os.nice(0)))
        inspector = Inspector(looks, events, persistence=persistence.ref)
        assert looks.is_last.wait(PATIENCE_S)
        inspector.stop()
        return own

    with ThreadPoolExecutor() as starting:
        own = starting.submit(look).result()

    assert looks.niceness == max(NICENESS, own)


@only_linux
def test_a_look_that_may_not_step_back_goes_on_all_the_same(
    events: EventStream, persistence: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.setpriority", refuse)
    looks = Looks()

    inspector = Inspector(looks, events, persistence=persistence.ref)
    assert looks.is_last.wait(PATIENCE_S)
    inspector.stop()


@pytest.fixture
def interrupting() -> Iterator[list[Pages]]:
    """Pages whose looks are interrupted again and again."""
    interrupted: list[Pages] = []
    is_over = threading.Event()

    def interrupt() -> None:
        while not is_over.wait(0.0005):
            for each in interrupted:
                each.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    yield interrupted
    is_over.set()
    thread.join()


def test_another_thread_can_end_a_look(large: Path, interrupting: list[Pages]) -> None:
    looked_at = Pages(large)
    looked_at.interrupt()  # nothing to end yet
    looked_at.check()

    interrupting.append(looked_at)

    with pytest.raises(DatabaseUnavailable, match="interrupted"):
        looked_at.check()


def test_a_look_that_has_just_ended_by_itself_needs_no_end(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = Pages(large)

    def look(looking: sqlite3.Connection) -> None:
        looking.close()  # as if it had been, between another thread's two steps to interrupt it
        looked_at.interrupt()

    monkeypatch.setattr("storage.pages.check_pages", look)

    looked_at.check()


def test_a_look_holds_no_writer_up_nor_a_writer_a_look(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(large, timeout=0)) as database:

        def look(looking: sqlite3.Connection) -> None:
            looking.execute("BEGIN")
            check_pages(looking)
            with database:
                database.execute("INSERT INTO zeros VALUES ('meanwhile')")

        monkeypatch.setattr("storage.pages.check_pages", look)
        Pages(large).check()
        database.execute("BEGIN IMMEDIATE")
        monkeypatch.undo()
        Pages(large).check()
        database.rollback()

        found = database.execute("SELECT count(*) FROM zeros WHERE some = 'meanwhile'").fetchone()
        assert found == (1,)


def test_a_database_that_is_gone_can_not_be_read_and_is_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        Pages(tmp_path / "gone.db").check()

    assert list(tmp_path.iterdir()) == []


def test_the_size_is_that_of_the_database_and_of_what_waits_in_its_log(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    assert size_of(path) == 0

    path.write_bytes(bytes(1000))
    (tmp_path / "some.db-wal").write_bytes(bytes(200))

    assert size_of(path) == 1200
