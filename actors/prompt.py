"""A prompt at a terminal: what others print meanwhile stands above the line that is being typed."""

from __future__ import annotations

import asyncio
import rlcompleter
import sys
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractContextManager,
    contextmanager,
    nullcontext,
    redirect_stderr,
    redirect_stdout,
)
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.patch_stdout import StdoutProxy

from actors.inert import visible

INDENT = "    "
NAME_BREAKS = " \t\n`~!@#$%^&*()-=+[{]}\\|;:'\",<>/?"
"""What ends a dotted name."""


@contextmanager
def prompting(names: dict[str, Any]) -> Iterator[Callable[[str], str]]:
    """Give a function that asks for a line; until the end all prints go above what is typed.

    Prints go to a thread of their own, so that a terminal that stands still holds up nobody, and
    control and invisible characters in them are shown, not obeyed.

    Args:
        names: What Tab completes.
    """
    session: PromptSession[str] = PromptSession(
        completer=Names(names), complete_while_typing=False, input=_Keys(sys.stdin)
    )
    # one loop for all prompts: a print may still be on its way to that of the prompt before
    with (
        asyncio.Runner() as runner,
        _Above() as above,
        redirect_stdout(above),
        redirect_stderr(above),
    ):

        def ask(prompt: str) -> str:
            try:
                return runner.run(session.prompt_async(prompt))
            finally:
                runner.run(asyncio.sleep(0))

        yield ask


class _Keys(Vt100Input):
    """Takes every key to the prompt, those too that are pressed while something is printed."""

    def cooked_mode(self) -> AbstractContextManager[None]:
        """Leave the terminal as it is for a print: it would take a Ctrl-D or Backspace itself."""
        return nullcontext()


class _Above(StdoutProxy):
    """Prints above the prompt what is made harmless, whoever wrote it."""

    def write(self, data: str) -> int:
        """Print it once its line is complete."""
        super().write(visible(data, keep="\n\t"))
        return len(data)


class Names(Completer):
    """Names and their attributes, as Python's own prompt completes them."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = rlcompleter.Completer(names)

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterator[Completion]:
        """What may stand where the cursor is."""
        before = document.current_line_before_cursor
        if not before.strip():
            yield Completion(INDENT)
            return
        start = max(before.rfind(mark) for mark in NAME_BREAKS) + 1
        name = before[start:]
        place = 0
        while match := self._names.complete(name, place):
            yield Completion(match, start_position=-len(name))
            place += 1
