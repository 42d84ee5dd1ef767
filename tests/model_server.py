"""A local server that speaks `/v1/chat/completions` as Mistral's hosted API does, and misbehaves.

`python tests/model_server.py` runs it by hand. What it takes and returns follows the SDK's models;
which call goes wrong, and how, is a `Fault`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
import struct
import sys
import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from enum import Enum, StrEnum, unique
from typing import Annotated, Any, Literal, Self

from aiohttp import web
from competent import ModelRequest, competent
from pydantic import BaseModel, ConfigDict, Field, ValidationError

BYTES_PER_TOKEN = 4
"""A rule of thumb for `usage`; a real tokenizer counts otherwise."""
RELEASE = "-2411"
"""What the served model's name has more than the one that was asked for."""
PATIENCE_S = 10.0
"""What takes longer to start or to stop has failed."""
GRACE_S = 0.05
"""How long the end waits for open calls; to aiohttp 0 would mean for ever."""
LONGEST_BODY = 64 * 1024**2
BACKLOG = 1_024
SLOW_PIECES = 20
PAGE = "<!doctype html><html><body><h1>Bad gateway</h1></body></html>"


class Effect(StrEnum):
    """What a fault leaves to do for who calls."""

    RETRY = "retry"
    """Nobody answered: ask again, a little later."""
    FAIL_FAST = "fail fast"
    """The same call can only fail again."""
    UNREADABLE = "unreadable"
    """An answer, perhaps a paid one, in which there is no move: ask again, but not often."""
    NONE = "none"
    """Unusual, but a move can be read."""


@unique
class Fault(Enum):
    """What goes wrong with a call."""

    STATUS_400 = "refused as 400", Effect.FAIL_FAST, 400
    STATUS_401 = "refused as 401", Effect.FAIL_FAST, 401
    STATUS_403 = "refused as 403", Effect.FAIL_FAST, 403
    STATUS_404 = "refused as 404", Effect.FAIL_FAST, 404
    STATUS_422 = "refused as 422, in its own shape", Effect.FAIL_FAST, 422
    ODD_422 = "refused as 422, in a shape that the SDK can't read", Effect.FAIL_FAST, 422
    STATUS_408 = "refused as 408", Effect.RETRY, 408
    STATUS_425 = "refused as 425", Effect.RETRY, 425
    STATUS_429 = "refused as 429, with the server's `retry_after`", Effect.RETRY, 429
    STATUS_500 = "refused as 500", Effect.RETRY, 500
    STATUS_502 = "refused as 502, with a gateway's page", Effect.RETRY, 502
    STATUS_503 = "refused as 503, with a page and the server's `retry_after`", Effect.RETRY, 503
    STATUS_504 = "refused as 504, with a gateway's page", Effect.RETRY, 504
    RESET = "the connection is reset before the answer", Effect.RETRY
    CLOSED = "the connection is closed without an answer", Effect.RETRY
    CUT_BODY = "the connection is closed within the body", Effect.RETRY
    HANGS = "no answer until the client leaves", Effect.RETRY
    HTML = "200 with a page", Effect.UNREADABLE
    PLAIN_TEXT = "200 with plain text", Effect.UNREADABLE
    NO_CONTENT = "204", Effect.UNREADABLE
    EMPTY_BODY = "200 with nothing in it", Effect.UNREADABLE
    TRUNCATED = "200 with half of the JSON", Effect.UNREADABLE
    NO_CHOICES = "no `choices`", Effect.UNREADABLE
    NO_USAGE = "no `usage`", Effect.UNREADABLE
    NO_MODEL = "no `model`", Effect.UNREADABLE
    EMPTY_CHOICES = "`choices` without a choice", Effect.UNREADABLE
    PROSE = "prose in place of JSON", Effect.UNREADABLE
    OTHER_SCHEMA = "JSON by another schema", Effect.UNREADABLE
    CUT_TEXT = "half of the text, for its length", Effect.UNREADABLE
    FILTERED = "no text, for a filter", Effect.UNREADABLE
    NULL = "content null", Effect.UNREADABLE
    HUGE = "megabytes of text", Effect.UNREADABLE
    FENCED = "the JSON in a Markdown fence", Effect.NONE
    CHUNKS = "the content as a list of text chunks", Effect.NONE
    SLOW_BODY = "a byte now and then, for the server's `slow_s`", Effect.NONE

    def __init__(self, what: str, effect: Effect, status: int | None = None) -> None:
        self.what = what
        self.effect = effect
        self.status = status


