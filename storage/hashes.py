"""The hash chain: what makes damage and careless edits visible.

Each message's hash covers its columns and the hash before it, the first one `brief_hash`, which
covers all that was stored when the negotiation was created. A forger who can write the file can
also write new hashes: this is no signature.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import orjson

QUOTE_BRIEF = (
    "id",
    "currency",
    "notes",
    "priorities",
    "lines",
    "suppliers",
    "supplier_names",
    "payment_options",
    "mandate",
)
NEGOTIATION_BRIEF = (
    "id",
    "quote_id",
    "supplier_id",
    "supplier",
    "rules",
    "automatic",
    "brand_negotiator",
    "supplier_negotiator",
    "created_at",
)
MESSAGE_BODY = (
    "negotiation_id",
    "seq",
    "sender",
    "content",
    "move",
    "terms",
    "accepts_seq",
    "origin",
    "created_at",
)
NEGOTIATION_STATE = (
    "id",
    "quote_id",
    "supplier_id",
    "status",
    "reason",
    "rounds",
    "agreed_terms",
    "last_error",
    "mandate",
    "message_count",
    "last_hash",
    "last_message_at",
    "brief_hash",
    "created_at",
    "ended_at",
)
"""What `row_hash` covers; the columns of the brief are covered through `brief_hash`."""
INTERVENTION = (
    "id",
    "negotiation_id",
    "text",
    "limits",
    "priorities",
    "action",
    "accepts_seq",
    "status",
    "reason",
    "message_seq",
    "applied_seq",
    "created_at",
)

_message_body = itemgetter(*MESSAGE_BODY)
_negotiation_state = itemgetter(*NEGOTIATION_STATE)


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values are equal text."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _digest(*values: Any) -> str:
    return hashlib.sha256(orjson.dumps(values, option=orjson.OPT_SORT_KEYS)).hexdigest()


def quote_hash(quote: Mapping[str, Any]) -> str:
    """The hash over what a quote's negotiations depend on, from its row's columns."""
    return _digest([quote[c] for c in QUOTE_BRIEF])


def brief_hash(of_quote: str, negotiation: Mapping[str, Any]) -> str:
    """The hash over all that was stored at creation: the quote's hash and the row's columns."""
    return _digest(of_quote, [negotiation[c] for c in NEGOTIATION_BRIEF])


def message_hash(previous: str, message: Mapping[str, Any]) -> str:
    """The hash of a message row after the hash before it."""
    return _digest(previous, _message_body(message))


def row_hash(negotiation: Mapping[str, Any]) -> str:
    """The hash over a negotiation's changing columns."""
    return _digest(_negotiation_state(negotiation))


def intervention_hash(intervention: Mapping[str, Any]) -> str:
    """The hash over a settled intervention's columns."""
    # another program may have written bytes where text belongs
    columns = [intervention[c] for c in INTERVENTION]
    return _digest([repr(c) if isinstance(c, bytes) else c for c in columns])
