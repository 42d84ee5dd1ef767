"""The audit: what is sound is clean, each fault alone is found and named, and nothing stops it."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from casebook import Casebook, change, with_another_byte
from factories import NOON, make_config, make_supplier, quote_fields

from actors.audit import audit
from actors.mechanism.guidance import ACCEPT_WORDS, FAREWELL_WORDS
from actors.mechanism.replay import SAID_OF
from actors.mechanism.ruling import Rule
from actors.system import NegotiationSystem
from storage.calls import CallEnd, CallId, CallStart, Outcome
from storage.errors import DatabaseUnusable
from storage.records import Message
from storage.rules import Budget
from storage.store import Store
from storage.tables import InterventionRow, MessageRow, NegotiationRow
from storage.terms.kind import Side

PATIENCE_S = 20.0
CHANGES = 1_000
CHANGED = "its columns have changed: they are not those of its row_hash"
BRIEF = "what was stored at its creation, here or in its quote, has changed"
HASH = "its hash is not that of its columns and of the message before it"
CUT = "it does not fit what was said before; what follows can't be judged"


@pytest.fixture
def case(tmp_path: Path) -> Casebook:
    return Casebook(tmp_path / "parley.db", max_rounds=3, no_progress_rounds=0)


def agree(case: Casebook) -> Message:
    """An honest deal in three messages: the brand takes the supplier's offer."""
    case.offer("brand", "6.00")
    case.offer("supplier", "7.50")
    return case.take("brand", 2, "7.50")


def settle(case: Casebook) -> None:
    """An honest deal in which a person had a say: one row is applied, one refused."""
    case.offer("brand", "6.00")
    asked = case.receive(text="Not above that.", limits={"unit_price": "7.80"})
    with case.writing() as ledger:
        ledger.refuse([(case.receive(text="No.").id, "it was withdrawn")])
    case.offer("brand", "6.20", answers=case.guide(asked))
    case.offer("supplier", "7.50")
    case.take("brand", 4, "7.50")


# Where it can stand


def park(case: Casebook) -> None:
    with case.writing() as ledger:
        ledger.park(case.id, "the model is gone")


def park_owing(case: Casebook) -> None:
    case.guide(case.receive(text="Hurry."))
    park(case)


def cancel(case: Casebook) -> None:
    case.ledger.cancel_quote(case.quote.id)
    case.end("cancelled")


def refused_unreadable(case: Casebook) -> None:
    """What another program wrote is no intervention, and was told so."""
    case.sql(
        "INSERT INTO interventions (id, negotiation_id, limits) "
        "SELECT 'i-9', id, '{' FROM negotiations"
    )
    with case.writing() as ledger:
        ledger.refuse([("i-9", "it can't be read: limits")])  # type: ignore[list-item]


def continued(case: Casebook) -> None:
    row = case.receive(action="continue")
    with case.writing() as ledger:
        ledger.unpark(case.id, row.id)


# What is sound is clean


def test_a_deal_is_clean_and_counted(case: Casebook) -> None:
    settle(case)

    found = case.audit()

    assert found.faults == ()
    assert found.counted == {
        "quotes": 1,
        "negotiations": 1,
        "messages": 5,
        "interventions": 2,
        "calls": 0,
    }


@pytest.mark.parametrize("origin", ["tactics", "mistral", "narrated", "script", "fallback"])
def test_words_of_any_origin_are_clean(case: Casebook, origin: str) -> None:
    case.offer("brand", "6.00", origin=origin)
    case.offer("supplier", "8.00", origin=origin)
    case.say("brand", "talk", origin=origin)
    case.walk("supplier", origin=origin)

    assert case.faults() == []


@pytest.mark.parametrize(
    "finish",
    [
        lambda case: case.walk("supplier"),
        lambda case: case.say("supplier", "talk"),
        lambda case: case.ledger.cancel_quote(case.quote.id),
        cancel,
        park,
        lambda case: case.receive(text="Hurry."),
        lambda case: case.guide(case.receive(text="Hurry.")),
        park_owing,
        refused_unreadable,
        continued,
    ],
)
def test_wherever_it_stands_it_is_clean(
    case: Casebook, finish: Callable[[Casebook], object]
) -> None:
    case.offer("brand", "6.00")
    finish(case)

    assert case.faults() == []


