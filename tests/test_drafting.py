"""Drafting: at most one draft is open, and whatever is over is told to its agent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from factories import make_config, make_conversation, make_terms, said
from probe import PATIENCE_S, Probe

from actors.drafting import LONGEST_RETRY_PAUSE_S, Colleagues, Drafting, Request
from actors.mailbox import CancelDraft, DraftMove, DraftOverdue, RetryDraft
from actors.mechanism.conversation import Conversation
from actors.mechanism.ruling import Refusal, Rule
from actors.mechanism.views import BrandView, SupplierView
from actors.runtime import LoopActor, LoopThread
from storage.records import Move, Sender
from storage.terms.kind import Side


class Desk(LoopActor):
    """Does on the loop what a test wants done."""

    def on_receive(self, work: Callable[[], Any]) -> Any:
        return work()


class Scene:
    """A Drafting with probes for the agents and for its owner."""

    def __init__(self, loop: LoopThread, **rules: Any) -> None:
        self._desk = Desk.start(loop=loop)
        self.conversation: Conversation = make_conversation(make_config(**rules))
        self.brand, self.supplier, self.owner = (Probe(loop) for _ in range(3))
        others = Probe(loop).ref
        colleagues = Colleagues(self.brand.ref, self.supplier.ref, others, others)
        negotiation = self.conversation.negotiation
        self.drafting = Drafting(negotiation, colleagues, self.owner.ref, loop)

    def do(self, work: Callable[[], Any]) -> Any:
        return self._desk.ask(work, timeout=PATIENCE_S)

    def ask(self, request: Request | None = None) -> None:
        self.do(lambda: self.drafting.ask(self.conversation, request))


@pytest.fixture
def scene(loop: LoopThread) -> Scene:
    return Scene(loop)


def test_nobody_is_asked_at_first(scene: Scene) -> None:
    assert (scene.drafting.request, scene.drafting.side) == (None, None)
    scene.do(scene.drafting.drop)

    assert scene.brand.is_silent


def test_who_is_next_is_asked_with_a_view_of_its_own(scene: Scene) -> None:
    scene.ask()
    opening = scene.brand.next(DraftMove)
    scene.conversation = said(
        scene.conversation, Sender.BRAND, Move.OFFER, terms=make_terms("6.00")
    )
    scene.ask()

    answer = scene.supplier.next(DraftMove)
    assert isinstance(opening.view, BrandView)
    assert isinstance(answer.view, SupplierView)
    assert (opening.negotiator, opening.is_fallback, opening.timeout_s) == ("tactics", False, 60.0)
    assert answer.reply_to.actor_urn == scene.owner.ref.actor_urn
    assert scene.drafting.side is Side.SUPPLIER


def test_a_new_draft_has_a_new_id_and_cancels_the_one_before(scene: Scene) -> None:
    scene.ask()
    first = scene.brand.next(DraftMove).draft_id
    scene.ask()

    assert scene.brand.next(CancelDraft).draft_id == first
    second = scene.brand.next(DraftMove).draft_id
    assert scene.drafting.is_open(second)
    assert not scene.drafting.is_open(first)


def test_what_was_answered_is_not_cancelled(scene: Scene) -> None:
    scene.ask()
    draft_id = scene.brand.next(DraftMove).draft_id

    assert scene.do(scene.drafting.answered) == Request(Side.BRAND, "tactics")
    assert not scene.drafting.is_open(draft_id)
    scene.do(scene.drafting.drop)

    assert scene.brand.is_silent
    assert scene.drafting.side is None


def test_a_request_says_why_the_draft_before_was_sent_back(scene: Scene) -> None:
    refused = Refusal(Rule.LIMIT, "beyond")
    request = Request(Side.BRAND, "other", is_fallback=True, refused=refused)
    scene.ask(request)
    scene.do(lambda: scene.drafting.again(scene.conversation))

    first = scene.brand.next(DraftMove)
    scene.brand.next(CancelDraft)
    second = scene.brand.next(DraftMove)
    for mail in (first, second):
        assert (mail.view.refused, mail.negotiator, mail.is_fallback) == ("beyond", "other", True)


def test_a_retry_is_told_after_its_pause_and_the_pauses_double_to_a_bound(
    loop: LoopThread,
) -> None:
    scene = Scene(loop, draft_retries=20, retry_pause_s=1)
    scene.ask()
    pauses = []
    for _ in range(8):
        pauses.append(scene.do(lambda: scene.drafting.retry_in_s(retryable=True)))
        scene.do(lambda: scene.drafting.retry(0))
        scene.owner.next(RetryDraft)

    assert pauses == [1, 2, 4, 8, 16, 32, LONGEST_RETRY_PAUSE_S, LONGEST_RETRY_PAUSE_S]


def test_a_retry_ends_with_the_retries_and_where_it_can_not_help(loop: LoopThread) -> None:
    scene = Scene(loop, draft_retries=1, retry_pause_s=0)
    scene.ask()

    assert scene.do(lambda: scene.drafting.retry_in_s(retryable=False)) is None
    assert scene.do(lambda: scene.drafting.retry_in_s(retryable=True)) == 0
    scene.do(lambda: scene.drafting.retry(0))
    assert scene.do(lambda: scene.drafting.retry_in_s(retryable=True)) is None


def test_a_draft_that_nobody_answers_is_overdue_after_twice_its_time(loop: LoopThread) -> None:
    scene = Scene(loop, move_timeout_s=0.01)
    assert scene.drafting.patience_s == 0.02
    scene.ask()

    overdue = scene.owner.next(DraftOverdue)

    assert overdue.draft_id == scene.brand.next(DraftMove).draft_id


def test_what_is_closed_is_cancelled_and_never_overdue(loop: LoopThread) -> None:
    scene = Scene(loop, move_timeout_s=0.01)
    scene.ask()
    scene.do(scene.drafting.close)
    scene.brand.next(DraftMove)
    scene.brand.next(CancelDraft)
    waited: Probe = Probe(loop)
    scene.do(lambda: loop.later(0.03, lambda: waited.ref.tell("it is later")))
    waited.next(str)

    assert scene.owner.is_silent
