"""Databases for an audit: conversations written past the rules, and rows changed by SQL."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from factories import (
    make_config,
    make_entry,
    make_intervention,
    make_negotiations,
    make_quote,
    make_supplier,
    make_terms,
)

from actors.audit import Findings, audit
from actors.mechanism.conversation import Conversation
from actors.mechanism.limits import limited
from storage.hashes import brief_hash, intervention_hash, message_hash, quote_hash, row_hash
from storage.interventions import Intervention, InterventionId
from storage.ledger import Ledger
from storage.records import Ending, Message, Move, NegotiationStatus, Origin, Reason, Sender
from storage.store import Store
from storage.terms.offered import Terms


class Casebook:
    """A quote with one or more suppliers, of which the first is talked to; nobody judges it."""

    def __init__(self, path: Path, suppliers: int = 1, **rules: Any) -> None:
        config = make_config([make_supplier(n) for n in range(1, suppliers + 1)], **rules)
        self.ledger = Ledger(path)
        self.quote = make_quote(config, notes="Delivery to Hall 4.")
        self.ledger.add_quote(self.quote)
        with self.ledger.connection(), self.ledger.transaction():
            drafts = make_negotiations(self.quote, config)
            self.quote, opened = self.ledger.open_negotiations(self.quote.id, drafts)
        self.id, self.others = opened[0].id, [one.id for one in opened[1:]]
        self.conversation = Conversation.opened(self.quote, opened[0])
        self.mandate = self.quote.mandate
        self.seq = 0
        self.asked = 0

    @contextmanager
    def writing(self) -> Iterator[Ledger]:
        with self.ledger.connection(), self.ledger.transaction():
            yield self.ledger

    def say(
        self,
        sender: str,
        move: str | None,
        *,
        content: str | None = None,
        terms: Terms | None = None,
        accepts_seq: int | None = None,
        origin: str = "tactics",
        ending: Ending | None = None,
        answers: tuple[InterventionId, ...] = (),
    ) -> Message:
        """Save the next message, whatever it is."""
        self.seq += 1
        entry = make_entry(
            self.conversation,
            Sender(sender),
            move and Move(move),  # type: ignore[arg-type]
            terms=terms,
            accepts_seq=accepts_seq,
            content=content or f"Message number {self.seq * 1000}.",
            seq=self.seq,
        ).model_copy(update={"origin": Origin(origin)})
        with self.writing() as ledger:
            saved = ledger.append(entry, ending).message
            ledger.settle_answered(answers, saved)
            if ending is not None:
                ledger.settle_ended(self.id, self.seq)
        return saved

    def offer(self, sender: str, price: str, days: int = 35, **more: Any) -> Message:
        return self.say(sender, "offer", terms=make_terms(price, days), **more)

    def take(self, sender: str, seq: int, price: str, **more: Any) -> Message:
        """Accept what was offered at that seq and price, or was not."""
        fields: dict[str, Any] = {"content": "We accept.", "accepts_seq": seq, **more}
        terms = make_terms(price)
        ending = Ending(status=NegotiationStatus.COMPLETED, reason=None, agreed_terms=terms)
        return self.say(sender, "accept", terms=terms, ending=ending, **fields)

    def walk(self, sender: str, reason: str = "walk_away", **more: Any) -> Message:
        return self.say(sender, "walk_away", ending=impasse(reason), **more)

    def end(self, reason: str) -> None:
        with self.writing() as ledger:
            ledger.end(self.id, impasse(reason))
            ledger.settle_ended(self.id, None)

    def receive(self, **content: Any) -> Intervention:
        """A person asks for something."""
        self.asked += 1
        one = make_intervention(self.id, self.asked, **content)
        self.ledger.add_interventions([one])
        return one

    def guide(self, *asked: Intervention) -> tuple[InterventionId, ...]:
        """Make user messages of what a person asked for."""
        for one in asked:
            self.mandate = limited(self.mandate, one.limits or {}, self.quote.request)
        with self.writing() as ledger:
            ledger.guide(self.id, self.seq + 1, asked, self.mandate)
        self.seq += len(asked)
        return tuple(one.id for one in asked)

    def audit(self) -> Findings:
        return audit(Store(self.ledger.path, read_only=True))

    def faults(self) -> list[str]:
        return [str(fault) for fault in self.audit().faults]

    def sql(self, *statements: str, rehash: bool = False) -> None:
        """Change rows as another hand would, and forge the hashes anew if told to."""
        change(self.ledger.path, *statements, rehash=rehash)


def impasse(reason: str) -> Ending:
    return Ending(status=NegotiationStatus.IMPASSE, reason=Reason(reason), agreed_terms=None)


def change(path: Path, *statements: str, rehash: bool = False) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            database.execute(statement)
        if rehash:
            _forge(database)


def _forge(database: sqlite3.Connection) -> None:
    """Compute every hash again, as somebody could who can write the file."""
    database.row_factory = sqlite3.Row
    quotes = {row["id"]: quote_hash(dict(row)) for row in database.execute("SELECT * FROM quotes")}
    for negotiation in map(dict, database.execute("SELECT * FROM negotiations").fetchall()):
        negotiation_id = negotiation["id"]
        last = brief_hash(quotes[negotiation["quote_id"]], negotiation)
        negotiation["brief_hash"] = last
        messages = "SELECT * FROM messages WHERE negotiation_id = ? ORDER BY seq"
        for message in database.execute(messages, (negotiation_id,)).fetchall():
            # bytes have no hash; what stands there shows before it matters
            plain = {k: repr(v) if isinstance(v, bytes) else v for k, v in dict(message).items()}
            last = message_hash(last, plain)
            database.execute("UPDATE messages SET hash = ? WHERE id = ?", (last, message["id"]))
        negotiation["last_hash"] = last
        database.execute(
            "UPDATE negotiations SET brief_hash = ?, last_hash = ?, row_hash = ? WHERE id = ?",
            (negotiation["brief_hash"], last, row_hash(negotiation), negotiation_id),
        )
    for row in database.execute("SELECT * FROM interventions WHERE status <> 'received'"):
        database.execute(
            "UPDATE interventions SET row_hash = ? WHERE id = ?",
            (intervention_hash(dict(row)), row["id"]),
        )


def with_another_byte(value: Any, dice: random.Random) -> bytes:
    """A stored value of which one byte has changed; a number as it is written."""
    written = bytearray(str(value).encode())
    place = dice.randrange(len(written))
    written[place] = dice.choice([byte for byte in range(256) if byte != written[place]])
    return bytes(written)
