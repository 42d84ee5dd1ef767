"""Coordinator: spawns the negotiations, knows which of them move, and supervises all actors."""

from __future__ import annotations

import itertools
import time
from collections import Counter, deque
from concurrent.futures import Future
from typing import Any, assert_never

from actors.errors import ParleyError, SystemHalted, SystemStopped
from actors.events import (
    ActorFailedEvent,
    NegotiationParkedEvent,
    QuoteCompleted,
    QuoteStarted,
    SystemHaltedEvent,
)
from actors.inert import inert
from actors.mailbox import (
    AwaitStillness,
    CoordinatorMail,
    LoadFailed,
    LoadNegotiation,
    NegotiationEnded,
    NegotiationLoaded,
    NegotiationParked,
    NegotiationsOpened,
    OpeningFailed,
    OpenNegotiations,
    ParkingSaved,
    PersistenceHalted,
    Ref,
    SaveFailed,
    SaveParking,
    StartNegotiations,
    WatchPersistence,
)
from actors.runtime import ActorFailed, LoopActor, Restart, say
from actors.supplier_negotiation import Colleagues, SupplierNegotiation
from storage.records import Negotiation, NegotiationId, QuoteId, SupplierId
from storage.store import Loaded

RESTARTS = 3
"""How often a negotiation's actor is restarted within the window before it is parked."""
WINDOW_S = 60.0
"""The window, in seconds."""


class Guardian(LoopActor):
    """Supervises the actors without which nothing moves: they are restarted for ever."""

    def __init__(self) -> None:
        super().__init__()
        self._restarts: Counter[str] = Counter()

    def on_receive(self, mail: ActorFailed) -> None:
        """Log the failure, and have the actor go on."""
        self._restarts[mail.actor.actor_urn] += 1
        self.loop.events.emit(
            ActorFailedEvent(
                actor=mail.actor.actor_class.__name__,
                error=f"{type(mail.error).__name__}: {mail.error}",
                negotiation_id=None,
                restarts=self._restarts[mail.actor.actor_urn],
                given_up=False,
            )
        )
        say(mail.actor, Restart(), self.loop.events)


