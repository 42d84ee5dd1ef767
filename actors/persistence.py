"""Persistence: the only writer of negotiations and messages.

What waits in its mailbox goes into one transaction, first what a person waits for; a save that
breaks a rule is undone alone. Receipts go out only after the commit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any, assert_never

import pykka

from actors.event_stream import EventStream
from actors.events import SaveRetried
from actors.mailbox import (
    Ref,
)
from actors.mechanism.limits import check_entry
from actors.mechanism.ruling import Refused
from actors.runtime import say
from actors.save_queue import SaveQueue
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
    LoadFailed,
    LoadNegotiation,
    MessageSaved,
    NegotiationLoaded,
    NegotiationsOpened,
    OpeningFailed,
    OpenNegotiations,
    ParkingSaved,
    PersistenceHalted,
    PersistenceMail,
    RefusalsSaved,
    Save,
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
from storage.errors import DatabaseUnavailable, DatabaseUnusable, StorageError
from storage.interventions import Intervention
from storage.ledger import Appended, Ledger
from storage.records import NegotiationId

SMALLEST_GROUP, LARGEST_GROUP = 64, 500
"""Saves that may share one transaction: the one on a quick disk, the other on a slow one."""
SLOW_SYNC_S = 0.03
"""Seconds to commit from which on a disk is slow; less may be waiting for other threads."""
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0

Receipt = (
    NegotiationsOpened
    | OpeningFailed
    | MessageSaved
    | GuidanceSaved
    | RefusalsSaved
    | ContinuingSaved
    | CancellationSaved
    | CancellationFailed
    | EndingSaved
    | ParkingSaved
    | SaveFailed
    | CallStartSaved
    | CallNotStarted
    | CallEndSaved
    | NegotiationLoaded
    | LoadFailed
)


class Persistence(pykka.ThreadingActor):
    """Writes in a thread of its own, because SQLite blocks."""

    use_daemon_thread = True

    def __init__(self, ledger: Ledger, events: EventStream, giving_up: threading.Event) -> None:
        """Take over the writing.

        Args:
            giving_up: Set when the system stops and must not wait for the disk any longer.
        """
        super().__init__()
        self._ledger = ledger
        self._events = events
        self._giving_up = giving_up
        self._connection: Any = None
        self._watcher: Ref | None = None
        self._commit_watcher: Ref | None = None
        self._halted: Exception | None = None
        self._queue = SaveQueue()
        self._group = SMALLEST_GROUP

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> pykka.ActorRef[Any]:
        """Start without an entry in Pykka's registry, which belongs to the host program."""
        actor = cls(*args, **kwargs)
        actor._start_actor_loop()
        return actor.actor_ref

    @staticmethod
    def _create_actor_inbox() -> Any:
        # written in C: Pykka's queue.Queue takes far longer, for whoever puts and whoever gets
        return SimpleQueue()

    def on_start(self) -> None:
        """Open the connection in the thread that will use it."""
        self._connection = self._ledger.connection()
        try:
            self._connection.__enter__()
            self._ledger.lose_calls()
        except Exception as error:  # noqa: BLE001 - Pykka would let us die unheard
            self._halt(error)

    def on_stop(self) -> None:
        """Close it."""
        self._connection.__exit__(None, None, None)

    def on_receive(self, mail: PersistenceMail) -> None:
        """Save this piece of mail, and what waits behind it."""
        self._take(mail)
        while self._queue:
            self._take_what_waits()
            self._save_group(self._queue.take(self._group))

    def _take(self, mail: PersistenceMail) -> None:
        """Queue what is to be saved; heed the rest at once."""
        match mail:
            case WatchPersistence(watcher=watcher):
                self._watcher = watcher
                if self._halted is not None:
                    self._halt(self._halted)
            case WatchCommits(watcher=watcher):
                self._commit_watcher = watcher
            case CheckDatabase():
                self._save_group([])
            case DatabaseDamaged(error=error):
                if self._halted is None:
                    self._halt(error)
            case _:
                self._queue.put(mail)

    def _take_what_waits(self) -> None:
        """Take what has come meanwhile, so that a person waits for one group and not for all."""
        while not self.actor_inbox.empty():
            envelope = self.actor_inbox.get()
            if not isinstance(envelope.message, PersistenceMail):
                self.actor_inbox.put(envelope)  # a stop, which comes last anyway
                break
            self._take(envelope.message)

    def _save_group(self, group: list[Save]) -> None:
        if self._halted is not None:
            return  # the watcher has told everybody
        began = time.perf_counter()
        try:
            receipts = self._commit(group)
        except BaseException as error:  # noqa: BLE001 - nothing may end this thread unheard
            self._halt(error)
            return
        for sender, receipt in receipts:
            say(sender, receipt, self._events)
        if group and self._commit_watcher is not None:
            seconds = time.perf_counter() - began
            committed = Committed(seconds=seconds, queued=len(self._queue))
            say(self._commit_watcher, committed, self._events)

    def _commit(self, group: list[Save]) -> list[tuple[Ref, Receipt]]:
        pause_s = FIRST_PAUSE_S
        while True:
            # a file that was deleted or moved takes all that is written, and nobody finds it again
            self._ledger.check_place()
            try:
                with self._ledger.transaction():
                    receipts = [each for run in _runs(group) for each in self._save_run(run)]
                    saved = time.perf_counter()
                self._fit_group(time.perf_counter() - saved)
                return receipts
            except DatabaseUnavailable as error:
                # locked or full: it may pass; nobody has a receipt, so nobody speaks meanwhile
                retried = SaveRetried(error=str(error), saves=len(group), retry_in_s=pause_s)
                self._events.emit(retried)
                if self._giving_up.wait(pause_s):
                    raise
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _fit_group(self, syncing_s: float) -> None:
        """Keep groups small, so that who is first in one needn't wait for many; or grow.

        Small groups also spread what moves in step: the saves of some then share time with the
        drafts of others. On a slow disk only large groups keep up.
        """
        fitting = self._group * 2 if syncing_s > SLOW_SYNC_S else self._group // 2
        self._group = min(max(fitting, SMALLEST_GROUP), LARGEST_GROUP)

    def _save_run(self, run: list[Save]) -> list[tuple[Ref, Receipt]]:
        messages = [mail for mail in run if isinstance(mail, SaveMessage)]
        if len(messages) > 1:
            try:
                with self._ledger.savepoint():
                    receipts = self._save_messages(messages)
            except (DatabaseUnavailable, DatabaseUnusable):
                raise
            except StorageError:
                pass  # which one it was shows when each is saved alone
            else:
                return [(m.reply_to, r) for m, r in zip(messages, receipts, strict=True)]
        return [(mail.reply_to, self._save_alone(mail)) for mail in run]

    def _save_messages(self, mails: list[SaveMessage]) -> list[Receipt]:
        """Messages of different negotiations, in as few statements as one."""
        refused = {mail.entry.negotiation_id: _broken_limit(mail) for mail in mails}
        sound = [mail for mail in mails if refused[mail.entry.negotiation_id] is None]
        answers = iter(self._ledger.append_all([(mail.entry, mail.ending) for mail in sound]))
        return [
            self._receipt(mail, refused[mail.entry.negotiation_id] or next(answers))
            for mail in mails
        ]

    def _save_alone(self, mail: Save) -> Receipt:
        try:
            with self._ledger.savepoint():
                return self._save(mail)
        except (DatabaseUnavailable, DatabaseUnusable):
            raise  # it concerns all of the group
        except (StorageError, Refused) as error:
            if isinstance(mail, OpenNegotiations):
                return OpeningFailed(quote_id=mail.quote_id, error=error)
            if isinstance(mail, LoadNegotiation):
                return LoadFailed(negotiation_id=mail.negotiation_id, error=error)
            if isinstance(mail, SaveCancellation):
                return CancellationFailed(quote_id=mail.quote_id, error=error)
            if isinstance(mail, SaveRefusals):
                return RefusalsSaved(settled=())
            if isinstance(mail, SaveCallStart):
                return CallNotStarted(call_id=mail.call.id, error=error)
            if isinstance(mail, SaveCallEnd):
                return CallEndSaved()
            return SaveFailed(negotiation_id=_negotiation_id(mail), error=error)

    def _save(self, mail: Save) -> Receipt:
        match mail:
            case OpenNegotiations():
                quote, opened = self._ledger.open_negotiations(mail.quote_id, mail.negotiations)
                return NegotiationsOpened(quote=quote, negotiations=opened)
            case SaveMessage():
                check_entry(mail.entry, mail.mandates)
                return self._receipt(mail, self._ledger.append(mail.entry, mail.ending))
            case SaveGuidance():
                guidance = self._ledger.guide(
                    mail.negotiation_id, mail.first_seq, mail.taken, mail.mandate
                )
                return GuidanceSaved(guidance=guidance)
            case SaveRefusals(refused=refused):
                return RefusalsSaved(settled=self._ledger.refuse(refused))
            case SaveContinuing():
                settled = self._ledger.unpark(mail.negotiation_id, mail.intervention_id)
                return ContinuingSaved(settled=settled)
            case SaveCancellation():
                quote, active = self._ledger.cancel_quote(mail.quote_id)
                return CancellationSaved(quote=quote, negotiation_ids=active)
            case SaveEnding():
                completed = self._ledger.end(mail.negotiation_id, mail.ending)
                settled = self._ledger.settle_ended(mail.negotiation_id, None)
                return EndingSaved(ending=mail.ending, quote_completed=completed, settled=settled)
            case SaveParking():
                self._ledger.park(mail.negotiation_id, mail.error)
                return ParkingSaved(negotiation_id=mail.negotiation_id, error=mail.error)
            case SaveCallStart(call=call, budget=budget):
                self._ledger.start_call(call, budget)
                return CallStartSaved(call_id=call.id)
            case SaveCallEnd(end=end):
                self._ledger.end_call(end)
                return CallEndSaved()
            case LoadNegotiation():
                return NegotiationLoaded(loaded=self._ledger.load(mail.negotiation_id))
            case _:
                assert_never(mail)

    def _receipt(self, mail: SaveMessage, answer: Appended | Exception) -> Receipt:
        if isinstance(answer, Exception):
            return SaveFailed(negotiation_id=mail.entry.negotiation_id, error=answer)
        settled: tuple[Intervention, ...] = ()
        if mail.answers:
            settled += self._ledger.settle_answered(mail.answers, answer.message)
        if mail.ending is not None:
            settled += self._ledger.settle_ended(mail.entry.negotiation_id, answer.message.seq)
        return MessageSaved(
            message=answer.message,
            ending=mail.ending,
            quote_completed=answer.quote_completed,
            settled=settled,
        )

    def _halt(self, error: BaseException) -> None:
        self._halted = error if isinstance(error, Exception) else RuntimeError(repr(error))
        if self._watcher is not None:
            say(self._watcher, PersistenceHalted(error=self._halted), self._events)


def _negotiation_id(
    mail: SaveMessage | SaveGuidance | SaveContinuing | SaveEnding | SaveParking,
) -> NegotiationId:
    return mail.entry.negotiation_id if isinstance(mail, SaveMessage) else mail.negotiation_id


def _runs(group: list[Save]) -> Iterator[list[Save]]:
    """The group in order, messages of different negotiations together, all else alone."""
    run: list[Save] = []
    negotiations: set[str] = set()
    for mail in group:
        fits = isinstance(mail, SaveMessage) and mail.entry.negotiation_id not in negotiations
        if run and not (fits and negotiations):
            yield run
            run, negotiations = [], set()
        run.append(mail)
        if isinstance(mail, SaveMessage):
            negotiations.add(mail.entry.negotiation_id)
    yield run


def _broken_limit(mail: SaveMessage) -> Refused | None:
    try:
        check_entry(mail.entry, mail.mandates)
    except Refused as refused:
        return refused
    return None
