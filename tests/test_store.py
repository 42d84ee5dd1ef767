"""The one door to the database: what is saved is whole, in order, and saved once."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import peewee
import pytest
from factories import (
    NOON,
    make_config,
    make_intervention,
    make_negotiations,
    make_quote,
    make_supplier,
    make_terms,
)

from storage.errors import (
    DamagedRow,
    DatabaseUnavailable,
    NegotiationNotActive,
    QuoteEnded,
    QuoteNotPending,
    RowRefused,
    SequenceConflict,
    StaleAgreement,
    StorageError,
    UnknownRecord,
)
from storage.hashes import brief_hash, message_hash, quote_hash, row_hash
from storage.ledger import Appended, Ledger
from storage.records import (
    Ending,
    Entry,
    Move,
    Negotiation,
    NegotiationId,
    NegotiationStatus,
    Origin,
    Quote,
    QuoteId,
    QuoteStatus,
    Reason,
    Sender,
)
from storage.requests import Requests
from storage.terms.offered import Terms

CONFIG = make_config([make_supplier(1), make_supplier(2)])
BRAND, SUPPLIER = Sender.BRAND, Sender.SUPPLIER
WALKED = Ending(status=NegotiationStatus.IMPASSE, reason=Reason.WALK_AWAY, agreed_terms=None)


class Clock:
    """Goes on by a second each time, unless it is set to another time."""

    def __init__(self) -> None:
        self.now = NOON + timedelta(hours=1)

    def __call__(self) -> Any:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Ledger:
    return Ledger(tmp_path / "parley.db", clock=clock)


@pytest.fixture
def quote(store: Ledger) -> Quote:
    quote = make_quote(CONFIG)
    store.add_quote(quote)
    return quote


@pytest.fixture
def negotiations(store: Ledger, quote: Quote) -> list[Negotiation]:
    with writing(store):
        store.open_negotiations(quote.id, make_negotiations(quote, CONFIG))
    return store.negotiations(quote.id)


@pytest.fixture
def negotiation(negotiations: list[Negotiation]) -> Negotiation:
    return negotiations[0]


@contextmanager
def writing(store: Ledger) -> Iterator[None]:
    with store.connection(), store.transaction():
        yield


@contextmanager
def traced(store: Ledger, told: Callable[[str], Any]) -> Iterator[None]:
    """Each statement that this thread runs inside is told of before it does."""
    with store.connection():
        connection: Any = store._database.connection
        connection().set_trace_callback(told)
        yield


def entry(
    negotiation: Negotiation,
    seq: int,
    sender: Sender = BRAND,
    move: Move = Move.TALK,
    **fields: Any,
) -> Entry:
    given = {"content": f"Message {seq}.", "terms": None, "accepts_seq": None} | fields
    return Entry(
        negotiation_id=negotiation.id,
        seq=seq,
        sender=sender,
        move=move,
        origin=Origin.SCRIPT,
        **given,
    )


def offer(negotiation: Negotiation, seq: int, price: str = "7.00") -> Entry:
    return entry(negotiation, seq, SUPPLIER, Move.OFFER, terms=make_terms(price))


def accept(negotiation: Negotiation, seq: int, offer: int | None, price: str = "7.00") -> Entry:
    return entry(negotiation, seq, move=Move.ACCEPT, terms=make_terms(price), accepts_seq=offer)


def agreed(terms: Terms) -> Ending:
    return Ending(status=NegotiationStatus.COMPLETED, reason=None, agreed_terms=terms)


def append(store: Ledger, *entries: Entry, ending: Ending | None = None) -> Appended:
    with writing(store):
        return [store.append(entry, ending) for entry in entries][-1]


def rows(path: Path, sql: str, *values: Any) -> list[dict[str, Any]]:
    """What another program reads."""
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(sql, values)]


def contents(store: Ledger) -> dict[str, list[dict[str, Any]]]:
    tables = ("quotes", "negotiations", "messages")
    return {table: rows(store.path, f"SELECT * FROM {table}") for table in tables}  # noqa: S608


def assert_hashes_fit(store: Ledger) -> None:
    """Rule 18, recomputed from the rows alone."""
    saved = contents(store)
    quotes = {quote["id"]: quote for quote in saved["quotes"]}
    for negotiation in saved["negotiations"]:
        messages = [m for m in saved["messages"] if m["negotiation_id"] == negotiation["id"]]
        last = brief_hash(quote_hash(quotes[negotiation["quote_id"]]), negotiation)
        assert negotiation["brief_hash"] == last
        for message in sorted(messages, key=lambda message: int(message["seq"])):
            last = message_hash(last, message)
            assert message["hash"] == last
        assert negotiation["last_hash"] == last
        assert negotiation["message_count"] == len(messages)
        assert negotiation["row_hash"] == row_hash(negotiation)


# The file


def test_only_the_owner_may_read_the_file_and_what_sqlite_lays_beside_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = Ledger(tmp_path / "parley.db")
        with writing(store):
            store.add_quote(make_quote())
            modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    finally:
        os.umask(before)

    assert modes == dict.fromkeys(("parley.db", "parley.db-wal", "parley.db-shm"), 0o600)


def test_every_connection_writes_ahead_syncs_in_full_and_keeps_foreign_keys(store: Ledger) -> None:
    def pragmas() -> list[Any]:
        with store.connection():
            names = ("journal_mode", "synchronous", "foreign_keys")
            return [store._database.pragma(name) for name in names]

    with ThreadPoolExecutor(1) as other:
        assert other.submit(pragmas).result() == pragmas() == ["wal", 2, 1]


def test_a_negotiation_without_its_quote_is_refused(store: Ledger, quote: Quote) -> None:
    stray = make_negotiations(quote, CONFIG)[0].model_copy(update={"quote_id": QuoteId("q-0")})

    with pytest.raises(RowRefused, match="FOREIGN KEY"), writing(store):
        store.open_negotiations(quote.id, [stray])


def test_the_file_itself_refuses_a_second_message_with_the_same_number(
    store: Ledger, negotiation: Negotiation
) -> None:
    append(store, entry(negotiation, 1))

    with (
        closing(sqlite3.connect(store.path)) as database,
        pytest.raises(sqlite3.IntegrityError, match=r"negotiation_id, messages\.seq"),
    ):
        database.execute(
            "INSERT INTO messages (negotiation_id, seq, sender, content, origin, created_at, hash)"
            " SELECT negotiation_id, seq, sender, 'x', origin, created_at, hash FROM messages"
        )


# Quotes and their negotiations


def test_quotes_are_read_back_oldest_first(store: Ledger) -> None:
    quotes = [
        make_quote().model_copy(update={"created_at": NOON + timedelta(seconds=second)})
        for second in (2, 0, 1)
    ]
    for quote in quotes:
        store.add_quote(quote)

    assert store.quotes() == [quotes[1], quotes[2], quotes[0]]
    assert [store.quote(quote.id) for quote in quotes] == quotes


def test_of_many_quotes_the_newest_are_read_oldest_first(store: Ledger) -> None:
    quotes = [
        make_quote().model_copy(update={"created_at": NOON + timedelta(seconds=second)})
        for second in (2, 0, 1)
    ]
    for quote in quotes:
        store.add_quote(quote)

    assert store.quotes(newest=2) == [quotes[2], quotes[0]]
    assert store.quotes(newest=9) == store.quotes()
    assert store.count_quotes() == 3


def test_quotes_are_chosen_by_status_and_by_a_supplier_s_id_or_name(store: Ledger) -> None:
    one = make_quote(CONFIG, suppliers=["supplier-1"])
    two = make_quote(CONFIG, suppliers=["supplier-2"])
    both = make_quote(CONFIG, suppliers=["supplier-2", "supplier-1"])
    for second, quote in enumerate((one, two, both)):
        at = {"created_at": NOON + timedelta(seconds=second)}
        store.add_quote(quote.model_copy(update=at))
    store.start_quote(two.id, automatic=None)

    def chosen(**which: Any) -> list[QuoteId]:
        found = [quote.id for quote in store.quotes(**which)]
        assert store.count_quotes(**which) == len(found)
        return found

    assert chosen(suppliers=["supplier-1"]) == chosen(suppliers=["Supplier 1"]) == [one.id, both.id]
    assert chosen(suppliers=["Supplier 1", "supplier-2"]) == [one.id, two.id, both.id]
    assert chosen(suppliers=["supplier", "%", "' OR 1 --", '"supplier-1"']) == []
    assert chosen(statuses=["pending"]) == [one.id, both.id]
    assert chosen(statuses=["pending", "negotiating"]) == [one.id, two.id, both.id]
    assert chosen(statuses=["pending"], suppliers=["supplier-2"]) == [both.id]
    assert chosen(statuses=["completed"]) == []
    assert [quote.id for quote in store.quotes(suppliers=["supplier-1"], newest=1)] == [both.id]


@pytest.mark.parametrize("column", ["suppliers", "supplier_names"])
@pytest.mark.parametrize("damaged", ["[", "", "5", "null", '"supplier-1"', '{"a": "supplier-1"}'])
def test_a_quote_whose_suppliers_are_damaged_is_told_of_by_who_chooses_among_them(
    store: Ledger, column: str, damaged: str
) -> None:
    quote = make_quote(CONFIG)
    store.add_quote(quote)
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute(f"UPDATE quotes SET {column} = ?", [damaged])  # noqa: S608

    assert store.count_quotes(suppliers=["nobody"]) == 1
    with pytest.raises(DamagedRow, match=column):
        store.quotes(suppliers=["nobody"])
    assert store.quotes(statuses=["completed"]) == []


def test_negotiations_are_read_in_the_order_in_which_the_quote_names_its_suppliers(
    store: Ledger,
) -> None:
    quote = make_quote(CONFIG, suppliers=["supplier-2", "supplier-1"])
    store.add_quote(quote)
    with writing(store):
        store.open_negotiations(quote.id, reversed(make_negotiations(quote, CONFIG)))

    assert [n.supplier_id for n in store.negotiations(quote.id)] == ["supplier-2", "supplier-1"]


def test_opening_takes_the_quote_to_negotiating_with_all_its_negotiations(
    store: Ledger, quote: Quote, negotiations: list[Negotiation]
) -> None:
    saved = store.quote(quote.id)

    assert saved == quote.model_copy(update={"status": QuoteStatus.NEGOTIATING})
    assert [n.supplier_id for n in negotiations] == ["supplier-1", "supplier-2"]
    assert {n.status for n in negotiations} == {NegotiationStatus.ACTIVE}
    assert store.load(negotiations[0].id).quote == saved
    assert_hashes_fit(store)


@pytest.mark.parametrize("status", ["negotiating", "completed", "cancelled"])
def test_only_a_pending_quote_is_opened_and_a_refusal_changes_nothing(
    store: Ledger, quote: Quote, negotiations: list[Negotiation], status: str
) -> None:
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute("UPDATE quotes SET status = ?", [status])
    before = contents(store)

    with pytest.raises(QuoteNotPending, match=f"is {status}"), writing(store):
        store.open_negotiations(quote.id, make_negotiations(quote, CONFIG))

    assert contents(store) == before


def test_an_opening_that_fails_half_way_opens_nothing(store: Ledger, quote: Quote) -> None:
    first, second = make_negotiations(quote, CONFIG)
    twice = second.model_copy(update={"supplier_id": first.supplier_id})

    with pytest.raises(RowRefused, match="UNIQUE"), writing(store):
        store.open_negotiations(quote.id, [first, twice])

    assert store.quote(quote.id) == quote
    assert store.negotiations(quote.id) == []


UNKNOWN_QUOTE, UNKNOWN = QuoteId("q-0"), NegotiationId("n-0")
STRANGER = make_negotiations(make_quote())[0].model_copy(update={"id": UNKNOWN})


@pytest.mark.parametrize(
    ("call", "noun"),
    [
        (lambda store: store.quote(UNKNOWN_QUOTE), "quote"),
        (lambda store: store.negotiations(UNKNOWN_QUOTE), "quote"),
        (lambda store: store.open_negotiations(UNKNOWN_QUOTE, []), "quote"),
        (lambda store: store.negotiation(UNKNOWN), "negotiation"),
        (lambda store: store.messages(UNKNOWN), "negotiation"),
        (lambda store: store.load(UNKNOWN), "negotiation"),
        (lambda store: store.append(entry(STRANGER, 1)), "negotiation"),
        (lambda store: store.end(UNKNOWN, WALKED), "negotiation"),
        (lambda store: store.park(UNKNOWN, "no answer"), "negotiation"),
    ],
)
def test_an_unknown_id_is_refused_by_name(
    store: Ledger, call: Callable[[Ledger], object], noun: str
) -> None:
    with pytest.raises(UnknownRecord, match=f"there is no {noun} '.-0'"), writing(store):
        call(store)


@pytest.mark.parametrize("odd", [None, 0, ["q-0"], b"q-0", Path("q-0")])
def test_what_is_no_text_is_no_id(store: Ledger, odd: Any) -> None:
    with pytest.raises(UnknownRecord, match="there is no quote"):
        store.quote(odd)
    with pytest.raises(UnknownRecord, match="there is no negotiation"):
        store.negotiation(odd)


# Messages


def test_messages_survive_a_new_start_as_they_were_saved(
    store: Ledger, quote: Quote, negotiation: Negotiation
) -> None:
    entries = [entry(negotiation, 1, content="Grüß Gott — “hi”\n"), offer(negotiation, 2, "7.10")]

    saved = [append(store, entry).message for entry in entries]

    loaded = Ledger(store.path).load(negotiation.id)
    assert list(loaded.messages) == saved == store.messages(negotiation.id)
    assert [Entry(**m.model_dump(include=set(Entry.model_fields))) for m in saved] == entries
    assert loaded.negotiation.message_count == 2
    assert loaded.negotiation.last_hash == saved[-1].hash
    assert loaded.quote.id == quote.id


def test_rounds_count_the_suppliers_messages_alone(store: Ledger, negotiation: Negotiation) -> None:
    senders = (BRAND, SUPPLIER, Sender.USER, BRAND, SUPPLIER)

    append(store, *(entry(negotiation, n, sender) for n, sender in enumerate(senders, start=1)))

    assert store.negotiation(negotiation.id).rounds == 2


@pytest.mark.parametrize("seq", [-1, 0, 3, 9])
def test_a_message_that_is_not_the_next_is_refused(
    store: Ledger, negotiation: Negotiation, seq: int
) -> None:
    append(store, entry(negotiation, 1))

    with pytest.raises(SequenceConflict, match=f"message {seq} does not fit, 2 is next"):
        append(store, entry(negotiation, seq))

    assert [message.seq for message in store.messages(negotiation.id)] == [1]


def test_the_same_message_again_changes_nothing_and_is_answered_as_the_first_time(
    store: Ledger, negotiations: list[Negotiation]
) -> None:
    first, second = negotiations
    said = [append(store, offer(n, 1)) for n in negotiations]
    ended = [append(store, entry(n, 2), ending=WALKED) for n in negotiations]
    before = contents(store)

    assert [append(store, offer(n, 1)) for n in negotiations] == said
    assert [append(store, entry(n, 2), ending=WALKED) for n in (first, second)] == ended
    assert [answer.quote_completed for answer in (*said, *ended)] == [False, False, False, True]
    assert contents(store) == before


@pytest.mark.parametrize(
    "change",
    [
        {"sender": BRAND},
        {"content": "Message 1!"},
        {"terms": make_terms("7.01")},
        {"terms": None, "move": Move.TALK},
        {"accepts_seq": 1},
    ],
)
def test_another_message_with_a_number_that_is_taken_is_refused(
    store: Ledger, negotiation: Negotiation, change: dict[str, Any]
) -> None:
    append(store, offer(negotiation, 1))
    before = contents(store)

    with pytest.raises(SequenceConflict, match="2 is next"):
        append(store, offer(negotiation, 1).model_copy(update=change))

    assert contents(store) == before


def test_nothing_is_said_after_the_end(store: Ledger, negotiation: Negotiation) -> None:
    append(store, entry(negotiation, 1), ending=WALKED)
    before = contents(store)

    for change in (
        lambda: store.append(entry(negotiation, 2)),
        lambda: store.end(negotiation.id, WALKED),
        lambda: store.park(negotiation.id, "late"),
    ):
        with pytest.raises(NegotiationNotActive, match="has ended: impasse"), writing(store):
            change()

    assert contents(store) == before


def test_times_never_run_backwards_in_a_negotiation(
    store: Ledger, negotiations: list[Negotiation], clock: Clock
) -> None:
    times = []
    for seq, hours in enumerate((-5, 5, -5, 6), start=1):
        clock.now = NOON + timedelta(hours=hours)
        times.append(append(store, entry(negotiations[0], seq)).message.created_at)
    clock.now = NOON
    for negotiation in negotiations:
        with writing(store):
            store.end(negotiation.id, WALKED)

    later = [NOON + timedelta(hours=hours, seconds=1) for hours in (5, 5, 6)]
    assert times == [negotiations[0].created_at, *later]
    ends = [negotiation.ended_at for negotiation in store.negotiations(negotiations[0].quote_id)]
    assert ends == [later[-1], NOON + timedelta(seconds=2)]


# Agreement and the other endings


def test_an_agreement_is_a_copy_of_the_accepted_terms_byte_for_byte(
    store: Ledger, negotiation: Negotiation
) -> None:
    append(store, offer(negotiation, 1), offer(negotiation, 2, "6.50"))

    append(store, accept(negotiation, 3, 1), ending=agreed(make_terms("7.00")))

    offered, _, accepted = rows(store.path, "SELECT terms FROM messages ORDER BY seq")
    (row,) = rows(store.path, "SELECT * FROM negotiations WHERE id = ?", negotiation.id)
    assert row["agreed_terms"] == accepted["terms"] == offered["terms"]
    assert json.loads(row["agreed_terms"])["unit_prices"] == {"widget": "7.00"}
    assert (row["status"], row["reason"]) == ("completed", None)
    assert store.negotiation(negotiation.id).agreed_terms == make_terms("7.00")


@pytest.mark.parametrize(
    ("offer_seq", "price", "ending"),
    [
        (1, "6.99", agreed(make_terms("6.99"))),
        (1, "7.0", agreed(make_terms("7.0"))),
        (1, "6.99", None),
        (2, "7.00", agreed(make_terms("7.00"))),
        (9, "7.00", agreed(make_terms("7.00"))),
        (None, "7.00", agreed(make_terms("7.00"))),
        (1, "7.00", agreed(make_terms("6.99"))),
        (1, "7.00", WALKED),
    ],
)
def test_an_accept_of_anything_but_an_offer_as_it_was_saved_is_refused(
    store: Ledger, negotiation: Negotiation, offer_seq: int, price: str, ending: Ending | None
) -> None:
    append(store, offer(negotiation, 1), entry(negotiation, 2))
    before = contents(store)

    with pytest.raises(StaleAgreement, match=f"message {offer_seq} does not offer"):
        append(store, accept(negotiation, 3, offer_seq, price), ending=ending)

    assert contents(store) == before


def test_nothing_is_agreed_without_an_accept(store: Ledger, negotiation: Negotiation) -> None:
    append(store, offer(negotiation, 1))

    with pytest.raises(StaleAgreement):
        append(store, entry(negotiation, 2), ending=agreed(make_terms()))

    assert store.negotiation(negotiation.id).status is NegotiationStatus.ACTIVE


def test_the_last_ending_completes_the_quote_in_the_same_transaction(
    store: Ledger, quote: Quote, negotiations: list[Negotiation]
) -> None:
    first, second = negotiations

    early = append(store, entry(first, 1), ending=WALKED)
    between = store.quote(quote.id)
    with writing(store):
        completed = store.end(second.id, WALKED)
        with ThreadPoolExecutor(1) as other:
            outside = other.submit(store.quote, quote.id).result()

    last = store.negotiation(second.id)
    assert not early.quote_completed
    assert completed
    assert between.status is outside.status is QuoteStatus.NEGOTIATING
    assert store.quote(quote.id).status is QuoteStatus.COMPLETED
    assert store.quote(quote.id).completed_at == last.ended_at
    assert (last.status, last.reason) == (WALKED.status, WALKED.reason)


def test_one_quotes_endings_leave_other_quotes_alone(
    store: Ledger, negotiations: list[Negotiation]
) -> None:
    other = make_quote(CONFIG)
    store.add_quote(other)
    with writing(store):
        store.open_negotiations(other.id, make_negotiations(other, CONFIG))

    for negotiation in negotiations:
        append(store, entry(negotiation, 1), ending=WALKED)

    assert store.quote(other.id).status is QuoteStatus.NEGOTIATING


def test_a_cancelled_quote_stays_cancelled(
    store: Ledger, quote: Quote, negotiations: list[Negotiation]
) -> None:
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute("UPDATE quotes SET status = 'cancelled'")

    answers = [append(store, entry(n, 1), ending=WALKED) for n in negotiations]

    assert not any(answer.quote_completed for answer in answers)
    assert store.quote(quote.id).status is QuoteStatus.CANCELLED
    assert store.quote(quote.id).completed_at is None


def test_parking_notes_the_error_and_ending_forgets_it(
    store: Ledger, negotiation: Negotiation
) -> None:
    with writing(store):
        store.park(negotiation.id, "no answer for 60 s")
    parked = store.negotiation(negotiation.id)
    append(store, entry(negotiation, 1), ending=WALKED)

    assert (parked.status, parked.last_error) == (NegotiationStatus.ACTIVE, "no answer for 60 s")
    assert store.negotiation(negotiation.id).last_error is None


def test_every_hash_can_be_recomputed_after_every_kind_of_change(
    store: Ledger, negotiations: list[Negotiation]
) -> None:
    first, second = negotiations

    def park() -> None:
        with writing(store):
            store.park(second.id, "no answer")

    def end() -> None:
        with writing(store):
            store.end(second.id, WALKED)

    for change in (
        lambda: append(store, entry(first, 1, content="Größe M")),
        lambda: append(store, offer(first, 2)),
        lambda: append(store, entry(second, 1), entry(second, 2, SUPPLIER)),
        park,
        lambda: append(store, accept(first, 3, 2), ending=agreed(make_terms())),
        end,
    ):
        change()

        assert_hashes_fit(store)


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE messages SET content = 'No.' WHERE seq = 1",
        "UPDATE messages SET created_at = '2026-01-02T13:00:00.000000Z' WHERE seq = 2",
        "DELETE FROM messages WHERE seq = 2",
        "DELETE FROM messages WHERE seq = 1",
        "UPDATE negotiations SET agreed_terms = terms FROM messages WHERE seq = 2",
        "UPDATE negotiations SET rules = replace(rules, '10', '11')",
        "UPDATE quotes SET supplier_names = '[]'",
        "UPDATE quotes SET mandate = replace(mandate, '8.00', '9.00')",
    ],
)
def test_a_careless_edit_shows(store: Ledger, negotiation: Negotiation, edit: str) -> None:
    append(store, entry(negotiation, 1), offer(negotiation, 2))
    assert_hashes_fit(store)

    with closing(sqlite3.connect(store.path)) as database, database:
        assert database.execute(edit).rowcount

    with pytest.raises(AssertionError):
        assert_hashes_fit(store)


# Transactions


def test_what_fails_in_a_savepoint_is_undone_alone(
    store: Ledger, negotiations: list[Negotiation]
) -> None:
    first, second = negotiations

    with writing(store):
        with store.savepoint():
            store.append(entry(first, 1))
        with pytest.raises(StorageError), store.savepoint():
            [store.append(entry(first, seq)) for seq in (2, 9)]
        with store.savepoint():
            store.append(entry(second, 1))

    assert [len(store.messages(n.id)) for n in negotiations] == [1, 1]
    assert_hashes_fit(store)


def test_what_fails_in_a_transaction_is_undone_as_a_whole(
    store: Ledger, negotiation: Negotiation
) -> None:
    before = contents(store)

    with pytest.raises(SequenceConflict):
        append(store, entry(negotiation, 1), entry(negotiation, 9))

    assert contents(store) == before


def test_while_another_program_writes_the_database_is_unavailable_and_then_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.database.BUSY_TIMEOUT_S", 0.01)
    store = Ledger(tmp_path / "parley.db")

    with closing(sqlite3.connect(store.path)) as other, other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailable, match="locked"):
            store.add_quote(make_quote())
        refused = store.quotes()
    store.add_quote(make_quote())

    assert refused == []
    assert len(store.quotes()) == 1


def test_readers_see_the_last_commit_and_never_wait_for_the_writer(
    store: Ledger, quote: Quote, negotiation: Negotiation
) -> None:
    append(store, entry(negotiation, 1))

    with writing(store), ThreadPoolExecutor(1) as other:
        store.append(entry(negotiation, 2))
        seen = other.submit(store.load, negotiation.id).result(timeout=2)
        quotes = other.submit(store.quotes).result(timeout=2)

    assert [message.seq for message in seen.messages] == [1]
    assert seen.negotiation.message_count == 1
    assert [q.id for q in quotes] == [quote.id]
    assert len(store.load(negotiation.id).messages) == 2


def test_all_of_a_negotiation_is_loaded_as_of_one_instant(
    store: Ledger, negotiation: Negotiation
) -> None:
    def interrupt(sql: str) -> None:
        """Another thread's message, between the first query and the second."""
        if "FROM quotes" in sql:
            other.submit(append, store, entry(negotiation, 1)).result()

    with ThreadPoolExecutor(1) as other, traced(store, interrupt):
        loaded = store.load(negotiation.id)

    assert (loaded.negotiation.message_count, loaded.messages) == (0, ())
    assert store.negotiation(negotiation.id).message_count == 1


