"""Asking a model: attempts, time and money are counted, and each call is on the books."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from virtual_time import elapsed_s, in_virtual_time

from actors.errors import ModelFailed
from actors.mechanism.moves import Withheld
from actors.mechanism.ruling import Rule
from actors.negotiators.answers import WORDING, Schema
from actors.negotiators.errand import Errand
from actors.negotiators.model import FRAME_TOKENS, CallFailed, Model, Question, Reply
from actors.negotiators.model_settings import ModelSettings
from actors.negotiators.prompt_log import PromptLog
from actors.negotiators.prompts import Prompt
from storage.calls import CallEnd, CallStart, Outcome
from storage.errors import BudgetReached
from storage.records import NegotiationId, QuoteId, SupplierId
from storage.rules import Budget
from storage.terms.kind import Side

PROMPT = Prompt("You sell é.", "What do you say?", "7")
SIZE = 28 + len(orjson.dumps(WORDING)) + FRAME_TOKENS
"""Bytes of prompt and schema, and what a server puts around them."""
GOOD = Reply("Hello.", "stop", "small-2411", 20, 5)
ODD = Reply("Hm.", "length", None, None, None)
UNREADABLE = Withheld(Rule.UNREADABLE, "no words")
BUDGET = Budget(calls=9)

Act = Callable[[], Awaitable[Reply]]


def answers(reply: Reply = GOOD, after_s: float = 0.0) -> Act:
    async def act() -> Reply:
        await asyncio.sleep(after_s)
        return reply

    return act


def fails(
    outcome: Outcome = Outcome.FAILED,
    words: str = "it failed",
    *,
    after_s: float = 0.0,
    retryable: bool = True,
    **more: Any,
) -> Act:
    async def act() -> Reply:
        await asyncio.sleep(after_s)
        raise CallFailed(outcome, words, retryable=retryable, **more)

    return act


async def never() -> Reply:
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


class Scripted:
    """Acts as a script says, and as its last act says ever after."""

    def __init__(self, acts: Iterable[Act]) -> None:
        self._acts = list(acts)
        self.asked: list[tuple[Prompt, Schema]] = []
        self.began: list[float] = []
        self.ended: list[float] = []
        self.is_closed = False

    async def complete(self, prompt: Prompt, schema: Schema) -> Reply:
        self.asked.append((prompt, schema))
        self.began.append(round(elapsed_s(), 6))
        act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
        try:
            return await act()
        finally:
            self.ended.append(round(elapsed_s(), 6))

    async def close(self) -> None:
        self.is_closed = True


@dataclass
class Book:
    """Notes calls in a list; after so many it is full."""

    allows: int = 100
    takes_s: float = 0.0
    notes: list[CallStart | CallEnd] = field(default_factory=list)
    budgets: list[Budget] = field(default_factory=list)

    async def start(self, call: CallStart, budget: Budget) -> None:
        await asyncio.sleep(self.takes_s)
        self.budgets.append(budget)
        if len(self.starts) >= self.allows:
            raise BudgetReached("n-1", "so many calls", is_final=True)
        self.notes.append(call)

    def end(self, call: CallStart, end: CallEnd, supplier_id: SupplierId) -> None:
        assert supplier_id == "s-1"
        assert end.id == call.id
        self.notes.append(end)

    @property
    def starts(self) -> list[CallStart]:
        return [note for note in self.notes if isinstance(note, CallStart)]

    @property
    def ends(self) -> list[CallEnd]:
        return [note for note in self.notes if isinstance(note, CallEnd)]

    @property
    def outcomes(self) -> list[Outcome]:
        return [end.outcome for end in self.ends]


class Asking:
    """A model with a script behind it, and whoever asks it."""

    def __init__(self, *acts: Act, book: Book | None = None, **settings: Any) -> None:
        self.client = Scripted(acts)
        self.book = book or Book()
        self.news: list[float] = []
        self.settings = ModelSettings.model_validate(
            {"model": "small", "max_tokens": 100, "retry_pause_s": 0, **settings}
        )
        self.model = Model(self.client, self.settings)

    def errand(self, timeout_s: float = 60.0) -> Errand:
        return Errand(
            quote_id=QuoteId("q-1"),
            negotiation_id=NegotiationId("n-1"),
            supplier_id=SupplierId("s-1"),
            draft_id="n-1/3",
            side=Side.SUPPLIER,
            timeout_s=timeout_s,
            budget=BUDGET,
            book=self.book,
            news=lambda: self.news.append(round(elapsed_s(), 6)),
        )

    async def asks(self, timeout_s: float = 60.0) -> str | Withheld:
        return await self.model.ask(QUESTION, self.errand(timeout_s))


def read(content: str | None, finish_reason: str | None) -> str | Withheld:
    return content if content is not None and finish_reason == "stop" else UNREADABLE


QUESTION = Question(PROMPT, WORDING, read)


async def failure(asking: Asking, timeout_s: float = 60.0) -> str:
    """What is said when it can't be asked."""
    with pytest.raises(ModelFailed) as failed:
        await asking.asks(timeout_s)
    return str(failed.value)


