"""Chosen: what a command line means by its config, its database and its engine."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from actors.config import Config, load_config
from storage.store import Store


def config_of(options: argparse.Namespace) -> tuple[Config, Path]:
    """The settings, and the database that is meant.

    Raises:
        ConfigError: The config has mistakes.
    """
    config = load_config(options.config)
    return config, config.database if options.database is None else Path(options.database)


def store_of(options: argparse.Namespace, *, to_write: bool = False) -> Store:
    """The database that is meant, which must exist.

    Raises:
        ConfigError: The config has mistakes.
        DatabaseUnusable: There is none, or it can't be used.
    """
    _, database = config_of(options)
    store = Store(database, read_only=True)  # one that is missing is not made by asking for it
    return Store(database) if to_write else store


def engine_of(options: argparse.Namespace, database: Path) -> dict[str, Any]:
    """What `NegotiationSystem.start` is told beside the config."""
    config, _ = config_of(options)
    rotates = config.log.max_megabytes is not None
    return {
        "database": database,
        "brand": options.brand,
        "suppliers": options.suppliers,
        "log_file": options.log_file or _log_beside(database, rotates=rotates),
        "pace_s": options.pace,
    }


def _log_beside(database: Path, *, rotates: bool) -> Path:
    """A file of this run alone, or the one of all runs."""
    if rotates:
        return database.with_suffix(".jsonl")
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return database.parent / f"{database.stem}.{now}-{os.getpid()}.jsonl"


def command_on(database: Path) -> str:
    """How a person would type a command on this database."""
    program = "parley" if Path(sys.argv[0]).stem == "parley" else "python main.py"
    if database == Path("parley.db"):
        return program
    return f"{program} --database {shlex.quote(str(database))}"
