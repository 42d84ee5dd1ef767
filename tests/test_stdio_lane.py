"""A lane: in order, one after the other, and never in the way of the process's end."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from serving import ENVIRONMENT, PATIENCE_S, ROOT

from actors.stdio.lane import LaneThread


def test_it_does_one_thing_after_the_other_in_order() -> None:
    lane, done = LaneThread("test"), list[int]()

    last = [lane.do(lambda number=number: done.append(number)) for number in range(100)][-1]  # type: ignore[misc]
    last.result(PATIENCE_S)

    assert done == [*range(100)]
    lane.end()


def test_what_raises_is_told_and_harms_nothing_after_it() -> None:
    lane = LaneThread("test")

    raises, works = lane.do(lambda: 1 / 0), lane.do(lambda: 1)

    with pytest.raises(ZeroDivisionError):
        raises.result(PATIENCE_S)
    assert works.result(PATIENCE_S) == 1
    lane.end()


def test_what_is_cancelled_before_its_turn_is_not_done() -> None:
    lane, free, done = LaneThread("test"), threading.Event(), list[str]()
    lane.do(free.wait)
    cancelled = lane.do(lambda: done.append("cancelled"))
    after = lane.do(lambda: done.append("after"))

    assert cancelled.cancel()
    free.set()
    after.result(PATIENCE_S)

    assert done == ["after"]
    lane.end()


def test_no_process_waits_for_what_it_does_to_end() -> None:
    program = (
        "import threading\n"
        "from actors.stdio.lane import LaneThread\n"
        "begun = threading.Event()\n"
        "LaneThread('test').do(lambda: (begun.set(), threading.Event().wait()))\n"
        "begun.wait()\n"
    )
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT)}

    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, timeout=PATIENCE_S, check=False
    )

    assert ran.returncode == 0
