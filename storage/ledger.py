"""Ledger: the store with all that only Persistence writes, each call inside a transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from storage.errors import SequenceConflict
from storage.hashes import row_hash
from storage.interventions import Intervention, InterventionId, InterventionStatus
from storage.mandates import Mandate
from storage.records import Entry, Message, NegotiationId, Origin, Sender
from storage.store import Store
from storage.tables import NegotiationRow, to_json


class Ledger(Store):
    """Called by one thread only."""

    def guide(
        self,
        negotiation_id: NegotiationId,
        first_seq: int,
        taken: Sequence[Intervention],
        mandate: Mandate,
    ) -> tuple[tuple[Message, Intervention], ...]:
        """Make user messages of interventions, and put the brand under changed limits.

        A negotiation that was parked is so no longer. Each intervention stays `received`: it is
        owed the brand's answer.

        Raises:
            UnknownRecord: There is no such negotiation.
            NegotiationNotActive: It has ended.
            SequenceConflict: Another message has that seq, or one of them is settled already.
        """
        guidance = []
        for seq, one in enumerate(taken, start=first_seq):
            entry = Entry(
                negotiation_id=negotiation_id,
                seq=seq,
                sender=Sender.USER,
                content=one.wording,
                move=None,
                terms=None,
                accepts_seq=None,
                origin=Origin.PERSON,
            )
            message = self.append(entry).message
            noted = self._receipts.settle(one.id, message_seq=seq)
            if noted is None:
                raise SequenceConflict(negotiation_id, seq, seq)
            guidance.append((message, noted))
        mandate_json = to_json(mandate.model_dump(mode="json"))
        self._set_state(negotiation_id, mandate=mandate_json, last_error=None)
        return tuple(guidance)

    def settle_answered(
        self, answers: Iterable[InterventionId], message: Message
    ) -> tuple[Intervention, ...]:
        """Note that a message of the brand follows these interventions."""
        settled = [self._settle_answered(one, message) for one in answers]
        return tuple(one for one in settled if one is not None)

    def settle_ended(
        self, negotiation_id: NegotiationId, seq: int | None
    ) -> tuple[Intervention, ...]:
        """Refuse what a negotiation still owes an answer to, because it has ended.

        Args:
            seq: Of the message that closed it; None when it ended without one.
        """
        how = f"ended at message {seq}" if seq else "ended without a further message"
        return self._receipts.refuse_all(negotiation_id, how)

    def refuse(self, refused: Iterable[tuple[InterventionId, str]]) -> tuple[Intervention, ...]:
        """Settle interventions of which nothing holds, each with its reason."""
        status = InterventionStatus.REFUSED.value
        settled = [
            self._receipts.settle(intervention_id, status=status, reason=reason)
            for intervention_id, reason in refused
        ]
        return tuple(one for one in settled if one is not None)

    def unpark(
        self, negotiation_id: NegotiationId, intervention_id: InterventionId | None
    ) -> tuple[Intervention, ...]:
        """Have a negotiation parked no longer, and settle the row that asked for it.

        Raises:
            UnknownRecord: There is no such negotiation.
            NegotiationNotActive: It has ended.
        """
        self._set_state(negotiation_id, last_error=None)
        if intervention_id is None:
            return ()
        status = InterventionStatus.APPLIED.value
        settled = self._receipts.settle(intervention_id, status=status)
        return () if settled is None else (settled,)

    def _settle_answered(
        self, intervention_id: InterventionId, message: Message
    ) -> Intervention | None:
        without_effect = message.origin in (Origin.TACTICS, Origin.FALLBACK)
        has_text = self._receipts.one(intervention_id).text is not None
        return self._receipts.settle(
            intervention_id,
            status=InterventionStatus.APPLIED.value,
            reason=TEXT_KEPT if without_effect and has_text else None,
            applied_seq=message.seq,
        )

    def _set_state(self, negotiation_id: NegotiationId, **changes: str | None) -> None:
        state = self._active(negotiation_id) | changes
        changes["row_hash"] = row_hash(state)
        query = NegotiationRow.update(changes).where(NegotiationRow.id == negotiation_id)
        query.bind(self._database).execute()


TEXT_KEPT = "text kept; tactics acts on limits, priorities and actions"
