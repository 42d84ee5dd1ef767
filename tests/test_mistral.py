"""The SDK behind the seam: each failure has a name of ours, and no key or prompt leaves with it."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import os
import pickle
import socket
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import httpx2
import pytest
from competent import ModelRequest
from mistralai.client import errors
from model_server import Effect, Fault, ModelServer
from pydantic import SecretStr

from actors.config import load_config
from actors.errors import ConfigError
from actors.mechanism.moves import Withheld
from actors.negotiators.answers import MOVE, WORDING, read_wording
from actors.negotiators.cast import Cast
from actors.negotiators.mistral import (
    KEY,
    NO_KEY,
    MistralClient,
    key_from_environment,
    mistral_model,
    translated,
)
from actors.negotiators.model import CallFailed, Reply
from actors.negotiators.model_settings import ModelSettings
from actors.negotiators.prompt_log import PromptLog
from actors.negotiators.prompts import Prompt
from storage.calls import Outcome

ROOT = Path(__file__).parent.parent
SECRET = "zqxSecretKeyOf32Characters000000"  # noqa: S105 - it opens nothing
BRIEF = "our limit is vwk 8.00"
SENT_BACK = "upstream"
"""What stands in what the server sends, and in nothing of ours."""
ANSWER = '{"text": "Hello there."}'


@pytest.fixture(autouse=True)
def clean_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().endswith("_PROXY") or name.startswith("MISTRAL"):
            monkeypatch.delenv(name)


def made(url: str | None = None, **settings: Any) -> MistralClient:
    fields = {"model": "small", "server_url": url, "attempt_timeout_s": 30, **settings}
    return MistralClient(ModelSettings.model_validate(fields), SecretStr(SECRET))


def asked(what: str = "") -> Prompt:
    return Prompt(f"You sell. {BRIEF}", f"{BRIEF} {what}")


async def outcome(client: MistralClient, prompt: Prompt | None = None) -> Reply | Exception:
    try:
        return await client.complete(prompt or asked(), WORDING)
    except Exception as error:  # noqa: BLE001 - it is what the tests look at
        return error


def through(client: MistralClient, *prompts: Prompt) -> list[Reply | Exception]:
    """What becomes of calls that are all made at once."""

    async def run() -> list[Reply | Exception]:
        try:
            return list(await asyncio.gather(*(outcome(client, prompt) for prompt in prompts)))
        finally:
            await client.close()

    return asyncio.run(run())


def failed(outcome: Reply | Exception) -> CallFailed:
    assert type(outcome) is CallFailed
    return outcome


@asynccontextmanager
async def serving(answer: bytes, heard: list[bytes]) -> AsyncIterator[str]:
    """The address of a server that has one answer for everything."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


# --- every fault -----------------------------------------------------------------------------


class Failure(NamedTuple):
    outcome: Outcome
    http_status: int | None
    retryable: bool
    is_free: bool
    retry_after_s: float | None = None


def refused(status: int) -> Failure:
    return Failure(Outcome.REFUSED, status, False, True)


def server_failed(status: int) -> Failure:
    return Failure(Outcome.FAILED, status, True, False)


MALFORMED = Failure(Outcome.MALFORMED, None, True, False)
DISCONNECTED = Failure(Outcome.DISCONNECTED, None, True, False)
TIMED_OUT = Failure(Outcome.TIMED_OUT, None, True, False)
NO_CONNECTION = Failure(Outcome.DISCONNECTED, None, True, True)

FAILURES: dict[Fault, Failure] = {
    Fault.STATUS_400: refused(400),
    Fault.STATUS_401: refused(401),
    Fault.STATUS_403: refused(403),
    Fault.STATUS_404: refused(404),
    Fault.STATUS_422: refused(422),
    Fault.ODD_422: refused(422),
    Fault.STATUS_408: server_failed(408),
    Fault.STATUS_425: server_failed(425),
    Fault.STATUS_429: Failure(Outcome.THROTTLED, 429, True, True, 17.0),
    Fault.STATUS_500: server_failed(500),
    Fault.STATUS_502: server_failed(502),
    Fault.STATUS_503: server_failed(503)._replace(retry_after_s=17.0),
    Fault.STATUS_504: server_failed(504),
    **dict.fromkeys([Fault.RESET, Fault.CLOSED, Fault.CUT_BODY], DISCONNECTED),
    Fault.HANGS: TIMED_OUT,
    **dict.fromkeys([Fault.HTML, Fault.PLAIN_TEXT, Fault.NO_CONTENT, Fault.EMPTY_BODY], MALFORMED),
    **dict.fromkeys([Fault.TRUNCATED, Fault.NO_CHOICES, Fault.NO_USAGE, Fault.NO_MODEL], MALFORMED),
}
"""What becomes of a call; with all other faults there is a reply, for its reader to judge."""


