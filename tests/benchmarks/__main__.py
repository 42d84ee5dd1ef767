"""All benchmarks, one after the other.

    python tests/benchmarks [--keep] [--environment FOLDER] [SIZE=VALUE …]

Each runs in a process of its own, is given the options, and prints a JSON line per result. When one
fails the others go on, and this ends with exit 1.

    --keep                 keep each result in a file in `results`; then `figures.py` writes the
                           README's figures and its chart from them
    --environment FOLDER   where the packages of the orchestration's peers are or will be installed;
                           otherwise they are for this run only
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
BENCHMARKS = (
    "orchestration",
    "stepping_in",
    "start_up",
    "growth",
    "long_negotiation",
    "recovery",
    "models",
    "parallel",
    "pick_up",
    "stdio",
    "events",
    "watch",
    "report",
)
"""In this order."""


def run(scripts: Iterable[Path], given: Sequence[str]) -> int:
    """Run each with what the command line gives; 1 if one of them failed, otherwise 0."""
    failed = [script.name for script in scripts if not works(script, given)]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def works(script: Path, given: Sequence[str]) -> bool:
    """Run one in a process of its own; whether it ended well."""
    return subprocess.run([sys.executable, str(script), *given], check=False).returncode == 0


def main(given: Sequence[str]) -> int:
    """Run all of them."""
    if "--help" in given:
        print(__doc__)
        return 0
    return run([FOLDER / f"{name}.py" for name in BENCHMARKS], given)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
