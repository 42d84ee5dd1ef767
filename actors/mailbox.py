"""All mail, and each actor's mailbox as a union; frozen, carrying records and repeating none.

Commands are imperative, facts past tense. Mail that a person waits for holds a `reply`.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NewType

from pykka import ActorRef

from actors.mechanism.views import BrandView, SupplierView
from actors.runtime import ActorFailed, Restart
from actors.saves import (
    CallEndSaved,
    CallNotStarted,
    CallStartSaved,
    CancellationFailed,
    CancellationSaved,
    Committed,
    ContinuingSaved,
    EndingSaved,
    GuidanceSaved,
    LoadFailed,
    MessageSaved,
    NegotiationLoaded,
    NegotiationsOpened,
    OpeningFailed,
    ParkingSaved,
    PersistenceHalted,
    RefusalsSaved,
    SaveFailed,
)
from storage.interventions import Action, Intervention
from storage.records import Negotiation, NegotiationId, Origin, Quote, QuoteId
from storage.rules import Budget
from storage.terms.kind import Side

DraftId = NewType("DraftId", str)
"""Unique for every request; an answer with any other id than the open one is stale."""

Ref = ActorRef[Any]


# Drafts


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftMove:
    """Negotiation → agent. Answered by at most one MoveDrafted, DraftFailed or BudgetSpent."""

    draft_id: DraftId
    view: BrandView | SupplierView
    negotiator: str
    """Who decides, by name."""
    is_fallback: bool
    """Whether the negotiator stands in for one whose drafts were refused."""
    quote_id: QuoteId
    negotiation_id: NegotiationId
    budget: Budget
    """What models may spend on it."""
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
    """In its own words, for whoever may read the database."""
    told: str
    """What the log may say of it."""
    retryable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSpent:
    """Agent → negotiation. A model would have to be called, and the budget allows no call."""

    draft_id: DraftId


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftOverdue:
    """Negotiation → itself, later. Nothing was heard about the draft for too long."""

    draft_id: DraftId


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryDraft:
    """Negotiation → itself, later. The pause after a failed draft is over."""

    draft_id: DraftId


@dataclass(frozen=True, slots=True, kw_only=True)
class CountDrafts:
    """Pulse → agent. Answered by one DraftsCounted."""

    reply_to: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftsCounted:
    """Agent → Pulse. What it has in flight."""

    side: Side
    drafts: int
    oldest_s: float | None
    """Seconds since the oldest of them was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """Pulse → itself, later. It is time for a heartbeat."""


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
class TellWhatMoves:
    """Face → Coordinator. Replied to at once with those that move by themselves."""

    quote_id: QuoteId
    reply: Future[frozenset[NegotiationId]]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Recover:
    """Coordinator → negotiation. Go on from where it stands, parked or not."""


Call = Intervene | Continue | Cancel | Recover
"""What a person wants of one negotiation; the Coordinator counts them."""


def call_of(intervention: Intervention) -> Call:
    """What a row asks of its negotiation."""
    if intervention.action is Action.CONTINUE:
        return Continue(intervention=intervention)
    return Intervene(intervention=intervention)


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
class RecoverNegotiations:
    """Face → Coordinator. Replied to once each of them is known to move."""

    active: tuple[tuple[QuoteId, NegotiationId], ...]
    reply: Future[None]


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


AgentMail = (
    DraftMove | CancelDraft | CountDrafts | CallStartSaved | CallNotStarted | CallEndSaved | Restart
)

PulseMail = Beat | DraftsCounted | Committed | Restart

DraftMail = MoveDrafted | DraftFailed | DraftQueued | BudgetSpent | DraftOverdue | RetryDraft
"""What comes of a draft."""

NegotiationReceipt = (
    MessageSaved | GuidanceSaved | ContinuingSaved | EndingSaved | ParkingSaved | SaveFailed
)
"""What a negotiation's save in flight is answered with."""

NegotiationMail = (
    DraftMail | NegotiationReceipt | RefusalsSaved | NegotiationLoaded | LoadFailed | Call | Restart
)

FaceMail = (
    StartNegotiations
    | AwaitStillness
    | TellWhatMoves
    | ContinueNegotiations
    | RecoverNegotiations
    | CancelQuote
)
"""What somebody waits for who is no actor."""

CoordinatorReceipt = (
    NegotiationsOpened
    | OpeningFailed
    | CancellationSaved
    | CancellationFailed
    | NegotiationLoaded
    | LoadFailed
    | ParkingSaved
    | SaveFailed
    | RefusalsSaved
)
"""What Persistence answers the Coordinator."""

CoordinatorMail = (
    FaceMail
    | CoordinatorReceipt
    | InterventionReceived
    | QuoteCancelledOutside
    | CallUndelivered
    | NegotiationEnded
    | NegotiationStill
    | ActorFailed
    | PersistenceHalted
    | Restart
)
