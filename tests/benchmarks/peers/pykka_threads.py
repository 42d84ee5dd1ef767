"""Pykka as it comes: a thread for each negotiation, two more for the brand and the supplier.

    python tests/benchmarks/peers/pykka_threads.py NEGOTIATIONS MOVE_SECONDS

Everybody tells and nobody asks, so that no thread ever waits for an answer; the waiting that a
model's server would do is done by one loop, in one more thread.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.peers.group_commit import Writer, create
from benchmarks.peers.measuring import Taken, measured, report
from benchmarks.peers.work import MESSAGES, SENDERS, Draft, draft, negotiation_ids, row, sender_of
from pykka import ActorRef, ThreadingActor

Ref = ActorRef[Any]


@dataclass(frozen=True, slots=True)
class DraftMove:
    """Negotiation → negotiator."""

    seq: int
    reply_to: Ref


@dataclass(frozen=True, slots=True)
class MoveDrafted:
    """Negotiator → negotiation."""

    draft: Draft


@dataclass(frozen=True, slots=True)
class MessageSaved:
    """Writer → negotiation."""


@dataclass(frozen=True, slots=True)
class Begin:
    """The program → negotiation."""


class Negotiator(ThreadingActor):
    """The brand of all negotiations, or the supplier."""

    def __init__(self, move_s: float, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._move_s = move_s
        self._loop = loop

    def on_receive(self, mail: DraftMove) -> None:
        """Make a move."""
        answer = MoveDrafted(draft(mail.seq))
        if self._move_s:
            wait = partial(self._loop.call_later, self._move_s, mail.reply_to.tell, answer)
            self._loop.call_soon_threadsafe(wait)
        else:
            mail.reply_to.tell(answer)


class Negotiation(ThreadingActor):
    """One negotiation."""

    def __init__(
        self,
        negotiation_id: str,
        negotiators: dict[str, Ref],
        writer: Writer[Ref],
        ended: threading.Semaphore,
    ) -> None:
        super().__init__()
        self._id = negotiation_id
        self._negotiators = negotiators
        self._writer = writer
        self._ended = ended
        self._seq = 0

    def on_receive(self, mail: Begin | MoveDrafted | MessageSaved) -> None:
        """Ask for one move after the other, each once the last is on disk."""
        match mail:
            case MoveDrafted(draft=drafted):
                self._writer.write(row(self._id, self._seq, drafted), self.actor_ref)
            case Begin() | MessageSaved():
                self._go_on()

    def _go_on(self) -> None:
        if self._seq == MESSAGES:
            self._ended.release()
            return
        self._seq += 1
        self._negotiators[sender_of(self._seq)].tell(DraftMove(self._seq, self.actor_ref))


def tell_saved(waiting: list[Ref]) -> None:
    """What the writer does after each transaction."""
    for negotiation in waiting:
        negotiation.tell(MessageSaved())


def run(database: Path, negotiations: int, move_s: float) -> Taken:
    """All negotiations at the same time; the threads are there before."""
    ids = negotiation_ids(negotiations)
    create(database, ids)
    ended = threading.Semaphore(0)
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    negotiators = {sender: Negotiator.start(move_s, loop) for sender in SENDERS}
    with Writer(database, tell_saved) as writer:
        started = [Negotiation.start(each, negotiators, writer, ended) for each in ids]
        with measured() as taken:
            for negotiation in started:
                negotiation.tell(Begin())
            for _ in started:
                ended.acquire()
        actors: list[Ref] = [*started, *negotiators.values()]
        for actor in actors:
            actor.stop(block=False)
    return taken


if __name__ == "__main__":
    report(run)
