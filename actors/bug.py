"""A bug as it may be logged: what kind it is and where, never what it says.

What a foreign exception says may hold whatever was at hand: a limit, a person's words.
"""

from __future__ import annotations

from pathlib import Path

from actors.errors import ParleyError
from storage.errors import StorageError


def bug(error: BaseException) -> str:
    """Such as `KeyError at steering.py:87`."""
    kind, frame = type(error).__name__, error.__traceback__
    if frame is None:
        return kind
    while frame.tb_next is not None:
        frame = frame.tb_next
    return f"{kind} at {Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}"


def cause(error: BaseException) -> str:
    """What an error of ours or of the disk's says, which is not private; all others as `bug`."""
    told = isinstance(error, ParleyError | StorageError | OSError)
    return str(error) if told else bug(error)
