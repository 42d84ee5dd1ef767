"""Steering: how a person steps into a negotiation, rules 12 to 14 as the half of an actor.

What a person wants waits while a save is in flight, and goes before what the agents say: guidance
becomes user messages, and the brand speaks next; an action is done in the brand's place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

from msgspec.structs import replace

from actors.drafting import Colleagues, Drafting, Request
from actors.mailbox import (
    Call,
    CallUndelivered,
    Cancel,
    Continue,
    Intervene,
    NegotiationStill,
    Recover,
    Ref,
)
from actors.mechanism.conversation import Conversation
from actors.mechanism.docket import Docket
from actors.mechanism.guidance import person_draft, weigh
from actors.mechanism.rulebook import (
    judge,
    mandates_in_force,
)
from actors.mechanism.ruling import Ruling
from actors.negotiation_log import NegotiationLog
from actors.runtime import LoopActor, say
from actors.saves import (
    Save,
    SaveContinuing,
    SaveEnding,
    SaveGuidance,
    SaveMessage,
    SaveRefusals,
)
from storage.interventions import Intervention, InterventionId, InterventionStatus
from storage.records import (
    Message,
    Negotiation,
    Origin,
    Sender,
)
from storage.terms.kind import Side

HAS_ENDED = "the negotiation has ended"
MOVES_BY_ITSELF = "it moves by itself"


class Steered(LoopActor):
    """A negotiation as far as a person can act on it; `SupplierNegotiation` is the rest."""

    def __init__(
        self, negotiation: Negotiation, colleagues: Colleagues, *, taken_up: bool = False
    ) -> None:
        super().__init__()
        self._taken_up = taken_up
        """Whether it goes on only because a person asked for it; the first continue says so."""
        self._negotiation = negotiation
        """As it was when it was loaded: the brief, not the state."""
        self._conversation: Conversation
        self._colleagues = colleagues
        self._drafting = Drafting(negotiation, colleagues, self.actor_ref, self.loop)
        self._log = NegotiationLog(negotiation, self.loop.events)
        self._in_flight: Save | None = None
        """What was sent to Persistence and is not answered: until then nothing is decided."""
        self._judged: Request | None = None
        """What the message in flight is an answer to."""
        self._loading = False
        self._over = False
        self._docket = Docket()
        self._continues: tuple[Continue, ...] = ()
        """Those that came while a save was in flight."""
        self._cancelled = False
        self._heard = 0
        """How many calls were handled."""
        self._refusals = 0
        """How many SaveRefusals are not answered; nothing waits for them but stillness."""
        self._rests = False
        """Whether it is parked, or waits to be continued."""
        self._is_parked = False
        self._continued = False
        """Whether a person has asked for the round that is under way."""

    def _proceed(self) -> None:
        """Decide what comes next."""
        raise NotImplementedError

    def on_undelivered(self, mail: object) -> None:
        """What a person wants must not be lost with an actor that was given up, or has ended."""
        if isinstance(mail, Call) and self._over:
            self._called(mail)
        elif isinstance(mail, Call):
            negotiation = self._negotiation
            self._say(
                self._colleagues.coordinator,
                CallUndelivered(
                    quote_id=negotiation.quote_id, negotiation_id=negotiation.id, call=mail
                ),
            )
        else:
            super().on_undelivered(mail)

    def _called(self, call: Call) -> None:
        match call:
            case _ if self._over:
                # another program wrote it behind the end; what is settled stays as it is
                late = call.intervention if isinstance(call, Intervene | Continue) else None
                self._refuse_all([] if late is None else [late])
            case Intervene(intervention=intervention):
                self._intervene(intervention)
            case Continue(intervention=row) if row is not None and row.id in self._docket.known:
                self._tell_if_still()  # the face and the look at the database both told of it
            case Continue(intervention=row):
                if row is not None:
                    self._docket = self._docket.knowing(row)
                self._continues += (call,)
                if (self._rests or self._taken_up) and not self._busy:
                    self._continue()
                elif not self._busy:
                    self._refuse_continues()
            case Recover():
                if self._is_parked and not self._busy:
                    self._unpark(None)
                self._tell_if_still()
            case Cancel():
                self._cancelled = True
                if not self._busy:
                    self._proceed()
            case _:
                assert_never(call)

    def _intervene(self, intervention: Intervention) -> None:
        docket = self._docket.received(intervention)
        if docket is not self._docket:  # else it was taken up when the negotiation was loaded
            self._docket = docket
            self._log.intervention(intervention, self._doing)
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
            self._log.saved(message, self._conversation)
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

    # Going on by hand

    def _rest(self) -> None:
        """Nothing moves it by itself any more."""
        self._drafting.drop()
        self._rests = True
        if self._continues:
            self._continue()
        else:
            self._tell_if_still()

    @property
    def _waits_to_be_continued(self) -> bool:
        if self._negotiation.automatic or self._continued:
            return False
        return self._conversation.last_sender is Sender.BRAND

    def _continue(self) -> None:
        self._taken_up = False
        first, *others = self._continues
        self._continues = tuple(others)
        self._continued = True
        self._unpark(first.intervention)

    def _unpark(self, row: Intervention | None) -> None:
        self._save(
            SaveContinuing(
                negotiation_id=self._negotiation.id,
                intervention_id=row.id if row is not None else None,
                reply_to=self.actor_ref,
            )
        )

    def _go_on_again(self, settled: Iterable[Intervention]) -> None:
        self._log.continued()
        self._log.settled(settled)
        self._proceed()

    def _refuse_continues(self) -> None:
        rows = [call.intervention for call in self._continues if call.intervention is not None]
        self._continues = ()
        self._refuse([(row.id, MOVES_BY_ITSELF) for row in rows])

    # What it is at

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

    def _tell_if_still(self) -> None:
        if self._rests and not self._busy and not self._refusals:
            still = NegotiationStill(negotiation_id=self._negotiation.id, heard=self._heard)
            self._say(self._colleagues.coordinator, still)

    # Saving

    def _save(self, mail: Save) -> None:
        self._drafting.drop()
        self._rests = self._is_parked = False
        self._in_flight, self._judged = mail, None
        self._say(self._colleagues.persistence, mail)

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

    def _refuse(self, refused: Sequence[tuple[InterventionId, str]]) -> None:
        if refused:
            self._refusals += 1
            mail = SaveRefusals(refused=tuple(refused), reply_to=self.actor_ref)
            self._say(self._colleagues.persistence, mail)

    @property
    def _unheard(self) -> list[Intervention]:
        """All that a person has asked for and that nobody has answered yet."""
        rows = [call.intervention for call in self._continues]
        return [*self._docket.owed, *self._docket.waiting, *(row for row in rows if row)]

    def _refuse_all(self, interventions: Iterable[Intervention]) -> None:
        """Settle what nobody will hear any more: it has ended."""
        received = [one for one in interventions if one.status is InterventionStatus.RECEIVED]
        self._refuse([(one.id, HAS_ENDED) for one in received])

    def _say(self, actor: Ref, mail: object) -> None:
        say(actor, mail, self.loop.events)
