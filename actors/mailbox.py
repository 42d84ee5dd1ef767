"""All mail, and each actor's mailbox as a union; frozen, carrying records and repeating none.

Commands are imperative, facts past tense. Mail that a person waits for holds a `reply`.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, NewType

from msgspec import Struct
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


class DraftMove(Struct, frozen=True, kw_only=True):
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


class CancelDraft(Struct, frozen=True, kw_only=True):
    """Negotiation → agent. Nobody waits for that draft any more; it is not answered."""

    draft_id: DraftId


class DraftQueued(Struct, frozen=True, kw_only=True):
    """Agent → negotiation, every 10 s while a draft waits for its turn: no deadline runs."""

    draft_id: DraftId


class MoveDrafted(Struct, frozen=True, kw_only=True):
    """Agent → negotiation. What the negotiator returned, not judged yet."""

    draft_id: DraftId
    proposal: object
    origin: Origin
    fallback: str | None
    """Who decides if the rules refuse this twice; None parks the negotiation."""


class DraftFailed(Struct, frozen=True, kw_only=True):
    """Agent → negotiation. The negotiator made no move."""

    draft_id: DraftId
    error: str
    """In its own words, for whoever may read the database."""
    told: str
    """What the log may say of it."""
    retryable: bool


class BudgetSpent(Struct, frozen=True, kw_only=True):
    """Agent → negotiation. A model would have to be called, and the budget allows no call."""

    draft_id: DraftId


class DraftOverdue(Struct, frozen=True, kw_only=True):
    """Negotiation → itself, later. Nothing was heard about the draft for too long."""

    draft_id: DraftId


class RetryDraft(Struct, frozen=True, kw_only=True):
    """Negotiation → itself, later. The pause after a failed draft is over."""

    draft_id: DraftId


class CountDrafts(Struct, frozen=True, kw_only=True):
    """Pulse → agent. Answered by one DraftsCounted."""

    reply_to: Ref


class DraftsCounted(Struct, frozen=True, kw_only=True):
    """Agent → Pulse. What it has in flight."""

    side: Side
    drafts: int
    oldest_s: float | None
    """Seconds since the oldest of them was asked for."""


class Beat(Struct, frozen=True, kw_only=True):
    """Pulse → itself, later. It is time for a heartbeat."""


# Coordinating


class StartNegotiations(Struct, frozen=True, kw_only=True):
    """Face → Coordinator. Replied to with the negotiations once their rows are committed."""

    quote: Quote
    negotiations: tuple[Negotiation, ...]
    reply: Future[tuple[Negotiation, ...]]


class AwaitStillness(Struct, frozen=True, kw_only=True):
    """Face → Coordinator. Replied to when nothing of the quote moves by itself any more."""

    quote_id: QuoteId
    reply: Future[None]


class TellWhatMoves(Struct, frozen=True, kw_only=True):
    """Face → Coordinator. Replied to at once with those that move by themselves."""

    quote_id: QuoteId
    reply: Future[frozenset[NegotiationId]]


class NegotiationEnded(Struct, frozen=True, kw_only=True):
    """Negotiation → Coordinator. It is over, on disk, and its actor stops."""

    quote_id: QuoteId
    negotiation_id: NegotiationId
    quote_completed: bool


class NegotiationStill(Struct, frozen=True, kw_only=True):
    """Negotiation → Coordinator. It is parked or waits: a person or a recovery moves it on."""

    negotiation_id: NegotiationId
    heard: int
    """How many calls it has handled since it was spawned."""


# Stepping in


class Intervene(Struct, frozen=True, kw_only=True):
    """Coordinator → negotiation. An intervention that is on disk, received."""

    intervention: Intervention


class Continue(Struct, frozen=True, kw_only=True):
    """Coordinator → negotiation. Go on, if it waits or is parked."""

    intervention: Intervention | None
    """The row by which another process asked."""


class Cancel(Struct, frozen=True, kw_only=True):
    """Coordinator → negotiation. Its quote is cancelled: end."""


class Recover(Struct, frozen=True, kw_only=True):
    """Coordinator → negotiation. Go on from where it stands, parked or not."""


Call = Intervene | Continue | Cancel | Recover
"""What a person wants of one negotiation; the Coordinator counts them."""


def call_of(intervention: Intervention) -> Call:
    """What a row asks of its negotiation."""
    if intervention.action is Action.CONTINUE:
        return Continue(intervention=intervention)
    return Intervene(intervention=intervention)


class CallUndelivered(Struct, frozen=True, kw_only=True):
    """Negotiation → Coordinator. It stopped before it could handle that."""

    quote_id: QuoteId
    negotiation_id: NegotiationId
    call: Call


class InterventionReceived(Struct, frozen=True, kw_only=True):
    """Face or Outside → Coordinator. A row was committed as received."""

    quote_id: QuoteId
    intervention: Intervention


class ContinueNegotiations(Struct, frozen=True, kw_only=True):
    """Face → Coordinator. Replied to with those that go on."""

    quote_id: QuoteId
    negotiation_ids: tuple[NegotiationId, ...]
    """Those that may; the ones that move by themselves are passed over."""
    reply: Future[tuple[NegotiationId, ...]]


class RecoverNegotiations(Struct, frozen=True, kw_only=True):
    """Face → Coordinator. Replied to once each of them is known to move."""

    active: tuple[tuple[QuoteId, NegotiationId], ...]
    reply: Future[None]


class CancelQuote(Struct, frozen=True, kw_only=True):
    """Face → Coordinator. Replied to with the quote once it is cancelled on disk."""

    quote_id: QuoteId
    reply: Future[Quote]


class QuoteCancelledOutside(Struct, frozen=True, kw_only=True):
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
