"""What the log tells about itself and about the run as a whole."""

from __future__ import annotations

from typing import ClassVar

from actors.events import Event
from actors.inert import inert


class Heartbeat(Event, frozen=True, kw_only=True, gc=False):
    """The system lives; every `heartbeat_s` seconds, also while nothing happens."""

    name: ClassVar[str] = "system.heartbeat"
    level: ClassVar[str] = "debug"
    active: int
    """Negotiations that this run has taken up and that have not ended, parked ones too."""
    parked: int
    drafts: int
    """Drafts in flight."""
    oldest_draft_s: float | None
    """Seconds since the oldest draft in flight was asked for."""
    mailbox_coordinator: int
    """Pieces of mail that wait; likewise all `mailbox_…`."""
    mailbox_agents: int
    mailbox_negotiations: int
    """Of all negotiations together."""
    mailbox_persistence: int
    commits: int
    """Transactions since the heartbeat before."""
    commit_s: float | None
    """Seconds that the last transaction took, until it was on disk."""
    longest_commit_s: float | None
    """Seconds of the slowest one since the heartbeat before."""


class RunFinished(Event, frozen=True, kw_only=True, gc=False):
    """The totals of a run; its last line."""

    name: ClassVar[str] = "run.finished"
    seconds: float
    quotes_started: int
    quotes_completed: int
    quotes_cancelled: int
    negotiations_completed: int
    negotiations_impasse: int
    negotiations_active: int
    """Taken up and not ended, parked ones too."""
    negotiations_parked: int
    messages: int
    interventions: int
    drafts_refused: int
    drafts_failed: int
    model_calls: int
    """Failed and cancelled ones too."""
    model_input_tokens: int
    """As far as servers told."""
    model_output_tokens: int
    saves_retried: int
    """How often a transaction was tried again."""
    log_lines_lost: int


class LogFailed(Event, frozen=True, kw_only=True, gc=False):
    """The log can't be written or put aside; said once, on standard error too; all else goes on."""

    name: ClassVar[str] = "log.failed"
    level: ClassVar[str] = "error"
    log_file: str
    error: str

    def line(self) -> str:
        """Such as `x.jsonl: the log can't be written: Broken pipe; all else goes on`."""
        return f"{inert(self.log_file)}: the log {inert(self.error)}; all else goes on"


class LogRestored(Event, frozen=True, kw_only=True, gc=False):
    """The log is written again."""

    name: ClassVar[str] = "log.restored"
    level: ClassVar[str] = "warning"
    lines_lost: int
    """Lines that should stand before this one and don't."""


class LibraryLogged(Event, frozen=True, kw_only=True, gc=False):
    """A record of pykka or peewee: no argument, no value of a statement, no traceback."""

    name: ClassVar[str] = "library.logged"
    level: str  # type: ignore[misc]  # each record has its own
    logger: str
    words: str
    """What it says, up to the first name, figure or quotation."""
    source: str
    """File and line of the library."""
    exception: str | None
    """The type of the exception that it is about."""
