"""The REPL: Python in which quotes are at hand, for a person at a terminal or for a pipe.

At a terminal IPython is the shell where it is installed, else Python's own console.
"""

from __future__ import annotations

import ast
import asyncio
import code
import inspect
import pydoc
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent import futures
from concurrent.futures import Future
from contextlib import contextmanager
from types import CodeType
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from actors.errors import InputError, ParleyError
from actors.events import Event
from actors.handles.quotes import Quotes
from actors.inert import inert
from actors.system import NegotiationSystem
from storage.errors import StorageError
from storage.records import Negotiation, QuoteId

if TYPE_CHECKING:
    from actors.prompt import Runs

T = TypeVar("T")
LONGEST_WAIT_S = 60.0
"""How long a call at the prompt waits when it is not told."""
LOOK_S = 0.2
"""Seconds after which a wait looks for a signal: one that comes right before it wakes nobody."""
BANNER = """\
q = new("quote.toml"), or new() for the sample; q.start(); then q shows where it stands, and
q["Supplier 2"] one negotiation in full. quotes are all there are, quotes[-1] is the newest;
recover() goes on with what was left over. system is the face of it all. help(q) is the manual,
Ctrl-C interrupts, Ctrl-D leaves."""
TYPED = ("<repl>", "<ipython-input-")
"""How the names of the files begin that what is typed is taken to stand in."""


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
        deadline = time.monotonic() + limit_s
        while not reply.done() and (left_s := deadline - time.monotonic()) > 0:
            futures.wait([reply], min(left_s, LOOK_S))
        try:
            return super()._result(reply, 0)
        except TimeoutError:
            raise TimeoutError(
                f"something still moved after {limit_s} s; it goes on, and "
                "q.wait(600) or system.wait(quote_id, 600) waits longer"
            ) from None


def converse(system: NegotiationSystem) -> None:
    """Run what a person types, or what standard input holds, until its end or `exit()`.

    Raises:
        SystemExit: They left by `exit()`, or the process was told to end.
    """
    quotes = Quotes(system)
    names: dict[str, Any] = {
        "__name__": "__console__",
        "__doc__": None,
        "system": system,
        "quotes": quotes,
        "new": quotes.new,
        "recover": quotes.recover,
    }
    if sys.stdin.isatty() and sys.stdout.isatty():
        _at_terminal(system, names)
    else:
        with _shown(system, sys.stderr), _loop() as run:
            _Console(names, run, lambda _: input()).interact(banner="", exitmsg="")


def _at_terminal(system: NegotiationSystem, names: dict[str, Any]) -> None:
    from actors.prompt import prompt, terminal  # a pipe needn't wait for it

    with terminal(), _shown(system, sys.stdout), _loop() as run:
        names["help"] = pydoc.Helper(output=sys.stdout)  # a pager would hide what happens
        print(BANNER)
        try:
            from actors import ipython
        except ImportError:
            _Console(names, run, prompt(names, run)).interact(banner="", exitmsg="")
        else:
            ipython.converse(names, run, explanation)


@contextmanager
def _loop() -> Iterator[Runs]:
    """One loop for all prompts: a print may still be on its way to that of the prompt before."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_exception_handler(_report_failure)

        def run(work: Coroutine[Any, Any, T]) -> T:
            try:
                return runner.run(_watchful(work))
            finally:
                runner.run(asyncio.sleep(0))
                if inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
                    work.close()  # Ctrl-C came before it began

        yield run


def _report_failure(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Let nobody wonder about a task in which the process was told to end: it does."""
    if not isinstance(context.get("exception"), SystemExit):
        loop.default_exception_handler(context)


async def _watchful(work: Coroutine[Any, Any, T]) -> T:
    async def look() -> None:
        while True:  # noqa: ASYNC110 - it is the waking up that counts
            await asyncio.sleep(LOOK_S)

    looking = asyncio.create_task(look())
    try:
        return await work
    finally:
        looking.cancel()


def explanation(error: BaseException) -> Sequence[str] | None:
    """The lines that say it all about a mistake; None where it takes a traceback."""
    match error:
        case InputError():
            return error.mistakes
        case ParleyError() | StorageError() | OSError():
            return (f"{type(error).__name__}: {error}",)
        case KeyboardInterrupt() | asyncio.CancelledError():
            return ("interrupted; negotiations go on",)
    *_, raised_at = None, *traceback.extract_tb(error.__traceback__)
    if raised_at and raised_at.lineno == 1 and raised_at.filename.startswith(TYPED):
        return [part.rstrip() for part in traceback.format_exception_only(error)]
    return None


class _Console(code.InteractiveConsole):
    """Python's own console, but for where lines come from, `await` and how mistakes look."""

    def __init__(self, names: dict[str, Any], run: Runs, ask: Callable[[str], str]) -> None:
        super().__init__(names, filename="<repl>")
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._run = run
        self._ask = ask
        self._pasted: deque[str] = deque()

    def raw_input(self, prompt: str = "") -> str:
        """The next line; several that were pasted at once are taken one by one."""
        if not self._pasted:
            self._pasted.extend(self._ask(prompt).split("\n"))
        return self._pasted.popleft()

    def runcode(self, code: CodeType) -> None:
        """Run what was typed, to the end of what it awaits."""
        try:
            awaits = eval(code, self.locals)  # noqa: S307 - that is what it was typed for
            if asyncio.iscoroutine(awaits):
                self._run(awaits)
        except SystemExit:
            raise
        except BaseException:  # noqa: BLE001 - Ctrl-C too
            self.showtraceback()

    def showtraceback(self) -> None:
        """Tell what went wrong: in a line where the error says it all."""
        error = sys.exception()
        if isinstance(error, KeyboardInterrupt):
            self._pasted.clear()
        lines = None if error is None else explanation(error)
        if lines is None:
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
