"""`list`: the newest quotes for a person, all of them for a program, or some by what they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from factories import NOON, make_quote

import main
from actors.commands.lookups import NEWEST
from storage.records import QuoteId
from storage.store import Store

List = Callable[..., str]


@pytest.fixture
def ids(tmp_path: Path) -> list[QuoteId]:
    """Three more than are shown, oldest first; the very first one is negotiating."""
    store = Store(tmp_path / "parley.db")
    quotes = [
        make_quote().model_copy(update={"created_at": NOON + timedelta(seconds=second)})
        for second in range(NEWEST + 3)
    ]
    for quote in quotes:
        store.add_quote(quote)
    store.start_quote(quotes[0].id, automatic=None)
    return [quote.id for quote in quotes]


@pytest.fixture
def listed(tmp_path: Path, ids: list[QuoteId], capsys: pytest.CaptureFixture[str]) -> List:
    """What `list` prints."""

    def listed(*options: str) -> str:
        assert main.main(["list", "--database", str(tmp_path / "parley.db"), *options]) == 0
        return capsys.readouterr().out

    return listed


def among(ids: list[QuoteId], shown: str) -> list[QuoteId]:
    return [quote_id for quote_id in ids if quote_id in shown]


def test_the_newest_are_shown_and_how_many_there_are_besides(
    listed: List, ids: list[QuoteId]
) -> None:
    shown = listed()

    assert among(ids, shown) == ids[3:]
    assert shown.splitlines()[-1] == "3 older not shown: --all shows them"


def test_what_is_shown_and_what_is_counted_are_of_one_instant(
    listed: List, ids: list[QuoteId], monkeypatch: pytest.MonkeyPatch
) -> None:
    count = Store.count_quotes

    def count_later(store: Store, **chosen: Any) -> int:
        """Another program's quote comes between the quotes and their number."""
        Store(store.path).add_quote(make_quote())
        return count(store, **chosen)

    monkeypatch.setattr(Store, "count_quotes", count_later)

    assert listed().splitlines()[-1] == "3 older not shown: --all shows them"
    assert listed().splitlines()[-1] == "4 older not shown: --all shows them"


def test_all_are_shown_when_asked_for(listed: List, ids: list[QuoteId]) -> None:
    shown = listed("--all")

    assert among(ids, shown) == ids
    assert "older" not in shown


def test_what_is_chosen_is_chosen_among_all_and_counted_alone(
    listed: List, ids: list[QuoteId]
) -> None:
    negotiating, pending = listed("--status", "negotiating"), listed("--status", "pending")

    assert among(ids, negotiating) == ids[:1]
    assert "older" not in negotiating
    assert among(ids, pending) == ids[3:]
    assert pending.splitlines()[-1] == "2 older not shown: --all shows them"


def test_a_program_gets_all_that_it_asks_for(listed: List, ids: list[QuoteId]) -> None:
    assert [quote["id"] for quote in json.loads(listed("--json"))] == ids
    assert [quote["id"] for quote in json.loads(listed("--json", "--all"))] == ids
    assert len(json.loads(listed("--json", "--status", "pending"))) == len(ids) - 1


@pytest.mark.parametrize("command", ["list", "show"])
def test_half_a_character_is_no_supplier(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main.main([command, "--supplier", "\udcff", *["q-1"] * (command == "show")])

    assert r"argument --supplier: no supplier: '\udcff'" in capsys.readouterr().err
