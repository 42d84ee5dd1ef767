"""A negotiation with probes in place of everybody it writes to."""

from __future__ import annotations

from functools import partial
from typing import Any

import pykka
import pytest
from conftest import Heard
from factories import (
    as_saved,
    make_config,
    make_entry,
    make_intervention,
    make_negotiations,
    make_quote,
    make_supplier,
    make_terms,
)
from probe import Probe
from scene import COUNTER, OFFER, TALK, WALK, Scene, Stage, staged

from actors.drafting import Colleagues
from actors.mailbox import (
    BudgetSpent,
    CancelDraft,
    Continue,
    DraftFailed,
    DraftId,
    DraftMove,
    DraftOverdue,
    DraftQueued,
    Intervene,
    MoveDrafted,
    NegotiationEnded,
    NegotiationStill,
)
from actors.mechanism.conversation import Conversation
from actors.mechanism.moves import Draft
from actors.mechanism.ruling import Refused, Rule
from actors.mechanism.views import BrandView, SupplierView
from actors.runtime import ActorFailed, LoopThread, Restart
from actors.saves import (
    ContinuingSaved,
    EndingSaved,
    LoadFailed,
    LoadNegotiation,
    MessageSaved,
    NegotiationLoaded,
    ParkingSaved,
    SaveContinuing,
    SaveEnding,
    SaveFailed,
    SaveMessage,
    SaveParking,
    SaveRefusals,
)
from actors.supplier_negotiation import PARKED_BEFORE, RELOADS, SupplierNegotiation
from storage.errors import SequenceConflict, UnknownRecord
from storage.reader import Loaded
from storage.records import Message, Move, NegotiationStatus, Origin, Reason, Sender
from storage.rules import Budget


@pytest.fixture
def stage(loop: LoopThread) -> Stage:
    return partial(staged, loop)


@pytest.fixture
def scene(stage: Stage) -> Scene:
    return stage()


def failure(request: DraftMove, *, retryable: bool) -> DraftFailed:
    """A negotiator failed with something private."""
    return DraftFailed(
        draft_id=request.draft_id,
        error="KeyError: 'at most 47 days'",
        told="KeyError at own.py:7",
        retryable=retryable,
    )


def test_it_opens_by_asking_the_brands_agent(scene: Scene) -> None:
    request = scene.brand.next(DraftMove)

    assert isinstance(request.view, BrandView)
    assert request.view.messages == ()
    assert request.negotiator == "tactics"
    assert scene.supplier.is_silent
    assert scene.persistence.is_silent


def test_supplier_hears_an_offer_only_once_it_is_on_disk(scene: Scene) -> None:
    scene.drafts(scene.brand, OFFER)
    save = scene.persistence.next(SaveMessage)

    assert scene.supplier.is_silent

    scene.actor.tell(MessageSaved(message=as_saved(save.entry), ending=None, quote_completed=False))

    request = scene.supplier.next(DraftMove)
    assert isinstance(request.view, SupplierView)
    assert request.view.messages[-1].content == OFFER.text
    assert request.view.messages[-1].terms == OFFER.terms


def test_round_after_round_goes_from_side_to_side(scene: Scene) -> None:
    for seq in range(1, 8):
        agent = scene.brand if seq % 2 else scene.supplier
        offer = OFFER if seq % 2 else COUNTER
        assert scene.says(agent, offer).seq == seq


def test_an_accept_is_saved_with_its_ending_and_only_then_told(scene: Scene) -> None:
    scene.says(scene.brand, OFFER)
    scene.says(scene.supplier, COUNTER)
    scene.says(scene.brand, OFFER)
    scene.drafts(scene.supplier, Draft(Move.ACCEPT, "Agreed.", accepts_seq=3))
    save = scene.persistence.next(SaveMessage)

    assert save.ending is not None
    assert save.ending.status is NegotiationStatus.COMPLETED
    assert save.ending.agreed_terms == save.entry.terms == OFFER.terms
    assert scene.coordinator.is_silent

    scene.actor.tell(
        MessageSaved(message=as_saved(save.entry), ending=save.ending, quote_completed=True)
    )

    ended = scene.coordinator.next(NegotiationEnded)
    assert ended.quote_completed
    assert ended.negotiation_id == scene.loaded.negotiation.id
    assert scene.actor.actor_stopped.wait(10)


