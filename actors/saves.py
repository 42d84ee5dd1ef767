"""What Persistence is asked to save, and how it answers: mail of which each piece is one change."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from pykka import ActorRef

from actors.mechanism.limits import Mandates
from storage.calls import CallEnd, CallId, CallStart
from storage.interventions import Intervention, InterventionId
from storage.mandates import Mandate
from storage.reader import Loaded
from storage.records import Ending, Entry, Message, Negotiation, NegotiationId, Quote, QuoteId
from storage.rules import Budget

Ref = ActorRef[Any]


class OpenNegotiations(Struct, frozen=True, kw_only=True):
    """Coordinator → Persistence. Take a quote from pending to negotiating."""

    quote_id: QuoteId
    negotiations: tuple[Negotiation, ...]
    reply_to: Ref


class NegotiationsOpened(Struct, frozen=True, kw_only=True):
    """Persistence → Coordinator. The quote and its negotiations are on disk."""

    quote: Quote
    negotiations: tuple[Negotiation, ...]


class OpeningFailed(Struct, frozen=True, kw_only=True):
    """Persistence → Coordinator. The quote could not be started, and nothing was changed."""

    quote_id: QuoteId
    error: Exception


class SaveMessage(Struct, frozen=True, kw_only=True):
    """Negotiation → Persistence. Answered by one MessageSaved or SaveFailed."""

    entry: Entry
    ending: Ending | None
    """Set when the message closes the negotiation."""
    mandates: Mandates
    """The limits in force, checked once more before the commit."""
    answers: tuple[InterventionId, ...] = ()
    """The interventions that this message of the brand follows; it settles them."""
    reply_to: Ref


class MessageSaved(Struct, frozen=True, kw_only=True):
    """Persistence → negotiation. The message is on disk; now the other side may hear of it."""

    message: Message
    ending: Ending | None
    quote_completed: bool
    settled: tuple[Intervention, ...] = ()
    """The interventions that it settled; those that its ending refused too."""


class SaveEnding(Struct, frozen=True, kw_only=True):
    """Negotiation → Persistence. End it without a further message."""

    negotiation_id: NegotiationId
    ending: Ending
    reply_to: Ref


class EndingSaved(Struct, frozen=True, kw_only=True):
    """Persistence → negotiation. The ending is on disk."""

    ending: Ending
    quote_completed: bool
    settled: tuple[Intervention, ...] = ()
    """The interventions that it refused."""


class SaveParking(Struct, frozen=True, kw_only=True):
    """Negotiation or Coordinator → Persistence. Note why nothing moves it any more."""

    negotiation_id: NegotiationId
    error: str
    reply_to: Ref


class ParkingSaved(Struct, frozen=True, kw_only=True):
    """Persistence → who parked it. The reason is on disk."""

    negotiation_id: NegotiationId
    error: str


class SaveGuidance(Struct, frozen=True, kw_only=True):
    """Negotiation → Persistence. Make user messages of interventions, under changed limits.

    It un-parks the negotiation. Answered by one GuidanceSaved or SaveFailed.
    """

    negotiation_id: NegotiationId
    first_seq: int
    taken: tuple[Intervention, ...]
    mandate: Mandate
    """The brand's, in force from now on."""
    reply_to: Ref


class GuidanceSaved(Struct, frozen=True, kw_only=True):
    """Persistence → negotiation. Each intervention is a user message, and owed an answer."""

    guidance: tuple[tuple[Message, Intervention], ...]


class SaveRefusals(Struct, frozen=True, kw_only=True):
    """Negotiation or Coordinator → Persistence. Settle interventions of which nothing holds."""

    refused: tuple[tuple[InterventionId, str], ...]
    """With the reason."""
    reply_to: Ref


class RefusalsSaved(Struct, frozen=True, kw_only=True):
    """Persistence → sender. Their receipts say so."""

    settled: tuple[Intervention, ...]


