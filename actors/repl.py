"""The REPL: Python in which `system` is bound, for a person at a terminal or for a pipe.

Whatever else a person shall find bound has its place in `converse`; another shell has its place
beside `prompting`.
"""

from __future__ import annotations

import code
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TextIO, TypeVar

from actors.errors import InputError, ParleyError
from actors.events import Event
from actors.inert import inert
from actors.system import NegotiationSystem
from storage.errors import StorageError
from storage.records import Negotiation, QuoteId

T = TypeVar("T")
LONGEST_WAIT_S = 60.0
"""How long a call at the prompt waits when it is not told."""
BANNER = """\
`system` is bound: quote = system.create_quote(); system.start_negotiations(quote.id);
system.wait(quote.id). help(system) tells more, Ctrl-C interrupts, Ctrl-D leaves."""


class ReplSystem(NegotiationSystem):
    """A system of which no call waits for ever."""

    def wait(
        self, quote_id: QuoteId, timeout_s: float | None = LONGEST_WAIT_S
    ) -> list[Negotiation]:
        """Block until nothing of the quote moves by itself any more: ended or parked.

        Args:
            timeout_s: Longest wait, in seconds; None too is 60.

        Raises:
            UnknownRecord: There is no such quote.
            TimeoutError: Something still moved after `timeout_s`; negotiations go on.
            SystemHalted: Nothing can be saved any more, so nobody may speak.
        """
        return super().wait(quote_id, timeout_s)

    def _result(self, reply: Future[T], timeout_s: float | None) -> T:
        limit_s = LONGEST_WAIT_S if timeout_s is None else timeout_s
        try:
            return super()._result(reply, limit_s)
        except TimeoutError as error:
            raise TimeoutError(
                f"{error}; it goes on, and system.wait(quote_id, timeout_s=600) waits longer"
            ) from None


def converse(system: NegotiationSystem) -> None:
    """Run what a person types, or what standard input holds, until its end or `exit()`.

    Raises:
        SystemExit: They left by `exit()`, or the process was told to end.
    """
    names: dict[str, Any] = {"__name__": "__console__", "__doc__": None, "system": system}
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        with _shown(system, sys.stderr):
            _Console(names, lambda _: input()).interact(banner="", exitmsg="")
        return
    from actors.prompt import prompting  # a pipe needn't wait for it

    with prompting(names) as ask, _shown(system, sys.stdout):
        _Console(names, ask).interact(banner=BANNER, exitmsg="")


class _Console(code.InteractiveConsole):
    """Python's own console, but for where lines come from and how mistakes look."""

    def __init__(self, names: dict[str, Any], ask: Callable[[str], str]) -> None:
        super().__init__(names, filename="<repl>")
        self._ask = ask
        self._pasted: deque[str] = deque()

    def raw_input(self, prompt: str = "") -> str:
        """The next line; several that were pasted at once are taken one by one."""
        if not self._pasted:
            self._pasted.extend(self._ask(prompt).split("\n"))
        return self._pasted.popleft()

    def showtraceback(self) -> None:
        """Tell what went wrong: in a line where the error says it all."""
        error = sys.exception()
        match error:
            case InputError():
                lines = error.mistakes
            case ParleyError() | StorageError() | TimeoutError():
                lines = (f"{type(error).__name__}: {error}",)
            case KeyboardInterrupt():
                self._pasted.clear()
                lines = ("interrupted; negotiations go on",)
            case _:
                super().showtraceback()
                return
        for line in lines:
            self.write(f"{line}\n")

    def write(self, data: str) -> None:
        """Write to standard error; errors may quote text from outside."""
        sys.stderr.write("\n".join(map(inert, data.split("\n"))))


@contextmanager
def _shown(system: NegotiationSystem, stream: TextIO) -> Iterator[None]:
    """Write a line for each event that a person wants to know of."""

    def show(event: Event) -> None:
        if event.level != "debug":
            stream.write(f"{inert(event.line())}\n")

    end = system.subscribe(show)
    try:
        yield
    finally:
        end()