def test_walking_away_ends_it_in_impasse(scene: Scene) -> None:
    scene.drafts(scene.brand, WALK)

    save = scene.persistence.next(SaveMessage)

    assert save.ending is not None
    assert save.ending.reason is Reason.WALK_AWAY


def test_no_progress_ends_it_without_a_further_message(stage: Stage) -> None:
    scene = stage(no_progress_rounds=1)
    for _ in range(3):
        scene.says(scene.brand, OFFER)
        scene.says(scene.supplier, COUNTER)

    ending = scene.persistence.next(SaveEnding).ending
    assert ending.reason is Reason.NO_PROGRESS
    assert scene.coordinator.is_silent
    scene.actor.tell(EndingSaved(ending=ending, quote_completed=False))

    scene.coordinator.next(NegotiationEnded)


def test_a_refused_draft_goes_back_once_with_the_reason(scene: Scene, heard: Heard) -> None:
    first = scene.drafts(scene.brand, Draft(Move.OFFER, "Take it.", make_terms("8.01")))

    second = scene.brand.next(DraftMove)

    assert second.draft_id != first.draft_id
    assert second.view.refused is not None
    assert "widget.unit_price" in second.view.refused
    assert scene.persistence.is_silent
    assert [event.facts()["rule"] for event in heard.of("draft.refused")] == ["limit"]


def test_refused_twice_and_without_fallback_it_is_parked(scene: Scene) -> None:
    scene.drafts(scene.brand, "nonsense")
    scene.drafts(scene.brand, {"move": "Propose a trade with"})

    parking = scene.persistence.next(SaveParking)

    assert parking.error == "the brand's draft was refused twice: unreadable"
    assert scene.coordinator.is_silent
    scene.actor.tell(ParkingSaved(negotiation_id=parking.negotiation_id, error=parking.error))
    scene.coordinator.next(NegotiationStill)
    assert scene.brand.is_silent


def test_refused_twice_the_fallback_decides(scene: Scene, heard: Heard) -> None:
    scene.drafts(scene.brand, "nonsense", fallback="tactics")
    scene.drafts(scene.brand, "nonsense", fallback="tactics")

    request = scene.drafts(scene.brand, OFFER, origin=Origin.FALLBACK)

    assert request.negotiator == "tactics"
    assert request.is_fallback
    assert scene.persistence.next(SaveMessage).entry.origin is Origin.FALLBACK
    fallbacks = [event.facts().get("fallback") for event in heard.of("draft.refused")]
    assert fallbacks == [None, "tactics"]


def test_a_fallback_that_is_refused_twice_parks_it(scene: Scene) -> None:
    for _ in range(2):
        scene.drafts(scene.brand, "nonsense", fallback="tactics")
    for _ in range(2):
        scene.drafts(scene.brand, "nonsense", origin=Origin.FALLBACK)

    scene.persistence.next(SaveParking)


def test_after_a_good_message_a_refusal_counts_anew(scene: Scene) -> None:
    scene.drafts(scene.brand, "nonsense")
    scene.says(scene.brand, OFFER)
    scene.drafts(scene.supplier, "nonsense")

    assert scene.supplier.next(DraftMove).view.refused is not None


def test_an_accept_with_a_condition_is_saved_as_talk(scene: Scene, heard: Heard) -> None:
    scene.says(scene.brand, OFFER)
    words = "Agreed, provided that you pay the freight."
    scene.drafts(scene.supplier, Draft(Move.ACCEPT, words, accepts_seq=1))

    save = scene.persistence.next(SaveMessage)

    assert (save.entry.move, save.entry.terms, save.ending) == (Move.TALK, None, None)
    assert [event.facts()["rule"] for event in heard.of("accept.demoted")] == ["condition"]


