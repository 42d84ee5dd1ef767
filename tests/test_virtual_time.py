"""The virtual clock is exact, and nothing hangs by it."""

from __future__ import annotations

import asyncio

import pytest
from virtual_time import elapsed_s, in_virtual_time


def test_hours_pass_at_once_and_exactly() -> None:
    async def nap(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return elapsed_s()

    async def main() -> list[float]:
        return list(await asyncio.gather(nap(7_200), nap(0.25), nap(0)))

    assert in_virtual_time(main()) == pytest.approx([7_200, 0.25, 0], abs=1e-6)


def test_a_timeout_comes_when_it_is_due() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        return elapsed_s()

    assert in_virtual_time(main()) == pytest.approx(30)


def test_what_can_never_happen_is_an_error_and_no_hanging() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="can't come"):
        in_virtual_time(main())
