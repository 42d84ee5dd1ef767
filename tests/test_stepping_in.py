"""The seed case: a person steps into a running negotiation, and the brand follows. All is real."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from factories import make_config, make_supplier, quote_fields

from actors.mechanism.limits import breaches
from actors.mechanism.moves import Draft
from actors.mechanism.views import SupplierView, View
from actors.negotiators.tactics import Tactics
from actors.system import NegotiationSystem
from storage.interventions import Intervention, InterventionStatus
from storage.ledger import TEXT_KEPT
from storage.records import Message, Move, NegotiationId, NegotiationStatus, Quote, Sender
from storage.terms.kind import Side
from storage.terms.offered import Terms

PATIENCE_S = 20.0
SUPPLIERS = [make_supplier(n, payment=("30/70", "33/33/33", "net 30")) for n in (1, 2, 3)]
TOWARDS_LEAD_TIME = {"quality": 5, "cost": 10, "lead_time": 80, "payment_terms": 5}


class Hesitant:
    """Tactics that never come to an answer to the supplier's first message, unless guided."""

    def __init__(self) -> None:
        self.hesitating = threading.Event()
        self._tactics = Tactics()

    async def next_move(self, view: View) -> Draft:
        if view.rounds == 1 and view.messages[-1].sender is not Sender.USER:
            self.hesitating.set()
            await asyncio.Event().wait()
        return await self._tactics.next_move(view)


class Watched:
    """Tactics for a supplier, with all that it is shown kept."""

    def __init__(self) -> None:
        self.views: list[SupplierView] = []
        self._tactics = Tactics()

    async def next_move(self, view: SupplierView) -> Draft:
        self.views.append(view)
        return await self._tactics.next_move(view)


def start(tmp_path: Path, asked: int = 1, **options: Any) -> NegotiationSystem:
    config = make_config(SUPPLIERS[:asked])
    return NegotiationSystem.start(config=config, database=tmp_path / "parley.db", **options)


def opened(system: NegotiationSystem, **fields: Any) -> tuple[Quote, list[NegotiationId]]:
    """A quote by hand, in which every opening message is on disk."""
    quote = system.create_quote(quote_fields(**fields))
    system.start_negotiations(quote.id, automatic=False)
    return quote, [negotiation.id for negotiation in system.wait(quote.id, PATIENCE_S)]


def step_in(
    system: NegotiationSystem,
    negotiation_id: NegotiationId,
    text: str | None = None,
    **content: Any,
) -> Intervention:
    """Intervene, wait until it is handled, and read the receipt again."""
    receipt = system.add_user_intervention(text, negotiation_id=negotiation_id, **content)
    assert isinstance(receipt, Intervention)
    assert receipt.status is InterventionStatus.RECEIVED
    system.wait(system.negotiation(negotiation_id).quote_id, PATIENCE_S)
    return system.intervention(receipt.id)


def senders(messages: list[Message]) -> list[Sender]:
    return [message.sender for message in messages]


def price(terms: Terms) -> Any:
    (only,) = terms.unit_prices.values()
    return only


def lead_time(terms: Terms) -> int:
    return int(terms["lead_time_days"])


@pytest.fixture(scope="module")
def unguided(tmp_path_factory: pytest.TempPathFactory) -> Terms:
    """What the brand offers as its second message when nobody steps in."""
    with start(tmp_path_factory.mktemp("unguided"), brand=Tactics()) as system:
        quote, (negotiation_id,) = opened(system)
        system.continue_negotiation(quote_id=quote.id)
        system.wait(quote.id, PATIENCE_S)
        third = system.messages(negotiation_id)[2]
    assert (third.sender, third.move) == (Sender.BRAND, Move.OFFER)
    assert third.terms is not None
    return third.terms


@pytest.fixture
def hesitating(tmp_path: Path) -> Iterator[tuple[NegotiationSystem, NegotiationId]]:
    """The same with two messages on disk, while the brand drafts its second."""
    brand = Hesitant()
    with start(tmp_path, brand=brand) as system:
        quote, (negotiation_id,) = opened(system)
        system.continue_negotiation(quote_id=quote.id)
        assert brand.hesitating.wait(PATIENCE_S)
        yield system, negotiation_id


Hesitating = tuple[NegotiationSystem, NegotiationId]


def guided_offer(hesitating: Hesitating, **content: Any) -> Terms:
    """What the brand offers as its second message under this guidance."""
    system, negotiation_id = hesitating
    receipt = step_in(system, negotiation_id, **content)
    fourth = system.messages(negotiation_id)[3]
    assert (receipt.status, receipt.applied_seq) == (InterventionStatus.APPLIED, 4)
    assert (fourth.sender, fourth.move) == (Sender.BRAND, Move.OFFER)
    assert fourth.terms is not None
    assert not breaches(fourth.terms, system.negotiation(negotiation_id).mandate, Side.BRAND)
    return fourth.terms


def test_an_intervention_becomes_a_user_message_and_the_brands_next_one_follows_it(
    hesitating: Hesitating,
) -> None:
    system, negotiation_id = hesitating
    before = system.messages(negotiation_id)
    assert senders(before) == [Sender.BRAND, Sender.SUPPLIER]

    receipt = step_in(
        system, negotiation_id, "Don't go beyond 5.40 yet.", limits={"unit_price": "5.40"}
    )

    messages = system.messages(negotiation_id)
    assert messages[:2] == before
    assert senders(messages[2:]) == [Sender.USER, Sender.BRAND]
    assert messages[2].content == "Don't go beyond 5.40 yet."
    assert (receipt.status, receipt.message_seq, receipt.applied_seq) == (
        *(InterventionStatus.APPLIED, 3, 4),
    )
    assert messages[3].terms is not None
    assert str(price(messages[3].terms)) <= "5.40"
    assert system.negotiation(negotiation_id).rounds == 1


