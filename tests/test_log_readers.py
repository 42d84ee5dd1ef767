"""What the README shows of jq and lnav is so, on the log of a real run."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import jq  # type: ignore[import-not-found]
import pytest
from factories import make_supplier, quote_fields
from model_server import ModelServer
from modelled import KEY, model_config
from readme import TEXT, blocks
from reference import FORMAT
from serving import until

from actors.log.settings import LogSettings
from actors.negotiators.scripted import Scripted
from actors.system import NegotiationSystem

PATIENCE_S = 60
Line = dict[str, Any]
(PAGE,) = blocks("shell")
PARTS = PAGE.splitlines()
SHOWN = {
    title.removeprefix("# "): command
    for title, command in pairwise(PARTS)
    if title.startswith("# ") and command.startswith("jq ")
}
"""The commands with jq by the comments above them."""
(CHOICE,) = [line for line in PARTS if line.startswith("LOG=")]
LNAV = [shlex.split(line) for line in PARTS if line.startswith("lnav ")]
NEEDS_LNAV = pytest.mark.skipif(shutil.which("lnav") is None, reason="lnav is not installed")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models, tactics, and one that is parked; heartbeats too."""
    folder = tmp_path_factory.mktemp("run")
    suppliers = [make_supplier(number) for number in (1, 2, 3)]
    with ModelServer() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MISTRAL_API_KEY", KEY)
        config = model_config(server, suppliers).model_copy(
            update={"log": LogSettings(heartbeat_s=0.02)}
        )
        beats: list[object] = []
        with NegotiationSystem.start(
            config,
            database=folder / "x.db",
            suppliers={
                "supplier-1": "mistral",
                "supplier-2": "tactics",
                "supplier-3": Scripted({"move": "jump", "text": "No."}),
            },
            log_file=folder / "parley.x.jsonl",
        ) as system:
            system.subscribe(lambda e: beats.append(e) if e.name == "system.heartbeat" else None)
            quote = system.create_quote(quote_fields())
            system.start_negotiations(quote.id)
            system.wait(quote.id, PATIENCE_S)
            until(lambda: len(beats) > 2)
    return folder / "parley.x.jsonl"


def read(log: Path) -> list[Line]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def of(lines: list[Line], event: str) -> list[Line]:
    return [line for line in lines if line["event"] == event]


def tsv(rows: list[list[Any]]) -> list[str]:
    return ["\t".join("" if cell is None else str(cell) for cell in row) for row in rows]


def last_totals(lines: list[Line]) -> list[Any]:
    named = {(one["supplier_id"], one["sender"]): one["total"] for one in lines if "total" in one}
    return [[*who, named[who]] for who in sorted(named)]


def tokens(lines: list[Line]) -> dict[str, int]:
    by_model: dict[str, int] = defaultdict(int)
    for line in of(lines, "model.answered"):
        for side in ("input", "output"):
            by_model[line["gen_ai.request.model"]] += line[f"gen_ai.usage.{side}_tokens"]
    return dict(by_model)


BEAT = ("active", "parked", "drafts", "mailbox_persistence", "longest_commit_s")
TOTALS = ("run_id", "seconds", "messages", "negotiations_completed", "log_lines_lost")
EXPECTED: dict[str, Callable[[list[Line]], list[Any]]] = {
    "what was said": lambda lines: [
        f"{one['supplier_id']} {one['seq']} {one['sender']} {one['move']} "
        f"{one.get('total', 'null')}"
        for one in of(lines, "message.saved")
    ],
    "how it ended, one line a supplier": lambda lines: tsv(
        [
            [one["supplier_id"], one["status"], one.get("reason"), one["rounds"]]
            for one in of(lines, "negotiation.ended")
        ]
    ),
    "what somebody should look at": lambda lines: tsv(
        [
            [one["ts"], one["event"], one.get("supplier_id"), one.get("error")]
            for one in lines
            if one["level"] in ("error", "critical")
        ]
    ),
    "how often each rule sent a draft back": lambda lines: [
        dict(Counter(one["rule"] for one in of(lines, "draft.refused")))
    ],
    "the last total that each side named": lambda lines: [last_totals(lines)],
    "tokens by model": lambda lines: [tokens(lines)],
    "the slowest answer of a model, in seconds": lambda lines: [
        max(one["latency_s"] for one in of(lines, "model.answered"))
    ],
    "how busy it was": lambda lines: tsv(
        [[one.get(name) for name in BEAT] for one in of(lines, "system.heartbeat")]
    ),
    "the totals of each run": lambda lines: [
        {name: one[name] for name in TOTALS} for one in of(lines, "run.finished")
    ],
}


def test_every_line_of_the_page_is_tried() -> None:
    assert SHOWN.keys() == EXPECTED.keys()
    commands = [line for line in PARTS if not line.startswith(("#", "LOG="))]
    assert len(SHOWN) + len(LNAV) == len(commands)


