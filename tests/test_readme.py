"""What the README shows is so: its commands, programs, queries, tables and transcripts."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path

import pytest
import readme
import reference
from benchmarks import parallel, start_up
from model_server import ModelServer
from modelled import KEY
from readme import ROOT, blocks, quoted, table

from actors import command_line
from actors.config import load_config
from actors.events import NegotiationEvent
from actors.handles.quotes import Quotes
from actors.log.catalogue import EVENTS
from actors.mechanism.ruling import Rule
from actors.model_events import ModelEvent
from actors.quote_request import new_quote, read_quote_request
from actors.repl import ReplSystem
from actors.stdio.failures import CODES
from actors.stdio.protocol import Code
from actors.system import NegotiationSystem
from storage.calls import Outcome
from storage.interventions import InterventionStatus
from storage.records import Move, NegotiationStatus, QuoteStatus, Reason, Sender
from storage.store import utc_now
from storage.tables import TABLES

PATIENCE_S = 60
SET_UP = "python3 -m venv "
COMMANDS = [
    line for block in blocks("sh") for line in block.splitlines() if not line.startswith("#")
]
NEED_A_KEY = [block for block in blocks("sh") if block.startswith("# needs a key\n")]
NEEDED = ("sqlite3",)
"""Programs that a reader may not have."""
IDS = re.compile(r"\b([qn])-[0-9a-f]{16}\b")
CHANGING = (
    (IDS, r"\1-…"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"), "TIME"),
    (re.compile(r"parley\.\S+Z-\d+\.jsonl: ended after \d+s, \d+ lines"), "LOG"),
    (re.compile(r" +\d+s  "), "  AGE  "),
)
"""What differs from run to run."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's folder as a reader has it, in which the sample was run."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("main.py", "config.toml", "actors", "storage", "tests"):
        (folder / name).symlink_to(ROOT / name)
    python = tmp_path_factory.mktemp("bin") / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o700)
    (folder / "path").write_text(str(python.parent))
    (folder / "printed.txt").write_text(shell(folder, "python main.py | cat"))
    return folder


def shell(folder: Path, command: str, server: ModelServer | None = None) -> str:
    """What a command prints; it must succeed, and complain of nothing."""
    path = (folder / "path").read_text()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PARLEY_")}
    environment.pop("COLUMNS", None)
    if server is not None:
        environment |= {"MISTRAL_API_KEY": KEY, "PARLEY_MISTRAL__SERVER_URL": server.url}
    ran = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment | {"PATH": os.pathsep.join([path, environment["PATH"]])},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def with_real_ids(folder: Path, command: str) -> str:
    """The command with the ids of its database's first quote in place of those in the README."""
    named = re.search(r"--database (\S+)", command)
    database = folder / (named[1] if named else "parley.db")
    if not IDS.search(command):
        return command
    with closing(sqlite3.connect(database)) as connection, connection:
        (quote,) = connection.execute("SELECT id FROM quotes ORDER BY created_at").fetchone()
        first = "SELECT id FROM negotiations WHERE quote_id = ? ORDER BY supplier_id"
        (negotiation,) = connection.execute(first, [quote]).fetchone()
    connection.close()
    return IDS.sub(lambda match: quote if match[1] == "q" else negotiation, command)


# Commands


def test_the_two_commands_are_lines_of_their_own_and_ci_runs_the_tests() -> None:
    run, test = (line for line in COMMANDS if line.startswith(SET_UP))

    assert (
        run == "python3 -m venv .venv && .venv/bin/pip install -q -e . && .venv/bin/python main.py"
    )
    assert test in (ROOT / ".ci" / "run").read_text().splitlines()


@pytest.mark.parametrize(
    "block", [block for block in blocks("sh") if SET_UP not in block], ids=lambda b: b[:40]
)
def test_all_other_commands_work_one_after_the_other(folder: Path, block: str) -> None:
    for command in (line for line in block.splitlines() if not line.startswith("#")):
        missing = [
            program
            for program in NEEDED
            if re.search(rf"\b{program} ", command) and shutil.which(program) is None
        ]
        if missing:
            pytest.skip(f"{' and '.join(missing)} is not installed")

        with ModelServer(check_key=KEY) as server:  # in place of Mistral's own, where it is asked
            printed = shell(folder, with_real_ids(folder, command), server)
        assert printed.strip(), command
        assert (block in NEED_A_KEY) is bool(server.requests)


