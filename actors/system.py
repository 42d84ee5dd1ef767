"""NegotiationSystem: the face for embedding, for a REPL and for the command line."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import pykka

from actors.acting import Acting
from actors.agents import BrandAgent, SupplierAgent
from actors.config import Config, load_config
from actors.coordinator import Coordinator
from actors.errors import ConfigError
from actors.event_stream import EventStream, Subscriber
from actors.events import Event, SystemHaltedEvent, SystemStarted, SystemStoppedEvent
from actors.guardian import Guardian
from actors.inspector import Inspector
from actors.log.foreign_records import ForeignRecords
from actors.log.place import why_no_log
from actors.log.pulse import Pulse, Watched
from actors.log.totals import Totals
from actors.negotiators.cast import Cast
from actors.outside import Outside
from actors.persistence import Persistence
from actors.runtime import LoopThread
from storage.database import why_not_writable
from storage.ledger import Ledger
from storage.lock import EngineLock
from storage.pages import Pages

T = TypeVar("T")
STOP_TIMEOUT_S = 10.0
"""The longest wait for an actor to finish what it does when the system stops."""
GRACE_S = 5.0
"""How long a disk that takes nothing is waited for when the system stops."""


class NegotiationSystem(Acting):
    """One database, one loop, one store and one event stream; several can live in one process.

    All methods may be called from any thread but the system's own. What was saved stays saved
    however the process ends.
    """

    def __init__(
        self, config: Config, store: Ledger, cast: Cast, events: EventStream, lock: EngineLock
    ) -> None:
        """Start the actors, bottom-up; callers use `start`."""
        super().__init__(config, store, cast, events)
        self._totals = Totals()
        events.subscribe(self._totals.hear)
        self._halted: str | None = None
        events.subscribe(self._hear_halt)
        self._foreign_records = ForeignRecords(events)
        self._lock = lock
        self._giving_up = threading.Event()
        self._loop = LoopThread(events)
        self._persistence = Persistence.start(store, events, self._giving_up)
        guardian = Guardian.start(loop=self._loop)
        speaking: dict[str, Any] = {"loop": self._loop, "supervisor": guardian}
        self._brand = BrandAgent.start(cast, self._persistence, **speaking)
        self._supplier = SupplierAgent.start(cast, self._persistence, **speaking)
        self._coordinator = Coordinator.start(
            brand=self._brand,
            supplier=self._supplier,
            persistence=self._persistence,
            loop=self._loop,
            supervisor=guardian,
        )
        self._pulse: pykka.ActorRef[Any] | None = None
        if config.log.heartbeat_s:
            watched = Watched(
                coordinator=self._coordinator,
                brand=self._brand,
                supplier=self._supplier,
                persistence=self._persistence,
            )
            self._pulse = Pulse.start(
                watched,
                self._totals.standing,
                config.log.heartbeat_s,
                loop=self._loop,
                supervisor=guardian,
            )
        self._outside = Outside(
            store,
            events,
            lambda quote: self._starting(quote, Future()),
            coordinator=self._coordinator,
            persistence=self._persistence,
        )
        events.emit(SystemStarted(database=str(store.path), pid=os.getpid()))
        self._inspector: Inspector | None = None
        if not store.is_checked:
            self._inspector = Inspector(Pages(store.path), events, persistence=self._persistence)

    @classmethod
    def start(
        cls,
        config: Config | Path | str | None = None,
        *,
        database: Path | str | None = None,
        brand: object = None,
        suppliers: object = None,
        log_file: Path | str | None = None,
        recover: bool = False,
        pace_s: float = 0.0,
    ) -> Self:
        """Start a system.

        Args:
            config: A file, a Config, or None for `config.toml` in the working folder.
            database: The SQLite file; None takes the config's.
            brand: Who speaks for the brand: a name from the catalog, or any object with
                `next_move(view)`; None takes the config's choice.
            suppliers: Who speaks for the suppliers, likewise, or a mapping from supplier id.
            log_file: Where the JSON lines go; None writes none.
            recover: Whether to go on with all that was left over from before; without it only what
                somebody asks for is taken up.
            pace_s: Seconds that offline negotiators take for a message.

        Raises:
            ConfigError: The config, or a negotiator's name, has mistakes, or there can't be a log.
            EngineRunning: Another system runs on the database, here or in another process.
            DatabaseUnusable: The database can't be opened, is not ours, or is damaged. Damage in
                one of more than 2 MiB may show only later, and then halts the system.
            OSError: The log can't be opened, or is a pipe that nobody reads.
        """
        chosen = config if isinstance(config, Config) else load_config(config)
        file = chosen.database if database is None else Path(database)
        cast = Cast(chosen, brand=brand, suppliers=suppliers, pace_s=pace_s, prompts_beside=file)
        # a log that can't be must show before a database is made
        log = None if log_file is None else Path(log_file)
        if log and not why_not_writable(file) and (reason := why_no_log(log, file)):
            raise ConfigError([f"{log}: {reason}"])
        lock = EngineLock(file)
        events: EventStream | None = None
        try:
            events = EventStream(log, chosen.log)
            system = cls(chosen, Ledger(file), cast, events, lock)
        except BaseException:
            if events is not None:
                events.close()
            lock.close()
            raise
        try:
            if recover:
                system.recover()
        except BaseException:
            system.stop()
            raise
        return system

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Have every event from now on told to `subscriber`, which must return at once.

        Returns:
            What ends the subscription.
        """
        return self._events.subscribe(subscriber)

    @property
    def halted(self) -> str | None:
        """Why nothing can be saved any more, so that nobody speaks; None while all is well."""
        return self._halted

    def stop(self) -> None:
        """Stop all actors, top-down; what is saved can be taken up again. Twice is harmless."""
        if self._stopped:
            return
        self._stopped = True
        if self._inspector is not None:
            self._inspector.stop()
        self._outside.stop()
        if self._pulse is not None:
            self._pulse.stop(block=False)
        for actor in (self._coordinator, self._brand, self._supplier):
            with suppress(pykka.Timeout):  # held by a negotiator; the others must stop all the same
                actor.stop(timeout=STOP_TIMEOUT_S)
        self._stop_saving()
        self._loop.stop(self._cast.close())
        self._foreign_records.close()
        self._events.emit(SystemStoppedEvent())
        self._events.close(self._totals.finished(self._events.lines_lost))
        if not self._persistence.is_alive():  # what may still write must not have company
            self._lock.close()

    def _hear_halt(self, event: Event) -> None:
        if isinstance(event, SystemHaltedEvent):
            self._halted = event.error

    def _stop_saving(self) -> None:
        """Let what was sent to Persistence be saved, as long as the disk takes it in time."""
        for grace_s in (GRACE_S, STOP_TIMEOUT_S):
            try:
                self._persistence.stop(timeout=grace_s)
            except pykka.Timeout:
                self._giving_up.set()  # locked or full: what has no receipt was heard by nobody
            else:
                return
