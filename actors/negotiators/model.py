"""Model: asks a language model, in as many attempts as are allowed, each on the books and paid for.

Whose model it is stays behind `ModelClient`. A call that failed for a passing reason is made again;
what the model answered is judged elsewhere, by the rules.
"""

from __future__ import annotations

import asyncio
import math
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import orjson

from actors.errors import ModelFailed
from actors.mechanism.moves import Withheld
from actors.negotiators.answers import Schema
from actors.negotiators.errand import Errand
from actors.negotiators.gate import NEWS_S, Gate, Turn, telling
from actors.negotiators.model_settings import ModelSettings
from actors.negotiators.prompt_log import PromptLog
from actors.negotiators.prompts import Prompt
from storage.calls import CallEnd, CallId, CallStart, Outcome
from storage.errors import BudgetReached
from storage.store import utc_now

T = TypeVar("T")
BUDGET_LOOK_S = 0.5
"""Seconds after which a call is tried again that only others under way stand against."""
FRAME_TOKENS = 100
"""Tokens that a server puts around a prompt and a schema, at most; each of them has no more tokens
than bytes."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered."""

    text: str | None
    finish_reason: str | None
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None


class CallFailed(Exception):
    """One call brought no answer; its text never holds a key, a prompt, or what the server sent."""

    def __init__(
        self,
        outcome: Outcome,
        words: str,
        *,
        http_status: int | None = None,
        retryable: bool = False,
        retry_after_s: float | None = None,
        is_free: bool = False,
    ) -> None:
        super().__init__(words)
        self.outcome = outcome
        self.http_status = http_status
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.is_free = is_free
        """Whether it certainly cost no tokens."""


