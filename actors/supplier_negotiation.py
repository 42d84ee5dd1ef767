"""SupplierNegotiation: owns one conversation, from its opening message to its ending.

It asks an agent for a move, has the rules judge it, sends it to Persistence, and only the receipt
lets the other side hear of it. While a save is in flight it decides nothing. What a person wants
goes before what the agents say: guidance becomes user messages, and the brand speaks next.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from msgspec.structs import replace

from actors.bug import cause
from actors.drafting import Colleagues, Request
from actors.mailbox import (
    BudgetSpent,
    Cancel,
    Continue,
    DraftFailed,
    DraftMail,
    DraftOverdue,
    DraftQueued,
    Intervene,
    MoveDrafted,
    NegotiationEnded,
    NegotiationMail,
    NegotiationReceipt,
    Recover,
    RetryDraft,
)
from actors.mechanism.conversation import Conversation
from actors.mechanism.docket import Docket
from actors.mechanism.rulebook import (
    BUDGET_SPENT,
    CANCELLATION,
    ending_without_words,
    judge,
)
from actors.mechanism.ruling import Refusal, Refused
from actors.runtime import Restart
from actors.saves import (
    ContinuingSaved,
    EndingSaved,
    GuidanceSaved,
    LoadFailed,
    LoadNegotiation,
    MessageSaved,
    NegotiationLoaded,
    ParkingSaved,
    RefusalsSaved,
    SaveEnding,
    SaveFailed,
    SaveParking,
)
from actors.steering import Steered
from storage.interventions import Intervention
from storage.reader import Loaded
from storage.records import Ending, Negotiation, NegotiationStatus, QuoteStatus, Sender, is_parked
from storage.rules import ModelFallback

RELOADS = 3
"""How often in a row a refused save is answered by loading again before it is parked."""
PARKED_BEFORE = "it was parked before: its last_error says why"
"""All that the log tells where only the words are left, which may be a negotiator's."""