# Speed


def test_loading_takes_as_many_statements_for_each_negotiation_and_writes_out_none_of_them(
    store: Ledger, negotiations: list[Negotiation], monkeypatch: pytest.MonkeyPatch
) -> None:
    for negotiation in negotiations:
        for seq in (1, 2, 3):
            append(store, entry(negotiation, seq))
    monkeypatch.setattr(peewee.BaseQuery, "sql", None)  # what writes a statement out
    run: list[str] = []

    with traced(store, run.append):
        loaded = [store.load(negotiation.id) for negotiation in negotiations]

    assert [len(each.messages) for each in loaded] == [3] * len(negotiations)
    selects = [sql.split("FROM ")[1].split()[0] for sql in run if sql.startswith("SELECT")]
    assert selects == ["negotiations", "quotes", "messages", "interventions"] * len(negotiations)
    assert len(run) == 6 * len(negotiations)  # these, and an instant around them


def test_negotiations_that_are_loaded_in_a_row_share_their_quote_while_it_stays_as_it_is(
    store: Ledger, quote: Quote, negotiations: list[Negotiation]
) -> None:
    first, second = [store.load(negotiation.id).quote for negotiation in negotiations]
    store.cancel_quote(quote.id)
    third, fourth = [store.load(negotiation.id).quote for negotiation in negotiations]

    assert first is second
    assert third is fourth
    assert (first.status, third.status) == (QuoteStatus.NEGOTIATING, QuoteStatus.CANCELLED)
    assert third == store.quote(quote.id)