def test_it_is_clean_before_anything_is_said(case: Casebook) -> None:
    assert case.faults() == []


def test_several_that_share_one_answer_are_clean(case: Casebook) -> None:
    asked = [case.receive(text="Hurry."), case.receive(text="And be kind.")]
    case.offer("brand", "6.00", answers=case.guide(*asked))

    assert case.faults() == []


def test_a_person_s_own_moves_are_clean(tmp_path: Path) -> None:
    accepting, leaving = Casebook(tmp_path / "a.db"), Casebook(tmp_path / "b.db")
    for case in (accepting, leaving):
        case.offer("brand", "6.00")
        case.offer("supplier", "8.40")
    limits = {"unit_price": "8.50"}
    asked = accepting.receive(action="accept", accepts_seq=2, limits=limits)
    answers = accepting.guide(asked)
    fixed = {"content": ACCEPT_WORDS, "origin": "person"}
    accepting.take("brand", 2, "8.40", answers=answers, **fixed)
    answers = leaving.guide(leaving.receive(action="walk_away"))
    leaving.walk("brand", "user_ended", content=FAREWELL_WORDS, origin="person", answers=answers)

    assert accepting.faults() == leaving.faults() == []


def test_a_system_in_use_is_clean_at_every_look(tmp_path: Path) -> None:
    config = make_config([make_supplier(n) for n in range(1, 9)])
    looks = 0
    with NegotiationSystem.start(config, database=tmp_path / "parley.db", pace_s=0.02) as system:
        quote = system.create_quote(quote_fields())
        opened = system.start_negotiations(quote.id)
        for one in opened[:4]:
            system.add_user_intervention("Faster.", negotiation_id=one.id)
        while system.quote(quote.id).status != "completed":
            assert system.verify().faults == ()
            assert audit(Store(tmp_path / "parley.db", read_only=True)).faults == ()
            looks += 1
        system.wait(quote.id, PATIENCE_S)
        found = system.verify()

    assert looks > 1
    assert found.faults == ()
    assert found.counted["interventions"] == 4


def test_after_every_kind_of_guidance_and_a_cancellation_it_is_clean(tmp_path: Path) -> None:
    config = make_config([make_supplier(n) for n in range(1, 6)])
    with NegotiationSystem.start(config, database=tmp_path / "parley.db") as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id, automatic=False)
        ids = [one.id for one in system.wait(quote.id, PATIENCE_S)]
        system.continue_negotiation(quote_id=quote.id)
        system.wait(quote.id, PATIENCE_S)
        of: list[dict[str, Any]] = [{"negotiation_id": one} for one in ids]
        priorities = {"quality": 5, "cost": 10, "lead_time": 80, "payment_terms": 5}
        system.add_user_intervention("Faster, please.", **of[0])
        system.add_user_intervention(limits={"unit_price": "6.10"}, **of[1])
        system.add_user_intervention(priorities=priorities, **of[1])
        system.add_user_intervention(action="walk_away", **of[2])
        limits = {"unit_price": "9.90", "lead_time_days": 90, "payment": ["30/70"]}
        accept: dict[str, Any] = {"action": "accept", "accepts_seq": 2, "limits": limits}
        system.add_user_intervention(**accept, **of[3])
        system.add_user_intervention(action="accept", accepts_seq=1, **of[4])
        ended = system.wait(quote.id, PATIENCE_S)
        assert system.verify().faults == ()
        system.cancel_quote(quote.id)
        system.wait(quote.id, PATIENCE_S)
        found = system.verify()

    assert {one.reason for one in ended} >= {"user_ended"}
    assert "completed" in {one.status for one in ended}
    assert found.faults == ()


# A row that another hand has changed, with every hash forged

TIME = "2026-01-02T11:00:00.000000Z"
N = "UPDATE negotiations SET "
FIRST, SECOND = " WHERE id = 'i-1'", " WHERE id = 'i-2'"
M = "UPDATE messages SET "
R = "UPDATE interventions SET "
Q = "UPDATE quotes SET "

