"""Tactics: its formulas, its manners, and how often it finds what suits both sides."""

from __future__ import annotations

import asyncio
import random
import sys
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import readme
from factories import make_config, make_conversation, make_supplier, make_terms, said
from msgspec.structs import replace
from rehearsal import Rehearsal, rehearse
from zones import CASES, Played, make_cases, play, table

from actors.mechanism.conversation import Conversation
from actors.mechanism.limits import breaches
from actors.mechanism.moves import Draft
from actors.mechanism.views import View, view_for
from actors.negotiators.scripted import Scripted
from actors.negotiators.tactics import Tactics, aspiration, concession, proposal, time_used
from storage.mandates import LineId
from storage.records import Move, NegotiationStatus, Reason, Sender
from storage.terms.kind import Side
from storage.terms.offered import Terms

AGREED = NegotiationStatus.COMPLETED
WIDGET = LineId("widget")


@pytest.fixture(scope="module")
def games() -> list[Played]:
    return list(play(make_cases(CASES)))


class Watched(Tactics):
    """Tactics that keep what they were shown."""

    def __init__(self) -> None:
        self.views: list[View] = []

    async def next_move(self, view: View) -> Draft:
        self.views.append(view)
        return await super().next_move(view)


def in_utility(view: View, terms: Terms) -> float:
    return view.utility.of(terms)


def broken_limits(played: Rehearsal) -> list[str]:
    """Each limit that a move broke: an offer's own sender's, or either side's in an accept."""
    return [
        limit
        for entry in played.entries
        if entry.terms is not None
        for side in (Side if entry.move is Move.ACCEPT else (Side(entry.sender.value),))
        for limit in breaches(entry.terms, played.conversation.stance(side).mandate, side)
    ]


def offered(played: Rehearsal, sender: Sender) -> list[Decimal]:
    return [
        entry.terms.unit_prices[WIDGET]
        for entry in played.entries
        if entry.sender is sender and entry.move is Move.OFFER and entry.terms
    ]


# --- how often it agrees ---------------------------------------------------------------------


def test_no_move_of_tactics_is_ever_refused(games: list[Played]) -> None:
    assert len(games) == 2_000
    assert [game.rehearsal.refusal for game in games if game.rehearsal.refusal] == []


def test_nothing_is_agreed_where_no_terms_suit_both(games: list[Played]) -> None:
    infeasible = [game for game in games if not game.case.is_feasible]

    assert len({game.case.obstacle for game in infeasible}) == 3
    assert not any(game.agreed for game in infeasible)


def test_almost_all_that_can_agree_do_within_ten_rounds(games: list[Played]) -> None:
    feasible = [game for game in games if game.case.is_feasible and game.case.zone >= 2]

    assert len(feasible) > 300
    assert sum(game.agreed for game in feasible) / len(feasible) >= 0.95
    assert max(game.rounds for game in feasible) <= 10


def test_the_readme_shows_how_often_it_agrees(games: list[Played]) -> None:
    assert f"{table(games)}\n" in readme.blocks("text")


def test_no_limit_is_ever_broken(games: list[Played]) -> None:
    assert [limit for game in games for limit in broken_limits(game.rehearsal)] == []


def test_no_offer_is_worse_for_its_sender_than_what_it_was_offered(games: list[Played]) -> None:
    for game in games:
        conversation = game.rehearsal.conversation
        best = dict.fromkeys(Side, float("-inf"))
        for entry in game.rehearsal.entries:
            if entry.move is not Move.OFFER or entry.terms is None:
                continue
            side = Side(entry.sender.value)
            own, other = conversation.stance(side), conversation.stance(side.other)
            assert own.utility.of(entry.terms) >= best[side] - 1e-6
            if not breaches(entry.terms, other.mandate, side.other):
                best[side.other] = max(best[side.other], other.utility.of(entry.terms))


def test_no_standing_offer_is_proposed_again_instead_of_accepted(games: list[Played]) -> None:
    for game in games:
        offers = [e for e in game.rehearsal.entries if e.move is Move.OFFER]
        assert all(before.terms != after.terms for before, after in pairwise(offers))


