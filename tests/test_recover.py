"""What was left over goes on: nothing is lost when a process, its parent or its disk goes away."""

from __future__ import annotations

import asyncio
import json
import queue
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from factories import make_config, make_supplier, quote_fields
from serving import command, locked, negotiations_of, new_quote, serving, sql
from verified import faults

from actors.errors import NegotiatorError, SystemHalted
from actors.negotiators.scripted import Scripted
from actors.negotiators.tactics import Tactics
from actors.system import NegotiationSystem
from storage.records import NegotiationStatus, Quote, is_parked

PATIENCE_S = 20.0
THREE = make_config([make_supplier(n) for n in (1, 2, 3)], retry_pause_s=0, draft_retries=0)
TRANSCRIPT = (
    "SELECT n.supplier_id, m.seq, m.sender, m.content, m.move, m.terms, m.accepts_seq, m.origin "
    "FROM messages AS m JOIN negotiations AS n ON n.id = m.negotiation_id ORDER BY 1, 2"
)


def start(folder: Path, **options: Any) -> NegotiationSystem:
    chosen: dict[str, Any] = {"config": THREE, "database": folder / "parley.db", **options}
    return NegotiationSystem.start(**chosen)


class StopsAfter:
    """Tactics, until so many of its messages are there; then it hangs, and tells."""

    def __init__(self, messages: int) -> None:
        self.hung: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._messages = messages

    async def next_move(self, view: Any) -> Any:
        if view.own_messages >= self._messages:
            self.hung.put(view.supplier.id)
            await asyncio.Event().wait()
        return await Tactics().next_move(view)


def transcript(folder: Path) -> list[Any]:
    with closing(sqlite3.connect(folder / "parley.db")) as database:
        return database.execute(TRANSCRIPT).fetchall()


def interrupted(folder: Path, messages: int) -> Quote:
    """A quote whose system stopped when each brand had said so many messages."""
    hanging = StopsAfter(messages)
    with start(folder, brand=hanging) as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)
        for _ in range(3):
            hanging.hung.get(timeout=PATIENCE_S)
    return quote


@pytest.fixture
def uninterrupted(tmp_path: Path) -> list[Any]:
    (tmp_path / "whole").mkdir()
    with start(tmp_path / "whole") as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)
        system.wait(quote.id, PATIENCE_S)
    return transcript(tmp_path / "whole")


# Going on


@pytest.mark.parametrize("messages", range(4))
def test_what_was_interrupted_goes_on_as_if_it_had_not_been(
    tmp_path: Path, uninterrupted: list[Any], messages: int
) -> None:
    quote = interrupted(tmp_path, messages)
    before = transcript(tmp_path)

    with start(tmp_path, brand=Tactics(), recover=True) as system:
        ended = system.wait(quote.id, PATIENCE_S)

    assert NegotiationStatus.ACTIVE not in {n.status for n in ended}
    after = transcript(tmp_path)
    assert [row for row in after if row in before] == before
    # a negotiator that is given as an object is a script to us, whatever it is
    assert [row[:-1] for row in after] == [row[:-1] for row in uninterrupted]
    assert faults(tmp_path / "parley.db") == []


def test_without_it_nothing_is_taken_up(tmp_path: Path) -> None:
    quote = interrupted(tmp_path, 1)
    before = transcript(tmp_path)

    with start(tmp_path, brand=Tactics()) as system:
        system.wait(quote.id, PATIENCE_S)  # nothing moves, so it returns at once
        assert transcript(tmp_path) == before

        assert system.recover() == (quote.id,)
        system.wait(quote.id, PATIENCE_S)

    assert len(transcript(tmp_path)) > len(before)


def test_a_parked_one_is_tried_again_and_the_reason_is_gone(tmp_path: Path) -> None:
    with start(tmp_path, brand=Scripted(NegotiatorError("no line"))) as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)
        assert all(map(is_parked, system.wait(quote.id, PATIENCE_S)))

    with start(tmp_path, brand=Tactics(), recover=True) as system:
        ended = system.wait(quote.id, PATIENCE_S)

    assert not any(map(is_parked, ended))
    assert {n.last_error for n in ended} == {None}


