"""Quotes and QuoteHandle: what a person sees of quotes, and can do with them.

A handle keeps no record: each look at it is a look at the database, and what it does, the face
does. `repr` is made for eyes; it never raises, and shows nothing private.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from actors.acting import Acting
from actors.errors import NotThere
from actors.handles.negotiation import NegotiationHandle
from actors.handles.receipts import Receipts, receipts_of
from actors.handles.sheet import MOST_ROWS, Seen, Sheet, moving_of, told
from actors.inert import inert
from actors.monitoring.positions import position_of, positions_table
from actors.monitoring.tables import as_text, quotes_table
from actors.quote_request import QuoteRequest
from storage.errors import DamagedRow
from storage.records import Negotiation, Priorities, Quote, QuoteId


class Quotes:
    """All quotes, oldest first: `quotes[-1]` is the newest, `quotes["q-…"]` the one with that id.

    >>> quotes = Quotes(system)
    >>> q = quotes.new("quote.toml")
    >>> quotes.recover()
    """

    def __init__(self, system: Acting) -> None:
        self._system = system

    def new(
        self, quote: QuoteRequest | Mapping[str, Any] | Path | str | None = None
    ) -> QuoteHandle:
        """Save a new quote, pending, and hold it: `q = new("quote.toml")`, then `q.start()`.

        Args:
            quote: A path to a TOML file, a mapping with the same keys, or nothing for the sample.

        Raises:
            QuoteError: It has mistakes; all are listed, and nothing was saved.
        """
        return QuoteHandle(self._system, self._system.create_quote(quote).id)

    def recover(self) -> Quotes:
        """Go on with every active negotiation from where it stands, those that are parked too.

        Raises:
            SystemHalted: Nothing can be saved any more.
        """
        self._system.recover()
        return self

    def __getitem__(self, which: int | str) -> QuoteHandle:
        """One quote by its id, or by its place.

        Raises:
            UnknownRecord: There is no quote with that id.
            NotThere: There are not so many quotes.
        """
        if isinstance(which, str):
            return QuoteHandle(self._system, self._system.quote(QuoteId(which)).id)
        there = self._system.quotes()
        if not -len(there) <= which < len(there):
            raise NotThere(f"there is no quote {which}: there are {len(there)}")
        return QuoteHandle(self._system, there[which].id)

    def __iter__(self) -> Iterator[QuoteHandle]:
        return (QuoteHandle(self._system, quote.id) for quote in self._system.quotes())

    def __len__(self) -> int:
        return len(self._system.quotes())

    def __repr__(self) -> str:
        return told(self._table, "quotes")

    def _table(self) -> str:
        quotes = self._system.quotes()
        older = len(quotes) - MOST_ROWS
        note = [Text(f"{older} older ones are not shown")] if older > 0 else []
        return as_text(Group(quotes_table(quotes[-MOST_ROWS:]), *note))

    def _ipython_key_completions_(self) -> list[str]:
        return [quote.id for quote in self._system.quotes()]


class QuoteHandle:
    """One quote: how it stands with each supplier, and what a person can do about it.

    >>> q = new("quote.toml")
    >>> q.start()
    >>> q  # what stands on both sides, the gap, and who is next
    >>> q.say("We need it sooner.", limits={"lead_time_days": 34})
    >>> q["Supplier 2"].accept()  # the offer that was shown last
    >>> q.wait(60)
    >>> q.report()
    """

    def __init__(self, system: Acting, quote_id: QuoteId) -> None:
        self.id = quote_id
        self._system = system
        self._seen: Seen = {}

    @property
    def record(self) -> Quote:
        """The quote as it is saved now, or UnknownRecord."""
        return self._system.quote(self.id)

    def start(self, automatic: bool | None = None) -> Sheet:
        """Start one negotiation with each supplier; they go on by themselves.

        Args:
            automatic: False has each stop after the brand's messages, until `q.continue_()`; None
                takes what the quote says.

        Raises:
            QuoteNotPending: It was started before.
            QuoteError: The config has changed, and a supplier can't be asked for this any more.
        """
        self._system.start_negotiations(self.id, automatic)
        return self.status()

    def status(self) -> Sheet:
        """How it stands with each supplier, which is also what `q` alone shows.

        On both sides the offer that stands, or stood at the end: its total, and its other terms.
        The gap is in percent of the brand's offer. Where you are next, it says what to do.

        Raises:
            UnknownRecord: There is no such quote any more.
        """
        moving, note = moving_of(self._system, self.id)
        with self._system.instant():
            quote, negotiations = self.record, self._system.negotiations(self.id)
            positions, unreadable = [], []
            for one in negotiations[:MOST_ROWS]:
                try:
                    positions.append(position_of(self._system.loaded(one.id), moving))
                except DamagedRow as error:  # one must not hide the others
                    unreadable.append(f"{one.supplier.name}: {error}")
        head = f"{quote.id} {quote.status}, totals in {quote.currency}"
        lines = [f"{head}; {note}" if note else head, *unreadable]
        if not negotiations:
            lines.append(f"q.start() asks {', '.join(quote.supplier_names)}")
        elif (more := len(negotiations) - MOST_ROWS) > 0:
            lines.append(f'the first {MOST_ROWS}; {more} more, such as q["{negotiations[-1].id}"]')
        parts: list[RenderableType] = [Text(inert(line)) for line in lines]
        if positions:
            parts.append(positions_table(quote, positions))
        return Sheet(Group(*parts), tuple(positions), self._seen)

    def say(
        self,
        text: str | None = None,
        *,
        limits: Mapping[str, Any] | None = None,
        priorities: Mapping[str, int] | Priorities | None = None,
    ) -> Receipts:
        """Guide the brand's agent in all active negotiations; its next messages follow it.

        >>> q.say("Not above 6.30 now.", limits={"bottle.unit_price": "6.30"})

        Args:
            text: 1 to 4,000 characters; may be left out where anything else is given.
            limits: Changed limits by their keys: `unit_price`, with several lines
                `<line id>.unit_price`, `lead_time_days`, `payment`.
            priorities: `quality`, `cost`, `lead_time` and `payment_terms`, summing to 100.

        Returns:
            A receipt for each; it shows what has become of it whenever it is looked at.

        Raises:
            InterventionError: It has mistakes, or nobody is active; nothing was saved.
        """
        received = self._system.add_user_intervention(
            text, quote_id=self.id, limits=limits, priorities=priorities
        )
        return receipts_of(self._system, received)

    def continue_(self) -> Sheet:
        """Go on with all that wait for you, are parked, or were left over.

        Raises:
            NothingToContinue: All have ended or move by themselves.
        """
        self._system.continue_negotiation(quote_id=self.id)
        return self.status()

    def wait(self, timeout_s: float | None = None) -> Sheet:
        """Block until nothing moves by itself any more: ended, parked or waiting for you.

        Args:
            timeout_s: Longest wait, in seconds; None waits for ever, in the REPL 60 seconds.

        Raises:
            TimeoutError: Something still moved after `timeout_s`; it goes on.
            SystemHalted: Nothing can be saved any more, so nobody may speak.
        """
        self._system.wait(self.id, timeout_s)
        return self.status()

    async def ended(self, timeout_s: float | None = None) -> Sheet:
        """Do as `wait` does in a program with a loop of its own, which goes on meanwhile.

        >>> await q.ended()

        Giving it up, by cancelling it, ends nothing else.

        Raises:
            TimeoutError: Something still moved after `timeout_s` seconds; it goes on.
            SystemHalted: Nothing can be saved any more, so nobody may speak.
            SystemStopped: The system was stopped.
        """
        still = await asyncio.to_thread(self._system.when_still, self.id)
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.wrap_future(still)
        except TimeoutError:
            raise TimeoutError(f"something still moved after {timeout_s} s") from None
        return await asyncio.to_thread(self.status)

    def cancel(self) -> Sheet:
        """Cancel the quote; what is active of it ends as impasse, `cancelled`.

        Raises:
            QuoteEnded: It is completed or cancelled already.
        """
        self._system.cancel_quote(self.id)
        return self.status()

    def report(self, file: Path | str | None = None, *, private: bool = False) -> Path:
        """Write all that is known of it into one HTML file, and tell where that is.

        Args:
            file: Where to; None is `report-<quote id>.html` in the working folder.
            private: Whether it tells limits, targets, priorities and guidance, marked as private.

        Raises:
            ReportError: What draws it is not installed, or something else stands there.
        """
        from actors.report.page import write_report  # the others needn't wait for it

        place = None if file is None else Path(file)
        prices = self._system.prices
        return write_report(self._system, self.id, place, private=private, prices=prices)

    def __getitem__(self, which: str) -> NegotiationHandle:
        """The negotiation with one supplier: by the supplier's name or id, or by its own id.

        Raises:
            NotThere: There is none, or there are several of that name.
        """
        there = self._system.negotiations(self.id)
        found = [one for one in there if which in _keys(one)]
        if len(found) == 1:
            return NegotiationHandle(self._system, found[0].id, self._seen)
        if not there:
            raise NotThere(f"{self.id} has no negotiations yet: q.start() starts them")
        names = [one.supplier_id if found else one.supplier.name for one in found or there]
        what = "several suppliers are" if found else "no supplier is"
        raise NotThere(inert(f"{what} called {str(which)[:60]!r}: say {', '.join(names[:10])}"))

    def __iter__(self) -> Iterator[NegotiationHandle]:
        there = self._system.negotiations(self.id)
        return (NegotiationHandle(self._system, one.id, self._seen) for one in there)

    def __len__(self) -> int:
        return len(self._system.negotiations(self.id))

    def __repr__(self) -> str:
        return told(lambda: repr(self.status()), self.id)

    def _ipython_key_completions_(self) -> list[str]:
        return [one.supplier.name for one in self._system.negotiations(self.id)]


def _keys(negotiation: Negotiation) -> tuple[str, ...]:
    return negotiation.supplier.name, negotiation.supplier_id, negotiation.id
