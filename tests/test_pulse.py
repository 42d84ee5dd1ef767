"""The heartbeat: says that the system lives and what it has to do, whatever happens or doesn't."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import Heard
from factories import make_config, make_supplier, quote_fields
from probe import PATIENCE_S, Probe
from serving import until

from actors.config import Config
from actors.log.log_events import Heartbeat
from actors.log.pulse import Pulse, Watched
from actors.log.settings import LogSettings
from actors.mailbox import Beat, CountDrafts, DraftsCounted, Ref
from actors.negotiators.scripted import Scripted
from actors.runtime import LoopThread, Restart
from actors.saves import Committed, WatchCommits
from actors.system import NegotiationSystem
from storage.terms.kind import Side

NEVER_S = 3600.0
"""So that only a test has it beat."""


class Scene:
    """A pulse, and probes in place of those whose mailboxes it counts."""

    def __init__(self, loop: LoopThread, heard: Heard, every_s: float = NEVER_S) -> None:
        self.heard = heard
        self.brand, self.supplier, self.coordinator, self.persistence, self.guardian = (
            Probe(loop) for _ in range(5)
        )
        self.standing = (0, 0)
        watched = Watched(
            coordinator=self.coordinator.ref,
            brand=self.brand.ref,
            supplier=self.supplier.ref,
            persistence=self.persistence.ref,
        )
        self.pulse: Ref = Pulse.start(
            watched, lambda: self.standing, every_s, loop=loop, supervisor=self.guardian.ref
        )

    def beats(self, brand: tuple[int, float | None], supplier: tuple[int, float | None]) -> None:
        """Have it beat, and each agent answer with its drafts and the seconds of the oldest."""
        self.pulse.tell(Beat())
        self.answers(Side.BRAND, self.brand, *brand)
        self.answers(Side.SUPPLIER, self.supplier, *supplier)
        self.pulse.ask(Restart(), timeout=PATIENCE_S)  # behind all that was told before

    @staticmethod
    def answers(side: Side, agent: Probe, drafts: int, oldest_s: float | None) -> None:
        counted = DraftsCounted(side=side, drafts=drafts, oldest_s=oldest_s)
        agent.next(CountDrafts).reply_to.tell(counted)

    @property
    def told(self) -> list[dict[str, Any]]:
        return [event.facts() for event in self.heard if isinstance(event, Heartbeat)]


@pytest.fixture
def scene(loop: LoopThread, heard: Heard) -> Scene:
    return Scene(loop, heard)


def test_it_tells_what_stands_and_what_both_agents_draft(scene: Scene) -> None:
    scene.standing = (7, 2)
    scene.beats((3, 1.5), (4, 2.25))

    (told,) = scene.told
    assert (told["active"], told["parked"]) == (7, 2)
    assert (told["drafts"], told["oldest_draft_s"]) == (7, 2.25)


def test_what_there_is_none_of_is_left_out(scene: Scene) -> None:
    scene.beats((0, None), (0, None))

    (told,) = scene.told
    assert told["drafts"] == told["commits"] == 0
    assert told.keys().isdisjoint({"oldest_draft_s", "commit_s", "longest_commit_s"})


def test_it_says_nothing_before_both_have_answered(scene: Scene) -> None:
    scene.pulse.tell(Beat())
    scene.answers(Side.BRAND, scene.brand, 1, 0.0)
    scene.pulse.ask(Restart(), timeout=PATIENCE_S)

    assert scene.told == []

    scene.answers(Side.SUPPLIER, scene.supplier, 1, 0.0)
    scene.pulse.ask(Restart(), timeout=PATIENCE_S)

    assert len(scene.told) == 1


def test_commits_are_told_of_since_the_heartbeat_before(scene: Scene) -> None:
    assert scene.persistence.next(WatchCommits).watcher == scene.pulse
    for seconds in (0.001, 0.5, 0.002):
        scene.pulse.tell(Committed(seconds=seconds, queued=0))
    for _ in range(2):
        scene.beats((0, None), (0, None))
    scene.pulse.tell(Committed(seconds=0.003, queued=0))
    scene.beats((0, None), (0, None))

    figures = [
        (told["commits"], told["commit_s"], told.get("longest_commit_s")) for told in scene.told
    ]
    assert figures == [(3, 0.002, 0.5), (0, 0.002, None), (1, 0.003, 0.003)]


def test_what_persistence_has_taken_from_its_mailbox_and_not_saved_waits_too(scene: Scene) -> None:
    for queued in (836, 0):
        scene.pulse.tell(Committed(seconds=0.001, queued=queued))
        scene.beats((0, None), (0, None))

    waits = [told["mailbox_persistence"] for told in scene.told]
    assert [one - waits[1] for one in waits] == [836, 0]


def test_mail_that_waits_is_counted_by_who_it_waits_for(loop: LoopThread, scene: Scene) -> None:
    others = Probe(loop)
    scene.pulse.tell(Beat())
    requests = [scene.brand.next(CountDrafts), scene.supplier.next(CountDrafts)]
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        release.wait(PATIENCE_S)

    loop._loop.call_soon_threadsafe(hold)
    held.wait(PATIENCE_S)  # from now on nobody handles mail
    for side, request in zip((Side.BRAND, Side.SUPPLIER), requests, strict=True):
        request.reply_to.tell(DraftsCounted(side=side, drafts=0, oldest_s=None))
    for probe, count in (
        (scene.coordinator, 2),
        (scene.brand, 3),
        (scene.supplier, 4),
        (others, 5),
        (scene.persistence, 6),
    ):
        for _ in range(count):
            probe.ref.tell(None)
    release.set()
    until(lambda: scene.told)

    (told,) = scene.told
    assert told["mailbox_coordinator"] == 2
    assert told["mailbox_agents"] == 7
    assert told["mailbox_negotiations"] == 5 + 6  # here Persistence is a probe on the loop, too
    assert told["mailbox_persistence"] == 6


def test_it_goes_on_after_a_failure_of_its_own(loop: LoopThread, heard: Heard) -> None:
    scene = Scene(loop, heard, every_s=0.01)
    scene.pulse.tell("a bug")
    scene.pulse.tell(Restart())
    scene.brand.until(CountDrafts)

    scene.pulse.stop(timeout=PATIENCE_S)


def test_it_leaves_no_timer_behind(loop: LoopThread, heard: Heard) -> None:
    scene = Scene(loop, heard, every_s=0.001)
    scene.brand.until(CountDrafts)
    scene.pulse.stop(timeout=PATIENCE_S)
    scene.brand.all()
    loop._loop.call_soon_threadsafe(lambda: None)

    assert scene.brand.is_silent
    assert not heard.of("mail.undeliverable")


def beating(heartbeat_s: float = 0.01) -> Config:
    config = make_config([make_supplier(n) for n in (1, 2)], retry_pause_s=0.0)
    return config.model_copy(update={"log": LogSettings(heartbeat_s=heartbeat_s)})


def test_it_beats_while_nothing_happens_and_not_after_the_end(tmp_path: Path) -> None:
    heard = Heard()
    with NegotiationSystem.start(beating(), database=tmp_path / "x.db") as system:
        system.subscribe(heard.append)
        until(lambda: len(heard.of("system.heartbeat")) > 3)

    assert {event.name for event in heard[:-2]} == {"system.heartbeat"}
    assert [event.name for event in heard[-2:]] == ["system.stopped", "run.finished"]


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    with NegotiationSystem.start(beating(0), database=tmp_path / "x.db") as system:
        assert system._pulse is None


def test_it_tells_of_what_is_parked_drafted_and_ended(tmp_path: Path) -> None:
    heard = Heard()
    gate = threading.Event()

    class Waits:
        def next_move(self, _: object) -> dict[str, str]:
            gate.wait(PATIENCE_S)
            return {"move": "walk_away", "text": "No."}

    def latest() -> Heartbeat | None:
        beats = [event for event in heard if isinstance(event, Heartbeat)]
        return beats[-1] if beats else None

    suppliers = {"supplier-1": Waits(), "supplier-2": Scripted(RuntimeError("no"))}
    with NegotiationSystem.start(
        beating(), database=tmp_path / "x.db", suppliers=suppliers
    ) as system:
        system.subscribe(heard.append)
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)
        until(lambda: (beat := latest()) and (beat.active, beat.parked, beat.drafts) == (2, 1, 1))
        until(lambda: (beat := latest()) and (beat.oldest_draft_s or 0) > 0.05)
        gate.set()
        system.wait(quote.id, PATIENCE_S)
        until(lambda: (beat := latest()) and (beat.active, beat.parked, beat.drafts) == (1, 1, 0))


def test_it_beats_while_nothing_can_be_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.database.BUSY_TIMEOUT_S", 0.02)
    monkeypatch.setattr("actors.persistence.LONGEST_PAUSE_S", 0.02)
    heard = Heard()
    with NegotiationSystem.start(beating(), database=tmp_path / "x.db") as system:
        quote = system.create_quote(quote_fields())
        system.subscribe(heard.append)
        with closing(sqlite3.connect(tmp_path / "x.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            starting = threading.Thread(target=system.start_negotiations, args=(quote.id,))
            starting.start()
            until(lambda: heard.of("save.retried"))
            beats = len(heard.of("system.heartbeat"))
            until(lambda: len(heard.of("system.heartbeat")) > beats + 3)
            other.rollback()
        starting.join(PATIENCE_S)
        system.wait(quote.id, PATIENCE_S)
        until(
            lambda: any(
                (event.facts().get("longest_commit_s") or 0) > 0.02
                for event in heard.of("system.heartbeat")
            )
        )
