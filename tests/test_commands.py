"""Commands from a fresh folder, without an engine: what they write and print, or why they don't."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from pkgutil import resolve_name

import pytest
from serving import command, locked, sql

import main
from actors.command_line import parser
from actors.commands import requests
from actors.config import load_config
from actors.opening import open_negotiations
from storage.ledger import Ledger
from storage.lock import EngineLock
from storage.records import Ending, NegotiationId, NegotiationStatus, QuoteId, Reason
from storage.store import utc_now

Run = Callable[..., tuple[int, str, str]]
WITH_ID = {"start", "cancel", "continue", "intervene", "show", "report"}
NOBODY = "No engine runs on parley.db: it waits for one (python main.py serve).\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in a fresh folder: its code, and what it printed where."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["main.py"])

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main.main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("command", main.COMMANDS)
def test_every_command_that_may_be_typed_is_there(command: str) -> None:
    assert callable(resolve_name(f"actors.commands.{main.COMMANDS[command]}"))
    assert parser().parse_args([command, *["q-1"] * (command in WITH_ID)]).command == command


@pytest.fixture
def quote_id(run: Run) -> str:
    """A pending quote, added by a command."""
    _, printed, _ = run("add", "--json")
    return str(json.loads(printed)["written"]["id"])


@pytest.fixture
def opened(tmp_path: Path, quote_id: str) -> tuple[str, list[str]]:
    """The quote with its three negotiations, as an engine that is gone left them."""
    ledger, config = Ledger(tmp_path / "parley.db"), load_config()
    quote = ledger.quote(QuoteId(quote_id))
    drafts = open_negotiations(quote, config, "tactics", lambda _: "tactics", utc_now())
    with ledger.connection(), ledger.transaction():
        _, negotiations = ledger.open_negotiations(quote.id, drafts)
    return quote_id, [negotiation.id for negotiation in negotiations]


def end(folder: Path, *negotiation_ids: str) -> None:
    """End negotiations in impasse."""
    ledger = Ledger(folder / "parley.db")
    ending = Ending(status=NegotiationStatus.IMPASSE, reason=Reason.WALK_AWAY, agreed_terms=None)
    with ledger.connection(), ledger.transaction():
        for negotiation_id in negotiation_ids:
            ledger.end(NegotiationId(negotiation_id), ending)


def dump(folder: Path) -> list[str]:
    """All that stands in the database."""
    if not (folder / "parley.db").exists():
        return []
    with closing(sqlite3.connect(folder / "parley.db")) as database:
        return list(database.iterdump())


# What they write and print


def test_add_makes_the_database_and_says_which_quote_is_pending(run: Run, tmp_path: Path) -> None:
    code, printed, errors = run("add")

    ((quote_id, status),) = sql(tmp_path, "SELECT id, status FROM quotes")
    assert (code, printed, errors) == (0, f"{quote_id} is pending\n", "")
    assert status == "pending"
    assert {path.name for path in tmp_path.iterdir()} == {"parley.db"}


def test_add_with_json_prints_the_row_s_columns_and_the_engine(run: Run, tmp_path: Path) -> None:
    _, printed, _ = run("add", "--json")

    ((quote_id,),) = sql(tmp_path, "SELECT id FROM quotes")
    assert json.loads(printed) == {
        "written": {"id": quote_id, "status": "pending"},
        "engine_pid": None,
    }


@pytest.mark.parametrize(("manual", "automatic"), [([], 1), (["--manual"], 0)])
def test_start_sets_the_quote_to_negotiating(
    run: Run, tmp_path: Path, quote_id: str, manual: list[str], automatic: int
) -> None:
    code, printed, errors = run("start", quote_id, *manual)

    assert (code, printed, errors) == (0, f"{quote_id} is set to negotiating\n{NOBODY}", "")
    assert sql(tmp_path, "SELECT status, automatic FROM quotes") == [("negotiating", automatic)]


def test_cancel_of_a_pending_quote_waits_for_no_engine(
    run: Run, tmp_path: Path, quote_id: str
) -> None:
    assert run("cancel", quote_id) == (0, f"{quote_id} is cancelled\n", "")
    assert sql(tmp_path, "SELECT status FROM quotes") == [("cancelled",)]


def test_cancel_of_a_negotiating_quote_waits_for_an_engine(
    run: Run, opened: tuple[str, list[str]]
) -> None:
    quote_id, _ = opened

    assert run("cancel", quote_id) == (0, f"{quote_id} is cancelled\n{NOBODY}", "")


def test_intervene_writes_all_that_is_given_and_shows_the_receipt(
    run: Run, tmp_path: Path, opened: tuple[str, list[str]]
) -> None:
    negotiation_id = opened[1][0]

    code, printed, errors = run(
        *("intervene", negotiation_id, "Push on lead time."),
        *("--limit", "bottle.unit_price=6.40", "--limit", "lead_time_days=50"),
        *("--limit", "payment=net 30, 30/70"),
        *("--priority", "quality=10", "--priority", "cost=20"),
        *("--priority", "lead_time=30", "--priority", "payment_terms=40"),
    )

    ((row_id, text, limits, priorities, status),) = sql(
        tmp_path, "SELECT id, text, limits, priorities, status FROM interventions"
    )
    assert (code, errors) == (0, "")
    assert printed == f"{row_id} is received for {negotiation_id}\n{NOBODY}"
    assert (text, status) == ("Push on lead time.", "received")
    assert json.loads(limits) == {
        "bottle.unit_price": "6.40",
        "lead_time_days": 50,
        "payment": ["net 30", "30/70"],
    }
    assert json.loads(priorities) == {
        "quality": 10,
        "cost": 20,
        "lead_time": 30,
        "payment_terms": 40,
    }
    assert json.loads(run("show", row_id, "--json")[1])["status"] == "received"


@pytest.mark.parametrize(
    ("action", "columns"),
    [
        (["intervene", "--accept", "6"], ("accept", 6)),
        (["intervene", "--walk-away"], ("walk_away", None)),
        (["continue"], ("continue", None)),
    ],
)
def test_an_action_is_a_row_and_its_receipt_says_no_guidance(
    run: Run,
    tmp_path: Path,
    opened: tuple[str, list[str]],
    action: list[str],
    columns: tuple[str, int | None],
) -> None:
    negotiation_id = opened[1][0]

    code, printed, _ = run(action[0], negotiation_id, *action[1:], "--json")

    assert code == 0
    assert set(json.loads(printed)["written"]) == requests.RECEIPT
    assert sql(tmp_path, "SELECT action, accepts_seq FROM interventions") == [columns]


@pytest.mark.parametrize("asked", [["intervene", "Hurry."], ["continue"]])
def test_a_quote_s_id_means_each_of_its_active_negotiations(
    run: Run, tmp_path: Path, opened: tuple[str, list[str]], asked: list[str]
) -> None:
    quote_id, (ended, *active) = opened
    end(tmp_path, ended)

    code, printed, _ = run(asked[0], quote_id, *asked[1:], "--json")

    assert code == 0
    assert [row["negotiation_id"] for row in json.loads(printed)["written"]] == active


def test_an_engine_that_runs_is_named(run: Run, tmp_path: Path, quote_id: str) -> None:
    lock = EngineLock(tmp_path / "parley.db")
    try:
        _, printed, _ = run("start", quote_id)
    finally:
        lock.close()

    assert re.search(r"^The engine \(pid \d+\) takes it up\.$", printed, re.MULTILINE)


def test_a_named_database_is_used_and_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "my data").mkdir()
    place = "my data/q.db"
    quote_id = json.loads(run("add", "--json", "--database", place)[1])["written"]["id"]

    _, printed, _ = run("start", quote_id, "--database", place)

    assert "No engine runs on my data/q.db: it waits for one" in printed
    assert "(python main.py --database 'my data/q.db' serve)" in printed


# Why they don't


DIGITS = "9" * 5000
ONES = ["quality=1", "lead_time=1", "payment_terms=1"]


def priorities(*pairs: str) -> list[str]:
    return [part for pair in pairs for part in ("--priority", pair)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["start", "q-0"], "there is no quote 'q-0': `list` shows those there are"),
        (["start", "{n}"], "there is no quote '{n}': `list` shows those there are"),
        (["cancel", "q-0"], "there is no quote 'q-0': `list` shows those there are"),
        (["continue", "n-0"], "there is no negotiation 'n-0': `list` shows those there are"),
        (["continue", "q-0"], "there is no quote 'q-0': `list` shows those there are"),
        (["intervene", "n-0", "Hi."], "there is no negotiation 'n-0': `list` shows those there"),
        (["intervene", "", "Hi."], "there is no negotiation '': `list` shows those there are"),
        (["show", "i-0"], "there is no intervention 'i-0'"),
        (["start", "{q}"], "quote {q} is negotiating, and only a pending one can be started"),
        (["intervene", "{n}"], "it is empty: give text, limits, priorities or an action"),
        (["intervene", "{n}", ""], "text: a message needs words"),
        (["intervene", "{n}", " \n"], "text: a message needs words"),
        (["intervene", "{n}", "x" * 4001], "text: 4001 characters: at most 4000"),
        (["intervene", "{n}", "\udcff"], "text: the text has characters that can't be stored"),
        (
            ["intervene", "{n}", "--limit", "colour=1"],
            "limits.colour: no such limit: write bottle.unit_price, lid.unit_price, lead_time",
        ),
        (["intervene", "{n}", "--limit", "unit_price=6"], "limits.unit_price: no such limit: "),
        (
            ["intervene", "{n}", "--limit", "bottle.unit_price=NaN"],
            'limits.bottle.unit_price: expected a plain number as text, such as "6.40"',
        ),
        (
            ["intervene", "{n}", "--limit", "bottle.unit_price=6.401"],
            "limits.bottle.unit_price: has more than the 2 decimals of USD",
        ),
        (
            ["intervene", "{n}", "--limit", f"bottle.unit_price={DIGITS}"],
            "limits.bottle.unit_price: expected a plain number",
        ),
        (
            ["intervene", "{n}", "--limit", f"lead_time_days={DIGITS}"],
            "limits.lead_time_days: expected whole days, such as 35",
        ),
        (
            ["intervene", "{n}", "--limit", "lead_time_days=-5"],
            "limits.lead_time_days: expected whole days, such as 35",
        ),
        (
            ["intervene", "{n}", "--limit", "payment=cash"],
            'limits.payment.0: expected payment such as "30/70" or "net 30"',
        ),
        (
            ["intervene", "{n}", "--limit", "a.unit_price=1", "--limit", "a.unit_price=2"],
            "--limit: a.unit_price is given twice",
        ),
        (
            ["intervene", "{n}", "--priority", "cost=100"],
            "priorities: name all four, quality, cost, lead_time, payment_terms, so that they sum",
        ),
        (
            ["intervene", "{n}", *priorities("cost=50", *ONES)],
            "priorities: the four sum to 53: write whole numbers that sum to 100",
        ),
        (
            ["intervene", "{n}", *priorities("cost=much", *ONES)],
            "priorities: cost: expected a whole number, such as 10",
        ),
        (["intervene", "{n}", *priorities(f"cost={DIGITS}", *ONES)], "priorities: cost: "),
        (
            ["intervene", "{n}", "--accept", "0"],
            "accepts_seq: expected the number of the supplier's message, such as 6",
        ),
        (
            ["intervene", "{n}", "--accept", "9" * 30],
            "accepts_seq: expected the number of the supplier's message, such as 6",
        ),
        (
            ["intervene", "{q}", "--accept", "2"],
            "action: accept takes one negotiation's offer: give its negotiation_id",
        ),
        (["add", "missing.toml"], "missing.toml: can't be read: No such file or directory"),
        (["add", "--database", "no/x.db"], "no/x.db: there is no folder no: make it, or name"),
        (["start", "{q}", "--database", "x.db"], "x.db: there is no such database: `run` makes"),
        (["serve", "--brand", "oracle"], "'oracle': unknown negotiator: choose tactics"),
        (["serve", "--pace", "-1"], "the pace must be 0 seconds or more, not -1.0"),
    ],
)
def test_bad_input_is_one_clear_line_and_nothing_is_written(
    run: Run, tmp_path: Path, opened: tuple[str, list[str]], arguments: list[str], words: str
) -> None:
    quote_id, (negotiation_id, *_) = opened
    ids = {"{q}": quote_id, "{n}": negotiation_id}
    before, files = dump(tmp_path), {path.name for path in tmp_path.iterdir()}

    code, printed, errors = run(*(ids.get(each, each) for each in arguments))

    assert (code, printed) == (2, "")
    assert errors.startswith(f"parley: {words.format(q=quote_id, n=negotiation_id)}")
    assert errors.count("\n") == 1
    assert dump(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} == files


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["intervene", "n-0", "--accept", "2", "--walk-away"], "not allowed with argument"),
        (["intervene", "n-0", "--accept", "x"], "argument --accept: invalid int value: 'x'"),
        (["intervene", "\udcff", "Hi."], r"argument ID: no id: '\udcff'"),
        (["start", "\udcff"], r"argument QUOTE_ID: no id: '\udcff'"),
        (["intervene", "n-0", "--limit", "x"], "argument --limit: write KEY=VALUE"),
        (["intervene", "n-0", "--limit", "=5"], "argument --limit: write KEY=VALUE"),
        (["intervene", "n-0", "--limit", "x="], "argument --limit: write KEY=VALUE"),
        (["intervene", "n-0", "--priority", "cost"], "argument --priority: write KEY=VALUE"),
        (["start"], "the following arguments are required: QUOTE_ID"),
        (["serve", "--pace", "x"], "argument --pace: invalid float value: 'x'"),
    ],
)
def test_a_wrong_command_line_ends_in_a_clear_line_and_makes_nothing(
    run: Run, tmp_path: Path, arguments: list[str], words: str
) -> None:
    code, printed, errors = run(*arguments)

    assert (code, printed) == (2, "")
    assert words in errors.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("asked", [["intervene", "Too late."], ["continue"]])
@pytest.mark.parametrize("of_quote", [False, True])
def test_what_has_ended_takes_no_guidance(
    run: Run,
    tmp_path: Path,
    opened: tuple[str, list[str]],
    asked: list[str],
    of_quote: bool,
) -> None:
    quote_id, negotiation_ids = opened
    end(tmp_path, *negotiation_ids)
    before = dump(tmp_path)

    code, printed, errors = run(asked[0], quote_id if of_quote else negotiation_ids[0], *asked[1:])

    one = f"negotiation {negotiation_ids[0]} has ended: impasse"
    whole = f"quote {quote_id} has no active negotiation: nobody would hear"
    assert (code, printed, errors) == (2, "", f"parley: {whole if of_quote else one}\n")
    assert dump(tmp_path) == before


def test_a_quote_that_is_over_is_neither_started_nor_cancelled(
    run: Run, tmp_path: Path, opened: tuple[str, list[str]]
) -> None:
    quote_id, negotiation_ids = opened
    end(tmp_path, *negotiation_ids)

    assert run("cancel", quote_id) == (2, "", f"parley: quote {quote_id} is completed already\n")
    assert run("start", quote_id) == (
        2,
        "",
        f"parley: quote {quote_id} is completed, and only a pending one can be started\n",
    )
    assert sql(tmp_path, "SELECT status FROM quotes") == [("completed",)]


@pytest.mark.parametrize("asked", ["start", "cancel", "continue", "intervene", "list", "show"])
def test_without_a_database_a_command_says_so_and_makes_none(
    run: Run, tmp_path: Path, asked: str
) -> None:
    code, printed, errors = run(asked, *([] if asked == "list" else ["q-1"]))

    assert (code, printed) == (2, "")
    assert errors == "parley: parley.db: there is no such database: `run` makes one\n"
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_stays_locked_is_one_clear_line(
    run: Run, tmp_path: Path, quote_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.database.BUSY_TIMEOUT_S", 0.05)
    with locked(tmp_path, "BEGIN IMMEDIATE"):
        code, printed, errors = run("start", quote_id)

    assert (code, printed) == (2, "")
    assert errors == "parley: parley.db: database is locked: nothing was written: try again\n"
    assert sql(tmp_path, "SELECT status FROM quotes") == [("pending",)]


# verify


def test_verify_counts_what_is_sound(run: Run, opened: tuple[str, list[str]]) -> None:
    counted = {"quotes": 1, "negotiations": 3, "messages": 0, "interventions": 0, "calls": 0}

    looked_at = "quotes: 1, negotiations: 3, messages: 0, interventions: 0, calls: 0"
    assert run("verify") == (0, f"faults: 0; looked at {looked_at}\n", "")
    code, printed, _ = run("verify", "--json")
    assert (code, json.loads(printed)) == (0, {"counted": counted, "faults": []})


def test_verify_prints_a_harmless_line_for_each_fault(
    run: Run, tmp_path: Path, opened: tuple[str, list[str]]
) -> None:
    _, (first, *_) = opened
    sql(tmp_path, f"UPDATE negotiations SET rounds = 7 WHERE id = '{first}'")  # noqa: S608
    sql(tmp_path, "INSERT INTO interventions (id, negotiation_id) VALUES (char(27) || 'x', 'n-9')")

    code, printed, errors = run("verify")

    assert (code, errors) == (1, "")
    assert printed.splitlines()[:-1] == [
        f"{first}: its columns have changed: they are not those of its row_hash",
        f"{first}: its rounds is not that of its messages",
        "n-9: there is no such row, and 1 of interventions belong to it",
    ]
    assert printed.splitlines()[-1].startswith("faults: 3; looked at quotes: 1, negotiations: 3")

    sql(tmp_path, f"UPDATE interventions SET negotiation_id = '{first}', message_seq = 5")  # noqa: S608
    _, printed, _ = run("verify")
    assert f"{first} \\x1bx: its message_seq is that of no message of a person\n" in printed
    code, printed, _ = run("verify", "--json")
    assert code == 1
    assert json.loads(printed)["faults"][0] == {
        "where": {"negotiation_id": first},
        "what": "its columns have changed: they are not those of its row_hash",
    }


def test_verify_of_what_is_no_database_is_one_clear_line(run: Run, tmp_path: Path) -> None:
    assert run("verify") == (
        2,
        "",
        "parley: parley.db: there is no such database: `run` makes one\n",
    )
    (tmp_path / "parley.db").write_text("not a database at all, but long enough to be looked at")

    code, printed, errors = run("verify")
    assert (code, printed) == (2, "")
    assert errors == "parley: parley.db: is no database: name another file\n"


def test_from_a_fresh_folder_every_command_is_a_process_that_works(tmp_path: Path) -> None:
    def parley(*arguments: str) -> str:
        ran = command(tmp_path, *arguments)
        assert (ran.returncode, ran.stderr) == (0, "")
        return ran.stdout

    quote_id = parley("add").split()[0]
    assert quote_id in parley("list")
    assert parley("start", quote_id) == f"{quote_id} is set to negotiating\n{NOBODY}"
    assert parley("cancel", quote_id) == f"{quote_id} is cancelled\n"
    assert "cancelled" in parley("list")
    parley("show", quote_id)
    assert parley("verify").startswith("faults: 0; looked at quotes: 1")
