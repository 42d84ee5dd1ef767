"""A command at a real pseudo-terminal, and what a person sees on its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyte
from terminal import RUN

ROOT = Path(__file__).parent.parent
PATIENCE_S = 60
STEP = 512
"""Bytes that are drawn at once: fewer than a picture takes, so that none is missed."""
ALTERNATE = 1049
"""The mode in which a program has the whole screen, and gives it back."""


class _Screen(pyte.Screen):
    """Knows the whole screen that a program can have: it is blank again when given back."""

    def reset_mode(self, *modes: int, **more: Any) -> None:
        if ALTERNATE in modes and more.get("private"):
            self.reset()
        super().reset_mode(*modes, **more)


class Screen:
    """A person who looks at a command; it is killed if it has not ended at the end."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        columns: int,
        lines: int = 24,
        program: Sequence[str] = (sys.executable, "-c", RUN, "", str(ROOT / "main.py")),
        **settings: str,
    ) -> None:
        """Start it; `settings` go into its environment."""
        self._screen = _Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._leader, self._follower = pty.openpty()
        self.resize(columns, lines)
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            [*program, *arguments],
            cwd=folder,
            env={**environment, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT), **settings},
            stdin=self._follower,
            stdout=self._follower,
            stderr=self._follower,
            start_new_session=True,
        )
        self.written = b""
        """All that it has sent to the terminal."""

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, without the blank lines below it."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip().split("\n")

    def press(self, text: str) -> None:
        os.write(self._leader, text.encode())

    def resize(self, columns: int, lines: int) -> None:
        self._screen.resize(lines, columns)
        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def look(self) -> None:
        """Wait for something to change."""
        assert self._read(time.monotonic() + PATIENCE_S), "nothing changes any more"

    def until(self, text: str) -> list[str]:
        """Look until the text stands on the screen: all of it, then."""
        deadline = time.monotonic() + PATIENCE_S
        while not any(text in line for line in self.lines):
            shown = "\n".join(self.lines)
            assert self._read(deadline), f"no {text!r} in\n{shown}"
        return self.lines

    def ended(self) -> int:
        """Its exit code; what it still shows is read before."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            self._read(time.monotonic() + 0.05)
            assert time.monotonic() < deadline, "\n".join(self.lines)
        while self._read(time.monotonic()):
            pass
        return self.process.returncode

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._leader], [], [], max(0, deadline - time.monotonic()))
        if ready:
            came = os.read(self._leader, STEP)
            self.written += came
            self._stream.feed(came)
        return bool(ready)

    def __enter__(self) -> Self:
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
