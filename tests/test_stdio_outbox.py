"""The outbox: in order, never blocking, and bounded for a peer that does not read."""

from __future__ import annotations

import json
import os
import select
from collections.abc import Iterator
from contextlib import suppress
from queue import SimpleQueue

import pytest
from serving import PATIENCE_S, until

from actors.stdio.outbox import Outbox

LONG = b'"' + b"x" * 200_000 + b'"'
"""More than a pipe holds."""


class Reader:
    """Who reads what an outbox writes, when it likes to."""

    def __init__(self, events_kept: int = 4) -> None:
        self.source, self._output = os.pipe()
        self.gone: SimpleQueue[None] = SimpleQueue()
        self.outbox = Outbox(self._output, lambda: self.gone.put(None), events_kept)
        self._begun = b""

    def line(self) -> bytes:
        while b"\n" not in self._begun:
            assert select.select([self.source], [], [], PATIENCE_S)[0], "nothing was written"
            self._begun += os.read(self.source, 65536)
        line, _, self._begun = self._begun.partition(b"\n")
        return line

    def clog(self) -> None:
        """Have the writer stand still in the middle of a line."""
        self.outbox.answer(LONG)
        assert select.select([self.source], [], [], PATIENCE_S)[0]

    def close(self) -> None:
        for descriptor in (self.source, self._output):
            with suppress(OSError):
                os.close(descriptor)


@pytest.fixture
def reader() -> Iterator[Reader]:
    reader = Reader()
    yield reader
    reader.close()
    reader.outbox.close(PATIENCE_S)


def gap(line: bytes) -> int:
    told = json.loads(line)
    assert told["method"] == "events.dropped"
    count: int = told["params"]["count"]
    return count


def test_lines_are_written_in_order(reader: Reader) -> None:
    for number in range(1000):
        reader.outbox.answer(b"%d" % number)

    assert [reader.line() for _ in range(1000)] == [b"%d" % number for number in range(1000)]


def test_nobody_waits_for_a_peer_that_does_not_read(reader: Reader) -> None:
    reader.clog()

    for _ in range(100):
        reader.outbox.answer(b"answer")
        reader.outbox.tell(b"event")

    assert reader.outbox.unread == len(LONG) + 100 * len(b"answer")


def test_events_beyond_the_bound_are_dropped_and_counted_where_they_are_missing(
    reader: Reader,
) -> None:
    reader.clog()
    for number in range(10):
        reader.outbox.tell(b"%d" % number)
    reader.outbox.answer(b"answer")

    assert reader.line() == LONG
    assert [reader.line() for _ in range(4)] == [b"0", b"1", b"2", b"3"]
    assert gap(reader.line()) == 6
    assert reader.line() == b"answer"


def test_after_a_gap_events_come_again(reader: Reader) -> None:
    reader.clog()
    for number in range(5):
        reader.outbox.tell(b"%d" % number)
    for _ in range(6):
        reader.line()

    reader.outbox.tell(b"next")

    assert reader.line() == b"next"


def test_each_gap_has_a_number_of_its_own(reader: Reader) -> None:
    for dropped in (3, 5):
        reader.clog()
        for _ in range(4 + dropped):
            reader.outbox.tell(b"event")

        assert reader.line() == LONG
        assert [reader.line() for _ in range(4)] == [b"event"] * 4
        assert gap(reader.line()) == dropped


def test_answers_are_never_dropped(reader: Reader) -> None:
    reader.clog()
    for number in range(10_000):
        reader.outbox.answer(b"%d" % number)
        reader.outbox.tell(b"event")

    reader.line()
    lines = iter(reader.line, b"9999")
    answers = [line for line in lines if line.isdigit()]

    assert answers == [b"%d" % number for number in range(9999)]


def test_what_is_unread_is_counted_until_it_is_written(reader: Reader) -> None:
    reader.clog()
    reader.outbox.answer(b"answer")

    reader.line()
    reader.line()

    until(lambda: reader.outbox.unread == 0)


def test_who_closes_it_has_what_waits_written_first(reader: Reader) -> None:
    for number in range(100):
        reader.outbox.answer(b"%d" % number)
    reader.outbox.close(PATIENCE_S)
    reader.outbox.answer(b"too late")
    reader.outbox.tell(b"too late")

    assert [reader.line() for _ in range(100)] == [b"%d" % number for number in range(100)]
    assert not select.select([reader.source], [], [], 0)[0]


def test_closing_it_waits_no_longer_than_it_is_told_to(reader: Reader) -> None:
    reader.clog()

    reader.outbox.close(0.01)


def test_a_peer_that_is_gone_is_noticed_once_and_takes_nothing_more(reader: Reader) -> None:
    os.close(reader.source)

    reader.outbox.answer(b"anybody?")
    reader.gone.get(timeout=PATIENCE_S)
    for _ in range(100):
        reader.outbox.answer(b"anybody?")
        reader.outbox.tell(b"anybody?")

    assert reader.outbox.unread == 0
    reader.outbox.close(PATIENCE_S)
    assert reader.gone.empty()