def test_a_quote_that_was_damaged_since_it_was_shared_is_not_handed_out(
    store: Ledger, negotiations: list[Negotiation]
) -> None:
    store.load(negotiations[0].id)
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute("UPDATE quotes SET lines = CAST(x'ff' AS TEXT)")

    for negotiation in negotiations:
        with pytest.raises(DamagedRow, match="lines"):
            store.load(negotiation.id)


def test_every_query_of_a_negotiation_searches_an_index(
    store: Ledger, quote: Quote, negotiations: list[Negotiation]
) -> None:
    first, second = negotiations
    statements: set[str] = set()
    with traced(store, statements.add):
        append(store, offer(first, 1))
        append(store, offer(first, 1))
        append(store, accept(first, 2, 1), ending=agreed(make_terms()))
        with writing(store):
            store.park(second.id, "no answer")
            store.end(second.id, WALKED)
        store.load(first.id)
        store.negotiations(quote.id)

    plans = {
        sql: [row["detail"] for row in rows(store.path, f"EXPLAIN QUERY PLAN {sql}")]
        for sql in statements
        if sql.startswith(("SELECT", "UPDATE"))
    }
    assert len(plans) >= 8
    steps = [step for plan in plans.values() for step in plan]
    assert {step for step in steps if not step.startswith("SEARCH")} <= {
        # the rows that come with it
        *("SCAN json_each VIRTUAL TABLE INDEX 1:", "LIST SUBQUERY 1"),
        *("MATERIALIZE new", "SCAN CONSTANT ROW", "SCAN new"),
    }


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT * FROM messages WHERE negotiation_id = 'n' ORDER BY seq", "messages_1"),
        ("SELECT * FROM negotiations WHERE quote_id = 'q'", "negotiations_2"),
        ("SELECT * FROM negotiations WHERE status = 'active'", "negotiations_active"),
        ("SELECT * FROM quotes WHERE status = 'negotiating'", "quotes_by_status"),
        ("SELECT * FROM interventions WHERE status = 'received'", "interventions_open"),
        ("SELECT * FROM interventions WHERE negotiation_id = 'n'", "interventions_by_negotiation"),
    ],
)
def test_what_others_poll_uses_an_index(store: Ledger, sql: str, index: str) -> None:
    steps = [row["detail"] for row in rows(store.path, f"EXPLAIN QUERY PLAN {sql}")]

    assert len(steps) == 1
    assert "USING INDEX" in steps[0]
    assert index in steps[0]


