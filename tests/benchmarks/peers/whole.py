"""This system, whole: rules, hashes, checks and the log file on.

    python tests/benchmarks/peers/whole.py NEGOTIATIONS MOVE_SECONDS

From the start of the negotiations to the end of the last; the process, the quote and its suppliers
are there before.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[3])]

from benchmarks.parallel import QUOTE, suppliers
from benchmarks.peers.measuring import Taken, measured, report
from benchmarks.peers.stored import WrongResult
from benchmarks.peers.work import MESSAGES, next_move

from actors.config import load_config
from actors.mechanism.moves import Draft
from actors.negotiation_events import MessageSavedEvent
from actors.system import NegotiationSystem


class StandIn:
    """Makes the moves of both sides."""

    def __init__(self, move_s: float) -> None:
        self._move_s = move_s

    async def next_move(self, view: Any) -> Draft:
        """The same as for everybody."""
        draft = await next_move(len(view.messages) + 1, self._move_s)
        return Draft(draft.move, draft.text, draft.terms or None)


def run(database: Path, negotiations: int, move_s: float) -> Taken:
    """Start as any program would, and wait for the last."""
    config = load_config().model_copy(update={"suppliers": suppliers(negotiations)})
    stand_in = StandIn(move_s)
    log_file = database.with_suffix(".jsonl")
    with NegotiationSystem.start(
        config, database=database, brand=stand_in, suppliers=stand_in, log_file=log_file
    ) as system:
        quote = system.create_quote(QUOTE)
        with measured() as taken:
            system.start_negotiations(quote.id)
            system.wait(quote.id)
    check_log(log_file, negotiations)
    return taken


def check_log(log_file: Path, negotiations: int) -> None:
    """Every message has a line in the log.

    Raises:
        WrongResult: Some have none.
    """
    event = f'"event":"{MessageSavedEvent.name}"'
    with log_file.open() as lines:
        logged = sum(event in line for line in lines)
    if logged != negotiations * MESSAGES:
        raise WrongResult(f"{logged} messages in the log, not {negotiations} x {MESSAGES}")


if __name__ == "__main__":
    report(run)
