"""Handles as a person or a program holds them: what they show, and what they do. All is real."""

from __future__ import annotations

import asyncio
import inspect
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from factories import make_config, make_supplier, quote_fields
from rich.console import Console

from actors.errors import (
    InterventionError,
    NothingToContinue,
    NotThere,
    OfferUnseen,
    SystemHalted,
    SystemStopped,
)
from actors.handles.negotiation import NegotiationHandle
from actors.handles.quotes import QuoteHandle, Quotes
from actors.handles.receipts import Receipt
from actors.handles.sheet import MOST_ROWS
from actors.mechanism.moves import Draft
from actors.mechanism.views import View
from actors.negotiators.tactics import Tactics
from actors.system import NegotiationSystem
from storage.errors import NegotiationNotActive, QuoteEnded, QuoteNotPending, UnknownRecord
from storage.records import QuoteStatus

PATIENCE_S = 20.0
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\x9b1A"


class Hesitant:
    """Tactics that never come to an answer to the first message that they hear."""

    def __init__(self) -> None:
        self.hesitating = threading.Event()
        self._tactics = Tactics()

    async def next_move(self, view: View) -> Draft:
        if view.messages:
            self.hesitating.set()
            await asyncio.Event().wait()
        return await self._tactics.next_move(view)


class Broken:
    """Never makes a move."""

    async def next_move(self, view: View) -> Draft:
        raise ValueError(f"no move{HOSTILE}")


def starting(folder: Path, asked: int = 2, **options: Any) -> NegotiationSystem:
    config = make_config([make_supplier(number) for number in range(1, asked + 1)])
    return NegotiationSystem.start(config, database=folder / "parley.db", **options)


def lose(folder: Path) -> None:
    for file in folder.glob("parley.db*"):
        file.unlink()


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def system(tmp_path: Path) -> Iterator[NegotiationSystem]:
    with starting(tmp_path) as system:
        yield system


@pytest.fixture
def q(system: NegotiationSystem) -> QuoteHandle:
    """A quote by hand of which every opening message and its answer is on disk."""
    q = Quotes(system).new(quote_fields())
    q.start(automatic=False)
    q.wait(PATIENCE_S)
    q.continue_()
    q.wait(PATIENCE_S)
    return q


def rows(shown: str) -> dict[str, str]:
    """What a table says of each supplier, its lines joined."""
    parts = re.split(r"^(Supplier \d+) ", shown, flags=re.MULTILINE)[1:]
    return {parts[i]: " ".join(parts[i + 1].split()) for i in range(0, len(parts), 2)}


# What is shown


def test_a_quote_shows_what_stands_on_both_sides_the_gap_the_rounds_and_who_is_next(
    q: QuoteHandle,
) -> None:
    first, _ = q.status().positions
    assert first.brand is not None
    assert first.supplier is not None

    shown = repr(q)

    assert shown.startswith(f"{q.id} negotiating, totals in USD\n")
    assert rows(shown)["Supplier 1"] == (
        f"{first.brand.total:,f} {first.supplier.total:,f} {first.gap:,f} 1 active "
        f"{first.brand.terms['lead_time_days']} days {first.supplier.terms['lead_time_days']} days "
        f"{first.gap_percent:.1f} % you: continue_() "
        f"{first.brand.terms['payment']} {first.supplier.terms['payment']}"
    )
    assert (first.brand.seq, first.supplier.seq) == (3, 2)
    assert first.gap == first.supplier.total - first.brand.total
    assert first.gap_percent == 100 * first.gap / first.brand.total
    assert max(map(len, shown.splitlines())) <= 80
    assert repr(q.status()) == shown == str(q)


def test_a_pending_quote_says_how_to_start_it(system: NegotiationSystem) -> None:
    q = Quotes(system).new(quote_fields())

    assert repr(q) == (f"{q.id} pending, totals in USD\nq.start() asks Supplier 1, Supplier 2")
    with pytest.raises(NotThere, match=r"no negotiations yet: q\.start\(\)"):
        q["Supplier 1"]