TRANSCRIPTS = [
    transcript
    for block in blocks("console")
    for transcript in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
]


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda text: text.partition("\n")[0])
def test_a_transcript_shows_what_the_command_prints(folder: Path, transcript: str) -> None:
    command, *shown = transcript.strip().splitlines()
    printed = (
        (folder / "printed.txt").read_text()
        if command == "python main.py | cat"
        else shell(folder, with_real_ids(folder, command))
    )
    lines = {steady(line) for line in printed.splitlines()}

    for line in shown:
        if line == "…":
            continue
        start, cut, _ = steady(line).partition(" …")
        # three conversations are told at once, so their lines may come in another order
        assert start in lines or (cut and any(x.startswith(start) for x in lines)), line


def steady(line: str) -> str:
    """A line without what differs from run to run."""
    for pattern, placeholder in CHANGING:
        line = pattern.sub(placeholder, line)
    return line


def test_every_option_that_is_named_exists(folder: Path) -> None:
    _, _, reference = readme.TEXT.partition("## Command line")
    reference, _, _ = reference.partition("## ")
    commands = {quoted(row[0])[0].split()[0] for row in table("command")}
    helped = "".join(shell(folder, f"python main.py {command} --help") for command in commands)

    options = set(re.findall(r"--[a-z][a-z-]+", reference)) - {"--preserve-status"}
    assert options == set(re.findall(r"--[a-z][a-z-]+", helped)) - {"--help"}
    assert commands == set(
        re.findall(r"^    (\w+)", shell(folder, "python main.py --help"), re.MULTILINE)
    )


def test_the_exit_codes_are_those_of_the_program() -> None:
    (sentence,) = re.findall(r"Exit codes: (.*?)\n\n", readme.TEXT, re.DOTALL)
    codes = {
        int(code): words
        for code, words in (re.split(r"\s", part, maxsplit=1) for part in sentence.split("; "))
    }

    assert set(codes) == {
        *(
            command_line.DONE,
            command_line.NOT_DONE,
            command_line.WRONG_USE,
            command_line.HUNG_UP,
            command_line.INTERRUPTED,
            command_line.TERMINATED,
        )
    }
    assert codes[command_line.DONE].startswith("done")
    assert "parked" in codes[command_line.NOT_DONE]
    assert codes[command_line.WRONG_USE].startswith("wrong usage")
    assert codes[command_line.HUNG_UP].split()[:3] == ["ended", "by", "SIGHUP,"]
    assert codes[command_line.INTERRUPTED].startswith("interrupted")
    assert codes[command_line.TERMINATED].startswith("ended by SIGTERM")


# Programs


@pytest.mark.parametrize("program", blocks("python"))
def test_every_program_runs(tmp_path: Path, program: str) -> None:
    assert len(program.splitlines()) <= 20
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PATH": readme.COMMANDS, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.count("completed") == 3


@pytest.mark.parametrize("session", blocks("pycon"))
def test_every_session_shows_what_python_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "90")
    # doctest's own sign for what is cut is three dots
    examples = session.replace("…", "...")
    told: list[str] = []

    with ReplSystem.start(load_config(ROOT / "config.toml"), database="repl.db") as system:
        names = {"new": Quotes(system).new}  # as at a prompt
        test = doctest.DocTestParser().get_doctest(examples, names, "README.md", "README.md", 0)
        result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=told.append)

    assert result.attempted > 0
    assert result.failed == 0, "".join(told)


# Configuration


@pytest.mark.parametrize("toml", blocks("toml"))
def test_every_quote_and_config_is_accepted(tmp_path: Path, toml: str) -> None:
    file = tmp_path / "shown.toml"
    file.write_text(toml, encoding="utf-8")
    if "mandate" not in tomllib.loads(toml):
        assert load_config(file)
        return
    config = load_config(ROOT / "config.toml")
    assert new_quote(read_quote_request(file), config.suppliers, utc_now)

    with NegotiationSystem.start(config, database=tmp_path / "shown.db") as system:
        quote = system.create_quote(file)
        system.start_negotiations(quote.id)
        ended = system.wait(quote.id, timeout_s=PATIENCE_S)

    assert [negotiation.status.value for negotiation in ended] == ["completed"]


