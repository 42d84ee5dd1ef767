"""The command line as a user meets it: real processes, real files, real signals."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import main

ROOT = Path(__file__).parent.parent
PATIENCE_S = 60


def parley(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "160", **more},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the sample was run once."""
    folder = tmp_path_factory.mktemp("sample")
    ran = parley(folder)
    assert ran.returncode == 0, ran.stderr
    (folder / "printed.txt").write_text(ran.stdout)
    return folder


def test_without_a_command_the_sample_runs_to_its_end(sample: Path) -> None:
    printed = (sample / "printed.txt").read_text()

    for words in ("Supplier 1", "Supplier 2", "Supplier 3", "completed", "USD"):
        assert words in printed
    assert re.search(r"supplier-1 message 1: brand offer USD [\d.]+", printed)
    following = printed.splitlines()[-1]
    assert following.startswith("Next: python main.py show n-")
    shown = parley(sample, *following.removeprefix("Next: python main.py ").split())
    assert shown.returncode == 0
    assert "1  brand  offer" in shown.stdout


def test_the_database_and_the_log_are_the_owners_alone(sample: Path) -> None:
    files = {path.suffix: path for path in sample.iterdir()}

    assert files[".db"].name == "parley.db"
    assert re.fullmatch(r"parley\.\d{8}T\d{6}Z-\d+\.jsonl", files[".jsonl"].name)
    for suffix in (".db", ".jsonl"):
        assert files[suffix].stat().st_mode & 0o777 == 0o600


def test_the_log_tells_of_every_saved_message(sample: Path) -> None:
    (log,) = sample.glob("*.jsonl")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    with closing(sqlite3.connect(sample / "parley.db")) as database:
        rows = list(database.execute("SELECT negotiation_id, seq, sender, move FROM messages"))

    told = [
        (line["negotiation_id"], line["seq"], line["sender"], line["move"])
        for line in lines
        if line["event"] == "message.saved"
    ]

    assert sorted(told) == sorted(rows)


def test_list_and_show_read_what_was_negotiated(sample: Path) -> None:
    (quote,) = json.loads(parley(sample, "list", "--json").stdout)
    assert quote["status"] == "completed"
    assert quote["id"] in parley(sample, "list").stdout

    shown = parley(sample, "show", quote["id"])
    assert "completed" in shown.stdout
    record = json.loads(parley(sample, "show", quote["id"], "--json").stdout)
    for negotiation in record["negotiations"]:
        assert negotiation["id"] in shown.stdout
    told = json.loads(parley(sample, "show", record["negotiations"][0]["id"], "--json").stdout)
    messages = told["messages"]
    assert (told["negotiation"], told["interventions"]) == (record["negotiations"][0], [])
    assert [message["seq"] for message in messages] == list(range(1, len(messages) + 1))
    assert messages[-1]["move"] == "accept"


def test_run_prints_json_alone_on_stdout(tmp_path: Path) -> None:
    ran = parley(tmp_path, "run", "--json", "--database", "other.db", "--log-file", "x.jsonl")

    record = json.loads(ran.stdout)

    assert record["quote"]["status"] == "completed"
    assert len(record["negotiations"]) == 3
    assert "message 1: brand offer" in ran.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"other.db", "x.jsonl"}


def test_a_quote_file_with_an_unreachable_supplier_ends_in_impasse_with_it(
    tmp_path: Path,
) -> None:
    quote = ROOT / "actors" / "samples" / "out_of_reach.toml"

    record = json.loads(parley(tmp_path, "run", str(quote), "--json").stdout)

    by_supplier = {n["supplier_id"]: n for n in record["negotiations"]}
    assert len(by_supplier) == 4
    assert by_supplier["supplier-4"]["status"] == "impasse"
    assert by_supplier["supplier-4"]["agreed_terms"] is None
    assert "completed" in {n["status"] for n in by_supplier.values()}


