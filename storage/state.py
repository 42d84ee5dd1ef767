"""A negotiation's row between two saves: what a message and an ending make of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.errors import UnknownRecord
from storage.records import Ending, Sender
from storage.tables import to_json


def agreed_terms(ending: Ending) -> str | None:
    """The column of what was agreed."""
    return to_json(ending.agreed_terms and ending.agreed_terms.model_dump(mode="json"))


def known(states: Mapping[str, dict[str, Any]], negotiation_id: str) -> dict[str, Any]:
    """The state of one of them, or UnknownRecord."""
    try:
        return states[negotiation_id]
    except KeyError:
        raise UnknownRecord("negotiation", negotiation_id) from None


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
    return after if ending is None else ended(after, ending, message["created_at"])


def ended(state: dict[str, Any], ending: Ending, at: str) -> dict[str, Any]:
    """A negotiation's state after its end."""
    return state | {
        "status": ending.status,
        "reason": ending.reason,
        "agreed_terms": agreed_terms(ending),
        "last_error": None,
        "ended_at": at,
    }