@pytest.fixture(scope="module")
def outcomes() -> dict[Fault, Reply | Exception]:
    """What became of a call with each fault; the one that hangs comes last and is soon given up."""

    def chosen(request: ModelRequest) -> Fault:
        return Fault[request.user.split()[-1]]

    faults = [fault for fault in Fault if fault is not Fault.HANGS]
    with ModelServer(fault=chosen, answer=lambda _: ANSWER, retry_after="17", slow_s=0.2) as server:
        found = through(made(server.url), *(asked(fault.name) for fault in faults))
        hung = through(made(server.url, attempt_timeout_s=0.3), asked(Fault.HANGS.name))
    return dict(zip([*faults, Fault.HANGS], [*found, *hung], strict=True))


@pytest.mark.parametrize("fault", FAILURES)
def test_what_goes_wrong_has_a_name_and_says_what_to_do(
    fault: Fault, outcomes: dict[Fault, Reply | Exception]
) -> None:
    error = failed(outcomes[fault])

    found = (error.outcome, error.http_status, error.retryable, error.is_free, error.retry_after_s)
    assert Failure(*found) == FAILURES[fault]
    assert error.retryable is (fault.effect is not Effect.FAIL_FAST)


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in FAILURES])
def test_whatever_can_be_read_is_a_reply(
    fault: Fault, outcomes: dict[Fault, Reply | Exception]
) -> None:
    reply = outcomes[fault]

    assert isinstance(reply, Reply)
    text = read_wording(reply.text, reply.finish_reason)
    assert isinstance(text, Withheld) is (fault.effect is Effect.UNREADABLE)
    assert fault.effect is Effect.UNREADABLE or text == "Hello there."
    assert reply.model == "small-2411"
    assert reply.prompt_tokens
    assert reply.completion_tokens is not None


@pytest.mark.parametrize(
    ("fault", "text", "reason"),
    [
        (Fault.EMPTY_CHOICES, None, None),
        (Fault.NULL, None, "stop"),
        (Fault.FILTERED, "", "content_filter"),
        (Fault.CUT_TEXT, ANSWER[:12], "length"),
        (Fault.CHUNKS, ANSWER, "stop"),
        (Fault.SLOW_BODY, ANSWER, "stop"),
    ],
)
def test_a_reply_has_the_text_and_why_it_ended(
    fault: Fault, text: str | None, reason: str | None, outcomes: dict[Fault, Reply | Exception]
) -> None:
    reply = outcomes[fault]

    assert isinstance(reply, Reply)
    assert (reply.text, reply.finish_reason) == (text, reason)


def test_a_person_is_told_what_to_mend(outcomes: dict[Fault, Reply | Exception]) -> None:
    told = {401: KEY, 403: KEY, 404: "server_url"}
    for status, mend in told.items():
        assert mend in str(outcomes[Fault[f"STATUS_{status}"]])
    assert str(outcomes[Fault.STATUS_400]) == "the server refuses the request (HTTP 400)"