FORGED: list[tuple[str, str]] = [
    (f"{N}message_count = 4", "n: its message_count is not that of its messages"),
    (f"{N}rounds = 2", "n: its rounds is not that of its messages"),
    (f"{N}last_message_at = created_at", "n: its last_message_at is not that of its messages"),
    (f"{N}last_error = 'it broke'", "n: it has ended, and has a last_error"),
    (f"{N}ended_at = NULL", "n: its ended_at does not fit its status"),
    (f"{N}ended_at = '2999-01-01T00:00:00.000000Z'",
     "n: its ended_at is not when its last message closed it"),
    (f"{N}agreed_terms = replace(agreed_terms, ',', ', ')",
     "n: its agreed terms are not those of its accept, byte for byte"),
    (f"{N}agreed_terms = NULL",
     "n: its status, reason and agreed terms are not what its last message makes them"),
    (f"{N}reason = 'walk_away'",
     "n: its status, reason and agreed terms are not what its last message makes them"),
    (f"{N}mandate = replace(mandate, '7.80', '7.70')",
     "n: its mandate is not what interventions have made of the quote's"),
    (f"{N}rules = '{{'", "n: it can't be read: rules"),
    (f"{N}created_at = '2999-01-01T00:00:00.000000Z'",
     "n message 1: its time is before that of what came before it"),
    (f"{N}created_at = '2026-01-02'", "n: a time is not written as times are"),
    (f"{M}created_at = '{TIME}' WHERE seq = 3",
     "n message 3: its time is before that of what came before it"),
    (f"{M}created_at = '2026-01-02T12:00:00Z' WHERE seq = 3",
     "n message 3: a time is not written as times are"),
    (f"{M}terms = replace(terms, '6.00', '6.000') WHERE seq = 1",
     "n message 1: its terms are not those that the rules make of it"),
    (f"{M}terms = replace(terms, ',', ', ') WHERE seq = 1",
     "n message 1: its terms are not written as terms are"),
    (f"{M}terms = '{{' WHERE seq = 1", "n message 1: it can't be read: terms"),
    (f"{M}content = x'41' WHERE seq = 1", "n message 1: it can't be read: content"),
    (f"{M}content = 'No.' WHERE seq = 2", "n i-1: its message says something else"),
    (f"{M}origin = 'script' WHERE seq = 2",
     "n message 2: it is a person's, and its origin is another"),
    (f"{M}move = 'talk' WHERE seq = 2", "n message 2: it is a person's, and makes a move"),
    (f"{M}seq = 9 WHERE seq = 5",
     "n message 9: message 5 should stand here: one is missing or doubled"),
    (f"{R}message_seq = NULL{FIRST}", "n message 2: a person's message needs one intervention"),
    (f"{R}message_seq = NULL{FIRST}", f"n message 2: {CUT}"),
    (f"{R}message_seq = NULL{FIRST}", "n i-1: it is applied, and became no message"),
    (f"{R}message_seq = 2{SECOND}", "n message 2: a person's message needs one intervention"),
    (f"{R}message_seq = 1{SECOND}", "n i-2: its message_seq is that of no message of a person"),
    (f"{R}message_seq = 77{SECOND}", "n i-2: its message_seq is that of no message of a person"),
    (f"{R}reason = NULL{SECOND}", "n i-2: it is refused without a reason"),
    (f"{R}applied_seq = 3{SECOND}", "n i-2: it is refused, and has an answer"),
    (f"{R}applied_seq = NULL{FIRST}",
     "n i-1: its applied_seq is not that of the brand's next message"),
    (f"{R}applied_seq = 4{FIRST}",
     "n i-1: its applied_seq is not that of the brand's next message"),
    (f"{R}applied_seq = 5{FIRST}",
     "n i-1: its applied_seq is not that of the brand's next message"),
    (f"{R}status = 'received', row_hash = NULL, applied_seq = NULL{FIRST}",
     "n i-1: it is still received, and the brand has answered"),
    (f"{R}status = 'received', row_hash = NULL, reason = NULL{SECOND}",
     "n i-2: it is still received, and the negotiation has ended"),
    (f"{R}status = 'received'{SECOND}",
     "n i-2: it is received, but has the row_hash of one that is settled"),
    (f"{R}text = NULL, action = 'continue', status = 'applied', applied_seq = 3{SECOND}",
     "n i-2: it only continues, and has messages"),
    (f"{R}limits = '{{\"nothing\":1}}'{FIRST}",
     "n message 2: its intervention has mistakes, and should have been refused"),
    (f"{R}limits = '{{'{FIRST}", "n i-1: it can't be read: limits"),
    (f"{Q}mandate = '{{'", "q: it can't be read: mandate"),
    (f"{Q}mandate = replace(mandate, 'widget', 'gadget')",
     "n: what was stored at its creation does not fit together"),
    (f"{Q}status = 'negotiating', completed_at = NULL",
     "q: it is negotiating, and all its negotiations have ended"),
    (f"{Q}status = 'pending', completed_at = NULL", "q: it is pending, and has negotiations"),
    (f"{Q}status = 'cancelled'", "q: it is not completed, and has a completed_at"),
    (f"{Q}completed_at = NULL", "q: its completed_at is not when one of its negotiations ended"),
    (f"{Q}suppliers = '[\"supplier-2\"]'",
     "q: its negotiations are not one with each of its suppliers"),
    (f"{N}status = 'active', agreed_terms = NULL, ended_at = NULL",
     "q: it is completed, and has active negotiations"),
]  # fmt: skip


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Casebook:
    """A deal with guidance, never changed: tests work on copies."""
    case = Casebook(tmp_path_factory.mktemp("settled") / "parley.db")
    settle(case)
    with closing(sqlite3.connect(case.ledger.path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return case


def copied(case: Casebook, folder: Path) -> Path:
    return Path(shutil.copy(case.ledger.path, folder / "copy.db"))


def told(path: Path, case: Casebook) -> list[str]:
    """All faults, with `n` and `q` for the ids."""
    faults = map(str, audit(Store(path, read_only=True)).faults)
    return [fault.replace(case.id, "n").replace(case.quote.id, "q") for fault in faults]


@pytest.mark.parametrize(("statement", "fault"), FORGED)
def test_a_change_with_forged_hashes_that_a_rule_sees_is_named(
    settled: Casebook, tmp_path: Path, statement: str, fault: str
) -> None:
    path = copied(settled, tmp_path)
    change(path, statement, rehash=True)

    faults = told(path, settled)

    assert fault in faults
    # forged hashes are no fault: nobody can tell
    assert not {CHANGED, BRIEF, HASH} & {each.split(": ", 1)[1] for each in faults}


# A row that another hand has changed, without the hashes


@pytest.mark.parametrize(
    ("statement", "faults"),
    [
        (f"{M}content = 'No.' WHERE seq = 3", [f"n message 3: {HASH}"]),
        (f"{M}hash = 'x' WHERE seq = 3", [f"n message 3: {HASH}", f"n message 4: {HASH}"]),
        (f"{N}last_hash = 'x'", [f"n: {CHANGED}", "n: its last_hash is not that of its messages"]),
        (f"{N}row_hash = 'x'", [f"n: {CHANGED}"]),
        (f"{N}brand_negotiator = 'x'", [f"n: {BRIEF}"]),
        (f"{Q}notes = 'x'", [f"n: {BRIEF}"]),
        (f"{R}reason = 'x'{SECOND}", [f"n i-2: {CHANGED}"]),
    ],
)
def test_a_hash_that_does_not_fit_is_named(
    settled: Casebook, tmp_path: Path, statement: str, faults: list[str]
) -> None:
    path = copied(settled, tmp_path)
    change(path, statement)

    assert told(path, settled) == faults


@pytest.mark.parametrize(
    ("table", "column", "fault"),
    [
        ("quotes", "id", "there is no such row, and 1 of negotiations belong to it"),
        ("negotiations", "id", "there is no such row, and 5 of messages belong to it"),
        ("negotiations", "id", "there is no such row, and 2 of interventions belong to it"),
    ],
)
def test_rows_without_the_row_that_they_belong_to_are_named(
    settled: Casebook, tmp_path: Path, table: str, column: str, fault: str
) -> None:
    path = copied(settled, tmp_path)
    change(path, f"DELETE FROM {table}")  # noqa: S608

    assert fault in [each.split(": ", 1)[1] for each in told(path, settled)]


def test_a_negotiation_that_was_removed_is_missed_by_its_quote(tmp_path: Path) -> None:
    case = Casebook(tmp_path / "parley.db", 2)
    case.sql("DELETE FROM negotiations WHERE supplier_id = 'supplier-2'")

    (fault,) = case.faults()
    assert fault == f"{case.quote.id}: its negotiations are not one with each of its suppliers"


def test_a_thousand_changed_bytes_are_each_found(settled: Casebook, tmp_path: Path) -> None:
    path, dice, missed = copied(settled, tmp_path), random.Random(1), []
    columns = {
        table._meta.table_name: table._meta.sorted_field_names
        for table in (MessageRow, InterventionRow, NegotiationRow)
    }
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for pragma in ("ignore_check_constraints = ON", "synchronous = OFF"):
            database.execute(f"PRAGMA {pragma}")
        places = [
            (table, column, rowid, value)
            for table, names in columns.items()
            for column in names
            if (table, column) != ("messages", "id")
            for rowid, value in database.execute(f"SELECT rowid, {column} FROM {table}")  # noqa: S608
            if value is not None and value != ""
        ]
        store = Store(path, read_only=True)
        assert audit(store).faults == ()
        changes = 0
        while changes < CHANGES:
            table, column, rowid, value = dice.choice(places)
            update = f"UPDATE {table} SET {column} = CAST(? AS TEXT) WHERE rowid = ?"  # noqa: S608
            changed = with_another_byte(value, dice)
            try:
                database.execute(update, (changed, rowid))
            except sqlite3.IntegrityError:
                continue  # another message has that number
            changes += 1
            if not audit(store).faults:
                missed.append((table, column, value, changed))
            database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, rowid))  # noqa: S608
        assert audit(store).faults == ()

    assert missed == []


