"""The Coordinator with a probe in place of Persistence and of the agents."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pykka
import pytest
from conftest import Heard
from factories import make_config, make_negotiations, make_quote, make_supplier
from probe import PATIENCE_S, Probe

from actors.coordinator import RESTARTS, Coordinator
from actors.errors import ParleyError, SystemHalted, SystemStopped
from actors.guardian import Guardian
from actors.mailbox import (
    AwaitStillness,
    DraftMove,
    NegotiationEnded,
    NegotiationStill,
    StartNegotiations,
)
from actors.runtime import LoopThread
from actors.saves import (
    LoadFailed,
    LoadNegotiation,
    NegotiationLoaded,
    NegotiationsOpened,
    OpeningFailed,
    OpenNegotiations,
    ParkingSaved,
    PersistenceHalted,
    SaveParking,
    WatchPersistence,
)
from actors.supplier_negotiation import SupplierNegotiation
from storage.errors import QuoteNotPending, UnknownRecord
from storage.records import Negotiation, Quote
from storage.store import Loaded

CONFIG = make_config([make_supplier(number) for number in (1, 2, 3)])


@dataclass
class Scene:
    actor: pykka.ActorRef[Coordinator]
    brand: Probe
    supplier: Probe
    persistence: Probe
    quote: Quote
    negotiations: tuple[Negotiation, ...]
    reply: Future[tuple[Negotiation, ...]] = field(default_factory=Future)

    def starts(self) -> None:
        """Start the quote, and have its rows committed."""
        self.actor.tell(
            StartNegotiations(quote=self.quote, negotiations=self.negotiations, reply=self.reply)
        )
        self.persistence.next(OpenNegotiations)
        self.actor.tell(NegotiationsOpened(quote=self.quote, negotiations=self.negotiations))

    def waits(self) -> Future[None]:
        reply: Future[None] = Future()
        self.actor.tell(AwaitStillness(quote_id=self.quote.id, reply=reply))
        return reply

    def ends(self, negotiation: Negotiation) -> None:
        self.actor.tell(
            NegotiationEnded(
                quote_id=self.quote.id, negotiation_id=negotiation.id, quote_completed=False
            )
        )

    def fails(self, actor: pykka.ActorRef[Any], negotiation: Negotiation) -> None:
        """Have a negotiation fail, and load again."""
        actor.tell("a bug")
        load = self.persistence.next(LoadNegotiation)
        assert load.negotiation_id == negotiation.id
        actor.tell(NegotiationLoaded(loaded=Loaded(self.quote, negotiation, ())))

    def actors(self) -> list[pykka.ActorRef[SupplierNegotiation]]:
        """The refs of the spawned negotiations, by who asks the brand's agent."""
        return [self.brand.next(DraftMove).reply_to for _ in self.negotiations]


@pytest.fixture
def scene(loop: LoopThread) -> Scene:
    quote = make_quote(CONFIG)
    brand, supplier, persistence = (Probe(loop) for _ in range(3))
    actor = Coordinator.start(
        brand=brand.ref,
        supplier=supplier.ref,
        persistence=persistence.ref,
        loop=loop,
        supervisor=Guardian.start(loop=loop),
    )
    persistence.next(WatchPersistence)
    negotiations = tuple(make_negotiations(quote, CONFIG))
    return Scene(actor, brand, supplier, persistence, quote, negotiations)


def test_nobody_is_spawned_or_answered_before_the_rows_are_committed(scene: Scene) -> None:
    scene.actor.tell(
        StartNegotiations(quote=scene.quote, negotiations=scene.negotiations, reply=scene.reply)
    )
    assert scene.persistence.next(OpenNegotiations).negotiations == scene.negotiations

    assert scene.brand.is_silent
    assert not scene.reply.done()


def test_one_negotiation_is_spawned_per_supplier_and_the_caller_answered(scene: Scene) -> None:
    scene.starts()

    assert scene.reply.result(PATIENCE_S) == scene.negotiations
    suppliers = [scene.brand.next(DraftMove).view.supplier.id for _ in range(3)]
    assert suppliers == ["supplier-1", "supplier-2", "supplier-3"]


def test_a_start_that_fails_is_the_callers_error(scene: Scene) -> None:
    scene.actor.tell(
        StartNegotiations(quote=scene.quote, negotiations=scene.negotiations, reply=scene.reply)
    )
    error = QuoteNotPending(scene.quote.id, "negotiating")
    scene.actor.tell(OpeningFailed(quote_id=scene.quote.id, error=error))

    assert scene.reply.exception(PATIENCE_S) is error
    assert scene.brand.is_silent


def test_waiting_ends_when_each_negotiation_has_ended_or_is_parked(scene: Scene) -> None:
    scene.starts()
    first, second, third = scene.negotiations
    waiting = scene.waits()
    scene.ends(first)
    scene.actor.tell(NegotiationStill(negotiation_id=second.id, heard=0))
    assert scene.persistence.is_silent
    assert not waiting.done()

    scene.ends(third)

    assert waiting.result(PATIENCE_S) is None


def test_waiting_for_what_does_not_move_returns_at_once(scene: Scene) -> None:
    assert scene.waits().result(PATIENCE_S) is None


def test_one_who_gave_up_waiting_is_no_trouble(scene: Scene) -> None:
    scene.starts()
    scene.waits().cancel()
    later = scene.waits()

    for negotiation in scene.negotiations:
        scene.ends(negotiation)

    assert later.result(PATIENCE_S) is None


