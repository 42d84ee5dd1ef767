"""Persistence: groups, receipts only after the commit, one bad save undone alone."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pykka
import pytest
from conftest import Heard
from factories import (
    make_call,
    make_config,
    make_end,
    make_entry,
    make_intervention,
    make_negotiations,
    make_quote,
    make_terms,
)
from msgspec.structs import replace
from probe import PATIENCE_S, Probe

from actors.event_stream import EventStream
from actors.mechanism.conversation import Conversation
from actors.mechanism.rulebook import mandates_in_force
from actors.mechanism.ruling import Refused
from actors.persistence import SMALLEST_GROUP, Persistence
from actors.runtime import LoopThread
from actors.saves import (
    CallEndSaved,
    CallNotStarted,
    CallStartSaved,
    CancellationFailed,
    CancellationSaved,
    CheckDatabase,
    Committed,
    ContinuingSaved,
    DatabaseDamaged,
    EndingSaved,
    GuidanceSaved,
    LoadNegotiation,
    MessageSaved,
    NegotiationLoaded,
    NegotiationsOpened,
    OpeningFailed,
    OpenNegotiations,
    ParkingSaved,
    PersistenceHalted,
    RefusalsSaved,
    SaveCallEnd,
    SaveCallStart,
    SaveCancellation,
    SaveContinuing,
    SaveEnding,
    SaveFailed,
    SaveGuidance,
    SaveMessage,
    SaveParking,
    SaveRefusals,
    WatchCommits,
    WatchPersistence,
)
from storage.calls import CallStart, Outcome
from storage.errors import (
    BudgetReached,
    DatabaseUnusable,
    NegotiationNotActive,
    QuoteEnded,
    QuoteNotPending,
    RowRefused,
    SequenceConflict,
    UnknownRecord,
)
from storage.interventions import InterventionId
from storage.ledger import Ledger
from storage.records import (
    Ending,
    Move,
    Negotiation,
    NegotiationId,
    NegotiationStatus,
    Quote,
    Reason,
    Sender,
)
from storage.rules import Budget
from storage.store import Store

CONFIG = make_config()
IMPASSE = Ending(status=NegotiationStatus.IMPASSE, reason=Reason.NO_PROGRESS, agreed_terms=None)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setattr("storage.database.BUSY_TIMEOUT_S", 0.01)  # so that a lock shows at once
    return Ledger(tmp_path / "parley.db")


@pytest.fixture
def giving_up() -> threading.Event:
    return threading.Event()


@pytest.fixture
def persistence(
    store: Ledger, events: EventStream, giving_up: threading.Event
) -> Iterator[pykka.ActorRef[Any]]:
    actor = Persistence.start(store, events, giving_up)
    yield actor
    giving_up.set()
    actor.stop(timeout=PATIENCE_S)


@pytest.fixture
def opened(
    store: Store, persistence: pykka.ActorRef[Any], loop: LoopThread
) -> tuple[Quote, Negotiation]:
    quote = make_quote(CONFIG)
    store.add_quote(quote)
    probe = Probe(loop)
    persistence.tell(
        OpenNegotiations(
            quote_id=quote.id,
            negotiations=tuple(make_negotiations(quote, CONFIG)),
            reply_to=probe.ref,
        )
    )
    receipt = probe.next(NegotiationsOpened)
    return receipt.quote, receipt.negotiations[0]


def save_message(
    opened: tuple[Quote, Negotiation], to: Probe, *, seq: int = 1, **entry: Any
) -> SaveMessage:
    conversation = Conversation.opened(*opened)
    return SaveMessage(
        entry=make_entry(conversation, Sender.BRAND, seq=seq, **entry),
        ending=None,
        mandates=mandates_in_force(conversation),
        reply_to=to.ref,
    )


def test_a_quote_is_started_once(
    store: Store,
    persistence: pykka.ActorRef[Any],
    opened: tuple[Quote, Negotiation],
    loop: LoopThread,
) -> None:
    quote, negotiation = opened
    probe = Probe(loop)

    persistence.tell(
        OpenNegotiations(
            quote_id=quote.id,
            negotiations=tuple(make_negotiations(quote, CONFIG)),
            reply_to=probe.ref,
        )
    )

    assert isinstance(probe.next(OpeningFailed).error, QuoteNotPending)
    assert [n.id for n in store.negotiations(quote.id)] == [negotiation.id]


def test_the_receipt_comes_after_the_commit(
    store: Store,
    persistence: pykka.ActorRef[Any],
    opened: tuple[Quote, Negotiation],
    loop: LoopThread,
) -> None:
    probe = Probe(loop)

    persistence.tell(save_message(opened, probe))

    saved = probe.next(MessageSaved).message
    assert store.messages(opened[1].id) == [saved]


def test_what_waits_shares_a_transaction_and_a_bad_save_is_undone_alone(
    store: Store,
    persistence: pykka.ActorRef[Any],
    opened: tuple[Quote, Negotiation],
    loop: LoopThread,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    probe = Probe(loop)
    transactions = _counted(store, monkeypatch)
    with _locked(store):  # so that all are waiting when the first transaction begins
        persistence.tell(save_message(opened, probe, seq=1))
        persistence.tell(save_message(opened, probe, seq=7))
        persistence.tell(save_message(opened, probe, seq=2))

    receipts = [probe.until(object) for _ in range(3)]

    failed = [receipt for receipt in receipts if isinstance(receipt, SaveFailed)]
    assert [type(failure.error) for failure in failed] == [SequenceConflict]
    assert [message.seq for message in store.messages(opened[1].id)] == [1, 2]
    assert len(transactions) <= 2


def test_damage_halts_before_the_next_group_however_much_waits(
    store: Store,
    persistence: pykka.ActorRef[Any],
    opened: tuple[Quote, Negotiation],
    loop: LoopThread,
) -> None:
    probe, watcher = Probe(loop), Probe(loop)
    persistence.tell(WatchPersistence(watcher=watcher.ref))
    with _locked(store):
        for seq in range(1, 3 * SMALLEST_GROUP):
            persistence.tell(save_message(opened, probe, seq=seq))
        persistence.tell(DatabaseDamaged(error=DatabaseUnusable("a page is damaged")))

    assert "a page is damaged" in str(watcher.next(PersistenceHalted).error)
    persistence.stop(timeout=PATIENCE_S)

    assert len(store.messages(opened[1].id)) <= SMALLEST_GROUP


def test_limits_are_checked_again_before_the_commit(
    store: Store,
    persistence: pykka.ActorRef[Any],
    opened: tuple[Quote, Negotiation],
    loop: LoopThread,
) -> None:
    probe = Probe(loop)

    persistence.tell(save_message(opened, probe, move=Move.OFFER, terms=make_terms("8.01")))

    assert isinstance(probe.next(SaveFailed).error, Refused)
    assert store.messages(opened[1].id) == []


def test_while_the_database_is_locked_nobody_has_a_receipt_and_then_everybody(
    store: Store,
    persistence: pykka.ActorRef[Any],
    opened: tuple[Quote, Negotiation],
    loop: LoopThread,
    events: EventStream,
    heard: Heard,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    retried = threading.Event()
    events.subscribe(lambda event: retried.set() if event.name == "save.retried" else None)
    monkeypatch.setattr("actors.persistence.FIRST_PAUSE_S", 0.01)
    probe = Probe(loop)
    with _locked(store):
        persistence.tell(save_message(opened, probe))
        assert retried.wait(2 * PATIENCE_S)
        assert probe.is_silent

    assert probe.next(MessageSaved).message.seq == 1
    assert "locked" in heard.of("save.retried")[0].facts()["error"]


def test_endings_parkings_and_loads_are_answered_in_order(
    store: Store,
    persistence: pykka.ActorRef[Any],
    opened: tuple[Quote, Negotiation],
    loop: LoopThread,
) -> None:
    probe = Probe(loop)
    negotiation_id = opened[1].id
    persistence.tell(save_message(opened, probe))
    persistence.tell(SaveParking(negotiation_id=negotiation_id, error="tired", reply_to=probe.ref))
    persistence.tell(LoadNegotiation(negotiation_id=negotiation_id, reply_to=probe.ref))
    persistence.tell(SaveEnding(negotiation_id=negotiation_id, ending=IMPASSE, reply_to=probe.ref))

    probe.next(MessageSaved)
    assert probe.next(ParkingSaved).error == "tired"
    loaded = probe.next(NegotiationLoaded).loaded
    assert (len(loaded.messages), loaded.negotiation.last_error) == (1, "tired")
    assert probe.next(EndingSaved).quote_completed
    assert store.negotiation(negotiation_id).reason is Reason.NO_PROGRESS


def test_what_it_can_not_handle_halts_it_and_is_told_to_the_watcher(
    store: Store,
    persistence: pykka.ActorRef[Any],
    opened: tuple[Quote, Negotiation],
    loop: LoopThread,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watcher, probe = Probe(loop), Probe(loop)
    persistence.tell(WatchPersistence(watcher=watcher.ref))

    def broken(*_: object) -> None:
        raise SystemExit("a disk that is on fire")

    monkeypatch.setattr(store, "append_all", broken)
    persistence.tell(save_message(opened, probe))

    assert "on fire" in str(watcher.next(PersistenceHalted).error)
    assert probe.is_silent
    assert persistence.is_alive()


def test_each_transaction_is_told_to_who_watches_and_a_look_is_none(
    persistence: pykka.ActorRef[Any], opened: tuple[Quote, Negotiation], loop: LoopThread
) -> None:
    watcher, probe = Probe(loop), Probe(loop)
    persistence.tell(WatchCommits(watcher=watcher.ref))
    began = time.perf_counter()
    for seq in (1, 2):
        persistence.tell(CheckDatabase())
        persistence.tell(save_message(opened, probe, seq=seq))
        probe.next(MessageSaved)
        assert 0 < watcher.next(Committed).seconds < time.perf_counter() - began
    persistence.stop(timeout=PATIENCE_S)

    assert watcher.is_silent


def test_mail_sent_before_stop_is_saved(
    store: Store,
    persistence: pykka.ActorRef[Any],
    opened: tuple[Quote, Negotiation],
    loop: LoopThread,
) -> None:
    probe = Probe(loop)
    for seq in range(1, 101):
        persistence.tell(save_message(opened, probe, seq=seq))

    persistence.stop(timeout=PATIENCE_S)

    assert len(store.messages(opened[1].id)) == 100


def test_it_is_not_in_the_registry_of_the_host_program(
    persistence: pykka.ActorRef[Any],
) -> None:
    assert persistence not in pykka.ActorRegistry.get_all()


class _locked:  # noqa: N801
    """Another process's transaction on the same file."""

    def __init__(self, store: Store) -> None:
        self._other = sqlite3.connect(store.path, isolation_level=None)

    def __enter__(self) -> None:
        self._other.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        self._other.execute("ROLLBACK")
        self._other.close()


