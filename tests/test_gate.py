"""The gate: turns in order, as fast as is set or as the server bears, and news meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

import pytest
from virtual_time import START_S, elapsed_s, in_virtual_time

from actors.negotiators.gate import (
    DEFAULT_PAUSE_S,
    FASTER,
    FASTER_AFTER_S,
    FIRST_INTERVAL_S,
    LONGEST_INTERVAL_S,
    NEWS_S,
    SLOWER,
    Gate,
    Turn,
)


def no_news() -> None:
    pass


@dataclass
class Callers:
    """Whoever goes through a gate, and when."""

    gate: Gate
    started: list[tuple[str, float]] = field(default_factory=list)
    news: list[tuple[str, float]] = field(default_factory=list)
    inside: int = 0
    most_inside: int = 0

    def calls(
        self, name: str, call_s: float = 0.0, *, tokens: int = 0, news_s: float = NEWS_S
    ) -> asyncio.Task[Turn]:
        """Ask for a turn, and then keep it for so long."""
        return asyncio.create_task(self._call(name, call_s, tokens, news_s))

    async def _call(self, name: str, call_s: float, tokens: int, news_s: float) -> Turn:
        def told() -> None:
            self.news.append((name, round(elapsed_s(), 6)))

        async with self.gate.turn(tokens, told, news_s) as turn:
            self.started.append((name, elapsed_s()))
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
            try:
                await asyncio.sleep(call_s)
            finally:
                self.inside -= 1
        return turn

    async def starts(self, count: int) -> list[float]:
        """When so many calls start that take no time and are all asked for now."""
        before = len(self.started)
        await asyncio.gather(*(self.calls(f"{number}") for number in range(count)))
        return [at for _, at in self.started[before:]]

    async def interval_s(self) -> float:
        """The time between two starts, now."""
        first, second = await self.starts(2)
        return second - first


async def a_turn(gate: Gate, tokens: int = 0) -> Turn:
    async with gate.turn(tokens, no_news) as turn:
        return turn


# How many at a time


def test_no_more_calls_than_allowed_are_made_at_the_same_time() -> None:
    async def main() -> None:
        callers = Callers(Gate(3))
        await asyncio.gather(*(callers.calls(f"{number}", 1.0) for number in range(10)))

        assert callers.most_inside == 3
        assert [at for _, at in callers.started] == pytest.approx([0] * 3 + [1] * 3 + [2] * 3 + [3])

    in_virtual_time(main())


@pytest.mark.parametrize("concurrency", [1, 3])
def test_who_comes_first_is_served_first(concurrency: int) -> None:
    async def main() -> None:
        callers = Callers(Gate(concurrency, requests_per_minute=600))
        names = [f"{number}" for number in range(9)]
        await asyncio.gather(*(callers.calls(name, 0.35) for name in names))

        assert [name for name, _ in callers.started] == names

    in_virtual_time(main())


def test_a_turn_knows_when_it_began_and_how_long_it_was_queued_for() -> None:
    async def main() -> None:
        callers = Callers(Gate(1))
        now = asyncio.get_running_loop().time()
        first, second = await asyncio.gather(callers.calls("a", 2.5), callers.calls("b"))

        assert (first.at, first.queued_s) == (now, 0)
        assert (second.at, second.queued_s) == pytest.approx((now + 2.5, 2.5))

    in_virtual_time(main())


def test_a_call_that_fails_gives_its_place_on() -> None:
    async def main() -> None:
        gate = Gate(1)
        with pytest.raises(LookupError):
            async with gate.turn(0, no_news):
                raise LookupError

        assert (await a_turn(gate)).queued_s == 0

    in_virtual_time(main())


# Rates


@pytest.mark.parametrize("per_minute", [30, 60, 90, 600])
def test_starts_are_spread_evenly_at_exactly_the_rate(per_minute: float) -> None:
    async def main() -> None:
        starts = await Callers(Gate(100, requests_per_minute=per_minute)).starts(100)

        assert starts == pytest.approx([number * 60 / per_minute for number in range(100)])

    in_virtual_time(main())


def test_who_did_not_call_for_a_while_has_saved_no_burst() -> None:
    async def main() -> None:
        callers = Callers(Gate(100, requests_per_minute=60))
        await callers.starts(1)
        await asyncio.sleep(600)

        assert await callers.starts(3) == pytest.approx([600, 601, 602])

    in_virtual_time(main())


def test_tokens_hold_back_the_next_call_for_as_long_as_they_last() -> None:
    async def main() -> None:
        callers = Callers(Gate(100, tokens_per_minute=6_000))
        calls = [
            callers.calls("a", tokens=1_000),
            callers.calls("b", tokens=50),
            callers.calls("c"),
        ]
        await asyncio.gather(*calls)

        assert [at for _, at in callers.started] == pytest.approx([0, 10, 10.5])

    in_virtual_time(main())


@pytest.mark.parametrize(("unused", "next_at"), [(600, 4), (1_000, 1), (0, 10)])
def test_tokens_that_were_not_used_are_given_back(unused: int, next_at: float) -> None:
    async def main() -> None:
        gate = Gate(100, tokens_per_minute=6_000)
        await a_turn(gate, tokens=1_000)
        await asyncio.sleep(1)
        gate.give_back(unused)
        await a_turn(gate)

        assert elapsed_s() == pytest.approx(next_at)

    in_virtual_time(main())


def test_who_waits_for_tokens_starts_as_soon_as_they_are_given_back() -> None:
    async def main() -> None:
        gate = Gate(100, tokens_per_minute=6_000)
        await a_turn(gate, tokens=1_000)
        waiter = asyncio.create_task(a_turn(gate))
        await asyncio.sleep(1)
        gate.give_back(800)
        await waiter

        assert elapsed_s() == pytest.approx(2)

    in_virtual_time(main())


def test_tokens_that_are_given_back_don_t_bring_a_call_before_its_time() -> None:
    async def main() -> None:
        callers = Callers(Gate(100, requests_per_minute=60, tokens_per_minute=6_000))
        for number in range(5):
            await callers.calls(f"{number}", tokens=1_000)
            callers.gate.give_back(1_000)

        assert [at for _, at in callers.started] == pytest.approx([0, 1, 2, 3, 4])

    in_virtual_time(main())


# Throttled


@pytest.mark.parametrize(
    ("retry_after_s", "pause_s"),
    [(7.5, 7.5), (0.0, 0.0), (60.0, 60.0), (3_600.0, 60.0), (float("inf"), 60.0)],
)
def test_a_throttled_call_has_everybody_wait_as_long_as_it_says_but_not_for_ever(
    retry_after_s: float, pause_s: float
) -> None:
    async def main() -> None:
        gate = Gate(100, longest_pause_s=60.0)
        gate.throttled(await a_turn(gate), retry_after_s)
        await asyncio.gather(a_turn(gate), a_turn(gate))

        assert elapsed_s() == pytest.approx(pause_s + FIRST_INTERVAL_S)

    in_virtual_time(main())


def test_one_that_does_not_say_how_long_has_everybody_wait_a_little() -> None:
    async def main() -> None:
        gate = Gate(100)
        gate.throttled(await a_turn(gate), None)
        await a_turn(gate)

        assert elapsed_s() == pytest.approx(DEFAULT_PAUSE_S)

    in_virtual_time(main())


def test_who_waits_in_the_turnstile_already_waits_for_a_pause_too() -> None:
    async def main() -> None:
        gate = Gate(100, requests_per_minute=60)
        turn = await a_turn(gate)
        waiter = asyncio.create_task(a_turn(gate))
        await asyncio.sleep(0.5)
        gate.throttled(turn, 20.0)
        await waiter

        assert elapsed_s() == pytest.approx(20.5)

    in_virtual_time(main())


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    async def main() -> None:
        gate = Gate(100)
        turn = await a_turn(gate)
        gate.throttled(turn, 30.0)
        gate.throttled(turn, 1.0)
        await a_turn(gate)

        assert elapsed_s() == pytest.approx(30)

    in_virtual_time(main())


async def throttle(gate: Gate, calls: int = 1) -> None:
    """Have calls be throttled that all began before the first was."""
    turns = [await a_turn(gate) for _ in range(calls)]
    await asyncio.sleep(1)
    for turn in turns:
        gate.throttled(turn, 0.0)
        await asyncio.sleep(0.01)


def test_each_time_it_is_throttled_calls_come_more_slowly() -> None:
    async def main() -> None:
        callers = Callers(Gate(100))
        intervals = [await callers.interval_s()]
        for _ in range(4):
            await throttle(callers.gate)
            intervals.append(await callers.interval_s())

        slower = [FIRST_INTERVAL_S * SLOWER**times for times in range(4)]
        assert intervals == pytest.approx([0, *slower])

    in_virtual_time(main())


def test_calls_of_one_burst_slow_it_down_once() -> None:
    async def main() -> None:
        callers = Callers(Gate(100))
        await throttle(callers.gate, calls=50)

        assert await callers.interval_s() == pytest.approx(FIRST_INTERVAL_S)

    in_virtual_time(main())


def test_one_that_began_before_calls_came_faster_slows_them_all_the_same() -> None:
    async def main() -> None:
        callers = Callers(Gate(100))
        await throttle(callers.gate)
        turn = await a_turn(callers.gate)
        await goes_well(callers.gate)
        callers.gate.throttled(turn, 0.0)

        slower_s = FIRST_INTERVAL_S * FASTER * SLOWER
        assert await callers.interval_s() == pytest.approx(slower_s)

    in_virtual_time(main())


def test_late_calls_of_a_burst_still_prolong_the_pause() -> None:
    async def main() -> None:
        gate = Gate(100)
        first, second = await a_turn(gate), await a_turn(gate)
        await asyncio.sleep(1)
        gate.throttled(first, 1.0)
        await asyncio.sleep(0.5)
        gate.throttled(second, 4.0)
        await a_turn(gate)

        assert elapsed_s() == pytest.approx(5.5)

    in_virtual_time(main())


def test_there_is_a_slowest() -> None:
    async def main() -> None:
        callers = Callers(Gate(100))
        for _ in range(40):
            await throttle(callers.gate)

        assert await callers.interval_s() == pytest.approx(LONGEST_INTERVAL_S)

    in_virtual_time(main())


def test_a_rate_that_is_set_is_where_slowing_down_begins() -> None:
    async def main() -> None:
        callers = Callers(Gate(100, requests_per_minute=30))
        await throttle(callers.gate)

        assert await callers.interval_s() == pytest.approx(2 * SLOWER)

    in_virtual_time(main())


async def goes_well(gate: Gate) -> None:
    await asyncio.sleep(FASTER_AFTER_S + 0.01)
    gate.went_well()


def test_while_nothing_is_throttled_calls_come_a_little_faster_now_and_then() -> None:
    async def main() -> None:
        callers = Callers(Gate(100))
        await throttle(callers.gate)
        intervals = []
        for _ in range(3):
            await goes_well(callers.gate)
            callers.gate.went_well()  # at the same time, so it says nothing new
            intervals.append(await callers.interval_s())

        faster = [FIRST_INTERVAL_S * FASTER**times for times in (1, 2, 3)]
        assert intervals == pytest.approx(faster)

    in_virtual_time(main())


def test_soon_after_one_was_throttled_they_come_no_faster() -> None:
    async def main() -> None:
        callers = Callers(Gate(100))
        await throttle(callers.gate)
        await asyncio.sleep(FASTER_AFTER_S - 0.1)
        callers.gate.went_well()

        assert await callers.interval_s() == pytest.approx(FIRST_INTERVAL_S)

    in_virtual_time(main())


def test_in_the_end_they_come_as_fast_as_at_first() -> None:
    async def main() -> None:
        callers = Callers(Gate(100))
        await throttle(callers.gate)
        for _ in range(20):
            await goes_well(callers.gate)

        assert await callers.interval_s() == 0

    in_virtual_time(main())


def test_they_never_come_faster_than_is_set() -> None:
    async def main() -> None:
        callers = Callers(Gate(100, requests_per_minute=120))
        await throttle(callers.gate)
        for _ in range(20):
            await goes_well(callers.gate)

        assert await callers.interval_s() == pytest.approx(0.5)

    in_virtual_time(main())


# Against a server


class StrictServer:
    """Lets so many calls through in any second, and throttles all others."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._let_through: deque[float] = deque()
        self.arrivals: list[float] = []

    async def lets_through(self) -> bool:
        """Whether a call that arrives now is answered; that takes longer than being throttled."""
        now = elapsed_s()
        self.arrivals.append(now)
        while self._let_through and self._let_through[0] <= now - 1:
            self._let_through.popleft()
        if len(self._let_through) >= self._per_second:
            await asyncio.sleep(0.03)
            return False
        self._let_through.append(now)
        await asyncio.sleep(0.4)
        return True

    def most_arrivals(self, within_s: float, after_s: float) -> int:
        counted = [at for at in self.arrivals if at >= after_s]
        return max(sum(at <= other < at + within_s for other in counted) for at in counted)


