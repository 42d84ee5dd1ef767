"""What the number of messages in a database does to what people and programs do with it.

    python tests/benchmarks/growth.py [--keep] [runs=5] [smallest=1000] [largest=1000000]
        [more=200]

Prints one JSON line: for databases of 10³ to 10⁶ messages the medians, measured in turn, of

- `show`: what the face reads of one negotiation of 10 messages; `show_command` in a terminal;
- `list`: what the command reads, the newest 50 quotes and how many there are; `list_command`;
  `list_command_open`, only those that negotiate; `list_each`: one quote, when the face reads all;
- `start`: until the system is ready, on a database that was opened before;
- `message`: one more message: a negotiation of 200 between stand-ins that answer at once, from its
  start to its end, divided by its messages; the median of five; `message_at_once` right after the
  start, when the engine still looks at the pages of a large database.

`_ratio` is the largest database to the smallest; the aim is at most 1.5. A database is one that
grew by use: every 20 messages are a quote more, completed, with two suppliers and 10 messages each;
and one quote goes on in each of them. So `list` shows 50 quotes at every size. The aim concerns the
commands: `list` and `list_each`, the reading alone, grow, because SQLite finds the newest in an
index of all quotes and counts them (10 ms for 50,000), and reading all leaves more to clear away.

The first 20 messages are played; the others are copies of them under ids of their own, with the
hashes that go with these. `verify` has nothing to say of the smallest two databases, and none lost
a row in the end.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent.parent)]

from benchmarks.haggling import Haggler, haggling_config, haggling_quote
from benchmarks.kept import arguments, publish, size
from benchmarks.multiplied import counted, multiply
from verified import faults

from actors.commands.lookups import NEWEST
from actors.monitoring.selection import Selection
from actors.reading import Reading
from actors.system import NegotiationSystem
from storage.records import NegotiationId, QuoteId
from storage.store import Store

MAIN = Path(__file__).parent.parent.parent / "main.py"
MESSAGES = 10
"""Of each negotiation."""
SUPPLIERS = 2
"""Of each completed quote."""
STEP = 10
"""How many times larger each database is than the one before."""
REPEATS = 20
"""How often what takes milliseconds is done for one figure."""
NEGOTIATIONS = 5
"""How many are added to a database each time; the median counts."""
FIGURES = (
    "show_ms",
    "show_command_s",
    "list_ms",
    "list_each_us",
    "list_command_s",
    "list_command_open_s",
    "start_s",
    "message_ms",
    "message_at_once_ms",
)


def played(database: Path, suppliers: int) -> tuple[QuoteId, NegotiationId]:
    """A database of one quote, completed, and of one that is left open."""
    with _started(database, suppliers) as system:
        quote = system.create_quote(haggling_quote(notes="Completed"))
        system.start_negotiations(quote.id)
        negotiations = system.wait(quote.id)
        waiting = system.create_quote(haggling_quote(notes="Goes on"))
        system.start_negotiations(waiting.id, automatic=False)
        system.wait(waiting.id)
    assert {each.message_count for each in negotiations} == {MESSAGES}
    return quote.id, negotiations[0].id


def _started(database: Path, suppliers: int = 1, messages: int = MESSAGES) -> NegotiationSystem:
    config, stand_in = haggling_config(suppliers, messages), Haggler(messages)
    return NegotiationSystem.start(config, database=database, brand=stand_in, suppliers=stand_in)


class Grown:
    """A database of some size, and what is measured on it."""

    def __init__(self, folder: Path, times: int, more: int) -> None:
        """Make it.

        Args:
            times: How many completed quotes it holds.
            more: Messages of a negotiation that is added later.
        """
        self.path = folder / f"{times}.db"
        quote_id, self.shown = played(self.path, SUPPLIERS)
        multiply(self.path, quote_id, times - 1)
        with _started(self.path):
            pass  # what is first is done
        self.rows = counted(self.path)
        self.quotes = times + 1
        self._more = more

    def turn(self) -> dict[str, float]:
        """Each once, by the name of the figure."""
        store = Store(self.path, read_only=True)
        reading = Reading(store)
        engine = self._engine()  # first: who has just read all quotes has a large heap
        return {
            **engine,
            "show_ms": 1000 * _seconds(lambda: reading.loaded(self.shown), REPEATS),
            "show_command_s": self._command("show", self.shown),
            "list_ms": 1000 * _seconds(lambda: _listed(store), REPEATS),
            "list_each_us": 1_000_000 * _seconds(reading.quotes, 1) / self.quotes,
            "list_command_s": self._command("list"),
            "list_command_open_s": self._command("list", "--status", "negotiating"),
        }

    def _command(self, *words: str) -> float:
        command = [sys.executable, str(MAIN), *words, "--database", str(self.path)]
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - began

    def _engine(self) -> dict[str, float]:
        began = time.perf_counter()
        with _started(self.path, messages=self._more) as system:
            ready = time.perf_counter()
            at_once = self._message_ms(system)
            for thread in threading.enumerate():
                if thread.name == "parley-inspector":
                    thread.join()
            later = self._message_ms(system)
        return {"start_s": ready - began, "message_ms": later, "message_at_once_ms": at_once}

    def _message_ms(self, system: NegotiationSystem) -> float:
        took = [self._one_more(system) for _ in range(NEGOTIATIONS)]
        return 1000 * statistics.median(took) / self._more

    def _one_more(self, system: NegotiationSystem) -> float:
        """Seconds of a further negotiation."""
        self.rows += self._more
        self.quotes += 1
        quote = system.create_quote(haggling_quote(notes="One more"))
        began = time.perf_counter()
        system.start_negotiations(quote.id)
        (negotiation,) = system.wait(quote.id)
        took = time.perf_counter() - began
        assert negotiation.message_count == self._more
        return took


def _listed(store: Store) -> None:
    """Read what `list` shows."""
    all_quotes = Selection()
    all_quotes.quotes(store, NEWEST)
    all_quotes.count(store)


def _seconds(work: Callable[[], object], repeats: int) -> float:
    began = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - began) / repeats


def check(grown: Sequence[Grown]) -> None:
    """Nothing is lost, and the smallest ones are as if they had been played."""
    for each in grown:
        assert counted(each.path) == each.rows, each.path
        assert len(Store(each.path, read_only=True).quotes()) == each.quotes
    for each in grown[:2]:
        assert faults(each.path) == [], faults(each.path)[:3]


def main(arguments: Sequence[str]) -> None:
    """Measure all sizes in turn, so that the machine's mood hits each of them."""
    runs = int(size(arguments, "runs", 5))
    smallest = int(size(arguments, "smallest", 1_000))
    largest = int(size(arguments, "largest", 1_000_000))
    more = int(size(arguments, "more", 200))
    sizes = [smallest]
    while sizes[-1] * STEP <= largest:
        sizes.append(sizes[-1] * STEP)
    took: dict[int, list[dict[str, float]]] = {each: [] for each in sizes}
    with tempfile.TemporaryDirectory() as folder:
        of_quote = SUPPLIERS * MESSAGES
        grown = {each: Grown(Path(folder), each // of_quote, more) for each in sizes}
        for run in range(runs + 1):
            for each, database in grown.items():
                figures = database.turn()
                if run > 0:  # the first one warms the disk's cache
                    took[each].append(figures)
        check(list(grown.values()))
    publish({"benchmark": "growth", "runs": runs, "smallest": sizes[0], **told(took)}, arguments)


def told(took: Mapping[int, Sequence[Mapping[str, float]]]) -> dict[str, float]:
    """Medians by figure and size, and the ratio of the largest to the smallest."""
    found: dict[str, float] = {"largest": max(took)}
    for name in FIGURES:
        medians = {
            each: statistics.median(one[name] for one in runs) for each, runs in took.items()
        }
        figure, unit = name.rsplit("_", 1)
        for each, median in medians.items():
            found[f"{figure}_at_{each}_{unit}"] = round(median, 3)
        found[f"{figure}_ratio"] = round(medians[max(took)] / medians[min(took)], 2)
    return found


if __name__ == "__main__":
    main(arguments())
