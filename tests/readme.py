"""The README as tests read it: its code blocks and its tables."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMMANDS = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
"""The path of a shell in which the environment is active."""
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """All code blocks in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def table(first_column: str) -> list[list[str]]:
    """The rows of the only table whose first column has this title."""
    (body,) = re.findall(rf"^\| {first_column} \|.*\n\|[-:|]+\|\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    return [[cell.strip() for cell in row[1:-1].split(" | ")] for row in body.splitlines()]


def quoted(cell: str) -> list[str]:
    """What stands in back quotes in a cell."""
    return re.findall(r"`([^`]+)`", cell)