def test_a_lower_price_limit_has_the_brand_offer_less(
    hesitating: Hesitating, unguided: Terms
) -> None:
    offer = guided_offer(hesitating, limits={"unit_price": "5.20"})

    assert price(offer) < price(unguided)


def test_a_higher_price_limit_has_the_brand_offer_more(
    hesitating: Hesitating, unguided: Terms
) -> None:
    offer = guided_offer(hesitating, limits={"unit_price": "9.50"})

    assert price(offer) > price(unguided)


def test_a_shorter_lead_time_limit_has_the_brand_ask_for_fewer_days(
    hesitating: Hesitating, unguided: Terms
) -> None:
    days = lead_time(unguided) - 1

    offer = guided_offer(hesitating, limits={"lead_time_days": days})

    assert lead_time(offer) <= days


@pytest.mark.parametrize("payment", ["33/33/33", "net 30", "30/70"])
def test_another_payment_is_what_the_brand_offers(
    hesitating: Hesitating, unguided: Terms, payment: str
) -> None:
    offer = guided_offer(hesitating, limits={"payment": [payment]})

    assert offer["payment"] == payment


def test_priorities_towards_lead_time_have_the_brand_pay_for_fewer_days(
    hesitating: Hesitating, unguided: Terms
) -> None:
    offer = guided_offer(hesitating, priorities=TOWARDS_LEAD_TIME)

    assert offer != unguided
    assert lead_time(offer) < lead_time(unguided) or price(offer) > price(unguided)


def test_text_alone_changes_nothing_that_tactics_offer(
    hesitating: Hesitating, unguided: Terms
) -> None:
    assert guided_offer(hesitating, text="Please be kind.") == unguided


def test_the_receipt_says_that_text_alone_had_no_effect_on_tactics(tmp_path: Path) -> None:
    with start(tmp_path) as system:
        _, (negotiation_id,) = opened(system)

        text = step_in(system, negotiation_id, "Push on lead time.")
        limit = step_in(system, negotiation_id, limits={"unit_price": "7.00"})

        offers = [m.terms for m in system.messages(negotiation_id) if m.sender is Sender.BRAND]
        assert offers[1] == offers[0]
        assert (text.reason, limit.reason) == (TEXT_KEPT, None)
        assert (text.applied_seq, limit.applied_seq) == (3, 5)


def test_a_whole_quote_at_once_is_one_receipt_for_each_active_negotiation(tmp_path: Path) -> None:
    with start(tmp_path, asked=3) as system:
        quote, ids = opened(system)
        step_in(system, ids[1], action="walk_away")

        receipts = system.add_user_intervention(quote_id=quote.id, limits={"unit_price": "7.00"})

        assert isinstance(receipts, list)
        assert [one.negotiation_id for one in receipts] == [ids[0], ids[2]]
        system.wait(quote.id, PATIENCE_S)  # it counts what was asked before
        for one in receipts:
            settled = system.intervention(one.id)
            assert (settled.status, settled.applied_seq) == (InterventionStatus.APPLIED, 3)
            mandate = system.negotiation(one.negotiation_id).mandate
            assert [str(each.limit) for each in mandate.prices.values()] == ["7.00"]
        assert system.negotiation(ids[1]).reason == "user_ended"


def test_a_person_accepts_the_offer_that_was_seen(tmp_path: Path) -> None:
    with start(tmp_path) as system:
        quote, (negotiation_id,) = opened(system)
        system.continue_negotiation(quote_id=quote.id)
        system.wait(quote.id, PATIENCE_S)
        seen = system.messages(negotiation_id)[1]
        assert seen.terms is not None

        refused = step_in(system, negotiation_id, action="accept", accepts_seq=2)
        applied = step_in(
            system,
            negotiation_id,
            action="accept",
            accepts_seq=2,
            limits={"unit_price": str(price(seen.terms)), "lead_time_days": 60},
        )

        assert refused.status is InterventionStatus.REFUSED
        assert refused.reason is not None
        assert "breaks a limit" in refused.reason
        ended = system.negotiation(negotiation_id)
        assert applied.status is InterventionStatus.APPLIED
        assert (ended.status, ended.agreed_terms) == (NegotiationStatus.COMPLETED, seen.terms)


def test_neither_guidance_nor_changed_limits_are_in_any_view_of_a_supplier(
    tmp_path: Path,
) -> None:
    supplier = Watched()
    with start(tmp_path, suppliers=supplier) as system:
        quote, (negotiation_id,) = opened(system)
        step_in(
            system,
            negotiation_id,
            "Zanzibar matters to us.",
            limits={"unit_price": "7.77", "lead_time_days": 44},
            priorities=TOWARDS_LEAD_TIME,
        )
        for _ in range(3):
            if system.negotiation(negotiation_id).status is NegotiationStatus.ACTIVE:
                system.continue_negotiation(quote_id=quote.id)
                system.wait(quote.id, PATIENCE_S)

    assert supplier.views
    for view in supplier.views:
        shown = repr(view)
        assert all(secret not in shown for secret in ("Zanzibar", "7.77", "Priorities", "user"))
        assert all(message.sender is not Sender.USER for message in view.messages)
