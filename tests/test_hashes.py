"""The hash chain: any change to what was stored shows, and nothing else does."""

from __future__ import annotations

from typing import Any

import pytest
from factories import NOON, make_intervention, make_negotiations, make_quote

from storage.hashes import (
    INTERVENTION,
    MESSAGE_BODY,
    NEGOTIATION_BRIEF,
    NEGOTIATION_STATE,
    QUOTE_BRIEF,
    brief_hash,
    canonical,
    intervention_hash,
    message_hash,
    quote_hash,
    row_hash,
)
from storage.interventions import Intervention
from storage.records import Message, Move, Negotiation, NegotiationId, Origin, Quote, Sender
from storage.tables import to_row

QUOTE = make_quote()
QUOTE_ROW = to_row(QUOTE)
NEGOTIATION_ROW = to_row(make_negotiations(QUOTE)[0])
MESSAGE_ROW = to_row(
    Message(
        id=1,
        negotiation_id=NegotiationId("n-1"),
        seq=1,
        sender=Sender.BRAND,
        content="Grüße",
        move=Move.TALK,
        terms=None,
        accepts_seq=None,
        origin=Origin.SCRIPT,
        created_at=NOON,
        hash="",
    )
)


def changed(row: dict[str, Any], column: str) -> dict[str, Any]:
    return row | {column: f"{row[column]} changed"}


def test_equal_values_are_equal_text_whatever_their_order() -> None:
    assert canonical({"b": [1, "ü"], "a": None}) == '{"a":null,"b":[1,"ü"]}'
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})


@pytest.mark.parametrize("column", MESSAGE_BODY)
def test_each_column_of_a_message_changes_its_hash(column: str) -> None:
    assert message_hash("0", changed(MESSAGE_ROW, column)) != message_hash("0", MESSAGE_ROW)


def test_the_hash_before_changes_a_messages_hash() -> None:
    assert message_hash("0", MESSAGE_ROW) != message_hash("1", MESSAGE_ROW)
    assert len(message_hash("0", MESSAGE_ROW)) == 64


@pytest.mark.parametrize("column", QUOTE_BRIEF)
def test_each_column_of_the_quotes_brief_changes_the_brief_hash(column: str) -> None:
    before, after = quote_hash(QUOTE_ROW), quote_hash(changed(QUOTE_ROW, column))

    assert brief_hash(after, NEGOTIATION_ROW) != brief_hash(before, NEGOTIATION_ROW)


@pytest.mark.parametrize("column", NEGOTIATION_BRIEF)
def test_each_column_of_the_negotiations_brief_changes_the_brief_hash(column: str) -> None:
    before = brief_hash("0", NEGOTIATION_ROW)

    assert brief_hash("0", changed(NEGOTIATION_ROW, column)) != before


@pytest.mark.parametrize("column", NEGOTIATION_STATE)
def test_each_changing_column_of_a_negotiation_changes_the_row_hash(column: str) -> None:
    assert row_hash(changed(NEGOTIATION_ROW, column)) != row_hash(NEGOTIATION_ROW)


def test_a_value_that_moves_to_the_next_column_changes_the_hash() -> None:
    moved = MESSAGE_ROW | {"content": "", "move": f"{MESSAGE_ROW['content']}{MESSAGE_ROW['move']}"}

    assert message_hash("0", moved) != message_hash("0", MESSAGE_ROW)


def test_every_column_but_keys_and_hashes_is_covered_by_some_hash() -> None:
    negotiation = {*NEGOTIATION_BRIEF, *NEGOTIATION_STATE}

    assert set(Negotiation.model_fields) - negotiation == {"row_hash"}
    assert set(Message.model_fields) - set(MESSAGE_BODY) == {"id", "hash"}
    # the first two are covered in each negotiation, the others change later
    assert set(Quote.model_fields) - set(QUOTE_BRIEF) == {
        *("brought", "automatic"),
        *("status", "created_at", "completed_at"),
    }


@pytest.mark.parametrize("column", INTERVENTION)
def test_each_column_of_an_intervention_changes_its_hash(column: str) -> None:
    row = to_row(make_intervention(text="Push.", limits={"unit_price": "6.40"}))

    assert intervention_hash(changed(row, column)) != intervention_hash(row)
    assert len(intervention_hash(row)) == 64


def test_every_column_of_an_intervention_but_its_hash_is_covered() -> None:
    assert set(Intervention.model_fields) - set(INTERVENTION) == {"row_hash"}
