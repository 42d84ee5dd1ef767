"""SupplierNegotiation: owns one conversation, from its opening message to its ending.

It asks an agent for a move, has the rules judge it, sends it to Persistence, and only the receipt
lets the other side hear of it. While a save is in flight it decides nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from dataclasses import dataclass, replace
from typing import Any, assert_never

from actors.events import (
    AcceptDemoted,
    DraftFailedEvent,
    DraftRefused,
    MessageSavedEvent,
    NegotiationEndedEvent,
    NegotiationParkedEvent,
    SaveRefused,
    StaleDraftDropped,
)
from actors.mailbox import (
    CancelDraft,
    DraftFailed,
    DraftId,
    DraftMove,
    DraftOverdue,
    DraftQueued,
    EndingSaved,
    LoadFailed,
    LoadNegotiation,
    MessageSaved,
    MoveDrafted,
    NegotiationEnded,
    NegotiationLoaded,
    NegotiationMail,
    NegotiationParked,
    ParkingSaved,
    Ref,
    RetryDraft,
    SaveEnding,
    SaveFailed,
    SaveMessage,
    SaveParking,
)
from actors.mechanism.conversation import Conversation
from actors.mechanism.rulebook import ending_without_words, judge, mandates_in_force
from actors.mechanism.ruling import Refusal, Refused
from actors.mechanism.views import view_for
from actors.runtime import LoopActor, Restart, say
from storage.records import Ending, Message, NegotiationStatus, is_parked
from storage.store import Loaded
from storage.terms.kind import Side

LONGEST_RETRY_PAUSE_S = 60.0
RELOADS = 3
"""How often in a row a refused save is answered by loading again before it is parked."""


@dataclass(frozen=True, slots=True)
class Colleagues:
    """Whom a negotiation writes to."""

    brand: Ref
    supplier: Ref
    persistence: Ref
    coordinator: Ref

    def agent(self, side: Side) -> Ref:
        """Who speaks for a side."""
        return self.brand if side is Side.BRAND else self.supplier


@dataclass(frozen=True, slots=True)
class Request:
    """The move that is asked for, and what became of it so far."""

    side: Side
    negotiator: str
    is_fallback: bool = False
    refused: Refusal | None = None
    """Why the draft before was sent back."""
    failures: int = 0


class SupplierNegotiation(LoopActor):
    """One quote with one supplier."""

    def __init__(self, loaded: Loaded, colleagues: Colleagues) -> None:
        super().__init__()
        self._loaded: Loaded | None = loaded
        self._negotiation = loaded.negotiation
        """As it was when it was loaded: the brief, not the state."""
        self._conversation: Conversation
        self._colleagues = colleagues
        self._request: Request | None = None
        self._open_draft: DraftId | None = None
        self._overdue_at = math.inf
        """When the open draft is overdue, on the loop's clock."""
        self._timer: asyncio.TimerHandle | None = None
        self._numbers = itertools.count(1)
        self._reloads = 0
        self._loading = False

    def on_start(self) -> None:
        """Go on from what is on disk."""
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            self._resume(loaded)

    def on_stop(self) -> None:
        """Leave nothing running."""
        self._drop_draft()
        if self._timer is not None:
            self._timer.cancel()

    def on_receive(self, mail: NegotiationMail) -> None:
        """Handle one piece of mail."""
        match mail:
            case NegotiationLoaded(loaded=loaded):
                self._resume(loaded)
            case Restart():
                self._reload()
            case LoadFailed(error=error):
                self._parked(f"it can't be loaded: {error}")
            case _ if self._loading:
                pass  # it is older than what is being loaded
            case MoveDrafted() | DraftFailed() | DraftQueued() | DraftOverdue() | RetryDraft() if (
                mail.draft_id != self._open_draft
            ):
                self._emit(StaleDraftDropped, draft_id=mail.draft_id)
            case MoveDrafted():
                self._play(mail)
            case DraftFailed(error=error, retryable=retryable):
                self._failed(error, retryable=retryable)
            case DraftQueued():
                self._set_deadline()
            case DraftOverdue():
                self._failed(f"nothing heard for {self._patience_s:g} s", retryable=True)
            case RetryDraft():
                self._ask()
            case MessageSaved(message=message):
                self._speak(message, mail)
            case EndingSaved(ending=ending, quote_completed=quote_completed):
                self._end(ending, quote_completed=quote_completed)
            case ParkingSaved(error=error):
                self._parked(error)
            case SaveFailed(error=error):
                self._refused_by_ledger(error)
            case _:
                assert_never(mail)

    # Asking for a move

    def _go_on(self) -> None:
        if self._conversation.status is not NegotiationStatus.ACTIVE:
            self._tell_ended(quote_completed=False)
            return
        ending = ending_without_words(self._conversation)
        if ending is not None:
            self._save(
                SaveEnding(
                    negotiation_id=self._negotiation.id,
                    ending=ending,
                    reply_to=self.actor_ref,
                )
            )
            return
        self._request = self._first_request(self._conversation.next_side)
        self._ask()

    def _first_request(self, side: Side) -> Request:
        negotiation = self._negotiation
        brand = side is Side.BRAND
        name = negotiation.brand_negotiator if brand else negotiation.supplier_negotiator
        return Request(side, name)

    def _ask(self) -> None:
        request = self._request
        assert request is not None  # noqa: S101 - asked for by who has just set it
        self._drop_draft()
        draft_id = DraftId(f"{self._negotiation.id}/{next(self._numbers)}")
        self._open_draft = draft_id
        refused = request.refused.reason if request.refused else None
        mail = DraftMove(
            draft_id=draft_id,
            view=view_for(self._conversation, request.side, refused),
            negotiator=request.negotiator,
            is_fallback=request.is_fallback,
            timeout_s=self._negotiation.rules.move_timeout_s,
            reply_to=self.actor_ref,
        )
        self._say(self._colleagues.agent(request.side), mail)
        self._set_deadline()

    @property
    def _patience_s(self) -> float:
        """The deadline of a draft, counted from the last mail about it."""
        return 2 * self._negotiation.rules.move_timeout_s

    def _drop_draft(self) -> None:
        self._overdue_at = math.inf
        if self._open_draft is not None and self._request is not None:
            cancel = CancelDraft(draft_id=self._open_draft)
            self._say(self._colleagues.agent(self._request.side), cancel)
        self._open_draft = None

    def _set_deadline(self) -> None:
        self._overdue_at = self.loop.now() + self._patience_s
        if self._timer is None:
            self._timer = self.loop.later(self._patience_s, self._check_deadline)

    def _check_deadline(self) -> None:
        """One timer serves all drafts: most are answered long before it looks again."""
        self._timer = None
        left_s = self._overdue_at - self.loop.now()
        if left_s <= 0 and self._open_draft is not None:
            self._overdue_at = math.inf
            self._say(self.actor_ref, DraftOverdue(draft_id=self._open_draft))
        elif left_s < math.inf:
            self._timer = self.loop.later(left_s, self._check_deadline)

    # What came of it

    def _play(self, drafted: MoveDrafted) -> None:
        request = self._request
        assert request is not None  # noqa: S101 - there is no open draft without a request
        self._open_draft = None  # it was answered, so there is nothing to cancel
        ruling = judge(self._conversation, request.side, drafted.proposal, drafted.origin)
        if ruling.refusal is not None:
            self._send_back(request, ruling.refusal, drafted.fallback)
            return
        assert ruling.entry is not None  # noqa: S101 - what is not refused is an entry
        if ruling.demoted is not None:
            self._emit(AcceptDemoted, side=request.side.value, rule=ruling.demoted.value)
        self._save(
            SaveMessage(
                entry=ruling.entry,
                ending=ruling.ending,
                mandates=mandates_in_force(self._conversation),
                reply_to=self.actor_ref,
            )
        )

    def _send_back(self, request: Request, refusal: Refusal, fallback: str | None) -> None:
        """Once with the reason; then the fallback decides, and without one it is parked."""
        next_one: Request | None = None
        if request.refused is None:
            next_one = replace(request, refused=refusal)
        elif fallback is not None:
            next_one = Request(request.side, fallback, is_fallback=True)
        self._emit(
            DraftRefused,
            side=request.side.value,
            rule=refusal.rule.value,
            fallback=fallback if request.refused else None,
        )
        if next_one is None:
            # the reason may hold a private figure, so only the rule's name is kept
            self._park(f"the {request.side}'s draft was refused twice: {refusal.rule}")
            return
        self._request = next_one
        self._ask()

    def _failed(self, error: str, *, retryable: bool) -> None:
        request = self._request
        assert request is not None  # noqa: S101 - there is no open draft without a request
        rules = self._negotiation.rules
        again = retryable and request.failures < rules.draft_retries
        pause_s = min(rules.retry_pause_s * 2**request.failures, LONGEST_RETRY_PAUSE_S)
        self._emit(
            DraftFailedEvent,
            side=request.side.value,
            error=error,
            retry_in_s=pause_s if again else None,
        )
        if not again:
            self._park(f"the {request.side}'s negotiator made no move: {error}")
            return
        self._request = replace(request, failures=request.failures + 1)
        assert self._open_draft is not None  # noqa: S101 - stale mail was dropped before
        self._overdue_at = math.inf
        retry = RetryDraft(draft_id=self._open_draft)
        self.loop.later(pause_s, lambda: self._say(self.actor_ref, retry))

    # Saving, and only then speaking

    def _save(self, mail: SaveMessage | SaveEnding | SaveParking) -> None:
        self._drop_draft()
        self._say(self._colleagues.persistence, mail)

    def _speak(self, message: Message, saved: MessageSaved) -> None:
        self._reloads = 0
        self._conversation = self._conversation.said(message)
        request = self._conversation.request
        total = str(request.total(message.terms)) if message.terms else None
        self._emit(
            MessageSavedEvent,
            seq=message.seq,
            sender=message.sender.value,
            move=message.move and message.move.value,
            origin=message.origin.value,
            rounds=self._conversation.rounds,
            total=total,
            currency=request.currency,
        )
        if saved.ending is not None:
            self._end(saved.ending, quote_completed=saved.quote_completed)
        else:
            self._go_on()

    def _end(self, ending: Ending, *, quote_completed: bool) -> None:
        self._conversation = replace(self._conversation, status=ending.status)
        self._emit(
            NegotiationEndedEvent,
            status=ending.status.value,
            reason=ending.reason and ending.reason.value,
            rounds=self._conversation.rounds,
        )
        self._tell_ended(quote_completed=quote_completed)

    def _tell_ended(self, *, quote_completed: bool) -> None:
        negotiation = self._negotiation
        mail = NegotiationEnded(
            quote_id=negotiation.quote_id,
            negotiation_id=negotiation.id,
            quote_completed=quote_completed,
        )
        self._say(self._colleagues.coordinator, mail)
        self.stop()

    def _park(self, error: str) -> None:
        negotiation_id = self._negotiation.id
        self._save(SaveParking(negotiation_id=negotiation_id, error=error, reply_to=self.actor_ref))

    def _parked(self, error: str) -> None:
        self._request = None
        self._emit(NegotiationParkedEvent, error=error)
        negotiation = self._negotiation
        mail = NegotiationParked(quote_id=negotiation.quote_id, negotiation_id=negotiation.id)
        self._say(self._colleagues.coordinator, mail)

    def _refused_by_ledger(self, error: Exception) -> None:
        if isinstance(error, Refused) and self._request is not None:
            self._send_back(self._request, Refusal(error.rule, error.reason), None)
            return
        self._emit(SaveRefused, error=str(error))
        self._reloads += 1
        if self._reloads > RELOADS:
            self._park(f"the ledger refuses what it says: {error}")
            return
        self._reload()

    # Starting over from disk

    def _reload(self) -> None:
        self._drop_draft()
        self._loading = True
        negotiation_id = self._negotiation.id
        mail = LoadNegotiation(negotiation_id=negotiation_id, reply_to=self.actor_ref)
        self._say(self._colleagues.persistence, mail)

    def _resume(self, loaded: Loaded) -> None:
        self._loading = False
        self._conversation = Conversation.restored(
            loaded.quote, loaded.negotiation, loaded.messages
        )
        if is_parked(loaded.negotiation):
            self._parked(loaded.negotiation.last_error or "")
        else:
            self._go_on()

    # Telling

    def _say(self, actor: Ref, mail: object) -> None:
        say(actor, mail, self.loop.events)

    def _emit(self, event: Any, **facts: Any) -> None:
        negotiation = self._negotiation
        self.loop.events.emit(
            event(
                quote_id=negotiation.quote_id,
                negotiation_id=negotiation.id,
                supplier_id=negotiation.supplier_id,
                **facts,
            )
        )