def test_a_server_that_is_not_there_took_nothing(unused_port: int) -> None:
    (error,) = through(made(f"http://127.0.0.1:{unused_port}"), asked())

    assert (failed(error).outcome, failed(error).is_free) == (Outcome.DISCONNECTED, True)
    assert str(error) == "no connection to the server"


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port that nobody else can take, and at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def ended(reason: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": ANSWER}
    return {"index": 0, "message": message, "finish_reason": reason}


def completion(usage: Any = None, **changes: Any) -> dict[str, Any]:
    choice = ended("stop")
    counted = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    given = {"id": "1", "object": "chat.completion", "created": 1, "model": "small"}
    return {**given, "choices": [choice], "usage": counted | (usage or {}), **changes}


@pytest.mark.parametrize(
    ("odd", "changes"),
    [
        ({}, {}),
        ({"usage": {"prompt_tokens": -5}}, {"prompt_tokens": None}),
        ({"usage": {"prompt_tokens": 10**30}}, {"prompt_tokens": None}),
        ({"usage": {"completion_tokens": 2**62}}, {"completion_tokens": None}),
        ({"usage": {"completion_tokens": 10**9}}, {"completion_tokens": 10**9}),
        ({"model": "org/m-1.5:7b@v2+q4_K.gguf"}, {"model": "org/m-1.5:7b@v2+q4_K.gguf"}),
        ({"model": "m" * 200}, {"model": "m" * 200}),
        ({"model": "m" * 201}, {"model": "unknown"}),
        ({"model": ""}, {"model": "unknown"}),
        ({"model": "m\0\x1b[31m"}, {"model": "unknown"}),
        ({"model": "m\n"}, {"model": "unknown"}),
        ({"model": "\u043c"}, {"model": "unknown"}),
        ({"model": f"Bearer {SECRET}"}, {"model": "unknown"}),
        ({"model": SECRET}, {"model": "unknown"}),
        ({"model": f"m-{SECRET}-1"}, {"model": "unknown"}),
        ({"choices": [ended("a reason")]}, {"finish_reason": "unknown"}),
        ({"choices": [ended(f"x{SECRET}")]}, {"finish_reason": "unknown"}),
        ({"choices": [ended("eos")]}, {"finish_reason": "eos"}),
        ({"choices": [{"index": 0, "finish_reason": "stop"}]}, {"text": None}),
    ],
)
def test_whatever_a_server_claims_can_be_kept(odd: dict[str, Any], changes: dict[str, Any]) -> None:
    body = json.dumps(completion(**odd)).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"

    async def run() -> Reply | Exception:
        async with serving(head % len(body) + body, []) as url:
            client = made(url)
            try:
                return await outcome(client)
            finally:
                await client.close()

    plain = Reply(ANSWER, "stop", "small", 5, 7)
    assert asyncio.run(run()) == replace(plain, **changes)


def test_without_a_key_a_server_may_name_its_model_as_it_likes() -> None:
    settings = ModelSettings.model_validate({"model": "x", "server_url": "http://127.0.0.1:1"})
    keyless = MistralClient(settings, SecretStr(NO_KEY))

    assert keyless._name("nonesuch-7b") == "nonesuch-7b"


# --- every error there is --------------------------------------------------------------------


def exceptions_of(module: Any) -> dict[str, type[Exception]]:
    names = {*dir(module), *getattr(module, "__all__", ())}
    found = {name: getattr(module, name) for name in names}
    return {
        name: each
        for name, each in found.items()
        if isinstance(each, type) and issubclass(each, Exception)
    }


OF_THE_SDK = exceptions_of(errors)
OF_HTTP = exceptions_of(httpx2)

IN_TRANSPORT: dict[str, Failure] = {
    **dict.fromkeys(["ConnectError", "ConnectTimeout", "PoolTimeout"], NO_CONNECTION),
    **dict.fromkeys(["TimeoutException", "ReadTimeout", "WriteTimeout"], TIMED_OUT),
    **dict.fromkeys(["TransportError", "NetworkError", "ReadError", "WriteError"], DISCONNECTED),
    **dict.fromkeys(["CloseError", "ProxyError", "SSEError", "UnsupportedProtocol"], DISCONNECTED),
    **dict.fromkeys(["ProtocolError", "LocalProtocolError", "RemoteProtocolError"], DISCONNECTED),
}
NOT_IN_TRANSPORT = {
    *("CookieConflict", "DecodingError", "HTTPError", "HTTPStatusError", "InvalidURL"),
    *("RequestError", "RequestNotRead", "ResponseNotRead", "StreamClosed"),
    *("StreamConsumed", "StreamError", "TooManyRedirects"),
}


def request() -> httpx2.Request:
    headers = {"Authorization": f"Bearer {SECRET}"}
    return httpx2.Request("POST", "http://127.0.0.1/", headers=headers, content=BRIEF)


def response(status: int, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, headers=named, text=SENT_BACK, request=request())


def make(kind: type[Exception], status: int = 200) -> Exception:
    """An error of any kind, with all that must not be told in it."""
    values = {
        "message": f"{SENT_BACK} {SECRET} {BRIEF}",
        "request": request(),
        "response": response(status),
        "raw_response": response(status),
        "body": SENT_BACK,
        "cause": ValueError(SECRET),
        "data": SimpleNamespace(detail=SimpleNamespace(message=f"{SENT_BACK} {SECRET}")),
    }
    parameters = inspect.signature(kind).parameters
    return kind(**{name: values[name] for name in parameters})


def as_failure(error: CallFailed) -> Failure:
    return Failure(
        error.outcome, error.http_status, error.retryable, error.is_free, error.retry_after_s
    )


def assert_tells_nothing(error: BaseException) -> None:
    told = [str(error), repr(error), repr(error.args), repr(vars(error))]
    told += [repr(pickle.dumps(error)), "".join(traceback.format_exception(error))]
    assert not [each for each in told for word in (SECRET, BRIEF, SENT_BACK) if word in each]
    assert error.__context__ is None
    assert error.__cause__ is None


@pytest.mark.parametrize("name", sorted(OF_HTTP))
def test_every_error_of_http_is_translated(name: str) -> None:
    error = translated(make(OF_HTTP[name]))

    assert as_failure(error) == IN_TRANSPORT.get(name, MALFORMED)
    assert (name in IN_TRANSPORT) is not (name in NOT_IN_TRANSPORT)
    assert_tells_nothing(error)


@pytest.mark.parametrize("name", sorted(OF_THE_SDK))
@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 408, 422, 425, 429, 500, 529, 599])
def test_every_error_of_the_sdk_is_translated(name: str, status: int) -> None:
    error = translated(make(OF_THE_SDK[name], status))

    if status < 300 or name == "NoResponseError":
        assert as_failure(error) == MALFORMED
    elif status == 429:
        assert as_failure(error) == Failure(Outcome.THROTTLED, 429, True, True)
    elif status >= 500 or status in (408, 425):
        assert as_failure(error) == server_failed(status)
    else:
        assert as_failure(error) == refused(status)
    assert_tells_nothing(error)


