"""Reporting: `report` tells a quote on a page for people, or as JSON for programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from actors import standard_streams
from actors.command_line import DONE
from actors.commands.answers import print_json
from actors.commands.chosen import config_of, store_of
from actors.errors import ReportError
from actors.reading import Reading
from actors.report.page import report_page, write_report
from actors.report.record import report_record

STDOUT = "-"


def report(options: argparse.Namespace) -> int:
    """Write a quote's report, and say where it stands; or print it."""
    if options.json and options.output not in (None, STDOUT):
        raise ReportError(["--json prints to standard output: leave -o out"])
    config, database = config_of(options)
    reading, prices = Reading(store_of(database)), config.mistral.prices
    if options.json:
        print_json(report_record(reading, options.id, private=options.private, prices=prices))
    elif options.output == STDOUT:
        page = report_page(reading, options.id, private=options.private, prices=prices)
        standard_streams.write_bytes(page.encode())  # the page says itself that it is UTF-8
    else:
        file = None if options.output is None else Path(options.output)
        print(write_report(reading, options.id, file, private=options.private, prices=prices))
    return DONE
