"""The hash chain of one negotiation, checked over its rows as they stand.

What a record would not show, shows here: the hashes go over the stored columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from storage.faults import Fault, at
from storage.hashes import brief_hash, intervention_hash, message_hash, quote_hash, row_hash
from storage.snapshot import Dossier, Row

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
"""How every time is written, so that times are in order when their texts are."""


def chain_faults(dossier: Dossier) -> Iterator[Fault]:
    """Where a negotiation's rows are not as they were written."""
    yield from _negotiation_faults(dossier)
    yield from _message_faults(dossier)
    yield from _time_faults(dossier)
    for row in dossier.interventions:
        yield from _intervention_faults(row)


def _negotiation_faults(dossier: Dossier) -> Iterator[Fault]:
    row, messages = dossier.negotiation, dossier.messages
    here = at(negotiation_id=row["id"])
    if dossier.quote is not None:
        of_quote = quote_hash(_hashable(dossier.quote))
        if brief_hash(of_quote, _hashable(row)) != row["brief_hash"]:
            yield Fault(here, "what was stored at its creation, here or in its quote, has changed")
    if row_hash(_hashable(row)) != row["row_hash"]:
        yield Fault(here, "its columns have changed: they are not those of its row_hash")
    last = messages[-1] if messages else {"hash": row["brief_hash"], "created_at": None}
    for column, counted in (
        ("message_count", len(messages)),
        ("rounds", sum(message["sender"] == "supplier" for message in messages)),
        ("last_hash", last["hash"]),
        ("last_message_at", last["created_at"]),
    ):
        if row[column] != counted:
            yield Fault(here, f"its {column} is not that of its messages")


def _message_faults(dossier: Dossier) -> Iterator[Fault]:
    before, expected = _plain(dossier.negotiation["brief_hash"]), 1
    for row in dossier.messages:
        here = at(negotiation_id=dossier.negotiation["id"], seq=row["seq"])
        if row["seq"] != expected:
            yield Fault(here, f"message {expected} should stand here: one is missing or doubled")
        if message_hash(before, _hashable(row)) != row["hash"]:
            yield Fault(here, "its hash is not that of its columns and of the message before it")
        # a change shows where it is, and not in all that comes after it
        before = _plain(row["hash"])
        expected = row["seq"] + 1 if isinstance(row["seq"], int) else expected + 1


def _time_faults(dossier: Dossier) -> Iterator[Fault]:
    row = dossier.negotiation
    here = at(negotiation_id=row["id"])
    times = [(here, row["created_at"])]
    times += [(here | at(seq=one["seq"]), one["created_at"]) for one in dossier.messages]
    if row["ended_at"] is not None:
        times.append((here, row["ended_at"]))
    before = ""
    for where, time in times:
        if not isinstance(time, str) or not TIME.fullmatch(time):
            yield Fault(where, "a time is not written as times are")
            continue
        if time < before:
            yield Fault(where, "its time is before that of what came before it")
        before = time


def _intervention_faults(row: Row) -> Iterator[Fault]:
    here = at(negotiation_id=row["negotiation_id"], intervention_id=row["id"])
    if row["status"] == "received":
        if row["row_hash"] is not None:
            yield Fault(here, "it is received, but has the row_hash of one that is settled")
    elif intervention_hash(row) != row["row_hash"]:
        yield Fault(here, "its columns have changed: they are not those of its row_hash")


def _hashable(row: Row) -> dict[str, Any]:
    """A row of which a hash can be made; what is neither text nor a whole number changes it."""
    return {column: _plain(value) for column, value in row.items()}


def _plain(value: Any) -> Any:
    return repr(value) if isinstance(value, bytes | float) else value
