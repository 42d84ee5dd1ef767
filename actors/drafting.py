"""Drafting: the move that a negotiation asks an agent for, until it is answered or dropped.

A negotiation has at most one open draft; a new one gets a new id and cancels the one before.
"""

from __future__ import annotations

import asyncio
import math
import secrets

from msgspec import Struct
from msgspec.structs import replace

from actors.mailbox import (
    CancelDraft,
    DraftId,
    DraftMove,
    DraftOverdue,
    Ref,
    RetryDraft,
)
from actors.mechanism.conversation import Conversation
from actors.mechanism.ruling import Refusal
from actors.mechanism.views import BrandView, SupplierView, view_for
from actors.runtime import LoopThread, say
from storage.records import Negotiation
from storage.terms.kind import Side

LONGEST_RETRY_PAUSE_S = 60.0


class Colleagues(Struct, frozen=True):
    """Whom a negotiation writes to."""

    brand: Ref
    supplier: Ref
    persistence: Ref
    coordinator: Ref

    def agent(self, side: Side) -> Ref:
        """Who speaks for a side."""
        return self.brand if side is Side.BRAND else self.supplier


class Request(Struct, frozen=True):
    """The move that is asked for, and what became of it so far."""

    side: Side
    negotiator: str
    is_fallback: bool = False
    refused: Refusal | None = None
    """Why the draft before was sent back."""
    failures: int = 0


class Drafting:
    """The open draft of one negotiation, its deadline and its retries; for use on the loop."""

    def __init__(
        self, negotiation: Negotiation, colleagues: Colleagues, owner: Ref, loop: LoopThread
    ) -> None:
        """Nothing is asked for yet.

        Args:
            owner: The negotiation's actor, which is told of whatever comes of a draft.
        """
        self.request: Request | None = None
        """None while nobody is asked."""
        self._negotiation = negotiation
        self._colleagues = colleagues
        self._owner = owner
        self._loop = loop
        self._open: DraftId | None = None
        self._overdue_at = math.inf
        """When the open draft is overdue, on the loop's clock."""
        self._timer: asyncio.TimerHandle | None = None
        self._number = 0
        self._own = secrets.token_hex(3)
        """Drafts of before a restart have other ids."""

    @property
    def side(self) -> Side | None:
        """Who is asked, if anybody is."""
        return self.request.side if self.request is not None else None

    @property
    def patience_s(self) -> float:
        """The deadline of a draft, counted from the last mail about it."""
        return 2 * self._negotiation.rules.move_timeout_s

    def is_open(self, draft_id: DraftId) -> bool:
        """Whether that is the draft that is waited for."""
        return draft_id == self._open

    def ask(self, conversation: Conversation, request: Request | None = None) -> None:
        """Ask for a move: of who is next, or as requested."""
        if request is None:
            request = self._first_request(conversation.next_side)
        if self._open is not None:
            self._cancel(self._open)
        self.request = request
        self._number += 1
        self._open = DraftId(f"{self._negotiation.id}/{self._own}-{self._number}")
        mail = DraftMove(
            draft_id=self._open,
            view=self._view(conversation, request),
            negotiator=request.negotiator,
            is_fallback=request.is_fallback,
            quote_id=self._negotiation.quote_id,
            negotiation_id=self._negotiation.id,
            budget=self._negotiation.rules.budget,
            timeout_s=self._negotiation.rules.move_timeout_s,
            reply_to=self._owner,
        )
        self._say(self._colleagues.agent(request.side), mail)
        self.heard()

    def again(self, conversation: Conversation) -> None:
        """Ask once more for what failed."""
        self.ask(conversation, self.request)

    def heard(self) -> None:
        """Count the deadline anew: there was word about the open draft."""
        self._overdue_at = self._loop.now() + self.patience_s
        if self._timer is None:
            self._timer = self._loop.later(self.patience_s, self._check_deadline)

    def answered(self) -> Request:
        """Close the open draft, which was answered; returns what was asked for."""
        self._open = None
        return self._asked

    def retry_in_s(self, *, retryable: bool) -> float | None:
        """The pause before the failed draft is asked for again; None when it is not."""
        request, rules = self._asked, self._negotiation.rules
        if not retryable or request.failures >= rules.draft_retries:
            return None
        return min(math.ldexp(rules.retry_pause_s, request.failures), LONGEST_RETRY_PAUSE_S)

    def retry(self, pause_s: float) -> None:
        """Have the owner told RetryDraft after a pause."""
        assert self._open is not None  # noqa: S101 - stale mail was dropped before
        self.request = replace(self._asked, failures=self._asked.failures + 1)
        self._overdue_at = math.inf
        mail = RetryDraft(draft_id=self._open)
        self._loop.later(pause_s, lambda: self._say(self._owner, mail))

    def drop(self) -> None:
        """Ask for nothing any more."""
        if self._open is not None:
            self._cancel(self._open)
        self._overdue_at = math.inf
        self.request = None

    def close(self) -> None:
        """Leave nothing running."""
        self.drop()
        if self._timer is not None:
            self._timer.cancel()

    @property
    def _asked(self) -> Request:
        assert self.request is not None  # noqa: S101 - there is no draft without a request
        return self.request

    def _first_request(self, side: Side) -> Request:
        negotiation = self._negotiation
        brand = side is Side.BRAND
        name = negotiation.brand_negotiator if brand else negotiation.supplier_negotiator
        return Request(side, name)

    @staticmethod
    def _view(conversation: Conversation, request: Request) -> BrandView | SupplierView:
        refusal = request.refused
        if refusal is None:
            return view_for(conversation, request.side)
        return view_for(conversation, request.side, refusal.reason, refusal.rule)

    def _cancel(self, open_draft: DraftId) -> None:
        cancel = CancelDraft(draft_id=open_draft)
        self._say(self._colleagues.agent(self._asked.side), cancel)
        self._open = None

    def _check_deadline(self) -> None:
        """One timer serves all drafts: most are answered long before it looks again."""
        self._timer = None
        left_s = self._overdue_at - self._loop.now()
        if left_s <= 0 and self._open is not None:
            self._overdue_at = math.inf
            self._say(self._owner, DraftOverdue(draft_id=self._open))
        elif left_s < math.inf:
            self._timer = self._loop.later(left_s, self._check_deadline)

    def _say(self, actor: Ref, mail: object) -> None:
        say(actor, mail, self._loop.events)
