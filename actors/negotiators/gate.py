"""Gate: the one way to a model, for all calls of a system.

So many at a time; so many requests and tokens a minute, where that is set; and one throttled call
slows everybody. How fast a server really takes calls is found as TCP finds it: slower at once when
it throttles, a little faster now and then while it doesn't (Jacobson 1988, AIMD).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

NEWS_S = 10.0
"""Seconds between two words about a call that waits for its turn."""
FIRST_INTERVAL_S = 0.1
"""Seconds between two calls at most after the first throttled one."""
SLOWER, FASTER = 1.5, 0.6
"""What the interval is multiplied with when a call was throttled, and when none was for a time."""
FASTER_AFTER_S = 5.0
"""Seconds without a throttled call after which calls come a little faster."""
LONGEST_INTERVAL_S = 5.0
MINUTE_S = 60.0
"""The span over which tokens are counted: what was not used longer ago is lost."""
LAST_ANSWERS = 1_000
"""Answers whose times are kept."""
NO_INTERVAL_S = 0.005
"""An interval under this is none."""
DEFAULT_PAUSE_S = 1.0
"""Seconds without calls after a throttled one that doesn't say how long to wait."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One call's turn."""

    at: float
    """When it began, on the loop's clock."""
    queued_s: float


class Gate:
    """Gives turns in the order in which they are asked for; for use on one loop."""

    def __init__(
        self,
        concurrency: int,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        longest_pause_s: float = 60.0,
    ) -> None:
        """Nothing is known of the server yet.

        Args:
            longest_pause_s: Seconds that a server may ask everybody to wait, at most.
        """
        self._places = asyncio.Semaphore(concurrency)
        self._turnstile = asyncio.Lock()
        self._least_interval_s = 60 / requests_per_minute if requests_per_minute else 0.0
        self._token_s = 60 / tokens_per_minute if tokens_per_minute else 0.0
        self._longest_pause_s = longest_pause_s
        self._interval_s = self._least_interval_s
        self._next_at = 0.0
        """When the interval since the last start is over."""
        self._tokens_at: float | None = None
        """When the tokens that were reserved are there again; None before the first were."""
        self._sooner = asyncio.Event()
        """Set when tokens were given back."""
        self._paused_until = 0.0
        self._changed_at = 0.0
        """When the interval was last changed."""
        self._slowed_at = 0.0
        """When it was last made longer."""
        self._answered_at: deque[float] = deque(maxlen=LAST_ANSWERS)

    @asynccontextmanager
    async def turn(
        self, tokens: int, news: Callable[[], None], news_s: float = NEWS_S
    ) -> AsyncIterator[Turn]:
        """Wait for a turn, and have it until the block ends.

        Args:
            tokens: How many the call may cost.
            news: Called every `news_s` seconds while it waits, and when its turn comes late.
        """
        asked_at = _now()
        with telling(news, news_s):
            await self._enter(tokens)
        try:
            at = _now()
            if at - asked_at > news_s / 10:
                news()
            yield Turn(at, at - asked_at)
        finally:
            self._places.release()

    def throttled(self, turn: Turn, retry_after_s: float | None) -> None:
        """Hold everybody back: the server has had too many calls."""
        now = _now()
        self.pause(DEFAULT_PAUSE_S if retry_after_s is None else retry_after_s)
        if turn.at < self._slowed_at:
            return  # it began before calls were slowed down, so it says nothing new
        slower_s = self._interval_s * SLOWER or self._first_interval_s(now)
        self._interval_s = max(self._least_interval_s, min(slower_s, LONGEST_INTERVAL_S))
        self._changed_at = self._slowed_at = now

    def pause(self, seconds: float) -> None:
        """Have nobody pass for a time, as a server asks; never longer than is allowed."""
        until = _now() + min(seconds, self._longest_pause_s)
        self._paused_until = max(self._paused_until, until)

    def give_back(self, tokens: int) -> None:
        """Have others use tokens that were reserved and not spent."""
        if self._tokens_at is not None:
            self._tokens_at -= tokens * self._token_s
            self._sooner.set()

    def went_well(self) -> None:
        """Let calls come a little faster if none was throttled for a time."""
        now = _now()
        self._answered_at.append(now)
        if self._interval_s > self._least_interval_s and now - self._changed_at > FASTER_AFTER_S:
            faster_s = self._interval_s * FASTER
            self._interval_s = max(
                faster_s if faster_s > NO_INTERVAL_S else 0.0, self._least_interval_s
            )
            self._changed_at = now

    def _first_interval_s(self, now: float) -> float:
        """A little slower than answers came of late, where they came quickly."""
        recent = sum(now - at < 1 for at in self._answered_at)
        return min(SLOWER / recent, FIRST_INTERVAL_S) if recent else FIRST_INTERVAL_S

    async def _enter(self, tokens: int) -> None:
        await self._places.acquire()
        try:
            await self._pass(tokens)
        except BaseException:
            self._places.release()
            raise

    async def _pass(self, tokens: int) -> None:
        async with self._turnstile:  # first come, first served; only the first looks at the clock
            while (wait_s := self._opens_at - _now()) > 0:
                self._sooner.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._sooner.wait()
            now = _now()
            self._next_at = now + self._interval_s
            so_far = now if self._tokens_at is None else max(self._tokens_at, now - MINUTE_S)
            self._tokens_at = so_far + tokens * self._token_s

    @property
    def _opens_at(self) -> float:
        return max(self._next_at, self._tokens_at or 0.0, self._paused_until)


def _now() -> float:
    return asyncio.get_running_loop().time()


@contextmanager
def telling(news: Callable[[], None], news_s: float) -> Iterator[None]:
    """Call `news` every `news_s` seconds meanwhile."""
    loop = asyncio.get_running_loop()

    timers: list[asyncio.TimerHandle] = []

    def start() -> None:
        timers[:] = [loop.call_later(news_s, tell)]

    def tell() -> None:
        news()
        start()

    start()
    try:
        yield
    finally:
        timers[0].cancel()
