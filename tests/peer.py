"""The other end of a session: a parent that asks by hand, and reads only when it is told to."""

from __future__ import annotations

import fcntl
import json
import os
import select
import subprocess
import sys
import termios
import time
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from serving import ENVIRONMENT, PATIENCE_S, ROOT

from actors.stdio.pipes import Pipes
from actors.stdio.session import Session
from actors.system import NegotiationSystem


class Refused(Exception):
    """A call was answered with an error."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(error["message"])
        self.code: int = error["code"]
        self.data: Mapping[str, Any] = error.get("data", {})


class Peer:
    """Two descriptors; lines are read in order, and what is not asked for is kept."""

    def __init__(self, output: int, source: int) -> None:
        self._output = output
        self._source = source
        self._begun = b""
        self._sent = 0
        self.kept: list[Any] = []
        """Read, but not asked for yet."""

    def raw(self, data: bytes) -> None:
        """Write bytes as they are."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._output, rest) :]

    def send(self, method: str, **params: Any) -> str:
        """Ask for something, and read nothing; the id of the request."""
        self._sent += 1
        call_id = f"call {self._sent}"
        request = {"jsonrpc": "2.0", "id": call_id, "method": method, "params": params}
        self.raw(json.dumps(request).encode() + b"\n")
        return call_id

    def call(self, method: str, **params: Any) -> Any:
        """Ask for something, and wait for its result."""
        return self.result(self.send(method, **params))

    def result(self, call_id: str) -> Any:
        """The result of what was asked for, or Refused."""
        answer = self.find(lambda line: isinstance(line, dict) and line.get("id") == call_id)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["result"]

    def event(self, name: str, **facts: Any) -> Any:
        """The next event with this name and these facts."""
        wanted = {"event": name, **facts}
        found = self.find(
            lambda line: (
                isinstance(line, dict)
                and line.get("method") == "event"
                and wanted.items() <= line["params"].items()
            )
        )
        return found["params"]

    def find(self, wanted: Callable[[Any], bool]) -> Any:
        """The first line that is wanted; those before it are kept."""
        for place, line in enumerate(self.kept):
            if wanted(line):
                return self.kept.pop(place)
        while not wanted(line := self.next_line()):
            self.kept.append(line)
        return line

    def next_line(self) -> Any:
        """The next line, which must come."""
        line = self.line()
        assert line is not None, "the session has ended"
        return line

    def line(self) -> Any:
        """The next line, decoded; None at the end."""
        deadline = time.monotonic() + PATIENCE_S
        while b"\n" not in self._begun:
            if self._source < 0:
                return None
            left = deadline - time.monotonic()
            assert select.select([self._source], [], [], max(0, left))[0], "nothing was said"
            if not (piece := os.read(self._source, 65536)):
                assert self._begun == b"", "half a line"
                return None
            self._begun += piece
        line, _, self._begun = self._begun.partition(b"\n")
        assert line.isascii()
        return json.loads(line)

    def rest(self) -> list[Any]:
        """All lines to the end."""
        lines = [*self.kept, *iter(self.line, None)]
        self.kept = []
        return lines

    @property
    def is_read(self) -> bool:
        """Whether nothing of what was sent is still in the pipe."""
        left = array("i", [0])
        fcntl.ioctl(self._output, termios.FIONREAD, left)
        return left[0] == 0

    def hang_up(self) -> None:
        """Close what the session reads."""
        output, self._output = self._output, -1
        os.close(output)

    def stop_listening(self) -> None:
        """Close what the session writes to."""
        source, self._source = self._source, -1
        os.close(source)


class Parent(Peer):
    """A parent of a real `serve --stdio`."""

    ready: Mapping[str, Any]
    """What it said first."""

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        self.log = folder / f"{time.time_ns()}.jsonl"
        log = ("--log-file", str(self.log))
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "main.py"), "serve", "--stdio", *log, *arguments],
            cwd=folder,
            env={**ENVIRONMENT, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        super().__init__(os.dup(self.process.stdin.fileno()), os.dup(self.process.stdout.fileno()))
        self.process.stdin.close()
        self.process.stdout.close()

    def ended(self) -> tuple[int, str]:
        """The exit code and what stands on standard error, once it has ended by itself."""
        assert self.process.stderr is not None
        errors = self.process.stderr.read().decode()
        return self.process.wait(PATIENCE_S), errors


@contextmanager
def parenting(folder: Path, *arguments: str, **settings: str) -> Iterator[Parent]:
    """A parent of an engine that is ready, and never outlives its test."""
    parent = Parent(folder, *arguments, **settings)
    try:
        said = parent.next_line()
        assert said["method"] == "ready"
        parent.ready = said["params"]
        yield parent
    finally:
        parent.process.kill()
        parent.process.wait()
        assert parent.process.stderr is not None
        parent.process.stderr.close()
        for close in (parent.hang_up, parent.stop_listening):
            with suppress(OSError):
                close()


@contextmanager
def session(system: NegotiationSystem, **options: Any) -> Iterator[tuple[Peer, SimpleQueue[None]]]:
    """A session in this process, after `ready`, and where it says that it is to end.

    Afterwards all that it still said is kept, unless the peer has stopped listening.
    """
    source, output = os.pipe()
    heard, said = os.pipe()
    ends: SimpleQueue[None] = SimpleQueue()
    peer = Peer(output, heard)
    try:
        with Session(system, Pipes(source, said), lambda: ends.put(None), ready={}, **options):
            assert peer.next_line()["method"] == "ready"
            yield peer, ends
    finally:
        os.close(said)
        with suppress(OSError):
            peer.kept = peer.rest()
        for close in (peer.hang_up, peer.stop_listening):
            with suppress(OSError):
                close()
