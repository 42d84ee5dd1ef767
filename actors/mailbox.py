"""All mail, and each actor's mailbox as a union; frozen, carrying records and repeating none.

Commands are imperative, facts past tense. Mail that a person waits for holds a `reply`.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NewType

from pykka import ActorRef

from actors.mechanism.limits import Mandates
from actors.mechanism.views import BrandView, SupplierView
from actors.runtime import ActorFailed, Restart
from storage.interventions import Intervention, InterventionId
from storage.mandates import Mandate
from storage.records import (
    Ending,
    Entry,
    Message,
    Negotiation,
    NegotiationId,
    Origin,
    Quote,
    QuoteId,
)
from storage.store import Loaded

DraftId = NewType("DraftId", str)
"""Unique for every request; an answer with any other id than the open one is stale."""

Ref = ActorRef[Any]


# Drafts


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftMove:
    """Negotiation → agent. Answered by at most one MoveDrafted or DraftFailed."""

    draft_id: DraftId
    view: BrandView | SupplierView
    negotiator: str
    """Who decides, by name."""
    is_fallback: bool
    """Whether the negotiator stands in for one whose drafts were refused."""
    timeout_s: float
    """Seconds that the move may take, queueing not counted."""
    reply_to: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelDraft:
    """Negotiation → agent. Nobody waits for that draft any more; it is not answered."""

    draft_id: DraftId


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftQueued:
    """Agent → negotiation, every 10 s while a draft waits for its turn: no deadline runs."""

    draft_id: DraftId


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveDrafted:
    """Agent → negotiation. What the negotiator returned, not judged yet."""

    draft_id: DraftId
    proposal: object
    origin: Origin
    fallback: str | None
    """Who decides if the rules refuse this twice; None parks the negotiation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftFailed:
    """Agent → negotiation. The negotiator made no move."""

    draft_id: DraftId
    error: str
    retryable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftOverdue:
    """Negotiation → itself, later. Nothing was heard about the draft for too long."""

    draft_id: DraftId


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryDraft:
    """Negotiation → itself, later. The pause after a failed draft is over."""

    draft_id: DraftId


