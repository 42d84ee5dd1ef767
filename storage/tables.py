"""The tables: plain columns that another program can read with SQL, and how records become rows.

Ids are text, times ISO 8601 in UTC, lists and objects JSON; money stands only inside JSON, as text.
The models are bound to no database, so that several can be open in one process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from peewee import BooleanField, FloatField, IntegerField, Model, TextField
from pydantic import ValidationError

from storage.errors import DamagedRow
from storage.hashes import canonical
from storage.interventions import Intervention
from storage.records import Message, Negotiation, Quote
from storage.terms.kind import Record
from storage.terms.offered import Terms


class QuoteRow(Model):
    """The brand's requests."""

    id = TextField(primary_key=True)
    status = TextField()
    currency = TextField()
    notes = TextField()
    priorities = TextField()
    lines = TextField()
    suppliers = TextField()
    supplier_names = TextField()
    brought = TextField()
    payment_options = TextField()
    mandate = TextField()
    automatic = BooleanField()
    created_at = TextField()
    completed_at = TextField(null=True)

    class Meta:
        table_name = "quotes"


class NegotiationRow(Model):
    """One quote with one supplier each."""

    id = TextField(primary_key=True)
    quote_id = TextField()
    supplier_id = TextField()
    status = TextField()
    reason = TextField(null=True)
    rounds = IntegerField()
    agreed_terms = TextField(null=True)
    last_error = TextField(null=True)
    supplier = TextField()
    mandate = TextField()
    rules = TextField()
    automatic = BooleanField()
    brand_negotiator = TextField()
    supplier_negotiator = TextField()
    message_count = IntegerField()
    last_hash = TextField()
    last_message_at = TextField(null=True)
    brief_hash = TextField()
    row_hash = TextField()
    created_at = TextField()
    ended_at = TextField(null=True)

    class Meta:
        table_name = "negotiations"


class MessageRow(Model):
    """What was said."""

    id = IntegerField(primary_key=True)
    negotiation_id = TextField()
    seq = IntegerField()
    sender = TextField()
    content = TextField()
    move = TextField(null=True)
    terms = TextField(null=True)
    accepts_seq = IntegerField(null=True)
    origin = TextField()
    created_at = TextField()
    hash = TextField()

    class Meta:
        table_name = "messages"


class InterventionRow(Model):
    """What a person asked for, and what became of it."""

    id = TextField(primary_key=True)
    negotiation_id = TextField()
    text = TextField(null=True)
    limits = TextField(null=True)
    priorities = TextField(null=True)
    action = TextField(null=True)
    accepts_seq = IntegerField(null=True)
    status = TextField()
    reason = TextField(null=True)
    message_seq = IntegerField(null=True)
    applied_seq = IntegerField(null=True)
    row_hash = TextField(null=True)
    created_at = TextField()

    class Meta:
        table_name = "interventions"


class CallRow(Model):
    """The calls of models, failed ones too."""

    id = TextField(primary_key=True)
    quote_id = TextField()
    negotiation_id = TextField()
    draft_id = TextField()
    side = TextField()
    attempt = IntegerField()
    model = TextField()
    model_served = TextField(null=True)
    prompt_version = TextField()
    may_cost_tokens = IntegerField()
    prompt_tokens = IntegerField(null=True)
    completion_tokens = IntegerField(null=True)
    queued_s = FloatField()
    latency_s = FloatField(null=True)
    finish_reason = TextField(null=True)
    outcome = TextField(null=True)
    http_status = IntegerField(null=True)
    created_at = TextField()

    class Meta:
        table_name = "calls"


TABLES: tuple[type[Model], ...] = (QuoteRow, NegotiationRow, MessageRow, InterventionRow, CallRow)

JSON_COLUMNS: Mapping[type[Record], tuple[str, ...]] = {
    Quote: (
        "priorities",
        "lines",
        "suppliers",
        "supplier_names",
        "brought",
        "payment_options",
        "mandate",
    ),
    Negotiation: ("agreed_terms", "supplier", "mandate", "rules"),
    Message: ("terms",),
    Intervention: ("limits", "priorities"),
}

R = TypeVar("R", bound=Record)


def to_row(record: Record) -> dict[str, Any]:
    """The columns of a record, JSON already written."""
    row = record.model_dump(mode="json")
    for column, value in row.items():
        if isinstance(value, bool):
            row[column] = int(value)  # as SQLite keeps it, so that hashes are the rows' own
    for column in JSON_COLUMNS.get(type(record), ()):
        row[column] = to_json(row[column])
    return row


def terms_to_json(terms: Terms | None) -> str | None:
    """A column of terms, as `to_row` writes it, in less than half the time."""
    return None if terms is None else canonical(terms.written())


def to_json(value: Any) -> str | None:
    """A JSON column; None stays NULL."""
    return None if value is None else canonical(value)


def from_row(record_type: type[R], row: Mapping[str, Any]) -> R:
    """Read a row back into its record, every field checked.

    Raises:
        DamagedRow: The row was not written by us, or has been changed.
    """
    fields = dict(row)
    try:
        for column in JSON_COLUMNS.get(record_type, ()):
            if fields[column] is not None:
                fields[column] = json.loads(fields[column])
        return record_type.model_validate(fields)
    except (ValueError, RecursionError) as error:
        if isinstance(error, ValidationError):
            columns = sorted({str(each["loc"][0]) for each in error.errors() if each["loc"]})
        else:
            columns = [column]  # it is no JSON, or too deep
        # the values stay out of it: they may be private
        raise DamagedRow(record_type.__name__.lower(), str(row["id"]), columns) from None
