"""One frozen Config out of `config.toml`, the environment and the defaults in code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)

from actors import defaults
from actors.environment import read_environment
from actors.errors import ConfigError
from actors.log.settings import LogSettings
from actors.negotiators.model_settings import ModelSettings
from actors.negotiators.names import known_negotiator
from actors.toml_file import read_toml
from storage.mistakes import FieldPath, Mistakes, mistakes_in
from storage.records import Line, Supplier
from storage.rules import Rules
from storage.terms.kind import Record

FILE_NAME = "config.toml"
ENVIRONMENT = "environment"
LONGEST_KEY_SHOWN = 60
"""Characters after which a key is cut in a message about it."""

Negotiator = Annotated[str, AfterValidator(known_negotiator)]


def _spoken_for(supplier: Supplier) -> Supplier:
    mistakes = Mistakes()
    with mistakes.at("private", "negotiator"):
        if supplier.private.negotiator is not None:
            known_negotiator(supplier.private.negotiator)
    mistakes.raise_any()
    return supplier


def distinct(model: type[Supplier] | type[Line]) -> WrapValidator:
    """Has a list of such records refused when two have the same id, whatever else is wrong."""

    def read(raw: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        mistakes = Mistakes()
        with mistakes.at(model=model):
            records = handler(raw)
        seen: set[str] = set()
        for place, record_id in ids_in(raw).items():
            if record_id in seen:
                mistakes.add("is another one's too: give each an id of its own", place, "id")
            seen.add(record_id)
        mistakes.raise_any()
        return records

    return WrapValidator(read)


def ids_in(raw: object) -> dict[int, str]:
    """The ids in a list of records that may not be read yet, by their places in it."""
    ids: dict[int, str] = {}
    for place, item in enumerate(raw if isinstance(raw, list | tuple) else ()):
        record_id = item.get("id") if isinstance(item, Mapping) else getattr(item, "id", None)
        if isinstance(record_id, str):
            ids[place] = record_id
    return ids


Suppliers = Annotated[
    tuple[Annotated[Supplier, AfterValidator(_spoken_for)], ...], distinct(Supplier)
]
"""With different ids, and negotiators that there are."""


class Negotiators(Record):
    """Who decides what is said, by the catalog's names."""

    brand: Negotiator = "tactics"
    suppliers: Negotiator = "tactics"


class Config(Record):
    """Every setting."""

    database: Path = Path("parley.db")
    negotiators: Negotiators = Negotiators()
    rules: Rules = Rules()
    mistral: ModelSettings = ModelSettings()
    log: LogSettings = LogSettings()
    suppliers: Suppliers = ()

    @field_validator("database")
    @classmethod
    def _names_a_file(cls, database: Path) -> Path:
        if not database.name or "\0" in str(database):
            raise ValueError("is no file: name one, such as parley.db")
        return database

    @field_validator("suppliers", mode="before")
    @classmethod
    def _default_suppliers(cls, raw: Any) -> Any:
        return defaults.SUPPLIERS if raw in ((), []) else raw


def load_config(path: Path | str | None = None) -> Config:
    """Load the config; `PARLEY_…` in the environment goes before the file.

    Args:
        path: The file. None takes `config.toml` in the working folder, else the one beside
            `main.py`, else the defaults alone.

    Raises:
        ConfigError: The file is missing, no TOML, or has mistakes, or the environment has; all
            are listed.
    """
    chosen = _find() if path is None else Path(path)
    lines: list[str] = []
    fields: dict[str, Any] = {}
    try:
        fields = read_toml(chosen, ConfigError) if chosen else {}
    except ConfigError as error:
        lines += error.mistakes
    unset = Mistakes()
    environment = read_environment(os.environ, Config, unset)
    lines += [line_of(ENVIRONMENT, field, words) for field, words in unset.found]
    try:
        # validated with the rest, so that the defaults pass the same checks as a file
        config = Config.model_validate({"suppliers": (), **environment.over(fields)})
    except ValidationError as error:
        for field, words in mistakes_in(error, Config):
            variable = environment.named(field)
            source = str(chosen) if variable is None else ENVIRONMENT
            lines.append(line_of(source, variable or field, words))
    if lines:
        raise ConfigError(lines)
    return config


def line_of(source: str, path: FieldPath, words: str) -> str:
    """A mistake as a person reads it: the source, the field, what is wrong and what to do."""
    field = ".".join(_shown(str(part)) for part in path)
    return ": ".join(part for part in (source, field, words) if part)


def _shown(key: str) -> str:
    return key if len(key) <= LONGEST_KEY_SHOWN else f"{key[:LONGEST_KEY_SHOWN]}…"


def _find() -> Path | None:
    beside_main = Path(__file__).resolve().parent.parent / FILE_NAME
    return next((p for p in (Path(FILE_NAME), beside_main) if p.is_file()), None)