def test_a_negotiation_that_fails_is_restarted_in_place(scene: Scene, heard: Heard) -> None:
    scene.starts()
    actor = scene.actors()[0]

    actor.tell("a bug")

    load = scene.persistence.next(LoadNegotiation)
    assert load.negotiation_id == scene.negotiations[0].id
    assert load.reply_to.actor_urn == actor.actor_urn
    failed = heard.of("actor.failed")[0].facts()
    assert failed["actor"] == "SupplierNegotiation"
    assert failed["negotiation_id"] == load.negotiation_id
    assert not failed["given_up"]


def test_one_that_keeps_failing_is_parked_and_the_others_go_on(scene: Scene, heard: Heard) -> None:
    scene.starts()
    first, second, third = scene.negotiations
    actor = scene.actors()[0]
    for _ in range(RESTARTS):
        scene.fails(actor, first)
    actor.tell("a bug")

    parking = scene.persistence.next(SaveParking)
    assert parking.negotiation_id == first.id
    assert f"failed {RESTARTS + 1} times" in parking.error
    waiting = scene.waits()
    scene.ends(second)
    scene.ends(third)
    assert scene.persistence.is_silent
    assert not waiting.done()
    scene.actor.tell(ParkingSaved(negotiation_id=first.id, error=parking.error))

    assert waiting.result(PATIENCE_S) is None
    assert actor.actor_stopped.wait(PATIENCE_S)
    assert [event.facts()["supplier_id"] for event in heard.of("negotiation.parked")] == [
        "supplier-1"
    ]


def test_failures_far_apart_never_add_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.coordinator.WINDOW_S", 0.0)
    scene.starts()
    actor = scene.actors()[0]

    for _ in range(3 * RESTARTS):
        scene.fails(actor, scene.negotiations[0])


def test_the_coordinator_itself_is_restarted_and_whoever_waits_is_answered(
    scene: Scene, heard: Heard
) -> None:
    scene.starts()
    waiting = scene.waits()

    scene.actor.tell("a bug")

    assert isinstance(waiting.exception(PATIENCE_S), ParleyError)
    for negotiation in scene.negotiations:
        scene.ends(negotiation)
    assert scene.waits().result(PATIENCE_S) is None
    assert heard.of("actor.failed")[0].facts()["actor"] == "Coordinator"


def test_after_a_failure_while_spawning_the_missing_are_spawned_from_disk(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = SupplierNegotiation.start
    tries: list[int] = []

    def failing_second(*args: Any, **kwargs: Any) -> Any:
        tries.append(1)
        if len(tries) == 2:
            raise MemoryError
        return start(*args, **kwargs)

    monkeypatch.setattr(SupplierNegotiation, "start", failing_second)
    scene.starts()

    missing = [scene.persistence.next(LoadNegotiation).negotiation_id for _ in range(2)]
    assert set(missing) == {negotiation.id for negotiation in scene.negotiations[1:]}
    for negotiation in scene.negotiations[1:]:
        loaded = Loaded(scene.quote, negotiation, ())
        scene.actor.tell(NegotiationLoaded(loaded=loaded))

    assert {scene.brand.next(DraftMove).view.supplier.id for _ in range(3)} == {
        "supplier-1",
        "supplier-2",
        "supplier-3",
    }


def test_when_nothing_can_be_saved_every_caller_learns_it(scene: Scene, heard: Heard) -> None:
    scene.starts()
    waiting = scene.waits()

    scene.actor.tell(PersistenceHalted(error=OSError("no disk")))

    assert isinstance(waiting.exception(PATIENCE_S), SystemHalted)
    assert isinstance(scene.waits().exception(PATIENCE_S), SystemHalted)
    assert heard.of("system.halted")[0].facts() == {"error": "no disk"}


def test_stopping_it_stops_the_negotiations_and_answers_whoever_waits(scene: Scene) -> None:
    scene.starts()
    actors = scene.actors()
    waiting = scene.waits()

    scene.actor.stop(timeout=PATIENCE_S)

    assert isinstance(waiting.exception(PATIENCE_S), SystemStopped)
    assert all(actor.actor_stopped.wait(PATIENCE_S) for actor in actors)


def test_waiting_while_the_start_is_under_way_waits_for_it(scene: Scene) -> None:
    scene.actor.tell(
        StartNegotiations(quote=scene.quote, negotiations=scene.negotiations, reply=scene.reply)
    )
    waiting = scene.waits()
    scene.persistence.next(OpenNegotiations)
    assert scene.persistence.is_silent
    assert not waiting.done()

    error = QuoteNotPending(scene.quote.id, "negotiating")
    scene.actor.tell(OpeningFailed(quote_id=scene.quote.id, error=error))

    assert waiting.result(PATIENCE_S) is None


def test_who_asks_behind_the_stop_is_answered(scene: Scene) -> None:
    stopped = scene.actor.stop(block=False)
    waiting: Future[None] = Future()
    with suppress(pykka.ActorDeadError):  # which the face turns into the same answer
        scene.actor.tell(AwaitStillness(quote_id=scene.quote.id, reply=waiting))
        assert isinstance(waiting.exception(PATIENCE_S), SystemStopped)
    stopped.get(timeout=PATIENCE_S)


def test_one_that_can_not_be_loaded_holds_up_nobody(scene: Scene) -> None:
    scene.starts()
    first, second, third = scene.negotiations
    waiting = scene.waits()
    scene.ends(first)
    scene.ends(second)

    error = UnknownRecord("negotiation", third.id)
    scene.actor.tell(LoadFailed(negotiation_id=third.id, error=error))

    assert waiting.result(PATIENCE_S) is None
