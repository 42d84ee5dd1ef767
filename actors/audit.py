"""Audit: whether all that must hold in a database does, while it is used or not.

It reads one negotiation after the other, each as of one instant, and nobody waits for it. What it
finds are faults, also where a row can't be read; it goes on with what is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TypeVar

from actors.mechanism.replay import replay
from actors.mechanism.settlement import settlement_faults
from storage.calls import Call
from storage.chain import chain_faults
from storage.errors import DamagedRow, DatabaseUnusable
from storage.faults import Fault, at
from storage.interventions import Intervention
from storage.records import Message, Negotiation, Quote, QuoteId
from storage.snapshot import Dossier, Row, Snapshot, read
from storage.standing import ending_faults, quote_faults
from storage.store import Store
from storage.tables import terms_to_json
from storage.terms.kind import Record

NOUNS = ("quotes", "negotiations", "messages", "interventions", "calls")
NOT_NEGATIVE = (
    *("may_cost_tokens", "prompt_tokens", "completion_tokens"),
    *("queued_s", "latency_s", "http_status"),
)
"""What can't be below 0 in a call."""

T = TypeVar("T")
R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Findings:
    """What an audit has looked at, and what is wrong."""

    counted: Mapping[str, int]
    """By table, the rows that were looked at."""
    faults: tuple[Fault, ...]


def audit(store: Store, quote_id: QuoteId | None = None) -> Findings:
    """Look at all of a database, or at the file and all of one quote.

    Raises:
        DatabaseUnavailable: It can't be read now, and trying again may help.
    """
    return _Audit(store, quote_id).findings()


class _Audit:
    def __init__(self, store: Store, quote_id: QuoteId | None) -> None:
        self._store = store
        self._only = quote_id
        """The quote that is looked at; None looks at all."""
        self._counted = Counter(dict.fromkeys(NOUNS, 0))
        self._faults: list[Fault] = []
        self._quote: tuple[Row, Quote] | None = None
        """The quote of the last negotiation: the next one's is most often the same."""

    def findings(self) -> Findings:
        """Look at all of it; once."""
        for told in self._seen(at(), Snapshot.damages) or ():
            self._faults.append(Fault(at(), f"the file is damaged: {told}"))
        for place in self._seen(at(table="quotes"), Snapshot.quotes, self._only) or ():
            found = self._seen(at(table="quotes", rowid=place), Snapshot.quote, place)
            if found is not None:
                self._look_at_quote(*found)
        places = self._seen(at(table="negotiations"), Snapshot.negotiations, self._only)
        for place in places or ():
            dossier = self._seen(at(table="negotiations", rowid=place), Snapshot.dossier, place)
            if dossier is not None:
                self._look_at(dossier)
        # what belongs to no row belongs to no quote
        for orphans in (self._seen(at(), Snapshot.orphans) or ()) if self._only is None else ():
            what = f"there is no such row, and {orphans.count} of {orphans.table} belong to it"
            self._faults.append(Fault(at(**{orphans.column: orphans.missing}), what))
        return Findings(dict(self._counted), tuple(self._faults))

    def _seen(
        self, where: Mapping[str, str | int], look: Callable[..., T | None], *place: object
    ) -> T | None:
        """What is there, as of one instant; None where the file is too damaged to tell."""
        try:
            with self._store.snapshot() as rows:
                return look(rows, *place)
        except DatabaseUnusable:
            self._faults.append(Fault(where, "the file is damaged there: restore it from a backup"))
            return None

    def _look_at_quote(self, row: Row, negotiations: Sequence[Row]) -> None:
        self._counted["quotes"] += 1
        quote = self._read(Quote, row, at(quote_id=row["id"]))
        if quote is not None:
            self._faults += quote_faults(quote, row, negotiations)

    def _look_at(self, dossier: Dossier) -> None:
        here = at(negotiation_id=dossier.negotiation["id"])
        self._counted["negotiations"] += 1
        for noun in ("messages", "interventions", "calls"):
            self._counted[noun] += len(getattr(dossier, noun))
        self._faults += chain_faults(dossier)
        self._faults += ending_faults(dossier)
        self._look_at_calls(dossier, here)
        interventions = self._interventions(dossier, here)
        messages = self._messages(dossier, here)
        negotiation = self._read(Negotiation, dossier.negotiation, here)
        quote = self._quote_of(dossier)
        if negotiation is None:
            return
        whole = len(messages) == len(dossier.messages)
        if whole:
            self._faults += settlement_faults(negotiation, messages, interventions)
        if quote is not None:
            self._faults += replay(quote, negotiation, messages, interventions, whole=whole)

    def _look_at_calls(self, dossier: Dossier, here: Mapping[str, str | int]) -> None:
        for row in dossier.calls:
            where = {**here, **at(call_id=row["id"])}
            call = self._read(Call, row, where)
            if call is None:
                continue
            if call.quote_id != dossier.negotiation["quote_id"]:
                self._faults.append(Fault(where, "its quote is not that of its negotiation"))
            figures = [getattr(call, name) or 0 for name in NOT_NEGATIVE]
            if call.attempt < 1 or not all(isfinite(each) and each >= 0 for each in figures):
                self._faults.append(Fault(where, "a number in it can't be"))

    def _interventions(self, dossier: Dossier, here: Mapping[str, str | int]) -> list[Intervention]:
        """Those that can be read; one that was refused because nobody could is no fault."""
        rows = [
            row
            for row in dossier.interventions
            if row["status"] != "refused" or row["message_seq"] is not None or _is_readable(row)
        ]
        found = [
            self._read(Intervention, row, {**here, **at(intervention_id=row["id"])}) for row in rows
        ]
        return [one for one in found if one is not None]

    def _messages(self, dossier: Dossier, here: Mapping[str, str | int]) -> list[Message]:
        """Those up to the first that is missing or that can't be read."""
        messages: list[Message] = []
        unbroken = True
        for row in dossier.messages:
            where = {**here, **at(seq=row["seq"])}
            message = self._read(Message, row, where)
            unbroken = unbroken and message is not None and row["seq"] == len(messages) + 1
            if message is None:
                continue
            if terms_to_json(message.terms) != row["terms"]:
                self._faults.append(Fault(where, "its terms are not written as terms are"))
            if unbroken:
                messages.append(message)
        return messages

    def _quote_of(self, dossier: Dossier) -> Quote | None:
        """Its quote; None where there is none that can be read, which is told with the quotes."""
        row = dossier.quote
        if row is None:
            return None
        if self._quote is None or self._quote[0] != row:
            try:
                self._quote = row, read(Quote, row)
            except DamagedRow:
                return None
        return self._quote[1]

    def _read(self, record_type: type[R], row: Row, where: Mapping[str, str | int]) -> R | None:
        try:
            return read(record_type, row)
        except DamagedRow as error:
            columns = ", ".join(error.columns) or "its columns"
            self._faults.append(Fault(where, f"it can't be read: {columns}"))
            return None


def _is_readable(row: Row) -> bool:
    try:
        read(Intervention, row)
    except DamagedRow:
        return False
    return True
