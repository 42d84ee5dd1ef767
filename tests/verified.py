"""What is wrong with a database by two who know nothing of each other: plain SQL, and `verify`."""

from __future__ import annotations

from pathlib import Path

import inspection

from actors.audit import audit
from storage.store import Store


def faults(database: Path) -> list[str]:
    """All that must never be on disk."""
    found = audit(Store(database, read_only=True)).faults
    return [
        *inspection.faults(database),
        *(f"verify: {fault.where} {fault.what}" for fault in found),
    ]
