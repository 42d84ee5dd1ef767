"""What there is to set about the log: `[log]` in the config."""

from __future__ import annotations

from pydantic import Field

from storage.terms.kind import Record


class LogSettings(Record):
    """How the log is kept, and how often the system says that it lives."""

    max_megabytes: float | None = Field(default=None, ge=1, le=1_000_000)
    """From which on a log file is put aside for a new one; None never does, and has the command
    line write a file of its own for each run. One that is smaller than 1 could come and go between
    two looks of who follows it."""
    keep: int = Field(default=5, ge=1, le=1_000)
    """Files put aside that are kept."""
    heartbeat_s: float = Field(default=10.0, ge=0, le=86_400)
    """Seconds between two heartbeats; 0: none."""