def test_an_answer_with_another_draft_id_is_dropped_and_logged(scene: Scene, heard: Heard) -> None:
    scene.brand.next(DraftMove)
    stale = MoveDrafted(
        draft_id=DraftId("old"), proposal=OFFER, origin=Origin.SCRIPT, fallback=None
    )

    scene.actor.tell(stale)

    assert scene.persistence.is_silent
    assert [event.facts()["draft_id"] for event in heard.of("draft.stale")] == ["old"]


def test_a_second_answer_to_the_same_draft_is_dropped(scene: Scene) -> None:
    request = scene.drafts(scene.brand, OFFER)
    scene.actor.tell(
        MoveDrafted(draft_id=request.draft_id, proposal=TALK, origin=Origin.SCRIPT, fallback=None)
    )

    assert scene.persistence.next(SaveMessage).entry.content == OFFER.text
    assert scene.persistence.is_silent


def test_a_failed_draft_is_asked_for_again_and_then_parked(stage: Stage, heard: Heard) -> None:
    scene = stage(draft_retries=2, retry_pause_s=0)
    seen = set()
    for _ in range(3):
        request = scene.brand.until(DraftMove)
        seen.add(request.draft_id)
        scene.actor.tell(failure(request, retryable=True))

    parking = scene.persistence.next(SaveParking)

    assert parking.error.startswith("the brand's negotiator made no move: ")
    assert len(seen) == 3
    pauses = [event.facts().get("retry_in_s") for event in heard.of("draft.failed")]
    assert pauses == [0, 0, None]


def test_the_pause_before_a_retry_doubles(stage: Stage, heard: Heard) -> None:
    scene = stage(draft_retries=3, retry_pause_s=0.001)
    for _ in range(3):
        request = scene.brand.until(DraftMove)
        scene.actor.tell(failure(request, retryable=True))
    scene.brand.until(DraftMove)

    pauses = [event.facts()["retry_in_s"] for event in heard.of("draft.failed")]
    assert pauses == [0.001, 0.002, 0.004]


def test_the_log_tells_of_a_failure_what_it_may_and_the_database_all(
    scene: Scene, heard: Heard
) -> None:
    scene.actor.tell(failure(scene.brand.next(DraftMove), retryable=False))
    parking = scene.persistence.next(SaveParking)
    negotiation_id = scene.loaded.negotiation.id
    scene.actor.tell(ParkingSaved(negotiation_id=negotiation_id, error=parking.error))
    scene.coordinator.next(NegotiationStill)

    made_no_move = "the brand's negotiator made no move"
    assert parking.error == f"{made_no_move}: KeyError: 'at most 47 days'"
    told = [*heard.of("draft.failed"), *heard.of("negotiation.parked")]
    assert [event.facts()["error"] for event in told] == [
        *("KeyError at own.py:7", f"{made_no_move}: KeyError at own.py:7")
    ]


def test_of_one_that_was_parked_before_the_log_repeats_no_words(scene: Scene, heard: Heard) -> None:
    scene.actor.tell(Restart())
    scene.persistence.until(LoadNegotiation)
    parked = scene.loaded.negotiation.model_copy(update={"last_error": "at most 47 days"})
    scene.actor.tell(NegotiationLoaded(loaded=Loaded(scene.loaded.quote, parked, ())))
    scene.coordinator.next(NegotiationStill)

    assert [event.facts()["error"] for event in heard.of("negotiation.parked")] == [PARKED_BEFORE]


def test_what_can_not_be_retried_is_parked_at_once(scene: Scene) -> None:
    request = scene.brand.next(DraftMove)

    scene.actor.tell(failure(request, retryable=False))

    scene.persistence.next(SaveParking)


