"""Persistence: the only writer of negotiations and messages.

What waits in its mailbox goes into one transaction. If one of the saves breaks a rule the whole
group is saved again, each in a savepoint of its own, so that the one is undone alone; receipts go
out only after the commit.
"""

from __future__ import annotations

import threading
from typing import Any, assert_never

import pykka

from actors.events import EventStream, SaveRetried
from actors.mailbox import (
    EndingSaved,
    LoadNegotiation,
    MessageSaved,
    NegotiationLoaded,
    NegotiationsOpened,
    OpeningFailed,
    OpenNegotiations,
    ParkingSaved,
    PersistenceHalted,
    PersistenceMail,
    Ref,
    Save,
    SaveEnding,
    SaveFailed,
    SaveMessage,
    SaveParking,
    WatchPersistence,
)
from actors.mechanism.limits import check_entry
from actors.mechanism.ruling import Refused
from actors.runtime import say
from storage.errors import DatabaseUnavailable, StorageError
from storage.store import Store

LARGEST_GROUP = 500
"""Saves that share one transaction at most."""
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0

UNDOES_ONE_SAVE = (StorageError, Refused)
"""What a save can break a rule with; all else concerns the database."""

Receipt = (
    NegotiationsOpened
    | OpeningFailed
    | MessageSaved
    | EndingSaved
    | ParkingSaved
    | SaveFailed
    | NegotiationLoaded
)


class Persistence(pykka.ThreadingActor):
    """Writes in a thread of its own, because SQLite blocks."""

    use_daemon_thread = True

    def __init__(self, store: Store, events: EventStream, giving_up: threading.Event) -> None:
        """Take over the writing.

        Args:
            giving_up: Set when the system stops and must not wait for the disk any longer.
        """
        super().__init__()
        self._store = store
        self._events = events
        self._giving_up = giving_up
        self._connection: Any = None
        self._watcher: Ref | None = None
        self._halted: Exception | None = None

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> pykka.ActorRef[Any]:
        """Start without an entry in Pykka's registry, which belongs to the host program."""
        actor = cls(*args, **kwargs)
        actor._start_actor_loop()
        return actor.actor_ref

    def on_start(self) -> None:
        """Open the connection in the thread that will use it."""
        self._connection = self._store.connection()
        self._connection.__enter__()

    def on_stop(self) -> None:
        """Close it."""
        self._connection.__exit__(None, None, None)

    def on_receive(self, mail: PersistenceMail) -> None:
        """Save this piece of mail together with what waits behind it."""
        if isinstance(mail, WatchPersistence):
            self._watcher = mail.watcher
            return
        group = [mail, *self._waiting()]
        if self._halted is not None:
            return  # the watcher has told everybody
        try:
            receipts = self._commit(group)
        except BaseException as error:  # noqa: BLE001 - nothing may end this thread unheard
            self._halt(error)
            return
        for sender, receipt in receipts:
            say(sender, receipt, self._events)

    def _waiting(self) -> list[Save]:
        waiting: list[Save] = []
        while len(waiting) < LARGEST_GROUP - 1 and not self.actor_inbox.empty():
            envelope = self.actor_inbox.get()
            if not isinstance(envelope.message, Save):
                self.actor_inbox.put(envelope)  # a stop, which comes last anyway
                break
            waiting.append(envelope.message)
        return waiting

    def _commit(self, group: list[Save]) -> list[tuple[Ref, Receipt]]:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return self._save_together(group) or self._save_each_alone(group)
            except DatabaseUnavailable as error:
                # locked or full: it may pass; nobody has a receipt, so nobody speaks meanwhile
                retried = SaveRetried(error=str(error), saves=len(group), retry_in_s=pause_s)
                self._events.emit(retried)
                if self._giving_up.wait(pause_s):
                    raise
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _save_together(self, group: list[Save]) -> list[tuple[Ref, Receipt]] | None:
        """The usual case, without the cost of savepoints; None, and nothing saved, if one fails."""
        try:
            with self._store.transaction():
                return [(mail.reply_to, self._save(mail)) for mail in group]
        except DatabaseUnavailable:
            raise
        except UNDOES_ONE_SAVE:
            return None

    def _save_each_alone(self, group: list[Save]) -> list[tuple[Ref, Receipt]]:
        with self._store.transaction():
            return [(mail.reply_to, self._save_alone(mail)) for mail in group]

    def _save_alone(self, mail: Save) -> Receipt:
        try:
            with self._store.savepoint():
                return self._save(mail)
        except DatabaseUnavailable:
            raise
        except UNDOES_ONE_SAVE as error:
            if isinstance(mail, OpenNegotiations):
                return OpeningFailed(quote_id=mail.quote_id, error=error)
            return SaveFailed(negotiation_id=_negotiation_id(mail), error=error)

    def _save(self, mail: Save) -> Receipt:
        match mail:
            case OpenNegotiations():
                quote = self._store.open_negotiations(mail.quote_id, mail.negotiations)
                opened = tuple(self._store.negotiations(mail.quote_id))
                return NegotiationsOpened(quote=quote, negotiations=opened)
            case SaveMessage():
                check_entry(mail.entry, mail.mandates)
                saved = self._store.append(mail.entry, mail.ending)
                return MessageSaved(
                    message=saved.message,
                    ending=mail.ending,
                    quote_completed=saved.quote_completed,
                )
            case SaveEnding():
                completed = self._store.end(mail.negotiation_id, mail.ending)
                return EndingSaved(ending=mail.ending, quote_completed=completed)
            case SaveParking():
                self._store.park(mail.negotiation_id, mail.error)
                return ParkingSaved(negotiation_id=mail.negotiation_id, error=mail.error)
            case LoadNegotiation():
                return NegotiationLoaded(loaded=self._store.load(mail.negotiation_id))
            case _:
                assert_never(mail)

    def _halt(self, error: BaseException) -> None:
        self._halted = error if isinstance(error, Exception) else RuntimeError(repr(error))
        if self._watcher is not None:
            say(self._watcher, PersistenceHalted(error=self._halted), self._events)


def _negotiation_id(mail: SaveMessage | SaveEnding | SaveParking | LoadNegotiation) -> Any:
    return mail.entry.negotiation_id if isinstance(mail, SaveMessage) else mail.negotiation_id
