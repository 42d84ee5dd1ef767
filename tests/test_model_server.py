"""The model server: it is what it says it is to the real SDK, and its negotiator is a good one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from competent import ModelRequest, competent
from factories import guided, make_config, make_conversation, make_supplier, make_terms, said
from mistralai.client import Mistral, errors, models
from model_server import FAULTS, RELEASE, Effect, Fault, ModelServer
from msgspec.structs import replace
from rehearsal import rehearse
from zones import make_cases

from actors.mechanism.conversation import Conversation
from actors.mechanism.moves import Draft, Withheld
from actors.mechanism.rulebook import judge
from actors.mechanism.views import BrandView, SupplierView, view_for
from actors.negotiators.answers import MOVE, WORDING, Schema, read_move, read_wording
from actors.negotiators.prompts import Prompt, move_prompt, wording_prompt
from storage.records import Move, NegotiationStatus, Origin, Reason, Sender
from storage.terms.kind import Side

ROOT = Path(__file__).parent.parent
MODEL = "mistral-small"
KEY = "test-key"
PATIENCE_MS = 30_000
LEAVES_AFTER_MS = 200
"""When the SDK gives up on who hangs."""

Outcome = models.ChatCompletionResponse | Exception


class Competent:
    """The competent model without a server."""

    def next_move(self, view: BrandView | SupplierView) -> Draft | Withheld:
        return read_move(json.dumps(competent(asked(move_prompt(view)))), "stop")


def asked(prompt: Prompt) -> ModelRequest:
    return ModelRequest(0, 0.0, prompt.system, prompt.user, {}, {})


def opening() -> Prompt:
    return move_prompt(view_for(make_conversation(), Side.BRAND))


def schema(name: str, definition: Schema) -> models.ResponseFormat:
    json_schema = models.JSONSchema(name=name, schema_definition=dict(definition), strict=True)
    return models.ResponseFormat(type="json_schema", json_schema=json_schema)


async def ask(client: Mistral, prompt: Prompt, **more: Any) -> models.ChatCompletionResponse:
    messages: list[models.ChatCompletionRequestMessage] = [
        models.SystemMessage(content=prompt.system),
        models.UserMessage(content=prompt.user),
    ]
    return await client.chat.complete_async(
        model=MODEL,
        messages=messages,
        response_format=schema("move", MOVE),
        retries=None,
        **{"timeout_ms": PATIENCE_MS, **more},
    )


async def outcome(client: Mistral, prompt: Prompt, **more: Any) -> Outcome:
    try:
        return await ask(client, prompt, **more)
    except Exception as error:  # noqa: BLE001 - it is what the tests look at
        return error


def through_sdk(
    server: ModelServer,
    *calls: dict[str, Any],
    then: Iterable[dict[str, Any]] = (),
    key: str = KEY,
) -> list[Outcome]:
    """What becomes of calls that are all made at once, and of those that come after them."""

    async def run() -> list[Outcome]:
        async with (
            httpx2.AsyncClient(trust_env=False) as http,
            Mistral(api_key=key, server_url=server.url, async_client=http) as client,
        ):
            first = await asyncio.gather(*(outcome(client, opening(), **call) for call in calls))
            return [*first, *[await outcome(client, opening(), **call) for call in then]]

    return asyncio.run(run())


def post(server: ModelServer, raw: bytes | None = None) -> tuple[int, Any, dict[str, str]]:
    """Post anything, or else a good call, without an SDK that would mend it."""
    return post_to(server.url, raw)


def post_to(url: str, raw: bytes | None = None) -> tuple[int, Any, dict[str, str]]:
    sent = json.dumps(body()).encode() if raw is None else raw
    request = urllib.request.Request(f"{url}/v1/chat/completions", sent)  # noqa: S310
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request) as response:
            return response.status, json.load(response), dict(response.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), dict(error.headers)


def body(**changes: Any) -> dict[str, Any]:
    prompt = opening()
    json_schema = {"name": "move", "schema": MOVE, "strict": True}
    return {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": prompt.system},
            {"role": "user", "content": prompt.user},
        ],
        "response_format": {"type": "json_schema", "json_schema": json_schema},
    } | changes


# --- faults ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outcomes() -> dict[Fault, Outcome]:
    """What the SDK made of each fault; one client for all, as it takes long to build."""
    calls = {fault: {"metadata": {"fault": fault.name}} for fault in Fault}
    # it comes last and alone, so that its short patience is for nothing but the answer
    hanging = calls.pop(Fault.HANGS) | {"timeout_ms": LEAVES_AFTER_MS}

    def chosen(call: ModelRequest) -> Fault:
        return Fault[call.body["metadata"]["fault"]]

    with ModelServer(fault=chosen, slow_s=0.2) as server:
        outcomes = through_sdk(server, *calls.values(), then=[hanging])
        return dict(zip([*calls, Fault.HANGS], outcomes, strict=True))


RAISED: dict[Fault, type[Exception]] = {
    **{fault: errors.SDKError for fault in Fault if fault.status},
    Fault.STATUS_422: errors.HTTPValidationError,
    Fault.ODD_422: errors.ResponseValidationError,
    **dict.fromkeys((Fault.HTML, Fault.PLAIN_TEXT, Fault.NO_CONTENT), errors.SDKError),
    **dict.fromkeys((Fault.EMPTY_BODY, Fault.TRUNCATED), errors.ResponseValidationError),
    Fault.NO_CHOICES: errors.ResponseValidationError,
    Fault.NO_USAGE: errors.ResponseValidationError,
    Fault.NO_MODEL: errors.ResponseValidationError,
    Fault.RESET: httpx2.ReadError,
    Fault.CLOSED: httpx2.RemoteProtocolError,
    Fault.CUT_BODY: httpx2.RemoteProtocolError,
    Fault.HANGS: httpx2.ReadTimeout,
}
"""What the SDK raises; with all others it returns normally."""


@pytest.mark.parametrize("fault", RAISED)
def test_a_fault_makes_the_sdk_raise_what_was_measured(
    fault: Fault, outcomes: dict[Fault, Outcome]
) -> None:
    error = outcomes[fault]

    assert type(error) is RAISED[fault]
    if fault.status:
        assert isinstance(error, errors.MistralError)
        assert error.status_code == fault.status


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in RAISED])
def test_a_fault_in_what_is_said_is_for_its_reader_to_find(
    fault: Fault, outcomes: dict[Fault, Outcome]
) -> None:
    answer = outcomes[fault]
    assert isinstance(answer, models.ChatCompletionResponse)

    read = read_answer(answer)

    assert isinstance(read, Withheld if fault in FAULTS else Draft)


def read_answer(answer: models.ChatCompletionResponse) -> Draft | Withheld:
    """As a client would: the text of whatever content there is."""
    if not answer.choices:
        return read_move(None, None)
    choice = answer.choices[0]
    assert choice.message is not None
    content = choice.message.content
    if isinstance(content, list):
        content = "".join(part.text for part in content if isinstance(part, models.TextChunk))
    return read_move(content if isinstance(content, str) else None, choice.finish_reason)


def test_only_a_429_and_a_503_say_when_to_come_back(outcomes: dict[Fault, Outcome]) -> None:
    told = [
        fault
        for fault, error in outcomes.items()
        if isinstance(error, errors.MistralError) and "retry-after" in error.headers
    ]

    assert told == [Fault.STATUS_429, Fault.STATUS_503]


@pytest.mark.parametrize("header", ["3600", "Wed, 21 Oct 2026 07:28:00 GMT", None])
def test_when_to_come_back_is_for_the_test_to_say(header: str | None) -> None:
    with ModelServer(fault=lambda _: Fault.STATUS_429, retry_after=header) as server:
        status, _, headers = post(server)

    assert (status, headers.get("Retry-After")) == (429, header)


def test_every_effect_has_its_faults() -> None:
    assert {fault.effect for fault in Fault} == set(Effect)
    assert {fault.effect for fault in FAULTS} == set(Effect) - {Effect.NONE}


# --- a good answer ---------------------------------------------------------------------------


def test_a_good_answer_is_a_move_with_what_it_cost() -> None:
    with ModelServer() as server:
        [answer] = through_sdk(server, {})

    assert isinstance(answer, models.ChatCompletionResponse)
    assert isinstance(read_answer(answer), Draft)
    assert answer.model == MODEL + RELEASE
    prompt, written = answer.usage.prompt_tokens, answer.usage.completion_tokens
    assert prompt is not None
    assert prompt == -(-opening().size // 4)
    assert written
    assert answer.usage.total_tokens == prompt + written


def test_it_remembers_what_was_asked() -> None:
    with ModelServer() as server:
        through_sdk(server, {}, {"random_seed": 7})
        first, second = server.requests

    assert (first.number, second.number) == (0, 1)
    assert first.at <= second.at
    assert (first.side, first.task, first.supplier) == ("brand", "move", "Supplier 1")
    assert (first.system, first.user) == (opening().system, opening().user)
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert "random_seed" in first.body or "random_seed" in second.body
    assert first.section("state")["moves_left"] == 11
    assert first.section("move") is None
    assert first.lines("conversation") == []


@pytest.mark.parametrize(
    ("content", "received"),
    [("as it is", "as it is"), ({"text": "é"}, '{"text": "é"}'), (None, None)],
)
def test_a_test_may_answer_itself(content: Any, received: str | None) -> None:
    with ModelServer(answer=lambda _: content) as server:
        status, answer, _ = post(server)

    assert status == 200
    assert answer["choices"][0]["message"]["content"] == received


def test_a_broken_test_is_heard_of() -> None:
    def broken(_: ModelRequest) -> str:
        raise LookupError("no such answer")

    statuses = []

    def run() -> None:
        with ModelServer(answer=broken) as server:
            statuses.append(post(server)[0])

    with pytest.raises(LookupError, match="no such answer"):
        run()
    assert statuses == [500]


# --- keys, bodies, rates ---------------------------------------------------------------------


def test_a_wrong_key_is_unauthorized() -> None:
    with ModelServer(check_key=KEY) as server:
        [good] = through_sdk(server, {})
        [wrong] = through_sdk(server, {}, key="another")
        status, missing, _ = post(server)

    assert isinstance(good, models.ChatCompletionResponse)
    assert isinstance(wrong, errors.SDKError)
    assert (wrong.status_code, status) == (401, 401)
    assert json.loads(wrong.body)["message"] == missing["message"] == "Unauthorized"
    assert "request_id" in missing


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        (b"{", ["body"]),
        (b"[]", ["body"]),
        ({"model": None}, ["body", "model"]),
        ({"messages": []}, ["body", "messages"]),
        ({"messages": [{"role": "boss", "content": ""}]}, ["body", "messages", 0, "role"]),
        ({"response_format": {"type": "text"}}, ["body", "response_format", "type"]),
        ({"seed": 7}, ["body", "seed"]),
        ({"stream": True}, ["body", "stream"]),
    ],
)
def test_a_body_that_the_api_would_not_take_is_a_422(wrong: Any, place: list[str | int]) -> None:
    raw = wrong if isinstance(wrong, bytes) else json.dumps(body(**wrong)).encode()

    with ModelServer() as server:
        status, refused, _ = post(server, raw)

    assert status == 422
    assert place in [mistake["loc"] for mistake in refused["detail"]]
    assert all(set(mistake) == {"loc", "msg", "type"} for mistake in refused["detail"])
    assert server.requests == ()


@pytest.mark.parametrize("change", [{"strict": False}, {"schema": {}}, {"name": "not a name"}])
def test_a_schema_is_strict_or_none(change: dict[str, Any]) -> None:
    json_schema = {"name": "move", "schema": WORDING, "strict": True} | change
    wrong = body(response_format={"type": "json_schema", "json_schema": json_schema})

    with ModelServer() as server:
        status, _, _ = post(server, json.dumps(wrong).encode())

    assert status == 422


def test_the_sdk_makes_a_422_of_its_own_kind_of_a_call_that_breaks_the_rules() -> None:
    with ModelServer() as server:
        [error] = through_sdk(server, {"temperature": 9.0})

    assert isinstance(error, errors.HTTPValidationError)
    assert error.data.detail is not None
    assert error.data.detail[0].loc[:2] == ["body", "temperature"]


def test_more_calls_than_the_rate_are_told_to_come_back() -> None:
    now = [100.0]
    with ModelServer(requests_per_second=5, clock=lambda: now[0]) as server:
        first = [post(server) for _ in range(8)]
        told = first[-1][2]["Retry-After"]
        now[0] += float(told) - 0.01
        early, _, _ = post(server)
        now[0] += 0.01
        later, _, _ = post(server)

    assert [status for status, _, _ in first] == [200] * 5 + [429] * 3
    assert told == "1"
    assert (early, later) == (429, 200)
    assert len(server.requests) == 10


def test_it_counts_arrivals() -> None:
    clock = iter([10.0, 10.5, 11.0, 14.0]).__next__
    with ModelServer(clock=clock) as server:
        for _ in range(4):
            post(server)

    assert [request.at for request in server.requests] == [10.0, 10.5, 11.0, 14.0]
    assert server.most_arrivals(3_600.0) == 4
    assert server.most_arrivals(1.5) == 3
    assert server.most_arrivals(1.0) == 2
    assert server.most_arrivals(3_600.0, after_s=1.0) == 2
    assert server.most_arrivals(3_600.0, after_s=3_600.0) == 0


def test_it_counts_what_is_open_at_once() -> None:
    async def run() -> None:
        loop, open_now, all_here = asyncio.get_running_loop(), iter(range(1, 4)), asyncio.Event()

        def hang(_: ModelRequest) -> Fault:
            if next(open_now) == 3:
                loop.call_soon_threadsafe(all_here.set)
            return Fault.HANGS

        server.fault = hang
        async with httpx2.AsyncClient(trust_env=False, timeout=None) as http:
            url = f"{server.url}/v1/chat/completions"
            calls = [asyncio.create_task(http.post(url, json=body())) for _ in range(3)]
            await all_here.wait()
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

    with ModelServer() as server:
        for _ in range(5):
            post(server)
        one_by_one = server.most_at_once
        asyncio.run(run())

    assert one_by_one == 1
    assert server.most_at_once == 3


def test_it_ends_though_a_client_still_waits() -> None:
    async def run() -> None:
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()

        def hang(_: ModelRequest) -> Fault:
            loop.call_soon_threadsafe(arrived.set)
            return Fault.HANGS

        async with httpx2.AsyncClient(trust_env=False, timeout=None) as http:
            with ModelServer(fault=hang) as server:  # it says so if it can't end
                posting = http.post(f"{server.url}/v1/chat/completions", json=body())
                call = asyncio.create_task(posting)
                await arrived.wait()
            with pytest.raises(httpx2.RemoteProtocolError):
                await call

    asyncio.run(run())


def test_it_runs_by_hand_until_it_is_told_to_end() -> None:
    command = [sys.executable, str(ROOT / "tests" / "model_server.py"), "--delay", "0"]
    places = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=places, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            status, _, _ = post_to(process.stdout.readline().strip())
        finally:
            process.send_signal(signal.SIGTERM)
        code = process.wait(10)

    assert (status, code) == (200, 0)


# --- the competent negotiator ----------------------------------------------------------------


def test_where_terms_suit_both_competent_models_find_them_and_break_no_rule() -> None:
    games = [
        (case, rehearse(case.conversation, Competent(), Competent())) for case in make_cases(150)
    ]

    assert [played.refusal for _, played in games if played.refusal] == []
    for case, played in games:
        assert played.ending is not None
        agreed = played.ending.status is NegotiationStatus.COMPLETED
        assert agreed is case.is_feasible
        assert len({entry.content for entry in played.entries}) == len(played.entries)


@pytest.mark.parametrize("max_rounds", [1, 2, 3, 10, 30])
def test_they_agree_in_games_of_any_length(max_rounds: int) -> None:
    conversation = make_conversation(make_config(max_rounds=max_rounds))

    played = rehearse(conversation, Competent(), Competent())

    assert played.ending is not None
    assert played.ending.status is NegotiationStatus.COMPLETED


def test_without_common_terms_they_end_without_an_agreement() -> None:
    config = make_config([make_supplier(floor="8.01")])

    played = rehearse(make_conversation(config), Competent(), Competent())

    assert played.refusal is None
    assert played.ending is not None
    assert played.ending.status is NegotiationStatus.IMPASSE
    assert played.ending.reason in (Reason.MAX_ROUNDS, Reason.NO_PROGRESS)


@pytest.mark.parametrize(
    ("currency", "target", "limit", "floor", "list_price"),
    [
        ("JPY", "500", "800", "600", "900"),
        ("JPY", "1", "3", "2", "4"),
        ("JPY", "2", "2", "1.4", "1.6"),
        ("USD", "0.01", "0.02", "0.004", "0.008"),
        ("KWD", "0.501", "0.503", "0.502", "0.504"),
    ],
)
def test_prices_have_the_decimals_of_their_currency(
    currency: str, target: str, limit: str, floor: str, list_price: str
) -> None:
    supplier = make_supplier(list_price=list_price, floor=floor)
    config = make_config([supplier.model_copy(update={"currency": currency})])
    conversation = make_conversation(config, currency=currency, target=target, limit=limit)

    played = rehearse(conversation, Competent(), Competent())

    assert played.refusal is None
    assert played.ending is not None
    assert played.ending.status is NegotiationStatus.COMPLETED


def test_who_has_nothing_to_offer_walks_away() -> None:
    conversation = make_conversation(payment=("33/33/33",), payment_options=["30/70", "33/33/33"])
    request = conversation.request.model_copy(update={"payment_options": ("30/70",)})
    view = view_for(conversation, Side.BRAND)

    draft = Competent().next_move(replace(view, request=request))

    assert isinstance(draft, Draft)
    assert draft.move == Move.WALK_AWAY


def test_a_persons_words_are_nobodys_turn() -> None:
    conversation = said(make_conversation(), Sender.BRAND, Move.OFFER, terms=make_terms("5.00", 25))
    conversation = said(conversation, Sender.SUPPLIER, Move.OFFER, terms=make_terms("9.00", 40))

    def price(of: Conversation) -> object:
        draft = Competent().next_move(view_for(of, Side.BRAND))
        assert isinstance(draft, Draft)
        return draft.terms

    assert price(guided(guided(conversation, 1), 2)) == price(conversation)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    "draft",
    [
        Draft(Move.OFFER, "", make_terms("7.00", 35)),
        Draft(Move.ACCEPT, "", accepts_seq=1),
        Draft(Move.WALK_AWAY, ""),
        Draft(Move.TALK, ""),
    ],
    ids=lambda value: str(getattr(value, "move", value)),
)
def test_its_words_for_a_move_pass_the_rules(side: Side, draft: Draft) -> None:
    conversation = make_conversation()
    other = Sender(side.other.value)
    conversation = said(conversation, other, Move.OFFER, terms=make_terms("6.50", 30))
    request = asked(wording_prompt(view_for(conversation, side), draft))

    text = read_wording(json.dumps(competent(request)), "stop")

    assert (request.task, request.side, request.supplier) == ("wording", side, "Supplier 1")
    assert isinstance(text, str)
    worded = Draft(draft.move, text, draft.terms, draft.accepts_seq)
    ruling = judge(conversation, side, worded, Origin.SCRIPT)
    assert ruling.entry is not None
    assert ruling.entry.move is draft.move