IN_A_ROW = 4
"""How often one call may be throttled before it is answered, whatever the server's rate."""


@pytest.mark.parametrize("retry_after_s", [1.0, None])
@pytest.mark.parametrize("per_second", [2, 5, 20])
def test_it_finds_the_rate_that_a_server_bears(
    per_second: int, retry_after_s: float | None
) -> None:
    async def main() -> None:
        gate, server = Gate(100), StrictServer(per_second)

        async def call() -> int:
            """How often it is throttled before it is answered."""
            throttled = 0
            while True:
                async with gate.turn(0, no_news) as turn:
                    if await server.lets_through():
                        gate.went_well()
                        return throttled
                    gate.throttled(turn, retry_after_s)
                    throttled += 1

        async def calls() -> int:
            return max([await call() for _ in range(10)])

        in_a_row = max(await asyncio.gather(*(calls() for _ in range(50))))
        print(
            f"\n{per_second}/s, Retry-After {retry_after_s}: {len(server.arrivals)} calls for 500 "
            f"answers in {elapsed_s():.0f} s, {in_a_row} in a row, "
            f"{server.most_arrivals(10.0, 5.0)} arrivals in 10 s"
        )

        assert in_a_row <= IN_A_ROW
        assert server.most_arrivals(10.0, after_s=5.0) <= 1.5 * per_second * 10
        assert elapsed_s() <= 2 * 500 / per_second

    in_virtual_time(main())


