"""Coordinator: spawns the negotiations, knows which of them move, and supervises all actors."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from typing import Any, assert_never

from actors.bug import bug, cause
from actors.drafting import Colleagues
from actors.errors import NothingToContinue, ParleyError, SystemHalted, SystemStopped
from actors.events import (
    ActorFailedEvent,
    QuoteCancelled,
    QuoteCompleted,
    QuoteStarted,
    SystemHaltedEvent,
)
from actors.inert import inert
from actors.known_negotiation import KnownNegotiation
from actors.mailbox import (
    AwaitStillness,
    Call,
    CallUndelivered,
    Cancel,
    CancelQuote,
    Continue,
    ContinueNegotiations,
    CoordinatorMail,
    CoordinatorReceipt,
    FaceMail,
    InterventionReceived,
    NegotiationEnded,
    NegotiationStill,
    QuoteCancelledOutside,
    Recover,
    RecoverNegotiations,
    Ref,
    StartNegotiations,
    TellWhatMoves,
    call_of,
)
from actors.negotiation_events import NegotiationParkedEvent, NegotiationUnreadable
from actors.persevering import Persevering
from actors.replies import Askers, answer, answer_with, first
from actors.runtime import ActorFailed, Restart, say
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
    SaveFailed,
    SaveParking,
    WatchPersistence,
)
from actors.supplier_negotiation import SupplierNegotiation
from storage.interventions import Intervention
from storage.reader import Loaded
from storage.records import NegotiationId, QuoteId, SupplierId

RESTARTS = 3
"""How often a negotiation's actor is restarted within the window before it is parked."""
WINDOW_S = 60.0
"""The window, in seconds."""


