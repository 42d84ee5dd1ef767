"""Rules 12 to 14 at each instant of a negotiation, with probes in place of everybody else."""

from __future__ import annotations

from functools import partial
from typing import Any

import pykka
import pytest
from conftest import Heard
from factories import as_saved, make_intervention, make_terms
from scene import (
    COUNTER,
    OFFER,
    TALK,
    Scene,
    Stage,
    again,
    owed,
    settled,
    staged,
    user_message,
)

from actors.mailbox import (
    CallUndelivered,
    Cancel,
    CancelDraft,
    Continue,
    DraftFailed,
    DraftMove,
    Intervene,
    MoveDrafted,
    NegotiationEnded,
    NegotiationStill,
)
from actors.mechanism.guidance import ACCEPT_WORDS, FAREWELL_WORDS, TOOK_ITS_PLACE
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
    RefusalsSaved,
    SaveContinuing,
    SaveEnding,
    SaveFailed,
    SaveGuidance,
    SaveMessage,
    SaveParking,
    SaveRefusals,
)
from actors.steering import HAS_ENDED, MOVES_BY_ITSELF
from storage.errors import SequenceConflict
from storage.records import Move, NegotiationStatus, Origin, Reason, Sender

LIMITS = {"unit_price": "7.00"}
PRIORITIES = {"quality": 10, "cost": 10, "lead_time": 70, "payment_terms": 10}


@pytest.fixture
def stage(loop: LoopThread) -> Stage:
    return partial(staged, loop)


@pytest.fixture
def scene(stage: Stage) -> Scene:
    return stage()


@pytest.fixture
def answering(scene: Scene) -> Scene:
    """The brand has offered, and the supplier drafts its answer."""
    scene.says(scene.brand, OFFER)
    scene.supplier.next(DraftMove)
    return scene


@pytest.fixture
def answered(scene: Scene) -> Scene:
    """Both have offered, and the brand drafts its answer."""
    scene.says(scene.brand, OFFER)
    scene.says(scene.supplier, COUNTER)
    scene.brand.until(DraftMove)
    return scene


def ids(save: SaveGuidance) -> list[str]:
    return [one.id for one in save.taken]


def settles(scene: Scene) -> MessageSaved:
    """The receipt of the save that Persistence has been sent."""
    save = scene.persistence.next(SaveMessage)
    return MessageSaved(message=as_saved(save.entry), ending=save.ending, quote_completed=False)


def still(scene: Scene) -> int:
    return scene.coordinator.next(NegotiationStill).heard


# While the brand drafts


@pytest.mark.parametrize(
    "content", [{"text": "Push."}, {"limits": LIMITS}, {"priorities": PRIORITIES}]
)
def test_while_the_brand_drafts_its_draft_is_dropped_and_made_anew(
    answered: Scene, content: dict[str, Any], heard: Heard
) -> None:
    one = answered.intervenes(**content)

    answered.brand.next(CancelDraft)
    assert answered.brand.is_silent
    save = answered.guides()
    assert (ids(save), save.first_seq) == ([one.id], 3)
    view = answered.drafts(answered.brand, TALK).view
    assert isinstance(view, BrandView)
    assert (view.messages[-1].sender, view.messages[-1].content) == (Sender.USER, one.wording)
    answer = answered.persistence.next(SaveMessage)
    assert (answer.answers, answer.entry.seq, answer.ending) == ((one.id,), 4, None)
    assert heard.of("intervention.received")[0].facts()["during"] == "drafting brand"


def test_before_the_opening_it_is_message_1_and_the_brand_opens_with_message_2(
    scene: Scene,
) -> None:
    scene.brand.next(DraftMove)
    scene.intervenes()

    assert scene.guides().first_seq == 1
    scene.brand.next(CancelDraft)
    assert scene.says(scene.brand, OFFER).seq == 2
    view = scene.supplier.next(DraftMove).view
    assert [message.seq for message in view.messages] == [2]


def test_a_changed_limit_is_the_mandate_of_the_brands_very_next_view(answered: Scene) -> None:
    answered.intervenes(limits={"unit_price": "4.00"})

    save = answered.guides()

    answered.brand.next(CancelDraft)
    view = answered.brand.next(DraftMove).view
    assert isinstance(view, BrandView)
    assert view.mandate == save.mandate
    assert [str(price.limit) for price in view.mandate.prices.values()] == ["4.00"]
    assert view.own_offer is None
    assert Move.TALK not in view.legal_moves


