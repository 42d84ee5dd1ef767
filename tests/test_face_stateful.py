"""Random sequences of calls to the face, by one caller and a second process, against a model.

The model knows what a call must answer, which errors it must raise, and what may then stand in the
database; it asks nobody but SQL. In the suite the same few examples run each time; to look longer,
at other ones each time: `python tests/test_face_stateful.py 2000`, with `PYTHONPATH=.`.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from factories import make_config, make_supplier, quote_fields
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from moody import Moody
from pictures import Picture, Row, faults_between, faults_in
from serving import until
from verified import faults

import actors.outside
from actors.errors import InterventionError, NothingToContinue, SystemStopped
from actors.events import Event
from actors.reception import receive
from actors.system import NegotiationSystem
from storage.errors import (
    NegotiationNotActive,
    QuoteEnded,
    QuoteNotPending,
    RowRefused,
    UnknownRecord,
)
from storage.interventions import Intervention, InterventionId
from storage.records import NegotiationId, QuoteId
from storage.store import Store

T = TypeVar("T")
Asked = tuple[Callable[[], object], type[Exception]]
EXAMPLES, STEPS = 32, 25
LOOK_S = 0.004
"""How often the engine looks for what the second process wrote; the test waits for it often."""
PATIENCE_S = 20.0
CONFIG = make_config(
    [make_supplier(1), make_supplier(2, floor="7.90"), make_supplier(3, floor="8.50")],
    max_rounds=5,
    retry_pause_s=0,
    draft_retries=1,
)
GUIDANCE: tuple[dict[str, Any], ...] = (
    {"text": "Push on lead time."},
    {"text": "Nothing beyond this.", "limits": {"unit_price": "7.50"}},
    {"limits": {"widget.unit_price": "1.00"}},
    {"limits": {"lead_time_days": 44, "unit_price": "8.80"}},
    {"limits": {"payment": ["30/70"]}},
    {"priorities": {"quality": 10, "cost": 70, "lead_time": 10, "payment_terms": 10}},
    {"text": "It is over.", "action": "walk_away"},
    {"action": "walk_away"},
)
WRONG_GUIDANCE: tuple[dict[str, Any], ...] = (
    {},
    {"text": "  "},
    {"text": "x" * 4001},
    {"limits": {}},
    {"limits": {"colour": "red"}},
    {"limits": {"unit_price": 6.4}},
    {"limits": {"unit_price": "-1"}},
    {"priorities": {"cost": 100}},
    {"priorities": {"quality": 1, "cost": 1, "lead_time": 1, "payment_terms": 1}},
    {"action": "sing"},
    {"action": "accept"},
    {"text": "Take it.", "accepts_seq": 2},
    {"action": "continue", "text": "Go on."},
)
ALL_IN = {"unit_price": "9.50", "lead_time_days": 60, "payment": ["net 30", "30/70", "33/33/33"]}
"""Limits that every offer of a supplier keeps."""
moods = st.none() | st.integers(0, 9)
"""Who speaks for a side: tactics, or somebody Moody."""
doors = st.sampled_from(["face", "face", "other"])
places = st.integers(0, 2)
ways = st.sampled_from([None, True, False, False])
"""Whether it goes on by itself; None leaves it to the quote."""


class Face(RuleBasedStateMachine):
    """One database, the engine on it, and a second process that only has the store."""

    quotes: Bundle[QuoteId] = Bundle("quotes")

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.database = Path(self.folder.name) / "parley.db"
        self.running = False
        self.may_be: dict[QuoteId, set[str]] = {}
        """The statuses that a quote may have."""
        self.still: dict[QuoteId, list[Row]] = {}
        """All that is on disk of those quotes that nothing moves."""
        self.left_over: dict[str, list[Row]] = {}
        """The negotiations that were going on when an engine stopped and that nobody took up."""
        self.accepted: set[str] = set()
        """The interventions that somebody has a receipt for."""
        self.turns: dict[str, int] = {}
        """How often the brand may have spoken in a negotiation that goes on by hand."""
        self.told_outside = False
        """Whether something was written that the face's `wait` need not know of."""
        self.ignored: set[tuple[QuoteId, str]] = set()
        """What this engine has said that it does not act on."""
        self.heard: dict[str, list[str]] = {}
        """The messages as the face told them last."""

    # One engine after the other

    @initialize(
        target=quotes,
        brand=moods,
        suppliers=moods,
        asked=st.integers(1, 3),
        rounds=st.sampled_from([None, 1, 2, 2]),
    )
    def begin(
        self, brand: int | None, suppliers: int | None, asked: int, rounds: int | None
    ) -> QuoteId:
        self._start_engine(brand, suppliers, recover=False)
        self.other = Store(self.database)
        self.last = self._look()
        return self._begin(asked, rounds)

    def _begin(self, asked: int, rounds: int | None) -> QuoteId:
        """A new quote that goes on by itself, or by hand and has gone on for some rounds."""
        quote = self._create(asked)
        self._start(quote, rounds is None, "face")
        for _ in range(rounds or 0):
            if self._come_to_rest(quote).active(quote):
                self._go_on(quote, None, "face", calm=True)
        return quote

    @precondition(lambda self: self.running)
    @rule(quote=quotes, amid=st.booleans())
    def stop(self, quote: QuoteId, amid: bool) -> None:
        if amid:
            self._go_on(quote, None, "face", calm=False)
        self.system.stop()
        self.running = False
        picture = self._look()
        for quote_id in self.may_be:
            self.still[quote_id] = picture.part(quote_id)
            for own_id in picture.active(quote_id):
                self.left_over[own_id] = _story(picture, own_id)

    @precondition(lambda self: not self.running)
    @rule(brand=moods, suppliers=moods, recover=st.sampled_from([False, False, True]))
    def start_again(self, brand: int | None, suppliers: int | None, recover: bool) -> None:
        picture = self._look()
        for row in picture.interventions.values():
            if row["status"] == "received":
                self._takes_up(picture, [row["negotiation_id"]])
        for quote_id, quote in picture.quotes.items():
            if quote["status"] == "cancelled" and picture.active(quote_id):
                self._takes_up(picture, picture.active(quote_id))
            if quote["status"] == "negotiating" and not picture.of_quote(quote_id):
                self._moves(QuoteId(quote_id))
        if recover:
            self._recovers(picture)
        self.told_outside = True
        self._start_engine(brand, suppliers, recover=recover)

    @precondition(lambda self: self.running)
    @rule()
    def recover(self) -> None:
        before = self._look()
        at_rest = len(self.still) == len(self.may_be)
        left = {quote_id for quote_id in self.may_be if before.active(quote_id)}
        # the other process may have started some that are adopted in this very moment
        adopted = {q for q in self.may_be if not before.of_quote(q)} if self.told_outside else set()
        self._recovers(before)

        recovered = self.system.recover()

        assert set(recovered) <= left | adopted
        assert set(recovered) == left or not at_rest

    # Quotes

    @precondition(lambda self: self.running)
    @rule(target=quotes, asked=st.integers(1, 3))
    def create(self, asked: int) -> QuoteId:
        return self._create(asked)

    @precondition(lambda self: self.running)
    @rule(target=quotes, asked=st.integers(1, 3), automatic=ways, door=doors)
    def create_and_start(self, asked: int, automatic: bool | None, door: str) -> QuoteId:
        quote = self._create(asked)
        self._start(quote, automatic, door)
        return quote

    @rule(quote=quotes, automatic=ways, door=doors)
    def start(self, quote: QuoteId, automatic: bool | None, door: str) -> None:
        self._start(quote, automatic, door)

    def _create(self, asked: int) -> QuoteId:
        suppliers = [f"supplier-{number + 1}" for number in range(asked)]
        quote = self.system.create_quote(quote_fields(suppliers=suppliers))
        assert quote.status == "pending"
        self.may_be[quote.id] = {"pending"}
        self.still[quote.id] = self._look().part(quote.id)
        return quote.id

    def _start(self, quote: QuoteId, automatic: bool | None, door: str) -> None:
        before = self._look()
        row, opened = before.quotes[quote], before.of_quote(quote)
        by_face = door == "face" and self.running
        started: Any = self._attempt(
            lambda: (
                self.system.start_negotiations(quote, automatic)
                if by_face
                else self.other.start_quote(quote, automatic=automatic)
            ),
            *[QuoteNotPending][: row["status"] != "pending"],
        )
        if started is None:
            return
        # whoever asks first adopts what the other process has started
        assert row["status"] == "pending" or (by_face and not opened)
        self._moves(quote)
        self.may_be[quote] = {"negotiating", "completed"}
        self.told_outside |= not by_face
        if by_face:
            assert [(n.status, n.message_count) for n in started] == [("active", 0)] * len(started)
            chosen = bool(row["automatic"]) if automatic is None else automatic
            assert {n.automatic for n in started} == {chosen}
            assert [n["id"] for n in self._look().of_quote(quote)] == [n.id for n in started]

    @rule(quote=quotes, door=st.sampled_from(["face", "store", "sql"]), calm=st.booleans())
    def cancel(self, quote: QuoteId, door: str, calm: bool) -> None:
        before = self._look_for(quote, calm=True) if calm else self._look()
        was, at_rest = before.quotes[quote]["status"], quote in self.still
        refusals = {"negotiating": [] if at_rest else [QuoteEnded], "pending": []}
        by_face = door == "face" and self.running
        self.told_outside |= not by_face
        ended = self._attempt(
            lambda: (
                self.system.cancel_quote(quote)
                if by_face
                else self._cancel_by_sql(quote)
                if door == "sql"
                else self.other.cancel_quote(quote)
            ),
            *refusals.get(was, [QuoteEnded]),
        )
        if ended is None:
            return
        assert was in ("pending", "negotiating")
        self._takes_up(before, before.active(quote))
        self._moves(quote)
        self.may_be[quote] = {"cancelled"}
        assert self._look().quotes[quote]["status"] == "cancelled"
        if calm and self.running:
            after = self._come_to_rest(quote)
            for own_id in before.active(quote) if at_rest else []:
                assert after.negotiations[own_id]["reason"] == "cancelled"
                assert after.said(own_id) == before.said(own_id)

    @rule(quote=quotes)
    def wait_and_read(self, quote: QuoteId) -> None:
        if self.running:
            self._come_to_rest(quote)
        self._read(quote)

    @precondition(lambda self: self.running)
    @rule(quote=quotes, status=st.sampled_from(["pending", "completed"]))
    def write_a_status_that_nobody_may(self, quote: QuoteId, status: str) -> None:
        before = self._come_to_rest(quote)
        row = before.quotes[quote]
        if row["status"] != "negotiating":
            return
        ignored: SimpleQueue[Event] = SimpleQueue()
        forget = self.system.subscribe(ignored.put)
        self._write_status(quote, status, ["negotiating"])
        # if it was written before, the engine need not have seen that it was gone meanwhile
        while (quote, status) not in self.ignored:
            if ignored.get(timeout=PATIENCE_S).name == "outside.ignored":
                self.ignored.add((quote, status))
        forget()
        refused = (QuoteNotPending, RowRefused)
        assert self._attempt(lambda: self.system.start_negotiations(quote), *refused) is None
        (meanwhile, *others), (_, *expected) = self._look().part(quote), before.part(quote)
        assert (meanwhile, others) == (row | {"status": status}, expected)
        assert self._write_status(quote, "negotiating", [status])

    # Stepping in

    @rule(quote=quotes, place=st.none() | places, door=doors, calm=st.booleans())
    def go_on(self, quote: QuoteId, place: int | None, door: str, calm: bool) -> None:
        self._go_on(quote, place, door, calm=calm)

    def _go_on(self, quote: QuoteId, place: int | None, door: str, *, calm: bool) -> None:
        before = self._look_for(quote, calm=calm)
        whom = self._addressee(before, quote, place)
        asked, at_rest = self._asked(before, whom), quote in self.still
        by_face = door == "face" and self.running
        over = InterventionError if place is None and not by_face else NegotiationNotActive
        nothing = NothingToContinue if place is None and by_face else over
        going: Any = self._attempt(
            lambda: (
                self.system.continue_negotiation(**whom)
                if by_face
                else receive(self.other, **whom, action="continue")[1]
            ),
            *self._refusals(asked, place, at_rest=at_rest, over=nothing),
            *[NothingToContinue][: by_face and not at_rest],
            *[NegotiationNotActive][: not at_rest],
        )
        if going is None:
            return
        if not by_face:
            self._accepts(before, quote, asked, going, by_face=False)
            going = [one.negotiation_id for one in going]
        else:
            self._takes_up(before, going)
        assert going
        assert going == [n for n in asked if n in going]
        assert going == asked or not at_rest
        if calm and self.running:
            after = self._come_to_rest(quote)
            for own_id in going:
                spoke = len(after.said(own_id)) > len(before.said(own_id))
                assert spoke or after.negotiations[own_id]["status"] != "active" or (
                    after.is_parked(own_id)
                )  # fmt: skip
                assert not (after.answered(before, own_id) and after.is_parked(own_id))
                rows = after.asked(own_id)[len(before.asked(own_id)) :]
                assert [row["status"] for row in rows] == ["applied"][: len(rows)]

    @rule(
        quote=quotes,
        place=st.none() | places,
        guidance=st.sampled_from(GUIDANCE),
        door=doors,
        calm=st.booleans(),
    )
    def guide(
        self, quote: QuoteId, place: int | None, guidance: Row, door: str, calm: bool
    ) -> None:
        quote = self._under_way(quote) if calm else quote
        before = self._look_for(quote, calm=calm)
        received = self._step_in(before, quote, place, guidance, door)
        if not (received and calm and self.running):
            return
        after = self._come_to_rest(quote)
        for own_id, row in received.items():
            now = after.interventions[row.id]
            negotiation = after.negotiations[own_id]
            if guidance.get("action") == "walk_away":
                assert (negotiation["status"], negotiation["reason"]) == ("impasse", "user_ended")
                assert after.said(own_id)[-1]["origin"] == "person"
            assert now["status"] == "applied" or after.is_parked(own_id)
            if now["status"] == "applied":
                assert now["applied_seq"] == now["message_seq"] + 1
            assert not (after.answered(before, own_id) and after.is_parked(own_id))
            # parked without having said it would lose it
            assert after.said(own_id)[now["message_seq"] - 1]["sender"] == "user"

    @rule(
        quote=quotes,
        place=places,
        which=st.sampled_from(["standing", "standing", "older", "own", "none"]),
        limits=st.none() | st.just(ALL_IN),
        door=doors,
        calm=st.booleans(),
    )
    def accept(
        self, quote: QuoteId, place: int, which: str, limits: Row | None, door: str, calm: bool
    ) -> None:
        quote = self._under_way(quote) if calm else quote
        before = self._look_for(quote, calm=calm)
        own_id = self._addressee(before, quote, place).get("negotiation_id", "")
        offer = before.standing_offer(own_id)
        seqs = {
            "standing": [offer["seq"]] if offer else [],
            "older": [m["seq"] for m in before.said(own_id, "supplier")[:-1]],
            "own": [m["seq"] for m in before.said(own_id, "brand")],
        }
        seq = next(iter(seqs.get(which, [])), 10_000)
        guidance = {"action": "accept", "accepts_seq": seq}
        if limits is not None:
            guidance["limits"] = limits
        received = self._step_in(before, quote, place, guidance, door)
        if not (received and calm and self.running):
            return
        after = self._come_to_rest(quote)
        row, now = after.interventions[received[own_id].id], after.negotiations[own_id]
        stands = offer is not None and seq == offer["seq"]
        if offer and stands and (limits or before.suits_the_brand(own_id, offer)):
            assert (row["status"], now["status"]) == ("applied", "completed")
            assert now["agreed_terms"] == offer["terms"]
            assert after.said(own_id)[-1]["origin"] == "person"
        else:
            assert (row["status"], row["message_seq"]) == ("refused", None)
            assert row["reason"]

    def _step_in(
        self, before: Picture, quote: QuoteId, place: int | None, guidance: Row, door: str
    ) -> dict[str, Intervention]:
        """Guide by a door, and check what that must answer; the receipts by negotiation."""
        whom = self._addressee(before, quote, place)
        asked, at_rest = self._asked(before, whom), quote in self.still
        over = NegotiationNotActive if place is not None else InterventionError
        door = door if self.running else "other"
        received = self._attempt(
            lambda: self._say(door, whom, guidance),
            *self._refusals(asked, place, at_rest=at_rest, over=over),
            *[NegotiationNotActive][: not at_rest],
        )
        if received is None:
            return {}
        self._accepts(before, quote, asked, received, by_face=door == "face")
        return {one.negotiation_id: one for one in received}

    def _say(self, door: str, whom: Row, guidance: Row) -> list[Intervention]:
        if door == "other":
            return receive(self.other, **whom, **guidance)[1]
        received = self.system.add_user_intervention(**whom, **guidance)
        assert isinstance(received, list) is ("quote_id" in whom)
        return received if isinstance(received, list) else [received]

    # What makes no sense

    @rule(quote=quotes, number=st.integers(0, 28), door=doors)
    def ask_for_nonsense(self, quote: QuoteId, number: int, door: str) -> None:
        asked = self._nonsense(quote, door if self.running else "other")
        if not self.running:
            asked += self._too_late(quote)
        call, error = asked[number % len(asked)]
        assert self._attempt(call, error) is None

    def _nonsense(self, quote: QuoteId, door: str) -> list[Asked]:
        """What can't be asked, and the error that must say so."""
        none, own, row = QuoteId("q-0"), NegotiationId("n-0"), InterventionId("i-0")
        system, whom = self.system, self._addressee(self._look(), quote, 0)
        wrong = UnknownRecord if whom == {"negotiation_id": own} else InterventionError
        asked: list[Asked] = [
            (lambda: system.quote(none), UnknownRecord),
            (lambda: system.negotiations(none), UnknownRecord),
            (lambda: system.negotiation(own), UnknownRecord),
            (lambda: system.messages(own), UnknownRecord),
            (lambda: system.interventions(own), UnknownRecord),
            (lambda: system.intervention(row), UnknownRecord),
            *((partial(self._say, door, whom, guidance), wrong) for guidance in WRONG_GUIDANCE),
        ]
        if self.running:
            asked += [
                (lambda: system.start_negotiations(none), UnknownRecord),
                (lambda: system.wait(none, PATIENCE_S), UnknownRecord),
                (lambda: system.cancel_quote(none), UnknownRecord),
                (lambda: system.continue_negotiation(quote_id=none), UnknownRecord),
                (lambda: system.continue_negotiation(negotiation_id=own), UnknownRecord),
                (lambda: system.add_user_intervention("Hello.", quote_id=none), UnknownRecord),
                (lambda: system.add_user_intervention("Hello.", negotiation_id=own), UnknownRecord),
                (system.continue_negotiation, InterventionError),
                (lambda: system.add_user_intervention("Hello."), InterventionError),
            ]
        return asked

    def _too_late(self, quote: QuoteId) -> list[Asked]:
        """What one that was stopped can't do, and what it then raises."""
        system, active = self.system, self._look().active(quote)
        return [
            (lambda: system.start_negotiations(quote), SystemStopped),
            (lambda: system.wait(quote, PATIENCE_S), SystemStopped),
            (lambda: system.cancel_quote(quote), SystemStopped),
            (lambda: system.add_user_intervention("Hello.", quote_id=quote), SystemStopped),
            (system.recover, SystemStopped),
            (
                lambda: system.continue_negotiation(quote_id=quote),
                SystemStopped if active else NothingToContinue,
            ),
        ]

    # What must hold after each of them

    @invariant()
    def nothing_impossible_has_happened(self) -> None:
        if not hasattr(self, "last"):
            return
        now = self._look()
        assert list(faults_between(self.last, now)) == []
        assert list(faults_in(now)) == []
        assert list(now.quotes) == list(self.may_be)
        for quote_id, may_be in self.may_be.items():
            assert now.quotes[quote_id]["status"] in may_be
        for quote_id, part in self.still.items():
            assert now.part(quote_id) == part, "it moved by itself"
        for own_id, story in self.left_over.items():
            assert _story(now, own_id) == story, "it was taken up by itself"
        assert set(now.interventions) == self.accepted
        for own_id, row in now.negotiations.items():
            if not row["automatic"]:
                assert len(now.said(own_id, "brand")) <= self.turns.get(own_id, 1)
        self.last = now

    def teardown(self) -> None:
        """Let it come to its end, and have an independent look at what it left."""
        try:
            if sys.exception() is None and hasattr(self, "last"):
                if not self.running:
                    self.start_again(None, None, recover=True)
                for quote_id in self.may_be:
                    self._come_to_rest(quote_id)
                self.nothing_impossible_has_happened()
                assert faults(self.database) == []
        finally:
            self.system.stop()
            self.folder.cleanup()

    # How

    def _look(self) -> Picture:
        return Picture.of(self.database)

    def _look_for(self, quote: QuoteId, *, calm: bool) -> Picture:
        """As soon as there is somebody to address, or nothing of the quote moves any more."""
        if calm and self.running:
            return self._come_to_rest(quote)
        if self.running:
            until(lambda: "negotiating" not in self.may_be[quote] or self._look().of_quote(quote))
        return self._look()

    def _under_way(self, quote: QuoteId) -> QuoteId:
        """The quote, or where it is over another one, so that there is somebody to address."""
        if not self.running or self._come_to_rest(quote).active(quote):
            return quote
        return self._begin(1, 2)

    def _start_engine(self, brand: int | None, suppliers: int | None, *, recover: bool) -> None:
        self.system = NegotiationSystem.start(
            CONFIG,
            database=self.database,
            brand=None if brand is None else Moody(brand),
            suppliers=None if suppliers is None else Moody(suppliers + 100),
            recover=recover,
        )
        self.running = True
        self.ignored.clear()

    def _attempt(self, call: Callable[[], T], *refusals: type[Exception]) -> T | None:
        """What the call answers; None if it raises one of these, and then it changed nothing."""
        before = self._look()
        try:
            return call()
        except refusals:
            after = self._look()
            assert list(after.quotes) == list(before.quotes)
            assert list(after.interventions) == list(before.interventions)
            assert self.told_outside or list(after.negotiations) == list(before.negotiations)
            return None  # of quotes that stand still the invariant sees every change

    def _addressee(self, picture: Picture, quote: QuoteId, place: int | None) -> Row:
        if place is None:
            return {"quote_id": quote}
        own = picture.of_quote(quote)
        return {"negotiation_id": own[place % len(own)]["id"] if own else "n-0"}

    def _asked(self, picture: Picture, whom: Row) -> list[str]:
        """The active negotiations that are meant."""
        if "quote_id" in whom:
            return picture.active(whom["quote_id"])
        own_id = whom["negotiation_id"]
        found = picture.negotiations.get(own_id)
        return [own_id] if found and found["status"] == "active" else []

    def _refusals(
        self, asked: list[str], place: int | None, *, at_rest: bool, over: type[Exception]
    ) -> Iterable[type[Exception]]:
        """The errors that a person may meet who asks these active negotiations for something."""
        if not asked and place is not None:
            return [over, UnknownRecord]
        return [over] if not (asked and at_rest) else []

    def _moves(self, quote: QuoteId) -> None:
        self.still.pop(quote, None)

    def _takes_up(self, picture: Picture, negotiations: Iterable[str]) -> None:
        """From here on they may move, and where it goes by hand the brand may speak once more."""
        for own_id in negotiations:
            self._moves(QuoteId(picture.negotiations[own_id]["quote_id"]))
            self.left_over.pop(own_id, None)
            self.turns[own_id] = self.turns.get(own_id, 1) + 1

    def _recovers(self, picture: Picture) -> None:
        for quote_id in self.may_be:
            self._takes_up(picture, picture.active(quote_id))

    def _accepts(
        self,
        before: Picture,
        quote: QuoteId,
        asked: list[str],
        received: list[Intervention],
        *,
        by_face: bool,
    ) -> None:
        """There is a receipt: it is on disk, and somebody owes an answer."""
        whom = [one.negotiation_id for one in received]
        assert whom == [own_id for own_id in asked if own_id in whom]
        assert whom == asked or quote not in self.still
        assert {one.status for one in received} == {"received"}
        self.accepted |= {one.id for one in received}
        self._takes_up(before, whom)
        self.told_outside |= not by_face

    def _cancel_by_sql(self, quote: QuoteId) -> bool:
        if not self._write_status(quote, "cancelled", ["pending", "negotiating"]):
            raise QuoteEnded(quote, "over")
        return True

    def _write_status(self, quote: QuoteId, status: str, instead_of: list[str]) -> bool:
        """As another program does, by plain SQL; whether it was one of these."""
        with closing(sqlite3.connect(self.database, timeout=PATIENCE_S)) as database, database:
            found = database.execute(
                "UPDATE quotes SET status = ? "
                "WHERE id = ? AND status IN (SELECT value FROM json_each(?))",
                (status, quote, json.dumps(instead_of)),
            )
            return found.rowcount == 1

    def _read(self, quote: QuoteId) -> None:
        system, before = self.system, self._look()
        assert [each.id for each in system.quotes()] == list(self.may_be)
        assert system.quote(quote).status in self.may_be[quote]
        told = system.negotiations(quote)
        assert [n.supplier_id for n in told] == list(system.quote(quote).suppliers)[: len(told)]
        for negotiation in told:
            messages = [one.model_dump_json() for one in system.messages(negotiation.id)]
            heard = self.heard.get(negotiation.id, [])
            assert messages[: len(heard)] == heard
            assert len(messages) >= len(before.said(negotiation.id))
            self.heard[negotiation.id] = messages
            for one in system.interventions(negotiation.id):
                assert system.intervention(one.id).text == one.text

    def _come_to_rest(self, quote: QuoteId) -> Picture:
        """Wait, and check that what then stands is at rest."""
        if self.told_outside:
            until(lambda: not list(self._look().unsettled()))
            self.told_outside = False
        told = self.system.wait(quote, PATIENCE_S)

        now = self._look()
        own = [(n["id"], n["status"], n["message_count"]) for n in now.of_quote(quote)]
        assert [(n.id, n.status, n.message_count) for n in told] == own
        mine = {row["id"] for row in now.part(quote)}
        assert mine.isdisjoint(now.unsettled()), "not all was handled"
        for own_id in now.active(quote):
            rests = now.is_parked(own_id) or now.waits(own_id)
            assert rests or own_id in self.left_over, "it returned too early"
        self.still[quote] = now.part(quote)
        return now


def _story(picture: Picture, own_id: str) -> list[Row]:
    return [picture.negotiations[own_id], *picture.said(own_id)]


def play(examples: int, steps: int, *, derandomize: bool) -> None:
    run_state_machine_as_test(
        Face,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=derandomize,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_whatever_is_called_only_what_may_happen_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors.outside, "LOOK_S", LOOK_S)

    play(EXAMPLES, STEPS, derandomize=True)


if __name__ == "__main__":
    actors.outside.LOOK_S = LOOK_S
    play(int(sys.argv[1]), 2 * STEPS, derandomize=False)
