"""Log source: the lines of a log, from a file that grows, or from a pipe."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from errno import ENOENT
from io import FileIO
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import orjson

from actors.log.place import is_log_of

BLOCK = 1 << 20
"""Bytes that are read at once."""
LONGEST_LINE = 1 << 20
"""Bytes; a longer one is not kept, and can't be read."""
LOOK_S = 0.2
"""Seconds between two looks whether more has come."""
BLOCKS_AHEAD = 4
PIPE, STDIN = "-", 0
"""How standard input is written, and its descriptor: Python may have no `stdin`."""


def newest_log(database: Path) -> Path:
    """The log that the last system on a database has written to: there is one at a time.

    Raises:
        FileNotFoundError: There is none beside it.
    """
    logs = [
        (path.stat().st_mtime_ns, path)
        for path in database.parent.iterdir()
        if is_log_of(database, path.name)
    ]
    if not logs:
        missing = f"no log beside it: name one, or {PIPE} for standard input"
        raise FileNotFoundError(ENOENT, missing, str(database))
    return max(logs)[-1]


def blocks(log: str, *, follow: bool) -> Iterator[bytes]:
    """What stands in a log, and, when it is followed, what comes to it; `b""` when nothing does.

    Half a line that ends with a file that is rotated or cut, or with a pipe, gets its end.

    Args:
        log: A path, or `-` for standard input.
        follow: Whether to go on at the end of a file. A pipe is always read to its end.

    Raises:
        OSError: It can't be read.
    """
    if log == PIPE:
        if sys.__stdin__ is None:
            raise OSError("standard input is closed: name a log, or give it a pipe")
        yield from _piped(STDIN, follow=follow)
    elif Path(log).is_fifo():
        with Path(log).open("rb", buffering=0) as pipe:
            yield from _piped(pipe.fileno(), follow=follow)
    else:
        yield from _filed(Path(log), follow=follow)


def _filed(path: Path, *, follow: bool) -> Iterator[bytes]:
    file = _opened(path)
    try:
        while True:
            # looked at first: what comes to the old one before it moves is read below
            moved = follow and _has_moved(path, file)
            yield from _rest_of(file)
            if not follow:
                return
            if moved and (newer := _named_now(path)) is not None:
                file.close()
                file = newer
                yield b"\n"
            elif os.fstat(file.fileno()).st_size < file.tell():
                file.seek(0)
                yield b"\n"
            else:
                yield b""
                time.sleep(LOOK_S)
    finally:
        file.close()


def _rest_of(file: FileIO) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block


def _has_moved(path: Path, file: FileIO) -> bool:
    """Whether another file has its name now."""
    with suppress(FileNotFoundError):  # for a moment there may be none
        return not os.path.samestat(path.stat(), os.fstat(file.fileno()))
    return False


def _named_now(path: Path) -> FileIO | None:
    with suppress(FileNotFoundError):
        return _opened(path)
    return None


def _opened(path: Path) -> FileIO:
    return path.open("rb", buffering=0)


def _piped(descriptor: int, *, follow: bool) -> Iterator[bytes]:
    # a thread, because not every system can wait for a pipe and for the clock at once
    came: Queue[bytes | OSError] = Queue(BLOCKS_AHEAD)
    Thread(target=_pass_on, args=(descriptor, came), daemon=True).start()
    while True:
        try:
            block = came.get(timeout=LOOK_S if follow else None)
        except Empty:
            yield b""
            continue
        if isinstance(block, OSError):
            raise block
        yield block or b"\n"
        if not block:
            return


def _pass_on(descriptor: int, came: Queue[bytes | OSError]) -> None:
    """Whatever comes, until nothing can come any more, which is an empty block."""
    block = b"?"
    while block:
        try:
            block = os.read(descriptor, BLOCK)
        except OSError as error:
            came.put(error)
            return
        came.put(block)


class Lines:
    """Cuts blocks into lines; half a line waits for its rest."""

    def __init__(self) -> None:
        self._rest = b""

    def of(self, block: bytes) -> list[bytes]:
        """The lines that are whole now, without their ends; empty ones are none."""
        *lines, rest = (self._rest + block).split(b"\n")
        # what is too long becomes what can't be read, however it goes on
        self._rest = rest if len(rest) <= LONGEST_LINE else b"\0"
        return [line for line in lines if line]


def read_line(line: bytes) -> dict[str, Any] | None:
    """A line of a log as a mapping; None when it can't be read as one."""
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError:
        read = None
        # half a surrogate pair is written with care, and only the standard library reads it
        with suppress(ValueError, RecursionError):
            read = json.loads(line)
    return read if isinstance(read, dict) else None