def test_priorities_weigh_in_the_brands_very_next_view(answered: Scene) -> None:
    answered.intervenes(priorities=PRIORITIES)

    answered.guides()

    view = answered.drafts(answered.brand, TALK).view
    assert isinstance(view, BrandView)
    assert view.priorities.lead_time == 70


def test_after_its_answer_the_brand_owes_nothing_more(answered: Scene) -> None:
    answered.intervenes()
    answered.guides()
    answered.says(answered.brand, OFFER)
    answered.says(answered.supplier, COUNTER)
    answered.drafts(answered.brand, OFFER)

    assert answered.persistence.next(SaveMessage).answers == ()


def test_a_brand_message_after_an_intervention_uses_up_no_round(answered: Scene) -> None:
    answered.intervenes()
    answered.guides()

    assert answered.drafts(answered.brand, TALK).view.rounds == 1
    answered.saves()
    view = answered.supplier.next(DraftMove).view
    assert isinstance(view, SupplierView)
    assert view.rounds == 1
    assert Sender.USER not in {message.sender for message in view.messages}


def test_what_comes_before_the_brand_has_answered_shares_its_answer(answered: Scene) -> None:
    first = answered.intervenes(1)
    answered.guides()
    answered.brand.next(CancelDraft)
    answered.brand.next(DraftMove)
    second = answered.intervenes(2, priorities=PRIORITIES)
    assert answered.guides().first_seq == 4

    answered.drafts(answered.brand, OFFER)

    assert answered.persistence.next(SaveMessage).answers == (first.id, second.id)


def test_what_was_answered_is_not_answered_again_by_the_next_answer(answered: Scene) -> None:
    answered.intervenes(1)
    answered.guides()
    answered.says(answered.brand, OFFER)
    answered.intervenes(2, limits=LIMITS)
    answered.guides()
    answered.drafts(answered.brand, OFFER)

    assert answered.persistence.next(SaveMessage).answers == ("i-2",)


# While the supplier drafts


@pytest.mark.parametrize("content", [{"text": "Push."}, {"priorities": PRIORITIES}])
def test_while_the_supplier_drafts_text_and_priorities_wait_for_its_answer(
    answering: Scene, content: dict[str, Any], heard: Heard
) -> None:
    answering.intervenes(**content)
    assert answering.persistence.is_silent
    assert answering.supplier.is_silent

    # the supplier's draft is still the open one
    answering.intervenes(2, **content)
    assert answering.supplier.is_silent
    assert heard.of("intervention.received")[0].facts()["during"] == "drafting supplier"


def test_text_that_waited_comes_right_after_the_suppliers_message(scene: Scene) -> None:
    scene.says(scene.brand, OFFER)
    request = scene.supplier.next(DraftMove)
    one = scene.intervenes()
    scene.actor.tell(_answer(request, COUNTER))
    assert scene.saves().seq == 2

    save = scene.guides()

    assert (ids(save), save.first_seq) == ([one.id], 3)
    assert scene.says(scene.brand, OFFER).seq == 4


@pytest.mark.parametrize(
    "content", [{"limits": LIMITS}, {"text": "Push.", "limits": LIMITS}, {"action": "walk_away"}]
)
def test_limits_and_actions_drop_the_suppliers_draft(
    answering: Scene, content: dict[str, Any]
) -> None:
    one = answering.intervenes(**content)

    answering.supplier.next(CancelDraft)
    assert ids(answering.guides()) == [one.id]
    assert answering.supplier.is_silent


def test_what_waited_goes_along_with_what_can_not_wait_and_shares_one_answer(
    answering: Scene,
) -> None:
    text = answering.intervenes(1)
    limits = answering.intervenes(2, limits=LIMITS)

    assert ids(answering.guides()) == [text.id, limits.id]

    answering.drafts(answering.brand, OFFER)
    save = answering.persistence.next(SaveMessage)
    assert (save.answers, save.entry.seq) == ((text.id, limits.id), 4)


def test_an_answer_to_the_draft_that_was_dropped_is_stale(scene: Scene, heard: Heard) -> None:
    scene.says(scene.brand, OFFER)
    request = scene.supplier.next(DraftMove)
    scene.intervenes(limits=LIMITS)
    scene.guides()

    scene.actor.tell(_answer(request, COUNTER))

    assert scene.persistence.is_silent
    assert len(heard.of("draft.stale")) == 1


