"""A server that fails in every way, at every message, and what becomes of the negotiations.

`python tests/model_faults.py` has each fault strike once at each message, then for ever from each
message on, then 30 % of all calls at random in 100 negotiations; it looks at the databases with
`inspection` and prints what happened.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from competent import ModelRequest, competent
from factories import make_supplier, quote_fields
from model_server import Effect, Fault, ModelServer
from modelled import model_config, models, negotiated, rows
from verified import faults

from storage.records import Negotiation, is_parked

ROUNDS = 3
MESSAGES = 2 * ROUNDS + 1
"""Of the longest conversation; the last is the brand's closing move."""
ATTEMPTS = 4
SHARE = 0.3
"""Of the calls that fail in the random part; a hundredth of them for good."""

Strikes = Callable[[ModelRequest], Fault | None]


@dataclass
class Said:
    """What the server answered: nothing else may be on disk as a model's words."""

    texts: set[str] = field(default_factory=set)
    lock: Lock = field(default_factory=Lock)

    def answer(self, request: ModelRequest) -> Any:
        content = competent(request)
        with self.lock:
            self.texts.add(content["text"])
        return content


@dataclass
class Tally:
    """What happened, over several systems."""

    negotiations: int = 0
    agreed: int = 0
    impasse: int = 0
    parked: int = 0
    calls: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    most_attempts: int = 0
    faults: list[str] = field(default_factory=list)

    def table(self) -> str:
        """All counts, aligned."""
        table: list[tuple[str, object]] = [
            ("negotiations", self.negotiations),
            ("… agreed", self.agreed),
            ("… in impasse", self.impasse),
            ("… parked, with a reason", self.parked),
            ("calls", self.calls),
            *((f"… {outcome}", count) for outcome, count in sorted(self.outcomes.items())),
            *((f"struck: {fault.what}", self.struck[fault.name]) for fault in Fault),
            *((f"parked: {reason}", count) for reason, count in sorted(self.reasons.items())),
            ("most attempts for one draft", self.most_attempts),
            ("lost, doubled or invented", len(self.faults)),
        ]
        return "\n".join(f"{name:66}{count:>7,}" for name, count in table)


def once_at(plan: dict[str, tuple[Fault, int]]) -> Strikes:
    """Each supplier's fault strikes once, at its message."""
    done: set[str] = set()

    def strike(request: ModelRequest) -> Fault | None:
        fault, seq = plan[request.supplier]
        if next_seq(request) != seq or request.supplier in done:
            return None
        done.add(request.supplier)
        return fault

    return strike


def from_on(plan: dict[str, tuple[Fault, int]]) -> Strikes:
    """Each supplier's fault strikes always from its message on."""

    def strike(request: ModelRequest) -> Fault | None:
        fault, seq = plan[request.supplier]
        return fault if next_seq(request) >= seq else None

    return strike


def at_random(seed: int, *, without: Fault | None = None) -> Strikes:
    """Faults strike a share of all calls."""
    dice = random.Random(seed)
    passing = [f for f in Fault if f.effect is not Effect.FAIL_FAST and f is not without]
    final = [fault for fault in Fault if fault.effect is Effect.FAIL_FAST]

    def strike(_: ModelRequest) -> Fault | None:
        if dice.random() >= SHARE:
            return None
        return dice.choice(final if dice.random() < 0.01 else passing)

    return strike


def next_seq(request: ModelRequest) -> int:
    """The seq of the message that is asked for."""
    said = request.lines("conversation")
    return int(said[-1]["seq"]) + 1 if said else 1


def planned(chosen: Iterable[tuple[Fault, int]]) -> dict[str, tuple[Fault, int]]:
    """Which supplier gets which fault, and when."""
    return {f"Supplier {number}": each for number, each in enumerate(chosen, start=1)}


def play(
    database: Path, strikes: Strikes, suppliers: int, tally: Tally, *, timeout_s: float = 5.0
) -> list[Negotiation]:
    """Negotiate with so many suppliers while faults strike, and look for what must not be."""
    said = Said()

    def strike(request: ModelRequest) -> Fault | None:
        fault = strikes(request)
        if fault is not None:
            tally.struck[fault.name] += 1
        return fault

    with ModelServer(answer=said.answer, fault=strike, retry_after="0", slow_s=0.1) as server:
        config = model_config(
            server,
            [make_supplier(number) for number in range(1, suppliers + 1)],
            rules={"max_rounds": ROUNDS, "move_timeout_s": 60.0},
            attempts=ATTEMPTS,
            throttled_attempts=ATTEMPTS,
            attempt_timeout_s=timeout_s,
        )
        with models(database, config) as system:
            ended = negotiated(system, quote_fields(), timeout_s=540)
        tally.faults += [*faults(database), *_off_the_books(database, len(server.requests), said)]
    _count(database, ended, tally)
    return ended


def _off_the_books(database: Path, requests: int, said: Said) -> list[str]:
    """Calls that are not noted, and words that no model said."""
    (noted,) = rows(database, "SELECT count(*) FROM calls WHERE outcome <> 'disconnected'")
    (unheard,) = rows(database, "SELECT count(*) FROM calls WHERE outcome = 'disconnected'")
    told = rows(database, "SELECT content FROM messages WHERE origin = 'mistral'")
    return [
        *(f"invented: {content}" for content in told if content not in said.texts),
        *([] if noted <= requests <= noted + unheard else [f"{noted} calls, {requests} requests"]),
    ]


def _count(database: Path, ended: list[Negotiation], tally: Tally) -> None:
    tally.negotiations += len(ended)
    for negotiation in ended:
        if is_parked(negotiation):
            tally.parked += 1
            reason = negotiation.last_error or ""
            tally.reasons[reason.split(": ", 2)[-1]] += 1
        elif negotiation.agreed_terms:
            tally.agreed += 1
        elif negotiation.reason:
            tally.impasse += 1
        else:
            tally.faults.append(f"{negotiation.id} neither ended nor is parked")
    tally.outcomes.update(rows(database, "SELECT coalesce(outcome, 'unknown') FROM calls"))
    tally.calls += rows(database, "SELECT count(*) FROM calls")[0]
    (most,) = rows(database, "SELECT max(attempt) FROM calls")
    tally.most_attempts = max(tally.most_attempts, most)
    if most > 2 * ATTEMPTS - 1:
        tally.faults.append(f"{most} attempts for one draft")


def main() -> int:
    """Play all three parts and print their table; 1 when anything was lost or never happened."""
    tally = Tally()
    everywhere = planned((fault, seq) for fault in Fault for seq in range(1, MESSAGES + 1))
    with tempfile.TemporaryDirectory() as folder:
        play(Path(folder) / "once.db", once_at(everywhere), len(everywhere), tally)
        play(Path(folder) / "on.db", from_on(everywhere), len(everywhere), tally)
        play(Path(folder) / "random.db", at_random(1), 100, tally)
    sys.stdout.write(f"{tally.table()}\n")
    for fault in tally.faults:
        sys.stdout.write(f"{fault}\n")
    never = [fault.what for fault in Fault if not tally.struck[fault.name]]
    return 1 if tally.faults or never else 0


if __name__ == "__main__":
    sys.exit(main())
