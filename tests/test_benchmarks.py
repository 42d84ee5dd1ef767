"""The benchmarks work: each in a tiny size, with right results, whatever the time they take."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from benchmarks.__main__ import BENCHMARKS, run
from benchmarks.kept import KEPT, machine

FOLDER = Path(__file__).parent / "benchmarks"
TINY: Mapping[str, tuple[str, ...]] = {
    "events": ("runs=1", "events=500", "active=100"),
    "growth": ("runs=1", "smallest=20", "largest=200", "more=10"),
    "long_negotiation": ("runs=1", "short=2", "long=20"),
    "models": ("runs=1", "negotiations=2", "answer_s=0"),
    "parallel": ("runs=1", "negotiations=2", "move_s=0"),
    "pick_up": ("interventions=2", "idle_s=0.1"),
    "recovery": ("runs=1", "negotiations=5"),
    "report": ("runs=1", "few=3", "many=4"),
    "start_up": ("runs=1",),
    "stepping_in": ("runs=1", "negotiations=4", "interventions=4", "move_s=0.2"),
    "stdio": ("calls=5", "starts=1"),
    "watch": ("runs=1", "lines=500"),
}
FIGURES: Mapping[str, set[str]] = {
    "events": {"event_us", "in_a_burst_us", "rotating_us", "bare_us", "ratio", "heartbeat_us"},
    "growth": {
        "show_at_20_ms",
        "show_at_200_ms",
        *(f"{what}_ratio" for what in ("show", "show_command", "list", "list_each", "start")),
        *(f"{what}_ratio" for what in ("list_command", "list_command_open", "message")),
    },
    "long_negotiation": {"short_cpu_ms_per_message", "long_cpu_ms_per_message", "ratio"},
    "models": {"sdk_cpu_ms_per_call", "whole_cpu_ms_per_call", "our_cpu_ms_per_call", "share"},
    "parallel": {"one_s", "many_s", "ratio", "cpu_ms_per_message"},
    "pick_up": {"median_ms", "max_ms"},
    "recovery": {"recover_s", "ms_per_negotiation", "peak_mib", "kib_per_negotiation"},
    "report": {"few_page_ms", "few_page_kib", "few_json_ms", "many_page_ms", "many_json_ms"},
    "start_up": {"import_s", "face_s", "help_s", "sample_s", "first_output_s"},
    "stepping_in": {"median_ms", "p99_ms", "max_ms", "in_step_p99_ms"},
    "stdio": {"ready_ms", "call_ms", "wait_ms", "echo_ms"},
    "watch": {"once_s", "ratio_to_plain", "first_table_s", "memory_mib"},
}
PATIENCE_S = 120.0


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
        assert found.get("runs", 1) == 1
        assert found["command"] == f"python tests/benchmarks/{name}.py {' '.join(TINY[name])}"
        assert machine().items() <= found.items()
        assert FIGURES[name] <= set(found)
        assert all(found[figure] > 0 for figure in FIGURES[name] - {"our_cpu_ms_per_call", "share"})

    assert kept == (set(KEPT.glob("*")), [path.read_text() for path in sorted(KEPT.glob("*"))])


def test_all_are_run_one_after_the_other_whatever_becomes_of_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scripts = [tmp_path / f"{name}.py" for name in ("first", "second", "third")]
    for script in scripts:
        broken = "sys.exit(3)" if script.stem == "second" else ""
        script.write_text(f"import sys; print({script.stem!r}, *sys.argv[1:]); {broken}")

    assert run(scripts, ["--keep", "runs=1"]) == 1
    assert run(scripts[:1], []) == 0

    printed, complained = capfd.readouterr()
    assert printed.splitlines() == [
        *("first --keep runs=1", "second --keep runs=1", "third --keep runs=1"),
        "first",
    ]
    assert complained == "failed: second.py\n"


def test_all_are_all_that_there_are() -> None:
    scripts = {path.stem for path in FOLDER.glob("*.py") if "    publish(" in path.read_text()}

    assert set(BENCHMARKS) == scripts
    assert set(BENCHMARKS) == {*TINY, "orchestration"}
