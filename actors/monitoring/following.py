"""Following: what `--follow` tells, a piece at a time, as whoever writes saves it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType

from actors.monitoring.bill import NO_BILL
from actors.monitoring.selection import Selection
from actors.monitoring.tables import (
    entry,
    outcome_line,
    outcome_record,
    public_quote,
    quote_line,
    receipt,
    standing,
)
from storage.database import readable
from storage.interventions import Intervention, InterventionId, InterventionStatus
from storage.records import NegotiationId, NegotiationStatus, Quote, QuoteId, QuoteStatus
from storage.store import Store

LOOK_S = 0.1
"""Seconds between two looks at a database."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A record, or what has become of it since it was told of."""

    noun: str
    record: Any
    """For programs, which get it under its noun."""
    view: RenderableType
    key: str
    """Which record it is, whatever has become of it."""
    is_selected: bool = True


@dataclass(frozen=True, slots=True)
class Sight:
    """What is to be seen now."""

    pieces: Iterable[Piece]
    is_over: bool
    """Whether no more can come."""


def follow(store: Store, record_id: str | None, selection: Selection) -> Iterator[Piece]:
    """What stands there, and then whatever is new or has changed, until no more can come.

    What has been selected once is told on: its last word must not be that it is still active.

    Args:
        record_id: A quote, a conversation or a receipt; None follows all quotes, without end.
        selection: Of quotes, or of a quote's negotiations.

    Raises:
        UnknownRecord: There is none with that id.
        InputError: The quote asks no supplier that is selected.
        DatabaseLost: The database has gone.
        DatabaseUnavailable: It can't be read now.
    """
    look = _look(store, record_id, selection)
    told: dict[str, Any] = {}
    for _ in _changes(store):
        sight = look()
        for piece in sight.pieces:
            if (piece.is_selected or piece.key in told) and told.get(piece.key) != piece.record:
                told[piece.key] = piece.record
                yield piece
        if sight.is_over:
            return


def _changes(store: Store) -> Iterator[None]:
    """Once at first, and then whenever another connection has committed."""
    with readable(store.path), store.connection():
        seen = None
        while True:
            store.check_place()
            # before anything is read: what is committed meanwhile is seen the next time
            version = store.data_version()
            if version != seen:
                seen = version
                yield
            time.sleep(LOOK_S)


def _look(store: Store, record_id: str | None, selection: Selection) -> Callable[[], Sight]:
    if record_id is None:
        return lambda: _quotes(store, selection)
    if record_id.startswith("i-"):
        return lambda: _receipt(store, InterventionId(record_id))
    if record_id.startswith("n-"):
        return _Conversation(store, NegotiationId(record_id)).look
    return lambda: _quote(store, QuoteId(record_id), selection)


def _quotes(store: Store, selection: Selection) -> Sight:
    with store.instant():
        quotes = store.quotes()
        chosen = {quote.id for quote in (selection.quotes(store) if selection else quotes)}
    return Sight((_of_quote(quote, is_selected=quote.id in chosen) for quote in quotes), False)


def _quote(store: Store, quote_id: QuoteId, selection: Selection) -> Sight:
    quote = store.quote(quote_id)
    negotiations = store.negotiations(quote_id)
    chosen = {each.id for each in selection.negotiations(quote, negotiations)}
    records = outcome_record(quote, negotiations)["negotiations"]
    pieces = [
        Piece("negotiation", record, outcome_line(quote, each), each.id, each.id in chosen)
        for each, record in zip(negotiations, records, strict=True)
    ]
    ended = quote.status in (QuoteStatus.COMPLETED, QuoteStatus.CANCELLED)
    return Sight(
        [*pieces, _of_quote(quote)],
        ended and all(one.status is not NegotiationStatus.ACTIVE for one in negotiations),
    )


def _of_quote(quote: Quote, *, is_selected: bool = True) -> Piece:
    return Piece("quote", public_quote(quote), quote_line(quote), quote.id, is_selected)


def _receipt(store: Store, intervention_id: InterventionId) -> Sight:
    one = store.intervention(intervention_id)
    return Sight([_of_receipt(one)], one.status is not InterventionStatus.RECEIVED)


def _of_receipt(one: Intervention) -> Piece:
    return Piece("intervention", one.model_dump(mode="json"), receipt(one), one.id)


class _Conversation:
    """Reads each message once, so that a long conversation costs no more than it is long."""

    def __init__(self, store: Store, negotiation_id: NegotiationId) -> None:
        self._store = store
        self._id = negotiation_id
        self._quote = store.quote(store.negotiation(negotiation_id).quote_id)
        self._seq = 0

    def look(self) -> Sight:
        """First whether it is over: what is saved after that is there all the same."""
        negotiation = self._store.negotiation(self._id)
        pieces = []
        for message in self._store.messages(self._id, after_seq=self._seq):
            self._seq = message.seq
            record = message.model_dump(mode="json")
            pieces.append(Piece("message", record, entry(self._quote, message), f"{message.seq}"))
        pieces += [_of_receipt(one) for one in self._store.interventions(self._id)]
        (record,) = outcome_record(self._quote, [negotiation], NO_BILL)["negotiations"]
        if negotiation.status is not NegotiationStatus.ACTIVE or negotiation.last_error:
            pieces.append(Piece("negotiation", record, standing(negotiation), self._id))
        return Sight(pieces, negotiation.status is not NegotiationStatus.ACTIVE)
