"""All kinds of terms beside the unit prices, in canonical order."""

from __future__ import annotations

from typing import Any

from storage.terms.kind import TermKind
from storage.terms.lead_time import LeadTime
from storage.terms.payment import Payment

KINDS: tuple[TermKind[Any], ...] = (LeadTime(), Payment())


def kind_of(key: str) -> TermKind[Any]:
    """The kind with that name; KeyError when there is none."""
    for kind in KINDS:
        if kind.key == key:
            return kind
    raise KeyError(key)
