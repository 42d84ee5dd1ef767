"""The results that the README quotes: each benchmark prints its own, and keeps it when asked to."""

from __future__ import annotations

import json
import os
import platform
import re
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

KEPT = Path(__file__).parent / "results"
CPUS = Path("/proc/cpuinfo")


def publish(result: Mapping[str, object], arguments: Sequence[str] = ()) -> None:
    """Print a result as one JSON line; with `--keep` among the arguments it is kept in a file too.

    The machine and the command, without folders, are added to it.

    Args:
        result: Scalars by name; `benchmark` names it, and its file.
    """
    line = json.dumps({**result, **machine(), "command": command(arguments)})
    print(line, flush=True)
    if "--keep" in arguments:
        KEPT.mkdir(exist_ok=True)
        (KEPT / f"{result['benchmark']}.json").write_text(line + "\n")


def machine() -> dict[str, object]:
    """What the figures hold for."""
    return {
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def cpu() -> str:
    """The processor's model."""
    if CPUS.exists() and (found := re.search(r"model name\s*: (.+)", CPUS.read_text())):
        return found[1].strip()
    return platform.processor() or platform.machine()


def command(arguments: Sequence[str]) -> str:
    """The program with the sizes that it was given."""
    sizes = [argument for argument in arguments if re.match(r"\w+=", argument)]
    return " ".join(["python", f"tests/benchmarks/{Path(sys.argv[0]).name}", *sizes])


def kept(benchmark: str) -> dict[str, Any]:
    """The result that is kept of a benchmark."""
    read: dict[str, Any] = json.loads((KEPT / f"{benchmark}.json").read_text())
    return read


def all_kept() -> list[dict[str, Any]]:
    """The results that are kept of all benchmarks, by name."""
    return [kept(path.stem) for path in sorted(KEPT.glob("*.json"))]


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
