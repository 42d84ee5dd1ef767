"""Outcomes, quotes and transcripts, for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO
from shutil import get_terminal_size
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from actors.inert import inert
from actors.monitoring.bill import NO_BILL, Bill
from actors.monitoring.selection import status_of
from storage.interventions import Intervention
from storage.money import money_words
from storage.records import Line, Message, Negotiation, Quote, Request, Sender, write_time
from storage.terms.kinds import KINDS
from storage.terms.offered import Terms

STATUS_STYLES = {"completed": "green", "impasse": "yellow", "active": "cyan", "parked": "red"}
MOST_IN_A_CELL = 5
"""Lines or suppliers of a quote that a row of many quotes names."""
SENDER_STYLES = {Sender.BRAND: "bold cyan", Sender.SUPPLIER: "bold magenta", Sender.USER: "bold"}


def outcomes(
    quote: Quote, negotiations: Sequence[Negotiation], bill: Bill = NO_BILL
) -> RenderableType:
    """A quote's negotiations side by side, in the order of its suppliers: nobody is recommended."""
    state = Column("status", min_width=9)
    table = Table("supplier", state, "reason", _right("rounds"), "terms", _right("total"))
    if bill.spending:
        table.add_column("models", justify="right", no_wrap=True)
    for negotiation in negotiations:
        status = status_of(negotiation)
        agreed = negotiation.agreed_terms
        table.add_row(
            Text(inert(negotiation.supplier.name)),
            Text(status, style=STATUS_STYLES[status]),
            Text(inert(negotiation.reason or negotiation.last_error or "")),
            str(negotiation.rounds),
            Text(terms_text(quote.request, agreed) if agreed else ""),
            Text(money_words(quote.request.total(agreed), quote.currency) if agreed else ""),
            *(["\n".join(bill.words(negotiation.id))] if bill.spending else []),
        )
    return table


def quotes_table(quotes: Iterable[Quote]) -> RenderableType:
    """Quotes, in the order in which they come; of what is long only the beginning."""
    table = Table(Column("quote", no_wrap=True), "status", "created", "lines", "suppliers")
    for quote in quotes:
        table.add_row(
            Text(inert(quote.id)),
            quote.status.value,
            f"{quote.created_at:%Y-%m-%d %H:%M}Z",
            Text(inert(_some([_line(line) for line in quote.lines]))),
            Text(inert(_some(quote.suppliers))),
        )
    return table


def outcome_line(quote: Quote, negotiation: Negotiation) -> Text:
    """Where a negotiation of a quote stands, on one line."""
    line = Text(inert(f"{negotiation.supplier.name}: "))
    status = status_of(negotiation)
    line.append(status, style=STATUS_STYLES[status])
    line.append(f" after {negotiation.rounds} round{'s' if negotiation.rounds != 1 else ''}")
    if agreed := negotiation.agreed_terms:
        total = money_words(quote.request.total(agreed), quote.currency)
        line.append(f": {terms_text(quote.request, agreed)} = {total}")
    elif why := negotiation.reason or negotiation.last_error:
        line.append(f": {inert(why)}")
    return line


def quote_line(quote: Quote) -> Text:
    """Where a quote stands, on one line: `q-… negotiating: 5000 × Steel bottle…`."""
    return Text(inert(f"{quote.id} {quote.status}: {_asked(quote)}"))


def transcript(
    quote: Quote,
    negotiation: Negotiation,
    messages: Iterable[Message],
    receipts: Iterable[Intervention] = (),
    bill: Bill = NO_BILL,
) -> RenderableType:
    """A negotiation's conversation, message by message, and its receipts below."""
    parts: list[RenderableType] = [standing(negotiation)]
    parts += [entry(quote, message) for message in messages]
    lines = [receipt(each) for each in receipts]
    if spent := bill.words(negotiation.id):
        lines.append(Text(f"models: {', '.join(spent)}", style="dim"))
    return Group(*parts, *([Text(""), *lines] if lines else []))


