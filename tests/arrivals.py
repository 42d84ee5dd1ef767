"""A person steps in at random instants, thousands of times, and what becomes of it.

`python tests/arrivals.py [ARRIVALS [SEED]]` runs negotiations whose negotiators take random times
and sometimes fail, and sends interventions of all kinds to them, one or several at a time, while
they draft, save, end, are parked or wait. Afterwards it looks at the database with `inspection`
and prints how often each branch of rules 12 to 14 was taken.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from factories import make_config, make_supplier, quote_fields
from verified import faults

from actors.errors import NegotiatorError, ParleyError
from actors.events import Event
from actors.mechanism.conversation import Conversation
from actors.mechanism.moves import Draft
from actors.mechanism.views import BrandView, SupplierView
from actors.negotiation_events import (
    DraftFailedEvent,
    InterventionHeard,
    MessageSavedEvent,
    NegotiationParkedEvent,
)
from actors.negotiators.tactics import Tactics
from actors.negotiators.wording import spelled
from actors.system import NegotiationSystem
from storage.errors import StorageError
from storage.interventions import Intervention, InterventionStatus
from storage.mandates import LineId
from storage.records import Message, Negotiation, Quote, Sender, SupplierId

ARRIVALS = 10_000
SUPPLIERS = 40
PER_NEGOTIATION = 8
LONGEST_MOVE_S = 0.25
LONGEST_PAUSE_S = 0.001
ONLY_FOR_THE_BRAND = "Between us, zqx"
"""How every text begins that no supplier may see."""

BRANCHES = (
    "while drafting brand",
    "while drafting supplier",
    "while saving",
    "while closing",
    "while parked",
    "while waiting",
    "refused at once: ended",
    "before the opening",
    "applied",
    "several share one message",
    "text waited for the supplier",
    "supplier's draft dropped",
    "the brand spoke where the supplier failed",
    "went on from being parked",
    "the offer was withdrawn",
    "a limit passed its target",
    "priorities changed",
    "accepted by the person",
    "ended by the person",
    "refused: ended meanwhile",
    "refused: offer does not stand",
    "refused: breaks a limit",
    "refused: a newer action",
)


@dataclass
class Unsteady:
    """Tactics that take their time, fail now and then, and say how much they have seen."""

    seed: int
    floors: Mapping[SupplierId, Decimal]
    """Each supplier's own price limit."""
    faults: list[str] = field(default_factory=list)

    async def next_move(self, view: BrandView | SupplierView) -> Any:
        dice = random.Random(
            repr((self.seed, view.supplier.id, len(view.messages), time.time_ns()))
        )
        await asyncio.sleep(dice.choice([0, dice.uniform(0, LONGEST_MOVE_S)]))
        if isinstance(view, SupplierView):
            self.faults += _told_to_a_supplier(view, self.floors)
        if dice.random() < 0.08:
            raise NegotiatorError("it had a bad moment")
        draft = await Tactics().next_move(view)
        seen = f" I have seen {spelled(len(view.messages))} before this."
        return Draft(draft.move, draft.text + seen, draft.terms, draft.accepts_seq)


def _told_to_a_supplier(view: SupplierView, floors: Mapping[SupplierId, Decimal]) -> Iterator[str]:
    """What of a person's guidance a supplier was shown."""
    if ONLY_FOR_THE_BRAND in repr(view) or any(m.sender is Sender.USER for m in view.messages):
        yield f"{view.supplier.id} was shown what a person said"
    if view.mandate.prices[LineId("widget")].limit != floors[view.supplier.id]:
        yield f"{view.supplier.id} was shown another limit than its own"


