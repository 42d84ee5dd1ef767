"""`--follow` and the filters of `list` and `show`: each record once, and again when it changes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from factories import make_config, make_supplier, quote_fields
from serving import ENVIRONMENT, PATIENCE_S, ROOT, command, new_quote, serving, until

from actors.errors import InputError
from actors.monitoring.following import Piece, follow
from actors.monitoring.selection import Selection
from actors.system import NegotiationSystem
from storage.errors import DatabaseLost, DatabaseUnavailable, UnknownRecord
from storage.records import NegotiationId, QuoteId
from storage.store import Store

ALL = Selection()
TWO = make_config([make_supplier(n) for n in (1, 2)])


@pytest.fixture
def system(tmp_path: Path) -> Iterator[NegotiationSystem]:
    with NegotiationSystem.start(TWO, database=tmp_path / "parley.db") as system:
        yield system


@pytest.fixture
def reader(system: NegotiationSystem, tmp_path: Path) -> Store:
    return Store(tmp_path / "parley.db", read_only=True)


def started(system: NegotiationSystem, *, automatic: bool = True) -> tuple[QuoteId, NegotiationId]:
    quote = system.create_quote(quote_fields())
    first, _ = system.start_negotiations(quote.id, automatic=automatic)
    return quote.id, first.id


def nouns(pieces: Sequence[Piece]) -> list[str]:
    return [piece.noun for piece in pieces]


# Following


def test_a_conversation_is_told_message_by_message_and_ends_with_its_ending(
    system: NegotiationSystem, reader: Store
) -> None:
    _, negotiation_id = started(system)

    *said, ending = follow(reader, negotiation_id, ALL)

    assert nouns(said) == ["message"] * len(said)
    assert [piece.record["seq"] for piece in said] == list(range(1, len(said) + 1))
    assert len(said) == len(system.messages(negotiation_id))
    assert (ending.noun, ending.record["status"]) == ("negotiation", "completed")


def test_guidance_is_told_as_it_is_received_and_as_it_is_settled(
    system: NegotiationSystem, reader: Store
) -> None:
    quote_id, negotiation_id = started(system, automatic=False)
    system.wait(quote_id)
    pieces = follow(reader, negotiation_id, ALL)
    assert nouns([next(pieces)]) == ["message"]

    system.add_user_intervention("Hurry.", negotiation_id=negotiation_id)

    told: list[Piece] = []
    while not told or told[-1].record.get("status") != "applied":
        told.append(next(pieces))
    assert nouns(told).count("message") == 2
    assert told[-1].noun == "intervention"


def test_a_quote_is_told_until_all_of_it_has_ended(
    system: NegotiationSystem, reader: Store
) -> None:
    quote_id, _ = started(system)

    pieces = list(follow(reader, quote_id, ALL))

    last = {piece.key: piece.record["status"] for piece in pieces}
    assert set(last.values()) == {"completed"}
    assert len(last) == 3
    assert pieces[-1].noun == "quote"


def test_all_quotes_are_told_as_they_come_and_change(
    system: NegotiationSystem, reader: Store
) -> None:
    first = system.create_quote(quote_fields())
    pieces = follow(reader, None, ALL)
    assert next(pieces).record["id"] == first.id

    second = system.create_quote(quote_fields())
    assert next(pieces).record["id"] == second.id
    system.cancel_quote(first.id)

    changed = next(pieces).record
    assert (changed["id"], changed["status"]) == (first.id, "cancelled")


def test_what_was_selected_is_told_on_when_it_is_so_no_more(
    system: NegotiationSystem, reader: Store
) -> None:
    quote_id, negotiation_id = started(system, automatic=False)
    system.wait(quote_id)
    active = follow(reader, quote_id, Selection(statuses=["active"], suppliers=["supplier-1"]))
    pending = follow(reader, None, Selection(statuses=["negotiating"]))
    assert [next(active).key, next(active).noun, next(pending).key] == [
        *(negotiation_id, "quote", quote_id)
    ]

    system.cancel_quote(quote_id)
    system.wait(quote_id)

    told = [(piece.key, piece.record["status"]) for piece in active]
    assert told == [(negotiation_id, "impasse"), (quote_id, "cancelled")]
    assert next(pending).record["status"] == "cancelled"


def test_a_receipt_is_told_until_it_is_settled(system: NegotiationSystem, reader: Store) -> None:
    quote_id, negotiation_id = started(system, automatic=False)
    system.wait(quote_id)
    receipt = system.add_user_intervention("Hurry.", negotiation_id=negotiation_id)
    assert not isinstance(receipt, list)

    *_, settled = follow(reader, receipt.id, ALL)

    assert settled.record["status"] == "applied"


def test_what_is_committed_while_it_looks_is_told_at_the_next_look(
    system: NegotiationSystem, reader: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = system.create_quote(quote_fields())
    look = reader.quotes
    late: list[str] = []

    def quotes() -> list[Any]:
        seen = look()
        if not late:
            late.append(system.create_quote(quote_fields()).id)
        return seen

    monkeypatch.setattr(reader, "quotes", quotes)

    told = islice(follow(reader, None, ALL), 2)

    assert [piece.record["id"] for piece in told] == [first.id, *late]


def test_what_ends_while_it_looks_is_told_to_its_last_message(
    system: NegotiationSystem, reader: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    quote_id, negotiation_id = started(system, automatic=False)
    system.wait(quote_id)
    look = reader.messages

    def messages(*asked: Any, **options: Any) -> list[Any]:
        seen = look(*asked, **options)
        system.add_user_intervention(action="walk_away", quote_id=quote_id)
        system.wait(quote_id)
        monkeypatch.setattr(reader, "messages", look)
        return seen

    monkeypatch.setattr(reader, "messages", messages)

    told = [piece for piece in follow(reader, negotiation_id, ALL) if piece.noun == "message"]

    assert [piece.record["seq"] for piece in told] == [1, 2, 3]


def test_a_message_is_read_once(
    system: NegotiationSystem, reader: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    quote_id, negotiation_id = started(system)
    look, read = reader.messages, []

    def messages(*asked: Any, **options: Any) -> list[Any]:
        seen = look(*asked, **options)
        read.extend(seen)
        return seen

    monkeypatch.setattr(reader, "messages", messages)
    assert list(follow(reader, negotiation_id, ALL))
    system.wait(quote_id)

    assert [message.seq for message in read] == [m.seq for m in system.messages(negotiation_id)]


def test_a_database_that_goes_away_ends_it(
    system: NegotiationSystem, reader: Store, tmp_path: Path
) -> None:
    system.create_quote(quote_fields())
    pieces = follow(reader, None, ALL)
    next(pieces)
    (tmp_path / "parley.db").rename(tmp_path / "elsewhere.db")

    with pytest.raises(DatabaseLost):
        next(pieces)
    with pytest.raises(DatabaseUnavailable):
        next(follow(reader, None, ALL))


@pytest.mark.parametrize("record_id", ["q-0", "n-0", "i-0"])
def test_what_there_is_not_can_not_be_followed(reader: Store, record_id: str) -> None:
    with pytest.raises(UnknownRecord):
        next(follow(reader, record_id, ALL))


# Filters


def test_a_supplier_is_chosen_by_id_or_by_name(system: NegotiationSystem) -> None:
    quote_id, _ = started(system)
    quote, negotiations = system.quote(quote_id), system.negotiations(quote_id)

    def chosen(*names: str) -> list[str]:
        return [n.supplier_id for n in Selection(suppliers=names).negotiations(quote, negotiations)]

    assert chosen("supplier-2") == chosen("Supplier 2") == ["supplier-2"]
    assert chosen("Supplier 2", "supplier-1") == ["supplier-1", "supplier-2"]
    with pytest.raises(InputError, match=r"does not ask 'x'.*supplier-1, supplier-2"):
        chosen("x", "supplier-1")


def test_what_is_parked_is_not_active_to_who_looks(system: NegotiationSystem) -> None:
    quote_id, _ = started(system, automatic=False)
    system.wait(quote_id)
    quote = system.quote(quote_id)
    first, second = system.negotiations(quote_id)
    both = [first, second.model_copy(update={"last_error": "no move"})]

    def chosen(*statuses: str) -> list[str]:
        return [n.id for n in Selection(statuses=statuses).negotiations(quote, both)]

    assert chosen("active") == [first.id]
    assert chosen("parked") == [second.id]
    assert chosen("active", "parked") == [first.id, second.id]
    assert chosen("impasse") == []


def test_the_commands_choose_and_say_what_they_can_not_choose(tmp_path: Path) -> None:
    assert command(tmp_path, "run").returncode == 0
    (quote,) = json.loads(command(tmp_path, "list", "--status", "completed", "--json").stdout)
    assert json.loads(command(tmp_path, "list", "--status", "pending", "--json").stdout) == []
    chosen = command(tmp_path, "show", quote["id"], "--supplier", "Supplier 2", "--json")
    (negotiation,) = json.loads(chosen.stdout)["negotiations"]
    assert negotiation["supplier_id"] == "supplier-2"

    for arguments, told in (
        (["show", quote["id"], "--supplier", "x"], "does not ask 'x': supplier-1, "),
        (["show", negotiation["id"], "--status", "active"], "choose among a quote's negotiations"),
        (["list", "--status", "active"], "invalid choice: 'active'"),
    ):
        refused = command(tmp_path, *arguments)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert told in refused.stderr
        assert "Traceback" not in refused.stderr


# As a person does


def test_a_running_engine_is_followed_to_the_end_for_programs(tmp_path: Path) -> None:
    with serving(tmp_path, "--pace", "0.05"):
        quote_id = new_quote(tmp_path)

        followed = command(tmp_path, "show", quote_id, "--follow", "--json")

    lines = [json.loads(line) for line in followed.stdout.splitlines()]
    assert (followed.returncode, followed.stderr) == (0, "")
    assert lines[-1]["quote"]["status"] == "completed"
    ended = [line["negotiation"] for line in lines[:-1] if "negotiation" in line]
    assert sum(one["status"] == "completed" for one in ended) == 3


def test_ctrl_c_ends_it_quietly_and_every_line_was_out_at_once(tmp_path: Path) -> None:
    quote_id = new_quote_in(tmp_path)
    with listing(tmp_path) as following:
        assert following.stdout is not None
        assert quote_id in following.stdout.readline()
        other = new_quote_in(tmp_path)
        assert other in following.stdout.readline()

        following.send_signal(signal.SIGINT)

        assert following.communicate(timeout=PATIENCE_S) == ("", "")
        assert following.returncode == 130


def test_a_reader_that_has_seen_enough_ends_it(tmp_path: Path) -> None:
    new_quote_in(tmp_path)
    with listing(tmp_path) as following:
        assert following.stdout is not None
        assert following.stderr is not None
        following.stdout.readline()
        following.stdout.close()

        new_quote_in(tmp_path)

        assert until(lambda: following.poll() is not None)
        assert (following.returncode, following.stderr.read()) == (0, "")


def listing(folder: Path) -> subprocess.Popen[str]:
    """`list --follow` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), "list", "--follow"],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def new_quote_in(folder: Path) -> str:
    return str(json.loads(command(folder, "add", "--json").stdout)["written"]["id"])