def test_if_the_suppliers_draft_fails_for_good_the_brand_speaks(scene: Scene) -> None:
    scene.says(scene.brand, OFFER)
    request = scene.supplier.next(DraftMove)
    scene.intervenes()
    failed = DraftFailed(draft_id=request.draft_id, error="gone", told="gone", retryable=False)
    scene.actor.tell(failed)

    assert scene.guides().first_seq == 2

    assert scene.says(scene.brand, OFFER).seq == 3


def test_what_has_a_mistake_is_refused_and_disturbs_nobody(answering: Scene) -> None:
    one = answering.intervenes(limits={"colour": "red"})

    assert "no such limit" in answering.refuses()[one.id]
    assert answering.supplier.is_silent
    assert answering.persistence.is_silent


def test_what_is_refused_while_text_waits_leaves_it_waiting(answering: Scene) -> None:
    text = answering.intervenes(1)
    answering.intervenes(2, action="accept", accepts_seq=9)
    assert list(answering.refuses()) == ["i-2"]
    assert answering.persistence.is_silent

    answering.intervenes(3, limits=LIMITS)

    assert ids(answering.guides()) == [text.id, "i-3"]


# While a save is in flight


def test_while_a_save_is_in_flight_nothing_is_decided_and_then_it_goes_first(
    scene: Scene, heard: Heard
) -> None:
    scene.drafts(scene.brand, OFFER)
    receipt = settles(scene)
    one = scene.intervenes()
    assert scene.persistence.is_silent

    scene.actor.tell(receipt)

    save = scene.guides()
    assert (ids(save), save.first_seq) == ([one.id], 2)
    assert scene.supplier.is_silent
    assert scene.says(scene.brand, OFFER).seq == 3
    assert heard.of("intervention.received")[0].facts()["during"] == "saving"


def test_what_is_refused_after_a_save_leaves_the_next_side_its_turn(scene: Scene) -> None:
    scene.drafts(scene.brand, OFFER)
    receipt = settles(scene)
    scene.intervenes(limits={"colour": 1})
    scene.actor.tell(receipt)

    assert list(scene.refuses()) == ["i-1"]

    scene.supplier.next(DraftMove)


def test_after_a_closing_message_nothing_more_is_said(answered: Scene, heard: Heard) -> None:
    answered.intervenes(1, action="walk_away")
    answered.guides()
    receipt = settles(answered)
    answered.intervenes(2, text="Wait!")
    answered.cancels()
    answered.continues()

    answered.actor.tell(receipt)

    answered.coordinator.next(NegotiationEnded)
    assert answered.actor.actor_stopped.wait(10)
    # the ending has refused its row already, unless another program wrote it behind that
    assert answered.persistence.next(SaveRefusals).refused == (("i-2", HAS_ENDED),)
    assert answered.persistence.is_silent
    assert heard.of("intervention.received")[1].facts()["during"] == "closing"


def test_while_guidance_is_saved_more_of_it_waits(answered: Scene) -> None:
    answered.intervenes(1)
    answered.intervenes(2)
    assert ids(answered.guides()) == ["i-1"]
    assert ids(answered.guides()) == ["i-2"]

    answered.brand.next(CancelDraft)
    answered.drafts(answered.brand, OFFER)

    assert answered.persistence.next(SaveMessage).answers == ("i-1", "i-2")


def test_an_action_that_is_saved_leaves_nothing_to_guide(answered: Scene) -> None:
    answered.intervenes(1, action="walk_away")
    answered.intervenes(2, limits=LIMITS)
    answered.guides()

    save = answered.persistence.next(SaveMessage)

    assert (save.entry.move, save.answers) == (Move.WALK_AWAY, ("i-1",))


def test_if_the_limits_refuse_the_save_what_came_meanwhile_goes_first(scene: Scene) -> None:
    scene.says(scene.brand, OFFER)
    scene.drafts(scene.supplier, COUNTER)
    entry = scene.persistence.next(SaveMessage).entry
    scene.intervenes()
    error = Refused(Rule.LIMIT, "beyond")

    scene.actor.tell(SaveFailed(negotiation_id=entry.negotiation_id, error=error))

    assert scene.guides().first_seq == 2
    assert scene.supplier.is_silent


def test_if_the_limits_refuse_the_save_a_cancel_that_came_meanwhile_goes_first(
    scene: Scene,
) -> None:
    scene.drafts(scene.brand, OFFER)
    entry = scene.persistence.next(SaveMessage).entry
    scene.cancels()
    error = Refused(Rule.LIMIT, "beyond")

    scene.actor.tell(SaveFailed(negotiation_id=entry.negotiation_id, error=error))

    assert scene.persistence.next(SaveEnding).ending.reason is Reason.CANCELLED