@dataclass
class Tally:
    """How often each branch was taken, and what must not be."""

    branches: Counter[str] = field(default_factory=Counter)
    arrivals: int = 0
    negotiations: int = 0
    faults: list[str] = field(default_factory=list)
    _expected: dict[str, str] = field(default_factory=dict)
    """By negotiation: the branch that its next user message will have taken."""

    def hear(self, event: Event) -> None:
        """Count by what is logged."""
        match event:
            case InterventionHeard(negotiation_id=negotiation_id, during=during):
                self.branches[f"while {during}"] += 1
                if during == "drafting supplier":
                    self._expected.setdefault(negotiation_id, "supplier's draft dropped")
            case MessageSavedEvent(negotiation_id=negotiation_id, sender="supplier"):
                self._expect(negotiation_id, "text waited for the supplier")
            case DraftFailedEvent(negotiation_id=negotiation_id, side="supplier"):
                self._expect(negotiation_id, "the brand spoke where the supplier failed")
            case NegotiationParkedEvent(negotiation_id=negotiation_id):
                self._expected[negotiation_id] = "went on from being parked"
            case MessageSavedEvent(negotiation_id=negotiation_id):
                branch = self._expected.pop(negotiation_id, None)
                if branch is not None and event.sender == "user":
                    self.branches[branch] += 1

    def _expect(self, negotiation_id: str, branch: str) -> None:
        if negotiation_id in self._expected:
            self._expected[negotiation_id] = branch

    def missing(self) -> set[str]:
        """What never happened."""
        return {branch for branch in BRANCHES if not self.branches[branch]}

    def table(self) -> str:
        """All counts, aligned."""
        rows = [
            ("arrivals", self.arrivals),
            ("negotiations", self.negotiations),
            *((branch, self.branches[branch]) for branch in BRANCHES),
            ("faults", len(self.faults)),
        ]
        return "\n".join(f"{name:46}{count:>8,}" for name, count in rows)


def play(folder: Path, arrivals: int = ARRIVALS, seed: int = 1) -> Tally:
    """Play until that many interventions have arrived, and look for faults."""
    tally, number = Tally(), 0
    while tally.arrivals < arrivals:
        number += 1
        database = folder / f"arrivals-{number}.db"
        _play_one(database, random.Random(f"{seed}/{number}"), tally, manual=number % 3 == 0)
        tally.faults += faults(database)
    return tally


def _play_one(database: Path, dice: random.Random, tally: Tally, *, manual: bool) -> None:
    suppliers = [
        make_supplier(number, floor=f"{dice.uniform(5, 7.5):.2f}", payment=["30/70", "net 30"])
        for number in range(1, SUPPLIERS + 1)
    ]
    config = make_config(suppliers, max_rounds=8, draft_retries=0)
    floors = {s.id: s.private.prices["Widget"].limit for s in suppliers}
    unsteady = Unsteady(dice.randrange(10**9), floors)
    with NegotiationSystem.start(
        config, database=database, brand=unsteady, suppliers=unsteady
    ) as system:
        system.subscribe(tally.hear)
        quote = system.create_quote(quote_fields(target="5.00", limit="7.40"))
        started = system.start_negotiations(quote.id, automatic=not manual)
        _step_in(system, quote, [n.id for n in started], dice, tally)
        for negotiation in system.wait(quote.id, timeout_s=120):
            tally.negotiations += 1
            interventions = system.interventions(negotiation.id)
            messages = system.messages(negotiation.id)
            tally.faults += _unseen(negotiation, messages)
            tally.branches.update(_branches(quote, negotiation, messages, interventions))
    tally.faults += unsteady.faults


