"""Text from people and suppliers steers nothing, wherever it is shown."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from factories import make_supplier, quote_fields

import main
from actors import command_line
from actors.config import Config, load_config
from actors.negotiators.scripted import Scripted
from actors.system import NegotiationSystem

HOSTILE = '\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u2066\x9b1A[bold red]x[/] {"event": "forged"}\r'
LONG = (HOSTILE + "very " * 800)[:4000]


def config() -> Config:
    supplier = make_supplier(1).model_copy(update={"name": HOSTILE[:70], "about": HOSTILE})
    return load_config().model_copy(update={"suppliers": (supplier,)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A database and a log in which everything that can be is hostile."""
    talker = Scripted({"move": "talk", "text": LONG}, {"move": "walk_away", "text": LONG})
    with NegotiationSystem.start(
        config(),
        database=tmp_path / "parley.db",
        brand=talker,
        suppliers=talker,
        log_file=tmp_path / "log.jsonl",
    ) as system:
        quote = system.create_quote(quote_fields(notes=HOSTILE * 3))
        (negotiation,) = system.start_negotiations(quote.id, automatic=False)
        system.wait(quote.id, timeout_s=60)
        system.add_user_intervention(LONG, negotiation_id=negotiation.id)
        system.wait(quote.id, timeout_s=60)
        broken = system.create_quote(quote_fields(notes=HOSTILE))
        system.start_negotiations(broken.id)
        system.wait(broken.id, timeout_s=60)
    return tmp_path


def ids(folder: Path) -> Iterator[str]:
    with NegotiationSystem.start(config(), database=folder / "parley.db") as system:
        for quote in system.quotes():
            yield quote.id
            for negotiation in system.negotiations(quote.id):
                yield negotiation.id
                yield from (one.id for one in system.interventions(negotiation.id))


def harmful(text: str) -> set[str]:
    """Characters that a terminal or a reader would obey."""
    return {c for c in text if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"}}


@pytest.mark.parametrize("json_too", [False, True])
def test_commands_show_it_and_obey_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], json_too: bool
) -> None:
    options = ["--database", str(folder / "parley.db"), *(["--json"] if json_too else [])]
    for arguments in (["list"], *(["show", record_id] for record_id in ids(folder))):
        assert main.main([*arguments, *options]) == command_line.DONE

        shown = capsys.readouterr().out
        assert harmful(shown) == set()
        if json_too:
            assert shown.isascii()
            assert shown.count("\n") == 1
            assert json.loads(shown)
        elif arguments[1:2] and arguments[1].startswith("n-"):
            assert "\\x1b[2J\\u202egnp.exe" in shown
            assert "[bold red]x[/]" in shown


def test_the_log_has_one_harmless_line_for_each_event(folder: Path) -> None:
    raw = (folder / "log.jsonl").read_bytes()

    lines: list[dict[str, Any]] = [json.loads(line) for line in raw.splitlines()]

    assert raw.isascii()
    assert harmful(raw.decode()) == set()
    assert all({"ts", "level", "event"} <= line.keys() for line in lines)
    assert "forged" not in {line["event"] for line in lines}
    assert b"very very" not in raw  # no words of anybody


def test_short_forms_are_one_harmless_line(folder: Path) -> None:
    with NegotiationSystem.start(config(), database=folder / "parley.db") as system:
        for quote in system.quotes():
            (negotiation,) = system.negotiations(quote.id)
            records = [
                quote,
                negotiation,
                *system.messages(negotiation.id),
                *system.interventions(negotiation.id),
            ]
            for record in records:
                assert harmful(repr(record) + str(record)) == set()
                assert len(repr(record)) < 300