def test_if_the_ledger_refuses_guidance_it_is_taken_up_from_disk_once(scene: Scene) -> None:
    one = scene.intervenes()
    scene.persistence.next(SaveGuidance)
    error = SequenceConflict("n-1", 1, 2)
    scene.actor.tell(SaveFailed(negotiation_id=scene.loaded.negotiation.id, error=error))
    scene.persistence.next(LoadNegotiation)

    scene.actor.tell(NegotiationLoaded(loaded=again(scene.loaded, interventions=(one,))))
    scene.actor.tell(Intervene(intervention=one))

    assert ids(scene.guides()) == [one.id]
    assert scene.persistence.is_silent


# Actions


def test_a_person_accepts_in_fixed_words_and_no_negotiator_is_asked(scene: Scene) -> None:
    scene.says(scene.brand, OFFER)
    scene.says(scene.supplier, Draft(Move.OFFER, "Ours.", make_terms("7.50")))
    scene.brand.next(DraftMove)
    one = scene.intervenes(action="accept", accepts_seq=2)
    scene.guides()

    save = scene.persistence.next(SaveMessage)

    entry = save.entry
    assert (entry.seq, entry.move, entry.accepts_seq) == (4, Move.ACCEPT, 2)
    assert (entry.content, entry.origin, entry.sender) == (
        *(ACCEPT_WORDS, Origin.PERSON, Sender.BRAND),
    )
    assert save.ending is not None
    assert save.ending.agreed_terms == make_terms("7.50")
    assert save.answers == (one.id,)
    scene.brand.next(CancelDraft)
    assert scene.brand.is_silent


def test_a_person_walks_away_and_has_ended_it(answering: Scene) -> None:
    answering.intervenes(action="walk_away")
    answering.guides()

    save = answering.persistence.next(SaveMessage)

    assert (save.entry.content, save.entry.origin) == (FAREWELL_WORDS, Origin.PERSON)
    assert save.ending is not None
    assert (save.ending.status, save.ending.reason) == (
        *(NegotiationStatus.IMPASSE, Reason.USER_ENDED),
    )


def test_an_action_that_the_limits_refuse_at_the_commit_is_taken_up_from_disk(
    answering: Scene,
) -> None:
    answering.intervenes(action="walk_away")
    answering.guides()
    negotiation_id = answering.persistence.next(SaveMessage).entry.negotiation_id
    error = Refused(Rule.LIMIT, "beyond")

    answering.actor.tell(SaveFailed(negotiation_id=negotiation_id, error=error))

    answering.persistence.next(LoadNegotiation)


def test_of_several_actions_the_newest_wins_and_the_older_ones_are_refused(scene: Scene) -> None:
    scene.drafts(scene.brand, OFFER)
    receipt = settles(scene)
    scene.intervenes(1, action="accept", accepts_seq=1)
    scene.intervenes(2, action="walk_away")
    scene.actor.tell(receipt)

    assert scene.refuses() == {"i-1": TOOK_ITS_PLACE}
    assert ids(scene.guides()) == ["i-2"]
    assert scene.persistence.next(SaveMessage).entry.move is Move.WALK_AWAY


def test_an_accept_of_what_does_not_stand_is_refused_and_the_draft_goes_on(
    answered: Scene,
) -> None:
    answered.intervenes(action="accept", accepts_seq=1)

    assert "does not stand" in answered.refuses()["i-1"]
    assert answered.brand.is_silent
    assert answered.persistence.is_silent


def test_an_action_whose_fixed_words_can_not_be_said_is_refused_and_the_brand_speaks(
    stage: Stage,
) -> None:
    scene = stage(rival="Time")
    scene.brand.next(DraftMove)
    one = scene.intervenes(action="walk_away")
    scene.guides()

    assert "another supplier" in scene.refuses()[one.id]

    scene.brand.next(CancelDraft)
    scene.drafts(scene.brand, OFFER)
    assert scene.persistence.next(SaveMessage).answers == ()


def test_an_action_that_can_not_be_done_leaves_what_came_with_it_owed(stage: Stage) -> None:
    rows = [owed(1, 1), owed(2, 2, action="walk_away")]
    loaded = stage().loaded
    said = [user_message(loaded, one, one.message_seq or 0) for one in rows]
    scene = stage(*said, interventions=rows, rival="Time")

    assert list(scene.refuses()) == ["i-2"]

    scene.drafts(scene.brand, OFFER)
    assert scene.persistence.next(SaveMessage).answers == ("i-1",)


