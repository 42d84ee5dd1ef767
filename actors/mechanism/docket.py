"""The interventions of one negotiation that are not settled yet."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from storage.interventions import Action, Intervention, InterventionId, InterventionStatus
from storage.records import Message, Sender


class Docket(Struct, frozen=True, gc=False):
    """What waits to become a user message, and what the brand owes an answer to."""

    waiting: tuple[Intervention, ...] = ()
    """Oldest first."""
    owed: tuple[Intervention, ...] = ()
    """Each is a user message; the brand's next message settles them all."""
    known: frozenset[InterventionId] = frozenset()
    """All that were ever seen: mail about them is dropped."""

    @classmethod
    def restored(cls, interventions: Iterable[Intervention], messages: Iterable[Message]) -> Docket:
        """The docket as it stands on disk."""
        said = {message.seq for message in messages if message.sender is Sender.USER}
        rows = [one for one in interventions if one.action is not Action.CONTINUE]
        open_ones = [one for one in rows if one.status is InterventionStatus.RECEIVED]
        return cls(
            waiting=tuple(one for one in open_ones if one.message_seq not in said),
            owed=tuple(one for one in open_ones if one.message_seq in said),
            known=frozenset(one.id for one in rows),
        )

    def received(self, intervention: Intervention) -> Docket:
        """With one more that waits; the same if it is known."""
        if intervention.id in self.known:
            return self
        return replace(
            self,
            waiting=(*self.waiting, intervention),
            known=self.known | {intervention.id},
        )

    def knowing(self, intervention: Intervention) -> Docket:
        """With one that needs no user message, so that it is heard once."""
        return replace(self, known=self.known | {intervention.id})

    def answered(self) -> Docket:
        """After the brand's next message, which settles what is owed."""
        return replace(self, owed=()) if self.owed else self

    def joined(self, mailed: Docket) -> Docket:
        """With what came by mail after this was read from disk."""
        docket = self
        for one in mailed.waiting:
            docket = docket.received(one)
        return docket

    @property
    def action(self) -> Intervention | None:
        """What a person does in the brand's place, if anything is owed that is an action."""
        return next((one for one in self.owed if one.action is not None), None)
