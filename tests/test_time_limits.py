"""Time limits keep what `asyncio.timeout` promises, whoever else cancels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from actors.time_limits import Limit, TimeLimits


def outcome(work: Callable[[TimeLimits], Coroutine[Any, Any, object]]) -> object:
    """What came of a task, an exception included."""

    async def main() -> object:
        (result,) = await asyncio.gather(work(TimeLimits()), return_exceptions=True)
        return result

    return asyncio.run(main())


async def forever() -> None:
    await asyncio.Event().wait()


def current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


def test_what_takes_too_long_is_a_timeout_and_the_task_goes_on() -> None:
    async def work(limits: TimeLimits) -> object:
        with pytest.raises(TimeoutError), Limit(limits, 0.01, current()):
            await forever()
        return current().cancelling()

    assert outcome(work) == 0


def test_a_shorter_limit_is_noticed_before_a_longer_one_that_began_earlier() -> None:
    async def short(limits: TimeLimits) -> None:
        with Limit(limits, 0.01, current()):
            await forever()

    async def work(limits: TimeLimits) -> object:
        with Limit(limits, 3600, current()):
            (done,) = await asyncio.gather(short(limits), return_exceptions=True)
        return done

    assert isinstance(outcome(work), TimeoutError)


def test_each_of_several_limits_is_noticed() -> None:
    async def limited(limits: TimeLimits, seconds: float) -> None:
        with Limit(limits, seconds, current()):
            await forever()

    async def work(limits: TimeLimits) -> object:
        tasks = [limited(limits, seconds) for seconds in (0.04, 0.02, 0.03, 0.02)]
        return await asyncio.gather(*tasks, return_exceptions=True)

    outcomes = outcome(work)
    assert isinstance(outcomes, list)
    assert [type(outcome) for outcome in outcomes] == [TimeoutError] * 4


def test_what_was_in_time_is_not_cancelled_later() -> None:
    async def work(limits: TimeLimits) -> object:
        with Limit(limits, 0.01, current()):
            pass
        await asyncio.sleep(0.03)
        return "done"

    assert outcome(work) == "done"


def test_who_cancels_the_task_is_obeyed_even_when_its_time_is_over_too() -> None:
    async def work(limits: TimeLimits) -> object:
        with Limit(limits, 0.01, current()):
            try:
                await forever()
            finally:
                current().cancel()
        return "went on"

    assert isinstance(outcome(work), asyncio.CancelledError)


def test_an_error_or_a_result_after_the_time_is_kept() -> None:
    async def work(limits: TimeLimits) -> None:
        with Limit(limits, 0.01, current()):
            try:
                await forever()
            except asyncio.CancelledError:
                result = "late"
        assert current().cancelling() == 0
        with Limit(limits, 0.01, current()):
            try:
                await forever()
            except asyncio.CancelledError:
                raise ValueError(result) from None

    assert repr(outcome(work)) == "ValueError('late')"


def test_a_cancellation_before_the_time_is_over_is_no_timeout() -> None:
    async def work(limits: TimeLimits) -> object:
        with Limit(limits, 3600, current()):
            raise asyncio.CancelledError

    assert isinstance(outcome(work), asyncio.CancelledError)
