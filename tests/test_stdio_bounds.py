"""What a session keeps for a peer that asks for much and reads nothing: so much and no more."""

from __future__ import annotations

import asyncio
import json
import os
import select
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from factories import make_config, make_supplier, quote_fields
from peer import Peer, session
from serving import until

from actors.stdio import session as sessions
from actors.stdio.protocol import Code
from actors.system import NegotiationSystem

MANY = 10_000
PIPE_HOLDS = 65536
"""Bytes that are written though nobody reads them."""
WHOLE = 4096
"""Bytes of which a pipe takes all or nothing."""
LONG = 10_000
"""Bytes of a long answer."""
MOST = 400_000


class Held:
    """Makes no move, ever."""

    async def next_move(self, view: Any) -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError(view)


class Looks:
    """Has long answers given for `messages`, and counts them."""

    def __init__(self, system: NegotiationSystem, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        monkeypatch.setattr(system, "messages", self._messages)

    def _messages(self, negotiation_id: str) -> str:
        self.count += 1
        return negotiation_id.ljust(LONG)


@pytest.fixture
def system(tmp_path: Path) -> NegotiationSystem:
    config = make_config([make_supplier(1), make_supplier(2)])
    return NegotiationSystem.start(config, database=tmp_path / "parley.db", brand=Held())


@pytest.fixture(autouse=True)
def bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_UNDER_WAY", MOST)
    monkeypatch.setattr(sessions, "MOST_HELD", MOST)
    monkeypatch.setattr(sessions, "LOOK_S", 0.001)


def call(method: str, params: Any = (), **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params, **more}


def raw(said: Any) -> bytes:
    return json.dumps(said).encode() + b"\n"


def fill(peer: Peer, line: bytes) -> int:
    """Write a line until no more is read of it, or many times; how often."""
    assert len(line) <= WHOLE
    sent = 0
    os.set_blocking(peer._output, False)
    while sent < MANY and select.select([], [peer._output], [], 1.0)[1]:
        with suppress(BlockingIOError):
            sent += os.write(peer._output, line) == len(line)
    os.set_blocking(peer._output, True)
    return sent


def test_no_more_is_read_of_a_peer_that_reads_no_answers(system: NegotiationSystem) -> None:
    with session(system) as (peer, ends):
        sent = fill(peer, b"1\n".rjust(3000))
        # both pipes are full, and what lies between them is bounded
        assert sent < MANY

        answered = [peer.next_line()["error"]["code"] for _ in range(sent)]

        assert answered == [Code.INVALID_REQUEST] * sent
        assert ends.empty()


def test_each_call_of_a_batch_counts_as_one_that_is_under_way(system: NegotiationSystem) -> None:
    quote = system.create_quote(quote_fields())
    system.start_negotiations(quote.id)
    with session(system) as (peer, _):
        waits = MOST // sessions.EACH_CALL + 1
        peer.raw(raw([call("wait", [quote.id], id=each) for each in range(waits)]))

        # never answered, so that only what is under way can stop it
        assert fill(peer, raw(call("unknown")).rjust(3000)) < MANY

        system.cancel_quote(quote.id)
        assert len(peer.next_line()) == waits


def test_no_look_is_begun_for_a_peer_that_does_not_read_what_others_found(
    system: NegotiationSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Looks(system, monkeypatch)
    with session(system) as (peer, _):
        sent = fill(peer, raw(call("messages", ["n-1"], id=1)))
        begun = looks.count

        answers = [peer.next_line()["id"] for _ in range(sent)]

    # one that goes beyond the bound, and one that was begun before it was counted
    assert begun <= (MOST + PIPE_HOLDS) // LONG + 2
    assert begun < sent
    assert answers == [1] * sent


def test_what_changes_something_is_done_for_a_peer_that_reads_nothing(
    system: NegotiationSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, asked = Looks(system, monkeypatch), 100
    with session(system) as (peer, _):
        creating = raw(call("create_quote", [quote_fields()], id="created"))
        peer.raw(raw(call("messages", ["n-1"], id=1)) * asked + creating)

        (quote,) = until(system.quotes)

        assert looks.count < asked
        assert peer.result("created")["id"] == quote.id
        assert [peer.find(lambda line: line["id"] == 1)["id"] for _ in range(asked)] == [1] * asked


def test_a_batch_that_finds_too_much_is_refused_the_rest_but_does_what_changes_something(
    system: NegotiationSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Looks(system, monkeypatch)
    ask = call("messages", ["n-1"], id=1)
    with session(system) as (peer, _):
        peer.raw(raw([ask] * 100 + [call("create_quote", [quote_fields()], id=2)]))
        *found, created = peer.next_line()

        refused = [each["error"] for each in found if "error" in each]

        assert 0 <= MOST // LONG - looks.count < 2
        assert len(refused) == 100 - looks.count
        assert {each["code"] for each in refused} == {Code.INVALID_REQUEST}
        assert "ask for less" in refused[0]["message"]
        assert created["result"]["id"] == system.quotes()[0].id

        # what was held is no longer
        peer.raw(raw([ask] * 10))
        assert [each["id"] for each in peer.next_line() if "result" in each] == [1] * 10
