"""The protocol, pure: what a line asks for, and that no line is beyond it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.stdio.protocol import (
    LONGEST_BATCH,
    Call,
    CallFailed,
    Code,
    Invalid,
    batch,
    failure,
    notification,
    read,
    result,
)


def code(line: bytes) -> int:
    found = read(line)
    assert isinstance(found, Invalid)
    return found.failure.code


def request(**fields: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": "quote", "id": 1, **fields}).encode()


@pytest.mark.parametrize("call_id", [1, -7, 1.5, "a", "", None, 10**400, "ü"])
def test_an_id_is_given_back_as_it_came(call_id: Any) -> None:
    found = read(request(id=call_id))

    assert found == Call("quote", {}, call_id)
    assert isinstance(found, Call)
    assert json.loads(result(found.id, 1)) == {"jsonrpc": "2.0", "id": call_id, "result": 1}


def test_what_has_no_id_is_a_notification_and_what_has_a_null_id_is_not() -> None:
    assert read(b'{"jsonrpc":"2.0","method":"x"}') == Call("x", {}, None, is_notification=True)
    assert read(b'{"jsonrpc":"2.0","method":"x","id":null}') == Call("x", {}, None)


@pytest.mark.parametrize("params", [{}, {"quote_id": "q-1"}, [], ["q-1"]])
def test_params_come_by_name_or_by_position(params: Any) -> None:
    found = read(request(params=params))

    assert isinstance(found, Call)
    assert found.params == params


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"hello", id="no JSON"),
        pytest.param(b'{"jsonrpc":"2.0","method"', id="half a line"),
        pytest.param(b"\xff\xfe\x00", id="binary"),
        pytest.param(b'"\xed\xa0\x80"', id="half of a character in UTF-8"),
        pytest.param(b'"\\ud800"', id="half of a character"),
        pytest.param(b'{"jsonrpc":"2.0","method":"quote","id":"\\uDFff"}', id="half of an id"),
        pytest.param(b'{"\\ud800":1}', id="half of a key"),
        pytest.param(b"NaN", id="no number"),
        pytest.param(b'{"id":Infinity}', id="endless"),
        pytest.param(b'{"id":-Infinity}', id="endless the other way"),
        pytest.param(b'{"id":1e999}', id="too large a float"),
        pytest.param(b'{"id":' + b"9" * 5000 + b"}", id="more digits than Python reads"),
        pytest.param(b'{"a":1,"a":2}', id="a key twice"),
        pytest.param(b'{"params":{"a":1,"a":1}}', id="a key twice inside"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="deep and whole"),
        pytest.param(b'\xef\xbb\xbf{"id":1}', id="a byte order mark"),
        pytest.param(b"{} {}", id="two on one line"),
    ],
)
def test_a_line_that_is_no_json_is_a_parse_error_without_an_id(line: bytes) -> None:
    found = read(line)

    assert isinstance(found, Invalid)
    assert (found.failure.code, found.id) == (Code.PARSE_ERROR, None)


def test_a_whole_pair_of_surrogates_is_a_character() -> None:
    found = read(b'{"jsonrpc":"2.0","method":"quote","id":"\\ud83d\\ude00"}')

    assert isinstance(found, Call)
    assert found.id == "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    "line",
    [
        b"1",
        b"null",
        b'"quote"',
        b"{}",
        b'{"method":"quote","id":1}',
        b'{"jsonrpc":"1.0","method":"quote","id":1}',
        b'{"jsonrpc":2.0,"method":"quote","id":1}',
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","method":1,"id":1}',
        b'{"jsonrpc":"2.0","method":"quote","id":true}',
        b'{"jsonrpc":"2.0","method":"quote","id":{}}',
        b'{"jsonrpc":"2.0","method":"quote","id":[1]}',
        b'{"jsonrpc":"2.0","method":"quote","params":"bar","id":1}',
        b'{"jsonrpc":"2.0","method":"quote","params":null,"id":1}',
        b'{"jsonrpc":"2.0","id":1,"result":1}',
        b"[]",
    ],
)
def test_json_that_is_no_call_is_an_invalid_request(line: bytes) -> None:
    assert code(line) == Code.INVALID_REQUEST


def test_an_invalid_request_is_answered_by_its_id_where_it_has_one() -> None:
    assert read(b'{"jsonrpc":"1.0","method":"quote","id":7}').id == 7  # type: ignore[union-attr]
    assert read(b'{"jsonrpc":"2.0","method":"quote","id":{}}').id is None  # type: ignore[union-attr]


def test_a_batch_is_a_list_in_which_each_call_is_judged_alone() -> None:
    found = read(b'[1, {"jsonrpc":"2.0","method":"quotes","id":1}, {"foo":"boo"}]')

    assert isinstance(found, list)
    assert [type(each) for each in found] == [Invalid, Call, Invalid]


def test_a_batch_has_its_limit() -> None:
    call = request()

    allowed = read(b"[" + b",".join([call] * LONGEST_BATCH) + b"]")

    assert isinstance(allowed, list)
    assert code(b"[" + b",".join([call] * (LONGEST_BATCH + 1)) + b"]") == Code.INVALID_REQUEST


def test_all_that_is_said_is_one_line_of_ascii() -> None:
    hostile = 'a\nb\r\u2028\u202e\x1b[2J"\N{GRINNING FACE}'
    said = [
        result(hostile, {hostile: [hostile]}),
        failure(None, CallFailed(-32000, hostile, error="X", mistakes=[hostile])),
        notification("event", {"error": hostile}),
        batch([result(1, hostile), result(2, None)]),
    ]

    for line in said:
        assert line.isascii()
        assert not any(byte < 0x20 for byte in line)
        json.loads(line)
    assert json.loads(said[0])["result"] == {hostile: [hostile]}


def test_a_number_that_is_none_is_not_said() -> None:
    with pytest.raises(ValueError, match="JSON"):
        result(1, float("inf"))


# Any line at all


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)
CALLS = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": st.sampled_from(["quote", "wait", "", "rpc.x"])},
    optional={
        "id": st.none() | st.integers() | st.text(max_size=5) | st.floats(),
        "params": st.dictionaries(st.text(max_size=5), JSON, max_size=3) | st.lists(JSON),
    },
)
NEAR_CALLS = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.sampled_from(["2.0", "1.0", 2]),
        "method": st.sampled_from(["quote", "quotes", "wait", "rpc.x", "", 1]),
        "id": JSON,
        "params": JSON,
        "more": JSON,
    },
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A call in which some bytes are removed, changed or put in."""
    said = CALLS | NEAR_CALLS | st.lists(CALLS | NEAR_CALLS, max_size=3)
    line = bytearray(json.dumps(draw(said)).encode())
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        place = draw(st.integers(0, len(line)))
        line[place : place + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(line)


def test_any_line_is_a_call_or_is_refused_and_each_kind_came() -> None:
    came: Counter[str] = Counter()

    def note(found: Call | Invalid) -> None:
        if isinstance(found, Invalid):
            came[Code(found.failure.code).name] += 1
            json.loads(failure(found.id, found.failure))
        else:
            came["notification" if found.is_notification else "call"] += 1
            assert json.loads(result(found.id, None))["id"] == found.id

    @settings(max_examples=1500, deadline=None, database=None, derandomize=True)
    @given(st.binary(max_size=60) | damaged())
    def any_line(line: bytes) -> None:
        found = read(line)
        if isinstance(found, list):
            came["batch"] += 1
            for each in found:
                note(each)
        else:
            note(found)

    any_line()

    print(came)
    kinds = {"PARSE_ERROR", "INVALID_REQUEST", "call", "notification", "batch"}
    assert came.keys() == kinds
