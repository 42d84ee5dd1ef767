"""What a quote becomes when it is started: one negotiation per supplier, with all it needs."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime

from actors.config import Config, line_of
from actors.errors import QuoteError
from actors.quote_request import supplier_mistakes
from storage.records import (
    Negotiation,
    NegotiationId,
    NegotiationStatus,
    Quote,
    Supplier,
)


def open_negotiations(
    quote: Quote,
    config: Config,
    brand_negotiator: str,
    supplier_negotiator: Callable[[Supplier], str],
    now: datetime,
) -> list[Negotiation]:
    """Make the negotiations of a quote, in the order of its suppliers, before they are saved.

    Args:
        brand_negotiator: The name of who speaks for the brand.
        supplier_negotiator: Gives the name of who speaks for a supplier.
        now: When they are created.

    Raises:
        QuoteError: The config has changed, and a supplier can't be asked for this any more.
    """
    known = {supplier.id: supplier for supplier in (*config.suppliers, *quote.brought)}
    mistakes = supplier_mistakes(quote.suppliers, known, quote.lines, quote.currency)
    if mistakes:
        raise QuoteError([line_of(quote.id, ("suppliers",), words) for words in mistakes])
    suppliers = [known[supplier_id] for supplier_id in quote.suppliers]
    return [
        Negotiation(
            id=NegotiationId(f"n-{secrets.token_hex(8)}"),
            quote_id=quote.id,
            supplier_id=supplier.id,
            status=NegotiationStatus.ACTIVE,
            reason=None,
            rounds=0,
            agreed_terms=None,
            last_error=None,
            supplier=supplier,
            mandate=quote.mandate,
            rules=config.rules,
            automatic=quote.automatic,
            brand_negotiator=brand_negotiator,
            supplier_negotiator=supplier_negotiator(supplier),
            message_count=0,
            last_hash="",
            last_message_at=None,
            brief_hash="",
            row_hash="",
            created_at=now,
            ended_at=None,
        )
        for supplier in suppliers
    ]
