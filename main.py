"""The command line: what it parses, how it ends, and how errors and signals look."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pkgutil import resolve_name

from actors import signals, standard_streams
from actors.command_line import DONE, INTERRUPTED, NOT_DONE, SIGNALLED, WRONG_USE, parser
from actors.inert import inert

COMMANDS = {
    "run": "engines:run",
    "recover": "engines:recover",
    "repl": "engines:repl",
    "serve": "serving:serve",
    "add": "requests:add",
    "start": "requests:start",
    "cancel": "requests:cancel",
    "continue": "requests:continue_",
    "intervene": "requests:intervene",
    "list": "lookups:list_",
    "show": "lookups:show",
    "report": "reporting:report",
    "verify": "lookups:verify",
    "watch": "watching:watch",
}
"""File and function in `actors/commands`, imported when asked for: `--help` can't wait for all."""


class Terminated(SystemExit):
    """SIGTERM or SIGHUP came; its code is the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, and return its exit code."""
    try:
        options = parser().parse_args(argv)
        does = resolve_name(f"actors.commands.{COMMANDS[options.command]}")
        code = int(does(options))
        sys.stdout.flush()  # what fails must do so here
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Terminated as ended:
        return int(str(ended))
    except BrokenPipeError:  # whoever reads us, such as `head`, has seen enough
        standard_streams.drop_output()
        return DONE
    except Exception as error:
        explained = _explained(error)
        if explained is None:
            raise
        code, lines = explained
        for line in lines:
            print(f"parley: {inert(line)}", file=sys.stderr)
        return code


def entry() -> None:
    """The console script."""
    standard_streams.settle()
    signals.hear_first(_end)
    try:
        code = main()
    finally:
        signals.ignore()
    sys.exit(code)


def _end(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Terminated(SIGNALLED + number)


def _explained(error: Exception) -> tuple[int, Sequence[str]] | None:
    """The exit code and the lines for what went wrong; None when it is our own fault."""
    from actors.errors import InputError, SystemHalted
    from storage.errors import DatabaseUnavailable, StorageError, UnknownRecord

    match error:
        case standard_streams.OutputFailed():
            standard_streams.drop_output()
            return NOT_DONE, [str(error)]
        case InputError():
            return WRONG_USE, error.mistakes
        case UnknownRecord():
            return WRONG_USE, [f"{error}: `list` shows those there are"]
        case DatabaseUnavailable():
            return WRONG_USE, [f"{error}: nothing was written: try again"]
        case StorageError():
            return WRONG_USE, [str(error)]
        case OSError():
            named = error.filename and error.strerror
            return WRONG_USE, [f"{error.filename}: {error.strerror}" if named else str(error)]
        case SystemHalted():
            return NOT_DONE, [str(error)]
        case _:
            return None


if __name__ == "__main__":
    entry()
