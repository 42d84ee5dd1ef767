"""What an audit found, for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from actors.audit import Findings
from actors.inert import inert


def findings_lines(findings: Findings) -> Iterator[str]:
    """A line for each fault, then one with what was looked at."""
    for fault in findings.faults:
        yield inert(str(fault))
    counted = ", ".join(f"{noun}: {count}" for noun, count in findings.counted.items())
    yield f"faults: {len(findings.faults)}; looked at {counted}"


def findings_record(findings: Findings) -> dict[str, Any]:
    """The same for programs."""
    return {
        "counted": dict(findings.counted),
        "faults": [{"where": dict(one.where), "what": one.what} for one in findings.faults],
    }
