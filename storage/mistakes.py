"""What is wrong with something that a person wrote: a path and a line of plain words each.

Validation stops at the first error that a validator raises, so a validator that looks at several
parts collects what is wrong with them in `Mistakes`, and raises all of it together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

FieldPath = tuple[str | int, ...]
"""Keys of tables and places in lists, counted from 0."""

_OURS = "mistake"
_LONGEST_KEY = 60
"""Characters of an unknown key that are compared with the known ones."""

_WORDS = {
    "missing": "is missing: add it",
    "string_type": "expected text: write it in quotes",
    "string_too_short": "is empty: write something",
    "string_too_long": "is too long: write at most {max_length} characters",
    "path_type": "expected a path: write it in quotes",
    # ids are the only texts with a pattern
    "string_pattern_mismatch": "is no id: write 1 to 40 letters, digits, - or _",
    "greater_than": "is too small: write a number above {gt:g}",
    "greater_than_equal": "is too small: write {ge:g} or more",
    "less_than": "is too large: write a number below {lt:g}",
    "less_than_equal": "is too large: write {le:g} or less",
    "finite_number": "expected a finite number, such as 0.5",
    "tuple_type": "expected a list: write [ ] around it",
    "list_type": "expected a list: write [ ] around it",
    "model_type": "expected a table: write its keys in {{ }} or under its own [header]",
    "dict_type": "expected a table: write its keys in {{ }} or under its own [header]",
    "enum": "is none of those there are: choose {expected}",
    "invalid_key": "a key is no text: write it in quotes",
}
_WORDS_BY_BEGINNING = {
    "bool_": "expected true or false",
    "int_": "expected a whole number, such as 10",
    "float_": "expected a number, such as 0.5",
}


class Mistakes:
    """Collects what is wrong with the parts of something."""

    def __init__(self) -> None:
        self.found: list[tuple[FieldPath, str]] = []

    def add(self, words: str, *path: str | int) -> None:
        """Note a mistake of the part at `path`."""
        self.found.append((path, words))

    @contextmanager
    def at(self, *path: str | int, model: type[BaseModel] | None = None) -> Iterator[None]:
        """Note what the block raises as ValueError as mistakes of the part at `path`.

        Args:
            model: What the block reads, for the names of its keys.
        """
        try:
            yield
        except ValueError as error:
            for inner, words in mistakes_in(error, model):
                self.add(words, *path, *inner)

    def raise_any(self) -> None:
        """Raise all that was noted as one ValidationError, if there is something."""
        if self.found:
            errors = [_as_error(path, words) for path, words in self.found]
            raise ValidationError.from_exception_data(_OURS, errors, hide_input=True)


def _as_error(path: FieldPath, words: str) -> InitErrorDetails:
    mistake = PydanticCustomError(_OURS, "{words}", {"words": words})
    return {"type": mistake, "loc": path, "input": None}


def mistakes_in(
    error: ValueError, model: type[BaseModel] | None = None
) -> Iterator[tuple[FieldPath, str]]:
    """Every mistake that a ValueError tells of; none of them repeats what was written.

    Args:
        model: What was read, for the names of its keys.
    """
    if not isinstance(error, ValidationError):
        yield (), str(error)
        return
    for details in error.errors(include_url=False, include_input=False):
        yield details["loc"], _words(details, model)


def unknown_key(key: object, known: Iterable[str]) -> str:
    """The words for a key that nobody reads."""
    names = list(known)
    if not names:
        return "unknown key: leave it out"
    near = get_close_matches(str(key)[:_LONGEST_KEY], names, n=1)
    question = f"did you mean {near[0]}? " if near else ""
    return f"unknown key: {question}known are {', '.join(names)}"


def _words(details: ErrorDetails, model: type[BaseModel] | None) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == _OURS:
        return str(context["words"])
    if kind == "value_error":
        return str(context["error"])
    if kind == "extra_forbidden" and model is not None:
        *path, key = details["loc"]
        return unknown_key(key, _keys(_model_at(model, path)))
    if kind == "missing" and model is not None:
        return _WORDS[kind] + _other_name(_model_at(model, details["loc"][:-1]), details["loc"][-1])
    for beginning, words in _WORDS_BY_BEGINNING.items():
        if kind.startswith(beginning):
            return words
    known = _WORDS.get(kind)
    return details["msg"] if known is None else known.format_map(context)


def _model_at(model: type[BaseModel], path: Iterable[str | int]) -> type[BaseModel]:
    """The model that reads the part at `path`."""
    for part in path:
        # what is no field is a place in a list or a key of a mapping of such models
        if isinstance(part, str) and part in model.model_fields:
            model = next(_models_in(model.model_fields[part].annotation), model)
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models_in(inner)


def _keys(model: type[BaseModel]) -> Iterator[str]:
    for name in model.model_fields:
        yield from _names(model, name)


def _other_name(model: type[BaseModel], part: str | int) -> str:
    for name in model.model_fields:
        first, *others = _names(model, name)
        if first == part and others:
            return f", for a supplier as {others[0]}"
    return ""


def _names(model: type[BaseModel], field: str) -> list[str]:
    alias = model.model_fields[field].validation_alias
    return [str(name) for name in alias.choices] if isinstance(alias, AliasChoices) else [field]
