"""A log is never put where a database is, and what stands beside one is known by its name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from actors.errors import ConfigError
from actors.log.place import is_log_of, log_of_all_runs, log_of_run, why_no_log
from actors.negotiators.prompt_log import PromptLog
from actors.system import NegotiationSystem

ROOT = Path(__file__).parent.parent
PATIENCE_S = 60
TAKEN = "is or would become a file of the database"


def parley(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *arguments],
        cwd=folder,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(params=["a new one", "one that is there"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    database = tmp_path / "x.db"
    if request.param == "one that is there":
        with NegotiationSystem.start(database=database) as system:
            system.create_quote()
    return database


@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal", ".lock"])
def test_a_log_that_would_be_a_file_of_the_database_is_refused_and_nothing_is_touched(
    database: Path, end: str
) -> None:
    before = contents(database.parent)

    with pytest.raises(ConfigError, match=rf"x\.db{end}: {TAKEN} .*x\.db: name another file"):
        NegotiationSystem.start(database=database, log_file=f"{database}{end}")

    assert contents(database.parent) == before


def test_a_log_that_would_be_that_of_the_prompts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=TAKEN):
        NegotiationSystem.start(
            database=tmp_path / "x.db", log_file=PromptLog.beside(tmp_path / "x.db")
        )


def test_a_database_that_a_log_would_be_put_aside_over_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=TAKEN):
        NegotiationSystem.start(database=tmp_path / "x.jsonl.2", log_file=tmp_path / "x.jsonl")


@pytest.mark.parametrize("kind", ["link to it", "link to its link", "second name", "way round"])
def test_the_database_is_known_by_whatever_name(database: Path, kind: str) -> None:
    folder = database.parent
    log = folder / "log.jsonl"
    match kind:
        case "link to it":
            log.symlink_to("x.db")
        case "link to its link":
            (folder / "link").symlink_to("x.db")
            log.symlink_to("link")
        case "second name":
            database.touch()
            log.hardlink_to(database)
        case _:
            log = folder / ".." / folder.name / "x.db"

    with pytest.raises(ConfigError, match=TAKEN):
        NegotiationSystem.start(database=database, log_file=log)


def test_a_link_to_the_database_has_the_files_of_the_database(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to("x.db")

    assert TAKEN in str(why_no_log(tmp_path / "x.db-wal", tmp_path / "link.db"))


def test_links_in_a_circle_are_no_log_and_no_riddle(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").symlink_to("log.jsonl")

    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        NegotiationSystem.start(database=tmp_path / "x.db", log_file=tmp_path / "log.jsonl")


@pytest.mark.parametrize("name", ["x.db", "x.jsonl", "x", "x.2.db"])
def test_the_logs_beside_a_database_are_known_and_never_it_itself(
    tmp_path: Path, name: str
) -> None:
    database = tmp_path / name
    logs = [log_of_run(database), log_of_all_runs(database)]

    assert database not in logs
    assert [why_no_log(log, database) for log in logs] == [None, None]
    assert all(is_log_of(database, log.name) for log in logs)
    others = ("x.prompts.jsonl", "y.jsonl", "x.jsonl.1", f"y{logs[0].name}", f"{logs[0].name}x")
    assert not any(is_log_of(database, other) for other in (name, *others))


def test_a_database_that_is_called_like_a_log_stays_one(tmp_path: Path) -> None:
    rotates = {"PARLEY_LOG__MAX_MEGABYTES": "1"}
    for _ in range(2):
        assert parley(tmp_path, "run", "--database", "x.jsonl", **rotates).returncode == 0

    assert set(contents(tmp_path)) == {"x.jsonl", "x.log.jsonl"}
    watched = parley(tmp_path, "watch", "--once", "--json", "--database", "x.jsonl")
    assert json.loads(watched.stdout)["totals"]["completed"] > 0


@pytest.mark.parametrize("rotates", [{}, {"PARLEY_LOG__MAX_MEGABYTES": "1"}])
def test_the_command_line_says_so_on_one_line(tmp_path: Path, rotates: dict[str, str]) -> None:
    assert parley(tmp_path, "run", "--log-file", "x.jsonl").returncode == 0
    before = contents(tmp_path)

    refused = parley(tmp_path, "run", "--log-file", "parley.db", **rotates)

    told = f"parley: parley.db: {TAKEN} parley.db: name another file\n"
    assert (refused.returncode, refused.stdout, refused.stderr) == (2, "", told)
    assert contents(tmp_path) == before