def test_an_end_before_the_last_message_is_named(case: Casebook) -> None:
    case.offer("brand", "6.00")
    cancel(case)
    case.sql(f"{N}ended_at = created_at, created_at = '{TIME}'", rehash=True)

    assert case.faults() == [f"{case.id}: its time is before that of what came before it"]


def test_the_rest_is_looked_at_where_a_quote_is_gone(case: Casebook) -> None:
    cancel(case)
    case.sql("DELETE FROM quotes")

    assert case.faults() == [
        f"{case.quote.id}: there is no such row, and 1 of negotiations belong to it"
    ]


# Rows and files that can't be read


def test_an_index_that_does_not_fit_its_table_is_named(settled: Casebook, tmp_path: Path) -> None:
    path = copied(settled, tmp_path)
    change(
        path,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = replace(sql, 'status,', 'currency,') "
        "WHERE name = 'quotes_by_status'",
    )

    assert "the database: the file is damaged: row 1 missing from index quotes_by_status" in (
        told(path, settled)
    )


@pytest.mark.parametrize("table", ["quotes", "negotiations", "messages", "interventions"])
@pytest.mark.parametrize("value", ["x'ff'", "CAST(x'ff' AS TEXT)", "9e999", "'[[['"])
def test_no_value_in_any_column_stops_it(
    settled: Casebook, tmp_path: Path, table: str, value: str
) -> None:
    path = copied(settled, tmp_path)
    with closing(sqlite3.connect(path)) as database:
        names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]

    for name in names:
        copied(settled, tmp_path)
        with closing(sqlite3.connect(path)) as database:
            whole_number = (table, name) == ("messages", "id")
        if not whole_number:
            change(path, f"UPDATE {table} SET {name} = {value} WHERE rowid = 1")  # noqa: S608
            unhashed = (table, name) in {("quotes", "brought"), ("quotes", "created_at")}
            assert told(path, settled) or unhashed, name


