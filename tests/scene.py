"""One negotiation with a probe in place of everybody it writes to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pykka
from factories import (
    as_saved,
    make_config,
    make_entry,
    make_intervention,
    make_negotiations,
    make_quote,
    make_supplier,
    make_terms,
)
from probe import Probe

from actors.drafting import Colleagues
from actors.mailbox import Cancel, Continue, DraftMove, Intervene, MoveDrafted, NegotiationStill
from actors.mechanism.conversation import Conversation
from actors.mechanism.moves import Draft
from actors.runtime import LoopThread
from actors.saves import (
    ContinuingSaved,
    EndingSaved,
    GuidanceSaved,
    MessageSaved,
    ParkingSaved,
    RefusalsSaved,
    SaveContinuing,
    SaveEnding,
    SaveGuidance,
    SaveMessage,
    SaveParking,
    SaveRefusals,
)
from actors.supplier_negotiation import SupplierNegotiation
from storage.interventions import Intervention, InterventionStatus
from storage.reader import Loaded
from storage.records import Message, Move, NegotiationStatus, Origin, QuoteStatus, Sender

S = TypeVar("S")
OFFER = Draft(Move.OFFER, "Here is our offer.", make_terms("6.00", 30, "30/70"))
COUNTER = Draft(Move.OFFER, "Here is ours.", make_terms("8.80", 40, "30/70"))
TALK = Draft(Move.TALK, "Let me ask around.")
WALK = Draft(Move.WALK_AWAY, "Goodbye.")


@dataclass
class Scene:
    """One negotiation, and a probe for each of its colleagues."""

    actor: pykka.ActorRef[SupplierNegotiation]
    loaded: Loaded
    brand: Probe
    supplier: Probe
    persistence: Probe
    coordinator: Probe
    supervisor: Probe

    def drafts(
        self, agent: Probe, draft: object, *, origin: Origin = Origin.SCRIPT, **more: Any
    ) -> DraftMove:
        """Have an agent answer the request that it was sent."""
        request = agent.until(DraftMove)
        answer = MoveDrafted(
            draft_id=request.draft_id, proposal=draft, origin=origin, **{"fallback": None} | more
        )
        self.actor.tell(answer)
        return request

    def saves(self, *, quote_completed: bool = False) -> Message:
        """Have Persistence save what it was sent."""
        save = self.persistence.next(SaveMessage)
        message = as_saved(save.entry)
        self.actor.tell(
            MessageSaved(message=message, ending=save.ending, quote_completed=quote_completed)
        )
        return message

    def says(self, agent: Probe, draft: object) -> Message:
        """Have an agent make a move that is saved."""
        self.drafts(agent, draft)
        return self.saves()

    # A person

    def intervenes(self, number: int = 1, **content: Any) -> Intervention:
        """A person steps in; text alone by default."""
        one = make_intervention(self.loaded.negotiation.id, number, **content)
        self.actor.tell(Intervene(intervention=one))
        return one

    def continues(self, number: int | None = None) -> None:
        """A person has it go on, by a row with that number if there is one."""
        row = None
        if number is not None:
            row = make_intervention(self.loaded.negotiation.id, number, action="continue")
        self.actor.tell(Continue(intervention=row))

    def cancels(self) -> None:
        """A person cancels the quote."""
        self.actor.tell(Cancel())

    def guides(self) -> SaveGuidance:
        """Have Persistence make user messages of what it was sent."""
        save = self.persistence.next(SaveGuidance)
        guidance = [
            (user_message(self.loaded, one, seq), one.model_copy(update={"message_seq": seq}))
            for seq, one in enumerate(save.taken, start=save.first_seq)
        ]
        self.actor.tell(GuidanceSaved(guidance=tuple(guidance)))
        return save

    def refuses(self) -> dict[str, str]:
        """Have Persistence settle what it was sent as refused; returns the reasons."""
        save = self.persistence.next(SaveRefusals)
        self.actor.tell(RefusalsSaved(settled=()))
        return dict(save.refused)

    def goes_on(self) -> SaveContinuing:
        """Have Persistence un-park it."""
        save = self.persistence.next(SaveContinuing)
        self.actor.tell(ContinuingSaved(settled=()))
        return save

    def parks(self) -> str:
        """Have Persistence note why it is parked."""
        save = self.persistence.next(SaveParking)
        self.actor.tell(ParkingSaved(negotiation_id=save.negotiation_id, error=save.error))
        return save.error

    def ends(self) -> SaveEnding:
        """Have Persistence save its ending."""
        save = self.persistence.next(SaveEnding)
        self.actor.tell(EndingSaved(ending=save.ending, quote_completed=False))
        return save

    def is_parked(self) -> None:
        """Park it by an agent that makes no sense, the brand's."""
        self.drafts(self.brand, "nonsense")
        self.drafts(self.brand, "nonsense")
        self.parks()
        self.coordinator.next(NegotiationStill)


Stage = Callable[..., Scene]


def staged(
    loop: LoopThread,
    *messages: Message,
    status: str = "active",
    quote_status: str = "negotiating",
    automatic: bool = True,
    last_error: str | None = None,
    interventions: Iterable[Intervention] = (),
    rival: str | None = None,
    **rules: Any,
) -> Scene:
    """Start a negotiation on a loop, with what is on disk of it.

    Args:
        rival: The name of another supplier that the quote asks too.
    """
    others = [make_supplier(2).model_copy(update={"name": rival})] if rival else []
    config = make_config([make_supplier(), *others], **rules)
    quote = make_quote(config)
    changes = {
        "status": NegotiationStatus(status),
        "automatic": automatic,
        "last_error": last_error,
    }
    negotiation = make_negotiations(quote, config)[0].model_copy(update=changes)
    quote = quote.model_copy(update={"status": QuoteStatus(quote_status)})
    loaded = Loaded(quote, negotiation, messages, tuple(interventions))
    probes = [Probe(loop) for _ in range(5)]
    colleagues = Colleagues(*(probe.ref for probe in probes[:4]))
    actor = SupplierNegotiation.start(loaded, colleagues, loop=loop, supervisor=probes[4].ref)
    return Scene(actor, loaded, *probes)


def user_message(loaded: Loaded, intervention: Intervention, seq: int) -> Message:
    """What an intervention becomes."""
    conversation = Conversation.opened(loaded.quote, loaded.negotiation)
    entry = make_entry(conversation, Sender.USER, None, seq=seq, content=intervention.wording)
    return as_saved(entry.model_copy(update={"origin": Origin.PERSON}))


def owed(number: int, seq: int, **content: Any) -> Intervention:
    """An intervention that is a user message already, and not answered."""
    return make_intervention("n-1", number, **content).model_copy(update={"message_seq": seq})


def again(loaded: Loaded, *messages: Message, **changes: Any) -> Loaded:
    """What is on disk later."""
    return replace(loaded, messages=messages, **changes)


def settled(intervention: Intervention, status: str, **changes: Any) -> Intervention:
    """What became of an intervention."""
    return intervention.model_copy(update={"status": InterventionStatus(status), **changes})
