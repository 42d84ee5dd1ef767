"""Systems whose negotiators are models on the project's own server."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from factories import make_config, make_supplier
from model_server import ModelServer

from actors.config import Config
from actors.negotiators.model_settings import ModelSettings
from actors.system import NegotiationSystem
from storage.records import Negotiation, Supplier

KEY = "sk-parley-test-0123456789"
QUICK = {"retry_pause_s": 0.01, "longest_pause_s": 0.2, "attempt_timeout_s": 20.0}
"""So that what is tried again is tried soon."""


def model_config(
    server: ModelServer, suppliers: Iterable[Supplier] = (), *, rules: Any = None, **mistral: Any
) -> Config:
    """A config whose models are on that server."""
    settings = ModelSettings.model_validate({"server_url": server.url, **QUICK, **mistral})
    config = make_config(suppliers, **(rules or {}))
    return config.model_copy(update={"mistral": settings})


@contextmanager
def models(
    database: Path, config: Config, *, brand: Any = "mistral", suppliers: Any = "mistral"
) -> Iterator[NegotiationSystem]:
    """A system in which they play, with the key set."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MISTRAL_API_KEY", KEY)
        with NegotiationSystem.start(
            config,
            database=database,
            brand=brand,
            suppliers=suppliers,
            log_file=database.with_suffix(".jsonl"),
        ) as system:
            yield system


def negotiated(system: NegotiationSystem, quote: Any, timeout_s: float = 60) -> list[Negotiation]:
    """A quote's negotiations once nothing moves any more."""
    created = system.create_quote(quote)
    system.start_negotiations(created.id)
    return system.wait(created.id, timeout_s)


def rows(database: Path, sql: str, *values: Any) -> list[Any]:
    """What SQL finds; single columns as plain values."""
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute(sql, values).fetchall()
    return [row[0] if len(row) == 1 else row for row in found]


def three_suppliers() -> list[Supplier]:
    """Each with prices that nobody else has."""
    return [
        make_supplier(number, list_price=f"9.{number}3", floor=f"6.{number}7", standard=40 + number)
        for number in (1, 2, 3)
    ]
