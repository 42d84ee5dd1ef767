"""Answers: what a model returns, by one strict schema, and how it becomes a draft.

A server may take a schema and not keep it, so everything is read anew here, and the rules judge
what was read. Prices are text: in JSON numbers they would pass through floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from actors.mechanism.moves import Draft, Withheld
from actors.mechanism.ruling import Rule
from storage.records import Move
from storage.terms.kinds import KINDS

PRICE = r"^[0-9]{1,12}(\.[0-9]{1,6})?$"
LONGEST_ANSWER = 100_000
"""Characters of an answer that are looked at; no move needs as many."""

Schema = Mapping[str, Any]


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [dict(schema), {"type": "null"}]}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Every property is required: what does not apply is null."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


_PRICES = {
    "type": "array",
    "items": _object({"line": {"type": "string"}, "price": {"type": "string", "pattern": PRICE}}),
}

MOVE: Schema = _object(
    {
        "move": {"type": "string", "enum": [move.value for move in Move]},
        "text": {"type": "string"},
        "accepts_seq": _or_null({"type": "integer"}),
        "unit_prices": _or_null(_PRICES),
        **{kind.key: _or_null(kind.json_schema) for kind in KINDS},
    }
)
"""A move; a mapping of prices would be closed by strict servers, so it is a list of pairs."""

WORDING: Schema = _object({"text": {"type": "string"}})
"""The words for a move that is decided."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Price(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    line: str
    price: Annotated[str, Field(pattern=PRICE)]


class _Move(_Answer):
    move: str
    text: str
    accepts_seq: int | None
    unit_prices: list[_Price] | None


class _Wording(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    text: str


def read_move(content: str | None, finish_reason: str | None) -> Draft | Withheld:
    """Read a move; what is none comes back with the reason, and nothing in it is believed."""
    try:
        answer = _Move.model_validate(_json(content, finish_reason))
        others = _others(answer)
        prices = None if answer.unit_prices is None else _prices(answer.unit_prices)
    except ValueError as error:
        return _unreadable(error)
    terms = None
    if prices is not None or others:
        terms = {"unit_prices": prices, **others}
    return Draft(answer.move, answer.text, terms, answer.accepts_seq)


def read_wording(content: str | None, finish_reason: str | None) -> str | Withheld:
    """Read the words for a move."""
    try:
        return _Wording.model_validate(_json(content, finish_reason)).text
    except ValueError as error:
        return _unreadable(error)


def _json(content: str | None, finish_reason: str | None) -> Any:
    if finish_reason not in ("stop", None):
        raise ValueError(f"the answer was not finished: {finish_reason}")
    if not content or not content.strip():
        raise ValueError("the answer is empty")
    if len(content) > LONGEST_ANSWER:
        raise ValueError("the answer is far too long")
    try:
        return orjson.loads(_unfenced(content.strip()))
    except ValueError:
        raise ValueError("the answer is not one JSON object") from None


def _unfenced(content: str) -> str:
    """Without the Markdown fence that some models put around JSON, asked or not."""
    first, _, rest = content.partition("\n")
    if first.strip().lower() in ("```", "```json") and rest.endswith("```"):
        return rest.removesuffix("```")
    return content


def _others(answer: _Move) -> dict[str, Any]:
    """The values of the kinds beside price that are not null; the rules read them strictly."""
    extra = answer.__pydantic_extra__ or {}
    unknown = set(extra) - {kind.key for kind in KINDS}
    missing = {kind.key for kind in KINDS} - set(extra)
    if unknown or missing:
        wrong = "unknown" if unknown else "missing"
        raise ValueError(f"{', '.join(sorted(unknown or missing))}: {wrong}")
    return {key: value for key, value in extra.items() if value is not None}


def _prices(pairs: list[_Price]) -> dict[str, str]:
    prices = {pair.line: pair.price for pair in pairs}
    if len(prices) != len(pairs):
        raise ValueError("unit_prices: a line has two prices")
    return prices


def _unreadable(error: ValueError) -> Withheld:
    reason = str(error)
    if isinstance(error, ValidationError):
        places = {".".join(map(str, each["loc"])): each["msg"] for each in error.errors()}
        reason = "; ".join(f"{place}: {words}" for place, words in places.items())
    return Withheld(Rule.UNREADABLE, f"not by the schema: {reason}"[:500])
