"""A terminal at which somebody types: what others print meanwhile stands above their line."""

from __future__ import annotations

import re
import rlcompleter
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import (
    AbstractContextManager,
    contextmanager,
    nullcontext,
    redirect_stderr,
    redirect_stdout,
)
from typing import Any, Protocol, TypeVar

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.patch_stdout import StdoutProxy

from actors.inert import visible

T = TypeVar("T")
INDENT = "    "
NAME_BREAKS = " \t\n`~!@#$%^&*()-=+[{]}\\|;:'\",<>/?"
"""What ends a dotted name."""
KEY = re.compile(r"""([A-Za-z_][\w.]*)\[(["'])([^"']*)$""")
"""A key that is being typed, such as `q["Supp`."""
OF_ITEM = re.compile(r"""([A-Za-z_][\w.]*\[(?:"[^"]*"|'[^']*'|-?\d+)\])\.(\w*)$""")
"""An attribute of an item, such as `q["Supplier 2"].acc`."""


class Runs(Protocol):
    """Runs a coroutine to its end, in one loop for all prompts."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Gives what it returns."""


@contextmanager
def terminal() -> Iterator[None]:
    """Until the end all prints go above what is typed.

    Prints go to a thread of their own, so that a terminal that stands still holds up nobody, and
    control and invisible characters in them are shown, not obeyed.
    """
    with (
        _Above() as above,
        redirect_stdout(above),
        redirect_stderr(above),
    ):
        yield


def prompt(names: dict[str, Any], run: Runs) -> Callable[[str], str]:
    """Give a function that asks for a line; Tab completes these names."""
    session: PromptSession[str] = PromptSession(
        completer=Names(names), complete_while_typing=False, input=Keys(sys.stdin)
    )
    return lambda words: run(session.prompt_async(words))


class Keys(Vt100Input):
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
    """Names, attributes and keys, as far as they can be told without running anything else."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterator[Completion]:
        """What may stand where the cursor is."""
        before = document.current_line_before_cursor
        if not before.strip():
            yield Completion(INDENT)
        elif key := KEY.search(before):
            name, quote, begun = key.groups()
            thing = self._value(name)
            for each in getattr(thing, "_ipython_key_completions_", list)():
                if each.startswith(begun) and not {"\\", quote} & {*each}:
                    yield Completion(each, start_position=-len(begun))
        elif item := OF_ITEM.search(before):
            yield from _completions("_." + item[2], {"_": self._value(item[1])}, len("_."))
        else:
            start = max(before.rfind(mark) for mark in NAME_BREAKS) + 1
            yield from _completions(before[start:], self._names)

    def _value(self, expression: str) -> Any:
        try:
            return eval(expression, self._names)  # noqa: S307 - as Tab at Python's own prompt does
        except Exception:  # noqa: BLE001 - it is not complete, or nothing
            return None


def _completions(name: str, names: dict[str, Any], typed: int = 0) -> Iterator[Completion]:
    completer = rlcompleter.Completer(names)
    place = 0
    while match := completer.complete(name, place):
        yield Completion(match[typed:], start_position=typed - len(name))
        place += 1
