"""Signals that ask a program to end: the first is heard, and then it ends, in bounded time.

The others are not, for they would break off what makes an end orderly. One that is ignored when the
program starts, as under `nohup`, stays ignored.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable

HANG_UP = getattr(signal, "SIGHUP", None)
"""The terminal was closed, or the connection to it; not every system has it."""
ENDING = tuple(each for each in (signal.SIGINT, signal.SIGTERM, HANG_UP) if each is not None)


def hear_first(does: Callable[[int], object], signals: Iterable[int] = ENDING) -> None:
    """Call `does` in the main thread when the first of the signals comes, and never again."""
    has_come = False

    def hear(number: int, _: object) -> None:
        nonlocal has_come
        if not has_come:
            has_come = True
            does(number)

    for each in signals:
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, hear)


def ignore() -> None:
    """Hear none of them any more, not even while Python itself ends, when its handlers are gone."""
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)


def raise_each_interrupt() -> None:
    """Have every Ctrl-C raise KeyboardInterrupt, for where it ends a call and not the program."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
