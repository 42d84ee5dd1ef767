"""How soon a child engine is ready, and how long a call takes there and back.

    python tests/benchmarks/stdio.py [--keep] [calls=2000] [starts=5]

Prints one JSON line: medians in milliseconds of an engine by pipes, and beside it those of a child
that only reads a line, decodes it and sends it back; the ratios say what the engine adds.
`ready_ms` is from the start of the process to its first line, `call_ms` from a request to its
answer, `wait_ms` the same of a `wait` on a quote in which nothing moves.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

sys.path[:0] = [str(Path(__file__).parent.parent)]

from benchmarks.kept import arguments, publish, size

ROOT = Path(__file__).parent.parent.parent
CALLS = 2000
STARTS = 5

ENGINE = (str(ROOT / "main.py"), "serve", "--stdio", "--log-file", "log.jsonl")
ECHO_PROGRAM = """\
import json, sys
print("{}", flush=True)
for line in sys.stdin:
    print(json.dumps({"id": json.loads(line)["id"], "result": []}), flush=True)
"""
ECHO = ("-c", ECHO_PROGRAM)


def median_ms(does: Callable[[], object], times: int) -> float:
    """The median of how long something takes."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        does()
        took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took)


class Child:
    """A process that answers a line with a line."""

    def __init__(self, folder: Path, arguments: Sequence[str]) -> None:
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._output: IO[str] = self.process.stdin  # type: ignore[assignment]
        self._source: IO[str] = self.process.stdout  # type: ignore[assignment]
        self._source.readline()
        self.ready_ms = 1000 * (time.perf_counter() - began)

    def call(self, method: str, **params: Any) -> Any:
        """Ask, and wait for the result."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        print(json.dumps(request), file=self._output, flush=True)
        return json.loads(self._source.readline())["result"]

    def end(self) -> None:
        """Close its input, and wait until it has ended."""
        self._output.close()
        self.process.wait()
        self._source.close()


def measured(calls: int = CALLS, starts: int = STARTS) -> dict[str, float]:
    """All figures."""
    ready: dict[str, list[float]] = {"echo": [], "engine": []}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for _ in range(starts):
            for name, arguments in (("echo", ECHO), ("engine", ENGINE)):
                child = Child(folder, arguments)
                ready[name].append(child.ready_ms)
                child.end()
        echo, engine = Child(folder, ECHO), Child(folder, ENGINE)
        quote_id = engine.call("create_quote")["id"]
        engine.call("cancel_quote", quote_id=quote_id)
        echo_ms = median_ms(lambda: echo.call("quotes"), calls)
        call_ms = median_ms(lambda: engine.call("spending", quote_id=quote_id), calls)
        wait_ms = median_ms(lambda: engine.call("wait", quote_id=quote_id), calls)
        for child in (echo, engine):
            child.end()
    echo_ready, engine_ready = (statistics.median(ready[name]) for name in ("echo", "engine"))
    return {
        "ready_ms": round(engine_ready),
        "ready_ratio": round(engine_ready / echo_ready, 1),
        "echo_ms": round(echo_ms, 3),
        "call_ms": round(call_ms, 3),
        "call_ratio": round(call_ms / echo_ms, 1),
        "wait_ms": round(wait_ms, 3),
        "wait_ratio": round(wait_ms / echo_ms, 1),
    }


def main(arguments: Sequence[str]) -> None:
    """Measure, and print one line."""
    calls, starts = int(size(arguments, "calls", CALLS)), int(size(arguments, "starts", STARTS))
    sizes = {"calls": calls, "starts": starts}
    publish({"benchmark": "stdio", **sizes, **measured(**sizes)}, arguments)


if __name__ == "__main__":
    main(arguments())