def test_an_agent_that_never_answers_is_overdue_after_twice_a_moves_time(stage: Stage) -> None:
    scene = stage(move_timeout_s=0.02, draft_retries=0)
    scene.brand.next(DraftMove)

    parking = scene.persistence.next(SaveParking)

    assert parking.error == "the brand's negotiator made no move: nothing heard for 0.04 s"
    scene.brand.next(CancelDraft)


def test_an_agent_that_is_overdue_is_asked_again(stage: Stage) -> None:
    scene = stage(move_timeout_s=0.02, draft_retries=1, retry_pause_s=0)

    first = scene.brand.next(DraftMove)
    assert scene.brand.until(DraftMove).draft_id != first.draft_id


def test_word_that_a_draft_queues_moves_its_deadline(stage: Stage) -> None:
    scene = stage(move_timeout_s=3600)
    request = scene.brand.next(DraftMove)
    drafting: Any = scene.actor.ask(_Look("_drafting"), timeout=10)
    before = drafting._overdue_at

    scene.actor.tell(DraftQueued(draft_id=request.draft_id))
    scene.actor.ask(_Look("_drafting"), timeout=10)

    assert drafting._overdue_at > before


def test_an_overdue_notice_of_another_draft_is_stale(scene: Scene) -> None:
    scene.brand.next(DraftMove)

    scene.actor.tell(DraftOverdue(draft_id=DraftId("old")))

    assert scene.persistence.is_silent


def test_limits_broken_at_commit_send_the_draft_back(scene: Scene) -> None:
    scene.drafts(scene.brand, OFFER)
    negotiation_id = scene.persistence.next(SaveMessage).entry.negotiation_id

    error = Refused(Rule.LIMIT, "beyond")
    scene.actor.tell(SaveFailed(negotiation_id=negotiation_id, error=error))

    assert scene.brand.next(DraftMove).view.refused == "beyond"


def test_a_save_refused_by_the_ledger_is_answered_by_loading_again(scene: Scene) -> None:
    scene.drafts(scene.brand, OFFER)
    negotiation_id = scene.persistence.next(SaveMessage).entry.negotiation_id
    error = SequenceConflict(negotiation_id, 1, 2)

    scene.actor.tell(SaveFailed(negotiation_id=negotiation_id, error=error))
    scene.persistence.next(LoadNegotiation)
    there = _offered(scene.loaded, "Already said.")
    loaded = Loaded(scene.loaded.quote, scene.loaded.negotiation, (there,))
    scene.actor.tell(NegotiationLoaded(loaded=loaded))

    view = scene.supplier.next(DraftMove).view
    assert [message.content for message in view.messages] == ["Already said."]


@pytest.mark.parametrize("status", ["completed", "impasse"])
def test_the_log_tells_of_an_ending_that_was_saved_while_it_failed(
    heard: Heard, scene: Scene, status: str
) -> None:
    # `heard` stands first: it must listen before the actor of `scene` begins
    scene.brand.next(DraftMove)
    scene.actor.tell(Restart())
    scene.persistence.until(LoadNegotiation)
    ended = scene.loaded.negotiation.model_copy(update={"status": NegotiationStatus(status)})
    scene.actor.tell(NegotiationLoaded(loaded=Loaded(scene.loaded.quote, ended, ())))

    scene.coordinator.until(NegotiationEnded)

    assert [event.facts()["message_count"] for event in heard.of("negotiation.taken_up")] == [0]
    assert [event.facts()["status"] for event in heard.of("negotiation.ended")] == [status]


def test_a_ledger_that_keeps_refusing_parks_it(scene: Scene, heard: Heard) -> None:
    negotiation_id = scene.loaded.negotiation.id
    for _ in range(RELOADS + 1):
        scene.drafts(scene.brand, OFFER)
        scene.persistence.until(SaveMessage)
        error = SequenceConflict(negotiation_id, 1, 2)
        scene.actor.tell(SaveFailed(negotiation_id=negotiation_id, error=error))
        scene.actor.tell(NegotiationLoaded(loaded=scene.loaded))

    parking = scene.persistence.until(SaveParking)
    assert "the ledger refuses" in parking.error
    scene.actor.tell(ParkingSaved(negotiation_id=negotiation_id, error=parking.error))
    scene.coordinator.next(NegotiationStill)
    assert len(heard.of("save.refused")) == RELOADS + 1
    assert [event.facts()["error"] for event in heard.of("negotiation.parked")] == [parking.error]


