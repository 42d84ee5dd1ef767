"""Place: where a log lies, which is never where a database or a file of it is."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from storage.database import why_not_writable

OF_A_DATABASE = ("", "-wal", "-shm", "-journal", ".lock")
"""What follows a database's name in those of its files."""
OF_A_RUN = re.compile(r"\.\d{8}T\d{6}Z-\d+\.jsonl")
"""What follows it, without its ending, in the name of the log of one run."""


def log_of_run(database: Path) -> Path:
    """The log of this process alone: `parley.20261126T112231Z-29310.jsonl` beside `parley.db`."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return database.parent / f"{database.stem}.{now}-{os.getpid()}.jsonl"


def log_of_all_runs(database: Path) -> Path:
    """The log of all runs: `parley.jsonl` beside `parley.db`, and never the database itself."""
    beside = database.parent / f"{database.stem}.jsonl"
    return beside if beside != database else database.parent / f"{database.stem}.log.jsonl"


def is_log_of(database: Path, name: str) -> bool:
    """Whether a file beside a database is a log of it, by its name."""
    if name == log_of_all_runs(database).name:
        return True
    return name.startswith(database.stem) and bool(OF_A_RUN.fullmatch(name, len(database.stem)))


def is_stream(path: Path) -> bool:
    """Whether it is a pipe, a terminal or the like."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def why_no_log(path: Path, database: Path) -> str | None:
    """Why lines can't be written there, and what to do; None when they can, as far as is known.

    Args:
        database: Whose log it is; it need not exist.
    """
    if is_stream(path):
        return None
    if _is_taken(path, database):
        return f"is or would become a file of the database {database}: name another file"
    return why_not_writable(path)


def _is_taken(path: Path, database: Path) -> bool:
    from actors.negotiators.prompt_log import PromptLog  # who only reads a log need not wait for it

    real = os.path.realpath(database)
    taken = [f"{real}{end}" for end in OF_A_DATABASE]
    taken.append(os.path.realpath(PromptLog.beside(database)))
    log = os.path.realpath(path)
    put_aside = re.compile(re.escape(log) + r"\.\d+")  # as a log that rotates is, in time
    return any(each == log or _is_one(path, each) for each in taken) or bool(
        put_aside.fullmatch(real)
    )


def _is_one(path: Path, other: str) -> bool:
    """Whether both are there and are the same file, by whatever names."""
    with suppress(OSError):
        return path.samefile(other)
    return False
