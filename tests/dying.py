"""Negotiations whose process kills itself at a chosen commit, as `kill -9` would.

`python tests/dying.py` reads orders, a JSON line each, runs each in a child process of its own
until that is dead, and answers with a line. It has loaded everything and started no thread, so a
child is there at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from factories import make_config, make_supplier, quote_fields
from serving import ENVIRONMENT, ROOT

import actors.system
from actors.config import Config
from actors.events import Event
from actors.mechanism.views import SupplierView
from actors.negotiation_events import InterventionHeard
from actors.negotiators import catalog
from actors.negotiators.tactics import Tactics
from actors.system import NegotiationSystem
from storage.ledger import Ledger
from storage.records import QuoteStatus

PATIENCE_S = 20.0
TURNS = 50
"""Turns of the loop in which whoever was told too early would long have spoken."""
BEFORE, HALFWAY, INSIDE, AFTER = "before BEGIN", "halfway", "before COMMIT", "before the receipt"
PLACES = (BEFORE, HALFWAY, INSIDE, AFTER)
"""Where in a transaction a process may die: halfway is before the second statement that writes."""
WRITES = ("INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One negotiation, and where a person steps into it, if anywhere."""

    name: str
    limit: str = "8.00"
    """The brand's own; a supplier's is 6.00."""
    max_rounds: int = 2
    side: str | None = None
    """Who is drafting an answer to the other's first message when the person steps in."""
    guidance: tuple[tuple[str, Any], ...] = ()

    @property
    def interrupts(self) -> bool:
        """Whether the draft under way is dropped: what was not heard yet changes nothing then."""
        return self.side == "brand" or "text" not in dict(self.guidance)

    @property
    def without_guidance(self) -> str:
        """The same one with nobody stepping in."""
        return self.name if self.side is None else SOON.name

    @property
    def config(self) -> Config:
        """One supplier."""
        return make_config([make_supplier()], max_rounds=self.max_rounds)


SOON = Scenario("soon agreed")
"""What those into which somebody steps are without that."""
LONG = Scenario("a long one", limit="6.20", max_rounds=8)
SCENARIOS = {
    each.name: each
    for each in (
        SOON,
        Scenario("agreed by the brand", max_rounds=3),
        LONG,
        Scenario("no deal is possible", limit="5.50"),
        Scenario(
            "text while the supplier drafts",
            side="supplier",
            guidance=(("text", "Tell them that we are in a hurry."),),
        ),
        Scenario(
            "limits while the brand drafts",
            side="brand",
            guidance=(("limits", {"unit_price": "7.00", "lead_time_days": 40}),),
        ),
        Scenario(
            "limits while the supplier drafts",
            side="supplier",
            guidance=(("limits", {"unit_price": "7.00"}),),
        ),
        Scenario(
            "accepted by the person",
            side="brand",
            guidance=(("action", "accept"), ("accepts_seq", 2), ("limits", {"unit_price": "9.50"})),
        ),
    )
}


class Diary:
    """What was shown to whoever drafts, and which receipts were given out: it outlives all."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "diary.jsonl"

    def note(self, **facts: Any) -> None:
        """Write a line at once."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")

    def told(self, what: str) -> list[Any]:
        """All that was noted of one kind."""
        lines = self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else []
        return [facts[what] for facts in map(json.loads, lines) if what in facts]


class Guided(Tactics):
    """Tactics, in the midst of whose draft a person steps in; it also tells what it is shown."""

    loop: asyncio.AbstractEventLoop | None = None
    """Where the negotiation moves, as soon as somebody was asked for a move."""

    def __init__(self, scenario: Scenario, diary: Diary) -> None:
        self._scenario = scenario
        self._diary = diary
        self._heard = asyncio.Event()
        self.system: NegotiationSystem | None = None

    def hear(self, event: Event) -> None:
        """Hear, on the loop, that the negotiation has heard of it."""
        if isinstance(event, InterventionHeard):
            self._heard.set()

    async def next_move(self, view: Any) -> Any:
        Guided.loop = asyncio.get_running_loop()
        for message in view.messages:
            self._diary.note(shown=[message.seq, message.content])
        side = "supplier" if isinstance(view, SupplierView) else "brand"
        here = (side, len(view.messages)) == (self._scenario.side, 1 + (side == "brand"))
        if here and await asyncio.to_thread(self._step_in):
            if self._scenario.interrupts:
                await asyncio.Event().wait()  # this draft is dropped
            await self._heard.wait()
        return await super().next_move(view)

    def _step_in(self) -> bool:
        """Unless it was done before, in this life or in another."""
        assert self.system is not None
        (negotiation,) = self.system.negotiations(self.system.quotes()[0].id)
        if self.system.interventions(negotiation.id):
            return False
        guidance: dict[str, Any] = dict(self._scenario.guidance)
        receipt = self.system.add_user_intervention(negotiation_id=negotiation.id, **guidance)
        assert not isinstance(receipt, list)
        self._diary.note(receipt=receipt.id)
        return True


