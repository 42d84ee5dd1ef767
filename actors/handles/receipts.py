"""Receipts: what became of a person's guidance, looked up each time that it is shown."""

from __future__ import annotations

from actors.acting import Acting
from actors.handles.sheet import told
from actors.monitoring.tables import receipt
from storage.interventions import Intervention, InterventionId


class Receipt:
    """What became of one piece of guidance; it is looked up each time it is shown."""

    def __init__(self, system: Acting, intervention_id: InterventionId) -> None:
        self.id = intervention_id
        self._system = system

    @property
    def record(self) -> Intervention:
        """The intervention as it is saved now, or UnknownRecord."""
        return self._system.intervention(self.id)

    def __repr__(self) -> str:
        return told(lambda: receipt(self.record).plain, self.id)


class Receipts(tuple[Receipt, ...]):
    """Receipts, one for each negotiation, each on a line of its own."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(map(repr, self))


def receipts_of(system: Acting, received: Intervention | list[Intervention]) -> Receipts:
    """What a person gets for what they said."""
    rows = received if isinstance(received, list) else [received]
    return Receipts(Receipt(system, one.id) for one in rows)