# News


def test_who_waits_for_a_place_is_told_of_now_and_then_and_when_its_turn_comes() -> None:
    async def main() -> None:
        callers = Callers(Gate(1))
        await asyncio.gather(callers.calls("a", 35.0), callers.calls("b", 100.0))

        assert callers.news == [("b", 10), ("b", 20), ("b", 30), ("b", 35)]

    in_virtual_time(main())


def test_so_is_who_waits_in_the_turnstile_and_who_waits_behind_it() -> None:
    async def main() -> None:
        callers = Callers(Gate(100))
        callers.gate.throttled(await a_turn(callers.gate), 25.0)
        await asyncio.gather(callers.calls("a", 60.0), callers.calls("b", 60.0))

        assert [at for name, at in callers.news if name == "a"] == [10, 20, 25]
        assert [at for name, at in callers.news if name == "b"] == [10, 20, 25.1]

    in_virtual_time(main())


def test_news_come_as_often_when_it_waits_first_for_a_place_and_then_in_the_turnstile() -> None:
    async def main() -> None:
        callers = Callers(Gate(1))
        first = callers.calls("a", 9.0)
        second = callers.calls("b")
        await asyncio.sleep(8)
        callers.gate.throttled(Turn(START_S + 8, 0.0), 10.0)
        await asyncio.gather(first, second)

        assert callers.news == [("b", 10), ("b", 18)]

    in_virtual_time(main())