# From any process


def test_interventions_are_saved_as_they_were_received(
    store: Ledger, negotiations: list[Negotiation]
) -> None:
    ones = [make_intervention(each.id, n) for n, each in enumerate(negotiations)]

    assert store.add_interventions(ones) == ones

    assert [store.interventions(each.id) for each in negotiations] == [[one] for one in ones]


def test_nothing_is_asked_of_a_negotiation_that_has_ended(
    store: Ledger, negotiations: list[Negotiation]
) -> None:
    first, second = negotiations
    with writing(store):
        store.end(second.id, WALKED)
    ones = [make_intervention(first.id, 1), make_intervention(second.id, 2)]

    with pytest.raises(NegotiationNotActive, match=second.id):
        store.add_interventions(ones)
    with pytest.raises(UnknownRecord):
        store.add_interventions([ones[0], make_intervention("n-none", 3)])

    assert store.interventions(first.id) == []


def test_of_a_whole_quote_those_that_have_ended_meanwhile_are_left_out(
    store: Ledger, negotiations: list[Negotiation]
) -> None:
    ones = [make_intervention(each.id, n) for n, each in enumerate(negotiations)]
    for place, negotiation in enumerate(negotiations):
        with writing(store):
            store.end(negotiation.id, WALKED)
        renewed = [one.model_copy(update={"id": f"{one.id}-{place}"}) for one in ones]
        if place == 0:
            assert store.add_interventions(renewed, all_or_nothing=False) == renewed[1:]
        else:
            with pytest.raises(NegotiationNotActive):
                store.add_interventions(renewed, all_or_nothing=False)

    assert [len(store.interventions(each.id)) for each in negotiations] == [0, 1]


