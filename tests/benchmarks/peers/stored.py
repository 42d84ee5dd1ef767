"""What a run has left on disk, and whether it is what the work should have left."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.work import MESSAGES, draft, sender_of

SAID = "SELECT negotiation_id, seq, sender, move, content, terms FROM messages ORDER BY id"
ENDED = "SELECT id FROM negotiations WHERE ended_at IS NOT NULL"

Said = tuple[str, int, str, str, str, str | None]
"""Negotiation id, seq, sender, move, content, terms as JSON: nothing or `{}` unless it offers."""
Line = tuple[int, str, str, str, str]
"""Seq, sender, move, content, terms as JSON that is the same for the same terms."""


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
        script = [_line_of(seq) for seq in range(1, MESSAGES + 1)]
        spoken = _by_negotiation(self.said)
        for negotiation_id, messages in spoken.items():
            if messages != script:
                order = [(seq, sender, move) for seq, sender, move, _, _ in messages]
                raise WrongResult(f"{negotiation_id} does not go as it should: {order}")
        if len(self.ended) != negotiations or set(self.ended) != set(spoken):
            raise WrongResult(f"{len(self.ended)} of {negotiations} negotiations have ended")


def _line_of(seq: int) -> Line:
    should = draft(seq)
    return seq, sender_of(seq), should.move, should.text, _canonical(should.terms)


def _by_negotiation(said: Iterable[Said]) -> dict[str, list[Line]]:
    spoken: dict[str, list[Line]] = defaultdict(list)
    for negotiation_id, seq, sender, move, content, terms in said:
        line = (seq, sender, move, content, _canonical(json.loads(terms or "{}")))
        spoken[negotiation_id].append(line)
    return spoken


def _canonical(terms: object) -> str:
    return json.dumps(terms, sort_keys=True)
