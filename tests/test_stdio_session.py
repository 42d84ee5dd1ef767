"""A session in this process: what it promises about order, waiting and its end."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from factories import make_config, make_supplier, quote_fields
from hypothesis import given, settings
from hypothesis import strategies as st
from peer import Peer, Refused, session
from serving import PATIENCE_S, until
from test_stdio_protocol import damaged

from actors.errors import InterventionError, QuoteError
from actors.events import SystemHaltedEvent
from actors.stdio import session as sessions
from actors.stdio.failures import CODES
from actors.stdio.methods import METHODS
from actors.stdio.protocol import LONGEST_LINE, Code
from actors.system import NegotiationSystem
from storage.errors import DatabaseUnavailable, QuoteEnded, QuoteNotPending, UnknownRecord

STOPPED, HALTED, TIMED_OUT, UNKNOWN = -32000, -32001, -32002, CODES[UnknownRecord]


class Held:
    """Makes no move, ever."""

    async def next_move(self, view: Any) -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError(view)


def started(folder: Path, **options: Any) -> NegotiationSystem:
    config = make_config([make_supplier(1), make_supplier(2)])
    return NegotiationSystem.start(config, database=folder / "parley.db", **options)


@pytest.fixture
def system(tmp_path: Path) -> NegotiationSystem:
    return started(tmp_path)


@pytest.fixture
def held(tmp_path: Path) -> NegotiationSystem:
    return started(tmp_path, brand=Held())


@pytest.fixture
def peer(system: NegotiationSystem) -> Iterator[Peer]:
    with session(system) as (peer, _):
        yield peer


def nested(depth: int) -> Any:
    """Lists in lists."""
    inner: Any = []
    for _ in range(depth):
        inner = [inner]
    return inner


def waiting_quote(peer: Peer) -> str:
    """A quote whose negotiations are under way."""
    quote_id: str = peer.call("create_quote", quote=quote_fields())["id"]
    peer.call("start_negotiations", quote_id=quote_id)
    return quote_id


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody else can write."""
    with closing(sqlite3.connect(folder / "parley.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield


# Calls


def test_a_whole_negotiation_by_calls(peer: Peer) -> None:
    quote = peer.call("create_quote", quote=quote_fields(notes="Soon."))
    opened = peer.call("start_negotiations", quote_id=quote["id"])
    ended = peer.call("wait", quote_id=quote["id"], timeout_s=PATIENCE_S)

    assert (quote["status"], quote["notes"]) == ("pending", "Soon.")
    assert [each["supplier_id"] for each in opened] == ["supplier-1", "supplier-2"]
    assert [each["id"] for each in ended] == [each["id"] for each in opened]
    assert {each["status"] for each in ended} == {"completed"}
    assert peer.call("quote", quote_id=quote["id"])["status"] == "completed"
    assert peer.call("negotiations", quote_id=quote["id"]) == ended
    messages = peer.call("messages", negotiation_id=ended[0]["id"])
    assert [each["seq"] for each in messages] == [*range(1, ended[0]["message_count"] + 1)]
    assert messages[-1]["terms"] == ended[0]["agreed_terms"]
    assert peer.call("calls", negotiation_id=ended[0]["id"]) == []
    assert peer.call("spending", quote_id=quote["id"]) == {}
    assert peer.call("verify")["faults"] == []


def test_an_intervention_is_received_and_then_applied(peer: Peer) -> None:
    quote_id = peer.call("create_quote", quote=quote_fields())["id"]
    first, second = peer.call("start_negotiations", quote_id=quote_id, automatic=False)
    peer.call("wait", quote_id=quote_id)

    receipt = peer.call(
        "add_user_intervention",
        text="Not above 7.00.",
        negotiation_id=first["id"],
        limits={"unit_price": "7.00"},
    )
    both = peer.call("add_user_intervention", text="Hurry.", quote_id=quote_id)
    peer.call("wait", quote_id=quote_id)

    assert receipt["status"] == "received"
    assert [each["negotiation_id"] for each in both] == [first["id"], second["id"]]
    settled = peer.call("intervention", intervention_id=receipt["id"])
    assert (settled["status"], settled["text"]) == ("applied", "Not above 7.00.")
    assert settled in peer.call("interventions", negotiation_id=first["id"])
    going_on = peer.call("continue_negotiation", quote_id=quote_id)
    assert going_on == [first["id"], second["id"]]
    assert peer.call("cancel_quote", quote_id=quote_id)["status"] == "cancelled"


def test_what_the_library_refuses_is_told_with_all_mistakes(peer: Peer) -> None:
    fields = quote_fields(currency="EURO", colour="blue")

    with pytest.raises(Refused) as refused:
        peer.call("create_quote", quote=fields)

    assert refused.value.code == -32020
    assert refused.value.data["error"] == "QuoteError"
    assert len(refused.value.data["mistakes"]) >= 2
    assert peer.call("quotes") == []


def test_a_quote_may_be_the_path_of_a_file(peer: Peer, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        peer.call("create_quote", quote=str(tmp_path / "missing.toml"))

    assert (refused.value.code, refused.value.data["error"]) == (-32020, "QuoteError")


def test_a_quote_s_path_that_would_be_waited_for_holds_nobody(peer: Peer, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(Refused, match="is no regular file"):
        peer.call("create_quote", quote=str(tmp_path / "pipe"))


def test_an_unknown_method_is_told_with_those_that_there_are(peer: Peer) -> None:
    with pytest.raises(Refused) as refused:
        peer.call("stop")

    assert refused.value.code == Code.METHOD_NOT_FOUND
    assert "shutdown" in str(refused.value)


def test_a_notification_is_done_and_never_answered_whatever_becomes_of_it(peer: Peer) -> None:
    for method in ("create_quote", "quote", "nope"):
        peer.raw(json.dumps({"jsonrpc": "2.0", "method": method}).encode() + b"\n")
    quote = peer.call("create_quote", quote=quote_fields())

    assert peer.kept == []
    # the sample asks for what these suppliers don't have, so the first was refused in silence
    assert [each["id"] for each in peer.call("quotes")] == [quote["id"]]


def test_a_batch_is_answered_in_one_line_without_its_notifications(peer: Peer) -> None:
    batch = [
        {"jsonrpc": "2.0", "method": "quotes", "id": "a"},
        {"jsonrpc": "2.0", "method": "quotes"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "nope", "id": "b"},
    ]
    peer.raw(json.dumps(batch).encode() + b"\n")

    answers = peer.next_line()

    assert [(each["id"], each.get("error", {}).get("code")) for each in answers] == [
        ("a", None),
        (None, Code.INVALID_REQUEST),
        ("b", Code.METHOD_NOT_FOUND),
    ]


def test_a_batch_of_notifications_alone_is_not_answered(peer: Peer) -> None:
    peer.raw(b'[{"jsonrpc":"2.0","method":"quotes"},{"jsonrpc":"2.0","method":"quotes"}]\n')

    peer.call("quotes")

    assert peer.kept == []


def test_bad_lines_are_answered_and_nothing_else_suffers(peer: Peer) -> None:
    for line in (b"{", b"\x00\xff", b"x" * (LONGEST_LINE + 1), b"[" * 5000):
        peer.raw(line + b"\n")
        answer = peer.next_line()
        assert (answer["id"], answer["error"]["code"]) == (None, Code.PARSE_ERROR)

    assert peer.call("quotes") == []


def test_a_line_of_just_the_longest_length_is_read(peer: Peer) -> None:
    line = json.dumps({"jsonrpc": "2.0", "method": "quotes", "id": 1}).encode()

    peer.raw(line.ljust(LONGEST_LINE) + b"\n")

    assert peer.find(lambda line: line.get("id") == 1)["result"] == []


def test_a_bug_is_told_as_one_and_standard_error_says_where_but_not_with_what(
    peer: Peer,
    system: NegotiationSystem,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    limit = "6.40"

    def quotes() -> None:
        raise KeyError(limit)

    monkeypatch.setattr(system, "quotes", quotes)

    with pytest.raises(Refused) as refused:
        peer.call("quotes")

    assert (refused.value.code, refused.value.data) == (Code.INTERNAL_ERROR, {"error": "KeyError"})
    assert "quotes" in caplog.text
    assert __file__ in caplog.text
    assert limit not in f"{caplog.text} {refused.value}"


# Order


def test_what_changes_something_is_done_in_the_order_in_which_it_came(peer: Peer) -> None:
    quote_id = peer.call("create_quote", quote=quote_fields())["id"]
    asked = [
        peer.send("start_negotiations", quote_id=quote_id, automatic=False),
        peer.send("cancel_quote", quote_id=quote_id),
        peer.send("wait", quote_id=quote_id),
        peer.send("cancel_quote", quote_id=quote_id),
    ]

    opened, cancelled, ended = [peer.result(call_id) for call_id in asked[:3]]

    assert [each["status"] for each in opened] == ["active"] * 2
    assert cancelled["status"] == "cancelled"
    assert [each["status"] for each in ended] == ["impasse"] * 2
    with pytest.raises(Refused) as refused:
        peer.result(asked[3])
    assert refused.value.data["error"] == "QuoteEnded"


def test_two_thousand_waits_hold_no_thread_and_no_other_call(held: NegotiationSystem) -> None:
    with session(held) as (peer, _):
        quote_id = waiting_quote(peer)
        threads = threading.active_count()
        waits = [peer.send("wait", quote_id=quote_id) for _ in range(2000)]

        assert peer.call("quote", quote_id=quote_id)["status"] == "negotiating"
        assert threading.active_count() == threads
        assert peer.kept == []

        peer.call("cancel_quote", quote_id=quote_id)
        for wait in waits:
            assert {each["reason"] for each in peer.result(wait)} == {"cancelled"}


def test_a_wait_that_takes_too_long_fails_and_harms_nothing(held: NegotiationSystem) -> None:
    with session(held) as (peer, _):
        quote_id = waiting_quote(peer)
        patient = peer.send("wait", quote_id=quote_id)

        with pytest.raises(Refused) as refused:
            peer.call("wait", quote_id=quote_id, timeout_s=0.01)

        assert (refused.value.code, str(refused.value)) == (
            TIMED_OUT,
            "something still moved after 0.01 s",
        )
        peer.call("cancel_quote", quote_id=quote_id)
        assert len(peer.result(patient)) == 2


def test_a_wait_for_a_quote_that_there_is_not_is_told_so_at_once(
    system: NegotiationSystem, tmp_path: Path
) -> None:
    quote = system.create_quote(quote_fields())
    with session(system) as (peer, _):
        with locked(tmp_path):
            starting = peer.send("start_negotiations", quote_id=quote.id)

            with pytest.raises(Refused) as refused:
                peer.call("wait", quote_id="q-none", timeout_s=PATIENCE_S)

            assert refused.value.code == UNKNOWN
            assert peer.kept == []  # what came before it is still under way
        assert len(peer.result(starting)) == 2


def test_a_wait_does_not_end_because_nobody_can_look_for_its_quote_now(
    held: NegotiationSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quote(*_: str, **__: str) -> None:
        raise DatabaseUnavailable("the disk is away")

    with session(held) as (peer, _):
        quote_id = waiting_quote(peer)
        monkeypatch.setattr(held, "quote", quote)
        wait = peer.send("wait", quote_id=quote_id)
        with pytest.raises(Refused, match="the disk is away"):
            peer.call("quote", quote_id=quote_id)
        peer.call("cancel_quote", quote_id=quote_id)

        assert {each["reason"] for each in peer.result(wait)} == {"cancelled"}


def test_a_locked_database_holds_no_call_that_only_reads(
    system: NegotiationSystem, tmp_path: Path
) -> None:
    with session(system) as (peer, _):
        quote_id = peer.call("create_quote", quote=quote_fields())["id"]
        with locked(tmp_path):
            starting = peer.send("start_negotiations", quote_id=quote_id)
            later = peer.send("create_quote", quote=quote_fields())

            assert peer.call("quote", quote_id=quote_id)["status"] == "pending"
            assert peer.call("verify")["faults"] == []
            assert peer.kept == []

        assert len(peer.result(starting)) == 2
        assert peer.result(later)["status"] == "pending"


def test_two_hundred_requests_in_flight_are_each_answered_once(peer: Peer) -> None:
    quote_id = waiting_quote(peer)
    methods: list[tuple[str, dict[str, Any]]] = [
        ("quote", {"quote_id": quote_id}),
        ("wait", {"quote_id": quote_id}),
        ("quote", {"quote_id": "q-none"}),
        ("nope", {}),
    ]
    asked = {peer.send(methods[n % 4][0], **methods[n % 4][1]): n % 4 for n in range(200)}

    answers = [peer.next_line() for _ in range(200)]

    assert sorted(each["id"] for each in answers) == sorted(asked)
    for answer in answers:
        code = answer.get("error", {}).get("code")
        assert code == (None, None, UNKNOWN, Code.METHOD_NOT_FOUND)[asked[answer["id"]]]


# Events


def test_events_are_told_with_the_names_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with started(tmp_path, log_file=log) as system, session(system) as (peer, _):
        peer.call("subscribe")
        quote_id = waiting_quote(peer)
        peer.event("quote.completed", quote_id=quote_id)
        told = [each["params"] for each in peer.kept if each.get("method") == "event"]

    logged = [json.loads(line) for line in log.read_text().splitlines()]

    assert [each["event"] for each in told][:2] == ["quote.created", "quote.started"]
    for each in told:
        assert list(each)[:3] == ["ts", "level", "event"]
        assert any(facts(each) == facts(line) for line in logged)
    assert {each["event"] for each in told} > {"message.saved", "negotiation.ended"}


def facts(line: dict[str, Any]) -> dict[str, Any]:
    """What a line says, whenever and in whatever run."""
    return {key: value for key, value in line.items() if key not in ("ts", "run_id")}


def test_nothing_is_told_without_a_subscription_or_after_its_end(peer: Peer) -> None:
    first = waiting_quote(peer)
    peer.call("wait", quote_id=first)
    peer.call("subscribe", events=["quote.completed"])
    second = waiting_quote(peer)
    peer.call("wait", quote_id=second)
    peer.call("unsubscribe")
    peer.call("wait", quote_id=waiting_quote(peer))

    assert [each["params"]["quote_id"] for each in peer.kept] == [second]


def test_a_subscription_can_be_narrowed(peer: Peer) -> None:
    quote_id = peer.call("create_quote", quote=quote_fields())["id"]
    first, _ = peer.call("start_negotiations", quote_id=quote_id, automatic=False)
    peer.call("wait", quote_id=quote_id)
    peer.call("subscribe", negotiation_id=first["id"], events=["message.saved"])
    peer.call("continue_negotiation", quote_id=quote_id)
    peer.call("wait", quote_id=quote_id)

    told = [each["params"] for each in peer.kept]

    assert {(each["event"], each["negotiation_id"]) for each in told} == {
        ("message.saved", first["id"])
    }
    assert len(told) == 2

    peer.kept.clear()
    other = peer.call("create_quote", quote=quote_fields())["id"]
    peer.call("subscribe", quote_id=other)
    peer.call("cancel_quote", quote_id=quote_id)
    assert peer.kept == []


def test_a_subscription_to_an_event_that_there_is_not_is_refused(peer: Peer) -> None:
    with pytest.raises(Refused) as refused:
        peer.call("subscribe", events=["message.save"])

    assert refused.value.code == Code.INVALID_PARAMS
    assert "did you mean message.saved?" in refused.value.data["mistakes"][0]


@pytest.mark.parametrize("key", ["quote_id", "negotiation_id"])
def test_a_subscription_to_what_there_is_not_is_refused_and_the_one_before_stays(
    peer: Peer, key: str
) -> None:
    peer.call("subscribe", events=["quote.created"])

    with pytest.raises(Refused) as refused:
        peer.call("subscribe", **{key: "x-none"})

    assert refused.value.code == UNKNOWN
    quote_id = peer.call("create_quote", quote=quote_fields())["id"]
    peer.event("quote.created", quote_id=quote_id)


def test_a_subscription_hears_what_the_very_next_call_sets_off(peer: Peer) -> None:
    quote_id = peer.call("create_quote", quote=quote_fields())["id"]

    peer.send("subscribe", quote_id=quote_id)
    peer.send("start_negotiations", quote_id=quote_id)

    peer.event("quote.started", quote_id=quote_id)


def test_a_late_refusal_leaves_the_subscription_that_came_after_it(peer: Peer) -> None:
    peer.send("subscribe", quote_id="q-none")
    peer.send("subscribe", events=["quote.created"])
    peer.send("subscribe", quote_id="q-none")
    peer.send("unsubscribe")
    quote_id = peer.call("create_quote", quote=quote_fields())["id"]
    assert peer.call("quote", quote_id=quote_id)

    assert not [each for each in peer.kept if each.get("method") == "event"]


def test_events_for_a_peer_that_does_not_read_are_dropped_and_counted(
    system: NegotiationSystem,
) -> None:
    with session(system, events_kept=10) as (peer, _):
        peer.call("subscribe", events=["message.saved"])
        quotes = [system.create_quote(quote_fields()) for _ in range(60)]
        for quote in quotes:
            system.start_negotiations(quote.id)
        for quote in quotes:
            assert len(system.wait(quote.id, PATIENCE_S)) == 2

        peer.call("unsubscribe")

        dropped = [each for each in peer.kept if each["method"] == "events.dropped"]
        heard = sum(each["method"] == "event" for each in peer.kept)
        negotiations = [each for quote in quotes for each in system.negotiations(quote.id)]
        assert heard + sum(each["params"]["count"] for each in dropped) == sum(
            each.message_count for each in negotiations
        )
        assert dropped


# The end


def test_the_end_of_what_it_reads_ends_it_and_all_before_it_is_answered(
    system: NegotiationSystem,
) -> None:
    with session(system) as (peer, ends):
        created = [peer.send("create_quote", quote=quote_fields()) for _ in range(20)]
        peer.hang_up()
        ends.get(timeout=PATIENCE_S)

    assert [each.id for each in system.quotes()] == [peer.result(each)["id"] for each in created]


def test_a_peer_that_hangs_up_is_noticed_though_it_reads_no_answers(
    system: NegotiationSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MOST_UNDER_WAY", 1)
    monkeypatch.setattr(sessions, "FLUSH_S", 0.1)
    with session(system) as (peer, ends):
        # more than its pipe holds, and it reads nothing
        peer.raw(b"{}\n" * 3000)

        peer.hang_up()

        ends.get(timeout=PATIENCE_S)
        peer.stop_listening()


def test_a_peer_that_reads_no_more_ends_it(system: NegotiationSystem) -> None:
    with session(system) as (peer, ends):
        peer.stop_listening()
        peer.send("quotes")

        ends.get(timeout=PATIENCE_S)


def test_waits_are_told_at_once_that_it_ends_and_shutdown_is_answered_last(
    held: NegotiationSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "DRAIN_S", 3600)
    with session(held) as (peer, ends):
        quote_id = waiting_quote(peer)
        waits = [peer.send("wait", quote_id=quote_id) for _ in range(3)]
        before = peer.send("quotes")
        leaving = peer.send("shutdown")
        ends.get(timeout=PATIENCE_S)

    assert peer.kept[-1] == {"jsonrpc": "2.0", "id": leaving, "result": None}
    assert [code_of(peer, wait) for wait in waits] == [STOPPED] * 3
    assert len(peer.result(before)) == 1


def test_what_comes_after_shutdown_is_not_done(system: NegotiationSystem) -> None:
    with session(system) as (peer, ends):
        leaving = peer.send("shutdown")
        ends.get(timeout=PATIENCE_S)
        peer.send("create_quote", quote=quote_fields())
        # it may have stopped reading already
        until(lambda: peer.is_read or not any_thread("parley-reader"))

    assert peer.kept == [{"jsonrpc": "2.0", "id": leaving, "result": None}]
    assert system.quotes() == []


def test_what_is_not_done_when_it_ends_is_answered_too(
    system: NegotiationSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "DRAIN_S", 0.1)
    quote = system.create_quote(quote_fields())
    with locked(tmp_path), session(system) as (peer, _):
        starting = peer.send("start_negotiations", quote_id=quote.id)
        waiting = peer.send("create_quote", quote=quote_fields())
        peer.call("quotes")

    assert [code_of(peer, each) for each in (starting, waiting)] == [STOPPED] * 2


def test_waits_are_told_that_nothing_can_be_saved_any_more(held: NegotiationSystem) -> None:
    with session(held) as (peer, _):
        wait = peer.send("wait", quote_id=waiting_quote(peer))
        peer.call("quotes")
        held._events.emit(SystemHaltedEvent(error="the disk is gone"))

    assert code_of(peer, wait) == HALTED


def test_a_session_that_is_over_hears_nothing_of_its_system(system: NegotiationSystem) -> None:
    before = system._events._subscribers
    for _ in range(2):
        with session(system) as (peer, _):
            peer.call("subscribe")

    assert system._events._subscribers == before
    assert not any_thread("parley-session")


def any_thread(name: str) -> bool:
    return any(thread.name == name for thread in threading.enumerate())


def code_of(peer: Peer, call_id: str) -> int:
    with pytest.raises(Refused) as refused:
        peer.result(call_id)
    return refused.value.code


# Any line at all


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(1, 9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=9),
    st.sampled_from(["accept", "walk_away", "continue", "\0", "/", "x" * 5000, 10**30, 10**400]),
    st.sampled_from([{"unit_price": "7.00"}, {"lead_time_days": 30}, {"widget": {}}]),
    st.sampled_from([quote_fields(), quote_fields(currency="?"), {"lines": [[]]}, {"": {}}]),
    st.integers(1, 300).map(nested),
)


@st.composite
def odd_calls(draw: st.DrawFn, ids: list[str]) -> bytes:
    """A call with the right names, and values that are right at times."""
    method = draw(st.sampled_from(sorted({*METHODS, "wait", "subscribe", "unsubscribe"})))
    names = METHODS[method][1].names if method in METHODS else ["quote_id", "timeout_s", "events"]
    chosen = draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    params = {
        name: draw(st.sampled_from(ids) if name.endswith("_id") else VALUES) for name in chosen
    }
    return call_line(method, params)


def call_line(method: str, params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": method, "id": 0, "params": params}).encode()


def test_any_lines_are_answered_without_a_bug_and_each_code_came(
    system: NegotiationSystem, caplog: pytest.LogCaptureFixture
) -> None:
    came: Counter[int | None] = Counter()
    quotes = [system.create_quote(quote_fields()) for _ in range(8)]
    for quote in quotes[:4]:
        system.start_negotiations(quote.id)
    (ended, _) = system.wait(quotes[0].id, PATIENCE_S)
    ids = [*(quote.id for quote in quotes), ended.id, "q-none", "n-none", "\0", "x" * 5000]
    in_no_time = call_line("wait", [ids[0], 0])
    with session(system) as (peer, _):

        @settings(max_examples=1200, deadline=None, database=None, derandomize=True)
        @given(damaged() | odd_calls(ids) | odd_calls(ids) | st.just(in_no_time))
        def any_line(line: bytes) -> None:
            peer.raw(line.replace(b"\n", b" ") + b"\n")
            assert peer.call("quotes")  # it lives

        any_line()

    for answer in peer.kept:
        for each in answer if isinstance(answer, list) else [answer]:
            if "method" not in each:
                came[each["error"]["code"] if "error" in each else None] += 1
    print(came)
    assert Code.INTERNAL_ERROR not in came, caplog.text
    assert caplog.text == ""
    always = {Code.PARSE_ERROR, Code.INVALID_REQUEST, Code.METHOD_NOT_FOUND, Code.INVALID_PARAMS}
    of_ours = (QuoteError, InterventionError, UnknownRecord, QuoteNotPending, QuoteEnded)
    assert came.keys() >= {None, *always, TIMED_OUT, *(CODES[each] for each in of_ours)}