# From disk


def test_what_is_still_received_on_disk_is_taken_when_it_is_loaded(stage: Stage) -> None:
    rows = [make_intervention(number=1), make_intervention(number=2, limits=LIMITS)]

    scene = stage(interventions=rows)

    assert ids(scene.guides()) == ["i-1", "i-2"]
    scene.actor.tell(Intervene(intervention=rows[0]))
    assert scene.persistence.is_silent


def test_what_is_owed_on_disk_is_answered_by_the_brands_next_message(stage: Stage) -> None:
    one = owed(1, 1, limits=LIMITS)
    said = user_message(stage().loaded, one, 1)

    scene = stage(said, interventions=[one, settled(make_intervention(number=2), "applied")])

    scene.drafts(scene.brand, OFFER)
    assert scene.persistence.next(SaveMessage).answers == ("i-1",)


def test_an_action_that_is_owed_on_disk_is_done(stage: Stage) -> None:
    one = owed(1, 1, action="walk_away")

    scene = stage(user_message(stage().loaded, one, 1), interventions=[one])

    assert scene.persistence.next(SaveMessage).answers == ("i-1",)
    assert scene.brand.is_silent


def test_an_action_that_is_owed_comes_before_a_newer_one_that_is_not_yet_said(
    stage: Stage,
) -> None:
    one = owed(1, 1, action="walk_away")
    newer = make_intervention(number=2, action="walk_away")

    scene = stage(user_message(stage().loaded, one, 1), interventions=[one, newer])

    assert scene.persistence.next(SaveMessage).answers == ("i-1",)


def test_one_that_had_ended_refuses_what_is_still_received(stage: Stage) -> None:
    rows = [
        make_intervention(number=1),
        make_intervention(number=2, action="continue"),
        settled(make_intervention(number=3), "applied"),
    ]

    scene = stage(status="impasse", interventions=rows)

    assert dict(scene.persistence.next(SaveRefusals).refused) == {
        "i-1": HAS_ENDED,
        "i-2": HAS_ENDED,
    }
    assert not scene.coordinator.next(NegotiationEnded).quote_completed


@pytest.mark.parametrize("last_error", [None, "tired"])
def test_one_of_a_cancelled_quote_ends_so_when_it_is_loaded(
    stage: Stage, last_error: str | None
) -> None:
    scene = stage(
        quote_status="cancelled", last_error=last_error, interventions=[make_intervention()]
    )

    assert scene.persistence.next(SaveEnding).ending.reason is Reason.CANCELLED
    assert scene.persistence.is_silent


# Parked


def test_an_intervention_un_parks_and_the_brand_speaks(scene: Scene, heard: Heard) -> None:
    scene.is_parked()

    scene.intervenes()

    assert scene.guides().first_seq == 1
    assert scene.says(scene.brand, OFFER).seq == 2
    assert heard.of("intervention.received")[0].facts()["during"] == "parked"


def test_one_that_came_while_it_was_being_parked_un_parks_it(scene: Scene) -> None:
    scene.drafts(scene.brand, "nonsense")
    scene.drafts(scene.brand, "nonsense")
    scene.persistence.next(SaveParking)
    scene.intervenes()
    scene.actor.tell(_parked(scene))

    assert ids(scene.guides()) == ["i-1"]
    assert scene.coordinator.is_silent


def test_one_that_is_refused_leaves_it_parked_and_still(scene: Scene) -> None:
    scene.is_parked()
    scene.intervenes(limits={"colour": 1})
    scene.persistence.next(SaveRefusals)
    assert scene.coordinator.is_silent  # not before the receipt says so

    scene.actor.tell(RefusalsSaved(settled=()))

    assert still(scene) == 1
    assert scene.brand.is_silent


def test_a_parked_one_that_owes_an_answer_keeps_it_until_it_goes_on(stage: Stage) -> None:
    one = owed(1, 1)
    said = user_message(stage().loaded, one, 1)
    scene = stage(said, interventions=[one], last_error="tired")
    scene.coordinator.next(NegotiationStill)
    assert scene.persistence.is_silent

    scene.continues()
    scene.goes_on()

    scene.drafts(scene.brand, OFFER)
    assert scene.persistence.next(SaveMessage).answers == ("i-1",)


