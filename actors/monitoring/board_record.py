"""The board for programs, named as the columns are."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from actors.monitoring.board import ENDED, STATUSES, Board, Row


def board_record(board: Board) -> dict[str, Any]:
    """All that is known from a log."""
    statuses = board.statuses()
    return {
        "state": board.state,
        "first_at": board.first_at,
        "last_at": board.last_at,
        "negotiations": [_row_record(row) for row in board.rows],
        "totals": {status: statuses[status] for status in STATUSES} | asdict(board.totals),
        "trouble": asdict(board.trouble) if board.trouble else None,
    }


def _row_record(row: Row) -> dict[str, Any]:
    return {
        "id": row.negotiation_id,
        "quote_id": row.quote_id,
        "supplier_id": row.supplier_id,
        "status": row.status if row.status in ENDED else "active",
        "state": row.status,
        "reason": row.doing or None if row.status == "impasse" else None,
        "rounds": row.rounds,
        "brand_offer": row.offers["brand"].last or None,
        "supplier_offer": row.offers["supplier"].last or None,
        "total": row.agreed or None,
        "currency": row.currency or None,
        "interventions": row.interventions,
        "last_error": row.error or None,
        "last_event_at": row.last_at,
    }
