"""Standard streams: always there, able to write any character, and clear about what fails."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, TextIO

STDIN, STDOUT, STDERR = 0, 1, 2
ESCAPED = "backslashreplace"
"""What becomes of a character that an encoding lacks."""


class OutputFailed(OSError):
    """Standard output can't be written, and somebody does not get what was meant for them."""


def settle() -> None:
    """Put nothing in the place of those that are closed, and have the others fail as they should.

    `sys.__stdin__` and `sys.__stdout__` go on telling whether they were closed.
    """
    for descriptor in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            # takes the lowest that is free, as the next file would, which then got what is printed
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(STDIN, closefd=False)  # noqa: SIM115
    sys.stdout = _Output.over(sys.stdout) if sys.stdout else _nothing(STDOUT)
    sys.stderr = _Errors.over(sys.stderr) if sys.stderr else _nothing(STDERR)


def write_bytes(data: bytes) -> None:
    """Write to standard output what is not to be encoded, or OutputFailed."""
    with _failing():
        sys.stdout.buffer.write(data)
        sys.stdout.flush()


def drop_output() -> None:
    """Let go of what can't be written, or Python complains of it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)


@contextmanager
def _failing(*, at_terminal: bool = False) -> Iterator[None]:
    """Tell failures of standard output from those of other files."""
    try:
        yield
    except BrokenPipeError:  # its reader has seen enough, which is not always a failure
        raise
    except OSError as error:
        # a terminal that is gone is no failure: SIGHUP says what that means
        if not at_terminal or error.errno != errno.EIO:
            raise OutputFailed(f"standard output: {error.strerror}") from None


class _Stream(io.TextIOWrapper):
    """A stream over another one's buffer; only what is above that may be interrupted."""

    @classmethod
    def over(cls, stream: TextIO) -> TextIO:
        assert isinstance(stream, io.TextIOWrapper)  # noqa: S101 - Python has just made it
        return cls(
            stream.buffer,
            encoding=stream.encoding,
            errors=ESCAPED,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )


class _Output(_Stream):
    """Standard output."""

    def __init__(self, buffer: BinaryIO, **options: Any) -> None:
        super().__init__(buffer, **options)
        self._at_terminal = self.isatty()  # one that is gone would deny it

    def write(self, text: str, /) -> int:
        with _failing(at_terminal=self._at_terminal):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with _failing(at_terminal=self._at_terminal):
            super().flush()


class _Errors(_Stream):
    """Standard error; of what can't be written there, nobody could be told."""

    def write(self, text: str, /) -> int:
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def _nothing(descriptor: int) -> TextIO:
    return open(descriptor, "w", errors=ESCAPED, closefd=False)
