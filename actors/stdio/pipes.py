"""Pipes: a private copy of standard input and output, and the lines that come in."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from actors.standard_streams import STDERR, STDIN, STDOUT

PIECE = 64 * 1024
"""Bytes that are read at once."""


@dataclass(frozen=True, slots=True)
class Pipes:
    """The descriptors that the protocol has for itself; no child process inherits them."""

    input: int
    output: int

    @classmethod
    def take(cls) -> Self:
        """Take standard input and output: what others print goes to standard error, and what they
        read is empty. So neither a negotiator nor a library can break a line of the protocol.

        All three descriptors must be in use, for a private copy takes the lowest that is free.

        Raises:
            OSError: One of the two was closed when the process began.
        """
        if sys.__stdin__ is None or sys.__stdout__ is None:
            raise OSError("standard input or output is closed: give it a pipe for each")
        taken = cls(os.dup(STDIN), os.dup(STDOUT))
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, STDIN)
        os.dup2(STDERR, STDOUT)
        os.close(nothing)
        for descriptor in (taken.input, taken.output):
            # who started us may have left them otherwise, and then a full pipe would be an error
            os.set_blocking(descriptor, True)
        return taken


def lines(
    descriptor: int, longest: int, may_read: Callable[[], bool] = lambda: True
) -> Iterator[bytes | None]:
    """Each line without its end, in bounded memory; None for one that is longer, which is skipped.

    Args:
        longest: Bytes of a line, without its end.
        may_read: Asked before more is read, and may block; what says no ends it.
    """
    begun, is_too_long = b"", False
    while may_read() and (piece := _piece(descriptor)):
        *ends, rest = piece.split(b"\n")
        for end in ends:
            yield None if is_too_long or len(begun) + len(end) > longest else begun + end
            begun, is_too_long = b"", False
        begun += rest
        if is_too_long or len(begun) > longest:
            begun, is_too_long = b"", True
    if is_too_long:
        yield None
    elif begun:
        yield begun


def write(descriptor: int, data: bytes) -> None:
    """Write all of it, or OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def has_hung_up(descriptor: int) -> bool:
    """Whether nobody writes to it any more, though there may still be something to read."""
    poll = select.poll()
    poll.register(descriptor, 0)
    return bool(poll.poll(0))


def _piece(descriptor: int) -> bytes:
    with suppress(OSError):  # a terminal that is gone says so with an error
        return os.read(descriptor, PIECE)
    return b""
