"""What a run has left on disk, and whether it is what the work should have left."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.work import MESSAGES, draft, sender_of

SAID = "SELECT negotiation_id, seq, sender, content FROM messages ORDER BY id"
ENDED = "SELECT id FROM negotiations WHERE ended_at IS NOT NULL"

Said = tuple[str, int, str, str]
"""Negotiation id, seq, sender, content."""


class WrongResult(Exception):
    """A side has not done the work, so its figures say nothing."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The messages in the order in which they were written, and the ids of what has ended."""

    said: list[Said]
    ended: list[str]

    @classmethod
    def read(cls, database: Path) -> Stored:
        """Read it by SQL, from our own tables or from those of a group commit alike."""
        with closing(sqlite3.connect(database)) as connection:
            ended = [negotiation_id for (negotiation_id,) in connection.execute(ENDED)]
            return cls(connection.execute(SAID).fetchall(), ended)

    def check(self, negotiations: int) -> None:
        """Compare with what so many negotiations should have left.

        Raises:
            WrongResult: A message is missing, too many, out of order or another one than was said,
                or a negotiation has not ended.
        """
        if len(self.said) != negotiations * MESSAGES:
            raise WrongResult(f"{len(self.said)} messages, not {negotiations} x {MESSAGES}")
        script = [(seq, sender_of(seq), draft(seq).text) for seq in range(1, MESSAGES + 1)]
        spoken = _by_negotiation(self.said)
        for negotiation_id, messages in spoken.items():
            if messages != script:
                order = [(seq, sender) for seq, sender, _ in messages]
                raise WrongResult(f"{negotiation_id} does not go as it should: {order}")
        if len(self.ended) != negotiations or set(self.ended) != set(spoken):
            raise WrongResult(f"{len(self.ended)} of {negotiations} negotiations have ended")


def _by_negotiation(said: Iterable[Said]) -> dict[str, list[tuple[int, str, str]]]:
    spoken: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for negotiation_id, seq, sender, content in said:
        spoken[negotiation_id].append((seq, sender, content))
    return spoken
