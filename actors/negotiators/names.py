"""The names of the negotiators that a config, a quote or a command line may choose from."""

from __future__ import annotations

MODEL_NAMES = ("mistral", "narrated")
"""Those with a language model behind them."""
NAMES = ("tactics", *MODEL_NAMES)


def known_negotiator(name: str) -> str:
    """The name, or ValueError when no negotiator has it."""
    if name not in NAMES:
        raise ValueError(f"unknown negotiator: choose {', '.join(NAMES[:-1])} or {NAMES[-1]}")
    return name
