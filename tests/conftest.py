"""What all tests share: no actor outlives its test, and no setting of the machine leaks in."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakSet

import pytest

from actors.event_stream import EventStream
from actors.events import Event
from actors.runtime import LoopThread
from actors.system import NegotiationSystem
from storage.ledger import Ledger


@pytest.fixture(autouse=True)
def clean_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("PARLEY_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_actor_outlives_its_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    systems: WeakSet[NegotiationSystem] = WeakSet()  # one that runs is held by its own threads
    build = NegotiationSystem.__init__

    def remembered(self: NegotiationSystem, *args: object) -> None:
        build(self, *args)  # type: ignore[arg-type]
        systems.add(self)

    monkeypatch.setattr(NegotiationSystem, "__init__", remembered)
    yield
    for system in list(systems):
        system.stop()
    ours = [t.name for t in threading.enumerate() if t.name.startswith(("parley-loop", "Persist"))]
    assert not ours, f"left running: {ours}"


class Heard(list[Event]):
    """All events of a stream, in order."""

    def of(self, name: str) -> list[Event]:
        return [event for event in self if event.name == name]


@pytest.fixture
def events() -> EventStream:
    return EventStream()


@pytest.fixture
def heard(events: EventStream) -> Heard:
    heard = Heard()
    events.subscribe(heard.append)
    return heard


@pytest.fixture
def loop(events: EventStream) -> Iterator[LoopThread]:
    thread = LoopThread(events)
    yield thread
    thread.stop()


@pytest.fixture
def store(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "parley.db")
