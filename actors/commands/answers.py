"""Answers: what a command prints for programs."""

from __future__ import annotations

import json


def print_json(value: object) -> None:
    """Print one line of JSON."""
    print(json.dumps(value), flush=True)  # whoever waits for a line waits now