@pytest.mark.parametrize(("asked", "automatic"), [(None, False), (True, True), (False, False)])
def test_a_pending_quote_is_set_to_negotiating_for_the_engine_to_start(
    store: Ledger, asked: bool | None, automatic: bool
) -> None:
    quote = make_quote(CONFIG).model_copy(update={"automatic": False})
    store.add_quote(quote)

    started = store.start_quote(quote.id, automatic=asked)

    assert started == store.quote(quote.id)
    assert (started.status, started.automatic) == (QuoteStatus.NEGOTIATING, automatic)
    assert store.requests().starting == (started,)
    with pytest.raises(QuoteNotPending):
        store.start_quote(quote.id, automatic=None)
    with pytest.raises(UnknownRecord):
        store.start_quote(QuoteId("q-none"), automatic=None)


def test_what_was_started_from_outside_is_adopted_once(store: Ledger, quote: Quote) -> None:
    store.start_quote(quote.id, automatic=None)

    with writing(store):
        store.open_negotiations(quote.id, make_negotiations(quote, CONFIG))

    assert store.requests().starting == ()
    with pytest.raises(QuoteNotPending), writing(store):
        store.open_negotiations(quote.id, make_negotiations(quote, CONFIG))


def test_a_cancelled_quote_names_what_has_still_to_end(
    store: Ledger, quote: Quote, negotiations: list[Negotiation]
) -> None:
    first, second = negotiations
    with writing(store):
        store.end(first.id, WALKED)

    cancelled, active = store.cancel_quote(quote.id)

    assert cancelled == store.quote(quote.id)
    assert (cancelled.status, active) == (QuoteStatus.CANCELLED, (second.id,))
    assert store.requests().changed == ((quote.id, "cancelled", (second.id,)),)
    with pytest.raises(QuoteEnded, match="cancelled already"):
        store.cancel_quote(quote.id)


