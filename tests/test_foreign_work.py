"""Negotiators are watched on the loop, and those that block have a thread."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from probe import spin

from actors.foreign_work import in_thread, watched


def test_a_step_that_holds_the_loop_is_reported_and_cancelling_reaches_the_coroutine() -> None:
    steps: list[float] = []
    cancelled: list[bool] = []
    asleep = asyncio.Event()

    async def work() -> int:
        await asyncio.sleep(0)
        spin(0.12)
        asleep.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            await asyncio.sleep(0)
            return 7
        return 0

    async def main() -> int:
        task = asyncio.ensure_future(asyncio.wait_for(_measured(work(), steps), None))
        await asleep.wait()
        task.cancel()
        return await task

    assert asyncio.run(main()) == 7
    assert cancelled == [True]
    assert len(steps) == 1
    assert steps[0] >= 0.12


async def _measured(work: Any, steps: list[float]) -> int:
    result: int = await watched(work, lambda _, held_s: steps.append(held_s), "work")
    return result


def test_a_blocking_call_runs_in_a_thread_of_its_own() -> None:
    async def main() -> tuple[str, int]:
        name = await in_thread(lambda: threading.current_thread().name)
        return name, await in_thread(lambda: 5)

    assert asyncio.run(main()) == ("parley-negotiator", 5)


@pytest.mark.parametrize("error", [ValueError("x"), StopIteration(), SystemExit(1)])
def test_what_a_blocking_call_raises_is_raised_where_it_is_awaited(error: BaseException) -> None:
    def work() -> None:
        raise error

    async def main() -> str:
        try:
            await in_thread(work)
        except BaseException as raised:  # noqa: BLE001
            return type(raised).__name__
        return "nothing"

    expected = "RuntimeError" if isinstance(error, StopIteration) else type(error).__name__
    assert asyncio.run(main()) == expected
