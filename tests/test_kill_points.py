"""`kill -9` at every commit of a negotiation: before it, in it, and before anybody hears of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dying import AFTER, LONG, PLACES, SCENARIOS, SOON, Diary, Fates, Order, negotiate, rows_of
from inspection import faults
from keepsake import Keepsake, disobeyed, lost, taken, torn
from said_anew import strays

from storage.records import NegotiationId
from storage.store import Store

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no kill -9 here")

COLUMNS = ("seq", "sender", "content", "move", "terms", "accepts_seq", "origin")


@pytest.fixture(scope="module")
def fates() -> Iterator[Fates]:
    process = Fates()
    yield process
    process.close()


def transcript(folder: Path) -> list[Any]:
    return [tuple(row[name] for name in COLUMNS) for row in rows_of(folder, "messages")]


def whole(folder: Path, scenario: str, fates: Fates) -> tuple[list[Any], int]:
    """What is said when nobody dies, and in how many transactions."""
    folder.mkdir()
    assert list(fates.of([Order(str(folder), scenario)])) == [0]
    (transactions,) = Diary(folder).told("transactions")
    return transcript(folder), transactions


def what_is_wrong(folder: Path, before: Keepsake, scenario: str) -> list[str]:
    """After all is over: what was lost, invented, doubled or left lying."""
    database = folder / "parley.db"
    after = taken(database)
    wrong = [*lost(before, after), *disobeyed(before, after), *torn(after), *faults(database)]
    wrong += [f"{key} goes on" for key in (*after.active, *after.unfinished)]
    store = Store(database, read_only=True)
    for key in after.negotiations:
        wrong += strays(store.load(NegotiationId(key)))
    for row in after.interventions.values():
        said = [m for m in after.messages.values() if m["sender"] == "user"]
        if (row["status"], len(said)) != ("applied", 1):
            wrong.append(f"{row['status']} for {row['reason']}, with {len(said)} user messages")
        elif row["applied_seq"] != row["message_seq"] + 1:
            wrong.append("the brand did not speak next")
    return [f"{scenario}: {each}" for each in wrong]


def untold(folder: Path, left: Keepsake) -> list[str]:
    """What somebody was told and is not on disk."""
    diary = Diary(folder)
    saved = {(row["seq"], row["content"]) for row in left.messages.values()}
    shown = [f"{each} was shown" for each in diary.told("shown") if tuple(each) not in saved]
    given = [f"{each} given" for each in diary.told("receipt") if each not in left.interventions]
    return shown + given


@pytest.mark.parametrize("scenario", sorted(SCENARIOS.keys() - {LONG.name, SOON.name}))
def test_killed_at_any_commit_it_goes_on_as_if_it_had_not_been(
    tmp_path: Path, scenario: str, fates: Fates
) -> None:
    said, transactions = whole(tmp_path / "whole", scenario, fates)
    unguided, _ = whole(tmp_path / "unguided", SCENARIOS[scenario].without_guidance, fates)
    orders = [
        Order(str(tmp_path / f"{place} {number}"), scenario, number, place)
        for number in range(1, transactions + 1)
        for place in PLACES
    ]
    for order in orders:
        Path(order.folder).mkdir()
    # the quote, its negotiation, each message, and the row of a person who steps in
    assert transactions == 2 + len(said) + (SCENARIOS[scenario].side is not None)

    waited = 0
    for order, fate in zip(orders, fates.of(orders), strict=True):
        folder = Path(order.folder)
        assert fate == -signal.SIGKILL, order
        left = taken(folder / "parley.db")
        assert untold(folder, left) == [], order
        waited += bool(left.waiting)

        negotiate(folder, SCENARIOS[scenario])

        assert what_is_wrong(folder, left, scenario) == [], order
        if not left.interventions:
            assert transcript(folder) == unguided, order
        elif SCENARIOS[scenario].interrupts:
            assert transcript(folder) == said, order

    assert bool(waited) is (SCENARIOS[scenario].side is not None)


@pytest.mark.parametrize("scenario", [LONG.name, "limits while the brand drafts"])
def test_killed_at_each_commit_one_after_the_other_it_still_gets_there(
    tmp_path: Path, scenario: str, fates: Fates
) -> None:
    said, transactions = whole(tmp_path / "whole", scenario, fates)
    folder = tmp_path / "again and again"
    folder.mkdir()
    left = Keepsake()

    lives = 0
    # the first transaction of a life that goes on is the load, so each has one of its own
    while (left.unfinished or not left.quotes) and lives < 3 * transactions:
        lives += 1
        order = Order(str(folder), scenario, 2 if left.negotiations else 1, AFTER)
        assert list(fates.of([order])) == [-signal.SIGKILL]
        before, left = left, taken(folder / "parley.db")
        assert [*lost(before, left), *torn(left), *untold(folder, left)] == []

    assert what_is_wrong(folder, left, scenario) == []
    assert lives == transactions
    assert transcript(folder) == said
