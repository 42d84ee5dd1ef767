"""A person's guidance on disk: messages, limits and receipts change together or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from factories import make_config, make_intervention, make_negotiations, make_quote, make_terms
from test_store import assert_hashes_fit

from actors.mechanism.limits import limited
from storage.errors import NegotiationNotActive, SequenceConflict, UnknownRecord
from storage.hashes import intervention_hash
from storage.interventions import Intervention, InterventionId, InterventionStatus
from storage.ledger import TEXT_KEPT, Ledger
from storage.mandates import Mandate
from storage.records import (
    Ending,
    Entry,
    Message,
    Move,
    Negotiation,
    NegotiationId,
    NegotiationStatus,
    Origin,
    Reason,
    Sender,
)

CONFIG = make_config()
IMPASSE = Ending(status=NegotiationStatus.IMPASSE, reason=Reason.NO_PROGRESS, agreed_terms=None)
LIMITS = {"unit_price": "6.40"}
REFUSED, APPLIED = InterventionStatus.REFUSED, InterventionStatus.APPLIED


@pytest.fixture
def negotiation(store: Ledger) -> Negotiation:
    quote = make_quote(CONFIG)
    store.add_quote(quote)
    with writing(store):
        return store.open_negotiations(quote.id, make_negotiations(quote, CONFIG))[1][0]


@contextmanager
def writing(store: Ledger) -> Iterator[None]:
    with store.connection(), store.transaction():
        yield


def row_of(store: Ledger, intervention_id: str) -> dict[str, Any]:
    with closing(sqlite3.connect(store.path)) as database:
        database.row_factory = sqlite3.Row
        sql = "SELECT * FROM interventions WHERE id = ?"
        return dict(database.execute(sql, (intervention_id,)).fetchone())


def received(store: Ledger, negotiation: Negotiation, *contents: dict[str, Any]) -> Any:
    """Interventions 1, 2, … on disk."""
    ones = [make_intervention(negotiation.id, n, **c) for n, c in enumerate(contents, 1)]
    return store.add_interventions(ones)


def under(negotiation: Negotiation, limits: dict[str, Any]) -> Mandate:
    return limited(negotiation.mandate, limits, make_quote(CONFIG).request)


def say(
    store: Ledger,
    negotiation: Negotiation,
    seq: int,
    origin: Origin = Origin.TACTICS,
    sender: Sender = Sender.BRAND,
) -> Message:
    entry = Entry(
        negotiation_id=negotiation.id,
        seq=seq,
        sender=sender,
        content="Let us talk.",
        move=Move.TALK,
        terms=None,
        accepts_seq=None,
        origin=origin,
    )
    with writing(store):
        return store.append(entry).message


def guide(
    store: Ledger,
    negotiation: Negotiation,
    taken: Any,
    first_seq: int = 1,
    mandate: Mandate | None = None,
) -> tuple[tuple[Message, Intervention], ...]:
    with writing(store):
        return store.guide(negotiation.id, first_seq, taken, mandate or negotiation.mandate)


def test_guidance_becomes_user_messages_in_its_order(
    store: Ledger, negotiation: Negotiation
) -> None:
    say(store, negotiation, 1)
    ones = received(store, negotiation, {"text": "Push."}, {"action": "walk_away"})

    guidance = guide(store, negotiation, ones, 2)

    saved = store.messages(negotiation.id)[1:]
    assert [message for message, _ in guidance] == saved
    assert [(m.seq, m.sender, m.content, m.move, m.origin) for m in saved] == [
        (2, Sender.USER, "Push.", None, Origin.PERSON),
        (3, Sender.USER, "Walk away.", None, Origin.PERSON),
    ]
    assert store.negotiation(negotiation.id).rounds == 0
    assert_hashes_fit(store)


def test_what_is_guided_stays_received_and_knows_its_message(
    store: Ledger, negotiation: Negotiation
) -> None:
    guidance = guide(store, negotiation, received(store, negotiation, {"text": "Push."}))

    (one,) = store.interventions(negotiation.id)
    assert [intervention for _, intervention in guidance] == [one]
    assert (one.status, one.message_seq, one.applied_seq) == ("received", 1, None)
    assert one.row_hash is None


def test_changed_limits_are_the_negotiations_own_and_covered_by_its_hash(
    store: Ledger, negotiation: Negotiation
) -> None:
    ones = received(store, negotiation, {"limits": LIMITS})
    mandate = under(negotiation, LIMITS)

    guide(store, negotiation, ones, mandate=mandate)

    assert store.negotiation(negotiation.id).mandate == mandate
    assert store.quotes()[0].mandate == negotiation.mandate
    assert_hashes_fit(store)


def test_guidance_un_parks(store: Ledger, negotiation: Negotiation) -> None:
    with writing(store):
        store.park(negotiation.id, "tired")

    guide(store, negotiation, received(store, negotiation, {"text": "Push."}))

    assert store.negotiation(negotiation.id).last_error is None
    assert_hashes_fit(store)


def test_guidance_that_does_not_fit_changes_nothing_at_all(
    store: Ledger, negotiation: Negotiation
) -> None:
    first, second = received(store, negotiation, {"text": "One."}, {"text": "Two."})
    with writing(store):
        store.park(negotiation.id, "tired")
        store.refuse([(second.id, "no")])
    mandate = under(negotiation, LIMITS)

    with pytest.raises(SequenceConflict):
        guide(store, negotiation, [first, second], 1, mandate)
    with pytest.raises(SequenceConflict):
        guide(store, negotiation, [first], 2, mandate)

    assert store.messages(negotiation.id) == []
    assert store.intervention(first.id) == first
    parked = store.negotiation(negotiation.id)
    assert (parked.mandate, parked.last_error) == (negotiation.mandate, "tired")


def test_nobody_is_guided_after_the_end(store: Ledger, negotiation: Negotiation) -> None:
    ones = received(store, negotiation, {"text": "One."})
    with writing(store):
        store.end(negotiation.id, IMPASSE)

    with pytest.raises(NegotiationNotActive):
        guide(store, negotiation, ones)


@pytest.mark.parametrize(
    ("content", "origin", "reason"),
    [
        ({"text": "Push."}, Origin.TACTICS, TEXT_KEPT),
        ({"text": "Push.", "limits": LIMITS}, Origin.TACTICS, TEXT_KEPT),
        ({"text": "Push."}, Origin.FALLBACK, TEXT_KEPT),
        ({"text": "Push."}, Origin.MISTRAL, None),
        ({"text": "Push."}, Origin.SCRIPT, None),
        ({"text": "No!", "action": "walk_away"}, Origin.PERSON, None),
        ({"limits": LIMITS}, Origin.TACTICS, None),
    ],
)
def test_what_is_answered_is_applied_and_says_if_its_text_had_no_effect(
    store: Ledger,
    negotiation: Negotiation,
    content: dict[str, Any],
    origin: Origin,
    reason: str | None,
) -> None:
    (one,) = received(store, negotiation, content)
    guide(store, negotiation, [one])
    answer = say(store, negotiation, 2, origin)

    with writing(store):
        settled = store.settle_answered([one.id], answer)

    assert settled == (store.intervention(one.id),)
    saved = settled[0]
    assert (saved.status, saved.message_seq, saved.applied_seq) == (APPLIED, 1, 2)
    assert saved.reason == reason


def test_a_settled_row_has_the_hash_of_its_columns(store: Ledger, negotiation: Negotiation) -> None:
    ones = received(store, negotiation, {"text": "a"}, {"limits": LIMITS}, {"action": "continue"})
    guide(store, negotiation, ones[:1])
    answer = say(store, negotiation, 2)
    with writing(store):
        store.settle_answered([ones[0].id], answer)
        store.refuse([(ones[1].id, "no")])
        store.unpark(negotiation.id, ones[2].id)

    for one in ones:
        row = row_of(store, one.id)
        assert row["row_hash"] == intervention_hash(row)
        assert store.intervention(one.id).row_hash == row["row_hash"]


def test_what_is_settled_is_settled_once(store: Ledger, negotiation: Negotiation) -> None:
    (one,) = received(store, negotiation, {"text": "Push."})
    answer = say(store, negotiation, 1)
    with writing(store):
        store.refuse([(one.id, "no")])
        before = store.intervention(one.id)

        assert store.settle_answered([one.id], answer) == ()
        assert store.refuse([(one.id, "again")]) == ()
        assert store.unpark(negotiation.id, one.id) == ()
        assert store.settle_ended(negotiation.id, 1) == ()

    assert store.intervention(one.id) == before
    assert (before.status, before.reason) == (REFUSED, "no")


def test_each_refusal_has_its_own_reason_and_unknown_ones_are_passed_over(
    store: Ledger, negotiation: Negotiation
) -> None:
    first, second, third = received(store, negotiation, *[{"text": "Push."}] * 3)

    with writing(store):
        settled = store.refuse(
            [(first.id, "one"), (InterventionId("i-none"), "two"), (third.id, "three")]
        )

    assert [(one.id, one.status, one.reason) for one in settled] == [
        (first.id, REFUSED, "one"),
        (third.id, REFUSED, "three"),
    ]
    assert store.intervention(second.id) == second


@pytest.mark.parametrize(
    ("seq", "reason"), [(3, "ended at message 3"), (None, "ended without a further message")]
)
def test_an_ending_refuses_all_that_is_still_received(
    store: Ledger, negotiation: Negotiation, seq: int | None, reason: str
) -> None:
    owed, waiting, asked = received(
        store, negotiation, {"text": "a"}, {"text": "b"}, {"action": "continue"}
    )
    guide(store, negotiation, [owed])

    with writing(store):
        settled = store.settle_ended(negotiation.id, seq)

    assert [one.id for one in settled] == [owed.id, waiting.id, asked.id]
    assert {(one.status, one.reason) for one in settled} == {(REFUSED, reason)}
    assert list(settled) == store.interventions(negotiation.id)


def test_an_ending_leaves_other_negotiations_receipts_alone(store: Ledger) -> None:
    config = make_config()
    negotiations: list[Negotiation] = []
    for _ in range(2):
        quote = make_quote(config)
        store.add_quote(quote)
        with writing(store):
            opened = store.open_negotiations(quote.id, make_negotiations(quote, config))[1]
        negotiations += opened
    ones = [make_intervention(each.id, n) for n, each in enumerate(negotiations)]
    store.add_interventions(ones)

    with writing(store):
        store.settle_ended(negotiations[0].id, None)

    assert [store.intervention(one.id).status for one in ones] == ["refused", "received"]


@pytest.mark.parametrize("by_row", [True, False])
def test_going_on_un_parks_and_settles_the_row_that_asked_for_it(
    store: Ledger, negotiation: Negotiation, by_row: bool
) -> None:
    (row,) = received(store, negotiation, {"action": "continue"})
    with writing(store):
        store.park(negotiation.id, "tired")
        settled = store.unpark(negotiation.id, row.id if by_row else None)

    assert store.negotiation(negotiation.id).last_error is None
    assert settled == ((store.intervention(row.id),) if by_row else ())
    assert store.intervention(row.id).status == ("applied" if by_row else "received")
    assert store.intervention(row.id).applied_seq is None
    assert_hashes_fit(store)


def test_what_has_ended_does_not_go_on(store: Ledger, negotiation: Negotiation) -> None:
    with writing(store):
        store.end(negotiation.id, IMPASSE)

    with pytest.raises(NegotiationNotActive), writing(store):
        store.unpark(negotiation.id, None)
    with pytest.raises(UnknownRecord), writing(store):
        store.unpark(NegotiationId("n-none"), None)


def test_an_accept_can_be_committed_under_the_limits_that_came_with_it(
    store: Ledger, negotiation: Negotiation
) -> None:
    terms = make_terms("8.50")
    (one,) = received(store, negotiation, {"limits": {"unit_price": "8.50"}, "text": "Up."})
    entry = Entry(
        negotiation_id=negotiation.id,
        seq=1,
        sender=Sender.SUPPLIER,
        content="Ours.",
        move=Move.OFFER,
        terms=terms,
        accepts_seq=None,
        origin=Origin.SCRIPT,
    )
    with writing(store):
        store.append(entry)
    guide(store, negotiation, [one], 2, under(negotiation, {"unit_price": "8.50"}))
    accept = {"seq": 3, "sender": Sender.BRAND, "move": Move.ACCEPT, "accepts_seq": 1}
    ending = Ending(status=NegotiationStatus.COMPLETED, reason=None, agreed_terms=terms)

    with writing(store):
        store.append(entry.model_copy(update=accept), ending)

    assert store.negotiation(negotiation.id).agreed_terms == terms
    assert_hashes_fit(store)
