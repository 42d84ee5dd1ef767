"""Guardian: supervises the actors without which nothing moves."""

from __future__ import annotations

from collections import Counter

from actors.bug import bug
from actors.events import ActorFailedEvent
from actors.runtime import ActorFailed, LoopActor, Restart, say


class Guardian(LoopActor):
    """Restarts them for ever: each is shared by all negotiations."""

    def __init__(self) -> None:
        super().__init__()
        self._restarts: Counter[str] = Counter()

    def on_receive(self, mail: ActorFailed) -> None:
        """Log the failure, and have the actor go on."""
        self._restarts[mail.actor.actor_urn] += 1
        self.loop.events.emit(
            ActorFailedEvent(
                actor=mail.actor.actor_class.__name__,
                error=bug(mail.error),
                negotiation_id=None,
                restarts=self._restarts[mail.actor.actor_urn],
                given_up=False,
            )
        )
        say(mail.actor, Restart(), self.loop.events)
