"""Lookups: `list`, `show` and `verify` read what is saved."""

from __future__ import annotations

import argparse

from actors.audit import audit
from actors.command_line import DONE, NOT_DONE
from actors.commands.answers import print_json
from actors.commands.chosen import config_of, store_of
from actors.monitoring.findings import findings_lines, findings_record
from actors.monitoring.lookup import look_up
from actors.monitoring.tables import console, public_quote, quotes_table


def list_(options: argparse.Namespace) -> int:
    """List all quotes."""
    quotes = store_of(options).quotes()
    if options.json:
        print_json([public_quote(quote) for quote in quotes])
    else:
        console().print(quotes_table(quotes))
    return DONE


def show(options: argparse.Namespace) -> int:
    """Show a quote, a conversation or a receipt."""
    store = store_of(options)
    found = look_up(store, options.id, config_of(options)[0].mistral.prices)
    if options.json:
        print_json(found.record)
    else:
        console().print(found.view, soft_wrap=not options.id.startswith("q-"))
    return DONE


def verify(options: argparse.Namespace) -> int:
    """Look for faults in all that is saved."""
    found = audit(store_of(options))
    if options.json:
        print_json(findings_record(found))
    else:
        print("\n".join(findings_lines(found)))
    return NOT_DONE if found.faults else DONE