def test_a_pending_quote_just_becomes_cancelled_and_a_completed_one_stays(
    store: Ledger, quote: Quote
) -> None:
    other = make_quote(CONFIG)
    store.add_quote(other)
    with writing(store):
        opened = store.open_negotiations(other.id, make_negotiations(other, CONFIG))[1]
        for negotiation in opened:
            store.end(negotiation.id, WALKED)

    assert store.cancel_quote(quote.id)[1] == ()

    with pytest.raises(QuoteEnded, match="completed already"):
        store.cancel_quote(other.id)
    with pytest.raises(UnknownRecord):
        store.cancel_quote(QuoteId("q-none"))
    assert store.requests() == Requests()


def test_requests_are_what_stands_and_is_not_settled(
    store: Ledger, quote: Quote, negotiations: list[Negotiation]
) -> None:
    assert store.requests() == Requests()
    ones = [make_intervention(each.id, n) for n, each in enumerate(negotiations)]
    store.add_interventions(ones)
    with writing(store):
        store.refuse([(ones[0].id, "no")])

    assert store.requests() == Requests(received=((quote.id, ones[1]),))


def test_a_row_without_its_negotiation_asks_nobody(store: Ledger, negotiation: Negotiation) -> None:
    with closing(sqlite3.connect(store.path)) as database, database:
        database.execute("INSERT INTO interventions (negotiation_id, text) VALUES ('n-x', 'Hi')")

    assert store.requests().received == ()