FAULTS = tuple(fault for fault in Fault if fault.effect is not Effect.NONE)
"""Those after which no move can be read."""


# What is asked


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Message(_Strict):
    role: Literal["system", "user", "assistant"]
    content: str
    prefix: bool = False


class _Object(BaseModel):
    type: Literal["object"]
    properties: dict[str, Any]


class _JsonSchema(_Strict):
    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    definition: _Object = Field(alias="schema")
    strict: Literal[True]
    description: str | None = None


class _ResponseFormat(_Strict):
    type: Literal["json_schema"]
    json_schema: _JsonSchema


class _Body(_Strict):
    """What we may send: a slip such as `seed`, which is a local server's name, is refused."""

    model: str = Field(min_length=1)
    messages: list[_Message] = Field(min_length=1)
    response_format: _ResponseFormat
    temperature: Annotated[float, Field(ge=0, le=1.5)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(gt=0)] | None = None
    random_seed: Annotated[int, Field(ge=0)] | None = None
    stream: Literal[False] = False
    n: Literal[1] | None = None
    metadata: dict[str, Any] | None = None
    safe_prompt: bool = False
    prompt_cache_key: str | None = None

    def said_by(self, role: str) -> str:
        """All texts of a role."""
        return "\n\n".join(each.content for each in self.messages if each.role == role)


# The server


