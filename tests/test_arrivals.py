"""A person steps in at random instants, in small; `python tests/arrivals.py` does it in large."""

from __future__ import annotations

from pathlib import Path

import arrivals
import readme


def test_whenever_a_person_steps_in_every_receipt_is_true(tmp_path: Path) -> None:
    tally = arrivals.play(tmp_path, arrivals=600)

    print(f"\n{tally.table()}")
    assert tally.faults == []
    assert tally.arrivals >= 600
    # what comes in every run; the large one must take all branches
    often = {"while drafting brand", "while saving", "while parked", "applied"}
    assert not often & tally.missing()


def test_the_readme_tells_how_many_branches_are_counted() -> None:
    (_, *told) = readme.table("what became of them")

    assert f"counts {len(arrivals.BRANCHES)} branches" in readme.TEXT.replace("\n", " ")
    assert len(told) == 10
