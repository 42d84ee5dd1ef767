"""The command line as it may be typed and as it ends; `actors/commands` says what each does."""

from __future__ import annotations

import argparse
from typing import NoReturn

from actors.inert import inert

# nothing else is imported here: `--help` must not wait for it

DONE, NOT_DONE, WRONG_USE, HUNG_UP, INTERRUPTED, TERMINATED = 0, 1, 2, 129, 130, 143
"""Exit codes."""
SIGNALLED = 128
"""What the last three are above the numbers of their signals."""
QUOTE_STATUSES = ("pending", "negotiating", "completed", "cancelled")
NEGOTIATION_STATUSES = ("active", "parked", "completed", "impasse")
LONGEST_NUMBER = 18
"""Digits of a whole number on the command line."""


class _Parser(argparse.ArgumentParser):
    """Repeats nothing to the terminal that could steer it."""

    def error(self, message: str) -> NoReturn:
        super().error(inert(message))


def parser() -> argparse.ArgumentParser:
    """What reads a command line into options; `command` is the command's name."""
    files = _Parser(add_help=False)
    files.add_argument("--database", metavar="FILE", help="the SQLite file (parley.db)")
    files.add_argument("--config", metavar="FILE", help="the settings (config.toml)")
    shared = _Parser(add_help=False, parents=[files])
    shared.add_argument("--json", action="store_true", help="print JSON for programs")
    engine = _Parser(add_help=False)
    engine.add_argument("--log-file", metavar="FILE", help="JSON lines (beside the database)")
    engine.add_argument("--brand", metavar="NAME", help="who speaks for the brand (tactics)")
    engine.add_argument("--suppliers", metavar="NAME", help="who speaks for suppliers (tactics)")
    engine.add_argument("--pace", type=float, default=0.0, metavar="S", help="seconds a message")
    whole = _Parser(
        prog="parley",
        description="Negotiate one quote with many suppliers at the same time.",
        epilog="Without a command: run the sample quote.",
    )
    commands = whole.add_subparsers(metavar="COMMAND", dest="command")

    def command(name: str, does: str, *parents: _Parser) -> _Parser:
        return commands.add_parser(name, parents=parents or (shared,), help=does)

    run = command("run", "negotiate a quote to its end", shared, engine)
    add = command("add", "save a quote, pending")
    for each in (run, add):
        each.add_argument("quote", nargs="?", metavar="QUOTE", help="a TOML file (the sample)")
    start = command("start", "have the engine start a pending quote")
    for each in (run, start):
        each.add_argument("--manual", action="store_true", help="stop after each brand message")
    cancel = command("cancel", "cancel a quote")
    for each in (start, cancel):
        each.add_argument("id", type=_id, metavar="QUOTE_ID", help="of a quote (q-…)")
    going_on = command("continue", "go on with what waits or is parked")
    intervene = command("intervene", "guide the brand's agent")
    for each in (going_on, intervene):
        each.add_argument("id", type=_id, metavar="ID", help="of a negotiation or a quote")
    intervene.add_argument("text", nargs="?", metavar="TEXT", help="what the agent should mind")
    for option, key, read, example in (
        ("--limit", "K=V", _limit, "such as unit_price=6.40; can be given again"),
        ("--priority", "K=N", _priority, "all four, such as cost=40; they sum to 100"),
    ):
        intervene.add_argument(option, action="append", metavar=key, type=read, help=example)
    instead = intervene.add_mutually_exclusive_group()
    instead.add_argument("--accept", type=int, metavar="SEQ", help="accept the supplier's offer")
    instead.add_argument("--walk-away", action="store_true", help="end it in impasse")
    listing = command("list", "list quotes")
    show = command("show", "show a quote, a conversation or a receipt")
    for each, statuses in ((listing, QUOTE_STATUSES), (show, NEGOTIATION_STATUSES)):
        each.add_argument("--status", action="append", choices=statuses, help="only these")
        each.add_argument(
            "--supplier", action="append", type=_supplier, metavar="NAME", help="or its id"
        )
        each.add_argument("--follow", action="store_true", help="go on as it goes on")
    listing.add_argument("--all", action="store_true", help="the oldest quotes too")
    show.add_argument("id", type=_id, metavar="ID", help="of a quote, a negotiation or a receipt")
    report = command("report", "make a page that tells a quote to people")
    report.add_argument("id", type=_id, metavar="QUOTE_ID", help="of a quote (q-…)")
    report.add_argument("-o", dest="output", metavar="FILE", help="where; - prints it")
    report.add_argument("--private", action="store_true", help="tell limits and guidance, marked")
    command("recover", "go on with all that was left over", shared, engine)
    watch = command("watch", "show a log as a table, live")
    watch.add_argument("log", nargs="?", metavar="FILE", help="a log (the newest), - for stdin")
    watch.add_argument("--once", action="store_true", help="show what is there, and end")
    command("verify", "look for faults in all that is saved")
    serve = command("serve", "be the engine until told to end", shared, engine)
    serve.add_argument("--exit-with-parent", action="store_true", help="end when the parent does")
    serve.add_argument("--stdio", action="store_true", help="speak JSON-RPC with the parent")
    command("repl", "type Python with quotes at hand", files, engine)
    whole.set_defaults(**vars(run.parse_args([])) | {"command": "run"})
    return whole


def _limit(written: str) -> tuple[str, object]:
    """A limit's key and value: a price as text, days as a number, payments as a list."""
    key, value = _pair(written)
    if key.endswith("unit_price"):
        return key, value
    whole = _whole(value)
    return key, whole if isinstance(whole, int) else [part.strip() for part in value.split(",")]


def _priority(written: str) -> tuple[str, object]:
    key, value = _pair(written)
    return key, _whole(value)


def _whole(value: str) -> object:
    # Python refuses to read thousands of digits
    return int(value) if value.isdecimal() and len(value) <= LONGEST_NUMBER else value


def _id(written: str) -> str:
    return _findable(written, "id")


def _supplier(written: str) -> str:
    return _findable(written, "supplier")


def _findable(written: str, what: str) -> str:
    """What can be looked for: half of a character can't be sent to SQLite."""
    try:
        written.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"no {what}: {written[:60]!r}") from None
    return written


def _pair(written: str) -> tuple[str, str]:
    key, _, value = written.partition("=")
    if not key or not value:
        raise argparse.ArgumentTypeError("write KEY=VALUE")
    return key, value
