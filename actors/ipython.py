"""IPython as the REPL's shell, where it is installed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory
from typing import Any

import IPython
from IPython.core.displayhook import DisplayHook
from IPython.core.guarded_eval import BUILTIN_GETITEM
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from traitlets.config import Config

from actors.handles.quotes import QuoteHandle, Quotes
from actors.prompt import Keys, Runs

OLDEST = 9
"""The oldest version that takes the settings below."""
if IPython.version_info[0] < OLDEST:
    raise ImportError(f"IPython {OLDEST} or newer is needed")

Explains = Callable[[BaseException], Sequence[str] | None]
"""Gives the lines that say it all about an error, or None where they can't."""

SETTINGS = {
    "HistoryManager": {"hist_file": ":memory:"},  # what a person types may be private
    "IPCompleter": {
        "use_jedi": False,  # it is slow, and does not know the keys of a handle
        "policy_overrides": {"allowed_getitem": {*BUILTIN_GETITEM, Quotes, QuoteHandle}},
    },
    "TerminalInteractiveShell": {
        "colors": "nocolor",  # what is printed is made inert, and colours would be too
        "confirm_exit": False,
        "term_title": False,
    },
}


def converse(names: dict[str, Any], run: Runs, explain: Explains) -> None:
    """Run what a person types until its end or `exit()`; nothing of it is left on disk.

    Args:
        names: What is bound.
        run: What prompts and awaits are run by.

    Raises:
        SystemExit: They left by `exit()`, or the process was told to end.
    """
    with TemporaryDirectory() as folder:
        shell: Any = _Shell.instance(ipython_dir=folder, user_ns=names, config=Config(SETTINGS))
        shell.run, shell.explain, shell.loop_runner = run, explain, run
        shell.pt_app.app.input = Keys(sys.stdin)
        shell.user_ns |= {"exit": _leave, "quit": _leave}
        shell.set_hook("show_in_pager", _inline, 0)
        shell.mainloop()
    if shell.leaving is not None:
        raise shell.leaving


def _inline(_shell: object, text: Any, **_: object) -> None:
    """Print what a pager would show: it would hide what happens meanwhile."""
    print(text["text/plain"] if isinstance(text, dict) else text)


def _leave(code: object = None) -> None:
    """Leave, with an exit code if you like: `exit()`."""
    raise SystemExit(code)


class _Shell(TerminalInteractiveShell):
    """IPython, but for where lines come from, where answers go and how mistakes look."""

    run: Runs
    explain: Explains
    leaving: SystemExit | None = None
    displayhook_class = DisplayHook  # the terminal's own prints past what is printed before it

    def prompt_for_code(self) -> str:
        """The next cell."""
        begun, self.rl_next_input = self.rl_next_input or "", None
        app, options = self.pt_app, self._extra_prompt_options()  # type: ignore[no-untyped-call]
        assert app is not None  # noqa: S101 - there is a terminal
        return str(self.run(app.prompt_async(default=begun, **options)))

    def showtraceback(self, *args: Any, **options: Any) -> None:
        """Tell what went wrong: in a line where the error says it all."""
        error = sys.exception()
        if isinstance(error, SystemExit):
            self.leaving = error
            self.keep_running = False
        elif error is not None and (lines := self.explain(error)) is not None:
            print(*lines, sep="\n", file=sys.stderr)
        else:
            super().showtraceback(*args, **options)
