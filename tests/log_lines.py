"""Lines of a log, as a system writes them."""

from __future__ import annotations

import json
from typing import Any

QUOTE = "q-000000000000000a"


def ids(supplier: int, quote_id: str = QUOTE) -> dict[str, str]:
    return {
        "quote_id": quote_id,
        "negotiation_id": f"n-{supplier:016x}",
        "supplier_id": f"supplier-{supplier}",
    }


def line(event: str, second: float = 0, /, **facts: Any) -> dict[str, Any]:
    """What happened so many seconds after noon."""
    ts = f"2026-01-02T12:{int(second) // 60:02}:{second % 60:09.6f}Z"
    return {"ts": ts, "level": "info", "event": event, **facts}


def saved(supplier: int, sender: str, second: float = 0, /, **facts: Any) -> dict[str, Any]:
    """An offer of 500.00 in the first round, unless `facts` say otherwise."""
    usual = {"seq": 1, "move": "offer", "origin": "tactics", "rounds": 1, "total": "500.00"}
    told = {**ids(supplier), "sender": sender, **usual, "currency": "USD", **facts}
    return line("message.saved", second, **told)


def ended(supplier: int, second: float = 0, /, **facts: Any) -> dict[str, Any]:
    """Agreed, unless `facts` say otherwise."""
    told = {"status": "completed", "rounds": 1} | facts
    return line("negotiation.ended", second, **ids(supplier), **told)


def parked(supplier: int, error: str, second: float = 0, /) -> dict[str, Any]:
    return line("negotiation.parked", second, **ids(supplier), error=error, level="error")


def written(*lines: dict[str, Any]) -> bytes:
    """As they stand in a file."""
    return b"".join(json.dumps(each).encode() + b"\n" for each in lines)
