"""Engines that a person waits for or talks to: `run`, `recover` and `repl`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from actors import signals
from actors.command_line import DONE, NOT_DONE
from actors.commands.answers import print_json
from actors.commands.chosen import command_on, config_of, engine_of, store_of
from actors.inert import inert
from actors.monitoring.bill import Bill
from actors.monitoring.progress import shown
from actors.monitoring.tables import console, outcome_record, outcomes
from actors.quote_request import read_quote_request
from actors.system import NegotiationSystem
from storage.records import Negotiation, NegotiationStatus, is_parked


def run(options: argparse.Namespace) -> int:
    """Negotiate a quote, and all that was left over, to the end."""
    config, database = config_of(options)
    # mistakes show before anything is made
    request = read_quote_request(options.quote, config.suppliers)
    # for programs stdout is the result alone, so what happens meanwhile goes to stderr
    terminal = console(stderr=options.json)
    with NegotiationSystem.start(config, **engine_of(options, config, database)) as system:
        with shown(system, terminal):
            left_over = system.recover()
            quote = system.create_quote(request)
            system.start_negotiations(quote.id, automatic=False if options.manual else None)
            negotiations = system.wait(quote.id)
            others = [one for quote_id in left_over for one in system.wait(quote_id)]
        quote = system.quote(quote.id)
        bill = Bill(system.spending(quote.id), config.mistral.prices)
    if options.json:
        print_json(outcome_record(quote, negotiations, bill))
    else:
        terminal.print(outcomes(quote, negotiations, bill))
        print(f"Next: {command_on(database)} show {negotiations[0].id}")
    return _told_of_still([*negotiations, *others])


def recover(options: argparse.Namespace) -> int:
    """Go on with all that was left over, and show it."""
    config, database = config_of(options)
    store_of(database)  # there must be a database to recover
    terminal = console(stderr=options.json)
    found: list[tuple[Any, ...]] = []
    with NegotiationSystem.start(config, **engine_of(options, config, database)) as system:
        with shown(system, terminal):
            waited_for = [(quote_id, system.wait(quote_id)) for quote_id in system.recover()]
        for quote_id, negotiations in waited_for:
            bill = Bill(system.spending(quote_id), config.mistral.prices)
            found.append((system.quote(quote_id), negotiations, bill))
    if options.json:
        print_json({"quotes": [outcome_record(*each) for each in found]})
    elif not found:
        print("Nothing was left over.")
    else:
        for quote, negotiations, bill in found:
            print(quote.id)
            terminal.print(outcomes(quote, negotiations, bill))
    return _told_of_still([one for _, negotiations, _ in found for one in negotiations])


def repl(options: argparse.Namespace) -> int:
    """Let a person type Python."""
    from actors.repl import ReplSystem, converse  # the others needn't wait for it

    signals.raise_each_interrupt()
    config, database = config_of(options)
    with ReplSystem.start(config, **engine_of(options, config, database)) as system:
        converse(system)
    return DONE


def _told_of_still(negotiations: Sequence[Negotiation]) -> int:
    """Say on one line for each reason what moves no more, though it should; the exit code."""

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
