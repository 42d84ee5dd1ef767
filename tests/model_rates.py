"""How hard 50 negotiations press a server that takes 5 calls a second and refuses all others.

`python tests/model_rates.py` plays them once with `requests_per_minute = 300` and once without any
limit set, and prints one JSON line each: the most calls in any window, as a multiple of what the
server takes, counted as they arrive, refused ones too. It ends 1 where a bound is broken, a
negotiation is parked, or something is wrong in the database.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from factories import make_supplier, quote_fields
from inspection import faults
from model_server import ModelServer
from modelled import model_config, models, negotiated

from storage.records import is_parked

PER_SECOND = 5
NEGOTIATIONS = 50
ROUNDS = 2
BOUNDS = {"set": (1.0, 1.0, 1.2), "unset": (10.0, 5.0, 1.5)}
"""The window in seconds, the seconds left out at the beginning, and the bound."""


def play(database: Path, requests_per_minute: int | None) -> dict[str, object]:
    """Negotiate, and see how many calls arrived when."""
    with ModelServer(requests_per_second=PER_SECOND) as server:
        config = model_config(
            server,
            [make_supplier(number) for number in range(1, NEGOTIATIONS + 1)],
            rules={"max_rounds": ROUNDS},
            requests_per_minute=requests_per_minute,
            longest_pause_s=60.0,
        )
        with models(database, config) as system:
            began = time.monotonic()
            ended = negotiated(system, quote_fields(), timeout_s=540)
            took_s = time.monotonic() - began
            calls = [call for n in ended for call in system.calls(n.id)]
        name = "unset" if requests_per_minute is None else "set"
        window_s, after_s, bound = BOUNDS[name]
        most = server.most_arrivals(window_s, after_s=after_s) / window_s / PER_SECOND
    return {
        "requests_per_minute": requests_per_minute,
        "negotiations": len(ended),
        "parked": sum(map(is_parked, ended)),
        "faults": len(faults(database)),
        "seconds": round(took_s, 1),
        "calls": len(calls),
        "throttled": sum(call.outcome == "throttled" for call in calls),
        "most_attempts": max(call.attempt for call in calls),
        f"most_in_any_{window_s:g}_s": round(most, 2),
        "bound": bound,
        "ok": most <= bound and not any(map(is_parked, ended)),
    }


def main() -> int:
    """Play both."""
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for name, limit in (("set", 60 * PER_SECOND), ("unset", None)):
            result = play(Path(folder) / f"{name}.db", limit)
            sys.stdout.write(f"{json.dumps(result)}\n")
            sys.stdout.flush()
            good &= result["ok"] is True and not result["faults"]
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
