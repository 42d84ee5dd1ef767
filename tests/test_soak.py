"""When all has ended nothing is left over: no thread, file or task, and nothing in the actors."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import make_config, make_supplier, quote_fields
from serving import until
from soak import drafts, kept, left, made, soak

from actors.agents import Agent
from actors.coordinator import Coordinator
from actors.errors import NegotiatorError
from actors.negotiators.scripted import Scripted
from actors.system import NegotiationSystem

PATIENCE_S = 20.0


def test_after_many_messages_no_thread_file_or_task_is_left_over(tmp_path: Path) -> None:
    result = soak(tmp_path, 40)

    assert result["messages"] == 2_000
    assert result["added"] == {"threads": 0, "files": 0, "tasks": 0}
    assert result["faults"] == 0


def test_of_quotes_that_are_over_the_actors_keep_nothing_but_which_were_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coordinators, agents = made(Coordinator, monkeypatch), made(Agent, monkeypatch)
    config = make_config([make_supplier(n) for n in (1, 2, 3)])
    with NegotiationSystem.start(config, database=tmp_path / "parley.db") as system:
        first = system.create_quote(quote_fields())
        system.start_negotiations(first.id)
        system.wait(first.id, PATIENCE_S)
        before = left(system)
        agreed, cancelled = (system.create_quote(quote_fields()) for _ in range(2))
        system.start_negotiations(agreed.id)
        system.start_negotiations(cancelled.id, automatic=False)
        system.wait(cancelled.id, PATIENCE_S)
        system.cancel_quote(cancelled.id)
        for quote in (agreed, cancelled):
            system.wait(quote.id, PATIENCE_S)
        until(lambda: left(system) == before)

        assert kept(coordinators[0]) == {"cancelled": 1}
        assert drafts(agents) == 0


def test_what_is_parked_keeps_no_draft_and_no_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agents = made(Agent, monkeypatch)
    config = make_config([make_supplier(n) for n in (1, 2, 3)], draft_retries=0)
    silent = Scripted(NegotiatorError("no line"))
    with NegotiationSystem.start(config, database=tmp_path / "parley.db", brand=silent) as system:
        quotes = [system.create_quote(quote_fields()) for _ in range(2)]
        system.start_negotiations(quotes[0].id)
        system.wait(quotes[0].id, PATIENCE_S)
        before = left(system)
        system.start_negotiations(quotes[1].id)
        system.wait(quotes[1].id, PATIENCE_S)
        until(lambda: left(system) == before)

        assert drafts(agents) == 0