def test_the_others_are_looked_at_where_one_can_t_be_read(tmp_path: Path) -> None:
    case = Casebook(tmp_path / "parley.db", 2)
    case.offer("brand", "8.10")
    case.sql(f"{N}rules = x'ff' WHERE supplier_id = 'supplier-2'")

    faults = case.faults()

    assert f"{case.others[0]}: it can't be read: rules" in faults
    assert f"{case.id} message 1: {SAID_OF[Rule.LIMIT]}" in faults


def test_what_follows_an_unreadable_message_still_has_its_hashes_checked(case: Casebook) -> None:
    agree(case)
    case.sql(f"{M}terms = '{{' WHERE seq = 1", f"{M}content = 'No.' WHERE seq = 3")

    assert case.faults() == [
        f"{case.id} message 1: {HASH}",
        f"{case.id} message 3: {HASH}",
        f"{case.id} message 1: it can't be read: terms",
    ]


def test_a_damaged_page_is_a_fault_or_a_clear_error(settled: Casebook, tmp_path: Path) -> None:
    path = copied(settled, tmp_path)
    sound = path.read_bytes()
    found = 0
    for page in range(0, len(sound), 4096):
        path.write_bytes(sound[:page] + b"\xa7" * 200 + sound[page + 200 :])
        try:
            faults = audit(Store(path, read_only=True)).faults
        except DatabaseUnusable:
            found += 1
        else:
            found += bool(faults)
            assert any("damaged" in fault.what for fault in faults)

    assert found == len(sound) // 4096


