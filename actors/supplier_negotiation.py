"""SupplierNegotiation: owns one conversation, from its opening message to its ending.

It asks an agent for a move, has the rules judge it, sends it to Persistence, and only the receipt
lets the other side hear of it. While a save is in flight it decides nothing. What a person wants
goes before what the agents say: guidance becomes user messages, and the brand speaks next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, assert_never

from actors.drafting import Colleagues, Drafting, Request
from actors.events import (
    AcceptDemoted,
    DraftFailedEvent,
    DraftRefused,
    InterventionHeard,
    InterventionSettled,
    MessageSavedEvent,
    NegotiationContinued,
    NegotiationEndedEvent,
    NegotiationParkedEvent,
    NegotiationWaiting,
    SaveRefused,
    StaleDraftDropped,
)
from actors.mailbox import (
    Call,
    CallUndelivered,
    Cancel,
    Continue,
    ContinuingSaved,
    DraftFailed,
    DraftOverdue,
    DraftQueued,
    EndingSaved,
    GuidanceSaved,
    Intervene,
    LoadFailed,
    LoadNegotiation,
    MessageSaved,
    MoveDrafted,
    NegotiationEnded,
    NegotiationLoaded,
    NegotiationMail,
    NegotiationStill,
    ParkingSaved,
    Ref,
    RefusalsSaved,
    RetryDraft,
    Save,
    SaveContinuing,
    SaveEnding,
    SaveFailed,
    SaveGuidance,
    SaveMessage,
    SaveParking,
    SaveRefusals,
)
from actors.mechanism.conversation import Conversation
from actors.mechanism.docket import Docket
from actors.mechanism.guidance import person_draft, weigh
from actors.mechanism.rulebook import (
    CANCELLATION,
    ending_without_words,
    judge,
    mandates_in_force,
)
from actors.mechanism.ruling import Refusal, Refused, Ruling
from actors.runtime import LoopActor, Restart, say
from storage.interventions import Intervention, InterventionId
from storage.records import (
    Ending,
    Message,
    NegotiationStatus,
    Origin,
    QuoteStatus,
    Sender,
    is_parked,
)
from storage.store import Loaded
from storage.terms.kind import Side

RELOADS = 3
"""How often in a row a refused save is answered by loading again before it is parked."""
MOVES_BY_ITSELF = "it moves by itself"
HAS_ENDED = "the negotiation has ended"

DraftMail = MoveDrafted | DraftFailed | DraftQueued | DraftOverdue | RetryDraft
"""What comes of a draft."""
Receipt = MessageSaved | GuidanceSaved | ContinuingSaved | EndingSaved | ParkingSaved | SaveFailed
"""What a save in flight is answered with."""


class SupplierNegotiation(LoopActor):
    """One quote with one supplier."""

    def __init__(self, loaded: Loaded, colleagues: Colleagues) -> None:
        super().__init__()
        self._loaded: Loaded | None = loaded
        self._negotiation = loaded.negotiation
        """As it was when it was loaded: the brief, not the state."""
        self._conversation: Conversation
        self._colleagues = colleagues
        self._drafting = Drafting(loaded.negotiation, colleagues, self.actor_ref, self.loop)
        self._docket = Docket()
        self._in_flight: Save | None = None
        """What was sent to Persistence and is not answered: until then nothing is decided."""
        self._judged: Request | None = None
        """What the message in flight is an answer to."""
        self._refusals = 0
        """How many SaveRefusals are not answered; nothing waits for them but stillness."""
        self._rests = False
        """Whether it is parked, or waits to be continued."""
        self._continued = False
        """Whether a person has asked for the round that is under way."""
        self._continues: list[Continue] = []
        """Those that came while a save was in flight."""
        self._cancelled = False
        self._heard = 0
        """How many calls were handled."""
        self._reloads = 0
        self._loading = False
        self._over = False

    def on_start(self) -> None:
        """Go on from what is on disk."""
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            self._resume(loaded)

    def on_stop(self) -> None:
        """Leave nothing running."""
        self._drafting.close()

    def on_undelivered(self, mail: object) -> None:
        """What a person wants must not be lost with an actor that was given up."""
        if isinstance(mail, Call) and not self._over:
            negotiation = self._negotiation
            self._say(
                self._colleagues.coordinator,
                CallUndelivered(
                    quote_id=negotiation.quote_id, negotiation_id=negotiation.id, call=mail
                ),
            )
        else:
            super().on_undelivered(mail)

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
            case Intervene() | Continue() | Cancel():
                self._heard += 1
                self._called(mail)
            case _ if self._loading:
                pass  # it is older than what is being loaded
            case MoveDrafted() | DraftFailed() | DraftQueued() | DraftOverdue() | RetryDraft():
                self._drafted(mail)
            case RefusalsSaved(settled=settled):
                self._refusals -= 1
                self._tell_settled(settled)
                self._tell_if_still()
            case _:
                self._in_flight = None
                self._saved(mail)

    def _drafted(self, mail: DraftMail) -> None:
        match mail:
            case _ if not self._drafting.is_open(mail.draft_id):
                self._emit(StaleDraftDropped, draft_id=mail.draft_id)
            case MoveDrafted():
                self._play(mail)
            case DraftFailed(error=error, retryable=retryable):
                self._failed(error, retryable=retryable)
            case DraftQueued():
                self._drafting.heard()
            case DraftOverdue():
                patience_s = self._drafting.patience_s
                self._failed(f"nothing heard for {patience_s:g} s", retryable=True)
            case RetryDraft():
                self._drafting.again(self._conversation)
            case _:
                assert_never(mail)

    def _saved(self, receipt: Receipt) -> None:
        match receipt:
            case MessageSaved():
                self._speak(receipt)
            case GuidanceSaved(guidance=guidance):
                self._guided(guidance)
            case ContinuingSaved(settled=settled):
                self._go_on_again(settled)
            case EndingSaved(ending=ending, quote_completed=completed, settled=settled):
                self._end(ending, settled, quote_completed=completed)
            case ParkingSaved(error=error):
                self._parked(error)
            case SaveFailed(error=error):
                self._refused_by_ledger(error)
            case _:
                assert_never(receipt)

    # Going on

    def _proceed(self) -> None:
        """Decide what comes next: what a person wants goes before everything else."""
        if self._cancelled:
            self._save(self._ending(CANCELLATION))
        elif not self._take():
            self._go_on()
        if not self._rests:
            self._refuse_continues()

    def _go_on(self) -> None:
        conversation = self._conversation
        ending = ending_without_words(conversation)
        if ending is not None:
            self._save(self._ending(ending))
        elif self._docket.action is not None:
            self._act(self._docket.action)
        elif self._waits_to_be_continued:
            self._emit(NegotiationWaiting)
            self._rest()
        else:
            self._drafting.ask(conversation)

    @property
    def _waits_to_be_continued(self) -> bool:
        if self._negotiation.automatic or self._continued:
            return False
        return self._conversation.last_sender is Sender.BRAND

    def _rest(self) -> None:
        """Nothing moves it by itself any more."""
        self._drafting.drop()
        self._rests = True
        if self._continues:
            self._continue()
        else:
            self._tell_if_still()

    def _tell_if_still(self) -> None:
        if self._rests and self._in_flight is None and not self._refusals:
            still = NegotiationStill(negotiation_id=self._negotiation.id, heard=self._heard)
            self._say(self._colleagues.coordinator, still)

    # What came of a draft

    def _play(self, drafted: MoveDrafted) -> None:
        request = self._drafting.answered()
        ruling = judge(self._conversation, request.side, drafted.proposal, drafted.origin)
        if ruling.refusal is not None:
            self._send_back(request, ruling.refusal, drafted.fallback)
            return
        if ruling.demoted is not None:
            self._emit(AcceptDemoted, side=request.side.value, rule=ruling.demoted.value)
        self._save(self._message(ruling))
        self._judged = request

    def _message(self, ruling: Ruling) -> SaveMessage:
        entry = ruling.entry
        assert entry is not None  # noqa: S101 - what is not refused is an entry
        owed = self._docket.owed if entry.sender is Sender.BRAND else ()
        return SaveMessage(
            entry=entry,
            ending=ruling.ending,
            mandates=mandates_in_force(self._conversation),
            answers=tuple(one.id for one in owed),
            reply_to=self.actor_ref,
        )

    def _send_back(self, request: Request, refusal: Refusal, fallback: str | None) -> None:
        """Once with the reason; then the fallback decides, and without one it is parked."""
        next_one: Request | None = None
        if request.refused is None:
            next_one = replace(request, refused=refusal)
        elif fallback is not None:
            next_one = Request(request.side, fallback, is_fallback=True)
        self._emit(
            DraftRefused,
            side=request.side.value,
            rule=refusal.rule.value,
            fallback=fallback if request.refused else None,
        )
        if next_one is None:
            # the reason may hold a private figure, so only the rule's name is kept
            self._give_up(f"the {request.side}'s draft was refused twice: {refusal.rule}")
        else:
            self._drafting.ask(self._conversation, next_one)

    def _failed(self, error: str, *, retryable: bool) -> None:
        side = self._drafting.side
        assert side is not None  # noqa: S101 - stale mail was dropped before
        pause_s = self._drafting.retry_in_s(retryable=retryable)
        self._emit(DraftFailedEvent, side=side.value, error=error, retry_in_s=pause_s)
        if pause_s is None:
            self._give_up(f"the {side}'s negotiator made no move: {error}")
        else:
            self._drafting.retry(pause_s)

    def _give_up(self, error: str) -> None:
        """Park it, unless a person has said something meanwhile: then the brand speaks."""
        self._drafting.drop()
        if not self._take():
            self._park(error)

    # Saving, and only then speaking

    def _save(self, mail: Save) -> None:
        self._drafting.drop()
        self._rests = False
        self._in_flight, self._judged = mail, None
        self._say(self._colleagues.persistence, mail)

    def _speak(self, saved: MessageSaved) -> None:
        message = saved.message
        self._reloads = 0
        self._conversation = self._conversation.said(message)
        if message.sender is Sender.BRAND:
            self._docket = replace(self._docket, owed=())
            self._continued = False
        self._tell_saved(message)
        if saved.ending is not None:
            self._end(saved.ending, saved.settled, quote_completed=saved.quote_completed)
        else:
            self._tell_settled(saved.settled)
            self._proceed()

    def _ending(self, ending: Ending) -> SaveEnding:
        return SaveEnding(
            negotiation_id=self._negotiation.id, ending=ending, reply_to=self.actor_ref
        )

    def _end(
        self, ending: Ending, settled: Iterable[Intervention], *, quote_completed: bool
    ) -> None:
        self._tell_settled(settled)
        self._emit(
            NegotiationEndedEvent,
            status=ending.status.value,
            reason=ending.reason and ending.reason.value,
            rounds=self._conversation.rounds,
        )
        self._tell_ended(quote_completed=quote_completed)

    def _tell_ended(self, *, quote_completed: bool) -> None:
        self._over = True
        negotiation = self._negotiation
        mail = NegotiationEnded(
            quote_id=negotiation.quote_id,
            negotiation_id=negotiation.id,
            quote_completed=quote_completed,
        )
        self._say(self._colleagues.coordinator, mail)
        self.stop()

    def _park(self, error: str) -> None:
        negotiation_id = self._negotiation.id
        self._save(SaveParking(negotiation_id=negotiation_id, error=error, reply_to=self.actor_ref))

    def _parked(self, error: str) -> None:
        self._emit(NegotiationParkedEvent, error=error)
        if self._cancelled:
            self._proceed()
        elif not self._take():
            self._rest()

    def _refused_by_ledger(self, error: Exception) -> None:
        if isinstance(error, Refused) and self._judged is not None:
            if not self._take():
                self._send_back(self._judged, Refusal(error.rule, error.reason), None)
            return
        self._emit(SaveRefused, error=str(error))
        self._reloads += 1
        if self._reloads > RELOADS:
            self._park(f"the ledger refuses what it says: {error}")
        else:
            self._reload()

    # Stepping in

    def _called(self, call: Call) -> None:
        match call:
            case Intervene(intervention=intervention):
                self._intervene(intervention)
            case Continue():
                self._continues.append(call)
                if self._rests and not self._busy:
                    self._continue()
                elif not self._busy:
                    self._refuse_continues()
            case Cancel():
                self._cancelled = True
                if not self._busy:
                    self._proceed()
            case _:
                assert_never(call)

    @property
    def _busy(self) -> bool:
        return self._loading or self._in_flight is not None

    @property
    def _doing(self) -> str:
        """What it is at, in the words of the log."""
        if self._loading:
            return "loading"
        if self._in_flight is not None:
            closing = isinstance(self._in_flight, SaveMessage | SaveEnding) and (
                self._in_flight.ending is not None
            )
            return "closing" if closing else "saving"
        if self._rests:
            return "waiting" if self._waits_to_be_continued else "parked"
        return f"drafting {self._drafting.side}"

    def _intervene(self, intervention: Intervention) -> None:
        docket = self._docket.received(intervention)
        if docket is not self._docket:  # else it was taken up when the negotiation was loaded
            self._docket = docket
            self._emit(
                InterventionHeard,
                intervention_id=intervention.id,
                during=self._doing,
                action=intervention.action and intervention.action.value,
            )
            if not self._busy:
                self._take()
        self._tell_if_still()

    def _take(self) -> bool:
        """Make user messages of what waits, if this is the moment; whether that is under way."""
        if not self._docket.waiting:
            return False
        guidance = weigh(self._conversation, self._docket.waiting)
        self._docket = replace(self._docket, waiting=guidance.taken)
        self._refuse([(one.intervention.id, one.reason) for one in guidance.refused])
        patient = not any(one.interrupts for one in guidance.taken)
        if not guidance.taken or (patient and self._drafting.side is Side.SUPPLIER):
            return False
        self._docket = replace(self._docket, waiting=())
        self._save(
            SaveGuidance(
                negotiation_id=self._negotiation.id,
                first_seq=self._conversation.message_count + 1,
                taken=guidance.taken,
                mandate=guidance.mandate,
                reply_to=self.actor_ref,
            )
        )
        return True

    def _guided(self, guidance: Iterable[tuple[Message, Intervention]]) -> None:
        for message, intervention in guidance:
            self._conversation = self._conversation.guided(message, intervention)
            self._docket = replace(self._docket, owed=(*self._docket.owed, intervention))
            self._tell_saved(message)
        if self._docket.action is not None and not self._cancelled:
            self._act(self._docket.action)  # it came first, and leaves nothing to guide
        else:
            self._proceed()

    def _act(self, intervention: Intervention) -> None:
        """Do in the brand's place what a person has decided; no negotiator is asked."""
        draft = person_draft(intervention)
        ruling = judge(self._conversation, Side.BRAND, draft, Origin.PERSON)
        if ruling.refusal is None:
            self._save(self._message(ruling))
            return
        # it stood when it was taken, so this is a rule that only the words can break
        owed = tuple(one for one in self._docket.owed if one.id != intervention.id)
        self._docket = replace(self._docket, owed=owed)
        self._refuse([(intervention.id, ruling.refusal.reason)])
        self._proceed()

    def _continue(self) -> None:
        first, *others = self._continues
        self._continues = others
        row = first.intervention
        self._continued = True
        self._save(
            SaveContinuing(
                negotiation_id=self._negotiation.id,
                intervention_id=row.id if row is not None else None,
                reply_to=self.actor_ref,
            )
        )

    def _go_on_again(self, settled: Iterable[Intervention]) -> None:
        self._emit(NegotiationContinued)
        self._tell_settled(settled)
        self._proceed()

    def _refuse_continues(self) -> None:
        rows = [call.intervention for call in self._continues if call.intervention is not None]
        self._continues = []
        self._refuse([(row.id, MOVES_BY_ITSELF) for row in rows])

    def _refuse(self, refused: Sequence[tuple[InterventionId, str]]) -> None:
        if refused:
            self._refusals += 1
            mail = SaveRefusals(refused=tuple(refused), reply_to=self.actor_ref)
            self._say(self._colleagues.persistence, mail)

    def _tell_saved(self, message: Message) -> None:
        request = self._conversation.request
        self._emit(
            MessageSavedEvent,
            seq=message.seq,
            sender=message.sender.value,
            move=message.move and message.move.value,
            origin=message.origin.value,
            rounds=self._conversation.rounds,
            total=str(request.total(message.terms)) if message.terms else None,
            currency=request.currency,
        )

    def _tell_settled(self, settled: Iterable[Intervention]) -> None:
        for one in settled:
            self._emit(
                InterventionSettled,
                intervention_id=one.id,
                status=one.status.value,
                applied_seq=one.applied_seq,
            )

    # Starting over from disk

    def _reload(self) -> None:
        self._drafting.drop()
        self._loading = True
        negotiation_id = self._negotiation.id
        mail = LoadNegotiation(negotiation_id=negotiation_id, reply_to=self.actor_ref)
        self._say(self._colleagues.persistence, mail)

    def _resume(self, loaded: Loaded) -> None:
        negotiation = loaded.negotiation
        self._loading = self._rests = False
        self._in_flight, self._refusals = None, 0
        self._conversation = Conversation.restored(
            loaded.quote, negotiation, loaded.messages, loaded.interventions
        )
        on_disk = Docket.restored(loaded.interventions, loaded.messages)
        self._docket = on_disk.joined(self._docket)
        self._cancelled |= loaded.quote.status is QuoteStatus.CANCELLED
        if negotiation.status is not NegotiationStatus.ACTIVE:
            unheard = (*self._docket.owed, *self._docket.waiting)
            self._refuse([(one.id, HAS_ENDED) for one in unheard])
            self._tell_ended(quote_completed=False)
        elif is_parked(negotiation):
            self._parked(negotiation.last_error or "")
        else:
            self._proceed()

    def _unreadable(self, error: Exception) -> None:
        """Its rows are damaged: nothing can be said, and nothing can be taken, until a restart."""
        self._loading = True
        self._drafting.drop()
        self._emit(NegotiationParkedEvent, error=f"it can't be loaded: {error}")
        still = NegotiationStill(negotiation_id=self._negotiation.id, heard=self._heard)
        self._say(self._colleagues.coordinator, still)

    # Telling

    def _say(self, actor: Ref, mail: object) -> None:
        say(actor, mail, self.loop.events)

    def _emit(self, event: Any, **facts: Any) -> None:
        negotiation = self._negotiation
        self.loop.events.emit(
            event(
                quote_id=negotiation.quote_id,
                negotiation_id=negotiation.id,
                supplier_id=negotiation.supplier_id,
                **facts,
            )
        )
