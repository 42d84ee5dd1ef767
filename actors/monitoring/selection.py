"""Selection: which of many a person wants to see, by status and supplier."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from actors.errors import InputError
from storage.records import Negotiation, Quote, is_parked
from storage.store import Store


@dataclass(frozen=True, slots=True)
class Selection:
    """Empty, it takes everything; several of one kind are alternatives."""

    statuses: Sequence[str] = ()
    """As tables show them: of a negotiation also `parked`, which then is not `active`."""
    suppliers: Sequence[str] = ()
    """By id or by name."""

    def __bool__(self) -> bool:
        return bool(self.statuses or self.suppliers)

    def quotes(self, store: Store, newest: int | None = None) -> list[Quote]:
        """Those in one of the statuses that ask one of the suppliers, oldest first.

        Args:
            newest: At most so many, and of these the newest; None takes all.
        """
        return store.quotes(statuses=self.statuses, suppliers=self.suppliers, newest=newest)

    def count(self, store: Store) -> int:
        """How many quotes those are."""
        return store.count_quotes(statuses=self.statuses, suppliers=self.suppliers)

    def negotiations(self, quote: Quote, negotiations: Iterable[Negotiation]) -> list[Negotiation]:
        """Those of a quote that are in one of the statuses, with one of the suppliers.

        Raises:
            InputError: The quote asks no such supplier.
        """
        asked = {*quote.suppliers, *quote.supplier_names}
        if unknown := [name for name in self.suppliers if name not in asked]:
            there_are = ", ".join(quote.suppliers)
            raise InputError(
                [f"--supplier: the quote does not ask {name!r}: {there_are}" for name in unknown]
            )
        return [
            each
            for each in negotiations
            if _among(self.statuses, status_of(each))
            and _among(self.suppliers, each.supplier_id, each.supplier.name)
        ]


def status_of(negotiation: Negotiation) -> str:
    """As tables show it: `parked` where nothing moves it by itself."""
    return "parked" if is_parked(negotiation) else negotiation.status.value


def _among(wanted: Sequence[str], *found: str) -> bool:
    return not wanted or any(each in wanted for each in found)