def test_mail_about_what_is_known_is_dropped_and_its_stillness_is_told(scene: Scene) -> None:
    scene.is_parked()
    one = scene.intervenes()
    scene.guides()
    scene.is_parked()

    scene.actor.tell(Intervene(intervention=one))

    assert still(scene) == 2
    assert scene.persistence.is_silent


def test_a_call_that_comes_while_it_loads_again_is_no_stillness(scene: Scene) -> None:
    scene.is_parked()
    scene.actor.tell(Restart())
    scene.persistence.next(LoadNegotiation)

    one = scene.intervenes()

    assert scene.coordinator.is_silent
    parked = scene.loaded.negotiation.model_copy(update={"last_error": "tired"})
    loaded = again(scene.loaded, negotiation=parked, interventions=(one,))
    scene.actor.tell(NegotiationLoaded(loaded=loaded))
    assert ids(scene.guides()) == [one.id]


def test_a_continue_that_comes_while_it_loads_again_is_kept_until_it_is_loaded(
    scene: Scene,
) -> None:
    scene.is_parked()
    scene.actor.tell(Restart())
    scene.persistence.next(LoadNegotiation)
    scene.continues(1)
    assert scene.persistence.is_silent

    parked = scene.loaded.negotiation.model_copy(update={"last_error": "tired"})
    scene.actor.tell(NegotiationLoaded(loaded=again(scene.loaded, negotiation=parked)))

    assert scene.goes_on().intervention_id == "i-1"


def test_a_save_or_a_refusal_that_was_in_flight_holds_up_nothing_once_it_is_loaded(
    scene: Scene,
) -> None:
    scene.brand.next(DraftMove)
    scene.intervenes(1, limits={"colour": 1})
    scene.persistence.next(SaveRefusals)
    scene.intervenes(2)
    scene.persistence.next(SaveGuidance)
    scene.actor.tell(Restart())
    scene.persistence.next(LoadNegotiation)
    parked = scene.loaded.negotiation.model_copy(update={"last_error": "tired"})
    scene.actor.tell(NegotiationLoaded(loaded=again(scene.loaded, negotiation=parked)))
    assert still(scene) == 2

    scene.intervenes(3)

    assert ids(scene.guides()) == ["i-3"]


# By hand


@pytest.fixture
def manual(stage: Stage, heard: Heard) -> Scene:
    """It has opened, and waits to be continued."""
    scene = stage(automatic=False)
    scene.says(scene.brand, OFFER)
    assert still(scene) == 0
    return scene


def test_by_hand_it_stops_after_the_opening(manual: Scene, heard: Heard) -> None:
    assert manual.supplier.is_silent
    assert len(heard.of("negotiation.waiting")) == 1


def test_by_hand_it_goes_on_until_the_brand_has_spoken(manual: Scene, heard: Heard) -> None:
    manual.continues()
    assert manual.goes_on().intervention_id is None

    manual.says(manual.supplier, COUNTER)
    manual.says(manual.brand, OFFER)

    assert still(manual) == 1
    assert manual.persistence.is_silent
    assert len(heard.of("negotiation.continued")) == 1


def test_by_hand_an_intervention_has_the_brand_speak_at_once_and_then_it_stops(
    manual: Scene, heard: Heard
) -> None:
    manual.intervenes()
    manual.guides()
    assert manual.says(manual.brand, OFFER).seq == 3

    assert still(manual) == 1
    assert manual.supplier.is_silent
    assert heard.of("intervention.received")[0].facts()["during"] == "waiting"


def test_by_hand_an_intervention_within_the_round_ends_it(manual: Scene) -> None:
    manual.continues()
    manual.goes_on()
    manual.says(manual.supplier, COUNTER)
    manual.brand.next(DraftMove)
    manual.intervenes()
    manual.guides()
    manual.brand.next(CancelDraft)
    manual.says(manual.brand, OFFER)

    assert still(manual) == 2


def test_by_hand_limits_while_the_supplier_drafts_end_the_round(manual: Scene) -> None:
    manual.continues()
    manual.goes_on()
    manual.supplier.next(DraftMove)
    manual.intervenes(limits=LIMITS)
    manual.guides()
    manual.says(manual.brand, OFFER)

    assert still(manual) == 2
    manual.supplier.next(CancelDraft)
    assert manual.supplier.is_silent


# Going on


def test_a_row_that_asks_a_parked_one_to_go_on_is_settled_with_it(scene: Scene) -> None:
    scene.is_parked()

    scene.continues(7)

    assert scene.goes_on().intervention_id == "i-7"
    scene.says(scene.brand, OFFER)