# What it is asked, and what it answers


def test_an_answer_is_read_and_its_call_is_on_the_books_with_all_that_is_known() -> None:
    async def main() -> None:
        asking = Asking(answers(GOOD, after_s=1.5))

        assert await asking.asks() == "Hello."
        assert asking.client.asked == [(PROMPT, WORDING)]
        start, end = asking.book.notes
        assert isinstance(start, CallStart)
        assert start.model_dump(exclude={"id", "created_at"}) == {
            "quote_id": "q-1",
            "negotiation_id": "n-1",
            "draft_id": "n-1/3",
            "side": Side.SUPPLIER,
            "attempt": 1,
            "model": "small",
            "prompt_version": "7",
            "may_cost_tokens": SIZE + 100,
            "queued_s": 0.0,
        }
        assert end == CallEnd(
            id=start.id,
            outcome=Outcome.ANSWERED,
            http_status=200,
            model_served="small-2411",
            prompt_tokens=20,
            completion_tokens=5,
            finish_reason="stop",
            latency_s=1.5,
        )
        assert asking.book.budgets == [BUDGET]

    in_virtual_time(main())


def test_an_answer_that_can_not_be_read_is_noted_as_such_and_given_back_to_be_judged() -> None:
    async def main() -> None:
        asking = Asking(answers(ODD), answers(GOOD))

        assert await asking.asks() == UNREADABLE
        (end,) = asking.book.ends
        assert (end.outcome, end.finish_reason) == (Outcome.UNREADABLE, "length")
        assert (end.http_status, end.model_served) == (200, None)
        assert (end.prompt_tokens, end.completion_tokens) == (None, None)

    in_virtual_time(main())


def test_each_call_has_an_id_of_its_own() -> None:
    async def main() -> None:
        asking = Asking(fails())
        await failure(asking)

        ids = [start.id for start in asking.book.starts]
        assert len(set(ids)) == 5
        assert all(call_id.startswith("c-") and len(call_id) == 18 for call_id in ids)

    in_virtual_time(main())


# Attempts


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_there_are_no_more_attempts_than_allowed(attempts: int) -> None:
    async def main() -> None:
        asking = Asking(fails(words="the server failed"), attempts=attempts)
        said = await failure(asking)

        tries = "" if attempts == 1 else f" (attempt {attempts})"
        assert said == f"the server failed{tries}"
        assert [start.attempt for start in asking.book.starts] == list(range(1, attempts + 1))
        assert asking.book.outcomes == [Outcome.FAILED] * attempts

    in_virtual_time(main())


def test_what_failed_for_a_passing_reason_is_tried_again_until_it_is_answered() -> None:
    async def main() -> None:
        asking = Asking(fails(), fails(Outcome.DISCONNECTED), answers())

        assert await asking.asks() == "Hello."
        assert asking.book.outcomes == [Outcome.FAILED, Outcome.DISCONNECTED, Outcome.ANSWERED]

    in_virtual_time(main())


def test_what_can_only_fail_again_is_not_tried_again() -> None:
    async def main() -> None:
        refused = fails(Outcome.REFUSED, "the key is refused", retryable=False, http_status=401)
        asking = Asking(refused, answers(), retry_pause_s=5)

        assert await failure(asking) == "the key is refused"
        (end,) = asking.book.ends
        assert (end.outcome, end.http_status) == (Outcome.REFUSED, 401)
        assert elapsed_s() == 0

    in_virtual_time(main())


def test_that_it_failed_is_final_and_holds_nothing_of_what_failed() -> None:
    async def main() -> None:
        with pytest.raises(ModelFailed) as failed:
            await Asking(fails()).asks()

        assert not failed.value.retryable
        assert failed.value.__cause__ is None
        assert failed.value.__context__ is None

    in_virtual_time(main())