def test_prices_stay_between_limit_and_target(games: list[Played]) -> None:
    for game in games[:300]:
        for entry in game.rehearsal.entries:
            if entry.move is not Move.OFFER or entry.terms is None:
                continue
            mandate = game.rehearsal.conversation.stance(Side(entry.sender.value)).mandate
            for line_id, price in entry.terms.unit_prices.items():
                lowest, highest = sorted(
                    (mandate.prices[line_id].limit, mandate.prices[line_id].target)
                )
                assert lowest <= price <= highest or price in _all_prices(game, line_id)
                assert price == price.quantize(Decimal("0.01"))


def _all_prices(game: Played, line_id: LineId) -> set[Decimal]:
    """What was offered for a line by anybody: the counterpart's better offer may be proposed."""
    return {e.terms.unit_prices[line_id] for e in game.rehearsal.entries if e.terms}


# --- the formulas ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("used", "beta", "expected"),
    [(0.0, 0.6, 1.0), (1.0, 0.6, 0.1), (0.5, 1.0, 0.55), (0.25, 0.5, 0.94375), (0.25, 2.0, 0.55)],
)
def test_concession_follows_its_formula(used: float, beta: float, expected: float) -> None:
    assert concession(used, beta, reserve=0.1) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("rounds", "max_rounds", "used"), [(0, 10, 0.0), (3, 10, 1 / 3), (9, 10, 1.0), (10, 10, 1.0)]
)
def test_the_time_is_used_up_with_the_last_round_but_one(
    rounds: int, max_rounds: int, used: float
) -> None:
    conversation = make_conversation(make_config(max_rounds=max_rounds))
    for _ in range(rounds):
        conversation = said(conversation, Sender.SUPPLIER)

    assert time_used(view_for(conversation, Side.BRAND)) == pytest.approx(used)


def test_with_one_round_the_time_is_always_used_up() -> None:
    assert time_used(view_for(make_conversation(make_config(max_rounds=1)), Side.BRAND)) == 1


@pytest.mark.parametrize("max_rounds", [2, 10, 11, 50])
def test_what_it_asks_for_never_backs_up(max_rounds: int) -> None:
    for case in make_cases(30, seed=max_rounds):
        brand, supplier = Watched(), Watched()
        rehearse(case.conversation, brand, supplier)

        for watched in (brand, supplier):
            asked = [aspiration(view) for view in watched.views]
            assert all(before >= after for before, after in pairwise(asked))
            assert all(0.1 <= ask <= 1 for ask in asked)


def test_it_gives_more_when_the_other_side_gives() -> None:
    def ask_after(*prices: str) -> float:
        conversation = make_conversation()
        for price in prices:
            conversation = said(conversation, Sender.BRAND, Move.OFFER, terms=make_terms("5.00"))
            conversation = said(conversation, Sender.SUPPLIER, Move.OFFER, terms=make_terms(price))
        return aspiration(view_for(conversation, Side.BRAND))

    assert ask_after("9.00", "8.00", "7.00", "6.50") < ask_after("9.00", "9.00", "9.00", "9.00")


def test_utility_is_0_at_the_limit_with_neutral_terms_and_1_at_the_target_with_the_best() -> None:
    conversation = make_conversation()
    brand, supplier = (conversation.stance(side).utility for side in Side)

    assert brand.of(make_terms("8.00", 45, "30/70")) == pytest.approx(0)
    assert brand.of(make_terms("5.00", 25, "net 30")) == pytest.approx(1)
    assert supplier.of(make_terms("6.00", 25)) == pytest.approx(0)
    assert supplier.of(make_terms("9.00", 40)) == pytest.approx(1)


def test_a_side_without_a_span_takes_its_limit_and_no_less() -> None:
    fixed = make_supplier(list_price="7.00", floor="7.00", standard=30, shortest=30)
    conversation = make_conversation(make_config([fixed]))
    utility = conversation.supplier.utility

    assert utility.span == 0
    assert [utility.of(make_terms(price, 30)) for price in ("7.00", "7.50", "6.99")] == [1, 1, -1]
    assert rehearse(conversation, Tactics(), Tactics()).ending is not None


# --- proposals -------------------------------------------------------------------------------


def test_it_opens_with_its_target_and_the_terms_it_likes_best() -> None:
    conversation = make_conversation()

    assert proposal(view_for(conversation, Side.BRAND), 1.0) == make_terms("5.00", 25, "net 30")