class ModelServer:
    """Serves from a thread of its own until its `with` block ends.

    Its settings may be changed meanwhile. An error in `answer` or `fault` is a 500 for the client,
    and is raised where the block ends.
    """

    def __init__(
        self,
        *,
        answer: Callable[[ModelRequest], str | Mapping[str, Any] | None] = competent,
        fault: Callable[[ModelRequest], Fault | None] = lambda _: None,
        delay_s: float = 0.0,
        requests_per_second: int | None = None,
        check_key: str | None = None,
        retry_after: str | None = "1",
        slow_s: float = 1.0,
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Not started yet.

        Args:
            answer: The content of an answer: text as it is, anything else as JSON, None as null.
            fault: What goes wrong with a call.
            delay_s: Seconds before every answer, and every fault.
            requests_per_second: Calls let through in any second; more get a 429 at once.
            check_key: The one API key that is let in; None lets in everybody.
            retry_after: The header of the faults 429 and 503; None leaves it out.
            slow_s: Seconds that a slow body takes.
            port: 0 finds a free one.
            clock: Tells when calls arrive, in seconds; the rate is counted by it.
        """
        self.answer, self.fault = answer, fault
        self.delay_s, self.slow_s = delay_s, slow_s
        self.requests_per_second = requests_per_second
        self.check_key, self.retry_after = check_key, retry_after
        self.url = ""
        """Without `/v1`, which the SDK adds."""
        self.most_at_once = 0
        """The most calls that were open at the same time."""
        self._port, self._open = port, 0
        self._clock = clock
        self._requests: list[ModelRequest] = []
        self._let_through: deque[float] = deque()
        self._mistake: Exception | None = None
        self._started: Future[str] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve()), name="model-server", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self.url = self._started.result(PATIENCE_S)
        return self

    def __exit__(self, error: object, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the server did not stop"
        if self._mistake is not None and error is None:
            raise self._mistake

    @property
    def requests(self) -> tuple[ModelRequest, ...]:
        """All calls so far that were by the API's rules, whatever became of them."""
        return tuple(self._requests)

    def most_arrivals(self, within_s: float, *, after_s: float = 0.0) -> int:
        """The most calls that arrived within any so many seconds.

        Args:
            after_s: Seconds after the first call in which those that arrive don't count.
        """
        arrivals = sorted(request.at for request in self.requests)
        counted = [at for at in arrivals if at >= arrivals[0] + after_s]
        ends = (bisect_left(counted, at + within_s) for at in counted)
        return max((end - start for start, end in enumerate(ends)), default=0)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=LONGEST_BODY)
        app.router.add_post("/v1/chat/completions", self._complete)
        runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=GRACE_S
        )
        try:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self._port, backlog=BACKLOG).start()
        except OSError as error:
            self._started.set_exception(error)
        else:
            self._started.set_result(f"http://127.0.0.1:{runner.addresses[0][1]}")
            await self._stop.wait()
        await runner.cleanup()

    async def _complete(self, http: web.Request) -> web.StreamResponse:
        self._open += 1
        self.most_at_once = max(self.most_at_once, self._open)
        try:
            return await self._respond(http)
        except (ConnectionError, web.HTTPException):
            raise
        except Exception as error:  # noqa: BLE001 - it is raised where the block ends
            self._mistake = self._mistake or error
            return _refusal(500, "Service unavailable.")
        finally:
            self._open -= 1

    async def _respond(self, http: web.Request) -> web.StreamResponse:
        """Judge a call as the API does: its key, its rate, its body; then let its fault happen."""
        at, raw = self._clock(), await http.read()
        mistakes: list[Any] = []
        try:
            request = self._read(at, raw, http)
        except ValidationError as error:
            mistakes = error.errors(include_url=False, include_context=False, include_input=False)
        if self.check_key is not None and _key(http) != self.check_key:
            return _refusal(401, "Unauthorized")
        if not self._lets_through(at):
            return _refusal(429, "Requests rate limit exceeded", retry_after="1")
        if mistakes:
            detail = [{**each, "loc": ["body", *each["loc"]]} for each in mistakes]
            return web.json_response({"detail": detail}, status=422)
        await asyncio.sleep(self.delay_s)
        fault = self.fault(request)
        unanswered = None if fault is None else await self._without_answer(http, fault)
        return unanswered or await self._answer(http, request, fault)

    def _read(self, at: float, raw: bytes, http: web.Request) -> ModelRequest:
        body = _Body.model_validate_json(raw)
        request = ModelRequest(
            number=len(self._requests),
            at=at,
            system=body.said_by("system"),
            user=body.said_by("user"),
            body=json.loads(raw),
            headers={name.lower(): value for name, value in http.headers.items()},
        )
        self._requests.append(request)
        return request

    def _lets_through(self, now: float) -> bool:
        if self.requests_per_second is None:
            return True
        while self._let_through and self._let_through[0] <= now - 1.0:
            self._let_through.popleft()
        if len(self._let_through) >= self.requests_per_second:
            return False
        self._let_through.append(now)
        return True

    async def _without_answer(self, http: web.Request, fault: Fault) -> web.StreamResponse | None:
        match fault:
            case Fault.ODD_422:
                return web.json_response({"detail": fault.what}, status=422)
            case Fault(status=int(status)):
                return _refusal(status, fault.what, retry_after=self.retry_after)
            case Fault.RESET | Fault.CLOSED:
                return await _hang_up(http, reset=fault is Fault.RESET)
            case Fault.HANGS:
                return await _wait_until_cancelled()
            case Fault.HTML:
                return web.Response(text=PAGE, content_type="text/html")
            case Fault.PLAIN_TEXT:
                return web.Response(text="upstream is warming up")
            case Fault.NO_CONTENT:
                return web.Response(status=204)
            case Fault.EMPTY_BODY:
                return web.Response(body=b"", content_type="application/json")
        return None

    async def _answer(
        self, http: web.Request, request: ModelRequest, fault: Fault | None
    ) -> web.StreamResponse:
        content = self.answer(request)
        text = json.dumps(content, ensure_ascii=False) if isinstance(content, Mapping) else content
        completion = _completion(request, *_said(text, fault))
        if fault in (Fault.NO_CHOICES, Fault.NO_USAGE, Fault.NO_MODEL):
            del completion[fault.name.removeprefix("NO_").lower()]
        if fault is Fault.EMPTY_CHOICES:
            completion["choices"] = []
        body = json.dumps(completion).encode()
        if fault is Fault.TRUNCATED:
            body = body[: len(body) // 2]
        if fault in (Fault.CUT_BODY, Fault.SLOW_BODY):
            return await self._in_pieces(http, body, cut=fault is Fault.CUT_BODY)
        return web.Response(body=body, content_type="application/json")

    async def _in_pieces(self, http: web.Request, body: bytes, *, cut: bool) -> web.StreamResponse:
        """Promise the whole body; then hang up in its midst, or take one's time."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(body)
        await response.prepare(http)
        if cut:
            await response.write(body[: len(body) // 2])
            return await _hang_up(http)
        for place in range(SLOW_PIECES):
            await response.write(body[place : place + 1])
            await asyncio.sleep(self.slow_s / SLOW_PIECES)
        await response.write(body[SLOW_PIECES:])
        return response


def _key(http: web.Request) -> str | None:
    scheme, _, key = http.headers.get("Authorization", "").partition(" ")
    return key if scheme == "Bearer" else None


async def _hang_up(http: web.Request, *, reset: bool = False) -> web.StreamResponse:
    transport = http.transport
    if transport is not None and reset:
        connection: socket.socket = transport.get_extra_info("socket")
        # without lingering the kernel sends RST where it would send FIN
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    elif transport is not None:
        transport.close()
    return await _wait_until_cancelled()


async def _wait_until_cancelled() -> web.StreamResponse:
    """Until the client has left, or the server stops."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


# What is answered


def _completion(request: ModelRequest, content: Any, finish_reason: str) -> dict[str, Any]:
    asked = _tokens(request.system + request.user)
    written = _tokens(content if isinstance(content, str) else json.dumps(content))
    message = {"role": "assistant", "content": content, "tool_calls": None}
    return {
        "id": f"cmpl-{request.number:08d}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": f"{request.body['model']}{RELEASE}",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {
            "prompt_tokens": asked,
            "completion_tokens": written,
            "total_tokens": asked + written,
        },
    }


def _said(content: str | None, fault: Fault | None) -> tuple[Any, str]:
    """The content as a fault leaves it, and why it ends."""
    text = content or ""
    begun, rest = text[: len(text) // 2], text[len(text) // 2 :]
    match fault:
        case Fault.PROSE:
            return "That is a fair proposal; let me think about it.", "stop"
        case Fault.OTHER_SCHEMA:
            return json.dumps({"reply": "We could do that.", "price": 6.4}), "stop"
        case Fault.CUT_TEXT:
            return begun, "length"
        case Fault.FILTERED:
            return "", "content_filter"
        case Fault.NULL:
            return None, "stop"
        case Fault.HUGE:
            return f"{begun}{'really ' * 300_000}{rest}", "stop"
        case Fault.FENCED:
            return f"```json\n{text}\n```", "stop"
        case Fault.CHUNKS:
            return [{"type": "text", "text": part} for part in (begun, rest)], "stop"
    return content, "stop"


def _tokens(text: str) -> int:
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def _refusal(status: int, message: str, retry_after: str | None = None) -> web.Response:
    """An error as the API, or the gateway before it, words it."""
    headers = {"Retry-After": retry_after} if retry_after and status in (429, 503) else {}
    if status in (502, 503, 504):
        return web.Response(text=PAGE, content_type="text/html", status=status, headers=headers)
    body: dict[str, Any] = {"message": message, "request_id": f"{status:032x}"}
    if status == 422:
        body = {"detail": [{"loc": ["body", "messages"], "msg": message, "type": "value_error"}]}
    return web.json_response(body, status=status, headers=headers)


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before an answer")
    parser.add_argument("--requests-per-second", type=int, help="more get a 429")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    server = ModelServer(
        port=given.port, delay_s=given.delay, requests_per_second=given.requests_per_second
    )
    with suppress(KeyboardInterrupt), server:
        print(server.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
