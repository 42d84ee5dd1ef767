"""The Coordinator with a probe in place of Persistence and of the agents."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pykka
import pytest
from conftest import Heard
from factories import (
    make_config,
    make_intervention,
    make_negotiations,
    make_quote,
    make_supplier,
)
from probe import PATIENCE_S, Probe

from actors.coordinator import RESTARTS, Coordinator
from actors.errors import NothingToContinue, ParleyError, SystemHalted, SystemStopped
from actors.guardian import Guardian
from actors.mailbox import (
    AwaitStillness,
    CallUndelivered,
    CancelQuote,
    ContinueNegotiations,
    DraftMove,
    Intervene,
    InterventionReceived,
    NegotiationEnded,
    NegotiationStill,
    QuoteCancelledOutside,
    StartNegotiations,
)
from actors.runtime import LoopThread
from actors.saves import (
    CancellationFailed,
    CancellationSaved,
    LoadFailed,
    LoadNegotiation,
    NegotiationLoaded,
    NegotiationsOpened,
    OpeningFailed,
    OpenNegotiations,
    ParkingSaved,
    PersistenceHalted,
    RefusalsSaved,
    SaveCancellation,
    SaveContinuing,
    SaveEnding,
    SaveFailed,
    SaveGuidance,
    SaveParking,
    SaveRefusals,
    WatchPersistence,
)
from actors.supplier_negotiation import SupplierNegotiation
from storage.errors import NegotiationNotActive, QuoteEnded, QuoteNotPending, UnknownRecord
from storage.interventions import Intervention
from storage.reader import Loaded
from storage.records import Negotiation, NegotiationId, NegotiationStatus, Quote, Reason

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


def test_of_a_bug_that_halts_everything_the_log_tells_the_kind_alone(
    scene: Scene, heard: Heard
) -> None:
    scene.starts()
    waiting = scene.waits()

    scene.actor.tell(PersistenceHalted(error=ValueError("a limit of 8.00")))

    assert isinstance(waiting.exception(PATIENCE_S), SystemHalted)
    assert heard.of("system.halted")[0].facts() == {"error": "ValueError"}


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


# Stepping in


def intervention(scene: Scene, place: int = 0, number: int = 1, **content: Any) -> Intervention:
    return make_intervention(scene.negotiations[place].id, number, **content)


def received(scene: Scene, one: Intervention) -> None:
    scene.actor.tell(InterventionReceived(quote_id=scene.quote.id, intervention=one))


def rest(scene: Scene, heard: int = 0, places: tuple[int, ...] = (0, 1, 2)) -> None:
    """Have negotiations say that they are still."""
    for place in places:
        negotiation_id = scene.negotiations[place].id
        scene.actor.tell(NegotiationStill(negotiation_id=negotiation_id, heard=heard))


def continued(scene: Scene, *places: int) -> Future[tuple[NegotiationId, ...]]:
    reply: Future[tuple[NegotiationId, ...]] = Future()
    asked = tuple(scene.negotiations[place].id for place in places)
    scene.actor.tell(
        ContinueNegotiations(quote_id=scene.quote.id, negotiation_ids=asked, reply=reply)
    )
    return reply


def cancelled(scene: Scene) -> Future[Quote]:
    reply: Future[Quote] = Future()
    scene.actor.tell(CancelQuote(quote_id=scene.quote.id, reply=reply))
    return reply


def loads(scene: Scene, place: int, **changes: Any) -> None:
    """Have a negotiation loaded as the Coordinator has asked."""
    negotiation = scene.negotiations[place]
    load = scene.persistence.next(LoadNegotiation)
    assert load.negotiation_id == negotiation.id
    loaded = Loaded(scene.quote, negotiation.model_copy(update=changes), ())
    scene.actor.tell(NegotiationLoaded(loaded=loaded))


def test_an_intervention_reaches_its_own_negotiation_alone(scene: Scene) -> None:
    scene.starts()
    one = intervention(scene, 1)

    received(scene, one)

    save = scene.persistence.next(SaveGuidance)
    assert save.taken == (one,)
    assert scene.persistence.is_silent


def test_a_row_that_asks_to_go_on_is_passed_on_as_a_continue(scene: Scene) -> None:
    scene.starts()

    received(scene, intervention(scene, action="continue"))

    assert scene.persistence.next(SaveRefusals).refused[0][0] == "i-1"  # it moves by itself


def test_one_that_nobody_speaks_for_is_loaded_once_for_all_that_is_asked_of_it(
    scene: Scene,
) -> None:
    ones = [intervention(scene, 0, number) for number in (1, 2)]
    for one in ones:
        received(scene, one)
    waiting = scene.waits()
    loads(scene, 0)

    assert scene.persistence.next(SaveGuidance).taken == (ones[0],)
    assert scene.persistence.is_silent
    assert not waiting.done()


def test_one_that_was_loaded_and_has_ended_holds_up_nobody(scene: Scene) -> None:
    received(scene, intervention(scene))
    waiting = scene.waits()
    loads(scene, 0, status=NegotiationStatus.IMPASSE)

    assert waiting.result(PATIENCE_S) is None


def test_waiting_counts_what_was_asked_before_until_it_is_handled(scene: Scene) -> None:
    scene.starts()
    rest(scene)
    assert scene.waits().result(PATIENCE_S) is None
    received(scene, intervention(scene, 1))
    waiting = scene.waits()

    rest(scene, heard=0)  # said before it heard of that
    scene.persistence.next(SaveGuidance)
    assert scene.persistence.is_silent
    assert not waiting.done()

    rest(scene, heard=1, places=(1,))
    assert waiting.result(PATIENCE_S) is None


def test_an_intervention_that_is_heard_of_twice_moves_nothing_the_second_time(scene: Scene) -> None:
    scene.starts()
    one = intervention(scene, 1)
    received(scene, one)
    scene.persistence.next(SaveGuidance)
    rest(scene, heard=0, places=(0, 2))
    rest(scene, heard=1, places=(1,))
    assert scene.waits().result(PATIENCE_S) is None

    received(scene, one)  # by the look at the database, after the face

    assert scene.waits().result(PATIENCE_S) is None
    assert continued(scene, 1).result(PATIENCE_S) == (scene.negotiations[1].id,)


def test_calls_are_counted_anew_for_a_new_actor(scene: Scene) -> None:
    received(scene, intervention(scene, limits={"colour": 1}))
    loads(scene, 0, last_error="tired")
    waiting = scene.waits()
    scene.persistence.next(SaveRefusals)
    rest(scene, heard=0, places=(0,))
    assert scene.persistence.is_silent
    assert not waiting.done()

    rest(scene, heard=1, places=(0,))

    assert waiting.result(PATIENCE_S) is None


def test_what_comes_back_undelivered_is_passed_on_to_a_new_actor(scene: Scene) -> None:
    call = Intervene(intervention=intervention(scene))
    scene.actor.tell(
        CallUndelivered(quote_id=scene.quote.id, negotiation_id=scene.negotiations[0].id, call=call)
    )

    loads(scene, 0)

    assert scene.persistence.next(SaveGuidance).taken == (call.intervention,)


def test_what_is_asked_of_one_that_is_given_up_is_asked_of_the_next(scene: Scene) -> None:
    scene.starts()
    first = scene.negotiations[0]
    actor = scene.actors()[0]
    for _ in range(RESTARTS):
        scene.fails(actor, first)
    actor.tell("a bug")
    error = scene.persistence.next(SaveParking).error
    one = intervention(scene)
    received(scene, one)
    scene.actor.tell(ParkingSaved(negotiation_id=first.id, error=error))

    loads(scene, 0, last_error=error)

    assert scene.persistence.next(SaveGuidance).taken == (one,)


def test_what_rests_goes_on_in_parallel_and_what_moves_is_passed_over(scene: Scene) -> None:
    scene.starts()
    scene.actors()
    rest(scene, places=(0, 2))

    reply = continued(scene, 0, 1, 2)

    resting = tuple(scene.negotiations[place].id for place in (0, 2))
    assert reply.result(PATIENCE_S) == resting
    assert isinstance(continued(scene, 0, 1, 2).exception(PATIENCE_S), NothingToContinue)


def test_what_is_left_over_from_before_is_loaded_to_go_on(scene: Scene) -> None:
    reply = continued(scene, 2)

    assert reply.result(PATIENCE_S) == (scene.negotiations[2].id,)
    loads(scene, 2, last_error="tired")
    assert scene.persistence.next(SaveContinuing).intervention_id is None


def test_a_quote_is_cancelled_on_disk_and_then_in_each_negotiation(
    scene: Scene, heard: Heard
) -> None:
    scene.starts()
    scene.actors()
    reply = cancelled(scene)
    assert scene.persistence.next(SaveCancellation).quote_id == scene.quote.id
    assert scene.persistence.is_silent
    assert not reply.done()

    active = tuple(negotiation.id for negotiation in scene.negotiations[:2])
    scene.actor.tell(CancellationSaved(quote=scene.quote, negotiation_ids=active))

    assert reply.result(PATIENCE_S) == scene.quote
    ending = [scene.persistence.next(SaveEnding) for _ in active]
    assert tuple(save.negotiation_id for save in ending) == active
    assert {save.ending.reason for save in ending} == {Reason.CANCELLED}
    assert [event.facts() for event in heard.of("quote.cancelled")] == [
        {"quote_id": scene.quote.id}
    ]


def test_a_cancel_loads_what_nobody_speaks_for_and_waiting_waits_for_it(scene: Scene) -> None:
    scene.actor.tell(
        QuoteCancelledOutside(quote_id=scene.quote.id, negotiation_ids=(scene.negotiations[0].id,))
    )
    waiting = scene.waits()
    loads(scene, 0)

    save = scene.persistence.next(SaveEnding)
    assert not waiting.done()
    scene.ends(scene.negotiations[0])

    assert save.ending.reason is Reason.CANCELLED
    assert waiting.result(PATIENCE_S) is None


def test_our_own_cancel_that_is_seen_in_the_database_is_no_second_one(
    scene: Scene, heard: Heard
) -> None:
    scene.starts()
    active = (scene.negotiations[0].id,)
    scene.actor.tell(CancellationSaved(quote=scene.quote, negotiation_ids=active))
    scene.persistence.next(SaveEnding)
    scene.ends(scene.negotiations[0])

    scene.actor.tell(QuoteCancelledOutside(quote_id=scene.quote.id, negotiation_ids=active))

    assert scene.persistence.is_silent
    assert len(heard.of("quote.cancelled")) == 1


def test_of_several_who_cancel_each_gets_its_own_answer(scene: Scene) -> None:
    first, second, third = (cancelled(scene) for _ in range(3))
    error = QuoteEnded(scene.quote.id, "cancelled")

    scene.actor.tell(CancellationSaved(quote=scene.quote, negotiation_ids=()))
    scene.actor.tell(CancellationFailed(quote_id=scene.quote.id, error=error))

    assert first.result(PATIENCE_S) == scene.quote
    assert second.exception(PATIENCE_S) is error
    assert not third.done()


def test_of_several_who_start_each_gets_its_own_answer(scene: Scene) -> None:
    replies: list[Future[tuple[Negotiation, ...]]] = [Future(), Future()]
    for reply in replies:
        scene.actor.tell(
            StartNegotiations(quote=scene.quote, negotiations=scene.negotiations, reply=reply)
        )
    error = QuoteNotPending(scene.quote.id, "negotiating")
    scene.actor.tell(NegotiationsOpened(quote=scene.quote, negotiations=scene.negotiations))
    scene.actor.tell(OpeningFailed(quote_id=scene.quote.id, error=error))

    assert replies[0].result(PATIENCE_S) == scene.negotiations
    assert replies[1].exception(PATIENCE_S) is error


def test_all_who_wait_are_answered(scene: Scene) -> None:
    scene.starts()
    waiting = [scene.waits() for _ in range(3)]

    rest(scene)

    assert [each.result(PATIENCE_S) for each in waiting] == [None] * 3


def test_a_halt_and_a_stop_answer_whoever_cancels(scene: Scene) -> None:
    halted = cancelled(scene)
    scene.actor.tell(PersistenceHalted(error=OSError("no disk")))

    assert isinstance(halted.exception(PATIENCE_S), SystemHalted)
    assert isinstance(cancelled(scene).exception(PATIENCE_S), SystemHalted)
    assert isinstance(continued(scene, 0).exception(PATIENCE_S), SystemHalted)


def test_receipts_of_rows_that_nobody_could_take_are_no_matter(scene: Scene, heard: Heard) -> None:
    scene.actor.tell(RefusalsSaved(settled=()))

    assert scene.waits().result(PATIENCE_S) is None
    assert heard.of("actor.failed") == []


def test_the_start_and_the_end_of_a_quote_are_told_to_the_log(scene: Scene, heard: Heard) -> None:
    scene.starts()
    scene.ends(scene.negotiations[0])
    scene.actor.tell(
        NegotiationEnded(
            quote_id=scene.quote.id,
            negotiation_id=scene.negotiations[1].id,
            quote_completed=True,
        )
    )
    scene.ends(scene.negotiations[2])
    assert scene.waits().result(PATIENCE_S) is None

    assert [event.facts() for event in heard.of("quote.started")] == [
        {"quote_id": scene.quote.id, "negotiations": 3}
    ]
    assert [event.facts() for event in heard.of("quote.completed")] == [
        {"quote_id": scene.quote.id}
    ]


def test_one_that_can_not_be_loaded_is_told_to_the_log(scene: Scene, heard: Heard) -> None:
    first = scene.negotiations[0].id
    received(scene, intervention(scene))
    scene.persistence.next(LoadNegotiation)
    error = UnknownRecord("negotiation", first)
    scene.actor.tell(LoadFailed(negotiation_id=first, error=error))
    assert scene.waits().result(PATIENCE_S) is None

    (event,) = heard.of("negotiation.unreadable")
    assert event.facts() == {"negotiation_id": first, "error": str(error)}


def test_one_that_ended_before_it_could_be_parked_holds_up_nobody(scene: Scene) -> None:
    scene.starts()
    scene.ends(scene.negotiations[0])
    scene.ends(scene.negotiations[1])
    waiting = scene.waits()

    last = scene.negotiations[2].id
    error = NegotiationNotActive(last, "impasse")
    scene.actor.tell(SaveFailed(negotiation_id=last, error=error))

    assert waiting.result(PATIENCE_S) is None


def test_what_is_loaded_twice_or_not_known_gets_no_second_actor(scene: Scene, heard: Heard) -> None:
    scene.starts()
    scene.actors()
    first = Loaded(scene.quote, scene.negotiations[0], ())
    scene.actor.tell(NegotiationLoaded(loaded=first))
    scene.ends(scene.negotiations[0])
    scene.actor.tell(NegotiationLoaded(loaded=first))

    assert scene.brand.is_silent
    assert heard.of("actor.failed") == []


def test_stillness_or_a_parking_of_one_that_is_not_known_is_no_matter(
    scene: Scene, heard: Heard
) -> None:
    rest(scene)
    negotiation_id = scene.negotiations[0].id
    scene.actor.tell(ParkingSaved(negotiation_id=negotiation_id, error="tired"))

    assert scene.waits().result(PATIENCE_S) is None
    assert heard.of("actor.failed") == heard.of("negotiation.parked") == []
