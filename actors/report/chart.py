"""The chart of a negotiation: both sides' offers by round, drawn as an SVG that needs no script.

Colours are the page's own variables, so that one drawing serves by day, by night and on paper. No
text of a supplier goes into it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import vl_convert

from actors.inert import inert

Told = Mapping[str, Any]
"""A negotiation as `report_record` tells it."""

WIDTH, HEIGHT = 460, 310
"""Of the drawing; the page scales it. The letters must still be read on a phone's 350 pixels."""
LETTERS = 15
SHAPES = {"brand": "circle", "supplier": "square"}
EDGE = {"value": 0}
"""The left edge of the drawing, or its top."""


def drawn(negotiation: Told) -> str:
    """The chart as SVG; the same record always gives the same text."""
    svg: str = vl_convert.vegalite_to_svg(spec(negotiation))
    return svg


def spec(negotiation: Told) -> dict[str, Any]:
    """The chart as Vega-Lite describes one; there must be an offer in it."""
    messages = negotiation["messages"]
    rounds = {str(m["seq"]): str(m["round"]) for m in messages if m["sender"] == "supplier"}
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "autosize": {"type": "fit", "contains": "padding"},
        "background": None,
        "padding": {"left": 10, "right": 4, "top": 6, "bottom": 4},
        "encoding": {
            "x": {
                "field": "seq",
                "type": "quantitative",
                "scale": {"domain": [0.5, messages[-1]["seq"] + 0.5], "nice": False},
                "axis": {
                    "title": "round",
                    "grid": False,
                    "values": [int(seq) for seq in rounds],
                    "labelExpr": f"{rounds}[datum.value]",
                    "labelOverlap": True,
                },
            },
            "y": {
                "field": "total",
                "type": "quantitative",
                "scale": {"zero": False},
                "axis": {"title": None, "format": ",.12~r", "tickCount": 6},
            },
        },
        "layer": [*_limits(negotiation), *_offers(negotiation), *_interventions(negotiation)],
        "config": {
            "aria": False,  # the page says in words what the drawing shows
            "view": {"stroke": None},
            "axis": {
                "labelColor": "var(--quiet)",
                "titleColor": "var(--quiet)",
                "labelFontSize": LETTERS,
                "titleFontSize": LETTERS,
                "titleFontWeight": "normal",
                "gridColor": "var(--line)",
                "tickColor": "var(--line)",
                "domainColor": "var(--line)",
                "labelPadding": 6,
            },
            "text": {"fontSize": LETTERS - 2, "stroke": "var(--card)", "strokeWidth": 4},
        },
    }


def offers(negotiation: Told, side: str) -> list[dict[str, Any]]:
    """The offers of a side, oldest first: their seq, and their total to draw and to tell."""
    return [
        {"seq": message["seq"], "total": float(message["total"]), "told": message["total"]}
        for message in negotiation["messages"]
        if message["sender"] == side and message["move"] == "offer" and message["total"]
    ]


def accepted_seq(negotiation: Told) -> int | None:
    """The seq of the offer that was agreed on, if any."""
    seqs = (m["accepts_seq"] for m in negotiation["messages"] if m["move"] == "accept")
    return next((seq for seq in seqs if isinstance(seq, int)), None)


def _offers(negotiation: Told) -> Iterator[dict[str, Any]]:
    accepted = accepted_seq(negotiation)
    for side, shape in SHAPES.items():
        made = offers(negotiation, side)
        agreed = [each for each in made if each["seq"] == accepted]
        look = {"color": f"var(--{side})", "opacity": 1}
        point = {"type": "point", "shape": shape, "filled": True, "size": 60}
        ring = {"type": "point", "size": 300, "color": "var(--ink)", "opacity": 1}
        yield {"data": {"values": made}, "mark": {"type": "line", "strokeWidth": 2, **look}}
        yield {"data": {"values": made}, "mark": {**point, **look}}
        yield {"data": {"values": agreed}, "mark": ring}


def _interventions(negotiation: Told) -> Iterator[dict[str, Any]]:
    """A vertical line where a person spoke, with the id of what they asked."""
    asked = [
        {"seq": one["message_seq"], "id": inert(one["id"])}
        for one in negotiation["interventions"]
        if one["message_seq"] is not None
    ]
    color = "var(--user)"
    rule = {"type": "rule", "color": color, "strokeDash": [3, 3], "strokeWidth": 1.5}
    words = {"type": "text", "color": color, "angle": 270, "align": "right", "dy": -8}
    yield {"data": {"values": asked}, "mark": rule, "encoding": {"y": None}}
    yield {
        "data": {"values": asked},
        "mark": words,
        "encoding": {"y": EDGE, "text": {"field": "id"}},
    }


def _limits(negotiation: Told) -> Iterator[dict[str, Any]]:
    """What the order costs at each side's limits, where the record tells them."""
    last = negotiation["messages"][-1]["seq"] + 0.5
    for side, told in negotiation.get("limit_totals", {}).items():
        known = [
            {"seq": step["seq"] if place else 0.5, "total": float(step["total"])}
            for place, step in enumerate(told)
            if step["total"] is not None
        ]
        if not known:
            continue
        steps = [*known, {"seq": last, "total": known[-1]["total"]}]
        color = f"var(--{side})"
        line = {"type": "line", "interpolate": "step-after", "color": color, "strokeDash": [7, 4]}
        words = {"type": "text", "align": "left", "dx": 4, "dy": -8, "color": color}
        label = {"value": f"private: {side}'s limit"}
        yield {"data": {"values": steps}, "mark": line}
        yield {
            "data": {"values": known[:1]},
            "mark": words,
            "encoding": {"x": EDGE, "text": label},
        }