def test_who_is_next_is_whoever_drafts(tmp_path: Path) -> None:
    supplier = Hesitant()
    with starting(tmp_path, suppliers=supplier) as system:
        q = Quotes(system).new(quote_fields())
        q.start(automatic=False)
        q.wait(PATIENCE_S)
        assert [one.next_up for one in q.status().positions] == ["you: continue_()"] * 2

        q["Supplier 1"].continue_()
        assert supplier.hesitating.wait(PATIENCE_S)

        assert [one.next_up for one in q.status().positions] == [
            "supplier is next",
            "you: continue_()",
        ]


def test_guidance_that_is_not_answered_yet_is_counted(tmp_path: Path) -> None:
    supplier = Hesitant()
    with starting(tmp_path, suppliers=supplier) as system:
        q = Quotes(system).new(quote_fields())
        q.start()
        assert supplier.hesitating.wait(PATIENCE_S)

        q["Supplier 2"].say("Plain text waits for the supplier's answer.")

        shown = rows(repr(q))
        assert "unanswered: 1" in shown["Supplier 2"]
        assert "unanswered" not in shown["Supplier 1"]


def test_what_is_parked_shows_why_and_is_for_the_person_to_continue(tmp_path: Path) -> None:
    with starting(tmp_path, asked=1, suppliers=Broken()) as system:
        q = Quotes(system).new(quote_fields())
        q.start()

        shown = repr(q.wait(PATIENCE_S))

        assert "parked" in shown
        assert "you: continue_()" in shown
        assert "parked (the supplier's" in repr(q["Supplier 1"])
        assert [one.status for one in q.continue_().positions] != []


def test_what_is_left_over_waits_for_the_person(tmp_path: Path) -> None:
    supplier = Hesitant()
    with starting(tmp_path, suppliers=supplier) as system:
        quote_id = Quotes(system).new(quote_fields()).id
        system.start_negotiations(quote_id)
        assert supplier.hesitating.wait(PATIENCE_S)

    with starting(tmp_path, suppliers=Tactics()) as system:
        quotes = Quotes(system)
        q = quotes[-1]
        assert [one.next_up for one in q.status().positions] == ["you: continue_()"] * 2

        q["Supplier 1"].continue_()
        q.wait(PATIENCE_S)
        assert [one.status for one in q.status().positions] == ["completed", "active"]

        quotes.recover()
        q.wait(PATIENCE_S)
        assert [one.status for one in q.status().positions] == ["completed", "completed"]


def test_an_agreement_is_shown_with_its_terms(system: NegotiationSystem) -> None:
    q = Quotes(system).new(quote_fields())
    q.start()

    shown = rows(repr(q.wait(PATIENCE_S)))

    for one in system.negotiations(q.id):
        assert one.agreed_terms is not None
        total = q.record.request.total(one.agreed_terms)
        assert shown[one.supplier.name].startswith(f"{total:,f} {total:,f} 0.00 ")
        assert "completed" in shown[one.supplier.name]
        assert "next" not in shown[one.supplier.name]


def test_one_negotiation_shows_all_its_terms_and_what_became_of_guidance(q: QuoteHandle) -> None:
    (receipt,) = q["Supplier 2"].say(limits={"unit_price": "7.00"})
    q.wait(PATIENCE_S)

    shown = repr(q["Supplier 2"])

    first, *_ = shown.splitlines()
    assert re.fullmatch(r"Supplier 2 \(n-\w+\): active, rounds: 1, you: continue_\(\)", first)
    assert re.search(r"^brand offer 5 +USD \d+\.\d\d: widget .*$", shown, re.MULTILINE)
    assert re.search(r"^supplier offer 2 +USD .*$", shown, re.MULTILINE)
    assert re.search(r"^gap +USD [\d.]+ = [\d.]+ %$", shown, re.MULTILINE)
    assert f"{receipt.id} message 4: applied, message 5 follows" in shown


def test_a_transcript_shows_every_message(q: QuoteHandle, system: NegotiationSystem) -> None:
    shown = repr(q["Supplier 1"].transcript()).split()

    for message in system.messages(q["Supplier 1"].id):
        assert " ".join(message.content.split()) in " ".join(shown)


