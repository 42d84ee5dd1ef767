"""Requests: what is written for an engine, whether one runs or not."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors.command_line import DONE
from actors.commands.answers import print_json
from actors.commands.chosen import command_on, config_of, store_of
from actors.errors import InterventionError
from actors.quote_request import new_quote, read_quote_request
from actors.reception import receive
from storage.lock import runs_on
from storage.store import Store, utc_now

RECEIPT = {"id", "negotiation_id", "status", "created_at"}
"""What a receipt says when it is given out."""


def add(options: argparse.Namespace) -> int:
    """Save a quote, pending."""
    config, database = config_of(options)
    request = read_quote_request(options.quote, config.suppliers)
    quote = new_quote(request, config.suppliers, utc_now)
    Store(database).add_quote(quote)
    record = {"id": quote.id, "status": quote.status}
    return _noted(options, database, record, f"{quote.id} is pending")


def start(options: argparse.Namespace) -> int:
    """Have the engine start a pending quote."""
    _, database = config_of(options)
    store = store_of(database, to_write=True)
    quote = store.start_quote(options.id, automatic=False if options.manual else None)
    record = {"id": quote.id, "status": quote.status}
    return _noted(options, database, record, f"{quote.id} is set to negotiating", engine_acts=True)


def cancel(options: argparse.Namespace) -> int:
    """Cancel a quote."""
    _, database = config_of(options)
    quote, active = store_of(database, to_write=True).cancel_quote(options.id)
    record = {"id": quote.id, "status": quote.status}
    line = f"{quote.id} is cancelled"
    return _noted(options, database, record, line, engine_acts=bool(active))


def continue_(options: argparse.Namespace) -> int:
    """Go on with what waits or is parked."""
    return _receive(options, action="continue")


def intervene(options: argparse.Namespace) -> int:
    """Guide the brand's agent."""
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
    of_quote = options.id.startswith("q-")
    addressee = {"quote_id" if of_quote else "negotiation_id": options.id}
    _, database = config_of(options)
    _, received = receive(store_of(database, to_write=True), text, **addressee, **guidance)
    records = [one.model_dump(mode="json", include=RECEIPT) for one in received]
    lines = "\n".join(f"{one.id} is received for {one.negotiation_id}" for one in received)
    record = records if of_quote else records[0]
    return _noted(options, database, record, lines, engine_acts=True)


def _once(pairs: Sequence[tuple[str, Any]] | None, option: str) -> dict[str, Any] | None:
    """Keys and values as a mapping; None where there are none."""
    if pairs is None:
        return None
    keys = [key for key, _ in pairs]
    if twice := {key for key in keys if keys.count(key) > 1}:
        raise InterventionError([f"{option}: {key} is given twice" for key in sorted(twice)])
    return dict(pairs)


def _noted(
    options: argparse.Namespace,
    database: Path,
    record: Any,
    line: str,
    *,
    engine_acts: bool = False,
) -> int:
    """Say what was written, and whether an engine runs that will act on it."""
    engine = runs_on(database)
    if options.json:
        print_json({"written": record, "engine_pid": engine.pid if engine else None})
        return DONE
    print(line)
    if engine_acts and engine is None:
        print(f"No engine runs on {database}: it waits for one ({command_on(database)} serve).")
    elif engine is not None and engine_acts:
        print(f"The engine (pid {engine.pid}) takes it up.")
    return DONE