def test_a_parked_negotiation_makes_it_exit_1(tmp_path: Path) -> None:
    ran = parley(
        tmp_path,
        *("run", "--json", "--pace", "5"),
        PARLEY_RULES__MOVE_TIMEOUT_S="0.05",
        PARLEY_RULES__DRAFT_RETRIES="0",
    )

    assert ran.returncode == 1
    for negotiation in json.loads(ran.stdout)["negotiations"]:
        assert negotiation["status"] == "active"
        assert "no move within 0.05 s" in negotiation["last_error"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "q-0"], "no quote 'q-0'"),
        (["show", "n-0"], "no negotiation 'n-0'"),
        (["run", "missing.toml"], "missing.toml: can't be read: No such file"),
        (["run", "--config", "missing.toml"], "missing.toml: can't be read: No"),
        (["run", "--brand", "oracle"], "'oracle': unknown negotiator: choose tactics"),
        (
            ["run", "--database", "no/such/folder.db"],
            "no/such/folder.db: there is no folder no/such",
        ),
        (["run", "--database", "."], ".: is a folder: name another file"),
        (["run", "--database", ""], ".: is a folder: name another file"),
        (["list", "--database", "parley.db/x"], "there is no such database"),
        (["run", "--database", "x.db", "--log-file", "no/x"], "no/x: there is no folder no"),
        (["run", "--database", "x.db", "--log-file", "."], ".: is a folder: name another file"),
        (["show", "\x1b[2J"], r"no quote '\x1b[2J'"),
        (["list", "--\x1b[2J"], r"unrecognized arguments: --\x1b[2J"),
        (["dance"], "invalid choice"),
    ],
)
def test_wrong_use_is_one_clear_line_and_exit_2(
    tmp_path: Path, sample: Path, arguments: list[str], words: str
) -> None:
    before = {path.name for path in sample.iterdir()}
    ran = parley(sample, *arguments)

    assert ran.returncode == 2
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr
    assert {path.name for path in sample.iterdir()} == before


def test_every_mistake_of_the_environment_is_a_line_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    ran = parley(tmp_path, "run", PARLEY_FOO="s3cret", PARLEY_RULES__MAX_ROUNDS="s3cret")

    assert ran.returncode == 2
    assert [line.split(": ")[:3] for line in ran.stderr.splitlines()] == [
        ["parley", "environment", "PARLEY_FOO"],
        ["parley", "environment", "PARLEY_RULES__MAX_ROUNDS"],
    ]
    assert "s3cret" not in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_list_without_a_database_says_so_and_makes_none(tmp_path: Path) -> None:
    ran = parley(tmp_path, "list")

    assert ran.returncode == 2
    assert "parley.db: there is no such database: `run` makes one" in ran.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_command(tmp_path: Path) -> None:
    printed = parley(tmp_path, "--help").stdout

    for command in ("run", "repl", "list", "show"):
        assert re.search(rf"^\s+{command}\b", printed, re.MULTILINE)


def test_help_waits_for_no_import_and_a_run_for_no_model(tmp_path: Path) -> None:
    script = (
        "import sys, main\n"
        "try: main.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )

    def modules(*arguments: str) -> set[str]:
        ran = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        )
        return set(ran.stderr.splitlines()[-1].split())

    assert not modules("--help") & {"pydantic", "peewee", "pykka", "structlog", "rich", "asyncio"}
    assert not modules("run", "--json") & {"mistralai", "httpx2", "httpx", "prompt_toolkit"}


def test_ctrl_c_ends_it_with_130_and_what_was_saved_stays(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), "run", "--pace", "0.05"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "message 2" in line:
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 130
    assert "Traceback" not in errors
    (quote,) = json.loads(parley(tmp_path, "list", "--json").stdout)
    assert quote["status"] == "negotiating"


def test_a_second_engine_is_refused_and_a_killed_one_is_followed_at_once(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), "run", "--pace", "30"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("quote.created")
        before = {path.name for path in tmp_path.iterdir()}

        refused = parley(tmp_path, "run")
        listed = parley(tmp_path, "list", "--json")
        shown = parley(tmp_path, "show", json.loads(listed.stdout)[0]["id"])

        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr == (
            f"parley: another engine (pid {process.pid}) runs on parley.db: "
            "stop it, or choose another database\n"
        )
        assert (listed.returncode, shown.returncode) == (0, 0)
        assert {path.name for path in tmp_path.iterdir()} == before
        assert len(json.loads(parley(tmp_path, "list", "--json").stdout)) == 1
        process.kill()
        process.wait(PATIENCE_S)

        assert parley(tmp_path, "run", "--json").returncode == 0
    assert not list(tmp_path.glob("*.lock"))


def test_a_reader_that_has_seen_enough_is_no_error(sample: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "list"],
        cwd=sample,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    os.close(writer)

    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_halt_is_one_line_and_exit_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise MemoryError("no more")

    monkeypatch.setattr("storage.ledger.Ledger.append_all", broken)

    code = main.main(["run", "--database", str(tmp_path / "x.db")])

    assert code == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "parley: nothing can be saved any more: no more"
    )