def test_the_data_version_changes_with_what_others_commit_and_only_then(store: Ledger) -> None:
    with store.connection():
        before = store.data_version()
        store.quotes()
        assert store.data_version() == before

        with ThreadPoolExecutor(1) as other:
            other.submit(store.add_quote, make_quote(CONFIG)).result()

        assert store.data_version() != before


def test_a_data_version_that_can_not_be_read_now_is_told_as_that(store: Ledger) -> None:
    with store.connection():
        connection: Any = store._database.connection
        connection().set_progress_handler(lambda: True, 1)  # it interrupts every statement

        with pytest.raises(DatabaseUnavailable, match="interrupted"):
            store.data_version()


def test_all_of_a_negotiation_is_loaded_with_its_interventions(
    store: Ledger, negotiations: list[Negotiation]
) -> None:
    ones = [make_intervention(each.id, n) for n, each in enumerate(negotiations)]
    store.add_interventions(ones)

    assert store.load(negotiations[1].id).interventions == (ones[1],)
    with pytest.raises(UnknownRecord):
        store.interventions(NegotiationId("n-none"))


def test_one_that_has_ended_last_takes_nothing_from_the_others(
    store: Ledger, negotiations: list[Negotiation]
) -> None:
    with writing(store):
        store.end(negotiations[-1].id, WALKED)
    ones = [make_intervention(each.id, n) for n, each in enumerate(negotiations)]

    assert store.add_interventions(ones, all_or_nothing=False) == ones[:-1]


def test_a_row_that_can_not_be_read_is_no_intervention_that_was_received(
    store: Ledger, negotiation: Negotiation
) -> None:
    with closing(sqlite3.connect(store.path)) as database, database:
        sql = "INSERT INTO interventions (negotiation_id, limits) VALUES (?, '[]')"
        database.execute(sql, (negotiation.id,))

    requests = store.requests()

    assert (requests.received, len(requests.unreadable)) == ((), 1)