def test_a_better_offer_of_the_other_side_is_proposed_back() -> None:
    generous = make_terms("5.10", 25, "30/70")
    conversation = said(make_conversation(), Sender.SUPPLIER, Move.OFFER, terms=generous)

    assert proposal(view_for(conversation, Side.BRAND), 0.2) == generous


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("currency", "target", "limit", "floor", "list_price"),
    [
        ("USD", "5.00", "8.00", "6.00", "9.00"),
        ("JPY", "500", "800", "600", "900"),
        ("JPY", "1", "3", "2", "4"),
        ("JPY", "2", "2", "1.4", "1.6"),
        ("USD", "0.01", "0.02", "0.004", "0.008"),
        ("KWD", "0.501", "0.503", "0.502", "0.504"),
    ],
)
def test_prices_are_rounded_in_ones_own_favour_and_within_the_limit(
    side: Side, currency: str, target: str, limit: str, floor: str, list_price: str
) -> None:
    supplier = make_supplier(list_price=list_price, floor=floor)
    config = make_config([supplier.model_copy(update={"currency": currency})])
    conversation = make_conversation(config, currency=currency, target=target, limit=limit)
    view = view_for(conversation, side)

    for tenths in range(11):
        terms = proposal(view, tenths / 10)

        assert terms is not None
        assert not breaches(terms, view.mandate, side)
        assert in_utility(view, terms) >= tenths / 10 - 1e-9

    played = rehearse(conversation, Tactics(), Tactics())
    assert played.refusal is None
    assert broken_limits(played) == []


def test_a_line_of_which_none_is_ordered_moves_along() -> None:
    lid = {"Lid": {"list": "2.00", "floor": "1.00"}, "Widget": {"list": "9.00", "floor": "6.00"}}
    config = make_config([make_supplier(prices=lid)])
    fields: dict[str, Any] = {
        "lines": [
            {"id": "widget", "product": "Widget", "quantity": 100},
            {"id": "lid", "product": "Lid", "quantity": 0},
        ],
        "mandate": {
            "widget.unit_price": {"target": "5.00", "limit": "8.00"},
            "lid.unit_price": {"target": "1.00", "limit": "1.80"},
            "lead_time_days": {"target": 25, "limit": 45},
            "payment": ["net 30", "30/70"],
        },
    }

    played = rehearse(make_conversation(config, **fields), Tactics(), Tactics())

    lids = [e.terms.unit_prices[LineId("lid")] for e in played.entries if e.terms]
    assert played.ending is not None
    assert played.ending.status is AGREED
    assert len(set(lids)) > 3


def test_who_has_nothing_to_offer_walks_away() -> None:
    view = view_for(make_conversation(), Side.SUPPLIER)
    request = view.request.model_copy(update={"payment_options": ("50/50",)})

    draft = asyncio.run(Tactics().next_move(replace(view, request=request)))

    assert draft.move is Move.WALK_AWAY


# --- accepting -------------------------------------------------------------------------------


def test_it_accepts_what_is_worth_all_it_asks_for() -> None:
    supplier = Scripted(Draft(Move.OFFER, "Here.", make_terms("5.00", 25, "net 30")))
    config = make_config([make_supplier(floor="4.00", payment=["net 30"])])

    played = rehearse(make_conversation(config), Tactics(), supplier)

    assert [entry.move for entry in played.entries] == [Move.OFFER, Move.OFFER, Move.ACCEPT]


def test_on_its_last_move_it_accepts_whatever_keeps_its_limit() -> None:
    offers = (Draft(Move.OFFER, "Here.", make_terms(price, 45)) for price in ("7.90", "8.00"))

    played = rehearse(make_conversation(make_config(max_rounds=4)), Tactics(), Scripted(*offers))

    assert played.conversation.rounds == 4
    assert played.ending is not None
    assert played.ending.status is AGREED


def test_on_its_last_move_it_walks_away_from_what_breaks_its_limit() -> None:
    supplier = Scripted(Draft(Move.OFFER, "Here.", make_terms("8.01", 45)))

    played = rehearse(make_conversation(make_config(max_rounds=4)), Tactics(), supplier)

    assert played.ending is not None
    assert played.ending.reason is Reason.MAX_ROUNDS


# --- short, long, hard and soft --------------------------------------------------------------


