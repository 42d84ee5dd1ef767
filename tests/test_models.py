"""Models negotiate through the whole system: the real SDK over real HTTP to our own server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from competent import ModelRequest, competent
from factories import make_supplier, quote_fields
from model_server import Effect, Fault, ModelServer
from modelled import KEY, model_config, models, negotiated, rows, three_suppliers
from verified import faults

from actors.errors import ConfigError
from actors.negotiators.mistral import mistral_model
from actors.system import NegotiationSystem
from storage.calls import Outcome
from storage.records import Move, NegotiationStatus, Origin, Reason, is_parked

ROOT = Path(__file__).parent.parent
ORIGINS = "SELECT DISTINCT origin FROM messages ORDER BY origin"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "parley.db"


def command(folder: Path, *arguments: str, key: str | None = KEY) -> Any:
    environment = {k: v for k, v in os.environ.items() if k != "MISTRAL_API_KEY"}
    if key is not None:
        environment["MISTRAL_API_KEY"] = key
    return subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def settings(folder: Path, server: ModelServer, more: str = "") -> str:
    path = folder / "models.toml"
    path.write_text(f'[mistral]\nserver_url = "{server.url}"\nretry_pause_s = 0.01\n{more}')
    return str(path)


MODELS = ("--brand", "mistral", "--suppliers", "mistral")


# What a person runs


def test_the_sample_is_negotiated_by_models_on_both_sides_to_its_end(
    tmp_path: Path, database: Path
) -> None:
    prices = '[mistral.prices]\nprompt = "0.10"\ncompletion = "0.30"\n'
    with ModelServer(check_key=KEY) as server:
        config = settings(tmp_path, server, prices)
        ran = command(tmp_path, "run", "--config", config, *MODELS, "--json")

    assert ran.returncode == 0, ran.stderr
    outcome = json.loads(ran.stdout)
    assert {n["status"] for n in outcome["negotiations"]} <= {"completed", "impasse"}
    assert any(n["status"] == "completed" for n in outcome["negotiations"])
    assert rows(database, ORIGINS) == ["mistral"]
    assert faults(database) == []
    spent = [n["models"] for n in outcome["negotiations"]]
    tokens = sum(one["prompt_tokens"] + one["completion_tokens"] for one in spent)
    assert 1_000 < tokens / len(server.requests) < 1_200  # as the README says
    assert sum(one["calls"] for one in spent) == len(server.requests)
    for one in spent:
        cost = (one["prompt_tokens"] * 0.10 + one["completion_tokens"] * 0.30) / 1e6
        assert (one["cost"], one["currency"]) == (f"{cost:.4f}", "EUR")
    quote_id, negotiation_id = outcome["quote"]["id"], outcome["negotiations"][0]["id"]
    shown = command(tmp_path, "show", quote_id, "--config", config).stdout
    assert f"{spent[0]['calls']} calls" in shown
    assert f"EUR {spent[0]['cost']}" in shown
    last = command(tmp_path, "show", negotiation_id, "--config", config).stdout.splitlines()[-1]
    tokens = spent[0]["prompt_tokens"] + spent[0]["completion_tokens"]
    assert last == f"models: {spent[0]['calls']} calls, {tokens:,} tokens, EUR {spent[0]['cost']}"


@pytest.mark.parametrize("key", [None, "", "  ", "two words", "ключ"])
def test_without_a_key_nothing_is_written(tmp_path: Path, key: str | None) -> None:
    ran = command(tmp_path, "run", "--suppliers", "narrated", key=key)

    assert ran.returncode == 2
    assert ran.stderr.startswith("parley: MISTRAL_API_KEY: ")
    assert len(ran.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
    assert key is None or not key.strip() or key not in ran.stderr


def test_a_server_on_this_machine_needs_no_key(tmp_path: Path, database: Path) -> None:
    with ModelServer() as server:
        ran = command(
            tmp_path, "run", "--config", settings(tmp_path, server), "--brand", "narrated", key=None
        )

    assert ran.returncode == 0, ran.stderr
    assert "narrated" in rows(database, ORIGINS)


def test_a_refused_key_parks_the_negotiations_and_the_reason_names_it(
    tmp_path: Path, database: Path
) -> None:
    with ModelServer(check_key="another") as server:
        ran = command(tmp_path, "run", "--config", settings(tmp_path, server), *MODELS)

    assert ran.returncode == 1
    errors = rows(database, "SELECT last_error FROM negotiations")
    assert len(set(errors)) == 1
    assert "MISTRAL_API_KEY" in errors[0]
    assert "\n" not in errors[0]
    assert len(server.requests) == 3
    (line,) = ran.stderr.splitlines()
    assert line == f"parley: parked: supplier-1, supplier-2, supplier-3: {errors[0]}"


def test_the_key_is_in_nothing_that_is_written_or_printed(tmp_path: Path) -> None:
    passing = [fault for fault in Fault if fault.effect is not Effect.FAIL_FAST]
    final = [fault for fault in Fault if fault.effect is Effect.FAIL_FAST]
    # none of them twice in a row, so that no draft is given up before its time
    faults_of = dict(zip(range(3, 300, 2), [*passing, *final], strict=False))
    with ModelServer(check_key=KEY, fault=lambda r: faults_of.get(r.number), slow_s=0.1) as server:
        config = settings(tmp_path, server, "attempt_timeout_s = 0.5\nlog_prompts = true\n")
        ran = command(tmp_path, "run", "--config", config, *MODELS)
        shown = [command(tmp_path, *what).stdout for what in (["list", "--json"], ["list"])]

    assert KEY not in ran.stdout + ran.stderr + "".join(shown)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in written} >= {".db", ".jsonl"}
    assert [path.name for path in written if KEY.encode() in path.read_bytes()] == []
    assert len(server.requests) > 3 + 2 * len(passing)


# Who may know what


def test_guidance_is_in_the_very_next_brand_prompt_and_in_no_suppliers(database: Path) -> None:
    said = "Zanzibar matters: ask for delivery there."
    heard: list[int] = []

    def answer(request: ModelRequest) -> Any:
        if request.number == 4 and not heard:
            one = system.negotiations(quote.id)[0]
            system.add_user_intervention(said, negotiation_id=one.id)
            heard.append(len(server.requests))
        return competent(request)

    with (
        ModelServer(answer=answer) as server,
        models(database, model_config(server)) as system,
    ):
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)
        (ended,) = system.wait(quote.id, 60)
        (receipt,) = system.interventions(ended.id)

    later = [r for r in server.requests[heard[0] :] if r.side == "brand"]
    assert later
    assert all(r.lines("guidance")[-1]["text"] == said for r in later)
    assert not any("Zanzibar" in r.user + r.system for r in server.requests if r.side != "brand")
    assert receipt.status == "applied"
    assert receipt.reason is None  # a model has read the text


def test_no_prompt_holds_what_its_side_may_not_know(database: Path) -> None:
    quote = quote_fields(target="5.19", limit="8.29", lead_target=21, lead_limit=47)
    quote["priorities"] = {"quality": 13, "cost": 17, "lead_time": 31, "payment_terms": 39}
    with (
        ModelServer() as server,
        models(database, model_config(server, three_suppliers())) as system,
    ):
        negotiated(system, quote)

    offers = rows(
        database,
        "SELECT n.supplier_id, m.terms FROM messages AS m JOIN negotiations AS n "
        "ON n.id = m.negotiation_id WHERE m.sender = 'supplier' AND m.move = 'offer'",
    )
    said = {(f"Supplier {s[-1]}", json.loads(t)["unit_prices"]["widget"]) for s, t in offers}
    by_price = Counter(price for _, price in said)
    for request in server.requests:
        text = request.system + request.user
        others = {"Supplier 1", "Supplier 2", "Supplier 3"} - {request.supplier}
        assert not [name for name in others if name in text]
        for supplier, price in said:
            if supplier != request.supplier and by_price[price] == 1:
                assert not names(price, text), "one supplier's terms in another's prompt"
        number = request.supplier[-1]
        if request.side == "brand":
            assert not names(f"6.{number}7", text)
            assert "day_cost" not in text
            assert (
                not names(f"9.{number}3", text) or request.section("state")["their_standing_offer"]
            )
        else:
            assert not names("8.29", text)
            assert "priorities" not in text
    assert faults(database) == []


def names(figure: str, text: str) -> bool:
    return re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d.]\d)", text) is not None


# Both modes


def test_a_narrator_plays_the_moves_of_tactics_in_a_models_words(tmp_path: Path) -> None:
    plain, worded = tmp_path / "plain.db", tmp_path / "worded.db"
    with ModelServer() as server:
        config = model_config(server, three_suppliers())
        for database, who in ((plain, "tactics"), (worded, "narrated")):
            with models(database, config, brand=who, suppliers=who) as system:
                negotiated(system, quote_fields())

    moves = (
        "SELECT n.supplier_id, m.seq, m.sender, m.move, m.terms, m.accepts_seq FROM messages AS m "
        "JOIN negotiations AS n ON n.id = m.negotiation_id ORDER BY 1, 2"
    )
    assert rows(plain, moves) == rows(worded, moves)
    assert rows(worded, ORIGINS) == ["narrated"]
    assert {request.task for request in server.requests} == {"wording"}
    for request in server.requests:
        assert request.section("brief") is None
        text = request.system + request.user
        told = json.dumps((request.section("move"), request.lines("conversation")))
        for limit in ("8.00", *(f"6.{n}7" for n in (1, 2, 3))):
            assert not names(limit, text) or names(limit, told)


def test_words_that_tell_a_limit_are_redone_once_and_then_plain(database: Path) -> None:
    with (
        ModelServer(answer=lambda _: {"text": "We can pay 8.00 at most."}) as server,
        models(database, model_config(server), brand="narrated", suppliers="tactics") as system,
    ):
        (ended,) = negotiated(system, quote_fields(), 60)
        said = system.messages(ended.id)

    brand = [message for message in said if message.sender == "brand"]
    assert brand[0].origin is Origin.FALLBACK
    assert faults(database) == []
    assert "sent back" in server.requests[1].user
    assert "8.00" not in server.requests[1].user
    assert ended.status is NegotiationStatus.COMPLETED


def test_words_that_would_undo_an_accept_are_redone(database: Path) -> None:
    def answer(request: ModelRequest) -> Any:
        if request.section("move")["move"] == "accept" and "sent back" not in request.user:
            return {"text": "We accept, provided that you also pay the freight."}
        return competent(request)

    with (
        ModelServer(answer=answer) as server,
        models(database, model_config(server), brand="narrated", suppliers="narrated") as system,
    ):
        (ended,) = negotiated(system, quote_fields())
        said = system.messages(ended.id)

    assert said[-1].move is Move.ACCEPT
    assert said[-1].origin is Origin.NARRATED
    assert [r for r in server.requests if "sent back" in r.user]


def test_words_that_can_t_be_read_are_redone_with_the_reason(database: Path) -> None:
    with (
        ModelServer(fault=lambda r: Fault.CUT_TEXT if r.number == 0 else None) as server,
        models(database, model_config(server), brand="narrated", suppliers="tactics") as system,
    ):
        (ended,) = negotiated(system, quote_fields())
        first = system.messages(ended.id)[0]

    assert "the answer was not finished: length" in server.requests[1].user
    assert first.origin is Origin.NARRATED


def test_a_receipt_says_that_who_only_words_acts_on_no_text(database: Path) -> None:
    with (
        ModelServer() as server,
        models(database, model_config(server), brand="narrated", suppliers="tactics") as system,
    ):
        quote = system.create_quote(quote_fields())
        (one,) = system.start_negotiations(quote.id, automatic=False)
        system.wait(quote.id, 30)
        system.add_user_intervention("Walk away now.", negotiation_id=one.id)
        system.wait(quote.id, 30)
        (receipt,) = system.interventions(one.id)

    assert receipt.status == "applied"
    assert (receipt.reason or "").startswith("text kept; tactics acts on")
    assert not any("Walk away now." in request.user for request in server.requests)


def test_suppliers_can_differ(database: Path) -> None:
    suppliers = [make_supplier(1), make_supplier(2, negotiator="narrated"), make_supplier(3)]
    with ModelServer() as server:
        config = model_config(server, suppliers)
        chosen = {"supplier-1": "mistral"}
        with models(database, config, brand="tactics", suppliers=chosen) as system:
            negotiated(system, quote_fields())

    origins = rows(
        database,
        "SELECT DISTINCT n.supplier_id, m.origin FROM messages AS m JOIN negotiations AS n "
        "ON n.id = m.negotiation_id WHERE m.sender = 'supplier' ORDER BY 1",
    )
    assert origins == [
        ("supplier-1", "mistral"),
        ("supplier-2", "narrated"),
        ("supplier-3", "tactics"),
    ]


# What can't be used


def test_an_unreadable_answer_is_asked_for_once_more_with_the_reason(database: Path) -> None:
    with (
        ModelServer(fault=lambda r: Fault.PROSE if r.number == 2 else None) as server,
        models(database, model_config(server)) as system,
    ):
        (ended,) = negotiated(system, quote_fields())

    assert "Your last answer was sent back" in server.requests[3].user
    assert "JSON" in server.requests[3].user
    assert server.requests[3].side == server.requests[2].side
    assert rows(database, ORIGINS) == ["mistral"]
    outcomes = rows(database, "SELECT outcome FROM calls ORDER BY created_at, attempt")
    assert outcomes[2:4] == ["unreadable", "answered"]
    assert not is_parked(ended)


@pytest.mark.parametrize("fallback", ["tactics", "park"])
def test_a_second_one_falls_back(database: Path, fallback: str) -> None:
    with (
        ModelServer(fault=lambda r: Fault.PROSE if r.number in (2, 3) else None) as server,
        models(database, model_config(server, rules={"fallback": fallback})) as system,
    ):
        (ended,) = negotiated(system, quote_fields())
        said = system.messages(ended.id)

    assert is_parked(ended) is (fallback == "park")
    if fallback == "park":
        assert ended.last_error == "the brand's draft was refused twice: unreadable"
    else:
        assert [m.origin for m in said[:4]] == ["mistral", "mistral", "fallback", "mistral"]


def test_terms_beyond_the_limit_never_go_out(database: Path) -> None:
    def greedy(request: ModelRequest) -> Any:
        answer = competent(request)
        if request.side == "supplier" and answer["move"] == "offer":
            answer["unit_prices"] = [{"line": "widget", "price": "5.99"}]  # below its floor
        return answer

    with ModelServer(answer=greedy) as server, models(database, model_config(server)) as system:
        (ended,) = negotiated(system, quote_fields())
        said = system.messages(ended.id)

    assert faults(database) == []
    suppliers = [m for m in said if m.sender == "supplier"]
    assert {m.origin for m in suppliers if m.move is Move.OFFER} == {Origin.FALLBACK}


# Calls and what they cost


def test_a_draft_that_nobody_waits_for_any_more_cancels_its_call(database: Path) -> None:
    arrived = threading.Event()

    def hang(request: ModelRequest) -> Fault | None:
        if request.number == 2:
            arrived.set()
            return Fault.HANGS
        return None

    with ModelServer(fault=hang) as server, models(database, model_config(server)) as system:
        quote = system.create_quote(quote_fields())
        (one,) = system.start_negotiations(quote.id)
        assert arrived.wait(30)
        system.add_user_intervention("Sooner, please.", negotiation_id=one.id)
        (ended,) = system.wait(quote.id, 60)
        calls = system.calls(one.id)

    (cancelled,) = (c for c in calls if c.outcome is Outcome.CANCELLED)
    assert (cancelled.attempt, cancelled.side) == (1, "brand")
    assert cancelled.prompt_tokens is None  # it may have cost something
    assert not is_parked(ended)


BUDGETS = [({"calls": 5}, 5), ({"quote_calls": 14}, 14)]


@pytest.mark.parametrize(("budget", "most"), BUDGETS)
def test_no_call_starts_beyond_a_budget_of_calls(
    database: Path, budget: dict[str, int], most: int
) -> None:
    with ModelServer() as server:
        config = model_config(server, three_suppliers(), rules={"budget": budget})
        with models(database, config) as system:
            ended = negotiated(system, quote_fields())

    per = most if "quote_calls" in budget else 3 * most
    assert len(server.requests) == per
    assert {n.reason for n in ended} == {Reason.BUDGET}
    assert {n.status for n in ended} == {NegotiationStatus.IMPASSE}
    assert rows(database, "SELECT count(*) FROM messages") == [per]


def test_tokens_never_pass_a_budget_of_tokens(database: Path) -> None:
    budget = {"tokens": 12_000, "quote_tokens": 30_000}
    with ModelServer() as server:
        config = model_config(server, three_suppliers(), rules={"budget": budget})
        with models(database, config) as system:
            ended = negotiated(system, quote_fields())

    spent = rows(
        database,
        "SELECT sum(prompt_tokens + completion_tokens) FROM calls GROUP BY negotiation_id",
    )
    assert max(spent) <= 12_000
    assert sum(spent) <= 30_000
    assert Reason.BUDGET in {n.reason for n in ended}


def test_a_budget_is_kept_across_restarts(database: Path) -> None:
    with ModelServer() as server:
        config = model_config(server, rules={"budget": {"calls": 6}})
        with models(database, config) as system:
            quote = system.create_quote(quote_fields())
            (one,) = system.start_negotiations(quote.id, automatic=False)
            for _ in range(2):
                system.wait(quote.id, 30)
                system.continue_negotiation(negotiation_id=one.id)
            system.wait(quote.id, 30)
        before = len(server.requests)
        assert 0 < before < 6
        drafts = set(rows(database, "SELECT draft_id FROM calls"))
        with models(database, config) as system:
            for _ in range(3):
                system.continue_negotiation(negotiation_id=one.id)
                (ended,) = system.wait(quote.id, 30)
                if ended.status is not NegotiationStatus.ACTIVE:
                    break

    assert len(server.requests) == 6
    assert ended.reason is Reason.BUDGET
    assert len(set(rows(database, "SELECT draft_id FROM calls")) - drafts) == 6 - before


def test_a_model_that_only_an_old_negotiation_needs_is_made_beside_the_loop(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def noted(*arguments: Any) -> Any:
        made.append(threading.current_thread().name)
        return mistral_model(*arguments)

    with ModelServer() as server:
        config = model_config(server)
        with models(database, config) as system:
            quote = system.create_quote(quote_fields())
            (one,) = system.start_negotiations(quote.id, automatic=False)
            system.wait(quote.id, 30)
        monkeypatch.setattr("actors.negotiators.mistral.mistral_model", noted)
        with models(database, config, brand="tactics", suppliers="tactics") as system:
            system.continue_negotiation(negotiation_id=one.id)
            system.wait(quote.id, 30)
            said = system.messages(one.id)

    assert [message.origin for message in said] == [Origin.MISTRAL] * 3
    assert made == ["parley-negotiator"]


def test_prompts_and_answers_are_kept_only_when_asked_for(tmp_path: Path) -> None:
    with ModelServer() as server:
        for name, log_prompts in (("quiet", False), ("told", True)):
            config = model_config(server, log_prompts=log_prompts)
            with models(tmp_path / f"{name}.db", config) as system:
                negotiated(system, quote_fields())

    kept = tmp_path / "told.prompts.jsonl"
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    calls = rows(tmp_path / "told.db", "SELECT id FROM calls")
    assert sorted(line["call_id"] for line in lines) == sorted(calls)
    assert all("<brief>" in line["user"] and line["answer"] for line in lines)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "quiet.prompts.jsonl").exists()
    for path in (*tmp_path.glob("*.jsonl"), *tmp_path.glob("*.db*")):
        assert path == kept or b"<brief>" not in path.read_bytes()


def test_a_quote_that_brings_a_supplier_with_a_model_needs_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MISTRAL_API_KEY", raising=False)
    brought = make_supplier(9, negotiator="mistral").model_dump(mode="json")
    with NegotiationSystem.start(database=tmp_path / "parley.db") as system:
        with pytest.raises(ConfigError, match="MISTRAL_API_KEY: is missing"):
            system.create_quote(quote_fields(supplier=[brought], suppliers=["supplier-9"]))
        assert system.quotes() == []
