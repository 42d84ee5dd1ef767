"""What our own part of a model's call costs, and how many negotiations wait for models at once.

    python tests/benchmarks/models.py [--keep] [runs=3] [negotiations=100] [answer_s=3]

Prints one JSON line. One negotiation and then 100 are played by models that take 3 s for each
answer: the ratio of their times. Then the CPU per call of the whole system, rules, hashes, database
and log included, against that of the SDK making the same calls alone, over HTTP both; their
difference is `our_cpu_ms_per_call`, and `share` is what that is of the SDK's. The server runs in a
process of its own, whose CPU is not counted.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mistralai.client import Mistral, models

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent.parent)]

from benchmarks.kept import arguments, publish, size
from factories import make_config, make_conversation, make_supplier, quote_fields, said
from modelled import KEY

from actors.mechanism.views import view_for
from actors.negotiators.answers import MOVE
from actors.negotiators.model_settings import ModelSettings
from actors.negotiators.prompts import Prompt, move_prompt
from actors.system import NegotiationSystem
from storage.records import Sender
from storage.terms.kind import Side

SERVER = Path(__file__).parent.parent / "model_server.py"


@contextmanager
def served(delay_s: float) -> Iterator[str]:
    """The address of a server in a process of its own."""
    command = [sys.executable, str(SERVER), "--delay", str(delay_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


def negotiate(url: str, negotiations: int) -> tuple[float, float, list[tuple[Any, ...]]]:
    """Wall and CPU seconds of a quote with so many suppliers, and its calls."""
    suppliers = [make_supplier(number) for number in range(1, negotiations + 1)]
    settings = ModelSettings(server_url=url)
    config = make_config(suppliers, max_rounds=3).model_copy(update={"mistral": settings})
    with (
        tempfile.TemporaryDirectory() as folder,
        NegotiationSystem.start(
            config,
            database=Path(folder) / "parley.db",
            brand="mistral",
            suppliers="mistral",
            log_file=Path(folder) / "parley.jsonl",
        ) as system,
    ):
        quote = system.create_quote(quote_fields())
        began, cpu = time.perf_counter(), time.process_time()
        system.start_negotiations(quote.id)
        ended = system.wait(quote.id)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        calls = [(c.outcome, c.latency_s) for n in ended for c in system.calls(n.id)]
    assert all(n.ended_at for n in ended), [n.last_error for n in ended if not n.ended_at][:3]
    return wall, cpu, calls


def sdk_alone(url: str, calls: int, at_once: int) -> float:
    """CPU seconds per call of the SDK, with a prompt as long as ours, our schema and our limits."""
    settings = ModelSettings(server_url=url)
    prompt = prompt_like_ours()
    said: list[models.ChatCompletionRequestMessage] = [
        models.SystemMessage(content=prompt.system),
        models.UserMessage(content=prompt.user),
    ]
    answer = {"name": "answer", "schema": dict(MOVE), "strict": True}
    answered = models.ResponseFormat(
        type="json_schema", json_schema=models.JSONSchema.model_validate(answer)
    )

    async def work(sdk: Mistral, left: Iterator[int]) -> None:
        for _ in left:
            response = await sdk.chat.complete_async(
                model=settings.model,
                messages=said,
                temperature=settings.temperature,
                max_tokens=settings.max_tokens,
                random_seed=settings.random_seed,
                response_format=answered,
            )
            assert response.choices

    async def run() -> float:
        most = settings.concurrency
        limits = httpx2.Limits(max_connections=most, max_keepalive_connections=most)
        async with httpx2.AsyncClient(limits=limits) as http:
            sdk = Mistral(api_key=KEY, server_url=url, async_client=http)
            began = time.process_time()
            left = iter(range(calls))
            await asyncio.gather(*(work(sdk, left) for _ in range(at_once)))
            return (time.process_time() - began) / calls

    return asyncio.run(run())


def prompt_like_ours() -> Prompt:
    """A brand's prompt in the middle of a negotiation."""
    conversation = make_conversation()
    for sender in (Sender.BRAND, Sender.SUPPLIER):
        conversation = said(conversation, sender)
    return move_prompt(view_for(conversation, Side.BRAND))


def main(arguments: Sequence[str]) -> None:
    """Measure, one kind after the other in each run, so that the machine's mood hits all."""
    runs, answer_s = int(size(arguments, "runs", 3)), size(arguments, "answer_s", 3.0)
    negotiations = int(size(arguments, "negotiations", 100))
    ratios, ones, many = [], [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MISTRAL_API_KEY", KEY)
        with served(answer_s) as url:
            for _ in range(runs):
                ones.append(negotiate(url, 1)[0])
                many.append(negotiate(url, negotiations)[0])
                ratios.append(many[-1] / ones[-1])
        costs = []
        with served(0) as url:
            for _ in range(runs):
                _, cpu, calls = negotiate(url, negotiations)
                costs.append((cpu / len(calls), sdk_alone(url, len(calls), negotiations)))
    whole, sdk, ours = (
        round(1000 * statistics.median(each), 2)
        for each in zip(*((all_, sdk, all_ - sdk) for all_, sdk in costs), strict=True)
    )
    publish(
        {
            "benchmark": "models",
            "runs": runs,
            "negotiations": negotiations,
            "answer_s": answer_s,
            "one_s": round(statistics.median(ones), 2),
            "many_s": round(statistics.median(many), 2),
            "ratio": round(statistics.median(ratios), 2),
            "sdk_cpu_ms_per_call": sdk,
            "whole_cpu_ms_per_call": whole,
            "our_cpu_ms_per_call": ours,
            "share": round(statistics.median(all_ / sdk - 1 for all_, sdk in costs), 2),
            "whole_ratio": round(statistics.median(all_ / sdk for all_, sdk in costs), 2),
        },
        arguments,
    )


if __name__ == "__main__":
    main(arguments())
