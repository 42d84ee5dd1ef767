"""Actors that die from inside at random moments, and what becomes of their negotiations.

`python tests/deaths.py [NEGOTIATIONS [SEED]]` has handlers of every kind of actor raise at random
in a run of 100 negotiations, before or after they have done their work, then has Persistence meet
an error that it can't handle, and recovers. It prints a table of who died how often, and exits 1 if
anything moves no more without a reason, or `inspection` finds a fault.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from factories import make_config, make_supplier, quote_fields
from verified import faults

from actors.agents import BrandAgent, SupplierAgent
from actors.coordinator import Coordinator
from actors.errors import ParleyError, SystemHalted
from actors.events import ActorFailedEvent, Event
from actors.runtime import Restart
from actors.supplier_negotiation import SupplierNegotiation
from actors.system import NegotiationSystem
from storage.errors import QuoteNotPending
from storage.ledger import Ledger
from storage.records import Negotiation, NegotiationStatus, QuoteId, is_parked

ACTORS = (BrandAgent, SupplierAgent, Coordinator, SupplierNegotiation)
SUPPLIERS = 20
"""Of one quote."""
PATIENCE_S = 20.0
OFTEN = {
    "BrandAgent": 0.02,
    "SupplierAgent": 0.02,
    "Coordinator": 0.05,
    "SupplierNegotiation": 0.02,
}
RULES: dict[str, Any] = {"retry_pause_s": 0.01, "draft_retries": 5, "move_timeout_s": 0.2}


class Bug(Exception):
    """What no handler should raise."""


@dataclass
class Deaths:
    """How often each kind of mail is the last that its actor handles."""

    chance: random.Random
    often: Mapping[str, float]
    """By actor, the share of its mail that is deadly."""
    most: int = sys.maxsize
    """Deaths after which nobody dies any more."""
    counted: Counter[str] = field(default_factory=Counter)
    causes: list[str] = field(default_factory=list)
    """The actor's class of each."""

    def strikes(self, actor: str) -> bool:
        """Whether the actor dies of the mail at hand."""
        return len(self.causes) < self.most and self.chance.random() < self.often.get(actor, 0.0)

    def strike(self, actor: str, mail: object, when: str) -> Bug:
        """Note a death, and return what to raise."""
        self.causes.append(actor)
        self.counted[f"{actor} {when} {type(mail).__name__}"] += 1
        return Bug(f"{actor} {when} {type(mail).__name__}")


@contextmanager
def deadly(deaths: Deaths, *actors: type[Any]) -> Iterator[None]:
    """Have handlers of these actors raise; their very first mail, and restarts, are spared."""
    sound = {actor: actor.on_receive for actor in actors}
    for actor, on_receive in sound.items():
        actor.on_receive = _mortal(actor.__name__, on_receive, deaths)
    try:
        yield
    finally:
        for actor, on_receive in sound.items():
            actor.on_receive = on_receive


def _mortal(name: str, on_receive: Callable[..., Any], deaths: Deaths) -> Callable[..., Any]:
    def dies(self: Any, mail: Any) -> Any:
        if isinstance(mail, Restart) or not deaths.strikes(name):
            return on_receive(self, mail)
        if deaths.chance.random() < 0.5:
            raise deaths.strike(name, mail, "before")
        on_receive(self, mail)
        raise deaths.strike(name, mail, "after")

    return dies


