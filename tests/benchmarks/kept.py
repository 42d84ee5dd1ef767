"""The results that the README quotes: each benchmark prints its own, and keeps it when asked to."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

KEPT = Path(__file__).parent / "results"


def publish(result: Mapping[str, object], arguments: Sequence[str] = ()) -> None:
    """Print a result as one JSON line; with `--keep` among the arguments it is kept in a file too.

    Args:
        result: Scalars by name; `benchmark` names it, and its file.
    """
    line = json.dumps(result)
    print(line, flush=True)
    if "--keep" in arguments:
        KEPT.mkdir(exist_ok=True)
        (KEPT / f"{result['benchmark']}.json").write_text(line + "\n")


def kept(benchmark: str) -> dict[str, float]:
    """The result that is kept of a benchmark."""
    read: dict[str, float] = json.loads((KEPT / f"{benchmark}.json").read_text())
    return read


def size(arguments: Sequence[str], name: str, default: float) -> float:
    """A number given as `name=value` among the arguments, such as `runs=3`."""
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key == name:
            return float(value)
    return default


def arguments() -> list[str]:
    """What the command line says behind the program."""
    return sys.argv[1:]
