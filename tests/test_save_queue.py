"""SaveQueue: a person's mail goes first, and nobody's mail overtakes other mail of the sender's."""

from __future__ import annotations

import random
import sys

import pytest
from factories import make_config, make_negotiations, make_quote
from probe import Probe

from actors.runtime import LoopThread
from actors.save_queue import SaveQueue
from actors.saves import (
    LoadNegotiation,
    Ref,
    Save,
    SaveCancellation,
    SaveContinuing,
    SaveGuidance,
    SaveParking,
    SaveRefusals,
)

CONFIG = make_config()
(NEGOTIATION,) = make_negotiations(make_quote(CONFIG), CONFIG)


@pytest.fixture
def senders(loop: LoopThread) -> list[Ref]:
    return [Probe(loop).ref for _ in range(5)]


def parking(sender: Ref, error: str = "tired") -> Save:
    return SaveParking(negotiation_id=NEGOTIATION.id, error=error, reply_to=sender)


def continuing(sender: Ref) -> Save:
    return SaveContinuing(negotiation_id=NEGOTIATION.id, intervention_id=None, reply_to=sender)


def asked_by_persons(sender: Ref) -> list[Save]:
    return [
        SaveGuidance(
            negotiation_id=NEGOTIATION.id,
            first_seq=1,
            taken=(),
            mandate=NEGOTIATION.mandate,
            reply_to=sender,
        ),
        SaveRefusals(refused=(), reply_to=sender),
        continuing(sender),
        SaveCancellation(quote_id=NEGOTIATION.quote_id, reply_to=sender),
    ]


def filled(*mails: Save) -> SaveQueue:
    queue = SaveQueue()
    for mail in mails:
        queue.put(mail)
    return queue


def test_what_persons_wait_for_goes_first_in_its_own_order(senders: list[Ref]) -> None:
    others = [parking(sender) for sender in senders[:3]]
    persons = asked_by_persons(senders[3])
    queue = filled(others[0], persons[0], others[1], *persons[1:], others[2])

    assert queue.take(2) == persons[:2]
    assert queue.take(100) == persons[2:] + others
    assert queue.take(100) == []


def test_it_does_not_overtake_what_its_own_sender_sent_before(senders: list[Ref]) -> None:
    one, another = senders[:2]
    load = LoadNegotiation(negotiation_id=NEGOTIATION.id, reply_to=another)
    ours = [parking(one), *asked_by_persons(one)]
    queue = filled(load, *ours)

    assert queue.take(100) == [load, *ours]


def test_once_that_is_taken_it_goes_first_again(senders: list[Ref]) -> None:
    one, another = senders[:2]
    queue = filled(parking(one), parking(another), parking(another))
    queue.take(1)
    queue.put(continuing(one))

    assert queue.take(1) == [continuing(one)]


def test_a_sender_of_whom_nothing_waits_is_not_kept(senders: list[Ref]) -> None:
    one = senders[0]
    known = sys.getrefcount(one)

    queue = filled(parking(one), parking(one), continuing(one))
    queue.take(3)

    assert sys.getrefcount(one) == known


@pytest.mark.parametrize("seed", range(20))
def test_each_piece_is_taken_once_and_each_senders_in_order(senders: list[Ref], seed: int) -> None:
    dice = random.Random(seed)
    queue, sent, taken = SaveQueue(), [], []
    for number in range(300):
        sender = dice.choice(senders)
        mail = parking(sender, str(number)) if dice.random() < 0.7 else continuing(sender)
        sent.append(mail)
        queue.put(mail)
        if dice.random() < 0.3:
            taken += queue.take(dice.randrange(5))
    assert len(queue) == len(sent) - len(taken)
    taken += queue.take(len(sent))

    for sender in senders:
        assert [id(m) for m in taken if m.reply_to is sender] == [
            id(m) for m in sent if m.reply_to is sender
        ]
    assert len(taken) == len(sent)