def test_there_are_as_many_errors_as_were_looked_at() -> None:
    assert set(OF_HTTP) == set(IN_TRANSPORT) | NOT_IN_TRANSPORT
    assert {"SDKError", "HTTPValidationError", "ResponseValidationError"} <= set(OF_THE_SDK)
    assert {"NoResponseError", "MistralError"} & set(OF_THE_SDK)


@pytest.mark.parametrize("error", [ValueError(SECRET), TypeError(BRIEF), KeyError(SENT_BACK)])
def test_whatever_else_the_sdk_raises_is_told_by_its_kind_alone(error: Exception) -> None:
    failed = translated(error)

    assert str(failed) == f"the response can't be read ({type(error).__name__})"
    assert as_failure(failed) == MALFORMED
    assert_tells_nothing(failed)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17),
        ("0", 0),
        ("1.5", 1.5),
        ("-3", 0),
        ("1e999", float("inf")),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("Wed, 21 Oct 2015", None),
        ("Wed, 21 Oct 2015 07:28:00 -0000", None),
        ("Wed, 99999999999999999999 Oct 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 +99999999999999", None),
        ("Fri, 31 Dec 9999 23:59:59 -9999", None),
    ],
)
def test_whatever_a_server_says_about_coming_back_it_is_seconds_or_nothing(
    header: str, seconds: float | None
) -> None:
    error = errors.SDKError("", response(429, retry_after=header))

    found = translated(error).retry_after_s

    assert found == seconds or (seconds is None and found is not None and found > 1e9)


def test_a_date_is_so_many_seconds_from_now() -> None:
    at = datetime.now(UTC) + timedelta(hours=2)
    header = format_datetime(at, usegmt=True)

    error = translated(errors.SDKError("", response(429, retry_after=header)))

    assert error.retry_after_s == pytest.approx(7_200, abs=60)


# --- what is sent ----------------------------------------------------------------------------


def test_what_is_sent_is_the_model_the_prompt_and_a_strict_schema() -> None:
    settings = {"temperature": 0.7, "max_tokens": 321, "random_seed": 7}
    with ModelServer(answer=lambda _: ANSWER, check_key=SECRET) as server:
        through(made(server.url, **settings), asked())
    (sent,) = server.requests

    assert sent.body == {
        "model": "small",
        "messages": [
            {"role": "system", "content": asked().system},
            {"role": "user", "content": asked().user},
        ],
        "temperature": 0.7,
        "max_tokens": 321,
        "random_seed": 7,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": WORDING, "strict": True},
        },
        "stream": False,
    }
    assert sent.headers["authorization"] == f"Bearer {SECRET}"


