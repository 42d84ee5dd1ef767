"""NegotiationSystem: the face for embedding, for a REPL and for the command line."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import pykka

from actors.agents import BrandAgent, SupplierAgent
from actors.config import Config, load_config
from actors.coordinator import Coordinator, Guardian
from actors.errors import SystemStopped
from actors.events import (
    EventStream,
    QuoteCreated,
    Subscriber,
    SystemStarted,
    SystemStoppedEvent,
)
from actors.mailbox import AwaitStillness, StartNegotiations
from actors.negotiators.cast import Cast
from actors.opening import open_negotiations
from actors.persistence import Persistence
from actors.quote_request import QuoteRequest, new_quote, read_quote_request
from actors.runtime import LoopThread
from storage.lock import EngineLock
from storage.records import Message, Negotiation, NegotiationId, Quote, QuoteId
from storage.store import Store, utc_now

T = TypeVar("T")
STOP_TIMEOUT_S = 10.0
"""The longest wait for an actor to finish what it does when the system stops."""


class NegotiationSystem:
    """One database, one loop, one store and one event stream; several can live in one process.

    All methods may be called from any thread but the system's own. What was saved stays saved
    however the process ends.
    """

    def __init__(
        self, config: Config, store: Store, cast: Cast, events: EventStream, lock: EngineLock
    ) -> None:
        """Start the actors, bottom-up; callers use `start`."""
        self._config = config
        self._store = store
        self._cast = cast
        self._events = events
        self._lock = lock
        self._giving_up = threading.Event()
        self._loop = LoopThread(events)
        self._persistence = Persistence.start(store, events, self._giving_up)
        guardian = Guardian.start(loop=self._loop)
        self._brand = BrandAgent.start(cast, loop=self._loop, supervisor=guardian)
        self._supplier = SupplierAgent.start(cast, loop=self._loop, supervisor=guardian)
        self._coordinator = Coordinator.start(
            brand=self._brand,
            supplier=self._supplier,
            persistence=self._persistence,
            loop=self._loop,
            supervisor=guardian,
        )
        self._stopped = False
        events.emit(SystemStarted(database=str(store.path), pid=os.getpid()))

    @classmethod
    def start(
        cls,
        config: Config | Path | str | None = None,
        *,
        database: Path | str | None = None,
        brand: object = None,
        suppliers: object = None,
        log_file: Path | str | None = None,
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
            pace_s: Seconds that offline negotiators take for a message.

        Raises:
            ConfigError: The config, or a negotiator's name, has mistakes.
            EngineRunning: Another system runs on the database, here or in another process.
            DatabaseUnusable: The database can't be opened, or is not ours.
            OSError: The log can't be opened.
        """
        chosen = config if isinstance(config, Config) else load_config(config)
        cast = Cast(chosen, brand=brand, suppliers=suppliers, pace_s=pace_s)
        file = Path(database or chosen.database)
        lock = EngineLock(file)
        try:
            store = Store(file)
            events = EventStream(Path(log_file) if log_file is not None else None)
            return cls(chosen, store, cast, events, lock)
        except BaseException:
            lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # Doing

    def create_quote(
        self, quote: QuoteRequest | Mapping[str, Any] | Path | str | None = None
    ) -> Quote:
        """Save a new quote, pending.

        Args:
            quote: A path to a TOML file, a mapping with the same keys, a QuoteRequest, or nothing
                for the sample.

        Raises:
            QuoteError: It has mistakes; all are listed, and nothing was saved.
            ConfigError: A supplier that it brings names an unknown negotiator.
        """
        made = new_quote(read_quote_request(quote), self._config.suppliers, utc_now)
        for supplier in made.brought:
            self._cast.supplier_name(supplier)  # an unknown negotiator must show before it is saved
        self._store.add_quote(made)
        self._events.emit(QuoteCreated(quote_id=made.id))
        return made

    def start_negotiations(self, quote_id: QuoteId) -> tuple[Negotiation, ...]:
        """Start one negotiation with each supplier of a pending quote; they go on by themselves.

        Returns:
            Their records, active, once they and the quote's new status are committed.

        Raises:
            UnknownRecord: There is no such quote.
            QuoteNotPending: It was started before; nothing was changed.
            QuoteError: The config has changed, and a supplier can't be asked for this any more.
            SystemHalted: Nothing can be saved any more.
        """
        quote = self._store.quote(quote_id)
        opened = open_negotiations(
            quote, self._config, self._cast.brand_name, self._cast.supplier_name, utc_now()
        )
        return self._ask(
            lambda reply: StartNegotiations(quote=quote, negotiations=tuple(opened), reply=reply)
        )

    def wait(self, quote_id: QuoteId, timeout_s: float | None = None) -> list[Negotiation]:
        """Block until nothing of the quote moves by itself any more: ended or parked.

        Args:
            timeout_s: Longest wait, in seconds; None waits for ever.

        Raises:
            UnknownRecord: There is no such quote.
            TimeoutError: Something still moved after `timeout_s`.
            SystemHalted: Nothing can be saved any more, so nobody may speak.
            SystemStopped: The system was stopped meanwhile.
        """
        self._store.quote(quote_id)
        self._ask(lambda reply: AwaitStillness(quote_id=quote_id, reply=reply), timeout_s)
        return self.negotiations(quote_id)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Have every event from now on told to `subscriber`, which must return at once.

        Returns:
            What ends the subscription.
        """
        return self._events.subscribe(subscriber)

    def stop(self) -> None:
        """Stop all actors, top-down; what is saved can be taken up again. Twice is harmless."""
        if self._stopped:
            return
        self._stopped = True
        self._giving_up.set()
        for actor in (self._coordinator, self._brand, self._supplier, self._persistence):
            with suppress(pykka.Timeout):  # held by a negotiator; the others must stop all the same
                actor.stop(timeout=STOP_TIMEOUT_S)
        self._loop.stop()
        self._events.emit(SystemStoppedEvent())
        self._events.close()
        if not self._persistence.is_alive():  # what may still write must not have company
            self._lock.close()

    # Reading

    def quotes(self) -> list[Quote]:
        """All quotes, oldest first."""
        return self._store.quotes()

    def quote(self, quote_id: QuoteId) -> Quote:
        """One quote, or UnknownRecord."""
        return self._store.quote(quote_id)

    def negotiations(self, quote_id: QuoteId) -> list[Negotiation]:
        """A quote's negotiations in the order of its suppliers, or UnknownRecord."""
        return self._store.negotiations(quote_id)

    def negotiation(self, negotiation_id: NegotiationId) -> Negotiation:
        """One negotiation, or UnknownRecord."""
        return self._store.negotiation(negotiation_id)

    def messages(self, negotiation_id: NegotiationId) -> list[Message]:
        """A negotiation's messages in order, or UnknownRecord."""
        return self._store.messages(negotiation_id)

    def _ask(self, mail_with: Callable[[Future[T]], object], timeout_s: float | None = None) -> T:
        reply: Future[T] = Future()
        try:
            self._coordinator.tell(mail_with(reply))
        except pykka.ActorDeadError:
            raise SystemStopped("the system was stopped") from None
        try:
            return reply.result(timeout_s)
        except TimeoutError:
            reply.cancel()
            raise TimeoutError(f"something still moved after {timeout_s} s") from None