@pytest.mark.parametrize(("is_free", "tokens"), [(True, 0), (False, None)])
def test_what_a_failed_call_cost_is_noted_where_it_is_known(
    is_free: bool, tokens: int | None
) -> None:
    async def main() -> None:
        asking = Asking(fails(is_free=is_free), attempts=1)
        await failure(asking)

        (end,) = asking.book.ends
        assert (end.prompt_tokens, end.completion_tokens) == (tokens, tokens)

    in_virtual_time(main())


def test_every_start_is_noted_before_its_call_and_every_end_after_it() -> None:
    async def main() -> None:
        asking = Asking(fails(after_s=1), fails(after_s=1), answers(after_s=1), book=Book(1000, 3))
        await asking.asks()

        assert [type(note) for note in asking.book.notes] == [CallStart, CallEnd] * 3
        starts, ends = asking.book.starts, asking.book.ends
        assert [start.id for start in starts] == [end.id for end in ends]
        # the book takes 3 seconds for a start, which are not the call's
        assert asking.client.began == [3, 7, 11]
        assert [end.latency_s for end in ends] == [1, 1, 1]

    in_virtual_time(main())


# Pauses


def test_the_pause_between_attempts_doubles_is_spread_and_has_an_end() -> None:
    async def main() -> None:
        pauses: list[list[float]] = [[] for _ in range(7)]
        for _ in range(50):
            asking = Asking(fails(), attempts=8, retry_pause_s=0.5, longest_pause_s=6)
            await failure(asking, 3_600)
            began = asking.client.began
            for place, pause_s in enumerate(b - a for a, b in itertools.pairwise(began)):
                pauses[place].append(pause_s)

        for longest_s, taken in zip([0.5, 1, 2, 4, 6, 6, 6], pauses, strict=True):
            assert longest_s / 2 - 1e-5 <= min(taken) < 0.7 * longest_s
            assert 0.8 * longest_s < max(taken) <= longest_s + 1e-5
            assert len(set(taken)) > 40

    in_virtual_time(main())


def test_a_call_waits_for_its_next_attempt_without_holding_a_place() -> None:
    async def main() -> None:
        asking = Asking(fails(), answers(), concurrency=1, retry_pause_s=10)
        first = asyncio.create_task(asking.asks())
        await asyncio.sleep(0)
        await asking.asks()

        assert elapsed_s() == 0
        await first
        assert elapsed_s() >= 5

    in_virtual_time(main())


@pytest.mark.parametrize(("retry_after_s", "pause_s"), [(7.0, 7.0), (None, 1.0), (900.0, 60.0)])
def test_a_throttled_call_waits_in_the_gate_with_all_others(
    retry_after_s: float | None, pause_s: float
) -> None:
    async def main() -> None:
        throttled = fails(Outcome.THROTTLED, retry_after_s=retry_after_s, is_free=True)
        asking = Asking(throttled, answers(), retry_pause_s=60)
        first = asyncio.create_task(asking.asks(5.0))
        await asyncio.sleep(0.5)
        await asyncio.gather(first, asking.asks(5.0))

        assert asking.client.began == pytest.approx([0, pause_s, pause_s + 0.1], abs=1e-5)
        assert asking.book.outcomes == [Outcome.THROTTLED, Outcome.ANSWERED, Outcome.ANSWERED]
        assert asking.book.ends[0].prompt_tokens == 0

    in_virtual_time(main())


def test_throttled_calls_are_counted_by_themselves() -> None:
    async def main() -> None:
        throttled = fails(Outcome.THROTTLED, "too many calls", retry_after_s=0.0, is_free=True)
        asking = Asking(throttled, attempts=1, throttled_attempts=3)

        assert await failure(asking) == "too many calls (attempt 3)"

        mixed = Asking(throttled, fails(), throttled, answers(), attempts=2, throttled_attempts=3)
        await mixed.asks()

        assert [start.attempt for start in mixed.book.starts] == [1, 2, 3, 4]

    in_virtual_time(main())


@pytest.mark.parametrize("retry_after_s", [None, 7.0])
def test_what_fails_otherwise_holds_others_back_as_long_as_the_server_says(
    retry_after_s: float | None,
) -> None:
    async def main() -> None:
        asking = Asking(fails(Outcome.FAILED, retry_after_s=retry_after_s), answers())
        await asking.asks()
        await asking.asks()

        assert elapsed_s() == pytest.approx(retry_after_s or 0)

    in_virtual_time(main())


# Time