def test_after_a_message_was_saved_the_ledger_may_refuse_as_often_again(scene: Scene) -> None:
    negotiation_id = scene.loaded.negotiation.id
    for seq in range(1, RELOADS + 2):
        scene.drafts(scene.brand, OFFER)
        scene.persistence.next(SaveMessage)
        error = SequenceConflict(negotiation_id, seq, 9)
        scene.actor.tell(SaveFailed(negotiation_id=negotiation_id, error=error))
        scene.persistence.next(LoadNegotiation)
        scene.actor.tell(NegotiationLoaded(loaded=scene.loaded))
        scene.says(scene.brand, OFFER)
        scene.actor.tell(Restart())
        scene.persistence.next(LoadNegotiation)
        scene.actor.tell(NegotiationLoaded(loaded=scene.loaded))


def test_a_bug_is_told_to_the_supervisor_and_restart_loads_from_disk(scene: Scene) -> None:
    request = scene.brand.next(DraftMove)
    scene.actor.tell("mail that nobody may send")
    assert isinstance(scene.supervisor.next(ActorFailed).error, AssertionError)

    scene.actor.tell(Restart())
    scene.persistence.next(LoadNegotiation)
    late = MoveDrafted(
        draft_id=request.draft_id, proposal=OFFER, origin=Origin.SCRIPT, fallback=None
    )
    scene.actor.tell(late)
    assert scene.persistence.is_silent
    scene.actor.tell(NegotiationLoaded(loaded=scene.loaded))

    scene.brand.next(CancelDraft)
    assert scene.brand.next(DraftMove).draft_id != request.draft_id


def test_a_receipt_that_comes_while_it_loads_is_not_folded_in_twice(scene: Scene) -> None:
    scene.drafts(scene.brand, OFFER)
    save = scene.persistence.next(SaveMessage)
    message = as_saved(save.entry)
    scene.actor.tell("mail that nobody may send")
    scene.supervisor.next(ActorFailed)
    scene.actor.tell(Restart())
    scene.persistence.next(LoadNegotiation)

    scene.actor.tell(MessageSaved(message=message, ending=None, quote_completed=False))
    loaded = Loaded(scene.loaded.quote, scene.loaded.negotiation, (message,))
    scene.actor.tell(NegotiationLoaded(loaded=loaded))

    assert len(scene.supplier.next(DraftMove).view.messages) == 1


def test_it_goes_on_from_what_is_on_disk(stage: Stage) -> None:
    scene = stage(_offered(stage().loaded, "Said before."))

    assert scene.supplier.next(DraftMove).view.messages[0].content == "Said before."
    assert scene.brand.is_silent


def test_one_that_had_ended_says_so_and_stops(stage: Stage, heard: Heard) -> None:
    scene = stage(status="impasse")

    scene.coordinator.next(NegotiationEnded)

    assert heard == []  # it is no news
    assert scene.actor.actor_stopped.wait(10)
    assert scene.brand.is_silent


def test_when_it_stops_its_open_draft_is_cancelled(scene: Scene) -> None:
    request = scene.brand.next(DraftMove)

    scene.actor.stop(timeout=10)

    assert scene.brand.next(CancelDraft).draft_id == request.draft_id


def test_the_event_of_a_message_has_no_content_and_no_limit(scene: Scene, heard: Heard) -> None:
    scene.says(scene.brand, OFFER)
    scene.supplier.next(DraftMove)

    facts = heard.of("message.saved")[0].facts()

    assert facts["total"] == "600.00"
    assert OFFER.text not in str(facts)
    assert "8.00" not in str(facts)