class ModelClient(Protocol):
    """Whoever can be asked."""

    async def complete(self, prompt: Prompt, schema: Schema) -> Reply:
        """Make one call, or raise CallFailed; cancelling it ends it."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """What a model is asked, and how its answer is read."""

    prompt: Prompt
    schema: Schema
    read: Callable[[str | None, str | None], T | Withheld]
    """From content and finish reason."""


class Model:
    """One model for all negotiations of a system; for use on one loop."""

    def __init__(
        self, client: ModelClient, settings: ModelSettings, prompt_log: PromptLog | None = None
    ) -> None:
        self._client = client
        self._settings = settings
        self._prompt_log = prompt_log
        self._gate = Gate(
            settings.concurrency,
            requests_per_minute=settings.requests_per_minute,
            tokens_per_minute=settings.tokens_per_minute,
            longest_pause_s=settings.longest_pause_s,
        )
        self._random = random.Random()  # noqa: S311 - it spreads retries, and guards nothing

    async def ask(self, question: Question[T], errand: Errand) -> T | Withheld:
        """Ask until there is an answer, readable or not.

        Raises:
            ModelFailed: No attempt brought an answer, or trying again won't help.
            BudgetReached: A further call could pass the budget.
        """
        clock, settings = asyncio.get_running_loop().time, self._settings
        left_s = errand.timeout_s
        attempt = failures = throttled = 0
        while True:
            attempt += 1
            news_s = min(NEWS_S, errand.timeout_s)  # who waits gives up after twice the time
            tokens = self._may_cost(question)
            async with self._gate.turn(tokens, errand.news, news_s) as turn:
                call = self._call(question, errand, attempt, turn)
                with telling(errand.news, news_s):
                    await self._started(call, errand)
                began = clock()
                try:
                    return await self._answered(question, call, errand, left_s)
                except CallFailed as error:
                    failed = error
                    if failed.outcome is Outcome.THROTTLED:
                        throttled += 1
                        self._gate.throttled(turn, failed.retry_after_s)
                    else:
                        failures += 1
                        self._gate.pause(failed.retry_after_s or 0.0)
            pause_s = self._pause_s(failures, failed)
            left_s -= clock() - began + pause_s
            done = failures >= settings.attempts or throttled >= settings.throttled_attempts
            if not failed.retryable or done or left_s <= 0:
                tries = "" if attempt == 1 else f" (attempt {attempt})"
                raise ModelFailed(f"{failed}{tries}")
            await asyncio.sleep(pause_s)

    async def close(self) -> None:
        """Close all connections, and the log of prompts."""
        await self._client.close()
        if self._prompt_log is not None:
            self._prompt_log.close()

    async def _started(self, call: CallStart, errand: Errand) -> None:
        """Have it noted that a call starts; while only calls under way stand against it, wait."""
        try:
            while True:
                try:
                    await errand.book.start(call, errand.budget)
                except BudgetReached as reached:
                    if reached.is_final:
                        raise
                else:
                    return
                await asyncio.sleep(BUDGET_LOOK_S)
        except BaseException:
            self._gate.give_back(call.may_cost_tokens)
            raise

    async def _answered(
        self, question: Question[T], call: CallStart, errand: Errand, left_s: float
    ) -> T | Withheld:
        """One call, its end noted whatever it is."""
        clock = asyncio.get_running_loop().time
        began = clock()

        def end(outcome: Outcome, **facts: int | str | None) -> None:
            latency_s = round(clock() - began, 6)
            noted = CallEnd.model_validate(
                {"id": call.id, "outcome": outcome, "latency_s": latency_s, **facts}
            )
            errand.book.end(call, noted, errand.supplier_id)

        timeout_s = min(self._settings.attempt_timeout_s, left_s)
        try:
            async with asyncio.timeout(timeout_s):
                reply = await self._client.complete(question.prompt, question.schema)
        except asyncio.CancelledError:
            end(Outcome.CANCELLED)
            raise
        except TimeoutError:
            end(Outcome.TIMED_OUT)
            words = f"no answer within {timeout_s:.3g} s"
            raise CallFailed(Outcome.TIMED_OUT, words, retryable=True) from None
        except CallFailed as failed:
            free: dict[str, int] = {}
            if failed.is_free:
                free = {"prompt_tokens": 0, "completion_tokens": 0}
                self._gate.give_back(call.may_cost_tokens)
            end(failed.outcome, http_status=failed.http_status, **free)
            raise
        answer = question.read(reply.text, reply.finish_reason)
        end(
            Outcome.UNREADABLE if isinstance(answer, Withheld) else Outcome.ANSWERED,
            http_status=200,
            model_served=reply.model,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            finish_reason=reply.finish_reason,
        )
        used = _sum(reply)
        if used is not None:
            self._gate.give_back(max(0, call.may_cost_tokens - used))
        self._gate.went_well()
        if self._prompt_log is not None:
            self._prompt_log.write(call, question.prompt, reply.text)
        return answer

    def _call(self, question: Question[T], errand: Errand, attempt: int, turn: Turn) -> CallStart:
        return CallStart(
            id=CallId(f"c-{secrets.token_hex(8)}"),
            quote_id=errand.quote_id,
            negotiation_id=errand.negotiation_id,
            draft_id=errand.draft_id,
            side=errand.side,
            attempt=attempt,
            model=self._settings.model,
            prompt_version=question.prompt.version,
            may_cost_tokens=self._may_cost(question),
            queued_s=round(turn.queued_s, 6),
            created_at=utc_now(),
        )

    def _may_cost(self, question: Question[T]) -> int:
        asked = question.prompt.size + len(orjson.dumps(question.schema)) + FRAME_TOKENS
        return asked + self._settings.max_tokens

    def _pause_s(self, failures: int, failed: CallFailed) -> float:
        """Twice as long each time, and a random part of it, so that not all come back at once."""
        if failed.outcome is Outcome.THROTTLED or not failed.retryable:
            return 0.0  # the gate holds it back, with all others
        doubled_s = math.ldexp(self._settings.retry_pause_s, failures - 1)
        longest_s = min(doubled_s, self._settings.longest_pause_s)
        return longest_s * self._random.uniform(0.5, 1)


def _sum(reply: Reply) -> int | None:
    if reply.prompt_tokens is None or reply.completion_tokens is None:
        return None
    return reply.prompt_tokens + reply.completion_tokens
