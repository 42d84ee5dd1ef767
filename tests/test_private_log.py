"""Whatever happens, no log line holds a key, a prompt, a limit's value or a person's words."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from competent import ModelRequest, competent
from factories import make_supplier, quote_fields
from model_server import ModelServer
from modelled import KEY, model_config
from probe import PATIENCE_S
from serving import until
from test_foreign_records import Failing

from actors.log.catalogue import EVENTS
from actors.log.foreign_records import LIBRARIES
from actors.log.settings import LogSettings
from actors.system import NegotiationSystem
from storage.records import NegotiationStatus
from storage.store import Store

BRAND = {"target": "5.13", "limit": "8.47"}
LIST, FLOOR = "9.31", "6.61"
CHANGED = "8.29"
GUIDANCE = "Zanzibar matters: mention the harbour there in each message."
NOTES = "Quokka-proof lids."
LEAD_TIME = "in 47 days at most"
PRIORITIES = "for cost above all"
WORDS = [GUIDANCE, NOTES, "Zanzibar", KEY, "<brief>", LEAD_TIME, PRIORITIES]
MARKS = [*BRAND.values(), LIST, FLOOR, CHANGED, *WORDS]
"""What must stand in no line."""
NO_TIME = {"ts": None}


class Careless:
    """Fails with all that it knows, over and over."""

    async def next_move(self, view: Any) -> Any:
        if view.own_messages == 0:
            return {"move": "talk", "text": "Hello."}
        if view.supplier.id == "supplier-1":
            raise KeyError(BRAND["target"])
        heard = " ".join(message.content for message in view.messages)
        raise RuntimeError(f"{BRAND['limit']} {LEAD_TIME} {PRIORITIES}; {heard}"[:250])


class Told:
    """A subscriber that fails with what it has in its hands."""

    def __call__(self, event: object) -> None:
        private = f"{CHANGED} {GUIDANCE}"
        raise ValueError(private)


@pytest.fixture
def debug() -> Iterator[None]:
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.NOTSET)


def quote(**more: Any) -> Any:
    mandate = quote_fields()["mandate"] | {"unit_price": BRAND}
    return quote_fields(mandate=mandate, notes=NOTES, **more)


def played(folder: Path, brand: Any, answer: Callable[[ModelRequest], Any] = competent) -> bytes:
    """The log of negotiations in which a person says a lot, and much goes wrong."""
    log = folder / "x.jsonl"
    suppliers = [make_supplier(number, list_price=LIST, floor=FLOOR) for number in (1, 2)]
    with ModelServer(answer=answer) as server:
        config = model_config(server, suppliers, rules={"draft_retries": 1, "retry_pause_s": 0.0})
        config = config.model_copy(update={"log": LogSettings(heartbeat_s=0.05)})
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MISTRAL_API_KEY", KEY)
            system = NegotiationSystem.start(
                config, database=folder / "x.db", brand=brand, suppliers="mistral", log_file=log
            )
        with system:
            play(system)
            until(lambda: b"system.heartbeat" in log.read_bytes())
    return log.read_bytes()


def play(system: NegotiationSystem) -> None:
    system.subscribe(Told())
    created = system.create_quote(quote())
    one, two = system.start_negotiations(created.id, automatic=False)
    system.wait(created.id, PATIENCE_S)
    for _ in range(3):
        for negotiation in (one, two):
            if system.negotiation(negotiation.id).status is NegotiationStatus.ACTIVE:
                system.add_user_intervention(
                    GUIDANCE, negotiation_id=negotiation.id, limits={"unit_price": CHANGED}
                )
        system.wait(created.id, PATIENCE_S)
        active = [n for n in system.negotiations(created.id) if n.status == "active"]
        if active:
            system.continue_negotiation(quote_id=created.id)
        system.wait(created.id, PATIENCE_S)
    # a bug in one of our actors, and one in a host's
    system._brand.tell({CHANGED: GUIDANCE})
    failing = Failing.start()
    failing.tell("fail")
    failing.actor_stopped.wait(PATIENCE_S)


def leaks(raw: bytes) -> dict[str, list[str]]:
    """Lines that hold a mark, by the mark; times and seconds may look like any figure."""
    told = [
        str({name: x for name, x in json.loads(line).items() if not isinstance(x, float)} | NO_TIME)
        for line in raw.splitlines()
    ]
    found = {mark: [line for line in told if mark in line] for mark in MARKS}
    return {mark: lines for mark, lines in found.items() if lines}


def says_all(request: ModelRequest) -> Any:
    """A model whose every word is private."""
    return {"move": "talk", "text": f"{GUIDANCE} {BRAND['limit']} {FLOOR}"}


@pytest.mark.usefixtures("debug")
@pytest.mark.parametrize(
    ("brand", "answer"),
    [("mistral", competent), ("mistral", says_all), (Careless(), competent)],
    ids=["models", "models that say it all", "a negotiator that fails with it"],
)
def test_nothing_private_is_in_any_line(tmp_path: Path, brand: Any, answer: Any) -> None:
    raw = played(tmp_path, brand, answer)

    assert leaks(raw) == {}
    names = {json.loads(line)["event"] for line in raw.splitlines()}
    assert names >= {"library.logged", "actor.failed", "subscriber.failed"}
    assert ("model.answered" in names) is (brand == "mistral")
    assert names >= {"intervention.received", "system.heartbeat", "run.finished"}
    assert names <= {event.name for event in EVENTS}


def test_what_a_negotiator_fails_with_stands_in_the_database_alone(tmp_path: Path) -> None:
    raw = played(tmp_path, Careless())

    store = Store(tmp_path / "x.db", read_only=True)
    (created,) = store.quotes()
    reasons = [one.last_error or "" for one in store.negotiations(created.id)]
    told = {line["error"] for line in map(json.loads, raw.splitlines()) if "error" in line}
    assert any(f"KeyError: '{BRAND['target']}'" in reason for reason in reasons)
    assert any(LEAD_TIME in reason and PRIORITIES in reason for reason in reasons)
    assert {re.sub(r"\d+$", "…", error) for error in told} >= {
        f"{kind} at test_private_log.py:…" for kind in ("KeyError", "RuntimeError")
    }


def test_the_marks_would_be_found() -> None:
    lines = [{"error": GUIDANCE}, {"ts": f"0{CHANGED}9", "model": KEY}, {"latency_s": 8.29}]

    assert leaks(b"\n".join(json.dumps(line).encode() for line in lines)).keys() == {
        *(GUIDANCE, "Zanzibar", KEY)
    }
