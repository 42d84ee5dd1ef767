"""The rows of interventions: written when they are received, and settled once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from peewee import SqliteDatabase

from storage.database import read_rows, run
from storage.errors import DamagedRow, UnknownRecord
from storage.hashes import intervention_hash
from storage.interventions import Intervention, InterventionStatus, Unreadable
from storage.records import NegotiationId
from storage.statements import (
    INSERT_INTERVENTIONS,
    SELECT_INTERVENTION,
    SELECT_INTERVENTIONS,
    SELECT_RECEIVED,
    SELECT_RECEIVED_BY,
)
from storage.tables import InterventionRow, from_row, to_row


class Receipts:
    """The table `interventions` of one database; used inside the store's transactions."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    def add(self, interventions: Iterable[Intervention]) -> None:
        """Save new ones."""
        rows = [to_row(intervention) for intervention in interventions]
        INSERT_INTERVENTIONS.save(self._database, rows)

    def one(self, intervention_id: str) -> Intervention:
        """One of them, or UnknownRecord, or DamagedRow."""
        rows = read_rows(self._database, SELECT_INTERVENTION, str(intervention_id))
        if not rows:
            raise UnknownRecord("intervention", intervention_id)
        return from_row(Intervention, rows[0])

    def of(self, negotiation_id: NegotiationId) -> tuple[Intervention, ...]:
        """All of a negotiation, oldest first, but for new rows that can't be read."""
        rows = read_rows(self._database, SELECT_INTERVENTIONS, negotiation_id)
        found = [_read(row) for row in rows]
        return tuple(one for one in found if isinstance(one, Intervention))

    def received(self) -> list[Intervention | Unreadable]:
        """All that are not settled yet, oldest first.

        A damaged one that is a user message already shows when its negotiation is loaded.
        """
        found = []
        for row in read_rows(self._database, SELECT_RECEIVED):
            with suppress(DamagedRow):
                found.append(_read(row))
        return found

    def settle(self, intervention_id: str, **changes: Any) -> Intervention | None:
        """Write what became of one that is still `received`; None when it was settled before."""
        rows = read_rows(self._database, SELECT_INTERVENTION, intervention_id)
        if not rows or rows[0]["status"] != InterventionStatus.RECEIVED:
            return None
        row = rows[0] | changes
        if row["status"] != InterventionStatus.RECEIVED:
            row["row_hash"] = changes["row_hash"] = intervention_hash(row)
        query = InterventionRow.update(changes).where(InterventionRow.id == intervention_id)
        query.bind(self._database).execute()
        settled = _read(row)
        return settled if isinstance(settled, Intervention) else None

    def refuse_all(self, negotiation_id: str, reason: str) -> tuple[Intervention, ...]:
        """Refuse all of a negotiation that are still `received`, because it has ended."""
        found = run(self._database, SELECT_RECEIVED_BY, negotiation_id).fetchall()
        settled = [self.settle(own_id, status="refused", reason=reason) for (own_id,) in found]
        return tuple(one for one in settled if one is not None)


def _read(row: Mapping[str, Any]) -> Intervention | Unreadable:
    try:
        if no_text := sorted(name for name, value in row.items() if isinstance(value, bytes)):
            raise DamagedRow("intervention", str(row["id"]), no_text)
        return from_row(Intervention, row)
    except DamagedRow as error:
        if row["message_seq"] is not None:
            raise  # the conversation depends on it
        where = ", ".join(error.columns) or "its columns"
        return Unreadable(
            id=str(row["id"]),
            negotiation_id=str(row["negotiation_id"]),
            reason=f"it can't be read: {where}",
        )
