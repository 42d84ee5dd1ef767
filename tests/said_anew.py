"""What tactics say where each saved message stands: a conversation is more than a valid one.

Tactics follow from the view alone, so a message that was drafted before something that stands in
front of it, or out of turn, or after a crash from less than what is on disk, is found here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from actors.mechanism.conversation import Conversation
from actors.mechanism.guidance import person_draft
from actors.mechanism.rulebook import judge
from actors.mechanism.views import view_for
from actors.negotiators.tactics import Tactics
from storage.ledger import ENTRY_BODY
from storage.reader import Loaded
from storage.records import Origin, Sender
from storage.terms.kind import Side


def strays(loaded: Loaded) -> Iterator[str]:
    """Messages that tactics, or the person, would not have said there."""
    rows = {row.message_seq: row for row in loaded.interventions if row.message_seq is not None}
    talk = Conversation.opened(loaded.quote, loaded.negotiation)
    for message in loaded.messages:
        place = f"{loaded.negotiation.id}: message {message.seq}"
        if message.sender is Sender.USER:
            row = rows.pop(message.seq, None)
            if row is None or row.wording != message.content:
                yield f"{place} is no intervention's"
                return
            talk = talk.guided(message, row)
            continue
        side = Side.BRAND if message.sender is Sender.BRAND else Side.SUPPLIER
        if side is not talk.next_side:
            yield f"{place} is out of turn"
        draft: Any
        if message.origin is Origin.PERSON:
            settled = [one for one in loaded.interventions if one.applied_seq == message.seq]
            draft = next(filter(None, map(person_draft, settled)), None)
        else:
            draft = _at_once(view_for(talk, side))
        ruling = judge(talk, side, draft, message.origin)
        if ruling.entry is None:
            yield f"{place} is against the rules: {ruling.refusal}"
        elif differing := [
            name for name in ENTRY_BODY if getattr(ruling.entry, name) != getattr(message, name)
        ]:
            yield f"{place} has another {', '.join(differing)} than what is said there"
        talk = talk.said(message)
    if rows:
        yield f"{loaded.negotiation.id}: {len(rows)} receipts name messages that are not there"


def _at_once(view: Any) -> Any:
    """A move of tactics, which wait for nothing."""
    moving = Tactics().next_move(view)
    try:
        moving.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("tactics waited for something")