def test_one_that_is_parked_again_tells_the_new_reason(tmp_path: Path) -> None:
    for words in ("no line", "still no line"):
        with start(
            tmp_path, brand=Scripted(NegotiatorError(words)), recover=words != "no line"
        ) as system:
            if not system.quotes():
                system.start_negotiations(system.create_quote(quote_fields()).id)
            quote = system.quotes()[0]
            parked = system.wait(quote.id, PATIENCE_S)

    assert {n.last_error for n in parked} == {
        "the brand's negotiator made no move: NegotiatorError: still no line"
    }


def test_one_that_waits_to_be_continued_goes_on_waiting(tmp_path: Path) -> None:
    with start(tmp_path) as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id, automatic=False)
        system.wait(quote.id, PATIENCE_S)
    before = transcript(tmp_path)

    with start(tmp_path, recover=True) as system:
        waiting = system.wait(quote.id, PATIENCE_S)
        assert transcript(tmp_path) == before
        assert not any(map(is_parked, waiting))
        assert len(system.continue_negotiation(quote_id=quote.id)) == 3
        system.wait(quote.id, PATIENCE_S)

    assert len(transcript(tmp_path)) == len(before) + 6


def test_an_intervention_that_nobody_answered_is_answered(tmp_path: Path) -> None:
    hanging = StopsAfter(1)
    with start(tmp_path, brand=hanging) as system:
        quote = system.create_quote(quote_fields())
        one, *_ = system.start_negotiations(quote.id)
        for _ in range(3):
            hanging.hung.get(timeout=PATIENCE_S)
        receipt = system.add_user_intervention(limits={"lead_time_days": 44}, negotiation_id=one.id)
        assert not isinstance(receipt, list)
        hanging.hung.get(timeout=PATIENCE_S)  # asked anew, with the guidance on disk

    with start(tmp_path, brand=Tactics(), recover=True) as system:
        system.wait(quote.id, PATIENCE_S)
        settled = system.intervention(receipt.id)

    assert (settled.status, settled.applied_seq) == ("applied", (settled.message_seq or 0) + 1)
    assert faults(tmp_path / "parley.db") == []


def test_what_is_left_of_a_cancelled_quote_ends(tmp_path: Path) -> None:
    hanging = StopsAfter(0)
    with start(tmp_path, brand=hanging) as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)
        hanging.hung.get(timeout=PATIENCE_S)
    with closing(sqlite3.connect(tmp_path / "parley.db")) as database, database:
        database.execute("UPDATE quotes SET status = 'cancelled'")

    with start(tmp_path, recover=True) as system:
        ended = system.wait(quote.id, PATIENCE_S)

    assert {n.reason for n in ended} == {"cancelled"}


def test_with_nothing_left_over_there_is_nothing_to_do(tmp_path: Path) -> None:
    with start(tmp_path, recover=True) as system:
        assert system.recover() == ()


# The commands


def test_recover_waits_for_all_that_is_active_and_shows_it(tmp_path: Path) -> None:
    with serving(tmp_path, "--pace", "30") as engine:
        quote_id = new_quote(tmp_path)
        negotiations_of(tmp_path, quote_id)
        engine.end(signal.SIGKILL)

    ran = command(tmp_path, "recover", "--json")
    again = command(tmp_path, "recover")

    assert (ran.returncode, again.returncode) == (0, 0)
    (found,) = json.loads(ran.stdout)["quotes"]
    assert found["quote"]["id"] == quote_id
    assert found["quote"]["status"] == "completed"
    assert len(found["negotiations"]) == 3
    assert again.stdout == "Nothing was left over.\n"


def test_recover_without_a_database_makes_none(tmp_path: Path) -> None:
    ran = command(tmp_path, "recover")

    assert ran.returncode == 2
    assert "there is no such database" in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_run_goes_on_with_what_was_left_over_and_prints_its_own_quote(tmp_path: Path) -> None:
    with serving(tmp_path, "--pace", "30") as engine:
        left = new_quote(tmp_path)
        negotiations_of(tmp_path, left)
        engine.end(signal.SIGKILL)

    ran = command(tmp_path, "run", "--json")

    assert ran.returncode == 0
    assert json.loads(ran.stdout)["quote"]["id"] != left
    assert sql(tmp_path, "SELECT DISTINCT status FROM quotes") == [("completed",)]