class SaveCallStart(Struct, frozen=True, kw_only=True):
    """Agent → Persistence. Note that a call of a model starts, if its budget allows it.

    Answered by one CallStartSaved or CallNotStarted.
    """

    call: CallStart
    budget: Budget
    reply_to: Ref


class CallStartSaved(Struct, frozen=True, kw_only=True):
    """Persistence → agent. The call is on the books, and may start."""

    call_id: CallId


class CallNotStarted(Struct, frozen=True, kw_only=True):
    """Persistence → agent. The call may not start: most often, its budget is reached."""

    call_id: CallId
    error: Exception


class SaveCallEnd(Struct, frozen=True, kw_only=True):
    """Agent → Persistence. Note what became of a call."""

    end: CallEnd
    reply_to: Ref


class CallEndSaved(Struct, frozen=True, kw_only=True):
    """Persistence → agent. Nobody waits for it."""


class SaveContinuing(Struct, frozen=True, kw_only=True):
    """Negotiation → Persistence. Un-park it, and settle the row that asked for it."""

    negotiation_id: NegotiationId
    intervention_id: InterventionId | None
    reply_to: Ref


class ContinuingSaved(Struct, frozen=True, kw_only=True):
    """Persistence → negotiation. It may go on."""

    settled: tuple[Intervention, ...]


class SaveCancellation(Struct, frozen=True, kw_only=True):
    """Coordinator → Persistence. Cancel a quote."""

    quote_id: QuoteId
    reply_to: Ref


class CancellationSaved(Struct, frozen=True, kw_only=True):
    """Persistence → Coordinator. It is cancelled; these negotiations have still to end."""

    quote: Quote
    negotiation_ids: tuple[NegotiationId, ...]


class CancellationFailed(Struct, frozen=True, kw_only=True):
    """Persistence → Coordinator. It could not be cancelled, and nothing was changed."""

    quote_id: QuoteId
    error: Exception


class SaveFailed(Struct, frozen=True, kw_only=True):
    """Persistence → sender. That save broke a rule and was undone alone."""

    negotiation_id: NegotiationId
    error: Exception


class LoadNegotiation(Struct, frozen=True, kw_only=True):
    """Negotiation or Coordinator → Persistence. A barrier: answered after all sent before it."""

    negotiation_id: NegotiationId
    reply_to: Ref


class NegotiationLoaded(Struct, frozen=True, kw_only=True):
    """Persistence → who asked. What is on disk of it."""

    loaded: Loaded


class LoadFailed(Struct, frozen=True, kw_only=True):
    """Persistence → who asked. It is not on disk, or its rows are damaged."""

    negotiation_id: NegotiationId
    error: Exception


class WatchPersistence(Struct, frozen=True, kw_only=True):
    """Coordinator → Persistence. Tell `watcher` when nothing can be saved any more."""

    watcher: Ref


class WatchCommits(Struct, frozen=True, kw_only=True):
    """Pulse → Persistence. Tell `watcher` of every transaction."""

    watcher: Ref


class Committed(Struct, frozen=True, kw_only=True):
    """Persistence → Pulse. A transaction is on disk."""

    seconds: float
    """How long that took, all tries together."""
    queued: int
    """How many saves wait for a later one, beside those in the mailbox."""


class CheckDatabase(Struct, frozen=True, kw_only=True):
    """Outside → Persistence. The file is not where it was: make sure, and halt."""


class DatabaseDamaged(Struct, frozen=True, kw_only=True):
    """Inspector → Persistence. A page of the file is damaged: halt."""

    error: Exception


class PersistenceHalted(Struct, frozen=True, kw_only=True):
    """Persistence → Coordinator. Nothing can be saved any more."""

    error: Exception


Save = (
    OpenNegotiations
    | SaveMessage
    | SaveGuidance
    | SaveRefusals
    | SaveContinuing
    | SaveCancellation
    | SaveEnding
    | SaveParking
    | SaveCallStart
    | SaveCallEnd
    | LoadNegotiation
)
"""What Persistence does inside a transaction, and answers."""

PersistenceMail = Save | WatchPersistence | WatchCommits | CheckDatabase | DatabaseDamaged
