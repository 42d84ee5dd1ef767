"""The face, whole: real actors, a real file, scripted negotiators."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import Heard
from factories import make_config, make_supplier, make_terms, quote_fields

from actors.errors import ConfigError, QuoteError, SystemHalted, SystemStopped
from actors.mechanism.moves import Draft
from actors.negotiators.scripted import Scripted
from actors.negotiators.tactics import Tactics
from actors.system import NegotiationSystem
from storage.errors import (
    DamagedRow,
    DatabaseUnusable,
    EngineRunning,
    QuoteNotPending,
    UnknownRecord,
)
from storage.ledger import Ledger
from storage.lock import runs_on
from storage.records import (
    Message,
    Move,
    Negotiation,
    NegotiationId,
    NegotiationStatus,
    Origin,
    QuoteId,
    QuoteStatus,
    Reason,
    Sender,
)

PATIENCE_S = 20.0
FOR_AGES = """
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT 1000000000)
    SELECT count(*) FROM numbers
"""
"""A statement that takes minutes, unless it is interrupted."""
THREE = make_config([make_supplier(n) for n in (1, 2, 3)], retry_pause_s=0, draft_retries=1)


class Slow:
    """Hangs; `begun` tells with whom."""

    def __init__(self) -> None:
        self.begun: queue.SimpleQueue[str] = queue.SimpleQueue()

    async def next_move(self, view: Any) -> Draft:
        self.begun.put(view.supplier.id)
        await asyncio.Event().wait()
        raise AssertionError


def start(tmp_path: Path, **options: Any) -> NegotiationSystem:
    chosen: dict[str, Any] = {"config": THREE, "database": tmp_path / "parley.db", **options}
    return NegotiationSystem.start(**chosen)


def run(system: NegotiationSystem, **fields: Any) -> list[Negotiation]:
    quote = system.create_quote(quote_fields(**fields))
    system.start_negotiations(quote.id)
    return system.wait(quote.id, PATIENCE_S)


def conversation(system: NegotiationSystem, negotiation: Negotiation) -> list[Message]:
    return system.messages(negotiation.id)


def test_a_pending_quote_becomes_three_negotiations_with_an_opening_message_each(
    tmp_path: Path,
) -> None:
    supplier = Slow()
    with start(tmp_path, suppliers=supplier) as system:
        quote = system.create_quote(quote_fields())
        assert quote.status is QuoteStatus.PENDING
        assert system.negotiations(quote.id) == []

        started = system.start_negotiations(quote.id)

        assert [negotiation.status for negotiation in started] == [NegotiationStatus.ACTIVE] * 3
        assert [negotiation.supplier_id for negotiation in started] == list(quote.suppliers)
        assert system.quote(quote.id).status is QuoteStatus.NEGOTIATING
        for _ in started:
            supplier.begun.get(timeout=PATIENCE_S)  # asked only when the opening message is saved
        for negotiation in started:
            (opening,) = system.messages(negotiation.id)
            assert (opening.seq, opening.sender, opening.move) == (1, Sender.BRAND, Move.OFFER)


def test_every_negotiation_ends_and_the_last_ending_completes_the_quote(tmp_path: Path) -> None:
    with start(tmp_path) as system:
        ended = run(system)

        quote = system.quotes()[0]
        assert quote.status is QuoteStatus.COMPLETED
        assert quote.completed_at == max(n.ended_at for n in ended if n.ended_at)
        for negotiation in ended:
            assert negotiation.status is NegotiationStatus.COMPLETED
            last = conversation(system, negotiation)[-1]
            assert last.move is Move.ACCEPT
            assert negotiation.agreed_terms == last.terms
            offer = conversation(system, negotiation)[(last.accepts_seq or 0) - 1]
            assert (offer.move, offer.terms) == (Move.OFFER, last.terms)
            assert offer.sender is not last.sender


def test_starting_twice_is_an_error_that_changes_nothing(tmp_path: Path) -> None:
    with start(tmp_path) as system:
        ended = run(system)
        quote = system.quotes()[0]

        with pytest.raises(QuoteNotPending, match="completed"):
            system.start_negotiations(quote.id)

        assert system.negotiations(quote.id) == ended


def test_two_who_start_at_once_start_it_once(tmp_path: Path) -> None:
    with start(tmp_path) as system:
        quote = system.create_quote(quote_fields())
        outcomes: list[str] = []

        def starting() -> None:
            try:
                system.start_negotiations(quote.id)
                outcomes.append("started")
            except QuoteNotPending:
                outcomes.append("refused")

        threads = [threading.Thread(target=starting) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        system.wait(quote.id, PATIENCE_S)

        assert sorted(outcomes) == ["refused"] * 7 + ["started"]
        assert len(system.negotiations(quote.id)) == 3


@pytest.mark.parametrize("side", ["brand", "suppliers"])
@pytest.mark.parametrize(
    ("negotiator", "error"),
    [
        (Scripted(RuntimeError("the line is dead")), "RuntimeError: the line is dead"),
        (Scripted({"move": "Propose a trade with"}), "refused twice: unreadable"),
        (Scripted(Draft(Move.TALK, "   ")), "refused twice: unreadable"),
        (Scripted(SystemExit(1)), "SystemExit: 1"),
        (Slow(), "no move within"),
    ],
    ids=["raises", "rubbish", "silence", "exits", "hangs"],
)
def test_one_bad_negotiator_parks_its_negotiation_and_the_others_end(
    tmp_path: Path, side: str, negotiator: Any, error: str
) -> None:
    config = THREE.model_copy(
        update={"rules": THREE.rules.model_copy(update={"move_timeout_s": 0.2})}
    )
    chosen: Any = {"supplier-2": negotiator}
    if side == "brand":
        chosen = _OnlyFor("Supplier 2", negotiator)
    with start(tmp_path, config=config, **{side: chosen}) as system:
        first, second, third = run(system)

        assert second.status is NegotiationStatus.ACTIVE
        assert error in (second.last_error or "")
        assert first.status is third.status is NegotiationStatus.COMPLETED
        assert system.quote(second.quote_id).status is QuoteStatus.NEGOTIATING


def test_for_ever_talking_ends_without_progress(tmp_path: Path) -> None:
    manager = Scripted(Draft(Move.TALK, "I must ask my manager."))
    stubborn = Scripted(Draft(Move.OFFER, "Still this.", make_terms("5.00", 25, "net 30")))
    with start(tmp_path, brand=stubborn, suppliers=manager) as system:
        ended = run(system)

        assert {negotiation.reason for negotiation in ended} == {Reason.NO_PROGRESS}
        # one round with progress, five without, and a final one
        assert {negotiation.rounds for negotiation in ended} == {7}


def test_after_the_last_round_the_brand_closes(tmp_path: Path) -> None:
    stubborn = Scripted(Draft(Move.OFFER, "Take it or leave it.", make_terms("8.90", 40)))
    config = make_config(max_rounds=4, no_progress_rounds=0)
    with start(tmp_path, config=config, suppliers=stubborn) as system:
        (ended,) = run(system)

        assert (ended.status, ended.reason) == (NegotiationStatus.IMPASSE, Reason.MAX_ROUNDS)
        assert ended.rounds == 4
        assert ended.message_count == 2 * 4 + 1
        assert conversation(system, ended)[-1].sender is Sender.BRAND


def test_two_runs_are_identical_but_for_ids_and_times(tmp_path: Path) -> None:
    transcripts = []
    for number in range(2):
        with start(tmp_path, config=None, database=tmp_path / f"{number}.db") as system:
            quote = system.create_quote()
            system.start_negotiations(quote.id)
            transcripts.append(
                [
                    message.model_dump(exclude={"id", "negotiation_id", "created_at", "hash"})
                    for negotiation in system.wait(quote.id, PATIENCE_S)
                    for message in system.messages(negotiation.id)
                ]
            )

    assert transcripts[0] == transcripts[1]


def test_origins_tell_who_spoke(tmp_path: Path) -> None:
    with start(tmp_path, suppliers=Scripted(Draft(Move.WALK_AWAY, "No."))) as system:
        for negotiation in run(system):
            origins = [message.origin for message in conversation(system, negotiation)]
            assert origins == [Origin.TACTICS, Origin.SCRIPT]


def test_config_read_later_changes_no_negotiation(tmp_path: Path) -> None:
    with start(tmp_path) as system:
        ended = run(system)

    other = make_config([make_supplier(1, list_price="99.00", floor="98.00")], max_rounds=2)
    with start(tmp_path, config=other) as system:
        assert system.negotiations(ended[0].quote_id) == ended


def test_what_a_negotiation_needs_is_stored_with_it(tmp_path: Path) -> None:
    with start(tmp_path) as system:
        ended = run(system)[0]

    assert ended.supplier == THREE.suppliers[0]
    assert ended.rules == THREE.rules
    assert (ended.brand_negotiator, ended.supplier_negotiator) == ("tactics", "tactics")


def test_waiting_with_a_timeout_says_that_something_moves(tmp_path: Path) -> None:
    with start(tmp_path, suppliers=Slow()) as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)

        with pytest.raises(TimeoutError, match="still moved"):
            system.wait(quote.id, 0.01)


def test_waiting_for_a_pending_quote_returns_at_once(tmp_path: Path) -> None:
    with start(tmp_path) as system:
        assert system.wait(system.create_quote(quote_fields()).id, PATIENCE_S) == []


def test_unknown_ids_are_clear_errors(tmp_path: Path) -> None:
    with start(tmp_path) as system:
        for call in (system.quote, system.negotiations, system.wait, system.start_negotiations):
            with pytest.raises(UnknownRecord, match="no quote 'q-0'"):
                call(QuoteId("q-0"))
        for read in (system.negotiation, system.messages):
            with pytest.raises(UnknownRecord, match="no negotiation 'n-0'"):
                read(NegotiationId("n-0"))


def test_stopping_twice_is_harmless_and_later_calls_say_so(tmp_path: Path) -> None:
    system = start(tmp_path)
    quote = system.create_quote(quote_fields())
    system.stop()
    system.stop()

    with pytest.raises(SystemStopped):
        system.start_negotiations(quote.id)
    assert system.quote(quote.id).status is QuoteStatus.PENDING


def test_stopping_answers_whoever_waits(tmp_path: Path) -> None:
    slow = Slow()
    system = start(tmp_path, suppliers=slow)
    quote = system.create_quote(quote_fields())
    system.start_negotiations(quote.id)
    errors: list[BaseException] = []

    def waiting() -> None:
        try:
            system.wait(quote.id)
        except SystemStopped as error:
            errors.append(error)

    thread = threading.Thread(target=waiting)
    thread.start()
    assert slow.begun.get(timeout=PATIENCE_S)
    system.stop()
    thread.join(PATIENCE_S)

    assert not thread.is_alive()
    assert len(errors) == 1


def test_a_halted_system_says_so_to_every_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start(tmp_path) as system:
        quote = system.create_quote(quote_fields())

        def broken(*_: object) -> None:
            raise MemoryError("no more")

        monkeypatch.setattr(system._store, "append_all", broken)
        system.start_negotiations(quote.id)

        with pytest.raises(SystemHalted, match="no more"):
            system.wait(quote.id, PATIENCE_S)
        other = system.create_quote(quote_fields())
        with pytest.raises(SystemHalted):
            system.start_negotiations(other.id)


def test_two_systems_in_one_process_do_not_meet(tmp_path: Path) -> None:
    with start(tmp_path, database=tmp_path / "a.db") as one:
        with start(tmp_path, database=tmp_path / "b.db") as two:
            ended = run(one)
            assert two.quotes() == []
            run(two)
        assert run(one)[0].quote_id != ended[0].quote_id


def test_a_second_system_on_the_same_database_is_refused_and_disturbs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "parley.db")
    monkeypatch.chdir(tmp_path)
    with start(tmp_path) as system:
        for name in (tmp_path / "parley.db", "parley.db", "link.db"):
            with pytest.raises(EngineRunning, match=f"pid {os.getpid()}"):
                start(tmp_path, database=name, log_file=tmp_path / "second.jsonl")

        assert len(run(system)) == 3
        assert not (tmp_path / "second.jsonl").exists()

    with start(tmp_path, database="link.db") as system:
        assert len(system.quotes()) == 1


def test_a_start_that_fails_gives_the_database_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise MemoryError("no more")

    (tmp_path / "foreign.db").write_text("somebody's")
    with pytest.raises(DatabaseUnusable):
        start(tmp_path, database=tmp_path / "foreign.db")
    with pytest.raises(ConfigError):
        start(tmp_path, log_file=tmp_path / "no" / "folder.jsonl")
    with monkeypatch.context() as patched:
        patched.setattr("actors.system.LoopThread", broken)
        with pytest.raises(MemoryError):
            start(tmp_path)

    assert runs_on(tmp_path / "foreign.db") is None
    assert (tmp_path / "foreign.db").read_text() == "somebody's"
    with start(tmp_path):
        assert runs_on(tmp_path / "parley.db")
    assert not list(tmp_path.glob("*.lock"))


def test_the_lock_is_there_before_the_database_and_until_all_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "parley.db"
    seen: list[bool] = []

    class Watched(Ledger):
        def __init__(self, path: Path) -> None:
            seen.append(runs_on(path) is not None and not path.exists())
            super().__init__(path)

    monkeypatch.setattr("actors.system.Ledger", Watched)
    with start(tmp_path) as system:
        system.subscribe(lambda event: seen.append(runs_on(database) is not None))
        heard = Heard()
        system.subscribe(heard.append)
        run(system)

    assert [event.name for event in heard[-2:]] == ["system.stopped", "run.finished"]
    assert all(seen)
    assert runs_on(database) is None


def test_who_may_still_write_keeps_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.system.STOP_TIMEOUT_S", 0.05)
    monkeypatch.setattr("actors.system.GRACE_S", 0.05)
    writing, release = threading.Event(), threading.Event()
    system = start(tmp_path)
    append_all = system._store.append_all

    def slow(*arguments: Any) -> Any:
        writing.set()
        release.wait(PATIENCE_S)
        return append_all(*arguments)

    monkeypatch.setattr(system._store, "append_all", slow)
    system.start_negotiations(system.create_quote(quote_fields()).id)
    assert writing.wait(PATIENCE_S)

    system.stop()

    with pytest.raises(EngineRunning):
        start(tmp_path)
    release.set()
    assert system._persistence.stop(timeout=PATIENCE_S)
    system._lock.close()


def test_a_stop_ends_the_look_at_a_large_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = threading.Event()

    def look(connection: sqlite3.Connection) -> None:
        looking.set()
        connection.execute(FOR_AGES).fetchall()

    with start(tmp_path):
        pass  # only a database that is there is looked at
    monkeypatch.setattr("storage.ledger.CHECKED_FIRST", 0)
    monkeypatch.setattr("storage.pages.check_pages", look)
    system = start(tmp_path)
    assert looking.wait(PATIENCE_S)

    system.stop()

    assert "parley-inspector" not in {thread.name for thread in threading.enumerate()}


def test_a_quote_with_many_suppliers_and_lines_works(tmp_path: Path) -> None:
    products = [f"Part {number}" for number in range(12)]
    prices = {product: {"list": "9.00", "floor": "6.00"} for product in products}
    suppliers = [make_supplier(number, prices=prices) for number in range(40)]
    lines = [
        {"id": f"p{number}", "product": product, "quantity": 10 * number}
        for number, product in enumerate(products)
    ]
    mandate: dict[str, Any] = {
        f"p{number}.unit_price": {"target": "5.00", "limit": "8.00"} for number in range(12)
    }
    mandate |= {"lead_time_days": {"target": 25, "limit": 45}, "payment": ["30/70"]}
    with start(tmp_path, config=make_config(suppliers)) as system:
        quote = system.create_quote({"lines": lines, "mandate": mandate})
        system.start_negotiations(quote.id)
        ended = system.wait(quote.id, 60)

    assert len(ended) == 40
    assert {negotiation.status for negotiation in ended} == {NegotiationStatus.COMPLETED}
    assert len(ended[0].agreed_terms.unit_prices if ended[0].agreed_terms else ()) == 12


@pytest.mark.parametrize("negotiator", ["oracle", object()])
def test_an_unknown_negotiator_is_a_clear_error_and_nothing_is_made(
    tmp_path: Path, negotiator: Any
) -> None:
    with pytest.raises(ConfigError, match="negotiator"):
        start(tmp_path, brand=negotiator)

    assert list(tmp_path.iterdir()) == []


def test_the_log_holds_every_message_and_no_private_figure(tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    with start(tmp_path, log_file=log) as system:
        heard = Heard()
        system.subscribe(heard.append)
        ended = run(system, limit="8.37", target="5.13")

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    saved = [line for line in lines if line["event"] == "message.saved"]
    assert len(saved) == sum(negotiation.message_count for negotiation in ended)
    head = ["ts", "level", "event", "run_id"]
    assert [list(line)[:4] for line in lines] == [head] * len(lines)
    assert len({line["run_id"] for line in lines}) == 1
    assert (lines[0]["event"], lines[-1]["event"]) == ("system.started", "run.finished")
    assert "8.37" not in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    assert len(heard.of("message.saved")) == len(saved)


def test_a_subscriber_that_raises_is_dropped_and_hurts_nobody(tmp_path: Path) -> None:
    with start(tmp_path) as system:
        heard = Heard()
        calls: list[int] = []

        def bad(_: object) -> None:
            calls.append(1)
            raise ValueError("a watcher's bug")

        system.subscribe(bad)
        system.subscribe(heard.append)

        assert all(n.status is NegotiationStatus.COMPLETED for n in run(system))

        assert len(calls) == 1
        assert len(heard.of("subscriber.failed")) == 1


class _OnlyFor:
    """Speaks for the brand by tactics, but with one supplier by another negotiator."""

    def __init__(self, name: str, negotiator: Any) -> None:
        self._name = name
        self._negotiator = negotiator

    async def next_move(self, view: Any) -> Any:
        if view.supplier.name == self._name:
            return await self._negotiator.next_move(view)
        return await Tactics().next_move(view)


def test_a_start_after_the_config_has_changed_is_refused_and_changes_nothing(
    tmp_path: Path,
) -> None:
    with start(tmp_path) as system:
        quote = system.create_quote(quote_fields(suppliers=["supplier-1"]))

    other = make_config([make_supplier(1, product="Gadget")])
    with start(tmp_path, config=other) as system:
        with pytest.raises(QuoteError, match="no price for 'Widget'"):
            system.start_negotiations(quote.id)
        assert system.quote(quote.id).status is QuoteStatus.PENDING


def test_a_supplier_with_an_unknown_negotiator_is_refused_before_anything_is_saved(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigError, match="'oracle': unknown negotiator: choose tactics"):
        start(tmp_path, config=make_config([make_supplier(1, negotiator="oracle")]))
    assert list(tmp_path.iterdir()) == []

    stray = make_supplier(9, negotiator="oracle").model_dump(mode="json")
    with start(tmp_path) as system:
        with pytest.raises(QuoteError, match=r"supplier\.0\.private\.negotiator: unknown"):
            system.create_quote(quote_fields(supplier=[stray]))
        assert system.quotes() == []


def test_a_negotiator_can_not_change_the_limits_that_it_is_shown(tmp_path: Path) -> None:
    class Greedy:
        async def next_move(self, view: Any) -> Any:
            view.mandate.prices["widget"] = None

    with start(tmp_path, brand=Greedy()) as system:
        assert all("TypeError" in (n.last_error or "") for n in run(system))


def test_a_damaged_row_is_told_without_its_values_and_the_others_go_on(tmp_path: Path) -> None:
    with start(tmp_path) as system:
        ended = run(system)
        with closing(sqlite3.connect(tmp_path / "parley.db")) as database, database:
            damage = "UPDATE negotiations SET mandate = replace(mandate, ?, ?) WHERE id = ?"
            database.execute(damage, ['"8.00"', "8.37", ended[0].id])

        with pytest.raises(DamagedRow, match=f"{ended[0].id} can't be read: mandate") as caught:
            system.negotiation(ended[0].id)
        assert "8.37" not in str(caught.value)
        assert system.negotiation(ended[1].id) == ended[1]


@pytest.mark.parametrize("brand", ["blocks the loop", "will not be cancelled"])
def test_stopping_takes_its_time_but_not_for_ever(
    tmp_path: Path, brand: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.system.STOP_TIMEOUT_S", 0.05)
    monkeypatch.setattr("actors.runtime.STOP_S", 0.05)
    release = threading.Event()
    begun: queue.SimpleQueue[str] = queue.SimpleQueue()

    class Stubborn:
        async def next_move(self, view: Any) -> Any:
            begun.put(view.supplier.id)
            if brand == "blocks the loop":
                release.wait(PATIENCE_S)
            while not release.is_set():
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.001)
            return Draft(Move.TALK, "At last.")

    system = start(tmp_path, brand=Stubborn())
    quote = system.create_quote(quote_fields())
    system.start_negotiations(quote.id)
    begun.get(timeout=PATIENCE_S)

    system.stop()

    assert len(system.negotiations(quote.id)) == 3
    release.set()
    system._loop._thread.join(PATIENCE_S)
    # what was left behind ends here, not in whatever test Python collects it
    loop = system._loop._loop
    if not loop.is_closed():
        left = asyncio.all_tasks(loop)
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()


def test_a_program_with_a_loop_of_its_own_waits_without_holding_it(tmp_path: Path) -> None:
    async def host(system: NegotiationSystem, quote_id: QuoteId) -> int:
        turns = 0
        still = asyncio.wrap_future(system.when_still(quote_id))
        while not still.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    with NegotiationSystem.start(make_config(), database=tmp_path / "parley.db") as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)

        assert asyncio.run(host(system, quote.id)) > 1
        assert system.quote(quote.id).status is QuoteStatus.COMPLETED


def test_what_moves_by_itself_is_told(tmp_path: Path) -> None:
    with NegotiationSystem.start(
        make_config(), database=tmp_path / "parley.db", pace_s=3600
    ) as system:
        quote = system.create_quote(quote_fields())
        assert system.moving(quote.id) == frozenset()
        (negotiation,) = system.start_negotiations(quote.id)
        assert system.moving(quote.id) == {negotiation.id}

        system.cancel_quote(quote.id)
        system.wait(quote.id)

        assert system.moving(quote.id) == frozenset()
    with pytest.raises(SystemStopped):
        system.moving(quote.id)


def test_who_gives_up_a_wait_ends_nothing_else(tmp_path: Path) -> None:
    with NegotiationSystem.start(make_config(), database=tmp_path / "parley.db") as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)
        system.when_still(quote.id).cancel()

        system.wait(quote.id)

        assert system.quote(quote.id).status is QuoteStatus.COMPLETED
