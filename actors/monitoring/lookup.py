"""Lookup: what `show` tells of a record, by its id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from actors.inert import inert
from actors.monitoring.bill import Bill
from actors.monitoring.selection import Selection
from actors.monitoring.tables import outcome_record, outcomes, receipt, transcript
from actors.negotiators.model_settings import Prices
from storage.interventions import InterventionId
from storage.records import NegotiationId, QuoteId
from storage.store import Store

ALL = Selection()


@dataclass(frozen=True, slots=True)
class Found:
    """A record, for programs and for a terminal."""

    record: Any
    view: RenderableType


def look_up(
    store: Store, record_id: str, prices: Prices | None, selection: Selection = ALL
) -> Found:
    """A quote (`q-…`), a conversation with its receipts (`n-…`) or one receipt (`i-…`).

    Args:
        prices: What tokens cost; None shows no costs.
        selection: Which of a quote's negotiations.

    Raises:
        UnknownRecord: There is none with that id.
        InputError: The quote asks no supplier that is selected.
    """
    if record_id.startswith("i-"):
        intervention = store.intervention(InterventionId(record_id))
        return Found(intervention.model_dump(mode="json"), receipt(intervention))
    if record_id.startswith("n-"):
        return _conversation(store, NegotiationId(record_id), prices)
    quote = store.quote(QuoteId(record_id))
    negotiations = selection.negotiations(quote, store.negotiations(quote.id))
    bill = Bill(store.spending(quote.id), prices)
    ids = [Text(inert(f"{each.id}  {each.supplier_id}")) for each in negotiations]
    view = Group(outcomes(quote, negotiations, bill), *ids)
    return Found(outcome_record(quote, negotiations, bill), view)


def _conversation(store: Store, negotiation_id: NegotiationId, prices: Prices | None) -> Found:
    negotiation = store.negotiation(negotiation_id)
    messages = store.messages(negotiation_id)
    quote = store.quote(negotiation.quote_id)
    bill = Bill(store.spending(quote.id), prices)
    receipts = store.interventions(negotiation_id)
    (outcome,) = outcome_record(quote, [negotiation], bill)["negotiations"]
    record = {
        "negotiation": outcome,
        "messages": [message.model_dump(mode="json") for message in messages],
        "interventions": [one.model_dump(mode="json") for one in receipts],
    }
    return Found(record, transcript(quote, negotiation, messages, receipts, bill))