def test_what_is_parked_again_is_exit_1_with_its_reason(tmp_path: Path) -> None:
    with start(tmp_path, brand=Scripted(NegotiatorError("no line"))) as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)
        system.wait(quote.id, PATIENCE_S)

    ran = command(tmp_path, "recover")

    assert ran.returncode == 1
    assert ran.stderr.startswith("parley: parked: supplier-1, supplier-2, supplier-3: ")
    assert "the brand's negotiator was an object: give one again" in ran.stderr


# Stopping


def test_a_stop_waits_for_a_disk_that_is_locked_a_while(tmp_path: Path) -> None:
    drafted = threading.Event()

    class Tells(Tactics):
        async def next_move(self, view: Any) -> Any:
            drafted.set()
            return await super().next_move(view)

    system = start(tmp_path, brand=Tells())
    quote = system.create_quote(quote_fields())
    system.start_negotiations(quote.id)
    with locked(tmp_path, "BEGIN IMMEDIATE") as database:
        assert drafted.wait(PATIENCE_S)
        stopping = threading.Thread(target=system.stop)
        stopping.start()
        database.rollback()
    stopping.join(PATIENCE_S)
    before = transcript(tmp_path)

    assert not stopping.is_alive()
    assert before
    with start(tmp_path, brand=Tactics(), recover=True) as again:
        again.wait(quote.id, PATIENCE_S)
    assert faults(tmp_path / "parley.db") == []
    assert [row for row in transcript(tmp_path) if row in before] == before


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_however_an_engine_ends_the_next_one_goes_on(tmp_path: Path, how: signal.Signals) -> None:
    with serving(tmp_path, "--pace", "0.02") as engine:
        quote_id = new_quote(tmp_path)
        engine.wait_for("message.saved", 7)
        engine.end(how)
    before = transcript(tmp_path)

    assert command(tmp_path, "recover").returncode == 0

    whole = tmp_path / "whole"
    whole.mkdir()
    assert command(whole, "run").returncode == 0
    assert transcript(tmp_path) == transcript(whole)
    assert [row for row in transcript(tmp_path) if row in before] == before
    assert sql(tmp_path, "SELECT status FROM quotes WHERE id = ?", quote_id) == [("completed",)]


# A file that goes away


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
def test_a_database_that_goes_away_halts_all_speaking_within_5_s(tmp_path: Path, how: str) -> None:
    database = tmp_path / "parley.db"
    with serving(tmp_path, "--pace", "0.05") as engine:
        new_quote(tmp_path)
        engine.wait_for("message.saved", 4)
        if how == "deleted":
            database.unlink()
        elif how == "moved":
            database.rename(tmp_path / "elsewhere.db")
        else:
            (tmp_path / "other.db").write_bytes(b"")
            (tmp_path / "other.db").replace(database)
        halted = engine.wait_for("system.halted")
        code = engine.process.wait(timeout=PATIENCE_S)

    assert code == 1
    assert "parley.db: " in halted[0]["error"]
    assert ("is gone" in halted[0]["error"]) is (how != "replaced")
    ids = [line for line in engine.events("message.saved") if line["ts"] > halted[0]["ts"]]
    assert ids == []


def test_an_idle_engine_notices_it_too(tmp_path: Path) -> None:
    with serving(tmp_path) as engine:
        (tmp_path / "parley.db").unlink()
        assert engine.process.wait(timeout=5.0) == 1
        assert engine.events("system.halted")


def test_a_face_that_waits_is_told(tmp_path: Path) -> None:
    with start(tmp_path, brand=StopsAfter(0)) as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)
        (tmp_path / "parley.db").unlink()

        with pytest.raises(SystemHalted, match=r"parley\.db: is gone"):
            system.wait(quote.id, PATIENCE_S)


def test_a_host_that_changes_its_folder_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    with NegotiationSystem.start(THREE, database="parley.db") as system:
        monkeypatch.chdir(other)
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)
        ended = system.wait(quote.id, PATIENCE_S)

    assert {n.status for n in ended} == {NegotiationStatus.COMPLETED}
    assert list(other.iterdir()) == []
