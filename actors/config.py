"""One frozen Config out of `config.toml`, the environment and the defaults in code."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from actors import defaults
from actors.errors import ConfigError, InputError
from storage.money import DECIMALS
from storage.records import Rules, Supplier
from storage.terms.kind import Record

FILE_NAME = "config.toml"


class Negotiators(Record):
    """Who decides what is said, by the catalog's names."""

    brand: str = "tactics"
    suppliers: str = "tactics"


class Config(BaseSettings):
    """Every setting; `PARLEY_…` in the environment goes before the file."""

    model_config = SettingsConfigDict(
        env_prefix="PARLEY_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    database: Path = Path("parley.db")
    negotiators: Negotiators = Negotiators()
    rules: Rules = Rules()
    suppliers: tuple[Supplier, ...] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment, then what the file says."""
        return env_settings, init_settings

    @field_validator("suppliers", mode="before")
    @classmethod
    def _default_suppliers(cls, raw: Any) -> Any:
        return raw or defaults.SUPPLIERS

    @field_validator("suppliers")
    @classmethod
    def _known_and_distinct(cls, suppliers: tuple[Supplier, ...]) -> tuple[Supplier, ...]:
        ids = [supplier.id for supplier in suppliers]
        if len(set(ids)) < len(ids):
            raise ValueError("two suppliers have the same id")
        for supplier in suppliers:
            if supplier.currency not in DECIMALS:
                raise ValueError(f"{supplier.id}: unknown currency {supplier.currency!r}")
        return suppliers


def load_config(path: Path | str | None = None) -> Config:
    """Load the config.

    Args:
        path: The file. None takes `config.toml` in the working folder, else the one beside
            `main.py`, else the defaults alone.

    Raises:
        ConfigError: The file is missing, no TOML, or has mistakes.
    """
    chosen = _find() if path is None else Path(path)
    fields = read_toml(chosen, ConfigError) if chosen else {}
    try:
        # validated with the rest, so that the defaults pass the same checks as a file
        return Config(**{"suppliers": (), **fields})
    except ValidationError as error:
        raise ConfigError(mistakes_of(error, str(chosen or "the environment"))) from None


def read_toml(path: Path, error_type: type[InputError]) -> dict[str, Any]:
    """Read a TOML file, or raise `error_type` with one clear line."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise error_type([f"can't read {path}: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise error_type([f"{path} is not valid TOML: {error}"]) from None


def mistakes_of(error: ValidationError, source: str) -> list[str]:
    """One line per mistake: the source, the field, what is wrong."""
    return [f"{source}: {_field(mistake)}{mistake['msg']}" for mistake in _each(error)]


def _each(error: ValidationError) -> list[Mapping[str, Any]]:
    return [dict(mistake) for mistake in error.errors(include_url=False, include_input=False)]


def _field(mistake: Mapping[str, Any]) -> str:
    path = ".".join(str(part) for part in mistake["loc"])
    return f"{path}: " if path else ""


def _find() -> Path | None:
    beside_main = Path(__file__).resolve().parent.parent / FILE_NAME
    return next((p for p in (Path(FILE_NAME), beside_main) if p.is_file()), None)
