"""CallDesk: where an agent's models have their calls noted, before they start and when they end."""

from __future__ import annotations

import asyncio
from typing import Any

from actors.events import Event
from actors.mailbox import Ref
from actors.model_events import ModelAnswered, ModelCallCancelled, ModelCallFailed
from actors.runtime import LoopThread, say
from actors.saves import CallNotStarted, CallStartSaved, SaveCallEnd, SaveCallStart
from storage.calls import CallEnd, CallId, CallStart, Outcome
from storage.records import SupplierId
from storage.rules import Budget


class CallDesk:
    """Mails Persistence for the drafts of one agent, and tells each what came back."""

    def __init__(self, persistence: Ref, owner: Ref, loop: LoopThread) -> None:
        """Nothing is noted yet.

        Args:
            owner: The agent, which hands over what Persistence answers.
        """
        self._persistence = persistence
        self._owner = owner
        self._loop = loop
        self._starting: dict[CallId, asyncio.Future[None]] = {}

    async def start(self, call: CallStart, budget: Budget) -> None:
        """Return once it is on disk that the call starts, or raise what speaks against it."""
        noted = asyncio.get_running_loop().create_future()
        self._starting[call.id] = noted
        self._tell(SaveCallStart(call=call, budget=budget, reply_to=self._owner))
        try:
            await noted
        except asyncio.CancelledError:
            # it is or will be noted, and never starts; mail is handled in order
            self._note(
                CallEnd(
                    id=call.id,
                    outcome=Outcome.NOT_SENT,
                    prompt_tokens=0,
                    completion_tokens=0,
                    latency_s=0.0,
                )
            )
            raise
        finally:
            del self._starting[call.id]

    def end(self, call: CallStart, end: CallEnd, supplier_id: SupplierId) -> None:
        """Note what became of it."""
        self._note(end)
        told: dict[str, Any] = {
            "quote_id": call.quote_id,
            "negotiation_id": call.negotiation_id,
            "supplier_id": supplier_id,
            "call_id": call.id,
            "draft_id": call.draft_id,
            "side": call.side.value,
            "attempt": call.attempt,
            "model": call.model,
            "queued_s": call.queued_s,
            "latency_s": end.latency_s,
        }
        if end.outcome in (Outcome.ANSWERED, Outcome.UNREADABLE):
            event: Event = ModelAnswered(
                **told,
                model_served=end.model_served,
                finish_reason=end.finish_reason,
                prompt_tokens=end.prompt_tokens,
                completion_tokens=end.completion_tokens,
            )
        elif end.outcome is Outcome.CANCELLED:
            event = ModelCallCancelled(**told)
        else:
            outcome, status = end.outcome.value, end.http_status
            event = ModelCallFailed(**told, outcome=outcome, http_status=status)
        self._loop.events.emit(event)

    def answered(self, receipt: CallStartSaved | CallNotStarted) -> None:
        """Hand over what Persistence answered."""
        noted = self._starting.get(receipt.call_id)
        if noted is None or noted.done():
            return  # nobody waits for it any more
        if isinstance(receipt, CallStartSaved):
            noted.set_result(None)
        else:
            noted.set_exception(receipt.error)

    def _note(self, end: CallEnd) -> None:
        self._tell(SaveCallEnd(end=end, reply_to=self._owner))

    def _tell(self, mail: SaveCallStart | SaveCallEnd) -> None:
        say(self._persistence, mail, self._loop.events)
