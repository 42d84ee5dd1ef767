"""The two agents, each shared by all negotiations: they ask a negotiator and mail its answer."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import Awaitable, Coroutine
from typing import Any, assert_never

from actors.bug import bug
from actors.call_desk import CallDesk
from actors.errors import ConfigError, ModelFailed, NegotiatorError
from actors.foreign_work import in_thread, watched
from actors.inert import inert
from actors.mailbox import (
    AgentMail,
    BudgetSpent,
    CancelDraft,
    CountDrafts,
    DraftFailed,
    DraftId,
    DraftMove,
    DraftQueued,
    DraftsCounted,
    MoveDrafted,
    Ref,
)
from actors.negotiators.cast import Cast
from actors.negotiators.errand import Errand
from actors.negotiators.negotiator import Speaker
from actors.runtime import LoopActor, Restart, say
from actors.saves import CallEndSaved, CallNotStarted, CallStartSaved
from actors.time_limits import Limit, TimeLimits
from storage.errors import BudgetReached, StorageError
from storage.records import Origin
from storage.terms.kind import Side

THREADS = 64
"""How many plain `def` negotiators of one agent may run at once; the others queue."""
QUEUE_NEWS_S = 10.0
"""Seconds between two words about a draft that still queues."""
LONGEST_ERROR = 300
"""Characters of a negotiator's error that are kept."""
OUR_WORDS = (ModelFailed, ConfigError, StorageError)
"""Errors that say nothing private, as only we raise them; all others may hold a whole brief."""


class Agent(LoopActor):
    """Speaks for one side; each draft is a task of its own, so that none waits for another."""

    side: Side

    def __init__(self, speakers: Cast, persistence: Ref) -> None:
        super().__init__()
        self._cast = speakers
        self._desk = CallDesk(persistence, self.actor_ref, self.loop)
        self._drafts: dict[DraftId, tuple[asyncio.Task[None], float]] = {}
        """What is in flight, and since when on the loop's clock, the oldest first."""
        self._limits = TimeLimits()
        self._threads = asyncio.Semaphore(THREADS)

    def on_receive(self, mail: AgentMail) -> None:
        """Handle one piece of mail."""
        match mail:
            case DraftMove():
                self._start(mail)
            case CancelDraft(draft_id=draft_id):
                self._cancel(draft_id)
            case CountDrafts(reply_to=reply_to):
                self._count(reply_to)
            case CallStartSaved() | CallNotStarted():
                self._desk.answered(mail)
            case CallEndSaved():
                pass
            case Restart():
                pass  # nothing is lost: the drafts run on, and what failed is asked for again
            case _:
                assert_never(mail)

    def on_stop(self) -> None:
        """Cancel all drafts."""
        for draft_id in list(self._drafts):
            self._cancel(draft_id)

    def _start(self, request: DraftMove) -> None:
        task = self.loop.run(self._draft(request))
        self._drafts[request.draft_id] = (task, self.loop.now())

    def _cancel(self, draft_id: DraftId) -> None:
        task, _ = self._drafts.pop(draft_id, (None, 0.0))
        if task is not None:
            task.cancel()

    def _count(self, reply_to: Ref) -> None:
        began_s = [since for _, since in itertools.islice(self._drafts.values(), 1)]
        oldest_s = self.loop.now() - began_s[0] if began_s else None
        counted = DraftsCounted(side=self.side, drafts=len(self._drafts), oldest_s=oldest_s)
        say(reply_to, counted, self.loop.events)

    async def _draft(self, request: DraftMove) -> None:
        task, _ = self._drafts[request.draft_id]
        answer: MoveDrafted | DraftFailed | BudgetSpent
        try:
            speaker = self._cast.at_hand(self.side, request.negotiator, request.view.supplier.id)
            if speaker is None:
                speaker = await self._made(request)
            if speaker.calls:
                move = speaker.propose_on(self._errand(request), request.view)
                proposal = await self._watched(speaker, move)
            elif speaker.blocks:
                proposal = await self._in_thread(request, speaker, task)
            else:
                with Limit(self._limits, request.timeout_s, task):
                    proposal = await self._watched(speaker, speaker.propose(request.view))
            answer = _drafted(request, speaker, proposal)
        except BudgetReached:
            answer = BudgetSpent(draft_id=request.draft_id)
        except BaseException as error:
            if task.cancelling():
                raise
            answer = _failure(request, error)
        self._drafts.pop(request.draft_id, None)
        say(request.reply_to, answer, self.loop.events)

    async def _made(self, request: DraftMove) -> Speaker:
        """A model that nobody chose for this system: its SDK takes long to import."""
        name, supplier_id = request.negotiator, request.view.supplier.id
        return await in_thread(lambda: self._cast.speaker(self.side, name, supplier_id))

    async def _in_thread(
        self, request: DraftMove, speaker: Speaker, task: asyncio.Task[None]
    ) -> object:
        await self._queue(request)
        try:
            with Limit(self._limits, request.timeout_s, task):
                move = await in_thread(lambda: speaker.propose(request.view))
                if inspect.iscoroutine(move):
                    return await self._watched(speaker, move)
                return move
        finally:
            self._threads.release()

    async def _queue(self, request: DraftMove) -> None:
        while True:
            try:
                # the negotiation waits twice as long as a move may take
                news_s = min(QUEUE_NEWS_S, request.timeout_s)
                await asyncio.wait_for(self._threads.acquire(), news_s)
            except TimeoutError:
                self._tell_queued(request)
            else:
                return

    def _tell_queued(self, request: DraftMove) -> None:
        say(request.reply_to, DraftQueued(draft_id=request.draft_id), self.loop.events)

    def _errand(self, request: DraftMove) -> Errand:
        return Errand(
            quote_id=request.quote_id,
            negotiation_id=request.negotiation_id,
            supplier_id=request.view.supplier.id,
            draft_id=request.draft_id,
            side=self.side,
            timeout_s=request.timeout_s,
            budget=request.budget,
            book=self._desk,
            news=lambda: self._tell_queued(request),
        )

    def _watched(self, speaker: Speaker, move: Coroutine[Any, Any, object]) -> Awaitable[object]:
        return watched(move, self.loop.held, f"{type(speaker.negotiator).__name__}.next_move")


class BrandAgent(Agent):
    """Speaks for the brand in all negotiations."""

    side = Side.BRAND


class SupplierAgent(Agent):
    """Answers for each supplier."""

    side = Side.SUPPLIER


def _drafted(request: DraftMove, speaker: Speaker, proposal: object) -> MoveDrafted:
    return MoveDrafted(
        draft_id=request.draft_id,
        proposal=proposal,
        origin=Origin.FALLBACK if request.is_fallback else speaker.origin,
        fallback=None if request.is_fallback else speaker.fallback,
    )


def _failure(request: DraftMove, error: BaseException) -> DraftFailed:
    retryable = not isinstance(error, ConfigError)  # which negotiator it is won't change
    if isinstance(error, NegotiatorError):
        retryable = error.retryable
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 - even that may be broken
        said = "(it can't say why)"
    name = "" if isinstance(error, ModelFailed) else f"{type(error).__name__}: "
    text = inert(f"{name}{said}"[:LONGEST_ERROR])
    told = text if isinstance(error, OUR_WORDS) else inert(bug(error))
    if isinstance(error, TimeoutError) and not said:
        text = told = f"no move within {request.timeout_s:g} s"
    return DraftFailed(draft_id=request.draft_id, error=text, told=told, retryable=retryable)