def test_of_several_that_ask_the_first_is_heard_and_the_others_are_refused(scene: Scene) -> None:
    scene.is_parked()
    scene.continues(1)
    scene.continues(2)
    scene.continues(3)

    assert scene.goes_on().intervention_id == "i-1"
    assert scene.refuses() == {"i-2": MOVES_BY_ITSELF, "i-3": MOVES_BY_ITSELF}


def test_what_moves_by_itself_refuses_to_be_continued(answering: Scene) -> None:
    answering.continues(1)

    assert answering.refuses() == {"i-1": MOVES_BY_ITSELF}
    answering.continues()
    assert answering.persistence.is_silent
    assert answering.supervisor.is_silent


def test_a_continue_that_came_during_a_save_is_refused_if_it_moves_on(scene: Scene) -> None:
    scene.drafts(scene.brand, OFFER)
    receipt = settles(scene)
    scene.continues(1)
    assert scene.persistence.is_silent

    scene.actor.tell(receipt)

    assert scene.refuses() == {"i-1": MOVES_BY_ITSELF}


def test_a_continue_that_came_while_it_was_being_parked_has_it_go_on(scene: Scene) -> None:
    scene.drafts(scene.brand, "nonsense")
    scene.drafts(scene.brand, "nonsense")
    scene.persistence.next(SaveParking)
    scene.continues(1)
    scene.actor.tell(_parked(scene))

    assert scene.goes_on().intervention_id == "i-1"
    assert scene.coordinator.is_silent


def test_a_continue_that_came_before_it_began_to_wait_is_heard(stage: Stage) -> None:
    scene = stage(automatic=False)
    scene.drafts(scene.brand, OFFER)
    receipt = settles(scene)
    scene.continues(1)
    scene.actor.tell(receipt)

    assert scene.goes_on().intervention_id == "i-1"
    scene.says(scene.supplier, COUNTER)


def test_a_continue_that_was_told_of_twice_is_heard_once(stage: Stage) -> None:
    scene = stage(automatic=False)
    scene.drafts(scene.brand, OFFER)
    receipt = settles(scene)
    scene.continues(1)
    scene.continues(1)
    scene.actor.tell(receipt)

    assert scene.goes_on().intervention_id == "i-1"
    assert scene.persistence.is_silent


# Cancelling


def test_a_cancel_drops_the_draft_and_ends_it_at_once(answering: Scene, heard: Heard) -> None:
    answering.cancels()

    answering.supplier.next(CancelDraft)
    ending = answering.ends().ending
    assert (ending.status, ending.reason) == (NegotiationStatus.IMPASSE, Reason.CANCELLED)
    answering.coordinator.next(NegotiationEnded)
    assert answering.actor.actor_stopped.wait(10)
    assert [event.facts()["reason"] for event in heard.of("negotiation.ended")] == ["cancelled"]


def test_a_cancel_lets_a_save_in_flight_finish_first(scene: Scene) -> None:
    scene.drafts(scene.brand, OFFER)
    receipt = settles(scene)
    scene.cancels()
    assert scene.persistence.is_silent

    scene.actor.tell(receipt)

    scene.ends()
    assert scene.supplier.is_silent


def test_a_cancel_goes_before_guidance_that_came_with_it(scene: Scene) -> None:
    scene.drafts(scene.brand, OFFER)
    receipt = settles(scene)
    scene.intervenes()
    scene.cancels()
    scene.actor.tell(receipt)

    scene.ends()


def test_a_cancel_while_guidance_is_saved_leaves_its_action_undone(answered: Scene) -> None:
    answered.intervenes(action="walk_away")
    answered.cancels()
    answered.guides()

    answered.ends()


def test_a_cancel_ends_what_is_parked_or_being_parked(stage: Stage) -> None:
    parked = stage()
    parked.is_parked()
    parked.cancels()
    parked.ends()

    parking = stage()
    parking.drafts(parking.brand, "nonsense")
    parking.drafts(parking.brand, "nonsense")
    parking.persistence.next(SaveParking)
    parking.cancels()
    parking.actor.tell(_parked(parking))
    parking.ends()


def test_a_cancel_ends_what_waits_to_be_continued(manual: Scene) -> None:
    manual.cancels()

    manual.ends()