def test_a_call_that_never_ends_is_cut_off_and_made_again() -> None:
    async def main() -> None:
        asking = Asking(never, answers(), attempt_timeout_s=12)

        assert await asking.asks() == "Hello."
        assert asking.client.ended == [12, 12]
        assert asking.book.outcomes == [Outcome.TIMED_OUT, Outcome.ANSWERED]
        cut_off = asking.book.ends[0]
        assert (cut_off.latency_s, cut_off.prompt_tokens) == (12, None)

    in_virtual_time(main())


def test_all_attempts_together_take_no_longer_than_the_move_may() -> None:
    async def main() -> None:
        asking = Asking(never, attempt_timeout_s=12)

        assert await failure(asking, 30) == "no answer within 6 s (attempt 3)"
        assert asking.client.ended == [12, 24, 30]

    in_virtual_time(main())


def test_the_first_attempt_too_takes_no_longer_than_the_move_may() -> None:
    async def main() -> None:
        asking = Asking(never, attempt_timeout_s=30)

        assert await failure(asking, 2.5) == "no answer within 2.5 s"
        assert asking.client.ended == [2.5]

    in_virtual_time(main())


def test_calls_that_fail_slowly_use_up_the_time_of_the_move() -> None:
    async def main() -> None:
        asking = Asking(fails(after_s=4), attempts=20)
        await failure(asking, 10)

        assert asking.client.ended == [4, 8, 10]

    in_virtual_time(main())


def test_pauses_use_up_the_time_of_the_move_and_are_not_begun_when_it_is_over() -> None:
    async def main() -> None:
        asking = Asking(fails(), attempts=20, retry_pause_s=8)  # 4 to 8 s, then 8 to 16 s
        await failure(asking, 10)

        assert len(asking.client.began) == 2
        assert elapsed_s() <= 8.001

    in_virtual_time(main())


def test_waiting_for_a_turn_uses_up_no_time_of_the_move() -> None:
    async def main() -> None:
        asking = Asking(answers(after_s=3), concurrency=1)
        await asyncio.gather(*(asking.asks(4) for _ in range(10)))

        assert asking.book.outcomes == [Outcome.ANSWERED] * 10
        queued = [start.queued_s for start in asking.book.starts]
        assert queued == pytest.approx([3 * place for place in range(10)], abs=1e-5)

    in_virtual_time(main())


def test_nor_does_a_pause_that_the_server_asks_for() -> None:
    async def main() -> None:
        throttled = fails(Outcome.THROTTLED, retry_after_s=50.0)
        asking = Asking(throttled, throttled, answers(after_s=1))

        assert await asking.asks(2) == "Hello."

    in_virtual_time(main())


def test_nor_does_the_disk_on_which_calls_are_noted() -> None:
    async def main() -> None:
        asking = Asking(fails(after_s=1), answers(after_s=1), book=Book(takes_s=50))

        assert await asking.asks(4) == "Hello."

    in_virtual_time(main())


@pytest.mark.parametrize(("timeout_s", "news"), [(60.0, [10, 20, 25]), (8.0, [8, 16, 24, 25])])
def test_while_it_waits_for_its_turn_there_are_news(timeout_s: float, news: list[float]) -> None:
    async def main() -> None:
        asking = Asking(answers(after_s=25), answers(), concurrency=1)
        long = asyncio.create_task(asking.asks())
        await asyncio.sleep(0)
        waiting = Asking(answers())
        waiting.model = asking.model
        await asyncio.gather(long, waiting.asks(timeout_s))

        assert (asking.news, waiting.news) == ([], news)

    in_virtual_time(main())


# Cancelled


def test_who_needs_the_answer_no_more_cancels_the_call() -> None:
    async def main() -> None:
        asking = Asking(never)
        asked = asyncio.create_task(asking.asks())
        await asyncio.sleep(4)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked

        assert asking.client.ended == [4]
        (end,) = asking.book.ends
        assert (end.outcome, end.latency_s, end.prompt_tokens) == (Outcome.CANCELLED, 4, None)

    in_virtual_time(main())


def test_a_cancelled_call_gives_its_place_on() -> None:
    async def main() -> None:
        asking = Asking(never, answers(), concurrency=1)
        asked = asyncio.create_task(asking.asks())
        next_one = asyncio.create_task(asking.asks())
        await asyncio.sleep(4)
        asked.cancel()

        assert await next_one == "Hello."

    in_virtual_time(main())


