"""Descriptor: an open file of a log, to which several processes may append."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from actors.log.place import is_stream


def opened(path: Path) -> int:
    """A descriptor that appends; the file is made for its owner only. A pipe is not waited for.

    Raises:
        OSError: It can't be opened; ENXIO: it is a pipe that nobody reads.
    """
    waits_for_nobody = getattr(os, "O_NONBLOCK", 0)
    access = os.O_WRONLY if is_stream(path) else os.O_RDWR  # to see how it ends
    return os.open(path, access | os.O_APPEND | os.O_CREAT | waits_for_nobody, 0o600)


def reopen(descriptor: int, path: Path) -> None:
    """Have it be the file that is at the path now; its number stays.

    Raises:
        OSError: That can't be opened; the descriptor is as it was.
    """
    new = opened(path)
    try:
        os.dup2(new, descriptor, inheritable=False)
    finally:
        os.close(new)


def is_at(path: Path, descriptor: int) -> bool:
    """Whether it still is the file at the path.

    Raises:
        OSError: Nobody may look there.
    """
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def is_torn(descriptor: int) -> bool:
    """Whether it is a file that ends within a line, as one does whose writer has died."""
    found = os.fstat(descriptor)
    if found.st_size == 0 or not stat.S_ISREG(found.st_mode):
        return False
    os.lseek(descriptor, -1, os.SEEK_END)
    return os.read(descriptor, 1) != b"\n"


def end_line(descriptor: int) -> None:
    """Have what comes next stand on a line of its own.

    Raises:
        OSError: There is no room even for that.
    """
    if is_torn(descriptor):
        os.write(descriptor, b"\n")