class Coordinator(LoopActor):
    """The only one who knows all negotiations of a system."""

    def __init__(self, *, brand: Ref, supplier: Ref, persistence: Ref) -> None:
        super().__init__()
        self._colleagues = Colleagues(brand, supplier, persistence, self.actor_ref)
        self._spawned: dict[NegotiationId, Ref] = {}
        self._places: dict[str, tuple[QuoteId, NegotiationId, SupplierId]] = {}
        """Where an actor belongs, by its urn."""
        self._moving: dict[QuoteId, set[NegotiationId]] = {}
        self._quotes: dict[NegotiationId, QuoteId] = {}
        """The quote of each negotiation that has not ended."""
        self._starting: dict[QuoteId, list[Future[tuple[Negotiation, ...]]]] = {}
        self._waiting: dict[QuoteId, list[Future[None]]] = {}
        self._failures: dict[str, deque[float]] = {}
        self._halted: Exception | None = None

    def on_start(self) -> None:
        """Ask to be told when nothing can be saved any more."""
        self._say(self._colleagues.persistence, WatchPersistence(watcher=self.actor_ref))

    def on_undelivered(self, mail: object) -> None:
        """Answer who asked too late."""
        if isinstance(mail, StartNegotiations | AwaitStillness):
            _answer_with(mail.reply, SystemStopped("the system was stopped"))

    def on_failure(self, *failure: Any) -> None:
        """Answer whoever waits: what they wait for may have been lost in the failure."""
        self._answer_all(ParleyError(f"the coordinator failed: {failure[1]}"))

    def on_receive(self, mail: CoordinatorMail) -> None:
        """Handle one piece of mail."""
        match mail:
            case StartNegotiations() | AwaitStillness() if self._halted is not None:
                _answer_with(mail.reply, _halted(self._halted))
            case StartNegotiations():
                self._open(mail)
            case NegotiationsOpened():
                self._spawn_all(mail)
            case OpeningFailed(quote_id=quote_id, error=error):
                for reply in self._first_starter(quote_id):
                    _answer_with(reply, error)
                self._tell_if_still(quote_id)
            case AwaitStillness(quote_id=quote_id, reply=reply):
                self._waiting.setdefault(quote_id, []).append(reply)
                self._tell_if_still(quote_id)
            case NegotiationEnded():
                self._ended(mail)
            case NegotiationParked(quote_id=quote_id, negotiation_id=negotiation_id):
                self._stands_still(quote_id, negotiation_id)
            case ParkingSaved(negotiation_id=negotiation_id, error=error):
                self._given_up(negotiation_id, error)
            case (
                SaveFailed(negotiation_id=negotiation_id)
                | LoadFailed(negotiation_id=negotiation_id)
            ):
                self._forget(negotiation_id)  # it has ended, or is gone: it moves no more
            case ActorFailed(actor=actor, error=error):
                self._supervise(actor, error)
            case PersistenceHalted(error=error):
                self._halt(error)
            case NegotiationLoaded(loaded=loaded):
                self._spawn(loaded)
            case Restart():
                self._load_missing()
            case _:
                assert_never(mail)

    def on_stop(self) -> None:
        """Stop the negotiations, and answer whoever waits."""
        for negotiation in self._spawned.values():
            negotiation.stop(block=False)
        self._answer_all(SystemStopped("the system was stopped"))

    # Starting

    def _open(self, mail: StartNegotiations) -> None:
        # mail to Persistence is answered in order, so the first who asked is answered first
        self._starting.setdefault(mail.quote.id, []).append(mail.reply)
        self._say(
            self._colleagues.persistence,
            OpenNegotiations(
                quote_id=mail.quote.id, negotiations=mail.negotiations, reply_to=self.actor_ref
            ),
        )

    def _first_starter(self, quote_id: QuoteId) -> list[Future[tuple[Negotiation, ...]]]:
        """Who waits longest for the quote's start; nobody after a failure of our own."""
        starters = self._starting.get(quote_id, [])
        first, starters[:1] = starters[:1], []
        if not starters:
            self._starting.pop(quote_id, None)
        return first

    def _spawn_all(self, opened: NegotiationsOpened) -> None:
        quote = opened.quote
        self._moving[quote.id] = {negotiation.id for negotiation in opened.negotiations}
        self._quotes |= {negotiation.id: quote.id for negotiation in opened.negotiations}
        event = QuoteStarted(quote_id=quote.id, negotiations=len(opened.negotiations))
        self.loop.events.emit(event)
        for negotiation in opened.negotiations:
            self._spawn(Loaded(quote, negotiation, ()))
        for reply in self._first_starter(quote.id):
            _answer(reply, opened.negotiations)

    def _spawn(self, loaded: Loaded) -> None:
        negotiation = loaded.negotiation
        actor = SupplierNegotiation.start(
            loaded, self._colleagues, loop=self.loop, supervisor=self.actor_ref
        )
        self._spawned[negotiation.id] = actor
        place = (negotiation.quote_id, negotiation.id, negotiation.supplier_id)
        self._places[actor.actor_urn] = place

    def _load_missing(self) -> None:
        """After a failure of its own: whatever should move and has no actor gets one."""
        for negotiation_ids in self._moving.values():
            for negotiation_id in negotiation_ids - self._spawned.keys():
                mail = LoadNegotiation(negotiation_id=negotiation_id, reply_to=self.actor_ref)
                self._say(self._colleagues.persistence, mail)

    # Knowing what moves

    def _ended(self, mail: NegotiationEnded) -> None:
        if mail.quote_completed:
            self.loop.events.emit(QuoteCompleted(quote_id=mail.quote_id))
        self._forget(mail.negotiation_id)

    def _forget(self, negotiation_id: NegotiationId) -> None:
        actor = self._spawned.pop(negotiation_id, None)
        if actor is not None:
            self._places.pop(actor.actor_urn)
            self._failures.pop(actor.actor_urn, None)
        quote_id = self._quotes.pop(negotiation_id, None)
        if quote_id is not None:
            self._stands_still(quote_id, negotiation_id)

    def _stands_still(self, quote_id: QuoteId, negotiation_id: NegotiationId) -> None:
        self._moving.get(quote_id, set()).discard(negotiation_id)
        self._tell_if_still(quote_id)

    def _tell_if_still(self, quote_id: QuoteId) -> None:
        if self._moving.get(quote_id) or quote_id in self._starting:
            return
        self._moving.pop(quote_id, None)
        for reply in self._waiting.pop(quote_id, []):
            _answer(reply, None)

    # Supervising

    def _supervise(self, actor: Ref, error: BaseException) -> None:
        urn = actor.actor_urn
        place = self._places.get(urn)
        failures = self._failures.setdefault(urn, deque(maxlen=RESTARTS + 1))
        failures.append(time.monotonic())
        too_often = len(failures) > RESTARTS and failures[-1] - failures[0] < WINDOW_S
        if place is None:
            return  # it was forgotten while it failed: it has ended, or was given up
        self.loop.events.emit(
            ActorFailedEvent(
                actor=actor.actor_class.__name__,
                error=f"{type(error).__name__}: {error}",
                negotiation_id=place[1],
                restarts=len(failures),
                given_up=too_often,
            )
        )
        if not too_often:
            self._say(actor, Restart())
            return
        cause = inert(f"{type(error).__name__}: {error}")
        reason = f"it failed {len(failures)} times in a row: {cause}"
        self._say(
            self._colleagues.persistence,
            SaveParking(negotiation_id=place[1], error=reason, reply_to=self.actor_ref),
        )

    def _given_up(self, negotiation_id: NegotiationId, error: str) -> None:
        actor = self._spawned.get(negotiation_id)
        if actor is None:
            return
        quote_id, _, supplier_id = self._places[actor.actor_urn]
        self.loop.events.emit(
            NegotiationParkedEvent(
                quote_id=quote_id,
                negotiation_id=negotiation_id,
                supplier_id=supplier_id,
                error=error,
            )
        )
        actor.stop(block=False)
        self._forget(negotiation_id)

    def _halt(self, error: Exception) -> None:
        self._halted = error
        self.loop.events.emit(SystemHaltedEvent(error=str(error)))
        self._answer_all(_halted(error))

    def _answer_all(self, error: ParleyError) -> None:
        everybody: list[Future[Any]] = [
            *itertools.chain.from_iterable(self._starting.values()),
            *itertools.chain.from_iterable(self._waiting.values()),
        ]
        self._starting.clear()
        self._waiting.clear()
        for reply in everybody:
            _answer_with(reply, error)

    def _say(self, actor: Ref, mail: object) -> None:
        say(actor, mail, self.loop.events)


def _halted(error: Exception) -> SystemHalted:
    return SystemHalted(f"nothing can be saved any more: {error}")


def _answer(reply: Future[Any], result: object) -> None:
    # who waits may have given up meanwhile
    if reply.set_running_or_notify_cancel():
        reply.set_result(result)


def _answer_with(reply: Future[Any], error: Exception) -> None:
    if reply.set_running_or_notify_cancel():
        reply.set_exception(error)