def test_who_gives_up_in_the_queue_or_in_a_pause_makes_no_further_call() -> None:
    async def main() -> None:
        asking = Asking(fails(), retry_pause_s=30)
        asked = asyncio.create_task(asking.asks())
        await asyncio.sleep(4)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        await asyncio.sleep(3_600)

        assert asking.book.outcomes == [Outcome.FAILED]

    in_virtual_time(main())


# Money


@pytest.mark.parametrize("allows", [0, 2])
def test_a_reached_budget_ends_it_without_a_further_call(allows: int) -> None:
    async def main() -> None:
        asking = Asking(fails(), book=Book(allows))
        with pytest.raises(BudgetReached):
            await asking.asks()

        assert len(asking.client.began) == len(asking.book.ends) == allows

    in_virtual_time(main())


def test_a_reached_budget_gives_the_place_on() -> None:
    async def main() -> None:
        asking = Asking(answers(), concurrency=1, book=Book(0))
        for _ in range(2):
            with pytest.raises(BudgetReached):
                await asking.asks()

    in_virtual_time(main())


def test_tokens_that_an_answer_did_not_use_are_free_for_the_next_call() -> None:
    async def main() -> None:
        # what a call may cost is as many seconds; it costs 25
        asking = Asking(answers(), tokens_per_minute=60)
        await asking.asks()
        await asking.asks()

        assert asking.client.began == pytest.approx([0, 25], abs=1e-5)

    in_virtual_time(main())


def test_an_answer_that_does_not_say_what_it_cost_has_cost_all_that_it_may() -> None:
    async def main() -> None:
        asking = Asking(answers(ODD), tokens_per_minute=60)
        await asking.asks()
        await asking.asks()

        assert asking.client.began == pytest.approx([0, SIZE + 100], abs=1e-5)

    in_virtual_time(main())


def test_requests_are_made_at_the_rate_that_is_set() -> None:
    async def main() -> None:
        asking = Asking(answers(), requests_per_minute=60)
        await asyncio.gather(*(asking.asks() for _ in range(5)))

        assert asking.client.began == pytest.approx([0, 1, 2, 3, 4], abs=1e-5)

    in_virtual_time(main())


# Prompts, and the end


def test_prompts_and_answers_are_logged_where_that_is_asked_for(tmp_path: Path) -> None:
    async def main() -> None:
        asking = Asking(fails(), answers(ODD), answers())
        log = OnceClosed(PromptLog.beside(tmp_path / "parley.db"))
        asking.model = Model(asking.client, asking.settings, log)
        await asking.asks()
        await asking.asks()
        await asking.model.close()

        lines = (tmp_path / "parley.prompts.jsonl").read_bytes().splitlines()
        logged = [orjson.loads(line) for line in lines]
        assert [line["answer"] for line in logged] == ["Hm.", "Hello."]
        calls = [start.id for start in asking.book.starts]
        assert [line["call_id"] for line in logged] == calls[1:]
        assert (logged[0]["system"], logged[0]["user"]) == (PROMPT.system, PROMPT.user)
        assert asking.client.is_closed
        assert log.is_closed

    in_virtual_time(main())


class OnceClosed(PromptLog):
    """Remembers that it was closed."""

    is_closed = False

    def close(self) -> None:
        super().close()
        self.is_closed = True


def test_without_a_log_it_closes_its_client_all_the_same() -> None:
    async def main() -> None:
        asking = Asking(answers())
        await asking.model.close()

        assert asking.client.is_closed

    in_virtual_time(main())


# What stands in the way of a call


class Held(Book):
    """Lets nobody start for a time, because of what calls under way may cost."""

    until: float = 7.0

    async def start(self, call: CallStart, budget: Budget) -> None:
        if elapsed_s() < self.until:
            raise BudgetReached("q-1", "so many tokens", is_final=False)
        await super().start(call, budget)


def test_while_only_calls_under_way_stand_against_it_a_call_waits_and_says_so() -> None:
    async def main() -> None:
        asking = Asking(answers(), book=Held())
        await asking.asks(timeout_s=2.0)

        assert elapsed_s() == pytest.approx(7.0)
        assert [start.attempt for start in asking.book.starts] == [1]
        assert asking.news == pytest.approx([2, 4, 6])

    in_virtual_time(main())


def test_while_its_start_is_being_noted_who_waits_hears_of_it() -> None:
    async def main() -> None:
        asking = Asking(answers(), book=Book(takes_s=25.0))
        await asking.asks(timeout_s=5.0)

        assert asking.news == pytest.approx([5, 10, 15, 20, 25])
        assert asking.book.outcomes == [Outcome.ANSWERED]

    in_virtual_time(main())
