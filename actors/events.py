"""Every log event, typed, and where they go: a file of JSON lines, and whoever subscribes.

Each line has `ts`, `level` and `event`, then ids, then facts; never a prompt, a key or a limit.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, cast

import orjson
import structlog

from actors.inert import inert
from storage.records import NegotiationId, QuoteId, SupplierId


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base of all events."""

    name: ClassVar[str]
    level: ClassVar[str] = "info"

    def facts(self) -> dict[str, Any]:
        """The fields that are set, by name."""
        names = _field_names(cast("Hashable", type(self)))
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def line(self) -> str:
        """One calm line for a person."""
        facts = (f"{name}={inert(str(value))}" for name, value in self.facts().items())
        return " ".join([self.name, *facts])


@cache
def _field_names(event: Hashable) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cast("type[Event]", event)))


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationEvent(Event):
    """Something about one negotiation."""

    quote_id: QuoteId
    negotiation_id: NegotiationId
    supplier_id: SupplierId


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStarted(Event):
    """The system is ready."""

    name: ClassVar[str] = "system.started"
    database: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStoppedEvent(Event):
    """The system has stopped; what was active can be taken up again."""

    name: ClassVar[str] = "system.stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemHaltedEvent(Event):
    """Nothing can be saved any more, so nobody speaks."""

    name: ClassVar[str] = "system.halted"
    level: ClassVar[str] = "critical"
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteCreated(Event):
    """A quote is on disk, pending."""

    name: ClassVar[str] = "quote.created"
    quote_id: QuoteId


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteStarted(Event):
    """A quote's negotiations are on disk, active."""

    name: ClassVar[str] = "quote.started"
    quote_id: QuoteId
    negotiations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteCompleted(Event):
    """The last negotiation of a quote has ended."""

    name: ClassVar[str] = "quote.completed"
    quote_id: QuoteId


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteCancelled(Event):
    """A quote is cancelled; what is active of it ends."""

    name: ClassVar[str] = "quote.cancelled"
    quote_id: QuoteId


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftRefused(NegotiationEvent):
    """A rule sent a draft back; `fallback` names who decides next, if anybody else does."""

    name: ClassVar[str] = "draft.refused"
    level: ClassVar[str] = "warning"
    side: str
    rule: str
    fallback: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftFailedEvent(NegotiationEvent):
    """A negotiator made no move."""

    name: ClassVar[str] = "draft.failed"
    level: ClassVar[str] = "warning"
    side: str
    error: str
    retry_in_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleDraftDropped(NegotiationEvent):
    """An answer came for a draft that nobody waits for any more."""

    name: ClassVar[str] = "draft.stale"
    level: ClassVar[str] = "debug"
    draft_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptDemoted(NegotiationEvent):
    """An accept became talk, because of its words."""

    name: ClassVar[str] = "accept.demoted"
    level: ClassVar[str] = "warning"
    side: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSavedEvent(NegotiationEvent):
    """A message is on disk, and whoever is next may see it."""

    name: ClassVar[str] = "message.saved"
    seq: int
    sender: str
    move: str | None
    origin: str
    rounds: int
    total: str | None
    """What the terms come to, as text; of an offer or an accept."""
    currency: str

    def line(self) -> str:
        """Such as `supplier-2 message 6: supplier offer USD 43300.00`."""
        money = f" {self.currency} {self.total}" if self.total else ""
        did = f"{self.sender} {self.move}" if self.move else self.sender
        return f"{self.supplier_id} message {self.seq}: {did}{money}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveRefused(NegotiationEvent):
    """A save broke a rule of the ledger; the negotiation is loaded again from disk."""

    name: ClassVar[str] = "save.refused"
    level: ClassVar[str] = "error"
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveRetried(Event):
    """A transaction could not be committed and is tried again; nobody speaks meanwhile."""

    name: ClassVar[str] = "save.retried"
    level: ClassVar[str] = "error"
    error: str
    saves: int
    retry_in_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationEndedEvent(NegotiationEvent):
    """A negotiation has ended, agreed or not."""

    name: ClassVar[str] = "negotiation.ended"
    status: str
    reason: str | None
    rounds: int

    def line(self) -> str:
        """Such as `supplier-2 ended: completed after 8 rounds`."""
        why = f" ({self.reason})" if self.reason else ""
        return f"{self.supplier_id} ended: {self.status}{why} after {self.rounds} rounds"


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationParkedEvent(NegotiationEvent):
    """Nothing moves a negotiation by itself any more."""

    name: ClassVar[str] = "negotiation.parked"
    level: ClassVar[str] = "error"
    error: str

    def line(self) -> str:
        """Such as `supplier-2 parked: …`."""
        return f"{self.supplier_id} parked: {inert(self.error)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationWaiting(NegotiationEvent):
    """A negotiation that is not automatic waits to be continued."""

    name: ClassVar[str] = "negotiation.waiting"

    def line(self) -> str:
        """Such as `supplier-2 waits to be continued`."""
        return f"{self.supplier_id} waits to be continued"


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationContinued(NegotiationEvent):
    """A negotiation that waited or was parked goes on."""

    name: ClassVar[str] = "negotiation.continued"


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationUnreadable(Event):
    """A negotiation that was asked for can't be loaded."""

    name: ClassVar[str] = "negotiation.unreadable"
    level: ClassVar[str] = "error"
    negotiation_id: NegotiationId
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InterventionHeard(NegotiationEvent):
    """A person's guidance has reached a negotiation; `during` says what it was doing."""

    name: ClassVar[str] = "intervention.received"
    intervention_id: str
    during: str
    action: str | None

    def line(self) -> str:
        """Such as `supplier-2 gets an intervention (drafting brand)`."""
        return f"{self.supplier_id} gets an intervention ({self.during})"