def test_a_cancel_that_came_while_it_loaded_is_not_forgotten(scene: Scene) -> None:
    scene.actor.tell(Restart())
    scene.persistence.next(LoadNegotiation)
    scene.cancels()
    assert scene.persistence.is_silent

    scene.actor.tell(NegotiationLoaded(loaded=scene.loaded))

    scene.ends()


# Receipts, and what is not delivered


def test_each_receipt_is_told_to_the_log_without_what_was_said(
    answered: Scene, heard: Heard
) -> None:
    one = answered.intervenes(text="Stop at 6.43!")
    answered.guides()
    answered.drafts(answered.brand, OFFER)
    save = answered.persistence.next(SaveMessage)
    applied = settled(one, "applied", applied_seq=4)
    answered.actor.tell(
        MessageSaved(
            message=as_saved(save.entry), ending=None, quote_completed=False, settled=(applied,)
        )
    )
    answered.supplier.next(DraftMove)

    (event,) = heard.of("intervention.settled")
    assert event.facts()["intervention_id"] == one.id
    assert (event.facts()["status"], event.facts()["applied_seq"]) == ("applied", 4)
    assert "6.43" not in str([event.facts() for event in heard])
    seqs = [event.facts()["seq"] for event in heard.of("message.saved")]
    assert seqs == [3, 4]


def test_receipts_of_an_ending_and_of_refusals_are_told_too(answering: Scene, heard: Heard) -> None:
    one = answering.intervenes(1, limits={"colour": 1})
    answering.persistence.next(SaveRefusals)
    answering.actor.tell(RefusalsSaved(settled=(settled(one, "refused"),)))
    other = answering.intervenes(2)
    answering.cancels()
    ending = answering.persistence.next(SaveEnding).ending
    receipt = EndingSaved(
        ending=ending, quote_completed=False, settled=(settled(other, "refused"),)
    )
    answering.actor.tell(receipt)
    answering.coordinator.next(NegotiationEnded)

    told = [event.facts()["intervention_id"] for event in heard.of("intervention.settled")]
    assert told == ["i-1", "i-2"]


def test_the_receipt_of_a_row_that_had_it_go_on_is_told(scene: Scene, heard: Heard) -> None:
    scene.is_parked()
    scene.continues(1)
    scene.persistence.next(SaveContinuing)
    row = settled(make_intervention(action="continue"), "applied")
    scene.actor.tell(ContinuingSaved(settled=(row,)))
    scene.brand.next(DraftMove)

    assert [event.facts()["status"] for event in heard.of("intervention.settled")] == ["applied"]


def test_what_a_given_up_actor_can_not_handle_goes_back_to_the_coordinator(
    scene: Scene, heard: Heard
) -> None:
    scene.actor.tell("mail that nobody may send")
    scene.supervisor.next(ActorFailed)
    scene.intervenes()
    scene.cancels()
    scene.continues()
    scene.actor.tell(RefusalsSaved(settled=()))

    scene.actor.stop(timeout=10)

    back = [scene.coordinator.next(CallUndelivered) for _ in range(3)]
    assert [type(each.call) for each in back] == [Intervene, Cancel, Continue]
    assert {each.negotiation_id for each in back} == {scene.loaded.negotiation.id}
    assert {each.quote_id for each in back} == {scene.loaded.quote.id}
    assert [event.facts() for event in heard.of("mail.undeliverable")] == [
        {"mail": "RefusalsSaved"}
    ]


def test_nothing_goes_back_from_one_that_has_ended(stage: Stage) -> None:
    scene = stage(status="impasse")
    scene.coordinator.next(NegotiationEnded)
    assert scene.actor.actor_stopped.wait(10)

    with pytest.raises(pykka.ActorDeadError):
        scene.cancels()
    assert scene.coordinator.is_silent


def test_what_came_while_it_could_not_be_loaded_stays_received(scene: Scene) -> None:
    scene.actor.tell(Restart())
    scene.persistence.next(LoadNegotiation)
    scene.intervenes()
    error = LoadFailed(negotiation_id=scene.loaded.negotiation.id, error=ValueError())
    scene.actor.tell(error)
    scene.coordinator.next(LoadFailed)

    assert scene.actor.actor_stopped.wait(10)
    assert scene.persistence.is_silent


def _answer(request: DraftMove, draft: Draft) -> MoveDrafted:
    return MoveDrafted(
        draft_id=request.draft_id, proposal=draft, origin=Origin.SCRIPT, fallback=None
    )


def _parked(scene: Scene) -> ParkingSaved:
    return ParkingSaved(negotiation_id=scene.loaded.negotiation.id, error="tired")