def test_news_come_as_often_as_is_asked_for() -> None:
    async def main() -> None:
        callers = Callers(Gate(1))
        await asyncio.gather(callers.calls("a", 1.0), callers.calls("b", news_s=0.3))

        assert callers.news == [("b", 0.3), ("b", 0.6), ("b", 0.9), ("b", 1.0)]

    in_virtual_time(main())


def test_who_hardly_waits_makes_no_news() -> None:
    async def main() -> None:
        callers = Callers(Gate(1))
        await asyncio.gather(callers.calls("a", 0.9), callers.calls("b", 100.0))

        assert callers.news == []

    in_virtual_time(main())


def test_there_are_no_news_of_who_has_given_up() -> None:
    async def main() -> None:
        callers = Callers(Gate(1, requests_per_minute=1))
        callers.calls("a", 100.0)
        in_the_queue = callers.calls("b")
        await asyncio.sleep(15)
        in_the_queue.cancel()
        await asyncio.sleep(40)

        assert callers.news == [("b", 10)]

    in_virtual_time(main())


# Giving up


async def cancelled(*tasks: asyncio.Task[Turn]) -> None:
    for task in tasks:
        task.cancel()
    assert all(
        isinstance(outcome, asyncio.CancelledError)
        for outcome in await asyncio.gather(*tasks, return_exceptions=True)
    )