def _counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    transactions: list[int] = []
    begin = store.transaction

    def counted() -> Any:
        transactions.append(1)
        return begin()

    monkeypatch.setattr(store, "transaction", counted)
    return transactions


def test_one_that_can_not_even_connect_says_so_to_the_watcher(
    store: Ledger, events: EventStream, loop: LoopThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def gone() -> Iterator[None]:
        raise OSError("no such disk")
        yield

    monkeypatch.setattr(store, "connection", gone)
    actor = Persistence.start(store, events, threading.Event())
    watcher = Probe(loop)

    actor.tell(WatchPersistence(watcher=watcher.ref))

    assert "no such disk" in str(watcher.next(PersistenceHalted).error)
    monkeypatch.undo()
    actor.stop(timeout=PATIENCE_S)


# A person's guidance


@pytest.fixture
def two(
    store: Store, persistence: pykka.ActorRef[Any], loop: LoopThread
) -> list[tuple[Quote, Negotiation]]:
    """Two negotiations, each with an intervention, `i-1` and `i-2`, that is user message 1."""
    probe = Probe(loop)
    opened = []
    for number in (1, 2):
        quote = make_quote(CONFIG)
        store.add_quote(quote)
        negotiations = tuple(make_negotiations(quote, CONFIG))
        persistence.tell(
            OpenNegotiations(quote_id=quote.id, negotiations=negotiations, reply_to=probe.ref)
        )
        receipt = probe.next(NegotiationsOpened)
        opened.append((receipt.quote, receipt.negotiations[0]))
        one = make_intervention(negotiations[0].id, number)
        store.add_interventions([one])
        persistence.tell(
            SaveGuidance(
                negotiation_id=negotiations[0].id,
                first_seq=1,
                taken=(one,),
                mandate=negotiations[0].mandate,
                reply_to=probe.ref,
            )
        )
        ((message, noted),) = probe.next(GuidanceSaved).guidance
        assert (message.seq, noted.message_seq) == (1, 1)
    return opened


def answer(opened: tuple[Quote, Negotiation], number: int, to: Probe) -> SaveMessage:
    answers = (InterventionId(f"i-{number}"),)
    return replace(save_message(opened, to, seq=2), answers=answers)


def test_answers_in_one_group_settle_each_its_own_intervention(
    store: Store,
    persistence: pykka.ActorRef[Any],
    two: list[tuple[Quote, Negotiation]],
    loop: LoopThread,
) -> None:
    probe = Probe(loop)
    with _locked(store):
        for number, opened in enumerate(two, 1):
            persistence.tell(answer(opened, number, probe))

    settled = [probe.next(MessageSaved).settled for _ in two]

    assert [[one.id for one in each] for each in settled] == [["i-1"], ["i-2"]]
    assert [store.intervention(one.id).applied_seq for (one,) in settled] == [2, 2]


class CountingLedger(Ledger):
    """Counts its transactions."""

    transactions = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():
            yield
        self.transactions += 1


@pytest.mark.parametrize(
    ("slow_s", "transactions"),
    [(3600.0, 1 + 200 // SMALLEST_GROUP), (0.0, 3)],
    ids=["small groups on a quick disk", "larger and larger ones on a slow disk"],
)
def test_how_many_saves_share_a_transaction_is_for_the_disk_to_say(
    opened: tuple[Quote, Negotiation],
    tmp_path: Path,
    events: EventStream,
    loop: LoopThread,
    monkeypatch: pytest.MonkeyPatch,
    slow_s: float,
    transactions: int,
) -> None:
    monkeypatch.setattr("actors.persistence.SLOW_SYNC_S", slow_s)
    probe = Probe(loop)
    ledger = CountingLedger(tmp_path / "parley.db")
    actor = Persistence.start(ledger, events, threading.Event())
    saves = [
        SaveParking(negotiation_id=opened[1].id, error=str(number), reply_to=probe.ref)
        for number in range(200)
    ]
    with _locked(ledger):  # the first waits for the lock, and the others behind it
        for save in saves:
            actor.tell(save)
    errors = [probe.next(ParkingSaved).error for _ in saves]
    actor.stop(timeout=PATIENCE_S)

    assert errors == [save.error for save in saves]
    # how many share the very first is a matter of who is quicker
    assert transactions <= ledger.transactions <= transactions + 1


def test_what_a_person_waits_for_is_saved_with_the_next_group_of_many(
    store: Ledger,
    persistence: pykka.ActorRef[Any],
    two: list[tuple[Quote, Negotiation]],
    loop: LoopThread,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent, person = Probe(loop), Probe(loop)
    saved: list[str] = []

    def noted(what: str) -> Any:
        save = getattr(store, what)

        def note(*args: Any) -> Any:
            saved.append(what)
            return save(*args)

        return note

    for what in ("park", "unpark"):
        monkeypatch.setattr(store, what, noted(what))
    parkings, continuing = 5 * SMALLEST_GROUP, two[1][1].id
    with _locked(store):
        for _ in range(parkings):
            persistence.tell(
                SaveParking(negotiation_id=two[0][1].id, error="tired", reply_to=agent.ref)
            )
        persistence.tell(
            SaveContinuing(negotiation_id=continuing, intervention_id=None, reply_to=person.ref)
        )
    person.next(ContinuingSaved)
    for _ in range(parkings):
        agent.next(ParkingSaved)

    # the group that waited for the lock had been taken before
    assert saved.index("unpark") <= SMALLEST_GROUP


def test_an_intervention_that_another_program_took_away_harms_its_own_negotiation_alone(
    store: Store,
    persistence: pykka.ActorRef[Any],
    two: list[tuple[Quote, Negotiation]],
    loop: LoopThread,
) -> None:
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute("DELETE FROM interventions WHERE id = 'i-1'")
    probes = [Probe(loop), Probe(loop)]
    with _locked(store):
        for number, opened in enumerate(two, 1):
            persistence.tell(answer(opened, number, probes[number - 1]))

    assert isinstance(probes[0].next(SaveFailed).error, UnknownRecord)
    assert [one.id for one in probes[1].next(MessageSaved).settled] == ["i-2"]
    assert [len(store.messages(negotiation.id)) for _, negotiation in two] == [1, 2]


def test_what_closes_a_negotiation_settles_what_it_answers_and_refuses_the_rest(
    store: Store,
    persistence: pykka.ActorRef[Any],
    two: list[tuple[Quote, Negotiation]],
    loop: LoopThread,
) -> None:
    probe = Probe(loop)
    store.add_interventions([make_intervention(two[0][1].id, 3)])
    last = replace(answer(two[0], 1, probe), ending=IMPASSE)

    persistence.tell(last)

    settled = probe.next(MessageSaved).settled
    assert [(one.id, one.status) for one in settled] == [("i-1", "applied"), ("i-3", "refused")]
    assert settled[1].reason == "ended at message 2"


def test_an_ending_without_words_refuses_what_is_owed(
    persistence: pykka.ActorRef[Any],
    two: list[tuple[Quote, Negotiation]],
    loop: LoopThread,
) -> None:
    probe = Probe(loop)

    persistence.tell(SaveEnding(negotiation_id=two[0][1].id, ending=IMPASSE, reply_to=probe.ref))

    (one,) = probe.next(EndingSaved).settled
    assert (one.status, one.reason) == ("refused", "ended without a further message")


def test_refusals_continuing_and_cancelling_are_answered_in_order(
    store: Store,
    persistence: pykka.ActorRef[Any],
    two: list[tuple[Quote, Negotiation]],
    loop: LoopThread,
) -> None:
    probe = Probe(loop)
    quote, negotiation = two[0]
    row = make_intervention(negotiation.id, 3, action="continue")
    store.add_interventions([row])
    refused = ((InterventionId("i-1"), "no"),)
    persistence.tell(SaveRefusals(refused=refused, reply_to=probe.ref))
    persistence.tell(
        SaveContinuing(negotiation_id=negotiation.id, intervention_id=row.id, reply_to=probe.ref)
    )
    for _ in range(2):
        persistence.tell(SaveCancellation(quote_id=quote.id, reply_to=probe.ref))

    assert [one.reason for one in probe.next(RefusalsSaved).settled] == ["no"]
    assert [one.status for one in probe.next(ContinuingSaved).settled] == ["applied"]
    assert probe.next(CancellationSaved).negotiation_ids == (negotiation.id,)
    failed = probe.next(CancellationFailed)
    assert (failed.quote_id, type(failed.error)) == (quote.id, QuoteEnded)


def test_guidance_for_what_has_ended_is_refused_alone(
    persistence: pykka.ActorRef[Any],
    two: list[tuple[Quote, Negotiation]],
    loop: LoopThread,
) -> None:
    probe = Probe(loop)
    negotiation = two[0][1]
    persistence.tell(SaveEnding(negotiation_id=negotiation.id, ending=IMPASSE, reply_to=probe.ref))
    persistence.tell(
        SaveContinuing(negotiation_id=negotiation.id, intervention_id=None, reply_to=probe.ref)
    )
    probe.next(EndingSaved)

    failed = probe.next(SaveFailed)

    assert failed.negotiation_id == negotiation.id
    assert isinstance(failed.error, NegotiationNotActive)


@pytest.mark.parametrize("beyond", [0, 1])
def test_limits_are_checked_before_the_commit_of_a_group_for_each_of_it(
    store: Store,
    persistence: pykka.ActorRef[Any],
    two: list[tuple[Quote, Negotiation]],
    loop: LoopThread,
    beyond: int,
) -> None:
    probes = [Probe(loop), Probe(loop)]
    prices = ["8.01" if place == beyond else "8.00" for place in (0, 1)]
    with _locked(store):
        for opened, probe, price in zip(two, probes, prices, strict=True):
            terms = make_terms(price)
            persistence.tell(save_message(opened, probe, seq=2, move=Move.OFFER, terms=terms))

    assert isinstance(probes[beyond].next(SaveFailed).error, Refused)
    assert probes[1 - beyond].next(MessageSaved).message.terms == make_terms("8.00")
    assert len(store.messages(two[beyond][1].id)) == 1


# Calls of models


def start_call(
    opened: tuple[Quote, Negotiation], number: int, to: Probe, *, calls: int | None = None
) -> SaveCallStart:
    call = make_call(opened[1], number)
    return SaveCallStart(call=call, budget=Budget(calls=calls), reply_to=to.ref)


def end_call(call: CallStart, to: Probe) -> SaveCallEnd:
    end = make_end(call.id, prompt_tokens=80, completion_tokens=9)
    return SaveCallEnd(end=end, reply_to=to.ref)


def test_a_call_may_start_once_that_is_on_disk_and_nobody_waits_for_its_end(
    store: Store,
    persistence: pykka.ActorRef[Any],
    opened: tuple[Quote, Negotiation],
    loop: LoopThread,
) -> None:
    probe = Probe(loop)
    start = start_call(opened, 1, probe)

    persistence.tell(start)
    assert probe.next(CallStartSaved).call_id == start.call.id
    (under_way,) = store.calls(opened[1].id)
    persistence.tell(end_call(start.call, probe))
    probe.next(CallEndSaved)

    (ended,) = store.calls(opened[1].id)
    assert (under_way.outcome, ended.outcome) == (None, Outcome.ANSWERED)
    assert ended.prompt_tokens == 80


def test_a_call_beyond_its_budget_or_for_nothing_is_undone_alone(
    store: Store,
    persistence: pykka.ActorRef[Any],
    opened: tuple[Quote, Negotiation],
    loop: LoopThread,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    probe = Probe(loop)
    missing = opened[1].model_copy(update={"id": NegotiationId("missing")})
    saves: list[Any] = [
        save_message(opened, probe, seq=1),
        start_call(opened, 1, probe, calls=1),
        start_call(opened, 2, probe, calls=1),
        start_call((opened[0], missing), 3, probe),
        save_message(opened, probe, seq=2),
        end_call(make_call(opened[1], 1), probe),
    ]
    transactions = _counted(store, monkeypatch)
    with _locked(store):
        for save in saves:
            persistence.tell(save)

    assert probe.next(MessageSaved).message.seq == 1
    assert probe.next(CallStartSaved).call_id == saves[1].call.id
    beyond, unknown = probe.next(CallNotStarted), probe.next(CallNotStarted)
    assert (beyond.call_id, type(beyond.error)) == (saves[2].call.id, BudgetReached)
    assert (unknown.call_id, type(unknown.error)) == (saves[3].call.id, RowRefused)
    assert probe.next(MessageSaved).message.seq == 2
    probe.next(CallEndSaved)
    assert [call.outcome for call in store.calls(opened[1].id)] == [Outcome.ANSWERED]
    assert [message.seq for message in store.messages(opened[1].id)] == [1, 2]
    assert len(transactions) <= 2


def test_the_end_of_a_call_that_was_never_noted_is_answered_all_the_same(
    store: Store,
    persistence: pykka.ActorRef[Any],
    opened: tuple[Quote, Negotiation],
    loop: LoopThread,
) -> None:
    probe = Probe(loop)

    persistence.tell(end_call(make_call(opened[1], 1), probe))

    probe.next(CallEndSaved)
    assert store.calls(opened[1].id) == []
