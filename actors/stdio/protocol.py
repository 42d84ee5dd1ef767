"""JSON-RPC 2.0: what a line asks for, and the lines that answer it. Pure: no thread, no pipe.

No library does this for us: of those that are maintained, one takes a whole batch for invalid where
one call in it is, and a request whose id is null for a notification; others come with the framing
of language servers or with a web server. Each leaves duplicate keys and endless numbers to us.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from math import isfinite
from typing import Any, NoReturn

VERSION = "2.0"
LONGEST_LINE = 1024 * 1024
"""Bytes of a line that is read; a longer one is skipped."""
LONGEST_BATCH = 1000
"""Calls in one line."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

Id = str | int | float | None
"""What a peer calls its request, given back as it came."""


class Code(IntEnum):
    """The error codes of the specification."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603


class CallFailed(Exception):
    """What a peer is told instead of a result."""

    def __init__(
        self, code: int, message: str, *, error: str | None = None, mistakes: Iterable[str] = ()
    ) -> None:
        """Describe it.

        Args:
            error: The name of its class in the library, where it comes from there.
            mistakes: What is wrong, a line each.
        """
        super().__init__(message)
        self.code = int(code)
        named = {} if error is None else {"error": error}
        listed = tuple(mistakes)
        self.data = {**named, **({"mistakes": listed} if listed else {})}


@dataclass(frozen=True, slots=True)
class Call:
    """A request, or a notification, which is never answered."""

    method: str
    params: Mapping[str, Any] | list[Any]
    id: Id = None
    is_notification: bool = False


@dataclass(frozen=True, slots=True)
class Invalid:
    """What is no call, and is answered all the same."""

    failure: CallFailed
    id: Id = None


def read(line: bytes) -> Call | Invalid | list[Call | Invalid]:
    """What a line asks for; a list of it is answered in one line."""
    try:
        found = _parsed(line)
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else _why(error)
        return Invalid(CallFailed(Code.PARSE_ERROR, f"no JSON: {why}"))
    if not isinstance(found, list):
        return _call(found)
    if not found:
        return _invalid("a batch of no calls")
    if len(found) > LONGEST_BATCH:
        return _invalid(f"a batch of more than {LONGEST_BATCH} calls: send several")
    return [_call(each) for each in found]


def too_long() -> Invalid:
    """What a line is that was too long to be read."""
    why = f"a line of more than {LONGEST_LINE} bytes was skipped"
    return Invalid(CallFailed(Code.PARSE_ERROR, why))


def result(call_id: Id, value: Any) -> bytes:
    """The answer to a call that went well.

    Raises:
        ValueError: The value holds a number that is none.
    """
    return _json({"jsonrpc": VERSION, "id": call_id, "result": value})


def failure(call_id: Id, failed: CallFailed) -> bytes:
    """The answer to a call that failed."""
    error: dict[str, Any] = {"code": failed.code, "message": str(failed)}
    if failed.data:
        error["data"] = failed.data
    return _json({"jsonrpc": VERSION, "id": call_id, "error": error})


def batch(answers: Iterable[bytes]) -> bytes:
    """The answers to the calls of one line."""
    return b"[" + b",".join(answers) + b"]"


def notification(method: str, params: Mapping[str, Any]) -> bytes:
    """What we say unasked."""
    return _json({"jsonrpc": VERSION, "method": method, "params": params})


def _call(found: Any) -> Call | Invalid:
    if not isinstance(found, dict):
        return _invalid("a call is an object")
    call_id = found.get("id")
    if isinstance(call_id, bool) or not isinstance(call_id, str | int | float | None):
        return _invalid("id: write text, a number or null")
    if found.get("jsonrpc") != VERSION:
        return _invalid(f'jsonrpc: write "{VERSION}"', call_id)
    method, params = found.get("method"), found.get("params", {})
    if not isinstance(method, str):
        return _invalid("method: write its name", call_id)
    if not isinstance(params, dict | list):
        return _invalid("params: write an object or an array, or leave it out", call_id)
    return Call(method, params, call_id, is_notification="id" not in found)


def _invalid(why: str, call_id: Id = None) -> Invalid:
    return Invalid(CallFailed(Code.INVALID_REQUEST, f"no call: {why}"), call_id)


def _parsed(line: bytes) -> Any:
    text = line.decode("utf-8")
    found = json.loads(
        text, object_pairs_hook=_object, parse_constant=_no_number, parse_float=_finite
    )
    if _SURROGATE.search(text):
        # half of a character can't be saved, and no strict reader would take it back
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    return found


def _why(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos + 1}"
    if isinstance(error, UnicodeError):
        return "not UTF-8, or half of a character"
    return str(error)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        # readers disagree about which of the two counts
        raise ValueError("a key stands twice in one object")
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        _no_number(digits)
    return number


def _no_number(_: str) -> NoReturn:
    raise ValueError("a number that is endless, or none")


def _json(message: Mapping[str, Any]) -> bytes:
    """In ASCII, so that no text holds a control code or ends a line."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii")