class _Look:
    """Asks for an attribute; handled by Pykka itself, so no handler of ours sees it."""

    def __new__(cls, name: str) -> Any:
        return pykka.messages.ProxyGetAttr(attr_path=(name,))


def _offered(loaded: Loaded, content: str) -> Message:
    conversation = Conversation.opened(loaded.quote, loaded.negotiation)
    terms = make_terms("6.10")
    entry = make_entry(conversation, Sender.BRAND, Move.OFFER, terms=terms, content=content)
    return as_saved(entry)


def test_one_that_can_not_be_loaded_again_leaves_it_to_the_coordinator(scene: Scene) -> None:
    scene.actor.tell(Restart())
    scene.persistence.next(LoadNegotiation)
    error = UnknownRecord("negotiation", scene.loaded.negotiation.id)

    scene.actor.tell(LoadFailed(negotiation_id=scene.loaded.negotiation.id, error=error))

    assert scene.coordinator.next(LoadFailed).error is error
    assert scene.actor.actor_stopped.wait(10)


def test_one_that_was_parked_stays_parked_after_a_restart(scene: Scene) -> None:
    scene.brand.next(DraftMove)
    scene.actor.tell(Restart())
    scene.persistence.next(LoadNegotiation)
    parked = scene.loaded.negotiation.model_copy(update={"last_error": "tired"})

    scene.actor.tell(NegotiationLoaded(loaded=Loaded(scene.loaded.quote, parked, ())))

    scene.coordinator.next(NegotiationStill)
    scene.brand.next(CancelDraft)
    assert scene.brand.is_silent


def test_what_can_not_even_begin_is_its_own_failure(loop: LoopThread) -> None:
    config = make_config()
    quote = make_quote(config)
    negotiation = make_negotiations(quote, config)[0]
    unpriced = make_config([make_supplier(product="Gadget")]).suppliers[0]
    broken = negotiation.model_copy(update={"supplier": unpriced})
    probes = [Probe(loop) for _ in range(5)]
    colleagues = Colleagues(*(probe.ref for probe in probes[:4]))

    actor = SupplierNegotiation.start(
        Loaded(quote, broken, ()), colleagues, loop=loop, supervisor=probes[4].ref
    )

    assert isinstance(probes[4].next(ActorFailed).error, KeyError)
    actor.tell(Restart())
    assert probes[2].next(LoadNegotiation).negotiation_id == negotiation.id


@pytest.mark.parametrize("mail", [Intervene, Continue])
def test_what_comes_behind_the_end_is_refused(scene: Scene, mail: Any) -> None:
    late = make_intervention(scene.loaded.negotiation.id)
    scene.drafts(scene.brand, Draft(Move.WALK_AWAY, "Goodbye."))
    closing = scene.persistence.next(SaveMessage)
    scene.actor.tell(mail(intervention=late))  # while it is being saved
    scene.actor.tell(
        MessageSaved(message=as_saved(closing.entry), ending=closing.ending, quote_completed=False)
    )

    refusals = scene.persistence.next(SaveRefusals)

    assert refusals.refused == ((late.id, "the negotiation has ended"),)
    assert scene.coordinator.next(NegotiationEnded)


def test_the_continue_for_which_it_was_loaded_is_granted_and_the_next_refused(
    loop: LoopThread, stage: Stage
) -> None:
    loaded = stage().loaded
    probes = [Probe(loop) for _ in range(5)]
    colleagues = Colleagues(*(probe.ref for probe in probes[:4]))
    actor = SupplierNegotiation.start(
        loaded, colleagues, taken_up=True, loop=loop, supervisor=probes[4].ref
    )
    first, second = (make_intervention(loaded.negotiation.id, n, action="continue") for n in (1, 2))

    actor.tell(Continue(intervention=first))
    assert probes[2].next(SaveContinuing).intervention_id == first.id
    actor.tell(ContinuingSaved(settled=()))
    actor.tell(Continue(intervention=second))

    assert probes[2].next(SaveRefusals).refused == ((second.id, "it moves by itself"),)


