"""Outside: notices what other processes have written, and passes it on as mail.

A thread of its own looks at `PRAGMA data_version`, which tells at almost no cost whether anybody
else has committed. Only then are the few rows looked for that ask for something.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from actors.bug import bug
from actors.errors import ParleyError
from actors.event_stream import EventStream
from actors.events import ActorFailedEvent, OutsideIgnored
from actors.mailbox import (
    InterventionReceived,
    QuoteCancelledOutside,
    Ref,
    StartNegotiations,
)
from actors.runtime import say
from actors.saves import CheckDatabase, SaveRefusals
from storage.errors import DatabaseLost, StorageError
from storage.interventions import Action, Intervention, InterventionId
from storage.records import NegotiationId, Quote, QuoteId, QuoteStatus
from storage.requests import Requests
from storage.store import Store

LOOK_S = 0.05
"""Seconds between two looks: what another process writes is picked up within 200 ms."""

CARRIES_MORE = "action: continue carries nothing else: send the guidance by itself"

Opener = Callable[[Quote], StartNegotiations]
"""Makes of a quote the mail that starts it."""


class Outside:
    """The engine's eye on its own database; every request is passed on once."""

    def __init__(
        self,
        store: Store,
        events: EventStream,
        opener: Opener,
        *,
        coordinator: Ref,
        persistence: Ref,
    ) -> None:
        """Begin to look, at once and then until it is stopped."""
        self._store = store
        self._events = events
        self._opener = opener
        self._coordinator = coordinator
        self._persistence = persistence
        self._stopping = threading.Event()
        self._told: set[str] = set()
        """What was passed on and still stands in the database."""
        self._thread = threading.Thread(target=self._run, name="parley-outside", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        with self._store.connection():
            seen: int | None = None
            failures = 0
            while True:
                version = seen
                try:
                    self._store.check_place()
                    version = self._store.data_version()
                    if version != seen:
                        self._pass_on(self._store.requests())
                except DatabaseLost:
                    say(self._persistence, CheckDatabase(), self._events)
                    return  # nothing can be saved there any more, so nothing is taken up
                except StorageError:
                    version = None  # locked or gone for now: Persistence says so, we look again
                except Exception as error:  # noqa: BLE001 - nothing may end this thread unheard
                    failures += 1
                    self._failed(error, failures)
                seen = version
                if self._stopping.wait(LOOK_S):
                    return

    def _failed(self, error: Exception, failures: int) -> None:
        """Say so once for each change of the database, and look again at the next one."""
        self._events.emit(
            ActorFailedEvent(
                actor=type(self).__name__,
                error=bug(error),
                negotiation_id=None,
                restarts=failures,
                given_up=False,
            )
        )

    def _pass_on(self, requests: Requests) -> None:
        standing: set[str] = set()
        for quote_id, intervention in requests.received:
            if not self._is_new(intervention.id, standing):
                continue
            if intervention.action is Action.CONTINUE and _carries(intervention):
                self._refuse(intervention.id, CARRIES_MORE)
            else:
                mail = InterventionReceived(quote_id=quote_id, intervention=intervention)
                say(self._coordinator, mail, self._events)
        for unreadable in requests.unreadable:
            if self._is_new(unreadable.id, standing):
                self._refuse(InterventionId(unreadable.id), unreadable.reason)
        for quote in requests.starting:
            if self._is_new(f"{quote.id} starts", standing):
                self._start(quote)
        for quote_id, why in requests.damaged:
            if self._is_new(f"{quote_id} is damaged", standing):
                self._ignore(quote_id, QuoteStatus.NEGOTIATING, why)
        for quote_id, status, active in requests.changed:
            if self._is_new(f"{quote_id} is {status}", standing):
                self._obey(quote_id, status, active)
        self._told = standing

    def _is_new(self, request: str, standing: set[str]) -> bool:
        standing.add(request)
        return request not in self._told

    def _refuse(self, intervention_id: InterventionId, reason: str) -> None:
        mail = SaveRefusals(refused=((intervention_id, reason),), reply_to=self._coordinator)
        say(self._persistence, mail, self._events)

    def _start(self, quote: Quote) -> None:
        try:
            mail = self._opener(quote)
        except (ParleyError, StorageError) as error:
            self._ignore(quote.id, QuoteStatus.NEGOTIATING, str(error))
            return
        say(self._coordinator, mail, self._events)

    def _obey(self, quote_id: QuoteId, status: str, active: tuple[NegotiationId, ...]) -> None:
        if status == QuoteStatus.CANCELLED:
            mail = QuoteCancelledOutside(quote_id=quote_id, negotiation_ids=active)
            say(self._coordinator, mail, self._events)
            return
        self._ignore(quote_id, status, "only negotiating and cancelled can be set from outside")

    def _ignore(self, quote_id: QuoteId, status: str, why: str) -> None:
        self._events.emit(OutsideIgnored(quote_id=quote_id, status=status, why=why))


def _carries(one: Intervention) -> bool:
    content = (one.text, one.limits, one.priorities, one.accepts_seq)
    return any(part is not None for part in content)
