"""PromptLog: what models were asked and what they answered, for its owner's eyes only."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import orjson

from actors.negotiators.prompts import Prompt
from storage.calls import CallStart
from storage.records import write_time


class PromptLog:
    """A file of JSON lines beside the database, with both sides' private briefs in it."""

    def __init__(self, path: Path) -> None:
        """It is made with its first line."""
        self._path = path.absolute()  # the host program may change its working folder
        self._descriptor: int | None = None

    @staticmethod
    def beside(database: Path) -> Path:
        """Where it lies: `parley.prompts.jsonl` beside `parley.db`."""
        return database.with_suffix(".prompts.jsonl")

    def write(self, call: CallStart, prompt: Prompt, answer: str | None) -> None:
        """Add one line; it never raises."""
        line = {
            "ts": write_time(call.created_at),
            "call_id": call.id,
            "negotiation_id": call.negotiation_id,
            "side": call.side,
            "attempt": call.attempt,
            "system": prompt.system,
            "user": prompt.user,
            "answer": answer,
        }
        with suppress(OSError, TypeError):  # neither a full disk nor half a character stops us
            os.write(self._opened(), orjson.dumps(line) + b"\n")

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _opened(self) -> int:
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            descriptor = os.open(self._path, flags, 0o600)
            try:
                self._path.chmod(0o600)  # it may have been there, and open to others
            except OSError:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
        return self._descriptor