def _step_in(
    system: NegotiationSystem,
    quote: Quote,
    negotiation_ids: list[Any],
    dice: random.Random,
    tally: Tally,
) -> None:
    """From two threads, each for half of the suppliers, without waiting for anything."""
    arrived: list[int] = []

    def step_in(ids: list[Any], dice: random.Random) -> None:
        for _ in range(PER_NEGOTIATION * len(ids)):
            if not ids:
                return
            negotiation_id = dice.choice(ids)
            kinds = dice.choice(
                [[dice.random()] * 2, [dice.random() for _ in range(3)], [0.95] * 2]
            )
            for kind in kinds[: dice.choice([1, 1, 1, 2, 3])]:
                content = _content(system, negotiation_id, kind, dice)
                arrived.append(1)
                try:
                    system.add_user_intervention(negotiation_id=negotiation_id, **content)
                except StorageError:
                    tally.branches["refused at once: ended"] += 1
                    ids = [each for each in ids if each != negotiation_id]
            if dice.random() < 0.4:
                # it moves by itself, or has ended
                with suppress(ParleyError, StorageError):
                    system.continue_negotiation(negotiation_id=negotiation_id)
            time.sleep(dice.uniform(0, LONGEST_PAUSE_S))  # the instants are what is random here

    threads = [
        threading.Thread(target=step_in, args=(ids, random.Random(dice.random())))
        for ids in (negotiation_ids[::2], negotiation_ids[1::2])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tally.arrivals += len(arrived)


def _content(
    system: NegotiationSystem, negotiation_id: Any, kind: float, dice: random.Random
) -> dict[str, Any]:
    text = f"{ONLY_FOR_THE_BRAND} {dice.randrange(10**6)}."
    limits: dict[str, Any] = dice.choice(
        [
            {"unit_price": f"{dice.uniform(5.4, 7.6):.2f}"},
            {"unit_price": f"{dice.uniform(4, 5):.2f}"},
            {"lead_time_days": dice.randint(24, 50)},
            {"payment": dice.choice([["30/70"], ["net 30", "30/70"]])},
        ]
    )
    share = dice.randrange(0, 80, 10)
    priorities = {"quality": 10, "cost": 80 - share, "lead_time": share, "payment_terms": 10}
    if kind < 0.4:
        return {"text": text}
    if kind < 0.7:
        return {"text": dice.choice([text, None]), "limits": limits}
    if kind < 0.8:
        return {"priorities": priorities}
    if kind < 0.9:
        return {"text": text, "limits": {"payment": ["30/70"]}, "priorities": priorities}
    if kind < 0.91:
        return {"text": text, "action": "walk_away"}
    offers = [m.seq for m in system.messages(negotiation_id) if m.sender is Sender.SUPPLIER]
    seen = {"action": "accept", "accepts_seq": dice.choice(offers[-2:] or [1])}
    return seen | dice.choice([{}, {"limits": {"unit_price": "9.00", "lead_time_days": 50}}])


def _unseen(negotiation: Negotiation, messages: list[Message]) -> Iterator[str]:
    """Messages that were drafted without what was said before them."""
    for place, message in enumerate(messages):
        if message.sender is Sender.USER or "I have seen" not in message.content:
            continue
        before = messages[:place]
        if message.sender is Sender.SUPPLIER:
            before = [each for each in before if each.sender is not Sender.USER]
        if f"I have seen {spelled(len(before))} before" not in message.content:
            yield f"{negotiation.id}: message {message.seq} was drafted before another one"


def _branches(
    quote: Quote, negotiation: Negotiation, messages: list[Message], rows: list[Intervention]
) -> Iterator[str]:
    """What of rules 12 to 14 can be seen in one conversation."""
    by_seq = {message.seq: message for message in messages}
    applied = [row for row in rows if row.status is InterventionStatus.APPLIED]
    shared = Counter(row.applied_seq for row in applied)
    yield from ("several share one message" for count in shared.values() if count > 1)
    if messages and messages[0].sender is Sender.USER:
        yield "before the opening"
    yield from ("applied" for _ in applied)
    yield from (_why(row.reason or "") for row in rows if row.status is InterventionStatus.REFUSED)
    yield from _said(quote, negotiation, messages, {row.message_seq: row for row in rows})
    for row in applied:
        answer = by_seq[row.applied_seq or 0]
        if row.action is not None:
            done = {"accept": "accepted by the person", "walk_away": "ended by the person"}
            yield done[answer.move or ""]
        if row.priorities is not None:
            yield "priorities changed"


def _said(
    quote: Quote, negotiation: Negotiation, messages: list[Message], rows: dict[Any, Intervention]
) -> Iterator[str]:
    talk = Conversation.opened(quote, negotiation)
    for message in messages:
        if message.sender is not Sender.USER:
            talk = talk.said(message)
            continue
        guided = talk.guided(message, rows[message.seq])
        if guided.must_move and not talk.must_move:
            yield "the offer was withdrawn"
        if _target(guided) < _target(talk):
            yield "a limit passed its target"
        talk = guided


def _target(talk: Conversation) -> Decimal:
    return talk.brand.mandate.prices[LineId("widget")].target


def _why(reason: str) -> str:
    for sign, branch in (
        ("ended", "refused: ended meanwhile"),
        ("stand", "refused: offer does not stand"),
        ("breaks a limit", "refused: breaks a limit"),
        ("newer action", "refused: a newer action"),
    ):
        if sign in reason:
            return branch
    return f"refused: {reason}"


def main(arguments: Iterable[str]) -> int:
    """Play, and print the table; 1 when anything was wrong or never happened."""
    numbers = [*map(int, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        tally = play(Path(folder), *numbers)
    sys.stdout.write(f"{tally.table()}\n")
    for fault in tally.faults[:20]:
        sys.stdout.write(f"{fault}\n")
    return 1 if tally.faults or tally.missing() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
