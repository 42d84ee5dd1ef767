"""The money in terms and in mandates: what rules 2 and 8 look for in words."""

from __future__ import annotations

from decimal import Decimal

from storage.mandates import Mandate
from storage.records import Request, Terms


def amounts(terms: Terms, request: Request) -> frozenset[Decimal]:
    """All money in terms: unit prices, line totals, the total."""
    line_totals = [request.line_total(line, terms.unit_prices[line.id]) for line in request.lines]
    return frozenset({*terms.unit_prices.values(), *line_totals, sum(line_totals, Decimal(0))})


def private_amounts(mandate: Mandate, request: Request) -> frozenset[Decimal]:
    """A side's limits and targets, and what they come to for a line and for all of them."""
    targets = Terms(unit_prices={key: prices.target for key, prices in mandate.prices.items()})
    limits = Terms(unit_prices={key: prices.limit for key, prices in mandate.prices.items()})
    # a line of which none is ordered comes to nothing, which is no secret
    return (amounts(targets, request) | amounts(limits, request)) - {Decimal(0)}
