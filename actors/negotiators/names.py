"""The names of the negotiators that a config, a quote or a command line may choose from."""

from __future__ import annotations

NAMES = ("tactics",)


def known_negotiator(name: str) -> str:
    """The name, or ValueError when no negotiator has it."""
    if name not in NAMES:
        raise ValueError(f"unknown negotiator: choose {' or '.join(NAMES)}")
    return name