class SupplierNegotiation(Steered):
    """One quote with one supplier."""

    def __init__(self, loaded: Loaded, colleagues: Colleagues, *, taken_up: bool = False) -> None:
        """Speak for a negotiation.

        Args:
            taken_up: Whether it goes on only because a person asked for it.
        """
        super().__init__(loaded.negotiation, colleagues, taken_up=taken_up)
        self._loaded: Loaded | None = loaded
        self._reloads = 0
        self._parking = PARKED_BEFORE
        """What the log may say of why it is being parked."""

    def on_start(self) -> None:
        """Go on from what is on disk."""
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            self._resume(loaded)

    def on_stop(self) -> None:
        """Leave nothing running."""
        self._drafting.close()

    def on_receive(self, mail: NegotiationMail) -> None:
        """Handle one piece of mail."""
        match mail:
            # the two that come with every message stand first
            case MoveDrafted() if self._drafting.is_open(mail.draft_id):
                self._play(mail)
            case MessageSaved() if not self._loading:
                self._in_flight = None
                self._speak(mail)
            case NegotiationLoaded(loaded=loaded):
                self._resume(loaded)
            case Restart():
                self._reload()
            case LoadFailed(error=error):
                self._unreadable(error)
            case Intervene() | Continue() | Cancel() | Recover():
                self._heard += 1
                self._called(mail)
            case _ if self._loading:
                pass  # it is older than what is being loaded
            case (
                MoveDrafted()
                | DraftFailed()
                | DraftQueued()
                | BudgetSpent()
                | DraftOverdue()
                | RetryDraft()
            ):
                self._drafted(mail)
            case RefusalsSaved(settled=settled):
                self._refusals -= 1
                self._log.settled(settled)
                self._tell_if_still()
            case _:
                self._in_flight = None
                self._saved(mail)

    def _drafted(self, mail: DraftMail) -> None:
        match mail:
            case _ if not self._drafting.is_open(mail.draft_id):
                self._log.stale(mail.draft_id)
            case MoveDrafted():
                self._play(mail)
            case DraftFailed():
                self._failed(mail.error, mail.told, retryable=mail.retryable)
            case DraftQueued():
                self._drafting.heard()
            case BudgetSpent():
                self._drafting.drop()
                if not self._take():
                    self._save(self._ending(BUDGET_SPENT))
            case DraftOverdue():
                overdue = f"nothing heard for {self._drafting.patience_s:g} s"
                self._failed(overdue, overdue, retryable=True)
            case RetryDraft():
                self._drafting.again(self._conversation)
            case _:
                assert_never(mail)

    def _saved(self, receipt: NegotiationReceipt) -> None:
        match receipt:
            case MessageSaved():
                self._speak(receipt)
            case GuidanceSaved(guidance=guidance):
                self._guided(guidance)
            case ContinuingSaved(settled=settled):
                self._go_on_again(settled)
            case EndingSaved(ending=ending, quote_completed=completed, settled=settled):
                self._end(ending, settled, quote_completed=completed)
            case ParkingSaved():
                self._parked(self._parking)
            case SaveFailed(error=error):
                self._refused_by_ledger(error)
            case _:
                assert_never(receipt)

    # Going on

    def _proceed(self) -> None:
        """Decide what comes next: what a person wants goes before everything else."""
        if self._cancelled:
            self._save(self._ending(CANCELLATION))
        elif self._docket.action is not None:
            self._act(self._docket.action)  # it came first, and leaves nothing to guide
        elif not self._take():
            self._go_on()
        if self._continues and not self._rests:
            self._refuse_continues()

    def _go_on(self) -> None:
        conversation = self._conversation
        ending = ending_without_words(conversation)
        if ending is not None:
            self._save(self._ending(ending))
        elif self._waits_to_be_continued:
            self._log.waits()
            self._rest()
        else:
            self._drafting.ask(conversation)

    # What came of a draft

    def _play(self, drafted: MoveDrafted) -> None:
        request = self._drafting.answered()
        ruling = judge(self._conversation, request.side, drafted.proposal, drafted.origin)
        if ruling.refusal is not None:
            parks = self._negotiation.rules.fallback is ModelFallback.PARK
            self._send_back(request, ruling.refusal, None if parks else drafted.fallback)
            return
        if ruling.demoted is not None:
            self._log.demoted(request.side, ruling.demoted)
        self._save(self._message(ruling))
        self._judged = request

    def _send_back(self, request: Request, refusal: Refusal, fallback: str | None) -> None:
        """Once with the reason; then the fallback decides, and without one it is parked."""
        next_one: Request | None = None
        if request.refused is None:
            next_one = replace(request, refused=refusal)
        elif fallback is not None:
            next_one = Request(request.side, fallback, is_fallback=True)
        self._log.refused(request.side, refusal, fallback if request.refused else None)
        if next_one is None:
            # the reason may hold a private figure, so only the rule's name is kept
            refused = f"the {request.side}'s draft was refused twice: {refusal.rule}"
            self._give_up(refused, refused)
        else:
            self._drafting.ask(self._conversation, next_one)

    def _failed(self, error: str, told: str, *, retryable: bool) -> None:
        side = self._drafting.side
        assert side is not None  # noqa: S101 - stale mail was dropped before
        pause_s = self._drafting.retry_in_s(retryable=retryable)
        self._log.failed(side, told, pause_s)
        if pause_s is None:
            none = f"the {side}'s negotiator made no move"
            self._give_up(f"{none}: {error}", f"{none}: {told}")
        else:
            self._drafting.retry(pause_s)

    def _give_up(self, error: str, told: str) -> None:
        """Park it, unless a person has said something meanwhile: then the brand speaks."""
        self._drafting.drop()
        if not self._take():
            self._park(error, told)

    # Saving, and only then speaking

    def _speak(self, saved: MessageSaved) -> None:
        message = saved.message
        self._reloads = 0
        self._conversation = self._conversation.said(message)
        if message.sender is Sender.BRAND:
            self._docket = self._docket.answered()
            self._continued = False
        self._log.saved(message, self._conversation)
        if saved.ending is not None:
            self._end(saved.ending, saved.settled, quote_completed=saved.quote_completed)
        else:
            self._log.settled(saved.settled)
            self._proceed()

    def _ending(self, ending: Ending) -> SaveEnding:
        return SaveEnding(
            negotiation_id=self._negotiation.id, ending=ending, reply_to=self.actor_ref
        )

    def _end(
        self, ending: Ending, settled: Iterable[Intervention], *, quote_completed: bool
    ) -> None:
        self._log.settled(settled)
        self._log.ended(ending, self._conversation.rounds)
        self._tell_ended(quote_completed=quote_completed)

    def _tell_ended(self, *, quote_completed: bool) -> None:
        self._over = True
        self._refuse_all(self._unheard)
        negotiation = self._negotiation
        mail = NegotiationEnded(
            quote_id=negotiation.quote_id,
            negotiation_id=negotiation.id,
            quote_completed=quote_completed,
        )
        self._say(self._colleagues.coordinator, mail)
        self.stop()

    def _park(self, error: str, told: str) -> None:
        negotiation_id, self._parking = self._negotiation.id, told
        self._save(SaveParking(negotiation_id=negotiation_id, error=error, reply_to=self.actor_ref))

    def _parked(self, told: str) -> None:
        self._log.parked(told)
        if self._cancelled:
            self._proceed()
        elif not self._take():
            self._is_parked = True
            self._rest()

    def _refused_by_ledger(self, error: Exception) -> None:
        if isinstance(error, Refused) and self._judged is not None:
            if self._cancelled:
                self._proceed()
            elif not self._take():
                self._send_back(self._judged, Refusal(error.rule, error.reason), None)
            return
        self._log.save_refused(error)
        self._reloads += 1
        if self._reloads > RELOADS:
            refuses = "the ledger refuses what it says"
            self._park(f"{refuses}: {error}", f"{refuses}: {cause(error)}")
        else:
            self._reload()

    # Starting over from disk

    def _reload(self) -> None:
        self._drafting.drop()
        self._loading = True
        negotiation_id = self._negotiation.id
        mail = LoadNegotiation(negotiation_id=negotiation_id, reply_to=self.actor_ref)
        self._say(self._colleagues.persistence, mail)

    def _resume(self, loaded: Loaded) -> None:
        negotiation = loaded.negotiation
        was_taken_up = self._loading
        self._loading = self._rests = self._is_parked = False
        self._in_flight, self._refusals = None, 0
        self._conversation = Conversation.restored(
            loaded.quote, negotiation, loaded.messages, loaded.interventions
        )
        on_disk = Docket.restored(loaded.interventions, loaded.messages)
        self._docket = on_disk.joined(self._docket)
        self._cancelled |= loaded.quote.status is QuoteStatus.CANCELLED
        if negotiation.status is not NegotiationStatus.ACTIVE:
            self._refuse_all(loaded.interventions)
            self._docket = Docket()
            if was_taken_up:  # so whoever reads the log waits for its end
                self._log.ended(_ending_of(negotiation), self._conversation.rounds)
            self._tell_ended(quote_completed=False)
            return
        if not was_taken_up:
            self._log.taken_up(negotiation.message_count)
        if is_parked(negotiation):
            self._parked(PARKED_BEFORE)
        else:
            self._proceed()

    def _unreadable(self, error: Exception) -> None:
        """Its rows are damaged: nothing can be said until they are mended and loaded again."""
        negotiation_id = self._negotiation.id
        self._say(
            self._colleagues.coordinator, LoadFailed(negotiation_id=negotiation_id, error=error)
        )
        self.stop()


def _ending_of(negotiation: Negotiation) -> Ending:
    status, terms = negotiation.status, negotiation.agreed_terms
    return Ending(status=status, reason=negotiation.reason, agreed_terms=terms)