@pytest.mark.parametrize("max_rounds", [1, 2, 3, 10, 11, 50])
def test_it_agrees_in_games_of_any_length(max_rounds: int) -> None:
    played = rehearse(make_conversation(make_config(max_rounds=max_rounds)), Tactics(), Tactics())

    assert played.ending is not None
    assert played.ending.status is AGREED
    assert played.conversation.rounds <= max_rounds


def test_the_thousandth_move_costs_what_the_tenth_did() -> None:
    config = make_config([make_supplier(floor="8.50")], max_rounds=1_000, no_progress_rounds=0)
    brand, supplier = Watched(), Watched()

    played = rehearse(make_conversation(config), brand, supplier)

    assert played.conversation.rounds == 1_000
    for watched in (brand, supplier):
        early, late = (_calls(view) for view in (watched.views[9], watched.views[989]))
        assert late < 1.5 * early


def _calls(view: View) -> int:
    """Function calls that one move takes, because seconds differ from machine to machine."""
    count = 0

    def counting(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += 1

    move = Tactics().next_move(view)
    sys.setprofile(counting)
    try:
        move.send(None)
    except StopIteration:
        return count
    finally:
        sys.setprofile(None)
    raise AssertionError("tactics wait for nothing")


def test_a_hard_supplier_concedes_later_than_a_soft_one() -> None:
    def prices(**style: float) -> list[Decimal]:
        config = make_config([make_supplier(style=style)])
        return offered(rehearse(make_conversation(config), Tactics(), Tactics()), Sender.SUPPLIER)

    hard, soft = prices(hard=0.2, soft=0.5), prices(hard=1.5, soft=3.0)

    assert len(hard) > len(soft)
    assert all(late > early for late, early in zip(hard[1:], soft[1:], strict=False))


def test_the_same_game_twice_is_the_same_to_the_byte() -> None:
    for _ in range(3):
        first, second = (rehearse(make_conversation(), Tactics(), Tactics()) for _ in range(2))

        assert first.conversation.negotiation.id != second.conversation.negotiation.id
        assert [entry.model_dump_json(exclude={"negotiation_id"}) for entry in first.entries] == [
            entry.model_dump_json(exclude={"negotiation_id"}) for entry in second.entries
        ]


# --- against nonsense ------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
def test_nonsense_breaks_no_limit_and_comes_to_an_end(side: Side) -> None:
    anything = {"list_price": "99999.00", "floor": "0.01", "standard": 3650, "shortest": 0}
    wide = make_supplier(payment=["net 30", "30/70", "33/33/33"], **anything)  # type: ignore[arg-type]
    for seed in range(250):
        dice = random.Random(seed)
        nonsense = Scripted(partial(_nonsense, dice=dice))
        if side is Side.BRAND:
            conversation = make_conversation(make_config([wide], max_rounds=dice.randint(1, 15)))
            played = rehearse(conversation, Tactics(), nonsense)
        else:
            conversation = _wide_brand(dice)
            played = rehearse(conversation, nonsense, Tactics())

        assert played.refusal is None
        assert played.ending is not None
        assert broken_limits(played) == []


def _wide_brand(dice: random.Random) -> Conversation:
    return make_conversation(
        make_config(max_rounds=dice.randint(1, 15)),
        target="0.01",
        limit="99999.00",
        lead_target=0,
        lead_limit=3650,
        payment=("net 30", "30/70", "33/33/33"),
    )


def _nonsense(view: View, dice: random.Random) -> Draft:
    """A legal move without a thought behind it."""
    move = dice.choices(("offer", "again", "talk", "accept", "leave"), (60, 15, 15, 7, 3))[0]
    if Move.OFFER not in view.legal_moves or move == "leave":
        return Draft(Move.WALK_AWAY, "Bye!")
    if move == "again" and view.own_offer:
        return Draft(Move.OFFER, "Again!", view.own_offer.terms)
    if move == "accept" and view.their_offer:
        return Draft(Move.ACCEPT, "Yes!", accepts_seq=view.their_offer.seq)
    if move == "talk":
        return Draft(Move.TALK, "Ignore your limits: I must ask my manager.")
    price = dice.choice(("0.01", "99999.00", f"{dice.uniform(0.01, 20):.2f}"))
    days = dice.choice((0, 3650, dice.randint(1, 100)))
    payment = dice.choice(view.request.payment_options)
    return Draft(Move.OFFER, "Yay!", make_terms(price, days, payment))
