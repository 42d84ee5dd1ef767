"""The suppliers of a config that names none: three of different character, as in `config.toml`."""

from __future__ import annotations

from typing import Any

STEEL_BOTTLE = "Steel bottle 750 ml"
BAMBOO_LID = "Bamboo lid"

SUPPLIERS: list[dict[str, Any]] = [
    {
        "id": "supplier-1",
        "name": "Supplier 1",
        "quality": 4.0,
        "about": "Large plant, the lowest prices, the longest queue.",
        "currency": "USD",
        "private": {
            "lead_time_days": {"standard": 58, "shortest": 48, "day_cost": "90.00"},
            "payment": ["33/33/33"],
            "style": {"voice": "plain"},
            "prices": {
                STEEL_BOTTLE: {"list": "7.60", "floor": "5.90"},
                BAMBOO_LID: {"list": "1.10", "floor": "0.78"},
            },
        },
    },
    {
        "id": "supplier-2",
        "name": "Supplier 2",
        "quality": 4.7,
        "about": "Premium finish, dependable, medium-fast.",
        "currency": "USD",
        "private": {
            "lead_time_days": {"standard": 36, "shortest": 30, "day_cost": "160.00"},
            "payment": ["30/70"],
            "style": {"voice": "formal", "hard": 0.4, "soft": 0.8, "reciprocity": 0.8},
            "prices": {
                STEEL_BOTTLE: {"list": "9.30", "floor": "7.20"},
                BAMBOO_LID: {"list": "1.36", "floor": "0.98"},
            },
        },
    },
    {
        "id": "supplier-3",
        "name": "Supplier 3",
        "quality": 4.0,
        "about": "Small, close by, the fastest, and not cheap.",
        "currency": "USD",
        "private": {
            "lead_time_days": {"standard": 22, "shortest": 16, "day_cost": "220.00"},
            "payment": ["30/70"],
            "style": {"voice": "brisk", "hard": 0.8, "soft": 1.5},
            "prices": {
                STEEL_BOTTLE: {"list": "9.40", "floor": "7.35"},
                BAMBOO_LID: {"list": "1.30", "floor": "1.00"},
            },
        },
    },
]
