"""The REPL in a process of its own, at a real pseudo-terminal: typed to, and read from.

Its shell is IPython, as it is where that is installed, or Python's own console, as where it is not.
"""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parent.parent
PATIENCE_S = 60
RUN = (
    "import fcntl, runpy, sys, termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"  # so that Ctrl-C reaches it as a signal
    "_, before, *sys.argv = sys.argv\n"
    "exec(before)\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What moves the cursor or sets a mode."""
PROMPTS = {"python": ">>>", "ipython": "In ["}
"""By the name of the shell."""
BEFORE = {"python": "sys.modules['IPython'] = None", "ipython": ""}
"""What has the shell chosen: without IPython there is Python's own."""


class Terminal:
    """A person at a terminal with `repl`; it is killed if it has not ended at the end."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        shell_name: str = "python",
        before: str | None = None,
        columns: int = 200,
    ) -> None:
        """Start it.

        Args:
            before: What its process runs first; None has the shell chosen.
        """
        self._prompt = PROMPTS[shell_name]
        self._leader, self._follower = pty.openpty()
        self.settings = termios.tcgetattr(self._follower)
        main = str(ROOT / "main.py")
        at_home = {"HOME": str(folder), "TMPDIR": str(folder)}
        settings = {
            "TERM": "xterm",
            "COLUMNS": str(columns),
            "LINES": "24",
            "PROMPT_TOOLKIT_NO_CPR": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN, before or BEFORE[shell_name], main, "repl", *arguments],
            cwd=folder,
            env={**os.environ, **settings, **at_home, "PYTHONPATH": str(ROOT)},
            stdin=self._follower,
            stdout=self._follower,
            stderr=self._follower,
            start_new_session=True,
        )
        self.screen = ""
        self._seen = 0

    def press(self, text: str) -> None:
        os.write(self._leader, text.encode())

    def run(self, line: str, shows: str) -> None:
        """Type a whole line, and wait until what it shows is there, and then a new prompt."""
        self.press(f"{line}\r")
        self.until(shows)
        self.until(self._prompt)

    def until(self, text: str) -> None:
        """Read on until the text has come, after what was waited for before."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := self.screen.find(text, self._seen)) < 0:
            assert self._read(deadline), f"no {text!r} in {self.screen[self._seen :]!r}"
        self._seen = found + len(text)

    def until_shown(self, pattern: str) -> None:
        """Read on until what the screen shows now matches, whatever moved the cursor meanwhile."""
        deadline = time.monotonic() + PATIENCE_S
        while not re.search(pattern, STEERING.sub("", self.screen[self._seen :])):
            assert self._read(deadline), f"no {pattern!r} in {self.screen[self._seen :]!r}"
        self._seen = len(self.screen)

    def until_next(self, text: str) -> None:
        """Read on until the text comes anew: what follows is done at that very instant."""
        while self._read(time.monotonic()):
            pass
        self._seen = len(self.screen)
        self.until(text)

    def ended(self) -> int:
        """Its exit code; what it still shows is read before."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            self._read(time.monotonic() + 0.05)
            assert time.monotonic() < deadline, self.screen[self._seen :]
        while self._read(time.monotonic()):
            pass
        return self.process.returncode

    @property
    def is_sane(self) -> bool:
        """Whether the terminal is set as it was before."""
        return termios.tcgetattr(self._follower) == self.settings

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._leader], [], [], max(0, deadline - time.monotonic()))
        if ready:
            self.screen += os.read(self._leader, 65536).decode(errors="replace")
        return bool(ready)

    def __enter__(self) -> Self:
        try:
            self.until(self._prompt)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._leader)
        os.close(self._follower)