class Coordinator(Persevering):
    """The only one who knows all negotiations of a system."""

    def __init__(self, *, brand: Ref, supplier: Ref, persistence: Ref) -> None:
        super().__init__()
        self._colleagues = Colleagues(brand, supplier, persistence, self.actor_ref)
        self._known: dict[NegotiationId, KnownNegotiation] = {}
        self._places: dict[str, tuple[QuoteId, NegotiationId, SupplierId]] = {}
        """Where an actor belongs, by its urn."""
        self._moving: dict[QuoteId, set[NegotiationId]] = {}
        self._askers = Askers()
        self._cancelled_quotes: set[QuoteId] = set()
        self._failures: dict[str, deque[float]] = {}
        self._halted: Exception | None = None

    def on_start(self) -> None:
        """Ask to be told when nothing can be saved any more."""
        self._say(self._colleagues.persistence, WatchPersistence(watcher=self.actor_ref))

    def on_undelivered(self, mail: object) -> None:
        """Answer who asked too late."""
        if isinstance(mail, FaceMail):
            answer_with(mail.reply, SystemStopped("the system was stopped"))

    def on_failure(self, *failure: Any) -> None:
        """Answer whoever waits: what they wait for may have been lost in the failure."""
        self._askers.answer_all_with(ParleyError(f"the coordinator failed: {failure[1]}"))

    def on_lost(self, mail: object) -> None:
        """Answer who asked for what failed; what others have told is handled again."""
        if not isinstance(mail, FaceMail):
            super().on_lost(mail)
        elif not mail.reply.done():
            answer_with(mail.reply, ParleyError("the coordinator failed: ask again"))

    def on_receive(self, mail: CoordinatorMail) -> None:
        """Handle one piece of mail."""
        match mail:
            case (
                StartNegotiations()
                | AwaitStillness()
                | TellWhatMoves()
                | ContinueNegotiations()
                | RecoverNegotiations()
                | CancelQuote()
            ):
                self._asked(mail)
            case NegotiationEnded():
                self._ended(mail)
            case NegotiationStill(negotiation_id=negotiation_id, heard=heard):
                self._rests(negotiation_id, heard)
            case InterventionReceived(quote_id=quote_id, intervention=intervention):
                self._received(quote_id, intervention)
            case CallUndelivered(quote_id=quote_id, negotiation_id=negotiation_id, call=call):
                self._call(quote_id, negotiation_id, call)
            case QuoteCancelledOutside(quote_id=quote_id, negotiation_ids=negotiation_ids):
                self._cancel(quote_id, negotiation_ids)
            case ActorFailed(actor=actor, error=error):
                self._supervise(actor, error)
            case PersistenceHalted(error=error):
                self._halt(error)
            case Restart():
                self._look_after_all()
                self.try_again()
            case _:
                self._saved(mail)

    def _asked(self, mail: FaceMail) -> None:
        """Somebody outside waits for the reply."""
        match mail:
            case _ if self._halted is not None:
                answer_with(mail.reply, _halted(self._halted))
            case StartNegotiations():
                self._open(mail)
            case AwaitStillness(quote_id=quote_id, reply=reply):
                self._askers.waiting.setdefault(quote_id, []).append(reply)
                self._tell_if_still(quote_id)
            case TellWhatMoves(quote_id=quote_id, reply=reply):
                answer(reply, frozenset(self._moving.get(quote_id, ())))
            case ContinueNegotiations():
                self._continue(mail)
            case RecoverNegotiations(active=active, reply=reply):
                for quote_id, negotiation_id in active:
                    self._call(quote_id, negotiation_id, Recover())
                answer(reply, None)
            case CancelQuote(quote_id=quote_id, reply=reply):
                self._askers.cancelling.setdefault(quote_id, []).append(reply)
                cancel = SaveCancellation(quote_id=quote_id, reply_to=self.actor_ref)
                self._say(self._colleagues.persistence, cancel)
            case _:
                assert_never(mail)

    def _saved(self, receipt: CoordinatorReceipt) -> None:
        match receipt:
            case NegotiationsOpened():
                self._spawn_all(receipt)
            case OpeningFailed(quote_id=quote_id, error=error):
                for reply in first(self._askers.starting, quote_id):
                    answer_with(reply, error)
                self._tell_if_still(quote_id)
            case CancellationSaved():
                self._cancelled(receipt)
            case CancellationFailed(quote_id=quote_id, error=error):
                for asker in first(self._askers.cancelling, quote_id):
                    answer_with(asker, error)
            case NegotiationLoaded(loaded=loaded):
                self._spawn(loaded)
            case LoadFailed(negotiation_id=negotiation_id, error=error):
                event = NegotiationUnreadable(negotiation_id=negotiation_id, error=str(error))
                self.loop.events.emit(event)
                self._forget(negotiation_id)
            case ParkingSaved(negotiation_id=negotiation_id, error=error):
                self._given_up(negotiation_id, error)
            case SaveFailed(negotiation_id=negotiation_id):
                self._forget(negotiation_id)  # it has ended, or is gone: it moves no more
            case RefusalsSaved():
                pass  # of rows that no negotiation could take
            case _:
                assert_never(receipt)

    def on_stop(self) -> None:
        """Stop the negotiations, and answer whoever waits."""
        for known in self._known.values():
            if known.actor is not None:
                known.actor.stop(block=False)
        self._askers.answer_all_with(SystemStopped("the system was stopped"))

    # Starting

    def _open(self, mail: StartNegotiations) -> None:
        # mail to Persistence is answered in order, so the first who asked is answered first
        self._askers.starting.setdefault(mail.quote.id, []).append(mail.reply)
        self._say(
            self._colleagues.persistence,
            OpenNegotiations(
                quote_id=mail.quote.id, negotiations=mail.negotiations, reply_to=self.actor_ref
            ),
        )

    def _spawn_all(self, opened: NegotiationsOpened) -> None:
        quote = opened.quote
        event = QuoteStarted(quote_id=quote.id, negotiations=len(opened.negotiations))
        self.loop.events.emit(event)
        for negotiation in opened.negotiations:
            self._note(quote.id, negotiation.id)
        for negotiation in opened.negotiations:
            self._spawn(Loaded(quote, negotiation, ()))
        for reply in first(self._askers.starting, quote.id):
            answer(reply, opened.negotiations)

    def _note(self, quote_id: QuoteId, negotiation_id: NegotiationId) -> KnownNegotiation:
        """Know a negotiation, and that it moves."""
        self._moving.setdefault(quote_id, set()).add(negotiation_id)
        return self._known.setdefault(negotiation_id, KnownNegotiation(quote_id))

    def _spawn(self, loaded: Loaded) -> None:
        negotiation = loaded.negotiation
        known = self._known.get(negotiation.id)
        if known is None or known.actor is not None:
            return  # it was asked for twice
        actor = SupplierNegotiation.start(
            loaded,
            self._colleagues,
            taken_up=any(isinstance(call, Continue) for call in known.queued),
            loop=self.loop,
            supervisor=self.actor_ref,
        )
        place = (negotiation.quote_id, negotiation.id, negotiation.supplier_id)
        self._places[actor.actor_urn] = place
        known.actor, known.calls = actor, 0
        queued, known.queued = known.queued, ()
        for call in queued:
            self._call(known.quote_id, negotiation.id, call)

    def _load(self, negotiation_id: NegotiationId) -> None:
        mail = LoadNegotiation(negotiation_id=negotiation_id, reply_to=self.actor_ref)
        self._say(self._colleagues.persistence, mail)

    def _look_after_all(self) -> None:
        """After a failure of its own: who should move gets an actor, who has ended is forgotten."""
        for negotiation_id, known in list(self._known.items()):
            if known.actor is None:
                self._load(negotiation_id)
            elif not known.actor.is_alive():
                self._forget(negotiation_id)

    # Stepping in

    def _received(self, quote_id: QuoteId, intervention: Intervention) -> None:
        negotiation_id = intervention.negotiation_id
        known = self._known.get(negotiation_id)
        if known is not None and intervention.id in known.rows:
            return  # the face and the look at the database both tell of it: it moves nothing twice
        self._call(quote_id, negotiation_id, call_of(intervention))
        self._known[negotiation_id].rows |= {intervention.id}

    def _call(self, quote_id: QuoteId, negotiation_id: NegotiationId, call: Call) -> None:
        """Pass on what a person wants; a negotiation that nobody speaks for is loaded for it."""
        is_new = negotiation_id not in self._known
        known = self._note(quote_id, negotiation_id)
        if is_new:
            self._load(negotiation_id)
        if known.actor is None:
            known.queued += (call,)
            return
        known.calls += 1
        self._say(known.actor, call)

    def _continue(self, mail: ContinueNegotiations) -> None:
        moving = self._moving.get(mail.quote_id, set())
        resting = tuple(n for n in mail.negotiation_ids if n not in moving)
        if not resting:
            answer_with(mail.reply, NothingToContinue(mail.quote_id))
            return
        for negotiation_id in resting:
            self._call(mail.quote_id, negotiation_id, Continue(intervention=None))
        answer(mail.reply, resting)

    def _cancelled(self, mail: CancellationSaved) -> None:
        self._cancel(mail.quote.id, mail.negotiation_ids)
        for reply in first(self._askers.cancelling, mail.quote.id):
            answer(reply, mail.quote)

    def _cancel(self, quote_id: QuoteId, negotiation_ids: Iterable[NegotiationId]) -> None:
        if quote_id in self._cancelled_quotes:
            return  # it was cancelled by us, and seen in the database after that
        self._cancelled_quotes.add(quote_id)
        self.loop.events.emit(QuoteCancelled(quote_id=quote_id))
        for negotiation_id in negotiation_ids:
            self._call(quote_id, negotiation_id, Cancel())

    # Knowing what moves

    def _ended(self, mail: NegotiationEnded) -> None:
        if mail.quote_completed:
            self.loop.events.emit(QuoteCompleted(quote_id=mail.quote_id))
        self._forget(mail.negotiation_id)

    def _rests(self, negotiation_id: NegotiationId, heard: int) -> None:
        known = self._known.get(negotiation_id)
        if known is not None and known.calls == heard:  # else more is on its way to it
            self._stands_still(known.quote_id, negotiation_id)

    def _forget(self, negotiation_id: NegotiationId) -> None:
        known = self._known.pop(negotiation_id, None)
        if known is None:
            return
        if known.actor is not None:
            self._places.pop(known.actor.actor_urn, None)
            self._failures.pop(known.actor.actor_urn, None)
        self._stands_still(known.quote_id, negotiation_id)

    def _stands_still(self, quote_id: QuoteId, negotiation_id: NegotiationId) -> None:
        self._moving.get(quote_id, set()).discard(negotiation_id)
        self._tell_if_still(quote_id)

    def _tell_if_still(self, quote_id: QuoteId) -> None:
        if self._moving.get(quote_id) or quote_id in self._askers.starting:
            return
        self._moving.pop(quote_id, None)
        for reply in self._askers.waiting.pop(quote_id, []):
            answer(reply, None)

    # Supervising

    def _supervise(self, actor: Ref, error: BaseException) -> None:
        place = self._places.get(actor.actor_urn)
        failures = self._failures.get(actor.actor_urn) or deque(maxlen=RESTARTS + 1)
        failures.append(time.monotonic())
        too_often = len(failures) > RESTARTS and failures[-1] - failures[0] < WINDOW_S
        self.loop.events.emit(
            ActorFailedEvent(
                actor=actor.actor_class.__name__,
                error=bug(error),
                negotiation_id=None if place is None else place[1],
                restarts=len(failures),
                given_up=too_often,
            )
        )
        if place is None:
            return  # it was forgotten while it failed: it has ended, or was given up
        self._failures[actor.actor_urn] = failures
        if not too_often:
            self._say(actor, Restart())
            return
        reason = f"it failed {len(failures)} times in a row: {bug(error)}"
        self._say(
            self._colleagues.persistence,
            SaveParking(negotiation_id=place[1], error=inert(reason), reply_to=self.actor_ref),
        )

    def _given_up(self, negotiation_id: NegotiationId, error: str) -> None:
        known = self._known.get(negotiation_id)
        if known is None or known.actor is None:
            return
        quote_id, _, supplier_id = self._places[known.actor.actor_urn]
        self.loop.events.emit(
            NegotiationParkedEvent(
                quote_id=quote_id,
                negotiation_id=negotiation_id,
                supplier_id=supplier_id,
                error=error,
            )
        )
        known.actor.stop(block=False)
        self._forget(negotiation_id)

    def _halt(self, error: Exception) -> None:
        self._halted = error
        self.loop.events.emit(SystemHaltedEvent(error=cause(error)))
        self._askers.answer_all_with(_halted(error))

    def _say(self, actor: Ref, mail: object) -> None:
        say(actor, mail, self.loop.events)


def _halted(error: Exception) -> SystemHalted:
    return SystemHalted(f"nothing can be saved any more: {error}")