def test_no_private_limit_is_shown(system: NegotiationSystem) -> None:
    secret = {"target": "5.17", "limit": "7.93"}
    fields = quote_fields()
    fields["mandate"]["unit_price"] = secret
    q = Quotes(system).new(fields)
    q.start()
    receipts = q.say("Be quick.", limits={"unit_price": "7.91"})
    q.wait(PATIENCE_S)

    shown = [repr(each) for each in (q, *q, receipts, Quotes(system), q.status())]

    private = ["5.17", "7.93", "7.91"]
    offered = {
        str(price)
        for one in system.negotiations(q.id)
        for message in system.messages(one.id)
        if message.terms is not None
        for price in message.terms.unit_prices.values()
    }
    assert not [s for s in private if s not in offered and s in "".join(shown)]
    assert "Be quick" not in "".join(shown)


def test_hostile_text_is_shown_inert(tmp_path: Path) -> None:
    fields = make_supplier(9).model_dump(mode="json") | {"name": HOSTILE}
    with starting(tmp_path, suppliers=Broken()) as system:
        quotes = Quotes(system)
        q = quotes.new(quote_fields(suppliers=["supplier-9"], supplier=[fields], notes=HOSTILE))
        pending = repr(q)
        q.start()
        q.wait(PATIENCE_S)
        with pytest.raises(NotThere) as mistake:
            q[HOSTILE * 2]
        shown = [repr(each) for each in (q, *q, quotes, q["supplier-9"].transcript())]

        for text in (*shown, pending, str(mistake.value)):
            assert not {"\x1b", "\x07", "\u202e", "\x9b"} & {*text}
        assert "\\x1b]0;owned" in pending