@dataclass(frozen=True, slots=True, kw_only=True)
class InterventionSettled(NegotiationEvent):
    """An intervention is settled; its receipt says more."""

    name: ClassVar[str] = "intervention.settled"
    intervention_id: str
    status: str
    applied_seq: int | None

    def line(self) -> str:
        """Such as `supplier-2 intervention applied: message 7 follows it`."""
        place = f": message {self.applied_seq} follows it" if self.applied_seq else ""
        return f"{self.supplier_id} intervention {self.status}{place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideIgnored(Event):
    """Another program has set a quote's status to what can't be acted on."""

    name: ClassVar[str] = "outside.ignored"
    level: ClassVar[str] = "error"
    quote_id: QuoteId
    status: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorFailedEvent(Event):
    """A handler raised: a bug; the actor is restarted, or given up after too many times."""

    name: ClassVar[str] = "actor.failed"
    level: ClassVar[str] = "error"
    actor: str
    error: str
    negotiation_id: NegotiationId | None
    restarts: int
    given_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopHeld(Event):
    """A handler or a negotiator kept all others waiting."""

    name: ClassVar[str] = "loop.held"
    level: ClassVar[str] = "warning"
    by: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MailUndeliverable(Event):
    """Mail was sent to an actor that is gone."""

    name: ClassVar[str] = "mail.undeliverable"
    level: ClassVar[str] = "debug"
    mail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberFailed(Event):
    """Who watched the events raised, and is told no more."""

    name: ClassVar[str] = "subscriber.failed"
    level: ClassVar[str] = "error"
    error: str


Subscriber = Callable[[Event], None]


class EventStream:
    """Where all events of one system go, from any thread."""

    def __init__(self, log_file: Path | None = None) -> None:
        """Open the log, if one is named: appended to, and readable by its owner only.

        Raises:
            OSError: It can't be opened.
        """
        self._subscribers: tuple[Subscriber, ...] = ()
        self._lock = threading.Lock()
        self._file = None if log_file is None else _LogFile(log_file)
        self._logger = None if self._file is None else _json_lines(self._file)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Have every event from now on told to `subscriber`, in the thread where it happens.

        Returns:
            What ends the subscription.
        """
        with self._lock:
            self._subscribers = (*self._subscribers, subscriber)
        return lambda: self._unsubscribe(subscriber)

    def emit(self, event: Event) -> None:
        """Log an event and tell it to all subscribers; never raises."""
        if self._logger is not None:
            self._logger.log(event.level, event.name, event.facts())
        for subscriber in self._subscribers:
            try:
                subscriber(event)
            except Exception as error:  # noqa: BLE001 - a watcher's bug is not ours
                self._unsubscribe(subscriber)
                self.emit(SubscriberFailed(error=repr(error)))

    @contextmanager
    def burst(self) -> Iterator[None]:
        """Write the lines of what happens in this thread meanwhile in one piece, at its end."""
        if self._file is None:
            yield
            return
        self._file.gather()
        try:
            yield
        finally:
            self._file.write_gathered()

    def close(self) -> None:
        """Close the log; later events reach subscribers only."""
        self._logger = None
        if self._file is not None:
            self._file.close()

    def _unsubscribe(self, subscriber: Subscriber) -> None:
        with self._lock:
            self._subscribers = tuple(s for s in self._subscribers if s is not subscriber)


class _LogFile:
    """An append-only file of lines, each piece one write; it never raises."""

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._thread: int | None = None
        self._gathered: list[bytes] = []

    def msg(self, line: bytes) -> None:
        """Write a line, or keep it for the end of this thread's burst."""
        if self._thread == threading.get_ident():
            self._gathered.append(line)
        else:
            self._write(line)

    def gather(self) -> None:
        self._thread = threading.get_ident()

    def write_gathered(self) -> None:
        self._thread = None
        if self._gathered:
            lines, self._gathered = self._gathered, []
            self._write(b"".join(lines))

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _write(self, lines: bytes) -> None:
        if self._descriptor is not None:
            with suppress(OSError):  # a full disk under the log must not stop a negotiation
                os.write(self._descriptor, lines)


class _Lines(structlog.BoundLoggerBase):
    """A structlog logger of our own, so that the host program's configuration stays untouched."""

    def log(self, level: str, name: str, facts: dict[str, Any]) -> None:
        """Write one line."""
        self._proxy_to_logger("msg", event=name, level=level, facts=facts)


def _json_lines(file: _LogFile) -> _Lines:
    lines: _Lines = structlog.wrap_logger(
        file,
        wrapper_class=_Lines,
        processors=[structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"), _rendered],
    ).bind()
    return lines


def _rendered(_logger: Any, _method: str, line: Any) -> Any:
    head = {"ts": line["ts"], "level": line["level"], "event": line["event"]}
    return (_ascii_json(head | line["facts"]) + b"\n",), {}


def _ascii_json(line: dict[str, Any]) -> bytes:
    """In ASCII, so that no text holds a control code or turns a reader's line around."""
    try:
        quick = orjson.dumps(line)
    except TypeError:  # it refuses lone surrogates
        quick = None
    if quick is not None and quick.isascii():
        return quick
    return json.dumps(line, separators=(",", ":")).encode("ascii")
