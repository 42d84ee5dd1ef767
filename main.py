"""The command line: the only place that prints, exits and handles signals."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from actors.command_line import parser
from actors.inert import inert

if TYPE_CHECKING:
    from actors.config import Config
    from storage.records import Negotiation

# What a command needs is imported when it runs: `--help` must not wait for it.

RECEIPT = {"id", "negotiation_id", "status", "created_at"}
"""What a receipt says when it is given out."""

DONE, NOT_DONE, WRONG_USE, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143
PARENT_LOOK_S = 0.5
"""Seconds between two looks whether the parent process is still there."""


class Terminated(SystemExit):
    """SIGTERM came."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, and return its exit code."""
    options = parser().parse_args(argv)
    try:
        return COMMANDS[options.command](options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Terminated:
        return TERMINATED
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
            print(f"parley: {inert(line)}", file=sys.stderr)
        return code


def entry() -> None:
    """The console script."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(main())


def _terminate(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: we stop, in bounded time
    raise Terminated(TERMINATED)


def _run(options: argparse.Namespace) -> int:
    from actors.monitoring.bill import Bill
    from actors.monitoring.progress import shown
    from actors.monitoring.tables import console, outcome_record, outcomes
    from actors.quote_request import read_quote_request
    from actors.system import NegotiationSystem

    config, database = _config(options)
    # mistakes show before anything is made
    request = read_quote_request(options.quote, config.suppliers)
    # for programs stdout is the result alone, so what happens meanwhile goes to stderr
    terminal = console(stderr=options.json)
    with NegotiationSystem.start(config, **_engine(options, database)) as system:
        with shown(system, terminal):
            left_over = system.recover()
            quote = system.create_quote(request)
            system.start_negotiations(quote.id, automatic=False if options.manual else None)
            negotiations = system.wait(quote.id)
            others = [one for quote_id in left_over for one in system.wait(quote_id)]
        quote = system.quote(quote.id)
        bill = Bill(system.spending(quote.id), config.mistral.prices)
    if options.json:
        _print_json(outcome_record(quote, negotiations, bill))
    else:
        terminal.print(outcomes(quote, negotiations, bill))
        print(f"Next: {_command(database)} show {negotiations[0].id}")
    return _told_of_still([*negotiations, *others])


def _recover(options: argparse.Namespace) -> int:
    from actors.monitoring.bill import Bill
    from actors.monitoring.progress import shown
    from actors.monitoring.tables import console, outcome_record, outcomes
    from actors.system import NegotiationSystem

    config, database = _config(options)
    _store(options)  # there must be a database to recover
    terminal = console(stderr=options.json)
    found: list[tuple[Any, ...]] = []
    with NegotiationSystem.start(config, **_engine(options, database)) as system:
        with shown(system, terminal):
            waited_for = [(quote_id, system.wait(quote_id)) for quote_id in system.recover()]
        for quote_id, negotiations in waited_for:
            bill = Bill(system.spending(quote_id), config.mistral.prices)
            found.append((system.quote(quote_id), negotiations, bill))
    if options.json:
        _print_json({"quotes": [outcome_record(*each) for each in found]})
    elif not found:
        print("Nothing was left over.")
    else:
        for quote, negotiations, bill in found:
            print(quote.id)
            terminal.print(outcomes(quote, negotiations, bill))
    return _told_of_still([one for _, negotiations, _ in found for one in negotiations])


def _told_of_still(negotiations: Sequence[Negotiation]) -> int:
    """Say on one line for each reason what moves no more, though it should; the exit code."""
    from storage.records import NegotiationStatus, is_parked

    still: dict[tuple[str, str], list[str]] = {}
    for negotiation in negotiations:
        if is_parked(negotiation):
            why = "parked", negotiation.last_error or ""
        elif negotiation.status is NegotiationStatus.ACTIVE and negotiation.automatic:
            why = "unreadable", "the log tells what is damaged: restore it from a backup"
        else:
            continue
        still.setdefault(why, []).append(negotiation.supplier_id)
    for (what, reason), suppliers in still.items():
        print(f"parley: {what}: {', '.join(suppliers)}: {inert(reason)}", file=sys.stderr)
    return NOT_DONE if still else DONE


def _serve(options: argparse.Namespace) -> int:
    parent = os.getppid()
    # a signal handler may put into a SimpleQueue at any instant; None is SIGTERM, which is how an
    # engine is asked to end
    endings: SimpleQueue[str | None] = SimpleQueue()
    signal.signal(signal.SIGTERM, lambda *_: endings.put(None))

    from importlib.metadata import version

    from actors.errors import SystemHalted
    from actors.events import Event, SystemHaltedEvent
    from actors.monitoring.progress import print_line
    from actors.monitoring.tables import console
    from actors.system import NegotiationSystem

    def hear(event: Event) -> None:
        if isinstance(event, SystemHaltedEvent):
            endings.put(event.error)

    config, database = _config(options)
    terminal = console(stderr=True)
    with NegotiationSystem.start(config, recover=True, **_engine(options, database)) as system:
        system.subscribe(hear)
        if terminal.is_terminal:
            system.subscribe(lambda event: print_line(event, terminal))
        facts = {"pid": os.getpid(), "version": version("parley"), "database": str(database)}
        _print_json({"ready": True, **facts})
        halted = _ending(endings, parent if options.exit_with_parent else None)
    if halted is not None:
        raise SystemHalted(f"nothing can be saved any more: {halted}")
    return DONE


def _ending(endings: SimpleQueue[str | None], parent: int | None) -> str | None:
    """Wait until an engine is to end; what halted it, or None when it was asked to."""
    while True:
        try:
            return endings.get(timeout=None if parent is None else PARENT_LOOK_S)
        except Empty:
            if os.getppid() != parent:
                return None


def _repl(options: argparse.Namespace) -> int:
    from actors.repl import ReplSystem, converse

    config, database = _config(options)
    with ReplSystem.start(config, **_engine(options, database)) as system:
        converse(system)
    return DONE


def _engine(options: argparse.Namespace, database: Path) -> dict[str, Any]:
    return {
        "database": database,
        "brand": options.brand,
        "suppliers": options.suppliers,
        "log_file": options.log_file or _log_beside(database),
        "pace_s": options.pace,
    }


def _add(options: argparse.Namespace) -> int:
    from actors.quote_request import new_quote, read_quote_request
    from storage.store import Store, utc_now

    config, database = _config(options)
    request = read_quote_request(options.quote, config.suppliers)
    quote = new_quote(request, config.suppliers, utc_now)
    Store(database).add_quote(quote)
    return _noted(options, {"id": quote.id, "status": quote.status}, f"{quote.id} is pending")


def _start(options: argparse.Namespace) -> int:
    store = _store(options, to_write=True)
    quote = store.start_quote(options.id, automatic=False if options.manual else None)
    record = {"id": quote.id, "status": quote.status}
    return _noted(options, record, f"{quote.id} is set to negotiating", engine_acts=True)


def _cancel(options: argparse.Namespace) -> int:
    quote, active = _store(options, to_write=True).cancel_quote(options.id)
    record = {"id": quote.id, "status": quote.status}
    return _noted(options, record, f"{quote.id} is cancelled", engine_acts=bool(active))


def _continue(options: argparse.Namespace) -> int:
    return _receive(options, action="continue")


def _intervene(options: argparse.Namespace) -> int:
    action = "walk_away" if options.walk_away else None
    return _receive(
        options,
        options.text,
        limits=_once(options.limit, "--limit"),
        priorities=_once(options.priority, "--priority"),
        action=action if options.accept is None else "accept",
        accepts_seq=options.accept,
    )


def _receive(options: argparse.Namespace, text: str | None = None, **guidance: Any) -> int:
    from actors.reception import receive

    of_quote = options.id.startswith("q-")
    addressee = {"quote_id" if of_quote else "negotiation_id": options.id}
    _, received = receive(_store(options, to_write=True), text, **addressee, **guidance)
    records = [one.model_dump(mode="json", include=RECEIPT) for one in received]
    lines = "\n".join(f"{one.id} is received for {one.negotiation_id}" for one in received)
    return _noted(options, records if of_quote else records[0], lines, engine_acts=True)


def _once(pairs: Sequence[tuple[str, Any]] | None, option: str) -> dict[str, Any] | None:
    """Keys and values as a mapping; None where there are none."""
    from actors.errors import InterventionError

    if pairs is None:
        return None
    keys = [key for key, _ in pairs]
    if twice := {key for key in keys if keys.count(key) > 1}:
        raise InterventionError([f"{option}: {key} is given twice" for key in sorted(twice)])
    return dict(pairs)


def _noted(
    options: argparse.Namespace, record: Any, line: str, *, engine_acts: bool = False
) -> int:
    """Say what was written, and whether an engine runs that will act on it."""
    from storage.lock import runs_on

    _, database = _config(options)
    engine = runs_on(database)
    if options.json:
        _print_json({"written": record, "engine_pid": engine.pid if engine else None})
        return DONE
    print(line)
    if engine_acts and engine is None:
        print(f"No engine runs on {database}: it waits for one ({_command(database)} serve).")
    elif engine is not None and engine_acts:
        print(f"The engine (pid {engine.pid}) takes it up.")
    return DONE


def _list(options: argparse.Namespace) -> int:
    from actors.monitoring.tables import console, public_quote, quotes_table

    quotes = _store(options).quotes()
    if options.json:
        _print_json([public_quote(quote) for quote in quotes])
    else:
        console().print(quotes_table(quotes))
    return DONE


def _show(options: argparse.Namespace) -> int:
    from actors.monitoring.lookup import look_up
    from actors.monitoring.tables import console

    store = _store(options)
    found = look_up(store, options.id, _config(options)[0].mistral.prices)
    if options.json:
        _print_json(found.record)
    else:
        console().print(found.view, soft_wrap=not options.id.startswith("q-"))
    return DONE


def _verify(options: argparse.Namespace) -> int:
    from actors.audit import audit
    from actors.monitoring.findings import findings_lines, findings_record

    found = audit(_store(options))
    if options.json:
        _print_json(findings_record(found))
    else:
        print("\n".join(findings_lines(found)))
    return NOT_DONE if found.faults else DONE


def _store(options: argparse.Namespace, *, to_write: bool = False) -> Any:
    from storage.store import Store

    _, database = _config(options)
    store = Store(database, read_only=True)  # one that is missing is not made by asking for it
    return Store(database) if to_write else store


def _config(options: argparse.Namespace) -> tuple[Config, Path]:
    from actors.config import load_config

    config = load_config(options.config)
    return config, config.database if options.database is None else Path(options.database)


def _log_beside(database: Path) -> Path:
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return database.parent / f"{database.stem}.{now}-{os.getpid()}.jsonl"


def _command(database: Path) -> str:
    program = "parley" if Path(sys.argv[0]).stem == "parley" else "python main.py"
    if database == Path("parley.db"):
        return program
    return f"{program} --database {shlex.quote(str(database))}"


def _print_json(value: object) -> None:
    import json

    print(json.dumps(value), flush=True)  # whoever waits for a line waits now


def _explained(error: Exception) -> tuple[int, Sequence[str]] | None:
    """The exit code and the lines for what went wrong; None when it is our own fault."""
    from actors.errors import InputError, SystemHalted
    from storage.errors import DatabaseUnavailable, StorageError

    match error:
        case InputError():
            return WRONG_USE, error.mistakes
        case DatabaseUnavailable():
            return WRONG_USE, [f"{error}: nothing was written: try again"]
        case StorageError():
            return WRONG_USE, [str(error)]
        case OSError():
            named = error.filename and error.strerror
            return WRONG_USE, [f"{error.filename}: {error.strerror}" if named else str(error)]
        case SystemHalted():
            return NOT_DONE, [str(error)]
        case _:
            return None


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "add": _add,
    "start": _start,
    "cancel": _cancel,
    "continue": _continue,
    "intervene": _intervene,
    "list": _list,
    "show": _show,
    "recover": _recover,
    "verify": _verify,
    "serve": _serve,
    "repl": _repl,
}

if __name__ == "__main__":
    entry()
