"""A negotiation's row between two saves: what a message and an ending make of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.errors import UnknownRecord
from storage.hashes import row_hash
from storage.records import Ending, Sender
from storage.tables import terms_to_json


def known(states: Mapping[str, dict[str, Any]], negotiation_id: str) -> dict[str, Any]:
    """The state of one of them, or UnknownRecord."""
    try:
        return states[negotiation_id]
    except KeyError:
        raise UnknownRecord("negotiation", negotiation_id) from None


def not_before(state: Mapping[str, Any], now: str) -> str:
    """Now, but never before its last message, whatever the machine's clock does."""
    before: str = state["last_message_at"] or state["created_at"]
    return max(now, before)


def after(
    state: dict[str, Any], message: Mapping[str, Any], ending: Ending | None
) -> dict[str, Any]:
    """A negotiation's state after a message."""
    after = state | {
        "message_count": message["seq"],
        "rounds": state["rounds"] + (message["sender"] == Sender.SUPPLIER),
        "last_hash": message["hash"],
        "last_message_at": message["created_at"],
    }
    if ending is not None:
        return ended(after, ending, message["created_at"])
    return _hashed(after)


def ended(state: dict[str, Any], ending: Ending, at: str) -> dict[str, Any]:
    """A negotiation's state after its end."""
    return _hashed(
        state
        | {
            "status": ending.status,
            "reason": ending.reason,
            "agreed_terms": terms_to_json(ending.agreed_terms),
            "last_error": None,
            "ended_at": at,
        }
    )


def parked(state: dict[str, Any], error: str) -> dict[str, Any]:
    """A negotiation's state when nothing moves it any more."""
    return _hashed(state | {"last_error": error})


def _hashed(state: dict[str, Any]) -> dict[str, Any]:
    state["row_hash"] = row_hash(state)
    return state
