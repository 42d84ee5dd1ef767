"""What a report costs by the number of suppliers: time and bytes for each negotiation.

    python tests/benchmarks/report.py [--keep] [runs=3] [few=10] [many=100]

Prints one JSON line: for 10 and for 100 suppliers, with whom tactics bargain over the sample's
lines, medians of the milliseconds and KiB of the page, and of the milliseconds of `--json`, for
each negotiation.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent.parent)]

from benchmarks.kept import arguments, publish, size
from factories import make_config

from actors.config import load_config
from actors.report.page import report_page
from actors.report.record import report_record
from actors.system import NegotiationSystem
from storage.records import Supplier


def suppliers(count: int) -> list[Supplier]:
    """As many suppliers, of the sample's three characters."""
    kinds = load_config().suppliers
    return [
        kinds[number % len(kinds)].model_copy(
            update={"id": f"supplier-{number}", "name": f"Supplier {number}"}
        )
        for number in range(1, count + 1)
    ]


def measured(count: int) -> dict[str, float]:
    """Play a quote with so many suppliers, and report it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        NegotiationSystem.start(
            make_config(suppliers(count)), database=Path(folder) / "parley.db"
        ) as system,
    ):
        sample = system.create_quote().request
        limits = {"bottle.unit_price": {"target": "6.20", "limit": "7.90"}}
        limits["lid.unit_price"] = {"target": "0.80", "limit": "1.15"}
        quote = system.create_quote(
            {
                "lines": [line.model_dump(mode="json") for line in sample.lines],
                "payment_options": list(sample.payment_options),
                "mandate": {
                    **limits,
                    "lead_time_days": {"target": 21, "limit": 60},
                    "payment": list(sample.payment_options),
                },
            }
        )
        system.start_negotiations(quote.id)
        system.wait(quote.id, timeout_s=600)
        record_s, _ = _took(lambda: json.dumps(report_record(system, quote.id)))
        page_s, page = _took(lambda: report_page(system, quote.id))
    return {
        "page_ms": 1000 * page_s / count,
        "page_kib": len(page.encode()) / 1024 / count,
        "json_ms": 1000 * record_s / count,
    }


def _took(work: Callable[[], str]) -> tuple[float, str]:
    began = time.perf_counter()
    done = work()
    return time.perf_counter() - began, done


def main(arguments: Sequence[str]) -> None:
    """Measure both in turn, so that the machine's mood hits both."""
    runs = int(size(arguments, "runs", 3))
    counts = {"few": int(size(arguments, "few", 10)), "many": int(size(arguments, "many", 100))}
    measured(3)  # the first drawing starts the library
    took = [{name: measured(count) for name, count in counts.items()} for _ in range(runs)]
    figures = {
        f"{name}_{figure}": round(statistics.median(turn[name][figure] for turn in took), 2)
        for name in counts
        for figure in took[0][name]
    }
    publish({"benchmark": "report", "runs": runs, **counts, **figures}, arguments)


if __name__ == "__main__":
    main(arguments())
