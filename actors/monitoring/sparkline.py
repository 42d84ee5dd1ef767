"""Sparkline: a curve in one line of text."""

from __future__ import annotations

from collections.abc import Sequence

LEVELS = "▁▂▃▄▅▆▇█"


def sparklines(curves: Sequence[Sequence[float]], width: int) -> list[str]:
    """Each curve's last `width` heights, all on one scale: so the gap between them can be seen."""
    shown = [curve[-width:] for curve in curves]
    heights = [height for curve in shown for height in curve]
    low, high = min(heights, default=0.0), max(heights, default=0.0)
    step = (high - low) / (len(LEVELS) - 1) or 1.0
    return ["".join(LEVELS[round((each - low) / step)] for each in curve) for curve in shown]
