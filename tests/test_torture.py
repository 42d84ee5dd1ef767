"""Random `kill -9` of a real engine, in small; `python tests/torture.py` does it in large."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torture

KILLS = 8


@pytest.mark.skipif(os.name != "posix", reason="there is no kill -9 here")
def test_whenever_an_engine_is_killed_nothing_is_lost_and_all_goes_on(tmp_path: Path) -> None:
    tally = torture.play(tmp_path, kills=KILLS)

    print(f"\n{tally.table()}")
    assert tally.faults == []
    assert tally.counts["kills"] == KILLS
    # what comes in every run; the large one must hit all
    often = {"  completed", "  agreed", "  impasse", "compared: nobody stepped in"}
    assert not often & tally.missing()
