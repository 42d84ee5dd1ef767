"""What our own part of a model's call costs, and how many negotiations wait for models at once.

    python tests/benchmarks/models.py

Prints one JSON line. One negotiation and then 100 are played by models that take 3 s for each
answer: the ratio of their times. Then the CPU per call of our own, all of it, against that of the
SDK making the same calls alone, both without the server, which runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

sys.path.insert(0, str(Path(__file__).parent.parent))

from factories import make_config, make_conversation, make_supplier, quote_fields, said
from modelled import KEY

from actors.mechanism.views import view_for
from actors.negotiators.answers import MOVE
from actors.negotiators.mistral import MistralClient
from actors.negotiators.model_settings import ModelSettings
from actors.negotiators.prompts import Prompt, move_prompt
from actors.system import NegotiationSystem
from storage.records import Sender
from storage.terms.kind import Side

NEGOTIATIONS = 100
DELAY_S = 3.0
RUNS = 3
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


def sdk_alone(url: str, calls: int) -> float:
    """CPU seconds per call of the SDK, with a prompt as long as ours and our schema."""
    client = MistralClient(ModelSettings(server_url=url), SecretStr(KEY))
    prompt = prompt_like_ours()

    async def run() -> float:
        began = time.process_time()
        left = iter(range(calls))

        async def work() -> None:
            for _ in left:
                await client.complete(prompt, MOVE)

        await asyncio.gather(*(work() for _ in range(NEGOTIATIONS)))
        used = time.process_time() - began
        await client.close()
        return used / calls

    return asyncio.run(run())


def prompt_like_ours() -> Prompt:
    """A brand's prompt in the middle of a negotiation."""
    conversation = make_conversation()
    for sender in (Sender.BRAND, Sender.SUPPLIER):
        conversation = said(conversation, sender)
    return move_prompt(view_for(conversation, Side.BRAND))


def main() -> None:
    """Measure, one kind after the other in each run, so that the machine's mood hits all."""
    ratios, ones, many = [], [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MISTRAL_API_KEY", KEY)
        with served(DELAY_S) as url:
            for _ in range(RUNS):
                ones.append(negotiate(url, 1)[0])
                many.append(negotiate(url, NEGOTIATIONS)[0])
                ratios.append(many[-1] / ones[-1])
        shares = []
        with served(0) as url:
            for _ in range(RUNS):
                _, cpu, calls = negotiate(url, NEGOTIATIONS)
                sdk = sdk_alone(url, len(calls))
                shares.append((cpu / len(calls) - sdk, sdk))
    ours, sdk = (statistics.median(each) * 1000 for each in zip(*shares, strict=True))
    result = {
        "benchmark": "models",
        "negotiations": NEGOTIATIONS,
        "answer_s": DELAY_S,
        "one_s": round(statistics.median(ones), 2),
        "many_s": round(statistics.median(many), 2),
        "ratio": round(statistics.median(ratios), 2),
        "sdk_cpu_ms_per_call": round(sdk, 2),
        "our_cpu_ms_per_call": round(ours, 2),
        "share": round(statistics.median(own / of_sdk for own, of_sdk in shares), 2),
    }
    json.dump(result, sys.stdout)
    print()


if __name__ == "__main__":
    main()