def test_an_older_schema_and_no_database_are_clear_errors(
    settled: Casebook, tmp_path: Path
) -> None:
    path = copied(settled, tmp_path)
    change(path, "PRAGMA user_version = 1")

    with pytest.raises(DatabaseUnusable, match="older version"):
        audit(Store(path, read_only=True))
    with pytest.raises(DatabaseUnusable, match="no such database"):
        audit(Store(tmp_path / "none.db", read_only=True))


def test_it_leaves_the_file_as_it_is(settled: Casebook, tmp_path: Path) -> None:
    path = copied(settled, tmp_path)
    before = path.read_bytes()

    audit(Store(path, read_only=True))

    assert path.read_bytes() == before


# Calls of models


@pytest.fixture
def called(case: Casebook) -> Casebook:
    start = CallStart(
        id=CallId("c-1"),
        quote_id=case.quote.id,
        negotiation_id=case.id,
        draft_id="d-1",
        side=Side.BRAND,
        attempt=1,
        model="model",
        prompt_version="1",
        may_cost_tokens=100,
        queued_s=0.0,
        created_at=NOON,
    )
    end = CallEnd(id=start.id, outcome=Outcome.ANSWERED, prompt_tokens=9, latency_s=1.0)
    with case.writing() as ledger:
        ledger.start_call(start, Budget())
        ledger.end_call(end)
    return case


def test_a_call_is_clean_and_counted(called: Casebook) -> None:
    found = called.audit()

    assert found.faults == ()
    assert found.counted["calls"] == 1


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        *(
            (f"{column} = {value}", "a number in it can't be")
            for column in (
                *("may_cost_tokens", "prompt_tokens", "completion_tokens"),
                *("queued_s", "latency_s", "http_status"),
            )
            for value in ("-1",)
        ),
        ("latency_s = 9e999", "a number in it can't be"),
        ("attempt = 0", "a number in it can't be"),
        ("side = 'nobody'", "it can't be read: side"),
        ("model = x'ff'", "it can't be read: model"),
        ("quote_id = 'q-9'", "its quote is not that of its negotiation"),
    ],
)
def test_a_call_that_can_t_be_is_named(called: Casebook, changes: str, what: str) -> None:
    called.sql(f"UPDATE calls SET {changes}")  # noqa: S608

    assert f"{called.id} c-1: {what}" in called.faults()


@pytest.mark.parametrize("column", ["negotiation_id", "quote_id"])
def test_a_call_of_nobody_is_named(called: Casebook, column: str) -> None:
    called.sql(f"UPDATE calls SET {column} = 'x-9'")  # noqa: S608

    assert "x-9: there is no such row, and 1 of calls belong to it" in called.faults()


# What is told


def test_no_fault_repeats_what_is_private(settled: Casebook, tmp_path: Path) -> None:
    told_of = []
    for statement, _ in FORGED:
        path = copied(settled, tmp_path)
        change(path, statement, rehash=True)
        told_of += told(path, settled)

    for secret in ("7.80", "8.00", "5.00", "9.00", "Not above"):
        assert not any(secret in fault for fault in told_of)


def test_what_another_program_wrote_behind_the_end_is_no_fault(
    settled: Casebook, tmp_path: Path
) -> None:
    path = copied(settled, tmp_path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "INSERT INTO interventions (negotiation_id, text) VALUES (?, 'Late.')", [settled.id]
        )

    assert told(path, settled) == []
