"""Faults: what an audit finds in a database that must not be there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and where."""

    where: Mapping[str, str | int]
    """The ids of what is wrong, from the widest on: `{"negotiation_id": "n-…", "seq": 7}`."""
    what: str
    """In words that repeat nothing of what is stored: it may be private."""

    def __str__(self) -> str:
        """Such as `n-b43d7141bfe4c41b message 7: its hash is another than its columns'`."""
        ids = self.where.items()
        place = " ".join(f"message {one}" if key == "seq" else str(one) for key, one in ids)
        return f"{place or 'the database'}: {self.what}"


def at(**ids: Any) -> dict[str, str | int]:
    """Where something is; an id may have been damaged into anything."""
    return {key: one if isinstance(one, str | int) else repr(one) for key, one in ids.items()}
