"""Methods: which calls of the face a peer can make, what they take, and what it gets back."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from enum import Enum
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, create_model

from actors.audit import Findings
from actors.config import line_of
from actors.monitoring.findings import findings_record
from actors.monitoring.tables import public_quote
from actors.stdio.protocol import CallFailed, Code
from actors.system import NegotiationSystem
from storage.calls import Spending
from storage.mistakes import mistakes_in
from storage.records import Negotiation, Quote
from storage.terms.kind import Record


class Lane(Enum):
    """Calls of one lane are done one after the other, in the order in which they came."""

    ACTING = "acting"
    """What changes something; it waits for commits."""
    READING = "reading"
    AUDITING = "auditing"
    """What takes long."""


LANES = {
    Lane.ACTING: (
        *("create_quote", "start_negotiations", "add_user_intervention"),
        *("continue_negotiation", "cancel_quote", "recover"),
    ),
    Lane.READING: (
        *("quotes", "quote", "negotiations", "negotiation", "messages"),
        *("interventions", "intervention", "calls", "spending"),
    ),
    Lane.AUDITING: ("verify",),
}


def _mapping_or_path(raw: Any) -> Any:
    if raw is not None and not isinstance(raw, dict | str):
        raise ValueError("expected an object with a quote's keys, or a TOML file's path as text")
    return raw


OF_JSON: dict[str, Any] = {
    "quote": Annotated[Any, AfterValidator(_mapping_or_path)],
    "timeout_s": Annotated[float, Field(ge=0, allow_inf_nan=False)] | None,
    **dict.fromkeys(("text", "limits", "priorities", "action", "accepts_seq"), Any),
}
"""Arguments that JSON can't say as Python does, or that the library reads itself, for it lists all
that is wrong with them; all others are as in its signatures."""


class Arguments:
    """What a method takes, by the names of the library, or by position where it allows for that."""

    def __init__(self, function: Callable[..., Any]) -> None:
        parameters = inspect.signature(function, eval_str=True).parameters.values()
        taken = [each for each in parameters if each.name != "self"]
        by_position = inspect.Parameter.POSITIONAL_OR_KEYWORD
        self.names = [each.name for each in taken]
        self._by_position = [each.name for each in taken if each.kind is by_position]
        fields: dict[str, Any] = {
            each.name: (
                OF_JSON.get(each.name, each.annotation),
                ... if each.default is inspect.Parameter.empty else each.default,
            )
            for each in taken
        }
        config = ConfigDict(strict=True, extra="forbid")
        self._model = create_model("Arguments", __config__=config, **fields)

    def read(self, params: Mapping[str, Any] | list[Any]) -> dict[str, Any]:
        """The arguments of a call, by name.

        Raises:
            CallFailed: They are not what the method takes; all mistakes are listed.
        """
        if isinstance(params, list):
            if len(params) > len(self._by_position):
                most = f"takes {len(self._by_position)} by position: name the others"
                raise _invalid([most])
            params = dict(zip(self._by_position, params, strict=False))
        try:
            read = self._model.model_validate(params)
        except ValidationError as error:
            found = mistakes_in(error, self._model)
            raise _invalid(line_of("", path, words) for path, words in found) from None
        return {name: getattr(read, name) for name in read.model_fields_set}


def _invalid(mistakes: Iterable[str]) -> CallFailed:
    listed = list(mistakes)
    return CallFailed(Code.INVALID_PARAMS, "; ".join(listed), mistakes=listed)


METHODS = {
    name: (lane, Arguments(getattr(NegotiationSystem, name)))
    for lane, names in LANES.items()
    for name in names
}
"""The methods that are the face's own, each with its lane."""


def as_json(value: Any) -> Any:
    """A result with the columns' names, without what is private to suppliers, as in `show`."""
    match value:
        case Quote():
            return public_quote(value)
        case Negotiation():
            return value.model_dump(mode="json", exclude={"supplier": {"private"}})
        case Record():
            return value.model_dump(mode="json")
        case Findings():
            return findings_record(value)
        case Spending():
            return asdict(value)
        case Mapping():
            return {key: as_json(each) for key, each in value.items()}
        case list() | tuple():
            return [as_json(each) for each in value]
        case _:
            return value
