"""What is negotiated while engines are killed: quotes for twenty suppliers, and how they read."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from factories import quote_fields
from keepsake import Keepsake, Row, taken

from actors.config import load_config
from actors.quote_request import new_quote, read_quote_request
from actors.system import NegotiationSystem
from storage.store import Store, utc_now

SUPPLIERS = 20
PATIENCE_S = 120.0
"""What takes longer has failed."""
FIELDS = quote_fields(target="5.00", limit="7.40")
CONFIG = """\
[rules]
max_rounds = 8
"""
SUPPLIER = """
[[suppliers]]
id = "supplier-{number}"
name = "Supplier {number}"
quality = {quality}
currency = "USD"
[suppliers.private]
lead_time_days = {{ standard = {standard}, shortest = {shortest}, day_cost = "40.00" }}
payment = {payment}
style = {{ voice = "{voice}", hard = {hard} }}
[suppliers.private.prices]
Widget = {{ list = "{listed}", floor = "{floor}" }}
"""
COLUMNS = ("seq", "sender", "content", "move", "terms", "accepts_seq", "origin")
ENDINGS = ("status", "reason", "agreed_terms", "rounds")


def config_file(folder: Path) -> Path:
    """Twenty suppliers, no two alike; with some no deal is possible."""
    dice = random.Random("suppliers")
    suppliers = [
        SUPPLIER.format(
            number=number,
            quality=dice.choice([3.5, 4.0, 4.7]),
            standard=dice.randint(34, 50),
            shortest=dice.randint(20, 33),
            payment=dice.choice(['["30/70"]', '["net 30", "30/70"]', '["33/33/33", "30/70"]']),
            voice=dice.choice(["plain", "warm", "formal", "brisk"]),
            hard=dice.choice([0.4, 0.6, 0.8]),
            listed=f"{dice.uniform(8.2, 9.5):.2f}",
            floor=f"{dice.uniform(5.5, 7.9):.2f}",
        )
        for number in range(1, SUPPLIERS + 1)
    ]
    path = folder / "config.toml"
    path.write_text(CONFIG + "".join(suppliers), encoding="utf-8")
    return path


def add_quote(folder: Path) -> None:
    """Add a quote and have it started, as `add` and `start` do."""
    suppliers = load_config(folder / "config.toml").suppliers
    store = Store(folder / "parley.db")
    quote = new_quote(read_quote_request(FIELDS, suppliers), suppliers, utc_now)
    store.add_quote(quote)
    store.start_quote(quote.id, automatic=None)


def conversation(now: Keepsake, negotiation: Row) -> list[Any]:
    """All that was said, and how it ended."""
    said = [tuple(row[name] for name in COLUMNS) for row in now.of(negotiation["id"])]
    return [*said, tuple(negotiation[name] for name in ENDINGS)]


def uninterrupted(folder: Path) -> dict[str, list[Any]]:
    """What each supplier's conversation is like when nobody is killed, by supplier."""
    database = folder / "parley.db"
    with NegotiationSystem.start(config_file(folder), database=database) as system:
        quote = system.create_quote(FIELDS)
        system.start_negotiations(quote.id)
        system.wait(quote.id, PATIENCE_S)
    now = taken(database)
    return {row["supplier_id"]: conversation(now, row) for row in now.negotiations.values()}
