"""Acting: what the face does; each call returns once it is on disk, or handled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pykka

from actors.config import Config
from actors.errors import InterventionError, NothingToContinue, SystemStopped
from actors.event_stream import EventStream
from actors.events import QuoteCreated
from actors.mailbox import (
    AwaitStillness,
    CancelQuote,
    ContinueNegotiations,
    InterventionReceived,
    RecoverNegotiations,
    Ref,
    StartNegotiations,
    TellWhatMoves,
)
from actors.negotiators.cast import Cast
from actors.negotiators.model_settings import Prices
from actors.opening import open_negotiations
from actors.quote_request import QuoteRequest, new_quote, read_quote_request
from actors.reading import Reading
from actors.reception import receive
from storage.errors import DatabaseUnavailable, NegotiationNotActive
from storage.interventions import Intervention
from storage.ledger import Ledger
from storage.records import (
    Negotiation,
    NegotiationId,
    NegotiationStatus,
    Priorities,
    Quote,
    QuoteId,
)
from storage.store import utc_now

T = TypeVar("T")


class Acting(Reading):
    """The half of the face that changes something, by mail to the coordinator."""

    _coordinator: Ref
    _store: Ledger
    _stopped = False

    def __init__(self, config: Config, store: Ledger, cast: Cast, events: EventStream) -> None:
        super().__init__(store)
        self._config = config
        self._cast = cast
        self._events = events

    @property
    def prices(self) -> Prices | None:
        """What a model's tokens cost, by the config; None where it does not say."""
        return self._config.mistral.prices

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
        configured = self._config.suppliers
        made = new_quote(read_quote_request(quote, configured), configured, utc_now)
        for supplier in made.brought:
            self._cast.supplier_name(supplier)  # an unknown negotiator must show before it is saved
        self._store.add_quote(made)
        self._events.emit(QuoteCreated(quote_id=made.id))
        return made

    def start_negotiations(
        self, quote_id: QuoteId, automatic: bool | None = None
    ) -> tuple[Negotiation, ...]:
        """Start one negotiation with each supplier of a pending quote.

        Args:
            automatic: Whether they go on by themselves, or stop after the opening messages and
                after each `continue_negotiation`; None takes what the quote says.

        Returns:
            Their records, active, once they and the quote's new status are committed.

        Raises:
            UnknownRecord: There is no such quote.
            QuoteNotPending: It was started before; nothing was changed.
            QuoteError: The config has changed, and a supplier can't be asked for this any more.
            SystemHalted: Nothing can be saved any more.
        """
        quote = self._store.quote(quote_id)
        if automatic is not None:
            quote = quote.model_copy(update={"automatic": automatic})
        return self._ask(lambda reply: self._starting(quote, reply))

    def add_user_intervention(
        self,
        text: str | None = None,
        *,
        negotiation_id: NegotiationId | None = None,
        quote_id: QuoteId | None = None,
        limits: Mapping[str, Any] | None = None,
        priorities: Mapping[str, int] | Priorities | None = None,
        action: str | None = None,
        accepts_seq: int | None = None,
    ) -> Intervention | list[Intervention]:
        """Guide the brand's agent; its next message follows the guidance.

        Args:
            text: 1 to 4,000 characters; may be left out where anything else is given.
            negotiation_id: In one negotiation, or
            quote_id: in all active ones of a quote. Exactly one of the two.
            limits: Changed limits by their keys, such as `{"unit_price": "6.40"}`.
            priorities: All four, summing to 100.
            action: `accept`, with the seq of the supplier's offer as `accepts_seq`, or
                `walk_away`: then no negotiator is asked.

        Returns:
            The receipt, committed as `received`; `intervention(id)` tells what became of it. For a
            quote a list, one for each active negotiation.

        Raises:
            InterventionError: It has mistakes; all are listed, and nothing was saved.
            UnknownRecord: There is no such negotiation or quote.
            NegotiationNotActive: The negotiation has ended; nothing was saved.
            SystemStopped: The system was stopped. A row that was saved by then waits for the next.
        """
        if self._stopped:
            raise SystemStopped("the system was stopped")
        found_quote_id, received = receive(
            self._store,
            text,
            negotiation_id=negotiation_id,
            quote_id=quote_id,
            limits=limits,
            priorities=priorities,
            action=action,
            accepts_seq=accepts_seq,
        )
        for intervention in received:
            self._tell(InterventionReceived(quote_id=found_quote_id, intervention=intervention))
        return received if quote_id is not None else received[0]

    def continue_negotiation(
        self,
        *,
        negotiation_id: NegotiationId | None = None,
        quote_id: QuoteId | None = None,
    ) -> list[NegotiationId]:
        """Go on with a negotiation that waits or is parked, or with all such ones of a quote.

        One that is not automatic stops after the brand's next message.

        Returns:
            Those that go on.

        Raises:
            InterventionError: Not exactly one of the two ids was given.
            UnknownRecord: There is no such negotiation or quote.
            NegotiationNotActive: The negotiation has ended.
            NothingToContinue: It moves by itself, or all of the quote have ended or do.
        """
        if (negotiation_id is None) is (quote_id is None):
            raise InterventionError(["give exactly one of negotiation_id and quote_id"])
        if negotiation_id is not None:
            asked = [self._store.negotiation(negotiation_id)]
            if asked[0].status is not NegotiationStatus.ACTIVE:
                raise NegotiationNotActive(negotiation_id, asked[0].status)
        else:
            asked = self._store.negotiations(QuoteId(str(quote_id)))
        active = tuple(n.id for n in asked if n.status is NegotiationStatus.ACTIVE)
        if not active:
            raise NothingToContinue(str(quote_id))
        of_quote = asked[0].quote_id
        return list(
            self._ask(
                lambda reply: ContinueNegotiations(
                    quote_id=of_quote, negotiation_ids=active, reply=reply
                )
            )
        )

    def recover(self) -> tuple[QuoteId, ...]:
        """Go on with every active negotiation from where it stands, those that are parked too.

        One that waits to be continued goes on waiting; interventions that nobody has answered are
        answered.

        Returns:
            The quotes of those negotiations, oldest first.

        Raises:
            SystemHalted: Nothing can be saved any more.
        """
        active = self._store.active()
        self._ask(lambda reply: RecoverNegotiations(active=active, reply=reply))
        return tuple(dict.fromkeys(quote_id for quote_id, _ in active))

    def cancel_quote(self, quote_id: QuoteId) -> Quote:
        """Cancel a quote; its active negotiations end as impasse, `cancelled`.

        What was being said when it was cancelled may still be saved first.

        Raises:
            UnknownRecord: There is no such quote.
            QuoteEnded: It is completed or cancelled already.
        """
        return self._ask(lambda reply: CancelQuote(quote_id=quote_id, reply=reply))

    def wait(self, quote_id: QuoteId, timeout_s: float | None = None) -> list[Negotiation]:
        """Block until nothing of the quote moves by itself any more.

        Each of its negotiations has then ended, is parked, or waits for `continue_negotiation`; and
        all that was asked for before by this face has been handled.

        Args:
            timeout_s: Longest wait, in seconds; None waits for ever.

        Raises:
            UnknownRecord: There is no such quote.
            TimeoutError: Something still moved after `timeout_s`.
            SystemHalted: Nothing can be saved any more, so nobody may speak.
            SystemStopped: The system was stopped meanwhile.
        """
        reply = self.when_still(quote_id)
        self._result(reply, timeout_s)
        return self.negotiations(quote_id)

    def when_still(self, quote_id: QuoteId) -> Future[None]:
        """Give at once what is done when `wait` would return, and fails as it would.

        For a program with a loop of its own: `await asyncio.wrap_future(system.when_still(id))`.
        Cancelling it gives up the wait, and nothing else.

        Raises:
            UnknownRecord: There is no such quote.
            SystemStopped: The system was stopped.
        """
        with suppress(DatabaseUnavailable):  # whether that passes is for Persistence to say
            self._store.quote(quote_id)
        reply: Future[None] = Future()
        self._tell(AwaitStillness(quote_id=quote_id, reply=reply))
        return reply

    def moving(self, quote_id: QuoteId, timeout_s: float | None = None) -> frozenset[NegotiationId]:
        """Which negotiations of a quote move by themselves at this instant.

        An active one that does not is parked, waits for `continue_negotiation`, or is left over
        from before and was taken up by nobody.

        Args:
            timeout_s: Longest wait for the answer, in seconds; None waits for ever.

        Raises:
            TimeoutError: There was no answer in time.
            SystemHalted: Nothing can be saved any more, so nobody may speak.
            SystemStopped: The system was stopped.
        """
        return self._ask(lambda reply: TellWhatMoves(quote_id=quote_id, reply=reply), timeout_s)

    def _starting(self, quote: Quote, reply: Future[tuple[Negotiation, ...]]) -> StartNegotiations:
        """The mail that starts a quote, or QuoteError."""
        opened = open_negotiations(
            quote, self._config, self._cast.brand_name, self._cast.supplier_name, utc_now()
        )
        return StartNegotiations(quote=quote, negotiations=tuple(opened), reply=reply)

    def _tell(self, mail: object) -> None:
        try:
            self._coordinator.tell(mail)
        except pykka.ActorDeadError:
            raise SystemStopped("the system was stopped") from None

    def _ask(self, mail_with: Callable[[Future[T]], object], timeout_s: float | None = None) -> T:
        reply: Future[T] = Future()
        self._tell(mail_with(reply))
        return self._result(reply, timeout_s)

    def _result(self, reply: Future[T], timeout_s: float | None) -> T:
        try:
            return reply.result(timeout_s)
        except TimeoutError:
            reply.cancel()
            raise TimeoutError(f"something still moved after {timeout_s} s") from None
