"""Persistence: groups, receipts only after the commit, one bad save undone alone."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pykka
import pytest
from conftest import Heard
from factories import make_config, make_entry, make_negotiations, make_quote, make_terms
from probe import PATIENCE_S, Probe

from actors.event_stream import EventStream
from actors.mechanism.conversation import Conversation
from actors.mechanism.rulebook import mandates_in_force
from actors.mechanism.ruling import Refused
from actors.persistence import Persistence
from actors.runtime import LoopThread
from actors.saves import (
    EndingSaved,
    LoadNegotiation,
    MessageSaved,
    NegotiationLoaded,
    NegotiationsOpened,
    OpeningFailed,
    OpenNegotiations,
    ParkingSaved,
    PersistenceHalted,
    SaveEnding,
    SaveFailed,
    SaveMessage,
    SaveParking,
    WatchPersistence,
)
from storage.errors import QuoteNotPending, SequenceConflict
from storage.ledger import Ledger
from storage.records import Ending, Move, Negotiation, NegotiationStatus, Quote, Reason, Sender
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
    def gone() -> Any:
        raise OSError("no such disk")

    connection = store.connection()
    monkeypatch.setattr(type(connection), "__enter__", lambda _: gone())
    actor = Persistence.start(store, events, threading.Event())
    watcher = Probe(loop)

    actor.tell(WatchPersistence(watcher=watcher.ref))

    assert "no such disk" in str(watcher.next(PersistenceHalted).error)
    monkeypatch.undo()
    actor.stop(timeout=PATIENCE_S)
