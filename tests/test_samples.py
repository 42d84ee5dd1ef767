"""The samples as shipped: three suppliers of different character, and a fourth out of reach."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest
from factories import NOON
from rehearsal import Rehearsal, rehearse

from actors.config import Config, load_config
from actors.mechanism.conversation import Conversation
from actors.negotiators.tactics import Tactics
from actors.opening import open_negotiations
from actors.quote_request import SAMPLE, new_quote, read_quote_request
from storage.records import Move, NegotiationStatus, Reason, SupplierPrivate
from storage.terms.lead_time import LeadTimeBrief
from storage.terms.offered import Terms
from storage.terms.payment import PaymentBrief

OUT_OF_REACH = SAMPLE.with_name("out_of_reach.toml")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a negotiation of a sample ended."""

    rehearsal: Rehearsal

    @property
    def terms(self) -> Terms:
        assert self.rehearsal.ending is not None
        assert self.rehearsal.ending.agreed_terms is not None
        return self.rehearsal.ending.agreed_terms

    @property
    def total(self) -> Decimal:
        return self.rehearsal.conversation.request.total(self.terms)

    @property
    def days(self) -> int:
        return int(self.terms["lead_time_days"])

    @property
    def rounds(self) -> int:
        return self.rehearsal.conversation.rounds


def outcomes(sample: object) -> list[Outcome]:
    config = load_config()
    quote = new_quote(read_quote_request(str(sample)), config.suppliers, lambda: NOON)
    negotiations = open_negotiations(quote, config, "tactics", lambda _: "tactics", NOON)
    return [
        Outcome(rehearse(Conversation.opened(quote, negotiation), Tactics(), Tactics()))
        for negotiation in negotiations
    ]


@pytest.fixture(scope="module")
def sample() -> list[Outcome]:
    return outcomes(SAMPLE)


def days_of(private: SupplierPrivate) -> LeadTimeBrief:
    brief = private.terms["lead_time_days"]
    assert isinstance(brief, LeadTimeBrief)
    return brief


def payments_of(private: SupplierPrivate) -> tuple[str, ...]:
    brief = private.terms["payment"]
    assert isinstance(brief, PaymentBrief)
    return brief.acceptable


def test_the_file_and_the_defaults_in_code_have_the_same_suppliers() -> None:
    assert load_config("config.toml").suppliers == Config(suppliers=()).suppliers


def test_the_three_suppliers_have_their_characters() -> None:
    first, second, third = load_config().suppliers

    assert [supplier.quality for supplier in (first, second, third)] == [4.0, 4.7, 4.0]
    assert [payments_of(s.private) for s in (first, second, third)] == [
        ("33/33/33",),
        ("30/70",),
        ("30/70",),
    ]
    for product in first.private.prices:
        floors = [s.private.prices[product].limit for s in (first, second, third)]
        assert floors[0] < floors[1] < floors[2]
    assert days_of(first.private).limit > days_of(second.private).target
    assert days_of(second.private).limit > days_of(third.private).target


def test_all_three_agree_and_none_in_the_first_round(sample: list[Outcome]) -> None:
    assert [outcome.rehearsal.refusal for outcome in sample] == [None, None, None]
    assert all(outcome.terms for outcome in sample)
    assert min(outcome.rounds for outcome in sample) > 1


def test_no_two_end_alike(sample: list[Outcome]) -> None:
    assert len({outcome.total for outcome in sample}) == 3
    assert len({outcome.days for outcome in sample}) == 3
    assert len({outcome.rounds for outcome in sample}) == 3


def test_the_cheapest_ends_cheapest_and_slowest(sample: list[Outcome]) -> None:
    first = sample[0]

    assert first.total == min(outcome.total for outcome in sample)
    assert first.days == max(outcome.days for outcome in sample)
    assert first.terms["payment"] == "33/33/33"


def test_the_fastest_ends_with_the_shortest_lead_time(sample: list[Outcome]) -> None:
    assert sample[2].days == min(outcome.days for outcome in sample)
    assert [outcome.terms["payment"] for outcome in sample[1:]] == ["30/70", "30/70"]


def test_the_brand_never_bids_above_what_the_supplier_asks(sample: list[Outcome]) -> None:
    for outcome in sample:
        asked = None
        for entry in outcome.rehearsal.entries:
            if entry.move is not Move.OFFER or entry.terms is None:
                continue
            total = outcome.rehearsal.conversation.request.total(entry.terms)
            if entry.sender == "supplier":
                asked = total
            assert asked is None or entry.sender == "supplier" or total <= asked


def test_who_is_out_of_reach_ends_in_impasse_and_the_others_as_without_it(
    sample: list[Outcome],
) -> None:
    *others, fourth = outcomes(OUT_OF_REACH)

    assert fourth.rehearsal.ending is not None
    assert fourth.rehearsal.ending.status is NegotiationStatus.IMPASSE
    assert fourth.rehearsal.ending.reason is Reason.MAX_ROUNDS
    assert [other.terms for other in others] == [outcome.terms for outcome in sample]


def test_the_fourth_is_out_of_reach_by_its_floor_alone() -> None:
    request = read_quote_request(OUT_OF_REACH)
    private = request.supplier[0].private

    for line in request.lines:
        limit = request.mandate.prices[line.id].limit
        assert private.prices[line.product].limit > limit
