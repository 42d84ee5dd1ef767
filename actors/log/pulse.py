"""Pulse: says every few seconds that the system lives, and how much it has to do.

It lives on the loop as all actors do: when something holds that, no heartbeat comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_never

from actors.log.log_events import Heartbeat
from actors.mailbox import Beat, CountDrafts, DraftsCounted, PulseMail, Ref
from actors.runtime import LoopActor, Restart, say
from actors.saves import Committed, WatchCommits
from storage.terms.kind import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Whose mailboxes are counted."""

    coordinator: Ref
    brand: Ref
    supplier: Ref
    persistence: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Commits:
    """What is known of the transactions since the heartbeat before."""

    count: int = 0
    last_s: float | None = None
    """Of the one before, as long as there is none."""
    longest_s: float = 0.0

    def and_one(self, seconds: float) -> Commits:
        """With one more."""
        rounded = round(seconds, 6)
        longest_s = max(self.longest_s, rounded)
        return Commits(count=self.count + 1, last_s=rounded, longest_s=longest_s)


class Pulse(LoopActor):
    """Asks for what it can't know by mail; a heartbeat costs the same however much goes on."""

    def __init__(
        self, watched: Watched, standing: Callable[[], tuple[int, int]], every_s: float
    ) -> None:
        """Beat for the first time after `every_s` seconds.

        Args:
            standing: How many negotiations are active, and how many of them parked.
        """
        super().__init__()
        self._watched = watched
        self._standing = standing
        self._every_s = every_s
        self._timer: asyncio.TimerHandle | None = None
        self._counted: dict[Side, DraftsCounted] = {}
        self._commits = Commits()
        self._queued = 0
        """What Persistence has taken from its mailbox and not saved yet, after its last commit."""

    def on_start(self) -> None:
        """Ask to be told of each commit."""
        watch = WatchCommits(watcher=self.actor_ref)
        say(self._watched.persistence, watch, self.loop.events)
        self._later()

    def on_stop(self) -> None:
        """Leave no timer."""
        if self._timer is not None:
            self._timer.cancel()

    def on_receive(self, mail: PulseMail) -> None:
        """Handle one piece of mail."""
        match mail:
            case Committed(seconds=seconds, queued=queued):
                self._commits = self._commits.and_one(seconds)
                self._queued = queued
            case Beat():
                self._later()
                self._ask()
            case DraftsCounted(side=side):
                self._counted[side] = mail
                if len(self._counted) == len(Side):
                    self._tell()
            case Restart():
                pass  # its timer runs on
            case _:
                assert_never(mail)

    def _later(self) -> None:
        self._timer = self.loop.later(self._every_s, self._beat)

    def _beat(self) -> None:
        say(self.actor_ref, Beat(), self.loop.events)

    def _ask(self) -> None:
        self._counted = {}
        for agent in (self._watched.brand, self._watched.supplier):
            say(agent, CountDrafts(reply_to=self.actor_ref), self.loop.events)

    def _tell(self) -> None:
        active, parked = self._standing()
        counted, self._counted = self._counted.values(), {}
        commits, self._commits = self._commits, Commits(last_s=self._commits.last_s)
        watched = self._watched
        coordinator = _depth(watched.coordinator)
        agents = _depth(watched.brand) + _depth(watched.supplier)
        # all mail on the loop is waited for by a turn; what is nobody else's is the negotiations'
        others = self.loop.waiting - coordinator - agents - _depth(self.actor_ref)
        oldest_s = [each.oldest_s for each in counted if each.oldest_s is not None]
        self.loop.events.emit(
            Heartbeat(
                active=active,
                parked=parked,
                drafts=sum(each.drafts for each in counted),
                oldest_draft_s=round(max(oldest_s), 3) if oldest_s else None,
                mailbox_coordinator=coordinator,
                mailbox_agents=agents,
                mailbox_negotiations=max(0, others),
                mailbox_persistence=_depth(watched.persistence) + self._queued,
                commits=commits.count,
                commit_s=commits.last_s,
                longest_commit_s=commits.longest_s if commits.count else None,
            )
        )


def _depth(actor: Ref) -> int:
    inbox: Any = actor.actor_inbox
    depth: int = inbox.qsize()
    return depth