def standing(negotiation: Negotiation) -> Text:
    """Where a negotiation stands, on one line: `n-… with Supplier 2: impasse max_rounds`."""
    why = negotiation.reason or negotiation.last_error or ""
    with_whom = f"{negotiation.id} with {negotiation.supplier.name}"
    return Text(inert(f"{with_whom}: {status_of(negotiation)} {why}".strip()), style="bold")


def entry(quote: Quote, message: Message) -> RenderableType:
    """One message of a conversation, below an empty line."""
    title = Text(f"\n{message.seq}  ", style="dim")
    title.append(message.sender.value, style=SENDER_STYLES[message.sender])
    move = f"  {message.move}" if message.move else ""
    accepted = f" of {message.accepts_seq}" if message.accepts_seq else ""
    title.append(f"{move}{accepted}  ({message.origin})  {write_time(message.created_at)}")
    parts = [title, Text(inert(message.content, lines=True))]
    if message.terms is not None:
        parts.append(Text(terms_text(quote.request, message.terms), style="dim"))
    return Group(*parts)


def receipt(intervention: Intervention) -> Text:
    """What became of an intervention, on one line: `i-… message 4: applied, message 5 follows`."""
    asked = f" message {intervention.message_seq}" if intervention.message_seq else ""
    answer = f", message {intervention.applied_seq} follows" if intervention.applied_seq else ""
    why = f" ({intervention.reason})" if intervention.reason else ""
    return Text(inert(f"{intervention.id}{asked}: {intervention.status}{answer}{why}"))


def terms_text(request: Request, terms: Terms) -> str:
    """All terms on one line: `bottle 6.40, lid 0.90; 35 days; 30/70`."""
    prices = ", ".join(f"{line.id} {terms.unit_prices[line.id]}" for line in request.lines)
    return "; ".join([prices, *(kind.words(terms[kind.key]) for kind in KINDS)])


def outcome_record(
    quote: Quote, negotiations: Iterable[Negotiation], bill: Bill = NO_BILL
) -> dict[str, Any]:
    """A quote and its outcomes for programs, named as the columns are."""
    names = {"id", "supplier_id", "status", "reason", "rounds", "agreed_terms", "last_error"}
    return {
        "quote": public_quote(quote),
        "negotiations": [
            {
                **negotiation.model_dump(mode="json", include=names),
                "total": str(quote.request.total(agreed))
                if (agreed := negotiation.agreed_terms)
                else None,
                **bill.record(negotiation.id),
            }
            for negotiation in negotiations
        ],
    }


def public_quote(quote: Quote) -> dict[str, Any]:
    """A quote without what is private to its suppliers."""
    return quote.model_dump(mode="json", exclude={"brought"})


def as_text(view: RenderableType) -> str:
    """A view as plain text, as wide as the terminal, or 80 characters where there is none."""
    written = StringIO()
    console(file=written, width=get_terminal_size().columns, color_system=None).print(view)
    lines = written.getvalue().rstrip().split("\n")
    return "\n".join(line.rstrip() for line in lines)


def console(**options: Any) -> Console:
    """A terminal that takes nothing in our text for markup."""
    return _PlainConsole(markup=False, emoji=False, highlight=False, **options)


class _PlainConsole(Console):
    """Leaves it to the command line what a reader who has gone away means."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def _asked(quote: Quote) -> str:
    return ", ".join(map(_line, quote.lines))


def _line(line: Line) -> str:
    return f"{line.quantity} × {line.product}"


def _some(parts: Sequence[str]) -> str:
    """As many as a cell has room for: a hundred would fill the screen with one row."""
    more = len(parts) - MOST_IN_A_CELL
    return ", ".join(parts[:MOST_IN_A_CELL]) + (f" and {more} more" if more > 0 else "")


def _right(title: str) -> Column:
    return Column(title, justify="right", no_wrap=True)