PROMPTS = "parley.prompts.jsonl"
OF_RUNS = ["parley.20261126T112231Z-29310.jsonl", "parley.20261127T091500Z-31.jsonl"]


@pytest.mark.parametrize(
    "names",
    [
        OF_RUNS,
        ["parley.jsonl.2", "parley.jsonl.1", "parley.jsonl"],
        [*OF_RUNS, "parley.jsonl"],
        ["parley.jsonl", *OF_RUNS],
    ],
)
def test_the_page_is_about_the_newest_log_and_never_about_prompts(
    tmp_path: Path, names: list[str]
) -> None:
    for age, name in enumerate([*names, PROMPTS]):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (age, age))

    chosen = subprocess.run(
        ["sh", "-c", f'{CHOICE}\nprintf %s "$LOG"'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )

    assert (chosen.stdout, chosen.stderr) == (names[-1], "")


@pytest.mark.parametrize("title", SHOWN)
def test_jq_shows_what_the_readme_says(log: Path, title: str) -> None:
    program, options, files = jq_parts(SHOWN[title])
    assert files == ["$LOG"]

    found = jq.compile(program).input_text(log.read_text(), slurp="s" in options).all()

    expected = EXPECTED[title](read(log))
    assert expected
    assert found == expected


def test_jq_leaves_out_half_a_line_as_the_readme_says(log: Path) -> None:
    (program,) = re.findall(r"`jq -R '(.*?)' \"\$LOG\"`", TEXT)
    first, *others = log.read_text().splitlines()

    raw = [first, first[:40], *others]
    found = [one for line in raw for one in jq.compile(program).input_value(line).all()]

    assert found == read(log)


def jq_parts(command: str) -> tuple[str, str, list[str]]:
    _, *words = shlex.split(command)
    options = "".join(word[1:] for word in words if word.startswith("-"))
    program, *files = (word for word in words if not word.startswith("-"))
    return program, options, files


@pytest.fixture(scope="module")
def lnav(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """The real program with our format, installed for a user who is new."""
    home = tmp_path_factory.mktemp("home")
    environment = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "TERM": "dumb"}

    def run(*arguments: str) -> str:
        ran = subprocess.run(
            ["lnav", *arguments],
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert (ran.returncode, "error" in ran.stderr) == (0, False), ran.stderr
        return ran.stdout

    (install,) = [words for words in LNAV if "-i" in words]
    assert FORMAT.match(install[-1])
    run("-i", str(FORMAT))
    return run


def rows(printed: str) -> list[dict[str, str]]:
    return list(csv.DictReader(printed.splitlines()))


@NEEDS_LNAV
def test_lnav_knows_our_log_and_counts_its_events(lnav: Callable[..., str], log: Path) -> None:
    query = ";SELECT event, count(*) AS n FROM parley GROUP BY event"
    found = rows(lnav("-n", "-c", query, "-c", ":write-csv-to -", str(log)))

    counted = {row["event"]: int(row["n"]) for row in found}
    assert counted == Counter(line["event"] for line in read(log))


@NEEDS_LNAV
def test_lnav_reads_every_field_and_level(lnav: Callable[..., str], log: Path) -> None:
    query = ";SELECT * FROM parley ORDER BY log_line"
    printed = lnav("-n", "-c", query, "-c", ":write-json-to -", str(log))

    lines = sorted(read(log), key=lambda line: line["ts"])
    for shown, line in zip(json.loads(printed), lines, strict=True):
        assert shown["log_level"] == line["level"]
        facts = {name: plain(line[name]) for name in line if name not in ("ts", "level")}
        assert {name: plain(shown[name]) for name in shown if name in facts} == facts


def plain(value: Any) -> Any:
    """A value as SQL sees it: numbers and lists may be text, and what is true is one."""
    if isinstance(value, list):
        return json.dumps(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


@NEEDS_LNAV
@pytest.mark.parametrize(
    "command", [words for words in LNAV if "-i" not in words], ids=lambda words: words[3][:40]
)
def test_lnav_shows_what_the_readme_says(
    lnav: Callable[..., str], log: Path, command: list[str]
) -> None:
    *options, file = command[1:]
    assert file == "$LOG"

    printed = lnav(*options, "-c", ":write-csv-to -", str(log))

    lines = read(log)
    if printed.startswith("rule,"):
        rules = Counter(line["rule"] for line in of(lines, "draft.refused"))
        assert {row["rule"]: int(row["count(*)"]) for row in rows(printed)} == rules
    else:
        assert [(row["supplier_id"], int(row["rounds"])) for row in rows(printed)] == [
            (line["supplier_id"], line["rounds"]) for line in of(lines, "negotiation.ended")
        ]
    assert rows(printed)


@NEEDS_LNAV
def test_lnav_shows_each_line_with_what_matters(lnav: Callable[..., str], log: Path) -> None:
    shown = lnav("-n", str(log)).splitlines()

    assert len(shown) == len(read(log))
    assert any("message.saved" in line and "supplier-1 1 brand offer USD" in line for line in shown)
