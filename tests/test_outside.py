"""Outside: what another process writes is passed on, once, with probes for who is told."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from typing import Any

import pytest
from conftest import Heard
from factories import make_config, make_intervention, make_negotiations, make_quote
from probe import PATIENCE_S, Probe

from actors.errors import QuoteError
from actors.event_stream import EventStream
from actors.events import Event
from actors.mailbox import InterventionReceived, QuoteCancelledOutside, StartNegotiations
from actors.outside import Outside
from actors.runtime import LoopThread
from actors.saves import SaveRefusals
from storage.errors import DatabaseUnavailable
from storage.ledger import Ledger
from storage.records import Negotiation, Quote, QuoteStatus
from storage.requests import Requests

CONFIG = make_config()


class Looks:
    """Counts the looks into the database, and tells when there has been a further one."""

    def __init__(self, store: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._look = store.requests
        self._looked = threading.Condition()
        monkeypatch.setattr(store, "requests", self._requests)

    def _requests(self) -> Requests:
        found = self._look()
        with self._looked:
            self.count += 1
            self._looked.notify_all()
        return found

    def wait_for(self, more: int) -> None:
        """Wait until what was on disk just now has been looked at and passed on."""
        with self._looked:
            wanted = self.count + more
            assert self._looked.wait_for(lambda: self.count >= wanted, PATIENCE_S)


@pytest.fixture
def looks(store: Ledger, monkeypatch: pytest.MonkeyPatch) -> Looks:
    monkeypatch.setattr("actors.outside.LOOK_S", 0.002)
    return Looks(store, monkeypatch)


@pytest.fixture
def coordinator(loop: LoopThread) -> Probe:
    return Probe(loop)


@pytest.fixture
def persistence(loop: LoopThread) -> Probe:
    return Probe(loop)


Opener = Callable[[Quote], StartNegotiations]


def opening(quote: Quote) -> StartNegotiations:
    negotiations = tuple(make_negotiations(quote, CONFIG))
    return StartNegotiations(quote=quote, negotiations=negotiations, reply=Future())


def refusing(quote: Quote) -> StartNegotiations:
    raise QuoteError([f"{quote.id} can't be asked for"])


@pytest.fixture
def opener() -> Opener:
    return opening


@pytest.fixture
def watching(
    store: Ledger,
    events: EventStream,
    looks: Looks,
    opener: Opener,
    coordinator: Probe,
    persistence: Probe,
    heard: Heard,
) -> Iterator[Looks]:
    outside = Outside(
        store, events, opener, coordinator=coordinator.ref, persistence=persistence.ref
    )
    yield looks
    outside.stop()
    assert not [t for t in threading.enumerate() if t.name == "parley-outside"]


@pytest.fixture
def negotiation(store: Ledger) -> Negotiation:
    quote = make_quote(CONFIG)
    store.add_quote(quote)
    with store.connection(), store.transaction():
        return store.open_negotiations(quote.id, make_negotiations(quote, CONFIG))[1][0]


def by_another_program(store: Ledger, sql: str, *values: Any) -> None:
    with closing(sqlite3.connect(store.path)) as database, database:
        assert database.execute(sql, values).rowcount


def told(events: EventStream, name: str) -> threading.Event:
    """Set when an event of that name happens."""
    happened = threading.Event()

    def notice(event: Event) -> None:
        if event.name == name:
            happened.set()

    events.subscribe(notice)
    return happened


def test_an_intervention_of_another_program_is_passed_on_once(
    store: Ledger, negotiation: Negotiation, watching: Looks, coordinator: Probe
) -> None:
    sql = "INSERT INTO interventions (negotiation_id, text) VALUES (?, 'Push.')"
    by_another_program(store, sql, negotiation.id)

    mail = coordinator.next(InterventionReceived)
    assert mail.quote_id == negotiation.quote_id
    assert [mail.intervention] == store.interventions(negotiation.id)

    store.add_quote(make_quote(CONFIG))  # so that it looks again
    by_another_program(store, sql, negotiation.id)
    second = coordinator.next(InterventionReceived).intervention
    assert second.id != mail.intervention.id
    assert coordinator.is_silent


def test_what_was_there_before_is_passed_on_at_the_start(
    store: Ledger, negotiation: Negotiation, events: EventStream, loop: LoopThread
) -> None:
    one = make_intervention(negotiation.id)
    store.add_interventions([one])
    coordinator, persistence = Probe(loop), Probe(loop)

    outside = Outside(
        store, events, opening, coordinator=coordinator.ref, persistence=persistence.ref
    )

    assert coordinator.next(InterventionReceived).intervention == one
    outside.stop()


def test_while_nobody_commits_it_does_not_look(
    store: Ledger, watching: Looks, coordinator: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = threading.Semaphore(0)
    read = store.data_version

    def counted() -> int:
        versions.release()
        return read()

    monkeypatch.setattr(store, "data_version", counted)
    for _ in range(3):
        assert versions.acquire(timeout=PATIENCE_S)
    before = watching.count
    for _ in range(5):
        assert versions.acquire(timeout=PATIENCE_S)

    assert watching.count == before == 1


def test_a_row_that_can_not_be_read_is_refused_with_what_is_wrong(
    store: Ledger,
    negotiation: Negotiation,
    watching: Looks,
    coordinator: Probe,
    persistence: Probe,
) -> None:
    sql = "INSERT INTO interventions (id, negotiation_id, limits) VALUES ('i-bad', ?, '[]')"
    by_another_program(store, sql, negotiation.id)

    save = persistence.next(SaveRefusals)

    assert save.refused == (("i-bad", "it can't be read: limits"),)
    assert save.reply_to.actor_urn == coordinator.ref.actor_urn
    assert coordinator.is_silent


def test_a_quote_that_was_set_to_negotiating_is_started_once(
    store: Ledger, watching: Looks, coordinator: Probe
) -> None:
    quote = make_quote(CONFIG)
    store.add_quote(quote)
    sql = "UPDATE quotes SET status = 'negotiating' WHERE id = ?"
    by_another_program(store, sql, quote.id)

    mail = coordinator.next(StartNegotiations)
    assert (mail.quote.id, mail.quote.status) == (quote.id, QuoteStatus.NEGOTIATING)

    store.add_quote(make_quote(CONFIG))
    watching.wait_for(1)
    assert coordinator.is_silent


@pytest.mark.parametrize("opener", [refusing])
def test_a_quote_that_can_not_be_started_is_logged_once_and_the_rest_goes_on(
    store: Ledger,
    negotiation: Negotiation,
    watching: Looks,
    coordinator: Probe,
    events: EventStream,
    heard: Heard,
) -> None:
    ignored = told(events, "outside.ignored")
    quote = make_quote(CONFIG)
    store.add_quote(quote)
    store.start_quote(quote.id, automatic=None)
    assert ignored.wait(PATIENCE_S)

    store.add_interventions([make_intervention(negotiation.id)])

    coordinator.next(InterventionReceived)
    (event,) = heard.of("outside.ignored")
    assert event.facts() == {
        "quote_id": quote.id,
        "status": "negotiating",
        "why": f"{quote.id} can't be asked for",
    }


def test_a_cancel_from_outside_is_passed_on_with_what_has_to_end(
    store: Ledger, negotiation: Negotiation, watching: Looks, coordinator: Probe
) -> None:
    store.cancel_quote(negotiation.quote_id)

    mail = coordinator.next(QuoteCancelledOutside)

    assert (mail.quote_id, mail.negotiation_ids) == (negotiation.quote_id, (negotiation.id,))


def test_any_other_change_of_a_status_is_logged_once_and_not_acted_on(
    store: Ledger,
    negotiation: Negotiation,
    watching: Looks,
    coordinator: Probe,
    events: EventStream,
    heard: Heard,
) -> None:
    ignored = told(events, "outside.ignored")
    by_another_program(store, "UPDATE quotes SET status = 'completed'")
    assert ignored.wait(PATIENCE_S)
    store.add_interventions([make_intervention(negotiation.id)])

    coordinator.next(InterventionReceived)  # and nothing before it

    (event,) = heard.of("outside.ignored")
    assert (event.facts()["quote_id"], event.facts()["status"]) == (
        *(negotiation.quote_id, "completed"),
    )


def test_what_stands_again_after_it_was_settled_is_passed_on_again(
    store: Ledger, negotiation: Negotiation, watching: Looks, coordinator: Probe
) -> None:
    def set_to(status: str) -> None:
        by_another_program(store, "UPDATE quotes SET status = ?", status)

    set_to("cancelled")
    coordinator.next(QuoteCancelledOutside)
    set_to("negotiating")
    watching.wait_for(1)
    set_to("cancelled")

    coordinator.next(QuoteCancelledOutside)


def test_a_database_that_is_gone_for_a_while_is_looked_at_again(
    store: Ledger,
    negotiation: Negotiation,
    coordinator: Probe,
    persistence: Probe,
    events: EventStream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store.add_interventions([make_intervention(negotiation.id)])
    look, tries = store.requests, []

    def failing_twice() -> Requests:
        tries.append(1)
        if len(tries) < 3:
            raise DatabaseUnavailable("locked")
        return look()

    monkeypatch.setattr(store, "requests", failing_twice)
    monkeypatch.setattr("actors.outside.LOOK_S", 0.002)
    outside = Outside(
        store, events, opening, coordinator=coordinator.ref, persistence=persistence.ref
    )

    coordinator.next(InterventionReceived)
    outside.stop()
