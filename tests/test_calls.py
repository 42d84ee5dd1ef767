"""The books of models' calls: budgets are exact, and what is not known counts as it may cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from factories import (
    NOON,
    make_call,
    make_config,
    make_end,
    make_negotiations,
    make_quote,
    make_supplier,
)

from storage.calls import Call, CallEnd, CallId, CallStart, Outcome, Spending
from storage.errors import BudgetReached, RowRefused, UnknownRecord
from storage.ledger import Ledger
from storage.records import Negotiation, NegotiationId, QuoteId
from storage.rules import Budget
from storage.store import Store

CONFIG = make_config([make_supplier(1), make_supplier(2)])


@contextmanager
def writing(ledger: Ledger) -> Iterator[None]:
    with ledger.connection(), ledger.transaction():
        yield


class Books:
    """One database, as whoever makes calls sees it."""

    def __init__(self, path: Path) -> None:
        self.ledger = Ledger(path)
        self.numbers = iter(range(1, 1_000))

    def opens(self) -> Sequence[Negotiation]:
        """A quote with two suppliers."""
        quote = make_quote(CONFIG)
        self.ledger.add_quote(quote)
        with writing(self.ledger):
            return self.ledger.open_negotiations(quote.id, make_negotiations(quote, CONFIG))[1]

    def starts(
        self, negotiation: Negotiation, may_cost: int = 100, budget: Budget | None = None
    ) -> CallStart:
        call = make_call(negotiation, next(self.numbers), may_cost_tokens=may_cost)
        with writing(self.ledger), self.ledger.savepoint():
            self.ledger.start_call(call, budget or Budget())
        return call

    def ends(self, call: CallStart, prompt: int | None, completion: int | None) -> CallEnd:
        end = make_end(call.id, prompt_tokens=prompt, completion_tokens=completion)
        with writing(self.ledger):
            self.ledger.end_call(end)
        return end

    def makes(self, negotiation: Negotiation, prompt: int, completion: int) -> None:
        self.ends(self.starts(negotiation), prompt, completion)

    def allows(self, negotiation: Negotiation, may_cost: int = 100, **budget: int) -> bool:
        """Whether a call may start; one that may not is not on the books."""
        before = self.ledger.calls(negotiation.id)
        try:
            self.starts(negotiation, may_cost, Budget(**budget))
        except BudgetReached:
            assert self.ledger.calls(negotiation.id) == before
            return False
        return True


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path / "parley.db")


# What is kept


def test_a_call_is_kept_from_its_start_with_no_end(books: Books) -> None:
    negotiation, other = books.opens()

    call = books.starts(negotiation)

    (kept,) = books.ledger.calls(negotiation.id)
    ends = dict.fromkeys(set(Call.model_fields) - set(CallStart.model_fields))
    assert kept == Call.model_validate(call.model_dump() | ends)
    assert books.ledger.calls(other.id) == []


def test_its_end_is_kept_with_all_that_is_known_of_it(books: Books) -> None:
    negotiation, _ = books.opens()
    first, second = books.starts(negotiation), books.starts(negotiation)
    end = make_end(
        first.id,
        http_status=200,
        model_served="small-2411",
        prompt_tokens=80,
        completion_tokens=9,
        finish_reason="stop",
    )

    with writing(books.ledger):
        books.ledger.end_call(end)

    ended, under_way = books.ledger.calls(negotiation.id)
    assert ended == Call.model_validate(first.model_dump() | end.model_dump())
    assert (under_way.id, under_way.outcome) == (second.id, None)


@pytest.mark.parametrize("outcome", Outcome)
def test_whatever_became_of_a_call_can_be_read_back(books: Books, outcome: Outcome) -> None:
    negotiation, _ = books.opens()
    call = books.starts(negotiation)

    with writing(books.ledger):
        books.ledger.end_call(make_end(call.id, outcome=outcome))

    (kept,) = books.ledger.calls(negotiation.id)
    assert kept.outcome is outcome


def test_calls_come_oldest_first_and_attempts_of_one_instant_by_their_number(books: Books) -> None:
    negotiation, _ = books.opens()
    calls = [
        make_call(negotiation, 1, created_at=NOON + timedelta(seconds=5)),
        make_call(negotiation, 2, created_at=NOON, attempt=2),
        make_call(negotiation, 3, created_at=NOON, attempt=1),
    ]

    with writing(books.ledger):
        for call in calls:
            books.ledger.start_call(call, Budget())

    ids = [call.id for call in books.ledger.calls(negotiation.id)]
    assert ids == [calls[2].id, calls[1].id, calls[0].id]


def test_the_end_of_a_call_that_is_not_on_the_books_changes_nothing(books: Books) -> None:
    negotiation, _ = books.opens()
    books.starts(negotiation)
    before = books.ledger.calls(negotiation.id)

    with writing(books.ledger):
        books.ledger.end_call(make_end("c-unknown"))

    assert books.ledger.calls(negotiation.id) == before


@pytest.mark.parametrize("column", ["negotiation_id", "quote_id"])
def test_a_call_for_what_is_not_there_is_refused(books: Books, column: str) -> None:
    negotiation, _ = books.opens()
    call = make_call(negotiation, 1, **{column: "missing"})

    with writing(books.ledger), pytest.raises(RowRefused), books.ledger.savepoint():
        books.ledger.start_call(call, Budget(calls=1))

    assert books.ledger.calls(negotiation.id) == []


def test_two_calls_can_not_have_the_same_id(books: Books) -> None:
    negotiation, _ = books.opens()
    call = books.starts(negotiation)

    with writing(books.ledger), pytest.raises(RowRefused), books.ledger.savepoint():
        books.ledger.start_call(call, Budget())


def test_the_calls_of_nothing_are_unknown(books: Books) -> None:
    with pytest.raises(UnknownRecord):
        books.ledger.calls(NegotiationId("missing"))


# Budgets


def test_without_a_budget_there_is_no_end(books: Books) -> None:
    negotiation, _ = books.opens()

    assert all(books.allows(negotiation, 1_000_000) for _ in range(20))


@pytest.mark.parametrize("calls", [0, 1, 3])
def test_so_many_calls_and_not_one_more(books: Books, calls: int) -> None:
    negotiation, other = books.opens()

    allowed = [books.allows(negotiation, calls=calls) for _ in range(calls + 2)]

    assert allowed == [True] * calls + [False] * 2
    assert books.allows(other, calls=calls) is (calls > 0)


def test_failed_calls_and_free_ones_count_as_calls_too(books: Books) -> None:
    negotiation, _ = books.opens()
    books.makes(negotiation, 0, 0)

    assert not books.allows(negotiation, calls=1)


@pytest.mark.parametrize("calls", [0, 1, 3])
def test_so_many_calls_of_a_quote_whichever_negotiation_makes_them(
    books: Books, calls: int
) -> None:
    negotiations = books.opens()
    elsewhere, _ = books.opens()
    books.makes(elsewhere, 10, 10)

    allowed = [books.allows(negotiations[n % 2], quote_calls=calls) for n in range(calls + 2)]

    assert allowed == [True] * calls + [False] * 2


@pytest.mark.parametrize(
    ("may_cost", "allowed"), [(0, True), (69, True), (70, True), (71, False), (10_000, False)]
)
def test_a_call_may_start_if_it_can_not_take_the_tokens_over_the_budget(
    books: Books, may_cost: int, allowed: bool
) -> None:
    negotiation, other = books.opens()
    books.makes(negotiation, 20, 10)
    books.makes(other, 5_000, 5_000)

    assert books.allows(negotiation, may_cost, tokens=100) is allowed


@pytest.mark.parametrize("of", ["tokens", "quote_tokens"])
def test_the_first_call_may_cost_the_whole_budget(books: Books, of: str) -> None:
    negotiation, _ = books.opens()

    assert not books.allows(negotiation, 101, **{of: 100})
    assert books.allows(negotiation, 100, **{of: 100})


@pytest.mark.parametrize(("may_cost", "allowed"), [(50, True), (51, False)])
def test_the_tokens_of_a_quote_are_those_of_all_its_negotiations(
    books: Books, may_cost: int, allowed: bool
) -> None:
    negotiation, other = books.opens()
    elsewhere, _ = books.opens()
    books.makes(negotiation, 20, 10)
    books.makes(other, 15, 5)
    books.makes(elsewhere, 5_000, 5_000)

    assert books.allows(negotiation, may_cost, quote_tokens=100) is allowed


@pytest.mark.parametrize(("may_cost", "allowed"), [(40, True), (41, False)])
@pytest.mark.parametrize(
    "known", [None, (None, None), (5, None), (None, 5)], ids=["under way", "no", "half", "other"]
)
@pytest.mark.parametrize("of", ["tokens", "quote_tokens"])
def test_a_call_of_which_the_tokens_are_not_known_counts_with_all_that_it_may_cost(
    books: Books, known: tuple[int | None, int | None] | None, of: str, may_cost: int, allowed: bool
) -> None:
    negotiation, _ = books.opens()
    call = books.starts(negotiation, 60)
    if known is not None:
        books.ends(call, *known)

    assert books.allows(negotiation, may_cost, **{of: 100}) is allowed


def test_what_a_call_did_not_cost_is_free_again_when_it_has_ended(books: Books) -> None:
    negotiation, _ = books.opens()
    call = books.starts(negotiation, 90)
    assert not books.allows(negotiation, 20, tokens=100)

    books.ends(call, 70, 10)

    assert books.allows(negotiation, 20, tokens=100)


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ({"calls": 1}, "1 calls"),
        ({"tokens": 149}, "149 tokens"),
        ({"quote_calls": 1}, "1 calls"),
        ({"quote_tokens": 149}, "149 tokens"),
    ],
)
def test_who_is_refused_is_told_which_budget_is_reached(
    books: Books, budget: dict[str, int], words: str
) -> None:
    negotiation, _ = books.opens()
    books.starts(negotiation, 50)
    books.starts(negotiation, 50)

    with pytest.raises(BudgetReached, match=words) as refused:
        books.starts(negotiation, 50, Budget(**budget))

    of_quote = any(name.startswith("quote") for name in budget)
    assert refused.value.owner == (negotiation.quote_id if of_quote else negotiation.id)


def test_budgets_are_kept_when_the_database_is_opened_again(books: Books) -> None:
    negotiation, other = books.opens()
    books.makes(negotiation, 20, 10)
    books.starts(negotiation, 60)  # cut off: nobody will ever know
    books.starts(other, 5)

    later = Books(books.ledger.path)
    next(later.numbers)
    later.numbers = iter(range(100, 200))

    assert not later.allows(negotiation, 11, tokens=100)
    assert not later.allows(negotiation, 0, calls=2)
    assert not later.allows(negotiation, 6, quote_tokens=100)
    assert later.allows(negotiation, 5, tokens=100, calls=3, quote_calls=4, quote_tokens=100)


# What was spent


def test_what_was_spent_is_told_by_negotiation(books: Books) -> None:
    first, second = books.opens()
    elsewhere, _ = books.opens()
    books.makes(first, 20, 10)
    books.makes(first, 1, 2)
    books.ends(books.starts(first), 7, None)
    books.starts(first)
    books.makes(elsewhere, 1_000, 1_000)

    assert books.ledger.spending(first.quote_id) == {first.id: Spending(4, 28, 12, 2)}
    books.makes(second, 3, 4)
    assert books.ledger.spending(first.quote_id)[second.id] == Spending(1, 3, 4, 0)


def test_of_what_is_not_known_nothing_is_told_but_how_often(books: Books) -> None:
    negotiation, _ = books.opens()
    books.starts(negotiation)

    assert books.ledger.spending(negotiation.quote_id) == {negotiation.id: Spending(1, 0, 0, 1)}


def test_who_made_no_call_has_spent_nothing(books: Books) -> None:
    negotiation, _ = books.opens()

    assert books.ledger.spending(negotiation.quote_id) == {}
    assert books.ledger.spending(QuoteId("missing")) == {}


def test_who_only_reads_sees_calls_and_spending(books: Books) -> None:
    negotiation, _ = books.opens()
    books.makes(negotiation, 20, 10)

    reading = Store(books.ledger.path, read_only=True)

    assert reading.calls(negotiation.id) == books.ledger.calls(negotiation.id)
    assert reading.spending(negotiation.quote_id) == {negotiation.id: Spending(1, 20, 10, 0)}


def test_a_call_that_is_undone_with_its_transaction_was_never_made(books: Books) -> None:
    negotiation, _ = books.opens()

    def undone() -> None:
        with writing(books.ledger):
            books.ledger.start_call(make_call(negotiation), Budget(calls=1))
            raise LookupError

    with pytest.raises(LookupError):
        undone()

    assert books.allows(negotiation, calls=1)
    assert CallId("c-0000000000000001") in [call.id for call in books.ledger.calls(negotiation.id)]


# What stands in the way


def test_a_budget_that_only_calls_under_way_hold_is_not_spent(books: Books) -> None:
    negotiation, _ = books.opens()
    assert books.allows(negotiation, 60, tokens=100)  # under way

    with pytest.raises(BudgetReached) as held:
        books.starts(negotiation, 60, Budget(tokens=100))
    with pytest.raises(BudgetReached) as spent:
        books.starts(negotiation, 101, Budget(tokens=100))

    assert (held.value.is_final, spent.value.is_final) == (False, True)


def test_calls_of_an_engine_that_is_gone_are_spent_and_not_under_way(books: Books) -> None:
    negotiation, _ = books.opens()
    assert books.allows(negotiation, 60, tokens=100)

    with books.ledger.connection():
        books.ledger.lose_calls()

    with pytest.raises(BudgetReached) as reached:
        books.starts(negotiation, 60, Budget(tokens=100))
    assert reached.value.is_final
    assert [call.outcome for call in books.ledger.calls(negotiation.id)] == [Outcome.LOST]


def test_a_call_that_was_never_sent_counts_nowhere(books: Books) -> None:
    negotiation, _ = books.opens()
    call = books.starts(negotiation, 60, Budget(calls=1))
    unsent = make_end(call.id, outcome=Outcome.NOT_SENT, prompt_tokens=0, completion_tokens=0)
    with writing(books.ledger):
        books.ledger.end_call(unsent)

    assert books.allows(negotiation, 60, calls=1)
    assert books.ledger.spending(negotiation.quote_id)[negotiation.id].calls == 1