def test_what_is_not_set_is_left_to_the_server_and_each_schema_is_its_own() -> None:
    async def run(client: MistralClient) -> None:
        for schema in (WORDING, MOVE, WORDING):
            await client.complete(asked(), schema)
        await client.close()

    with ModelServer(answer=lambda _: ANSWER) as server:
        asyncio.run(run(made(server.url, temperature=None)))

    bodies = [request.body for request in server.requests]
    assert {(body.get("temperature"), body.get("random_seed")) for body in bodies} == {(None, None)}
    schemas = [body["response_format"]["json_schema"]["schema"] for body in bodies]
    assert schemas == [WORDING, MOVE, WORDING]


def test_a_call_that_failed_is_not_made_again_in_here() -> None:
    with ModelServer(fault=lambda _: Fault.STATUS_503, retry_after="0") as server:
        through(made(server.url), asked())

    assert len(server.requests) == 1


def test_cancelling_it_ends_the_call() -> None:
    async def run(client: MistralClient) -> None:
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()

        def hang(_: ModelRequest) -> Fault:
            loop.call_soon_threadsafe(arrived.set)
            return Fault.HANGS

        server.fault = hang
        call = asyncio.create_task(client.complete(asked(), WORDING))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await client.close()

    with ModelServer() as server:
        asyncio.run(run(made(server.url)))


# --- where it is sent ------------------------------------------------------------------------


def test_a_redirect_is_not_followed_with_the_key() -> None:
    heard: list[bytes] = []

    async def run(target: str) -> Reply | Exception:
        place = f"Location: {target}/v1/chat/completions\r\n".encode()
        answer = b"HTTP/1.1 307 Temporary Redirect\r\n" + place + b"Content-Length: 0\r\n\r\n"
        async with serving(answer, heard) as url:
            client = made(url)
            try:
                return await outcome(client)
            finally:
                await client.close()

    with ModelServer() as target:
        error = asyncio.run(run(target.url))

    assert target.requests == ()
    assert len(heard) == 1
    assert as_failure(failed(error)) == refused(307)
    assert_tells_nothing(failed(error))


def test_a_proxy_is_not_asked_for_a_server_on_this_machine(
    unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port}")

    with ModelServer(answer=lambda _: ANSWER) as server:
        (reply,) = through(made(server.url), asked())

    assert isinstance(reply, Reply)


def test_a_proxy_is_asked_for_any_other_and_does_not_get_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[bytes] = []

    async def run() -> Reply | Exception:
        async with serving(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", heard) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy)
            client = made("https://models.invalid")
            try:
                return await outcome(client)
            finally:
                await client.close()

    error = failed(asyncio.run(run()))

    assert heard[0].startswith(b"CONNECT models.invalid:443")
    assert SECRET.encode() not in heard[0]
    assert error.outcome is Outcome.DISCONNECTED


# --- secrets ---------------------------------------------------------------------------------


def test_no_failure_tells_the_key_the_prompt_or_what_the_server_sent(
    outcomes: dict[Fault, Reply | Exception],
) -> None:
    for fault in FAILURES:
        error = failed(outcomes[fault])
        assert_tells_nothing(error)
        assert fault.what not in str(error)


def everything_in(held: object) -> Iterator[str]:
    yield repr(held)
    yield str(held)
    yield repr(vars(held))


@pytest.fixture
def with_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, SECRET)


@pytest.mark.usefixtures("with_key")
def test_neither_client_nor_model_nor_config_shows_the_key() -> None:
    client = made()
    config = load_config()
    model = mistral_model(config.mistral, None)

    held = [client, client._sdk, client._sdk.sdk_configuration, model, config, config.mistral]
    shown = [text for each in held for text in everything_in(each)]
    asyncio.run(model.close())
    asyncio.run(client.close())

    assert not [text for text in shown if SECRET in text]
    assert SECRET.encode() not in pickle.dumps(config)
    for private in (client, model):
        for kept in (pickle.dumps, copy.copy, copy.deepcopy):
            if kept is copy.copy and private is model:
                continue  # it shares its client, and shows no more
            with pytest.raises(TypeError) as refused:
                kept(private)
            assert SECRET not in str(refused.value)