def test_a_table_is_plain_text_wherever_it_is_printed(
    q: QuoteHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")

    assert "\x1b" not in repr(q)


def test_rich_shows_it_in_colour_where_there_is_colour(q: QuoteHandle) -> None:
    terminal = Console(file=StringIO(), force_terminal=True, color_system="standard", width=80)

    terminal.print(q.status())

    assert "\x1b[36mactive" in terminal.file.getvalue()  # type: ignore[attr-defined]


def test_only_so_many_rows_are_read_and_the_rest_is_counted(tmp_path: Path) -> None:
    with starting(tmp_path, asked=MOST_ROWS + 2) as system:
        q = Quotes(system).new(quote_fields())
        q.start(automatic=False)

        shown = q.status()

        assert len(shown.positions) == MOST_ROWS
        last = system.negotiations(q.id)[-1]
        assert f'the first {MOST_ROWS}; 2 more, such as q["{last.id}"]' in repr(shown)


def test_a_negotiation_that_is_damaged_hides_no_other(q: QuoteHandle, tmp_path: Path) -> None:
    damaged = q["Supplier 1"].id
    with closing(sqlite3.connect(tmp_path / "parley.db")) as database, database:
        database.execute("UPDATE messages SET terms = '{' WHERE negotiation_id = ?", [damaged])

    shown = repr(q)

    assert "Supplier 1: message" in shown
    assert "can't be read" in shown
    assert "Supplier 2" in rows(shown)


def test_a_look_never_raises(q: QuoteHandle, system: NegotiationSystem, tmp_path: Path) -> None:
    one, quotes = q["Supplier 1"], Quotes(system)
    (receipt,) = one.say("Soon, please.")
    system.stop()
    assert repr(q).startswith(f"{q.id} negotiating, totals in USD; the system was stopped\n")

    lose(tmp_path)

    for each, name in ((q, q.id), (one, one.id), (receipt, receipt.id), (quotes, "quotes")):
        assert re.fullmatch(rf"<{name}: \w+: .+>", repr(each))


def test_a_look_does_not_wait_for_who_holds_the_loop(tmp_path: Path) -> None:
    holding, released = threading.Event(), threading.Event()

    class Holder:
        async def next_move(self, view: View) -> Draft:
            holding.set()
            released.wait(PATIENCE_S)
            return await Tactics().next_move(view)

    with starting(tmp_path, asked=1, brand=Holder()) as system:
        q = Quotes(system).new(quote_fields())
        q.start()
        assert holding.wait(PATIENCE_S)
        try:
            shown = repr(q)
        finally:
            released.set()

        assert "brand is next" in shown
        assert "totals in USD; the system did not answer within 1 s" in " ".join(shown.split())


# What is found


def test_a_negotiation_is_found_by_name_by_suppliers_id_and_by_its_own(
    q: QuoteHandle, system: NegotiationSystem
) -> None:
    second = system.negotiations(q.id)[1]

    assert {q[key].id for key in ("Supplier 2", "supplier-2", second.id)} == {second.id}
    assert [one.id for one in q] == [one.id for one in system.negotiations(q.id)]
    assert len(q) == 2
    assert q._ipython_key_completions_() == ["Supplier 1", "Supplier 2"]
    assert q["Supplier 2"].record == second


def test_a_name_that_nobody_has_or_several_have_is_answered_with_those_there_are(
    tmp_path: Path,
) -> None:
    twins = [make_supplier(n).model_copy(update={"name": "Twin"}) for n in (1, 2)]
    config = make_config([*twins, make_supplier(3)])
    with NegotiationSystem.start(config, database=tmp_path / "parley.db") as system:
        q = Quotes(system).new(quote_fields())
        q.start(automatic=False)

        with pytest.raises(NotThere, match="no supplier is called 'Nobody': say Twin, Twin, Supp"):
            q["Nobody"]
        with pytest.raises(NotThere, match=r"several .* 'Twin': say supplier-1, supplier-2$"):
            q["Twin"]


def test_quotes_are_found_by_id_and_by_place_and_listed(system: NegotiationSystem) -> None:
    quotes = Quotes(system)
    with pytest.raises(NotThere, match="there is no quote -1: there are 0"):
        quotes[-1]
    older, newer = quotes.new(quote_fields()), quotes.new(quote_fields())

    assert (quotes[0].id, quotes[-1].id) == (older.id, newer.id)
    assert quotes[older.id].record == older.record
    assert [each.id for each in quotes] == [older.id, newer.id]
    assert quotes._ipython_key_completions_() == [older.id, newer.id]
    assert len(quotes) == 2
    assert re.findall(r"(q-\w+) +│ (\w+)", repr(quotes)) == [
        (older.id, "pending"),
        (newer.id, "pending"),
    ]
    with pytest.raises(UnknownRecord):
        quotes["q-0"]


# What is done


def test_guidance_goes_to_one_negotiation_or_to_all_and_its_receipts_are_live(
    q: QuoteHandle, system: NegotiationSystem
) -> None:
    (one,) = q["Supplier 1"].say("Sooner.", limits={"lead_time_days": 34})
    both = q.say(priorities={"quality": 5, "cost": 10, "lead_time": 80, "payment_terms": 5})
    q.wait(PATIENCE_S)

    assert len(both) == 2
    assert one.record.limits == {"lead_time_days": 34}
    assert re.fullmatch(r"i-\w+ message \d: applied, message \d follows.*", repr(one))
    assert repr(both) == "\n".join(map(repr, both))


def test_a_receipt_tells_what_became_of_it_since(tmp_path: Path) -> None:
    supplier = Hesitant()
    with starting(tmp_path, asked=1, suppliers=supplier) as system:
        q = Quotes(system).new(quote_fields())
        q.start(automatic=False)
        q.wait(PATIENCE_S)
        q.continue_()
        assert supplier.hesitating.wait(PATIENCE_S)
        (receipt,) = q["Supplier 1"].say("Whenever you like.")
        assert repr(receipt) == f"{receipt.id}: received"

        q["Supplier 1"].walk_away()
        q.wait(PATIENCE_S)

        assert repr(receipt).startswith(f"{receipt.id} message 2: applied, message 4 follows")


def test_mistakes_are_refused_and_nothing_is_saved(q: QuoteHandle) -> None:
    with pytest.raises(InterventionError):
        q["Supplier 1"].say("")
    with pytest.raises(InterventionError):
        q.say(limits={"unit_prize": "6.40"})
    with pytest.raises(QuoteNotPending):
        q.start()
    assert "i-" not in repr(q["Supplier 1"])


def test_the_offer_that_was_shown_is_accepted(q: QuoteHandle, system: NegotiationSystem) -> None:
    repr(q)

    (receipt,) = q["Supplier 2"].accept("It will do.", limits={"unit_price": "9.00"})
    q.wait(PATIENCE_S)

    last = system.messages(q["Supplier 2"].id)[-1]
    assert receipt.record.applied_seq == last.seq
    assert (last.move, last.accepts_seq, last.origin) == ("accept", 2, "person")
    assert "completed" in rows(repr(q))["Supplier 2"]
    with pytest.raises(NegotiationNotActive):
        q["Supplier 2"].accept()


@pytest.mark.parametrize(
    "look",
    [
        repr,
        lambda q: str(q.status()),
        lambda q: repr(q["Supplier 1"]),
        lambda q: print(q["Supplier 1"].transcript()),
        lambda q: Console(file=StringIO()).print(q.status()),
    ],
    ids=["quote", "status", "negotiation", "transcript", "rich"],
)
def test_an_offer_can_be_accepted_once_it_was_shown_in_any_way(q: QuoteHandle, look: Any) -> None:
    with pytest.raises(OfferUnseen, match="no offer of Supplier 1 was shown yet: look at it"):
        q["Supplier 1"].accept()
    q.status()  # nobody has seen that

    with pytest.raises(OfferUnseen):
        q["Supplier 1"].accept()
    look(q)

    (receipt,) = q["Supplier 1"].accept()
    assert receipt.record.accepts_seq == 2


def test_what_was_shown_of_one_negotiation_is_not_shown_of_another(q: QuoteHandle) -> None:
    repr(q["Supplier 1"])

    with pytest.raises(OfferUnseen):
        q["Supplier 2"].accept()


def test_an_offer_that_came_since_is_not_accepted_unseen(
    q: QuoteHandle, system: NegotiationSystem
) -> None:
    repr(q)
    q.continue_()
    q.wait(PATIENCE_S)  # which nobody prints

    with pytest.raises(OfferUnseen, match="offer 4 of Supplier 1 stands by now, and you saw 2"):
        q["Supplier 1"].accept()
    assert system.interventions(q["Supplier 1"].id) == []

    print(q)
    assert q["Supplier 1"].accept()[0].record.accepts_seq == 4


def test_where_there_is_no_offer_none_is_accepted(system: NegotiationSystem) -> None:
    q = Quotes(system).new(quote_fields())
    q.start(automatic=False)
    q.wait(PATIENCE_S)
    repr(q)

    with pytest.raises(OfferUnseen, match="Supplier 1 has made no offer yet"):
        q["Supplier 1"].accept()


def test_walking_away_ends_one_and_cancelling_ends_all(q: QuoteHandle) -> None:
    q["Supplier 1"].walk_away("Too dear.")
    q.wait(PATIENCE_S)
    assert "impasse" in rows(repr(q))["Supplier 1"]
    with pytest.raises(NegotiationNotActive):
        q["Supplier 1"].walk_away()

    q.cancel()
    q.wait(PATIENCE_S)

    assert q.record.status is QuoteStatus.CANCELLED
    assert "cancelled" in rows(repr(q))["Supplier 2"]
    with pytest.raises(QuoteEnded):
        q.cancel()


def test_what_waits_is_continued_and_what_moves_is_not(tmp_path: Path) -> None:
    supplier = Hesitant()
    with starting(tmp_path, suppliers=supplier) as system:
        q = Quotes(system).new(quote_fields())
        q.start(automatic=False)
        q.wait(PATIENCE_S)

        shown = q["Supplier 1"].continue_()

        assert [one.next_up for one in shown.positions] == ["supplier is next"]
        with pytest.raises(NothingToContinue):
            q["Supplier 1"].continue_()
        assert {one.next_up for one in q.continue_().positions} == {"supplier is next"}


def test_a_wait_that_is_too_short_says_so(tmp_path: Path) -> None:
    with starting(tmp_path, suppliers=Hesitant()) as system:
        q = Quotes(system).new(quote_fields())
        q.start()

        with pytest.raises(TimeoutError, match=r"something still moved after 0\.01 s"):
            q.wait(0.01)


def test_a_report_is_written_and_its_place_is_told(
    q: QuoteHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert q.report() == Path(f"report-{q.id}.html")
    assert q.report(str(tmp_path / "told.html"), private=True) == tmp_path / "told.html"

    public, private = Path(f"report-{q.id}.html").read_text(), Path("told.html").read_text()
    assert q.id in public
    assert len(private) > len(public)


# In a program with a loop of its own


def test_a_loop_goes_on_while_it_awaits_the_end(tmp_path: Path) -> None:
    turned = threading.Event()

    class Waits:
        """Makes no move before the host's loop has turned."""

        def next_move(self, view: View) -> Any:
            assert turned.wait(PATIENCE_S)
            return asyncio.run(Tactics().next_move(view))

    async def host(q: QuoteHandle) -> Any:
        ended = asyncio.create_task(q.ended(PATIENCE_S))
        for _ in range(100):
            await asyncio.sleep(0)
            assert not ended.done()
        turned.set()
        return await ended

    with starting(tmp_path, brand=Waits()) as system:
        q = Quotes(system).new(quote_fields())
        q.start()

        sheet = asyncio.run(host(q))

        assert {one.status for one in sheet.positions} == {"completed"}


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[QuoteHandle]:
    with starting(tmp_path, suppliers=Hesitant()) as system:
        q = Quotes(system).new(quote_fields())
        q.start()
        yield q


def test_who_gives_up_awaiting_ends_nothing_else(endless: QuoteHandle) -> None:
    async def host() -> None:
        given_up, kept = (asyncio.create_task(endless.ended()) for _ in range(2))
        await asyncio.sleep(0.05)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        assert not kept.done()
        assert {one.status for one in endless.status().positions} == {"active"}
        endless.cancel()
        assert {one.status for one in (await kept).positions} == {"impasse"}

    asyncio.run(host())


def test_awaiting_too_shortly_says_so(endless: QuoteHandle) -> None:
    with pytest.raises(TimeoutError, match=r"^something still moved after 0\.01 s$"):
        asyncio.run(endless.ended(0.01))


def test_who_awaits_is_told_that_the_system_was_stopped(
    endless: QuoteHandle,
) -> None:
    async def host() -> None:
        ended = asyncio.create_task(endless.ended())
        await asyncio.sleep(0.05)
        await asyncio.to_thread(endless._system.stop)  # type: ignore[attr-defined]
        with pytest.raises(SystemStopped):
            await ended
        with pytest.raises(SystemStopped):
            await endless.ended()

    asyncio.run(host())


def test_who_awaits_is_told_that_nothing_can_be_saved(tmp_path: Path) -> None:
    async def host(q: QuoteHandle) -> None:
        ended = asyncio.create_task(q.ended(PATIENCE_S))
        await asyncio.to_thread(lose, tmp_path)
        with pytest.raises(SystemHalted):
            await ended

    with starting(tmp_path, pace_s=0.2) as system:
        q = Quotes(system).new(quote_fields())
        q.start()
        asyncio.run(host(q))


# The manual


@pytest.mark.parametrize("handle", [Quotes, QuoteHandle, NegotiationHandle, Receipt])
def test_all_that_a_handle_can_do_is_in_the_manual(handle: type) -> None:
    public = {name: each for name, each in vars(handle).items() if not name.startswith("_")}

    assert all(inspect.getdoc(each) for each in public.values())
    assert inspect.getdoc(handle)


def test_gap_of_nothing_has_no_percent(q: QuoteHandle) -> None:
    first = q.status().positions[0]
    assert first.brand is not None

    free = type(first.brand)(first.brand.seq, first.brand.terms, Decimal(0))
    position = type(first)(first.negotiation, "active", free, first.supplier, "", ())

    assert position.gap is not None
    assert position.gap_percent is None
