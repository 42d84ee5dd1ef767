"""The README's figures and its chart, made from the results that are kept.

`python tests/benchmarks/figures.py` writes both anew.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from benchmarks.bars import Bar, drawn
from benchmarks.kept import all_kept, kept, machine
from benchmarks.words import LINES, MACHINE, MEANING, ROWS, SAME_WORK, SIDES, TITLE

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
CHART = ROOT / ".assets" / "benchmarks.svg"
BEGIN = "<!-- python tests/benchmarks/figures.py writes what follows -->"
END = "<!-- python tests/benchmarks/figures.py writes what precedes -->"
COLUMNS = 104
"""Characters of the README's lines."""
NOT_MEASURED = "–"

Result = Mapping[str, Any]


def shown(value: object) -> str:
    """A measured figure with two digits, three after a leading 1; a count or a name as it is."""
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    digits = 3 if f"{abs(value):e}".startswith("1") else 2
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"


def told(template: str, result: Result) -> str:
    """The words with the figures of a result; `_at_smallest_` is said for what holds there."""
    figures = {name: shown(value) for name, value in result.items()}
    for end in ("smallest", "largest"):
        at = f"_at_{result.get(end)}_"
        figures |= {k.replace(at, f"_at_{end}_"): v for k, v in figures.items() if at in k}
    return template.format_map(figures)


def wrapped(text: str, indent: str = "") -> str:
    """The text as a paragraph; what stands in back quotes stays on one line."""
    whole = re.sub(r"`[^`]+`", lambda quoted: quoted[0].replace(" ", "\0"), " ".join(text.split()))
    lines = textwrap.fill(
        whole,
        COLUMNS,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines.replace("\0", " ")


def part() -> str:
    """What stands between the two comments."""
    listed = [
        wrapped(f"- `{kept(name)['command']}`: {told(words, kept(name))}", indent="  ")
        for name, words in LINES.items()
    ]
    waiting = kept("short_waits")
    return "\n\n".join(
        [
            wrapped(told(MACHINE, measured_on())),
            wrapped(told(SAME_WORK, {**kept("cpu_per_message"), "waiting_runs": waiting["runs"]})),
            "\n".join(table()),
            f"![{alternative()}]({CHART.relative_to(ROOT)})",
            wrapped(MEANING),
            "**And what else takes time:**",
            "\n".join(listed),
        ]
    )


def measured_on() -> Result:
    """The one machine of all results.

    Raises:
        ValueError: They are of several.
    """
    machines = [{name: result[name] for name in machine()} for result in all_kept()]
    if any(one != machines[0] for one in machines):
        raise ValueError(f"the results are of several machines: {machines}")
    return machines[0]


def table() -> list[str]:
    """The table of the orchestration."""
    lines = [row("", [told(side, releases()).strip() for side in SIDES.values()])]
    lines.append(f"|---|{'---:|' * len(SIDES)}")
    for name, figure, title in ROWS:
        result = kept(name)
        cells = [shown(result.get(f"{side}_{figure}", NOT_MEASURED)) for side in SIDES]
        lines.append(row(f" {told(title, result)}", cells))
    return lines


def row(title: str, cells: Sequence[str]) -> str:
    """A row of the table, in which our own cell stands out."""
    return f"|{title} | **{cells[0]}** | {' | '.join(cells[1:])} |"


def releases() -> Result:
    """The versions of what the sides are made of."""
    return {"autogen_core": "", "langgraph": "", **kept("cpu_per_message")}


def chart() -> tuple[str, list[Bar]]:
    """The title of the chart and its bars, the longest first."""
    result = kept("cpu_per_message")
    measured = [side for side in SIDES if f"{side}_messages_per_s" in result]
    bars = [
        Bar(
            told(SIDES[side], result),
            result[f"{side}_messages_per_s"],
            shown(result[f"{side}_messages_per_s"]),
            ours=side == "whole",
        )
        for side in measured
    ]
    return told(TITLE, result), sorted(bars, key=lambda bar: -bar.messages_per_s)


def alternative() -> str:
    """The chart in words."""
    title, bars = chart()
    return f"{title}: {'; '.join(f'{bar.side} {bar.label}' for bar in bars)}"


def readme(text: str) -> str:
    """The README with what the results say in its place."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{part()}\n\n{END}{after}"


def write() -> None:
    """Write both anew."""
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
    CHART.write_text(drawn(*chart()), encoding="utf-8")


if __name__ == "__main__":
    write()
