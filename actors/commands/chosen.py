"""Chosen: what a command line means by its config, its database and its engine."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from actors.config import Config, load_config
from actors.log.place import log_of_all_runs, log_of_run
from storage.store import Store


def config_of(options: argparse.Namespace) -> tuple[Config, Path]:
    """The settings, and the database that is meant.

    Raises:
        ConfigError: The config has mistakes.
    """
    config = load_config(options.config)
    return config, config.database if options.database is None else Path(options.database)


def store_of(database: Path, *, to_write: bool = False) -> Store:
    """A database, which must exist.

    Raises:
        DatabaseUnusable: There is none, or it can't be used.
    """
    store = Store(database, read_only=True)  # one that is missing is not made by asking for it
    return Store(database) if to_write else store


def engine_of(options: argparse.Namespace, config: Config, database: Path) -> dict[str, Any]:
    """What `NegotiationSystem.start` is told beside the config."""
    log = log_of_run if config.log.max_megabytes is None else log_of_all_runs
    return {
        "database": database,
        "brand": options.brand,
        "suppliers": options.suppliers,
        "log_file": options.log_file or log(database),
        "pace_s": options.pace,
    }


def command_on(database: Path) -> str:
    """How a person would type a command on this database."""
    program = "parley" if Path(sys.argv[0]).stem == "parley" else "python main.py"
    if database == Path("parley.db"):
        return program
    return f"{program} --database {shlex.quote(str(database))}"