def test_who_gives_up_in_the_queue_loses_nobody_a_place() -> None:
    async def main() -> None:
        callers = Callers(Gate(1))
        first, second, third, fourth = (callers.calls(name, 10.0) for name in "abcd")
        await asyncio.sleep(1)
        await cancelled(second, third)
        await asyncio.gather(first, fourth)

        assert callers.started == [("a", 0), ("d", pytest.approx(10))]
        assert await callers.starts(3) == pytest.approx([20] * 3)

    in_virtual_time(main())


def test_who_gives_up_with_a_call_under_way_gives_its_place_on() -> None:
    async def main() -> None:
        callers = Callers(Gate(1))
        first, second = callers.calls("a", 100.0), callers.calls("b")
        await asyncio.sleep(1)
        await cancelled(first)
        await second

        assert callers.started == [("a", 0), ("b", pytest.approx(1))]

    in_virtual_time(main())


def test_who_gives_up_at_the_instant_in_which_its_place_comes_gives_it_on() -> None:
    async def main() -> None:
        callers = Callers(Gate(1))
        async with callers.gate.turn(0, no_news):
            first, second = callers.calls("a"), callers.calls("b")
            await asyncio.sleep(1)
        await cancelled(first)  # nothing has run since the place was given to it
        await second

        assert callers.started == [("b", 1)]
        assert (await a_turn(callers.gate)).queued_s == 0

    in_virtual_time(main())


def test_who_gives_up_in_the_turnstile_holds_nobody_up_and_keeps_no_place() -> None:
    async def main() -> None:
        callers = Callers(Gate(2, requests_per_minute=1))
        await callers.calls("a")
        in_front, behind = callers.calls("b"), callers.calls("c")
        third = callers.calls("d")
        await asyncio.sleep(30)
        await cancelled(in_front)
        await asyncio.gather(behind, third)

        # the one that gave up used no turn, and both places are there
        assert callers.started == [("a", 0), ("c", pytest.approx(60)), ("d", pytest.approx(120))]
        calls = [callers.calls(name, 1_000.0) for name in "ef"]
        await asyncio.sleep(200)
        assert callers.inside == 2
        await cancelled(*calls)

    in_virtual_time(main())


def test_who_gives_up_behind_the_turnstile_holds_nobody_up() -> None:
    async def main() -> None:
        callers = Callers(Gate(3, requests_per_minute=1))
        await callers.calls("a")
        in_front, middle, last = (callers.calls(name) for name in "bcd")
        await asyncio.sleep(30)
        await cancelled(middle)
        await asyncio.gather(in_front, last)

        assert [at for _, at in callers.started] == pytest.approx([0, 60, 120])

    in_virtual_time(main())


def test_a_throttled_call_never_makes_others_come_faster_than_is_allowed() -> None:
    async def main() -> None:
        callers = Callers(Gate(100, requests_per_minute=6))
        async with callers.gate.turn(0, no_news) as turn:
            callers.gate.throttled(turn, 0.0)
        for number in range(2):
            await callers.calls(f"{number}")

        assert [at for _, at in callers.started] == pytest.approx([10, 20])

    in_virtual_time(main())


def test_tokens_that_slow_answers_give_back_late_are_used_all_the_same() -> None:
    async def main() -> None:
        gate = Gate(100, tokens_per_minute=60_000)
        used = 0

        async def calls(until: float) -> None:
            nonlocal used
            while elapsed_s() < until:
                async with gate.turn(5_000, no_news):
                    await asyncio.sleep(20)
                gate.give_back(4_000)
                used += 1_000

        await asyncio.gather(*(calls(600) for _ in range(100)))

        per_minute = used / elapsed_s() * 60
        assert 48_000 < per_minute <= 66_000

    in_virtual_time(main())