# JSON-RPC


def test_the_codes_of_errors_are_all_there() -> None:
    named = {int(code): "".join(quoted(error)) for code, error, _ in table("code")}

    assert named == {code.value: "" for code in Code} | {
        code: error.__name__ for error, code in CODES.items()
    }


# Log and tables


def test_the_reference_of_the_log_is_made_from_the_types() -> None:
    remedy = "run `python tests/reference.py`"

    assert reference.readme(readme.TEXT) == readme.TEXT, remedy
    assert reference.FORMAT.read_text(encoding="utf-8") == reference.lnav(), remedy


def test_what_the_events_of_a_kind_share_is_told_above_their_table() -> None:
    _, _, told = " ".join(readme.TEXT.split()).partition("*ids* are ")
    told, _, _ = told.partition("; a field with")
    ids, _, call = told.partition("; *call* is these with ")

    assert quoted(ids) == [fact.name for fact in reference.facts(NegotiationEvent)]
    shared = {fact.name for fact in reference.facts(ModelEvent)}
    assert {*quoted(ids), *quoted(call)} == shared


def test_a_field_means_the_same_in_all_events() -> None:
    told = [fact for event in EVENTS for fact in reference.facts(event)]

    for name in {fact.name for fact in told}:
        assert len({fact.meaning for fact in told if fact.name == name}) == 1, name
        assert len({fact.kind for fact in told if fact.name == name}) == 1, name


def test_the_outcomes_of_calls_are_those_of_the_records() -> None:
    (sentence,) = re.findall(r"A call's `outcome` is (.*?), and null", readme.TEXT, re.DOTALL)

    assert quoted(sentence) == [outcome.value for outcome in Outcome]


def test_the_tables_have_the_columns_that_are_named(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "parley.db")) as connection, connection:
        real = {
            name: [column for _, column, *_ in connection.execute(f"PRAGMA table_info({name})")]
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
    connection.close()

    named = {quoted(name)[0]: quoted(columns) for name, columns in table("table")}

    assert {name: real[name] for name in named} == named
    assert real.keys() == named.keys()
    assert len(TABLES) == len(named)


@pytest.mark.parametrize(
    "query",
    [part for block in blocks("sql") for part in block.split(";\n") if part.strip()],
    ids=lambda query: query.partition("\n")[0] or query.strip().partition("\n")[0],
)
def test_every_query_runs_on_the_sample(folder: Path, query: str) -> None:
    if re.search("^(INSERT|UPDATE)", query, re.MULTILINE):
        with closing(sqlite3.connect(folder / "parley.db")) as connection:
            assert connection.execute(with_real_ids(folder, query)).rowcount == 1
            connection.rollback()
        return
    with closing(sqlite3.connect(folder / "parley.db")) as connection, connection:
        rows = connection.execute(query).fetchall()
    connection.close()

    if "last_error" in query:
        assert rows == []
    else:
        assert len(rows) > 20
        assert all(None not in row for row in rows)


# Words, rules and files


def test_the_rules_are_all_there() -> None:
    assert [quoted(row[0])[0] for row in table("rule")] == [rule.value for rule in Rule]


def test_the_words_for_states_and_moves_are_those_of_the_records() -> None:
    words = {word: set(quoted(meaning)) for word, meaning in table("we say")}

    assert words["negotiation"] - set(Reason) == set(NegotiationStatus)
    assert words["quote"] == set(QuoteStatus)
    assert words["message, move"] == {*Move, *Sender, "seq"}
    assert words["intervention"] == set(InterventionStatus)


def test_every_file_that_is_named_exists() -> None:
    paths = set(re.findall(r"\b(?:actors|storage|tests)/[\w./]*|\b[\w]+\.toml\b", readme.TEXT))

    assert len(paths) > 15
    assert [path for path in paths if not (ROOT / path.rstrip(".")).exists()] == []


def test_the_benchmarks_work_in_small(tmp_path: Path) -> None:
    wall_s, _ = parallel.run(tmp_path, negotiations=2, move_s=0.0)
    result = start_up.measured(runs=1)

    assert wall_s > 0
    assert {"import_s", "help_s", "sample_s", "help_ratio", "sample_ratio"} < set(result)
