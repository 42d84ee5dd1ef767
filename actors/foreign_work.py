"""Foreign work: what negotiators do on the loop, which is watched, or beside it, in a thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from functools import partial
from types import coroutine
from typing import Any, TypeVar

from actors.runtime import HELD_S

T = TypeVar("T")


@coroutine
def watched(
    work: Coroutine[Any, Any, T], held: Callable[[str, float], None], by: str
) -> Generator[Any, Any, T]:
    """Await a coroutine, and report every step of it that held the loop, with its seconds."""
    error: BaseException | None = None
    while True:
        began = time.perf_counter()
        try:
            awaited = work.send(None) if error is None else work.throw(error)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            held_s = time.perf_counter() - began
            if held_s > HELD_S:
                held(by, held_s)
        try:
            error = None
            yield awaited
        except BaseException as thrown:  # noqa: BLE001 - passed on to where it belongs
            error = thrown


async def in_thread(work: Callable[[], T]) -> T:
    """Run a blocking call in a daemon thread of its own, so that one that hangs hinders nobody."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def finish(settle: Callable[[], None]) -> None:
        if not future.done():  # else who waited has given up
            settle()

    def run() -> None:
        try:
            settle = partial(future.set_result, work())
        except StopIteration:
            # a future refuses to hold that
            settle = partial(future.set_exception, RuntimeError("it raised StopIteration"))
        except BaseException as raised:  # noqa: BLE001 - raised again where it is awaited
            settle = partial(future.set_exception, raised)
        with suppress(RuntimeError):  # the loop was closed meanwhile, so nobody waits
            loop.call_soon_threadsafe(finish, settle)

    threading.Thread(target=run, name="parley-negotiator", daemon=True).start()
    return await future
