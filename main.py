"""The command line: the only place that prints, exits and handles signals."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.config import Config

# What a command needs is imported when it runs: `--help` must not wait for it.

DONE, NOT_DONE, WRONG_USE, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, and return its exit code."""
    options = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # whoever reads us, such as `head`, has seen enough; Python must not complain at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        explained = _explained(error)
        if explained is None:
            raise
        code, lines = explained
        for line in lines:
            print(f"parley: {line}", file=sys.stderr)
        return code


def entry() -> None:
    """The console script."""
    sys.exit(main())


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--database", metavar="FILE", help="the SQLite file (parley.db)")
    shared.add_argument("--config", metavar="FILE", help="the settings (config.toml)")
    shared.add_argument("--json", action="store_true", help="print JSON for programs")
    parser = argparse.ArgumentParser(
        prog="parley",
        description="Negotiate one quote with many suppliers at the same time.",
        epilog="Without a command: run the sample quote.",
    )
    commands = parser.add_subparsers(metavar="COMMAND")
    run = commands.add_parser("run", parents=[shared], help="negotiate a quote to its end")
    run.add_argument("quote", nargs="?", metavar="QUOTE", help="a TOML file (the sample)")
    run.add_argument("--log-file", metavar="FILE", help="JSON lines (beside the database)")
    run.add_argument("--brand", metavar="NAME", help="who speaks for the brand (tactics)")
    run.add_argument("--suppliers", metavar="NAME", help="who speaks for the suppliers (tactics)")
    run.add_argument("--pace", type=float, default=0.0, metavar="S", help="seconds a message (0)")
    run.set_defaults(command=_run)
    listing = commands.add_parser("list", parents=[shared], help="list all quotes")
    listing.set_defaults(command=_list)
    show = commands.add_parser("show", parents=[shared], help="show a quote or a conversation")
    show.add_argument("id", metavar="ID", help="of a quote (q-…) or a negotiation (n-…)")
    show.set_defaults(command=_show)
    defaults = run.parse_args([])
    parser.set_defaults(**vars(defaults))
    return parser


def _run(options: argparse.Namespace) -> int:
    from actors.monitoring.progress import shown
    from actors.monitoring.tables import console, outcome_record, outcomes
    from actors.quote_request import new_quote, read_quote_request
    from actors.system import NegotiationSystem
    from storage.records import is_parked
    from storage.store import utc_now

    config, database = _config(options)
    request = read_quote_request(options.quote)
    new_quote(request, config.suppliers, utc_now)  # mistakes show before anything is made
    log_file = options.log_file or _log_beside(database)
    # for programs stdout is the result alone, so what happens meanwhile goes to stderr
    terminal = console(stderr=options.json)
    with NegotiationSystem.start(
        config,
        database=database,
        brand=options.brand,
        suppliers=options.suppliers,
        log_file=log_file,
        pace_s=options.pace,
    ) as system:
        with shown(system, terminal):
            quote = system.create_quote(request)
            system.start_negotiations(quote.id)
            negotiations = system.wait(quote.id)
        quote = system.quote(quote.id)
    if options.json:
        _print_json(outcome_record(quote, negotiations))
    else:
        terminal.print(outcomes(quote, negotiations))
        print(f"Next: {_command(database)} show {negotiations[0].id}")
    return NOT_DONE if any(map(is_parked, negotiations)) else DONE


def _list(options: argparse.Namespace) -> int:
    from actors.monitoring.tables import console, public_quote, quotes_table

    quotes = _store(options).quotes()
    if options.json:
        _print_json([public_quote(quote) for quote in quotes])
    else:
        console().print(quotes_table(quotes))
    return DONE


def _show(options: argparse.Namespace) -> int:
    from actors.monitoring.tables import console, outcome_record, outcomes, transcript

    store = _store(options)
    if options.id.startswith("n-"):
        negotiation = store.negotiation(options.id)
        messages = store.messages(options.id)
        if options.json:
            _print_json([message.model_dump(mode="json") for message in messages])
        else:
            quote = store.quote(negotiation.quote_id)
            console().print(transcript(quote, negotiation, messages), soft_wrap=True)
        return DONE
    quote = store.quote(options.id)
    negotiations = store.negotiations(quote.id)
    if options.json:
        _print_json(outcome_record(quote, negotiations))
    else:
        console().print(outcomes(quote, negotiations))
        for negotiation in negotiations:
            print(f"{negotiation.id}  {negotiation.supplier_id}")
    return DONE


def _store(options: argparse.Namespace) -> Any:
    from storage.errors import DatabaseUnusable
    from storage.store import Store

    _, database = _config(options)
    if not database.exists():
        raise DatabaseUnusable(f"there is no database {database}: `run` makes one")
    return Store(database)


def _config(options: argparse.Namespace) -> tuple[Config, Path]:
    from actors.config import load_config

    config = load_config(options.config)
    return config, Path(options.database or config.database)


def _log_beside(database: Path) -> Path:
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return database.with_name(f"{database.stem}.{now}-{os.getpid()}.jsonl")


def _command(database: Path) -> str:
    program = "parley" if Path(sys.argv[0]).stem == "parley" else "python main.py"
    if database == Path("parley.db"):
        return program
    return f"{program} --database {shlex.quote(str(database))}"


def _print_json(value: object) -> None:
    import json

    print(json.dumps(value))


def _explained(error: Exception) -> tuple[int, Sequence[str]] | None:
    """The exit code and the lines for what went wrong; None when it is our own fault."""
    from actors.errors import InputError, SystemHalted
    from storage.errors import StorageError

    match error:
        case InputError():
            return WRONG_USE, error.mistakes
        case StorageError() | OSError():
            return WRONG_USE, [str(error)]
        case SystemHalted():
            return NOT_DONE, [str(error)]
        case _:
            return None


if __name__ == "__main__":
    entry()
