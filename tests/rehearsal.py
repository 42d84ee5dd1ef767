"""A negotiation played without actors and without a disk: rules and negotiators alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from factories import as_saved

from actors.mechanism.conversation import Conversation
from actors.mechanism.rulebook import ending_without_words, judge
from actors.mechanism.ruling import Refusal
from actors.mechanism.views import view_for
from storage.records import Ending, Entry, Origin
from storage.terms.kind import Side


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How it went."""

    conversation: Conversation
    entries: tuple[Entry, ...]
    ending: Ending | None
    """None when a draft was refused, which ends a rehearsal."""
    refusal: Refusal | None


def rehearse(conversation: Conversation, brand: Any, supplier: Any) -> Rehearsal:
    """Play a conversation to its end, or to the first refused draft."""
    return asyncio.run(_rehearse(conversation, {Side.BRAND: brand, Side.SUPPLIER: supplier}))


async def _rehearse(conversation: Conversation, negotiators: dict[Side, Any]) -> Rehearsal:
    entries: list[Entry] = []
    while True:
        ending = ending_without_words(conversation)
        if ending is not None:
            return Rehearsal(conversation, tuple(entries), ending, None)
        side = conversation.next_side
        move = negotiators[side].next_move(view_for(conversation, side))
        if isinstance(move, Awaitable):
            move = await move
        ruling = judge(conversation, side, move, Origin.SCRIPT)
        if ruling.entry is None:
            return Rehearsal(conversation, tuple(entries), None, ruling.refusal)
        entries.append(ruling.entry)
        conversation = conversation.said(as_saved(ruling.entry))
        if ruling.ending is not None:
            return Rehearsal(conversation, tuple(entries), ruling.ending, None)
