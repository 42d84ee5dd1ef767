"""The page of a report: one HTML file that needs nothing else, no network and no script."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from tempfile import mkstemp

from actors.errors import ReportError
from actors.inert import visible
from actors.negotiators.model_settings import Prices
from actors.reading import Reading
from actors.report.record import report_record
from storage.money import money_words
from storage.records import QuoteId
from storage.terms.kinds import KINDS

FIRST_LINE = "<!doctype html><!-- a report by Parley -->\n"
"""What tells a report from any other file: only a report is ever replaced."""
INSTALL = (
    "report: {missing} is missing: install the extra with pip install -e '.[report]' "
    "in Parley's folder (report --json needs none)"
)
LONGEST_NAME = 100
"""Characters of an id that a file's name takes."""


def write_report(
    reading: Reading,
    quote_id: QuoteId,
    file: Path | None = None,
    *,
    private: bool = False,
    prices: Prices | None = None,
) -> Path:
    """Write the report of a quote; it stands there whole or not at all, for its owner to read.

    Args:
        file: None is `report-<quote id>.html` in the working folder. A report that stands there is
            replaced.
        private: Whether it tells targets, limits, priorities and guidance, each marked as private.
        prices: What tokens cost; None shows no costs.

    Returns:
        Where it stands.

    Raises:
        ReportError: The libraries of the extra are missing, or something else stands there.
        UnknownRecord: There is no such quote.
        DamagedRow: A row of it can't be read.
        OSError: It can't be written there.
    """
    chosen = Path(f"report-{_file_name(quote_id)}.html") if file is None else file
    target = chosen.resolve()  # a link stays one
    _check_free(chosen, target)
    text = report_page(reading, quote_id, private=private, prices=prices)
    try:
        _replace(target, text)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(chosen)) from None
    return chosen


def report_page(
    reading: Reading, quote_id: QuoteId, *, private: bool = False, prices: Prices | None = None
) -> str:
    """The report of a quote as HTML; the same database always gives the same text.

    Raises:
        ReportError: The libraries of the extra are missing.
        UnknownRecord: There is no such quote.
        DamagedRow: A row of it can't be read.
    """
    try:
        import jinja2
        from markupsafe import Markup

        from actors.report import chart
    except ImportError as error:
        raise ReportError([INSTALL.format(missing=error.name)]) from None

    def shown(value: object) -> object:
        # all that the template writes passes here, so no text can be forgotten
        return value if isinstance(value, Markup) else visible(str(value), keep="\n")

    environment = jinja2.Environment(
        autoescape=True,
        finalize=shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    record = report_record(reading, quote_id, private=private, prices=prices)
    currency = record["quote"]["currency"]
    environment.filters |= {
        "money": lambda amount: money_words(Decimal(amount), currency),
        "moment": _moment,
        "quantity": lambda written: f"{Decimal(written):,f}",
    }
    page = environment.from_string(_part("page.html.j2")).render(
        record,
        kinds=KINDS,
        style=Markup(_part("style.css")),  # noqa: S704 - our own file
        offers=chart.offers,
        accepted_seq=chart.accepted_seq,
        chart=lambda negotiation: Markup(chart.drawn(negotiation)),  # noqa: S704 - escaped there
    )
    return FIRST_LINE + page


def _part(name: str) -> str:
    return files("actors.report").joinpath(name).read_text(encoding="utf-8")


def _moment(written: str) -> str:
    """A time to the second, as a person reads it: `2026-11-23 20:49:35 UTC`."""
    return f"{datetime.fromisoformat(written):%Y-%m-%d %H:%M:%S} UTC"


def _file_name(quote_id: str) -> str:
    """An id as part of a file's name: another hand may have put a path in its place."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", quote_id[:LONGEST_NAME])


def _check_free(chosen: Path, target: Path) -> None:
    """Refuse to replace what is no report: a slip of the hand must cost nobody a database."""
    with suppress(FileNotFoundError):
        if stat.S_ISREG(target.stat().st_mode):
            with target.open("rb") as there:
                if there.read(len(FIRST_LINE)) in (FIRST_LINE.encode(), b""):
                    return
        raise ReportError([f"{chosen}: something else stands there: choose another name"])


def _replace(target: Path, text: str) -> None:
    handle, name = mkstemp(prefix=".report-", suffix=".html", dir=target.parent)
    made = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        made.replace(target)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
