"""The quote that was read last: the negotiations of a quote that are loaded in a row share it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.records import Quote
from storage.tables import from_row


class LastQuote:
    """Makes a record of a quote's row, and hands it out again for as long as the row is the same.

    Checking the fields of a quote takes longer than reading it, and a record for each of its
    negotiations would be most of what they take in memory. From any thread: a row and its record
    are one value.
    """

    def __init__(self) -> None:
        self._last: tuple[Mapping[str, Any], Quote] | None = None

    def of(self, row: Mapping[str, Any]) -> Quote:
        """The record of that row, or DamagedRow."""
        last = self._last
        if last is not None and last[0] == row:
            return last[1]
        quote = from_row(Quote, row)
        self._last = row, quote
        return quote
