"""Migrations: a new file becomes ours, ours stays as it is, and nobody else's is touched."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from factories import make_config, make_negotiations, make_quote

from storage import migrations
from storage.errors import DatabaseUnusable
from storage.ledger import Ledger
from storage.migrations import APPLICATION_ID, STEPS
from storage.store import Store


@contextmanager
def sqlite(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as database, database:
        yield database


def fingerprint(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def schema(path: Path) -> list[tuple[str, str]]:
    with sqlite(path) as database:
        return database.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


@pytest.mark.parametrize("exists", [False, True])
def test_a_new_or_empty_file_becomes_a_database_of_the_newest_version(
    tmp_path: Path, exists: bool
) -> None:
    path = tmp_path / "parley.db"
    if exists:
        path.touch()

    Store(path)

    with sqlite(path) as database:
        assert database.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert database.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
    assert APPLICATION_ID.to_bytes(4, "big") == b"PARL"


def test_opening_it_again_changes_nothing(store: Store, tmp_path: Path) -> None:
    store.add_quote(make_quote())
    before, tables = fingerprint(tmp_path), schema(store.path)

    again = Store(store.path)

    assert again.quotes() == store.quotes()
    assert fingerprint(tmp_path) == before
    assert schema(store.path) == tables


def test_only_the_missing_steps_are_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.add_quote(make_quote())
    quotes = store.quotes()
    step = ("ALTER TABLE quotes ADD COLUMN later TEXT", "CREATE TABLE more (id TEXT)")
    monkeypatch.setattr(migrations, "STEPS", (*STEPS, step))

    Store(store.path)

    with sqlite(store.path) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (len(STEPS) + 1,)
        assert database.execute("SELECT id, later FROM quotes").fetchall() == [(quotes[0].id, None)]


def test_steps_that_fail_leave_the_version_before(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = schema(store.path)
    monkeypatch.setattr(migrations, "STEPS", (*STEPS, ("CREATE TABLE more (id TEXT)", "BROKEN")))

    with pytest.raises(DatabaseUnusable, match="syntax error"):
        Store(store.path)

    assert schema(store.path) == before
    with sqlite(store.path) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (len(STEPS),)


@pytest.mark.parametrize("journal", ["delete", "wal"])
@pytest.mark.parametrize("version", [0, len(STEPS), len(STEPS) + 1])
def test_another_programs_database_is_refused_and_stays_as_it_was(
    tmp_path: Path, journal: str, version: int
) -> None:
    path = tmp_path / "theirs.db"
    with sqlite(path) as database:
        database.execute(f"PRAGMA journal_mode = {journal}")
        database.execute("CREATE TABLE quotes (id TEXT)")
        database.execute("INSERT INTO quotes VALUES ('theirs')")
        database.execute(f"PRAGMA user_version = {version}")
    before = fingerprint(tmp_path)

    with pytest.raises(DatabaseUnusable, match="another program"):
        Store(path)

    assert fingerprint(tmp_path) == before


def test_a_newer_versions_database_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    Store(path)
    with sqlite(path) as database:
        database.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    before = fingerprint(tmp_path)

    with pytest.raises(DatabaseUnusable, match=r"newer version .*: update this program"):
        Store(path)

    assert fingerprint(tmp_path) == before


def test_a_file_that_is_no_database_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Dear diary, " * 100)
    before = fingerprint(tmp_path)

    with pytest.raises(DatabaseUnusable, match=r"notes\.txt: is no database: name another file"):
        Store(tmp_path / "notes.txt")

    assert fingerprint(tmp_path) == before


def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "parley.db"
    for path, words in ((missing, "no folder .*: make it"), (tmp_path, "is a folder: name a")):
        with pytest.raises(DatabaseUnusable, match=words):
            Store(path)

    assert fingerprint(tmp_path) == {}


# From version 1


def everything(path: Path) -> list[list[tuple[object, ...]]]:
    with sqlite(path) as database:
        tables = ("SELECT * FROM quotes", "SELECT * FROM negotiations", "SELECT * FROM messages")
        return [database.execute(sql).fetchall() for sql in tables]


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database of version 1 with a negotiation that was under way."""
    path = tmp_path / "parley.db"
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "STEPS", STEPS[:1])
        store = Ledger(path)
        config = make_config()
        quote = make_quote(config)
        store.add_quote(quote)
        with store.connection(), store.transaction():
            store.open_negotiations(quote.id, make_negotiations(quote, config))
    return path


def test_a_database_of_version_1_keeps_all_that_it_holds(old: Path) -> None:
    before = everything(old)
    with sqlite(old) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)

    store = Store(old)

    with sqlite(old) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
    assert everything(old) == before
    assert store.interventions(store.negotiations(store.quotes()[0].id)[0].id) == []


def test_it_has_the_very_schema_of_a_new_one_afterwards(old: Path, tmp_path: Path) -> None:
    Store(old)
    Store(tmp_path / "new.db")

    assert schema(old) == schema(tmp_path / "new.db")


def test_another_program_can_intervene_with_two_columns_alone(old: Path) -> None:
    store = Store(old)
    negotiation = store.negotiations(store.quotes()[0].id)[0]
    with sqlite(old) as database:
        for text in ("Push.", "Push harder."):
            database.execute(
                "INSERT INTO interventions (negotiation_id, text) VALUES (?, ?)",
                (negotiation.id, text),
            )

    first, second = store.interventions(negotiation.id)

    assert (first.text, first.status, first.message_seq) == ("Push.", "received", None)
    assert re.fullmatch(r"i-[0-9a-f]{16}", first.id)
    assert first.id != second.id
    assert abs(datetime.now(UTC) - first.created_at) < timedelta(minutes=1)
    assert [one for _, one in store.requests().received] == [first, second]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO interventions (negotiation_id, status) VALUES (?, 'odd')",
        "INSERT INTO interventions (negotiation_id, action) VALUES (?, 'odd')",
    ],
)
def test_the_file_itself_refuses_what_no_intervention_can_be(old: Path, sql: str) -> None:
    store = Store(old)
    negotiation = store.negotiations(store.quotes()[0].id)[0]

    with sqlite(old) as database, pytest.raises(sqlite3.IntegrityError):
        database.execute(sql, (negotiation.id,))
