"""Settings out of the environment: `PARLEY_RULES__MAX_ROUNDS` is `max_rounds` under `[rules]`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from storage.mistakes import FieldPath, Mistakes, unknown_key

PREFIX = "PARLEY_"


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable that may be set."""

    name: str
    path: tuple[str, ...]
    """Where the setting stands in the config."""
    is_json: bool
    """Whether it holds a list or a table, as JSON."""


def variables(
    model: type[BaseModel], prefix: str = PREFIX, path: tuple[str, ...] = ()
) -> Iterator[Variable]:
    """All variables of a config, a table before what stands in it."""
    for field, info in model.model_fields.items():
        name, inner = f"{prefix}{field.upper()}", (*path, field)
        kind = _without_none(info.annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield Variable(name, inner, is_json=True)
            yield from variables(kind, f"{name}__", inner)
        else:
            yield Variable(name, inner, is_json=get_origin(kind) is tuple)


def _without_none(kind: Any) -> Any:
    """The one type of what may also be None."""
    kinds = [inner for inner in get_args(kind) if inner is not NoneType]
    return kinds[0] if isinstance(kind, UnionType) and len(kinds) == 1 else kind


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment says."""

    values: tuple[tuple[Variable, Any], ...]

    def over(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a config, those that the environment sets replaced."""
        for variable, value in self.values:
            fields = _with(fields, variable.path, value)
        return dict(fields)

    def named(self, path: FieldPath) -> FieldPath | None:
        """The variable that the part at `path` comes from, and the rest; None when from none."""
        for variable, _ in reversed(self.values):
            depth = len(variable.path)
            if path[:depth] == variable.path:
                return (variable.name, *path[depth:])
        return None


def read_environment(
    environment: Mapping[str, str], model: type[BaseModel], mistakes: Mistakes
) -> Environment:
    """Read the variables that begin with `PARLEY_`, and note those that are no setting."""
    known = {variable.name: variable for variable in variables(model)}
    for name in environment:
        if name.startswith(PREFIX) and name not in known:
            mistakes.add(unknown_key(name, known), name)
    values: list[tuple[Variable, Any]] = []
    for name, variable in known.items():
        text = environment.get(name)
        if text is None:
            continue
        try:
            values.append((variable, json.loads(text) if variable.is_json else text))
        except (ValueError, RecursionError):
            # what stands there may be private, so it is not repeated
            mistakes.add("is no JSON: write a table as {…} or a list as […]", name)
    return Environment(tuple(values))


def _with(fields: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    first, *rest = path
    below = fields.get(first, {})
    if isinstance(below, Mapping) and (rest or isinstance(value, Mapping)):
        inner = {tuple(rest): value} if rest else {(key,): each for key, each in value.items()}
        for inner_path, each in inner.items():
            below = _with(below, inner_path, each)
        return {**fields, first: below}
    # a setting in a file's table that is none would hide that mistake
    return {**fields, first: below if rest else value}
