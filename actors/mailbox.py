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
    reply_to: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSaved:
    """Persistence → negotiation. The message is on disk; now the other side may hear of it."""

    message: Message
    ending: Ending | None
    quote_completed: bool


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
class NegotiationParked:
    """Negotiation → Coordinator. It waits for a person or a recovery; the reason is on disk."""

    quote_id: QuoteId
    negotiation_id: NegotiationId


AgentMail = DraftMove | CancelDraft | Restart

NegotiationMail = (
    MoveDrafted
    | DraftFailed
    | DraftQueued
    | DraftOverdue
    | RetryDraft
    | MessageSaved
    | EndingSaved
    | ParkingSaved
    | SaveFailed
    | NegotiationLoaded
    | LoadFailed
    | Restart
)

Save = OpenNegotiations | SaveMessage | SaveEnding | SaveParking | LoadNegotiation
"""What Persistence does inside a transaction, and answers."""

PersistenceMail = Save | WatchPersistence

CoordinatorMail = (
    StartNegotiations
    | NegotiationsOpened
    | OpeningFailed
    | AwaitStillness
    | NegotiationEnded
    | NegotiationParked
    | NegotiationLoaded
    | LoadFailed
    | ParkingSaved
    | SaveFailed
    | ActorFailed
    | PersistenceHalted
    | Restart
)