@pytest.mark.usefixtures("with_key")
def test_the_sdks_own_debugging_prints_no_prompt(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MISTRAL_DEBUG", "1")
    caplog.set_level("DEBUG")

    with ModelServer(answer=lambda _: ANSWER) as server:
        through(made(server.url), asked())

    assert caplog.records  # others tell that there was a call
    assert not [text for text in caplog.messages if BRIEF in text or "Hello" in text]


# --- the key ---------------------------------------------------------------------------------

HOSTED = ModelSettings()
LOCAL = ModelSettings(server_url="http://127.0.0.1:8080")
ELSEWHERE = ModelSettings(server_url="https://models.example")


@pytest.mark.parametrize("settings", [HOSTED, LOCAL, ELSEWHERE])
@pytest.mark.parametrize("key", [SECRET, f"{SECRET}\n", f"  {SECRET}\r\n", f"\t{SECRET}"])
def test_a_key_is_read_without_the_space_around_it(
    settings: ModelSettings, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, key)

    assert key_from_environment(settings).get_secret_value() == SECRET


@pytest.mark.parametrize("settings", [HOSTED, ELSEWHERE])
@pytest.mark.parametrize("key", [None, "", "   ", "\n"])
def test_without_a_key_one_is_told_where_it_belongs(
    settings: ModelSettings, key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if key is not None:
        monkeypatch.setenv(KEY, key)

    with pytest.raises(ConfigError, match=f"{KEY}: is missing: .*tactics"):
        key_from_environment(settings)


@pytest.mark.parametrize("key", [None, "", " \n"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_server_on_this_machine_needs_none(
    host: str, key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if key is not None:
        monkeypatch.setenv(KEY, key)
    local = ModelSettings(server_url=f"http://{host}:8080")

    assert key_from_environment(local).get_secret_value() == NO_KEY


@pytest.mark.parametrize("settings", [HOSTED, LOCAL])
@pytest.mark.parametrize(
    "between", [" ", "\n", "\r\n", "\t", "\x1b", "\x7f", "é", "\u200b", "\xa0"]
)
def test_what_can_be_no_key_is_refused_without_repeating_it(
    settings: ModelSettings, between: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, f"zqxHalf{between}zqxOther")

    with pytest.raises(ConfigError) as refused:
        key_from_environment(settings)

    assert f"{KEY}: is no key" in str(refused.value)
    assert "zqx" not in "".join(traceback.format_exception(refused.value))


# --- choosing it -----------------------------------------------------------------------------


@pytest.mark.usefixtures("with_key")
def test_prompts_are_logged_only_where_that_is_set_and_only_beside_a_database(
    tmp_path: Path,
) -> None:
    database = tmp_path / "parley.db"
    settings = ModelSettings(log_prompts=True)

    models = [
        mistral_model(settings, database),
        mistral_model(settings, None),
        mistral_model(HOSTED, database),
    ]

    assert [isinstance(model._prompt_log, PromptLog) for model in models] == [True, False, False]
    for model in models:
        asyncio.run(model.close())


@pytest.mark.usefixtures("with_key")
def test_a_log_that_can_not_be_written_shows_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"parley\.prompts\.jsonl: "):
        mistral_model(ModelSettings(log_prompts=True), tmp_path / "missing" / "parley.db")


def test_choosing_a_model_without_a_key_is_a_mistake_in_the_config() -> None:
    with pytest.raises(ConfigError, match=KEY):
        Cast(load_config(), brand="mistral")


@pytest.mark.usefixtures("with_key")
def test_all_who_have_a_model_share_one() -> None:
    cast = Cast(load_config(), brand="mistral", suppliers="narrated")

    model = cast._the_model()

    assert model is cast._the_model()
    asyncio.run(cast.close())
    assert model._client._http.is_closed  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("work", "loaded"),
    [
        ("Cast(load_config())", []),
        ("Cast(load_config(), brand='mistral')", ["httpx2", "mistralai"]),
    ],
)
def test_the_sdk_is_loaded_only_when_a_model_is_chosen(work: str, loaded: list[str]) -> None:
    program = (
        "import sys\n"
        "import actors.system, actors.negotiators.catalog, main\n"
        "from actors.config import load_config\n"
        "from actors.negotiators.cast import Cast\n"
        f"{work}\n"
        "print(sorted({'mistralai', 'httpx2'} & set(sys.modules)))\n"
    )
    places = {**os.environ, "PYTHONPATH": str(ROOT), KEY: SECRET}

    done = subprocess.run(
        [sys.executable, "-c", program], env=places, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == str(loaded)


def test_no_environment_has_the_sdk_tell_others_of_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    def tell(*arguments: Any, **_: Any) -> bool:
        told.append(arguments)
        return True

    monkeypatch.setenv("MISTRAL_SDK_TELEMETRY", "global")
    monkeypatch.setattr(
        "mistralai.extra.observability.telemetry._use_global_tracer_provider",
        tell,
    )
    with ModelServer(answer=lambda _: ANSWER) as server:
        through(made(server.url), asked("NONE"))

    assert told == []
