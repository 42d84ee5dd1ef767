"""What one event costs with the log on: `message.saved`, to a plain file and to one that rotates.

    python tests/benchmarks/events.py [--keep] [runs=9] [events=20000] [active=10000]

Prints one JSON line: median microseconds of CPU over 9 runs of 20,000 events each, every one a
write of its own and counted for the totals, as when nothing is gathered; the same within bursts of
50; and the median ratio of the first to `orjson.dumps` and `os.write` of the same line in the same
run. Beside it the CPU of a heartbeat while 10,000 negotiations are active and draft.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent.parent)]

import orjson
from benchmarks.kept import arguments, publish, size
from factories import make_config, make_supplier, quote_fields

from actors.event_stream import EventStream
from actors.log.log_events import Heartbeat
from actors.log.settings import LogSettings
from actors.log.totals import Totals
from actors.mailbox import Beat
from actors.negotiation_events import MessageSavedEvent
from actors.system import NegotiationSystem
from storage.records import NegotiationId, QuoteId, SupplierId

EVENTS = 20_000
RUNS = 9
BURST = 50
ACTIVE = 10_000
SAVED = MessageSavedEvent(
    quote_id=QuoteId("q-45db45f2b9c38e3d"),
    negotiation_id=NegotiationId("n-b43d7141bfe4c41b"),
    supplier_id=SupplierId("supplier-1"),
    seq=4,
    sender="supplier",
    move="offer",
    origin="tactics",
    rounds=2,
    total="43300.00",
    currency="USD",
)


def cpu_us(work: Callable[[], object], events: int) -> float:
    """Microseconds of this thread's CPU for each of so many events."""
    began = time.thread_time()
    work()
    return (time.thread_time() - began) / events * 1e6


def measured(runs: int = RUNS, events: int = EVENTS) -> dict[str, object]:
    """Measure all in turn, so that the machine's mood hits each of them."""
    took = [_turn(events) for _ in range(runs)]
    medians = {f"{name}_us": round(statistics.median(t[name] for t in took), 2) for name in took[0]}
    ratio = statistics.median(turn["event"] / turn["bare"] for turn in took)
    return {
        "benchmark": "events",
        "runs": runs,
        "events": events,
        **medians,
        "ratio": round(ratio, 2),
    }


def _turn(events: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = _stream(folder / "own.jsonl")
        rotating = _stream(folder / "rotating.jsonl", LogSettings(max_megabytes=1.0))
        bare = os.open(folder / "bare.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        facts = {"ts": "2026-11-26T11:25:18.795583Z", "level": SAVED.level, "event": SAVED.name}
        line = facts | {"run_id": own.run_id} | SAVED.facts()

        def each(do: Callable[[], object]) -> Callable[[], None]:
            def work() -> None:
                for _ in range(events):
                    do()

            return work

        def bursts() -> None:
            for _ in range(events // BURST):
                with own.burst():
                    for _ in range(BURST):
                        own.emit(SAVED)

        took = {
            "event": cpu_us(each(lambda: own.emit(SAVED)), events),
            "in_a_burst": cpu_us(bursts, events),
            "rotating": cpu_us(each(lambda: rotating.emit(SAVED)), events),
            "bare": cpu_us(each(lambda: os.write(bare, orjson.dumps(line) + b"\n")), events),
        }
        os.close(bare)
        own.close()
        rotating.close()
        return took


def _stream(path: Path, settings: LogSettings | None = None) -> EventStream:
    stream = EventStream(path, settings)
    stream.subscribe(Totals().hear)
    return stream


class Thinks:
    """Answers long after all is measured."""

    async def next_move(self, _: object) -> Any:
        await asyncio.sleep(3600)


def heartbeat_us(active: int = ACTIVE, beats: int = 100) -> float:
    """Microseconds of the whole process's CPU for a heartbeat while so many drafts are open."""
    suppliers = 100
    config = make_config([make_supplier(n) for n in range(1, suppliers + 1)])
    config = config.model_copy(update={"log": LogSettings(heartbeat_s=3600)})
    with (
        tempfile.TemporaryDirectory() as name,
        NegotiationSystem.start(config, database=Path(name) / "x.db", brand=Thinks()) as system,
    ):
        told: list[Heartbeat] = []
        system.subscribe(lambda e: told.append(e) if isinstance(e, Heartbeat) else None)
        for _ in range(active // suppliers):
            system.start_negotiations(system.create_quote(quote_fields()).id)
        assert system._pulse is not None
        while not told or told[-1].drafts < active:
            system._pulse.tell(Beat())
            time.sleep(0.1)
        told.clear()
        began = time.process_time()
        for number in range(beats):
            system._pulse.tell(Beat())
            while len(told) <= number:
                time.sleep(0.001)
        return (time.process_time() - began) / beats * 1e6


def main(arguments: Sequence[str]) -> None:
    """Measure, and print one line."""
    active = int(size(arguments, "active", ACTIVE))
    found = measured(
        int(size(arguments, "runs", RUNS)), events=int(size(arguments, "events", EVENTS))
    )
    heartbeat = {"active": active, "heartbeat_us": round(heartbeat_us(active))}
    publish(found | heartbeat, arguments)


if __name__ == "__main__":
    main(arguments())