@contextmanager
def deadly_ledger(method: str, after: int) -> Iterator[None]:
    """Have one of the ledger's methods raise, once it was called that often."""
    sound = getattr(Ledger, method)
    calls = 0

    def dies(self: Ledger, *args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > after:
            raise Bug(f"{method} number {calls}")
        return sound(self, *args, **options)

    setattr(Ledger, method, dies)
    try:
        yield
    finally:
        setattr(Ledger, method, sound)


def wait(system: NegotiationSystem, quote_id: QuoteId, give_up_at: float) -> list[Negotiation]:
    """Wait for a quote; who is told that the Coordinator has failed asks again."""
    while True:
        try:
            return system.wait(quote_id, give_up_at - time.monotonic())
        except ParleyError:
            if time.monotonic() > give_up_at:
                raise


def stuck(negotiations: list[Negotiation]) -> list[Negotiation]:
    """Those that neither have ended nor say why nothing moves them."""
    return [n for n in negotiations if n.status is NegotiationStatus.ACTIVE and not is_parked(n)]


def play(folder: Path, negotiations: int, deaths: Deaths) -> dict[str, Any]:
    """A run in which all kinds of actors die; nothing that was negotiated may be lost."""
    suppliers = min(SUPPLIERS, negotiations)
    config = make_config([make_supplier(n) for n in range(1, suppliers + 1)], **RULES)
    told: list[Event] = []
    database = folder / "parley.db"
    give_up_at = time.monotonic() + PATIENCE_S
    with NegotiationSystem.start(config, database=database) as system:
        system.subscribe(told.append)
        quotes = [system.create_quote(quote_fields()).id for _ in range(negotiations // suppliers)]
        with deadly(deaths, *ACTORS):
            for quote_id in quotes:
                begin(system, quote_id, give_up_at)
            ended = [one for each in quotes for one in wait(system, each, give_up_at)]
    failed = [event for event in told if isinstance(event, ActorFailedEvent)]
    told_of = Counter(one.actor for one in failed if one.error.startswith("Bug at deaths.py:"))
    return {
        "negotiations": len(ended),
        "ended": sum(one.status is not NegotiationStatus.ACTIVE for one in ended),
        "parked": sum(map(is_parked, ended)),
        "stuck": len(stuck(ended)),
        "deaths": len(deaths.causes),
        "deaths not told": (Counter(deaths.causes) - told_of).total(),
        "faults": len(faults(database)),
    }


def begin(system: NegotiationSystem, quote_id: QuoteId, give_up_at: float) -> None:
    """Start a quote; a start that was lost with the Coordinator is asked for again."""
    while not system.negotiations(quote_id):
        try:
            system.start_negotiations(quote_id)
        except (ParleyError, QuoteNotPending):  # it may be under way
            if time.monotonic() > give_up_at:
                raise


def halt(folder: Path, method: str, after: int) -> dict[str, Any]:
    """A run in which Persistence meets a bug, and the next engine, which goes on."""
    config = make_config([make_supplier(n) for n in range(1, 6)], **RULES)
    database = folder / f"{method}.db"
    halted: list[str] = []

    def waits(call: Callable[[], object]) -> None:
        try:
            call()
        except SystemHalted as error:
            halted.append(str(error))

    with NegotiationSystem.start(config, database=database) as system:
        quotes = [system.create_quote(quote_fields()).id for _ in range(4)]
        with deadly_ledger(method, after):
            callers = [
                threading.Thread(target=waits, args=[lambda q=quote_id: begin_and_wait(system, q)])
                for quote_id in quotes
            ]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join(PATIENCE_S)
    with NegotiationSystem.start(config, database=database, recover=True) as system:
        for quote in system.quotes():
            if quote.status == "pending":
                system.start_negotiations(quote.id)
        ended = [one for quote_id in quotes for one in system.wait(quote_id, PATIENCE_S)]
    return {
        "bug in": method,
        "callers told": f"{len(halted)} of {len(callers)}",
        "why": sorted(set(halted)),
        "ended after recovery": sum(one.status is not NegotiationStatus.ACTIVE for one in ended),
        "faults": len(faults(database)),
    }


def begin_and_wait(system: NegotiationSystem, quote_id: QuoteId) -> None:
    """What a caller does."""
    system.start_negotiations(quote_id)
    system.wait(quote_id)


def run(negotiations: int = 100, seed: int = 1) -> int:
    """Print what became of all, and return the exit code."""
    deaths = Deaths(random.Random(seed), OFTEN)
    with tempfile.TemporaryDirectory() as folder:
        result = play(Path(folder), negotiations, deaths)
        halts = [
            halt(Path(folder), *bug)
            for bug in (("open_negotiations", 2), ("append_all", 5), ("check_place", 5))
        ]
    for what, count in sorted(deaths.counted.items()):
        print(f"{count:5} {what}")
    print(result)
    for each in halts:
        print(each)
    return 1 if result["stuck"] or result["faults"] or result["deaths not told"] else 0


if __name__ == "__main__":
    sys.exit(run(*map(int, sys.argv[1:])))
