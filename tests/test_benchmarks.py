"""The benchmarks work: each in a tiny size, with right results, whatever the time they take."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from benchmarks.kept import KEPT

FOLDER = Path(__file__).parent / "benchmarks"
TINY: Mapping[str, tuple[str, ...]] = {
    "growth": ("runs=1", "smallest=20", "largest=200", "more=10"),
    "long_negotiation": ("runs=1", "short=2", "long=20"),
    "models": ("runs=1", "negotiations=2", "answer_s=0"),
    "recovery": ("runs=1", "negotiations=5"),
    "start_up": ("runs=1",),
    "stepping_in": ("runs=1", "negotiations=4", "interventions=4", "move_s=0.2"),
}
FIGURES: Mapping[str, set[str]] = {
    "growth": {
        "show_at_20_ms",
        "show_at_200_ms",
        *(f"{what}_ratio" for what in ("show", "show_command", "list", "list_each", "start")),
        *(f"{what}_ratio" for what in ("list_command", "list_command_open", "message")),
    },
    "long_negotiation": {"short_cpu_ms_per_message", "long_cpu_ms_per_message", "ratio"},
    "models": {"sdk_cpu_ms_per_call", "whole_cpu_ms_per_call", "our_cpu_ms_per_call", "share"},
    "recovery": {"recover_s", "ms_per_negotiation", "peak_mib", "kib_per_negotiation"},
    "start_up": {"import_s", "face_s", "help_s", "sample_s", "first_output_s"},
    "stepping_in": {"median_ms", "p99_ms", "max_ms", "in_step_p99_ms"},
}
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def running() -> Iterator[Mapping[str, subprocess.Popen[str]]]:
    """All of them at once, because they wait more than they work."""
    started = {
        name: subprocess.Popen(
            [sys.executable, str(FOLDER / f"{name}.py"), *sizes], stdout=subprocess.PIPE, text=True
        )
        for name, sizes in TINY.items()
    }
    yield started
    for process in started.values():
        process.kill()
        process.communicate()


def test_each_prints_its_figures_in_one_line(
    running: Mapping[str, subprocess.Popen[str]],
) -> None:
    kept = set(KEPT.glob("*")), [path.read_text() for path in sorted(KEPT.glob("*"))]

    for name, process in running.items():
        printed, _ = process.communicate(timeout=PATIENCE_S)

        assert process.returncode == 0, name
        (line,) = printed.splitlines()
        found: dict[str, Any] = json.loads(line)
        assert found["benchmark"] == name
        assert found["runs"] == 1
        assert FIGURES[name] <= set(found)
        assert all(found[figure] > 0 for figure in FIGURES[name] - {"our_cpu_ms_per_call", "share"})

    assert kept == (set(KEPT.glob("*")), [path.read_text() for path in sorted(KEPT.glob("*"))])
