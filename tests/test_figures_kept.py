"""The README's figures and its chart tell what the benchmarks wrote, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path
from string import Formatter
from typing import Any
from xml.etree import ElementTree

import pytest
import readme
from benchmarks import bars, figures, kept, orchestration, words
from benchmarks.__main__ import BENCHMARKS, FOLDER

REMEDY = "run `python tests/benchmarks/figures.py`"
RESULTS = {path.stem: json.loads(path.read_text()) for path in kept.KEPT.iterdir()}
SCRIPT = re.compile(r"python tests/benchmarks/(\w+)\.py( \w+=\S+)*")
ENDS = {name: [end for row, end, _ in words.ROWS if row == name] for name, _, _ in words.ROWS}
"""The figures of each side that are told of a result."""
TOLD_OF_SIDES = {
    name: {f"{side}_{end}" for row, end, _ in words.ROWS if row == name for side in words.SIDES}
    for name, _, _ in words.ROWS
}


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The results in a folder where they may be changed."""
    folder = tmp_path / "results"
    shutil.copytree(kept.KEPT, folder)
    monkeypatch.setattr(kept, "KEPT", folder)
    return folder


def change(folder: Path, benchmark: str, **figures: object) -> None:
    (folder / f"{benchmark}.json").write_text(json.dumps(RESULTS[benchmark] | figures))


def script_of(result: dict[str, Any]) -> str:
    """The name of the program that wrote it."""
    match = SCRIPT.fullmatch(result["command"])
    assert match is not None, result["command"]
    return match[1]


def seen(svg: str) -> list[str]:
    """All that can be read in a drawing."""
    texts = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314
    return ["".join(text.itertext()) for text in texts]


# What is kept


@pytest.mark.parametrize("benchmark", RESULTS)
def test_what_is_kept_was_measured_in_full_size(benchmark: str) -> None:
    assert "=" not in RESULTS[benchmark]["command"]


@pytest.mark.parametrize("measurement", orchestration.MEASUREMENTS, ids=lambda each: each.name)
def test_each_side_was_measured_as_often_and_in_as_many_negotiations_as_is_told(
    measurement: orchestration.Measurement,
) -> None:
    result = RESULTS[measurement.name]

    assert result["negotiations"] == measurement.negotiations
    assert result["move_s"] == measurement.move_s
    assert result["runs"] == measurement.runs
    assert all(
        f"{side}_{end}" in result for side in measurement.sides for end in ENDS[result["benchmark"]]
    )


# What the README tells


def test_the_readme_tells_what_is_kept() -> None:
    assert figures.readme(readme.TEXT) == readme.TEXT, REMEDY


def test_the_chart_tells_what_is_kept() -> None:
    svg = figures.CHART.read_text(encoding="utf-8")

    assert sorted(seen(svg)) == sorted(bars.words(*figures.chart())), REMEDY


@pytest.mark.parametrize("benchmark", RESULTS)
def test_a_figure_that_was_changed_in_a_result_shows(copied: Path, benchmark: str) -> None:
    result, before = RESULTS[benchmark], figures.part()
    at = {f"_at_{end}_": f"_at_{result.get(end)}_" for end in ("smallest", "largest")}
    told = {name for _, name, _, _ in Formatter().parse(words.LINES.get(benchmark, "")) if name}
    for word, number in at.items():
        told = {name.replace(word, number) for name in told}
    told |= TOLD_OF_SIDES.get(benchmark, set()) & set(result)

    assert len(told) > 1
    for name in told - {"smallest", "largest"}:
        change(copied, benchmark, **{name: 1.5 * result[name] + 1})
        assert figures.part() != before, name


def test_a_chart_of_other_results_tells_other_things(copied: Path) -> None:
    change(copied, "cpu_per_message", ceiling_messages_per_s=123456.0)

    title, changed = figures.chart()

    assert "123,000" in bars.words(title, changed)
    assert sorted(seen(bars.drawn(title, changed))) == sorted(bars.words(title, changed))


# What is kept


def test_every_benchmark_has_results_that_are_kept_and_told() -> None:
    part = figures.part()

    assert {script_of(result) for result in RESULTS.values()} == set(BENCHMARKS)
    assert {measurement.name for measurement in orchestration.MEASUREMENTS} <= set(RESULTS)
    for name in BENCHMARKS:
        assert f"`python tests/benchmarks/{name}.py" in part, name


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_was_written_by_a_benchmark_that_exists(name: str) -> None:
    result = RESULTS[name]
    script = script_of(result)

    assert result["benchmark"] == name
    assert (FOLDER / f"{script}.py").is_file()
    assert script == name or name in {each.name for each in orchestration.MEASUREMENTS}


def test_results_of_several_machines_are_refused(copied: Path) -> None:
    change(copied, "models", python="3.99.0")

    with pytest.raises(ValueError, match="several machines"):
        figures.part()


def test_who_gets_the_sources_gets_all_that_the_tests_of_the_readme_read() -> None:
    project = tomllib.loads((figures.ROOT / "pyproject.toml").read_text())
    sources = project["tool"]["hatch"]["build"]["targets"]["sdist"]

    assert "exclude" not in sources
    for path in (kept.KEPT, figures.CHART, figures.ROOT / ".ci" / "run"):
        assert path.relative_to(figures.ROOT).parts[0] in sources["include"]


# How it is told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        *((0.0312, "0.031"), (0.1349, "0.135"), (0.986, "0.99"), (1.04, "1.04"), (1.3, "1.3")),
        *((9.96, "10"), (28.4, "28"), (99.7, "100"), (128.3, "128"), (873.2, "870"), (0.0, "0")),
        *((11437.0, "11,400"), (28013.0, "28,000"), (1_000_000, "1,000,000"), (1234, "1,234")),
        *((-0.27, "-0.27"), ("3.11.7", "3.11.7")),
    ],
)
def test_a_figure_has_the_digits_that_it_is_worth(value: object, told: str) -> None:
    assert figures.shown(value) == told


def test_what_was_not_measured_is_a_dash(copied: Path) -> None:
    result = {k: v for k, v in RESULTS["cpu_per_message"].items() if "langgraph" not in k}
    (copied / "cpu_per_message.json").write_text(json.dumps(result))

    *_, first, second = figures.table()[:4]

    assert first.endswith("| – |")
    assert second.endswith("| – |")
    assert "LangGraph" not in "".join(bars.words(*figures.chart()))


def test_no_command_is_broken_by_the_end_of_a_line() -> None:
    text = f"{'word ' * 18}`python tests/benchmarks/report.py runs=1` {'word ' * 18}"

    lines = figures.wrapped(text, indent="  ").splitlines()

    assert "`python tests/benchmarks/report.py runs=1`" in lines[1]
    assert all(len(line) <= figures.COLUMNS for line in lines)
    assert all(line.startswith("  ") for line in lines[1:])
