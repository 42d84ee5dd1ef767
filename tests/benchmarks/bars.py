"""The README's chart: how many messages a second each side of the orchestration gets done."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import vl_convert

WIDTH, STEP = 460, 34
"""Of the bars together, and of each with the gap to the next, in pixels."""
LETTERS = 14
OURS, OTHERS = "#1d4ed8", "#94a3b8"
INK, LINE = "#1f2937", "#e5e7eb"
PAPER = "white"
"""So that it can be read on a dark page too."""
NAMES = {"title": None, "labelLimit": 0, "labelPadding": 10, "ticks": False, "domain": False}
"""How the names of the sides stand before their bars."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One side."""

    side: str
    messages_per_s: float
    label: str
    """The same, as it is told."""
    ours: bool = False


def drawn(title: str, bars: Sequence[Bar]) -> str:
    """The chart as SVG."""
    svg: str = vl_convert.vegalite_to_svg(spec(title, bars))
    return svg + "\n"


def words(title: str, bars: Sequence[Bar]) -> list[str]:
    """All that can be read in the chart."""
    ticks = [f"{tick:,}" for tick in powers(bars)]
    return [title, *ticks, *(word for bar in bars for word in (bar.side, bar.label))]


def powers(bars: Sequence[Bar]) -> list[int]:
    """The powers of ten from below the least to above the most."""
    figures = [bar.messages_per_s for bar in bars]
    least, most = math.floor(math.log10(min(figures))), math.ceil(math.log10(max(figures)))
    return [10**power for power in range(least, most + 1)]


def spec(title: str, bars: Sequence[Bar]) -> dict[str, Any]:
    """The chart as Vega-Lite describes one."""
    ticks = powers(bars)
    x = {
        "field": "messages_per_s",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [ticks[0], ticks[-1]]},
        "axis": {"title": None, "values": ticks, "format": ","},
    }
    color = {"condition": {"test": "datum.ours", "value": OURS}, "value": OTHERS}
    return {
        "width": WIDTH,
        "height": {"step": STEP},
        "background": PAPER,
        "padding": {"left": 12, "right": 60, "top": 12, "bottom": 12},
        "title": {"text": title, "anchor": "start", "frame": "bounds", "offset": 14},
        "data": {"values": [shown(bar) for bar in bars]},
        "encoding": {"y": {"field": "side", "type": "nominal", "sort": None, "axis": NAMES}},
        "layer": [
            {"mark": "bar", "encoding": {"x": x, "x2": {"datum": ticks[0]}, "color": color}},
            {
                "mark": {"type": "text", "align": "left", "dx": 6},
                "encoding": {"x": x, "text": {"field": "label"}},
            },
        ],
        "config": {
            "aria": False,  # the README says in words what the drawing shows
            "font": "Helvetica, Arial, sans-serif",
            "view": {"stroke": None},
            "title": {"color": INK, "fontSize": LETTERS, "fontWeight": "normal"},
            "axis": {"labelColor": INK, "labelFontSize": LETTERS, "gridColor": LINE},
            "axisX": {"domain": False, "tickColor": LINE},
            "text": {"color": INK, "fontSize": LETTERS},
        },
    }


def shown(bar: Bar) -> dict[str, object]:
    """A bar as a row of data."""
    return {
        "side": bar.side,
        "messages_per_s": bar.messages_per_s,
        "label": bar.label,
        "ours": bar.ours,
    }