class Mortal(Ledger):
    """A ledger that takes its process along at one of its transactions."""

    number, place = 0, BEFORE
    """Which transaction of the process, from 1, and where in it; set before there is one."""
    begun = 0
    """How many transactions there were."""
    written = 0
    """How many statements of the last one wrote."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        Mortal.begun += 1  # one at a time: whoever steps in is waited for
        is_last = Mortal.begun == self.number
        if is_last:
            self._reach(BEFORE)
        with super().transaction():
            if is_last and self.place == HALFWAY:
                connection: sqlite3.Connection = self._database.connection()  # type: ignore[no-untyped-call]
                connection.set_trace_callback(self._begin_statement)
            yield
            if is_last:
                self._reach(HALFWAY)  # there was but one statement
                self._reach(INSIDE)
        if is_last:
            self._reach(AFTER)

    def _begin_statement(self, statement: str) -> None:
        self.written += statement.lstrip().startswith(WRITES)
        if self.written > 1:
            self._reach(HALFWAY)

    def _reach(self, place: str) -> None:
        if place != self.place:
            return
        if place == INSIDE and Guided.loop is not None:
            # nobody may have been told yet: whoever was speaks now, and it is noted
            asyncio.run_coroutine_threadsafe(_turns(), Guided.loop).result(PATIENCE_S)
        os.kill(os.getpid(), signal.SIGKILL)


async def _turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class Order:
    """Where a child is to die."""

    folder: str
    scenario: str
    number: int = 0
    """Of the transaction; 0 and it lives to the end."""
    place: str = BEFORE


def negotiate(folder: Path, scenario: Scenario, guided: Guided | None = None) -> None:
    """Begin the one quote of a folder, or go on with it, as a host program does after a crash."""
    with NegotiationSystem.start(scenario.config, database=folder / "parley.db") as system:
        if guided is not None:
            guided.system = system
            system.subscribe(guided.hear)
        system.recover()
        quotes = system.quotes()
        quote = quotes[0] if quotes else system.create_quote(quote_fields(limit=scenario.limit))
        if quote.status is QuoteStatus.PENDING:
            system.start_negotiations(quote.id)
        system.wait(quote.id, PATIENCE_S)


def live(order: Order) -> None:
    """Negotiate in this process until it dies, or to the end."""
    folder, scenario = Path(order.folder), SCENARIOS[order.scenario]
    guided = Guided(scenario, Diary(folder))
    Mortal.number, Mortal.place = order.number, order.place
    vars(catalog)["Tactics"] = lambda: guided
    vars(actors.system)["Ledger"] = Mortal
    negotiate(folder, scenario, guided)
    Diary(folder).note(transactions=Mortal.begun)


def _fate(order: Order) -> int:
    """What became of a child: 0, or the negative number of the signal that killed it."""
    child = os.fork()
    if child == 0:
        try:
            live(order)
        except BaseException:  # noqa: BLE001 - nothing of the parent's may go on in here
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Fates:
    """The process in which children are born to die; their orders are carried out one by one."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            # it imports what the caller does
            env={**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests")))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def of(self, orders: Sequence[Order]) -> Iterator[int]:
        """What became of each; it goes on with the next ones while the caller looks at one."""
        to, back = self._process.stdin, self._process.stdout
        assert to is not None
        assert back is not None
        to.write("".join(json.dumps(asdict(order)) + "\n" for order in orders))
        to.flush()
        for _ in orders:
            yield int(back.readline())

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


Rows = list[Mapping[str, Any]]


def rows_of(folder: Path, table: str) -> Rows:
    """All rows of a table in the order in which they came; none where there is no database."""
    if not (folder / "parley.db").exists():
        return []
    with closing(sqlite3.connect(folder / "parley.db")) as database:
        database.row_factory = sqlite3.Row
        # S608: the names are our own
        return [dict(row) for row in database.execute(f"SELECT * FROM {table} ORDER BY rowid")]  # noqa: S608


def main() -> None:
    """Carry out orders until there are no more."""
    for line in sys.stdin:
        sys.stdout.write(f"{_fate(Order(**json.loads(line)))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
