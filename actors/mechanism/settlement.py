"""Settlement: what receipts say became of interventions, held against the conversation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from storage.faults import Fault, at
from storage.interventions import Action, Intervention, InterventionStatus
from storage.records import Message, Negotiation, Sender

SQL_CLOCK = timedelta(milliseconds=1)
"""How finely SQLite tells the time of what another program writes."""


def settlement_faults(
    negotiation: Negotiation, messages: Sequence[Message], interventions: Sequence[Intervention]
) -> Iterator[Fault]:
    """Where receipts and messages differ."""
    here = at(negotiation_id=negotiation.id)
    by_seq = {message.seq: message for message in messages}
    asked = Counter(one.message_seq for one in interventions)
    for message in messages:
        if message.sender is Sender.USER and asked[message.seq] != 1:
            yield Fault(here | at(seq=message.seq), "a person's message needs one intervention")
    for one in interventions:
        where = here | at(intervention_id=one.id)
        if one.status is InterventionStatus.RECEIVED and not _may_be_received(one, negotiation):
            yield Fault(where, "it is still received, and the negotiation has ended")
        for what in (*_guidance(one, by_seq), *_outcome(one, by_seq)):
            yield Fault(where, what)


def _may_be_received(one: Intervention, negotiation: Negotiation) -> bool:
    """Whether nobody can have settled it yet: also what came behind the end, with no engine."""
    if negotiation.ended_at is None:
        return True
    return one.message_seq is None and one.created_at + SQL_CLOCK >= negotiation.ended_at


def _guidance(one: Intervention, by_seq: Mapping[int, Message]) -> Iterator[str]:
    """Whether the user message that it became is there."""
    if one.message_seq is None:
        return
    said = by_seq.get(one.message_seq)
    if said is None or said.sender is not Sender.USER:
        yield "its message_seq is that of no message of a person"
    elif said.content != one.wording:
        yield "its message says something else"


def _outcome(one: Intervention, by_seq: Mapping[int, Message]) -> Iterator[str]:
    """Whether what it is settled as is what happened."""
    if one.status is InterventionStatus.REFUSED:
        if not one.reason:
            yield "it is refused without a reason"
        if one.applied_seq is not None:
            yield "it is refused, and has an answer"
    elif one.status is InterventionStatus.RECEIVED:
        answer = _brands_next(one.message_seq, by_seq)
        if one.applied_seq is not None or answer is not None:
            yield "it is still received, and the brand has answered"
    elif one.action is Action.CONTINUE:
        if one.message_seq is not None or one.applied_seq is not None:
            yield "it only continues, and has messages"
    elif one.message_seq is None:
        yield "it is applied, and became no message"
    elif one.applied_seq is None or one.applied_seq != _brands_next(one.message_seq, by_seq):
        yield "its applied_seq is not that of the brand's next message"


def _brands_next(seq: int | None, by_seq: Mapping[int, Message]) -> int | None:
    """The seq of the message after `seq` that is not a person's, if it is the brand's."""
    if seq is None:
        return None
    while (message := by_seq.get(seq := seq + 1)) is not None:
        if message.sender is not Sender.USER:
            return seq if message.sender is Sender.BRAND else None
    return None
