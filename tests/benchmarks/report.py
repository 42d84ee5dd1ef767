"""What a report costs by the number of suppliers: seconds and bytes for each negotiation.

    python tests/benchmarks/report.py [SUPPLIERS ...]

Prints one JSON line: for 10, 30 and 100 suppliers, with whom tactics bargain over the sample's
lines, the seconds and bytes of the page, and the seconds of `--json`, for each negotiation.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from factories import make_config

from actors.config import load_config
from actors.report.page import report_page
from actors.report.record import report_record
from actors.system import NegotiationSystem
from storage.records import Supplier

SUPPLIERS = (10, 30, 100)


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
        "page_s": round(page_s / count, 4),
        "page_bytes": round(len(page.encode()) / count),
        "json_s": round(record_s / count, 4),
    }


def _took(work: Callable[[], str]) -> tuple[float, str]:
    began = time.perf_counter()
    done = work()
    return time.perf_counter() - began, done


def main(arguments: Iterable[str]) -> None:
    """Measure, and print one line."""
    counts = [int(each) for each in arguments] or SUPPLIERS
    measured(3)  # the first drawing starts the library
    print(json.dumps({"benchmark": "report", **{str(n): measured(n) for n in counts}}))


if __name__ == "__main__":
    main(sys.argv[1:])