# Models


def spends(scene: Scene, agent: Probe) -> DraftMove:
    """Have an agent say that the budget allows no further call."""
    request = agent.until(DraftMove)
    scene.actor.tell(BudgetSpent(draft_id=request.draft_id))
    return request


@pytest.mark.parametrize("messages", [0, 1, 2])
def test_when_the_budget_is_spent_it_ends_without_a_further_message(
    scene: Scene, messages: int
) -> None:
    agents = [scene.brand, scene.supplier, scene.brand]
    for agent, draft in zip(agents[:messages], (OFFER, COUNTER), strict=False):
        scene.says(agent, draft)

    request = spends(scene, agents[messages])

    save = scene.ends()
    assert (save.ending.status, save.ending.reason) == (NegotiationStatus.IMPASSE, Reason.BUDGET)
    assert save.ending.agreed_terms is None
    assert agents[messages].next(CancelDraft).draft_id == request.draft_id
    scene.coordinator.next(NegotiationEnded)
    assert scene.persistence.is_silent
    assert scene.actor.actor_stopped.wait(10)


def test_a_spent_budget_is_not_retried_and_no_fallback_decides(stage: Stage) -> None:
    scene = stage(draft_retries=20)
    scene.drafts(scene.brand, "nonsense", fallback="tactics")

    spends(scene, scene.brand)

    assert scene.persistence.next(SaveEnding).ending.reason is Reason.BUDGET
    assert not any(isinstance(mail, DraftMove) for mail in scene.brand.all())


def test_with_guidance_waiting_the_brand_is_asked_before_it_ends_for_its_budget(
    scene: Scene,
) -> None:
    scene.says(scene.brand, OFFER)
    request = scene.supplier.next(DraftMove)
    one = scene.intervenes()  # plain text waits for the supplier's answer

    scene.actor.tell(BudgetSpent(draft_id=request.draft_id))

    assert scene.guides().taken == (one,)
    asked = scene.brand.until(DraftMove)
    assert isinstance(asked.view, BrandView)
    assert asked.view.messages[-1].content == one.wording
    scene.actor.tell(BudgetSpent(draft_id=asked.draft_id))
    assert scene.ends().ending.reason is Reason.BUDGET


def test_word_of_a_spent_budget_for_another_draft_is_dropped(scene: Scene, heard: Heard) -> None:
    request = scene.brand.next(DraftMove)

    scene.actor.tell(BudgetSpent(draft_id=DraftId("old")))

    assert scene.persistence.is_silent
    assert [event.facts()["draft_id"] for event in heard.of("draft.stale")] == ["old"]
    scene.actor.tell(
        MoveDrafted(draft_id=request.draft_id, proposal=OFFER, origin=Origin.SCRIPT, fallback=None)
    )
    assert scene.saves().content == OFFER.text
    scene.actor.tell(BudgetSpent(draft_id=request.draft_id))
    assert scene.persistence.is_silent


def test_where_the_rules_say_so_it_is_parked_where_tactics_would_have_gone_on(
    stage: Stage, heard: Heard
) -> None:
    scene = stage(fallback="park")
    for _ in range(2):
        scene.drafts(scene.brand, "nonsense", fallback="tactics", origin=Origin.MISTRAL)

    assert scene.parks() == "the brand's draft was refused twice: unreadable"
    scene.coordinator.next(NegotiationStill)
    assert [event.facts().get("fallback") for event in heard.of("draft.refused")] == [None] * 2
    assert not any(isinstance(mail, DraftMove) for mail in scene.brand.all())


def test_an_agent_is_told_the_budget_and_on_whose_account_its_calls_go(stage: Stage) -> None:
    scene = stage(budget={"calls": 7, "quote_tokens": 9})

    request = scene.brand.next(DraftMove)

    negotiation = scene.loaded.negotiation
    assert (request.quote_id, request.negotiation_id) == (negotiation.quote_id, negotiation.id)
    assert request.budget == Budget(calls=7, quote_tokens=9)
