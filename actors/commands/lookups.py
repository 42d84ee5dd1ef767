"""Lookups: `list`, `show` and `verify` read what is saved."""

from __future__ import annotations

import argparse

from actors.command_line import DONE, NOT_DONE
from actors.commands.answers import print_json
from actors.commands.chosen import config_of, store_of
from actors.errors import InputError
from actors.monitoring.following import follow
from actors.monitoring.lookup import look_up
from actors.monitoring.selection import Selection
from actors.monitoring.tables import console, public_quote, quotes_table
from storage.store import Store

NEWEST = 50
"""Quotes that `list` shows: nobody reads thousands, and drawing them takes seconds."""


def list_(options: argparse.Namespace) -> int:
    """List quotes, the newest or all or some, now or as they come and change."""
    _, database = config_of(options)
    store, selection = store_of(database), _selection(options)
    if options.follow:
        return _follow(options, store, None, selection)
    if options.json:  # whole: a list for programs has no last line to tell what is missing
        print_json([public_quote(quote) for quote in selection.quotes(store)])
        return DONE
    with store.instant():
        quotes = selection.quotes(store, None if options.all else NEWEST)
        older = 0 if options.all else selection.count(store) - len(quotes)
    console().print(quotes_table(quotes))
    if older:
        print(f"{older} older not shown: --all shows them")
    return DONE


def show(options: argparse.Namespace) -> int:
    """Show a quote, a conversation or a receipt, as it is or as it goes on."""
    config, database = config_of(options)
    store, selection = store_of(database), _selection(options)
    of_quote = options.id.startswith("q-")
    if selection and not of_quote:
        raise InputError(["--status and --supplier choose among a quote's negotiations: name one"])
    if options.follow:
        return _follow(options, store, options.id, selection)
    found = look_up(store, options.id, config.mistral.prices, selection)
    if options.json:
        print_json(found.record)
    else:
        console().print(found.view, soft_wrap=not of_quote)
    return DONE


def _follow(
    options: argparse.Namespace, store: Store, record_id: str | None, selection: Selection
) -> int:
    """Print what stands there and what comes, for programs a line for each."""
    terminal = console()
    for piece in follow(store, record_id, selection):
        if options.json:
            print_json({piece.noun: piece.record})
        else:
            terminal.print(piece.view, soft_wrap=True)
            terminal.file.flush()
    return DONE


def _selection(options: argparse.Namespace) -> Selection:
    return Selection(statuses=options.status or (), suppliers=options.supplier or ())


def verify(options: argparse.Namespace) -> int:
    """Look for faults in all that is saved."""
    from actors.audit import audit  # the others needn't wait for it
    from actors.monitoring.findings import findings_lines, findings_record

    _, database = config_of(options)
    found = audit(store_of(database))
    if options.json:
        print_json(findings_record(found))
    else:
        print("\n".join(findings_lines(found)))
    return NOT_DONE if found.faults else DONE