# Saving


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenNegotiations:
    """Coordinator → Persistence. Take a quote from pending to negotiating."""

    quote_id: QuoteId
    negotiations: tuple[Negotiation, ...]
    reply_to: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationsOpened:
    """Persistence → Coordinator. The quote and its negotiations are on disk."""

    quote: Quote
    negotiations: tuple[Negotiation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningFailed:
    """Persistence → Coordinator. The quote could not be started, and nothing was changed."""

    quote_id: QuoteId
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveMessage:
    """Negotiation → Persistence. Answered by one MessageSaved or SaveFailed."""

    entry: Entry
    ending: Ending | None
    """Set when the message closes the negotiation."""
    mandates: Mandates
    """The limits in force, checked once more before the commit."""
    answers: tuple[InterventionId, ...] = ()
    """The interventions that this message of the brand follows; it settles them."""
    reply_to: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSaved:
    """Persistence → negotiation. The message is on disk; now the other side may hear of it."""

    message: Message
    ending: Ending | None
    quote_completed: bool
    settled: tuple[Intervention, ...] = ()
    """The interventions that it settled; those that its ending refused too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveEnding:
    """Negotiation → Persistence. End it without a further message."""

    negotiation_id: NegotiationId
    ending: Ending
    reply_to: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class EndingSaved:
    """Persistence → negotiation. The ending is on disk."""

    ending: Ending
    quote_completed: bool
    settled: tuple[Intervention, ...] = ()
    """The interventions that it refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveParking:
    """Negotiation or Coordinator → Persistence. Note why nothing moves it any more."""

    negotiation_id: NegotiationId
    error: str
    reply_to: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkingSaved:
    """Persistence → who parked it. The reason is on disk."""

    negotiation_id: NegotiationId
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveGuidance:
    """Negotiation → Persistence. Make user messages of interventions, under changed limits.

    It un-parks the negotiation. Answered by one GuidanceSaved or SaveFailed.
    """

    negotiation_id: NegotiationId
    first_seq: int
    taken: tuple[Intervention, ...]
    mandate: Mandate
    """The brand's, in force from now on."""
    reply_to: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidanceSaved:
    """Persistence → negotiation. Each intervention is a user message, and owed an answer."""

    guidance: tuple[tuple[Message, Intervention], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveRefusals:
    """Negotiation or Coordinator → Persistence. Settle interventions of which nothing holds."""

    refused: tuple[tuple[InterventionId, str], ...]
    """With the reason."""
    reply_to: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalsSaved:
    """Persistence → sender. Their receipts say so."""

    settled: tuple[Intervention, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveContinuing:
    """Negotiation → Persistence. Un-park it, and settle the row that asked for it."""

    negotiation_id: NegotiationId
    intervention_id: InterventionId | None
    reply_to: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinuingSaved:
    """Persistence → negotiation. It may go on."""

    settled: tuple[Intervention, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveCancellation:
    """Coordinator → Persistence. Cancel a quote."""

    quote_id: QuoteId
    reply_to: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationSaved:
    """Persistence → Coordinator. It is cancelled; these negotiations have still to end."""

    quote: Quote
    negotiation_ids: tuple[NegotiationId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationFailed:
    """Persistence → Coordinator. It could not be cancelled, and nothing was changed."""

    quote_id: QuoteId
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveFailed:
    """Persistence → sender. That save broke a rule and was undone alone."""

    negotiation_id: NegotiationId
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadNegotiation:
    """Negotiation or Coordinator → Persistence. A barrier: answered after all sent before it."""

    negotiation_id: NegotiationId
    reply_to: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationLoaded:
    """Persistence → who asked. What is on disk of it."""

    loaded: Loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFailed:
    """Persistence → who asked. It is not on disk, or its rows are damaged."""

    negotiation_id: NegotiationId
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchPersistence:
    """Coordinator → Persistence. Tell `watcher` when nothing can be saved any more."""

    watcher: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistenceHalted:
    """Persistence → Coordinator. Nothing can be saved any more."""

    error: Exception


# Coordinating


@dataclass(frozen=True, slots=True, kw_only=True)
class StartNegotiations:
    """Face → Coordinator. Replied to with the negotiations once their rows are committed."""

    quote: Quote
    negotiations: tuple[Negotiation, ...]
    reply: Future[tuple[Negotiation, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitStillness:
    """Face → Coordinator. Replied to when nothing of the quote moves by itself any more."""

    quote_id: QuoteId
    reply: Future[None]


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationEnded:
    """Negotiation → Coordinator. It is over, on disk, and its actor stops."""

    quote_id: QuoteId
    negotiation_id: NegotiationId
    quote_completed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NegotiationStill:
    """Negotiation → Coordinator. It is parked or waits: a person or a recovery moves it on."""

    negotiation_id: NegotiationId
    heard: int
    """How many calls it has handled since it was spawned."""


# Stepping in


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervene:
    """Coordinator → negotiation. An intervention that is on disk, received."""

    intervention: Intervention


@dataclass(frozen=True, slots=True, kw_only=True)
class Continue:
    """Coordinator → negotiation. Go on, if it waits or is parked."""

    intervention: Intervention | None
    """The row by which another process asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Coordinator → negotiation. Its quote is cancelled: end."""


Call = Intervene | Continue | Cancel
"""What a person wants of one negotiation; the Coordinator counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallUndelivered:
    """Negotiation → Coordinator. It stopped before it could handle that."""

    quote_id: QuoteId
    negotiation_id: NegotiationId
    call: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class InterventionReceived:
    """Face or Outside → Coordinator. A row was committed as received."""

    quote_id: QuoteId
    intervention: Intervention


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinueNegotiations:
    """Face → Coordinator. Replied to with those that go on."""

    quote_id: QuoteId
    negotiation_ids: tuple[NegotiationId, ...]
    """Those that may; the ones that move by themselves are passed over."""
    reply: Future[tuple[NegotiationId, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelQuote:
    """Face → Coordinator. Replied to with the quote once it is cancelled on disk."""

    quote_id: QuoteId
    reply: Future[Quote]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteCancelledOutside:
    """Outside → Coordinator. Another program has cancelled a quote."""

    quote_id: QuoteId
    negotiation_ids: tuple[NegotiationId, ...]
    """Those that are still active."""


AgentMail = DraftMove | CancelDraft | Restart

NegotiationMail = (
    MoveDrafted
    | DraftFailed
    | DraftQueued
    | DraftOverdue
    | RetryDraft
    | MessageSaved
    | GuidanceSaved
    | RefusalsSaved
    | ContinuingSaved
    | EndingSaved
    | ParkingSaved
    | SaveFailed
    | NegotiationLoaded
    | LoadFailed
    | Call
    | Restart
)

Save = (
    OpenNegotiations
    | SaveMessage
    | SaveGuidance
    | SaveRefusals
    | SaveContinuing
    | SaveCancellation
    | SaveEnding
    | SaveParking
    | LoadNegotiation
)
"""What Persistence does inside a transaction, and answers."""

PersistenceMail = Save | WatchPersistence

FaceMail = StartNegotiations | AwaitStillness | ContinueNegotiations | CancelQuote
"""What somebody waits for who is no actor."""

CoordinatorMail = (
    FaceMail
    | InterventionReceived
    | QuoteCancelledOutside
    | CallUndelivered
    | NegotiationsOpened
    | OpeningFailed
    | CancellationSaved
    | CancellationFailed
    | NegotiationEnded
    | NegotiationStill
    | NegotiationLoaded
    | LoadFailed
    | ParkingSaved
    | RefusalsSaved
    | SaveFailed
    | ActorFailed
    | PersistenceHalted
    | Restart
)
