"""The money in terms and in mandates: what rules 2 and 8 look for in words."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from storage.mandates import LineId, Mandate
from storage.records import Request
from storage.terms.offered import Terms


def amounts(terms: Terms, request: Request) -> frozenset[Decimal]:
    """All money in terms: unit prices, line totals, the total."""
    return _amounts(terms.unit_prices, request)


def private_amounts(mandate: Mandate, request: Request) -> frozenset[Decimal]:
    """A side's limits and targets, and what they come to for a line and for all of them."""
    targets = {line_id: prices.target for line_id, prices in mandate.prices.items()}
    limits = {line_id: prices.limit for line_id, prices in mandate.prices.items()}
    # a line of which none is ordered comes to nothing, which is no secret
    return (_amounts(targets, request) | _amounts(limits, request)) - {Decimal(0)}


def _amounts(unit_prices: Mapping[LineId, Decimal], request: Request) -> frozenset[Decimal]:
    line_totals = [request.line_total(line, unit_prices[line.id]) for line in request.lines]
    return frozenset({*unit_prices.values(), *line_totals, sum(line_totals, Decimal(0))})
