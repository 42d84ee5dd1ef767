"""What models do wrong, played through the real system: nothing of it is ever committed."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import hostile
import pytest
import readme
from factories import make_config, make_supplier, quote_fields
from inspection import faults
from misbehaviour import (
    ACCEPTS_OTHERWISE,
    ALWAYS_REFUSED,
    HARMLESS,
    Cue,
    Sorry,
    Stubborn,
    rival_by_name,
    talk,
    theirs_again,
)

from actors.events import Event
from actors.mechanism.ruling import Rule
from actors.mechanism.views import View
from actors.negotiation_events import AcceptDemoted, DraftRefused
from actors.system import NegotiationSystem
from storage.records import Message, Move, Negotiation, NegotiationStatus, Origin, Reason
from storage.terms.kind import Side

CASES: dict[str, Cue] = {
    **{name: cue for name, (cue, _) in ALWAYS_REFUSED.items()},
    **{name: cue for name, (cue, _) in ACCEPTS_OTHERWISE.items()},
    **HARMLESS,
    "a rival by name": rival_by_name,
}


@dataclass(frozen=True)
class Outcome:
    """How one negotiation went."""

    negotiation: Negotiation
    messages: list[Message]
    refused: list[tuple[str, str]]
    """Side and rule."""
    demoted: list[tuple[str, str]]

    def said_by(self, side: Side) -> list[Message]:
        return [message for message in self.messages if message.sender == side.value]


@dataclass(frozen=True)
class BySupplier:
    """Another negotiator for each supplier."""

    negotiators: Mapping[str, Any]

    async def next_move(self, view: View) -> Any:
        return await self.negotiators[view.supplier.id].next_move(view)


def play(
    database: Path,
    brands: Mapping[str, Any] | None = None,
    suppliers: Mapping[str, Any] | None = None,
    rules: Mapping[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Outcome]:
    """One negotiation for each name, all in one quote; who is not given plays by tactics."""
    names = {f"supplier-{n}": name for n, name in enumerate(brands or suppliers or {}, start=1)}
    config = make_config([make_supplier(n) for n in range(1, len(names) + 1)], **(rules or {}))
    heard: list[Event] = []
    with NegotiationSystem.start(
        config,
        database=database,
        brand=BySupplier({key: brands[name] for key, name in names.items()}) if brands else None,
        suppliers={key: suppliers[name] for key, name in names.items()} if suppliers else None,
    ) as system:
        system.subscribe(heard.append)
        quote = system.create_quote(quote_fields(**fields))
        system.start_negotiations(quote.id)
        ended = system.wait(quote.id, timeout_s=60)
        messages = {each.id: system.messages(each.id) for each in ended}
    assert faults(database) == []
    return {
        names[each.supplier_id]: Outcome(
            each,
            messages[each.id],
            [
                (e.side, e.rule)
                for e in heard
                if isinstance(e, DraftRefused) and e.negotiation_id == each.id
            ],
            [
                (e.side, e.rule)
                for e in heard
                if isinstance(e, AcceptDemoted) and e.negotiation_id == each.id
            ],
        )
        for each in ended
    }


def play_side(
    database: Path, side: Side, negotiators: Mapping[str, Any], **fields: Any
) -> dict[str, Outcome]:
    if side is Side.BRAND:
        return play(database, brands=negotiators, **fields)
    return play(database, suppliers=negotiators, **fields)


@pytest.fixture(scope="module")
def sorry(tmp_path_factory: pytest.TempPathFactory) -> dict[Side, dict[str, Outcome]]:
    """Every case by either side, against tactics, by who listens to a refusal."""
    folder = tmp_path_factory.mktemp("sorry")
    cast = {name: Sorry(cue) for name, cue in CASES.items()}
    return {side: play_side(folder / f"{side}.db", side, cast) for side in Side}


@pytest.fixture(scope="module")
def stubborn(tmp_path_factory: pytest.TempPathFactory) -> dict[Side, dict[str, Outcome]]:
    """What is always refused by either side, against tactics, by who does not listen."""
    folder = tmp_path_factory.mktemp("stubborn")
    cast = {name: Stubborn(cue) for name, (cue, _) in ALWAYS_REFUSED.items()}
    return {side: play_side(folder / f"{side}.db", side, cast) for side in Side}


Outcomes = dict[Side, dict[str, Outcome]]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("name", ALWAYS_REFUSED)
def test_what_must_not_go_out_goes_back_and_the_negotiation_goes_on(
    name: str, side: Side, sorry: Outcomes
) -> None:
    outcome = sorry[side][name]

    assert outcome.refused[0] == (side, ALWAYS_REFUSED[name][1])
    assert {rule for _, rule in outcome.refused} <= {ALWAYS_REFUSED[name][1], Rule.CLOSING_MOVE}
    assert outcome.negotiation.status is not NegotiationStatus.ACTIVE


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("name", ALWAYS_REFUSED)
def test_who_insists_on_it_is_parked_and_has_said_nothing(
    name: str, side: Side, stubborn: Outcomes
) -> None:
    outcome, rule = stubborn[side][name], ALWAYS_REFUSED[name][1]

    assert outcome.refused == [(side, rule), (side, rule)]
    assert outcome.negotiation.status is NegotiationStatus.ACTIVE
    assert outcome.negotiation.last_error == f"the {side}'s draft was refused twice: {rule}"
    assert outcome.said_by(side) == []


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("name", ACCEPTS_OTHERWISE)
def test_an_accept_with_other_words_is_only_talk(name: str, side: Side, sorry: Outcomes) -> None:
    outcome, rule = sorry[side][name], ACCEPTS_OTHERWISE[name][1]
    talked = [message for message in outcome.said_by(side) if message.move is Move.TALK]

    assert (side, rule) in outcome.demoted
    assert len(talked) == len(outcome.demoted)
    assert all(message.terms is None and message.accepts_seq is None for message in talked)


def test_a_brand_names_no_rival(sorry: Outcomes) -> None:
    brand, supplier = (sorry[side]["a rival by name"] for side in (Side.BRAND, Side.SUPPLIER))

    assert brand.refused[0] == (Side.BRAND, Rule.RIVAL_NAME)
    assert not any("Supplier 2" in message.content for message in brand.messages)
    assert supplier.refused == []  # a supplier knows no rival, so it can only guess


@pytest.mark.parametrize("side", Side)
def test_an_accept_of_an_old_offer_takes_nothing(side: Side, sorry: Outcomes) -> None:
    outcome = sorry[side]["an accept of an old offer"]
    accepts = [message for message in outcome.messages if message.move is Move.ACCEPT]

    assert (side, Rule.NO_STANDING_OFFER) in outcome.refused or accepts
    for message in accepts:
        offers = [m for m in outcome.said_by(_other(message)) if m.move is Move.OFFER]
        assert message.accepts_seq == offers[-1].seq


def _other(message: Message) -> Side:
    return Side(message.sender.value).other


@pytest.mark.parametrize("side", Side)
def test_who_offers_one_price_in_words_and_one_in_terms_is_held_to_the_terms(
    side: Side, sorry: Outcomes
) -> None:
    outcome = sorry[side]["text and terms that differ"]
    agreed = outcome.negotiation.agreed_terms
    said = [message for message in outcome.said_by(side) if "USD 1.23" in message.content]

    assert agreed is not None
    assert said
    assert Decimal("1.23") not in agreed.unit_prices.values()


@pytest.mark.parametrize("side", Side)
def test_who_proposes_the_standing_offer_again_is_taken_at_its_word(
    side: Side, sorry: Outcomes
) -> None:
    outcome = sorry[side]["the standing offer proposed again"]

    assert outcome.negotiation.status is NegotiationStatus.COMPLETED
    assert outcome.messages[-1].sender == side.other.value


@pytest.mark.parametrize("side", Side)
def test_a_counter_worse_than_their_offer_never_binds_its_sender_beyond_its_limits(
    side: Side, sorry: Outcomes
) -> None:
    outcome = sorry[side]["a counter worse than their offer"]

    assert outcome.negotiation.status is not NegotiationStatus.ACTIVE
    assert {rule for _, rule in outcome.refused} <= {Rule.LIMIT, Rule.CLOSING_MOVE}


def test_instructions_in_a_suppliers_words_move_the_brand_no_more_than_small_talk(
    sorry: Outcomes,
) -> None:
    ordered = sorry[Side.SUPPLIER]["instructions to the reader"].said_by(Side.BRAND)
    chatted = sorry[Side.SUPPLIER]["the same reply for ever"].said_by(Side.BRAND)

    assert len(ordered) > 1
    assert [(m.move, m.terms, m.content) for m in ordered] == [
        (m.move, m.terms, m.content) for m in chatted
    ]


@pytest.mark.parametrize("side", Side)
def test_who_accepts_at_any_price_closes_nothing_that_suits_only_one(
    side: Side, tmp_path: Path
) -> None:
    cast = {"an accept at any price": Sorry(HARMLESS["an accept at any price"])}

    outcome = play_side(tmp_path / "x.db", side, cast, target="4.00", limit="5.50")

    (only,) = outcome.values()
    assert (side, Rule.LIMIT) in only.refused
    assert only.negotiation.status is NegotiationStatus.IMPASSE


@pytest.mark.parametrize(
    "words", ["the same reply for ever", "the manager must be asked", "instructions to the reader"]
)
def test_talk_for_ever_ends_after_one_final_round(words: str, tmp_path: Path) -> None:
    both = {words: Stubborn(HARMLESS[words])}

    outcome = play(tmp_path / "x.db", brands=both, suppliers=both)[words]

    assert outcome.negotiation.reason is Reason.NO_PROGRESS
    assert len(outcome.messages) == 2 * (5 + 1)  # half of ten rounds, then the final one


def test_after_the_last_round_a_brand_that_talks_is_sent_back(tmp_path: Path) -> None:
    brand = {"talk": Sorry(talk("Hm."))}
    supplier = {"talk": Stubborn(talk("Hm, hm."))}
    rules = {"max_rounds": 3, "no_progress_rounds": 0}

    outcome = play(tmp_path / "x.db", brands=brand, suppliers=supplier, rules=rules)["talk"]

    assert outcome.refused == [(Side.BRAND, Rule.CLOSING_MOVE)]
    assert outcome.negotiation.reason is Reason.MAX_ROUNDS
    assert outcome.negotiation.rounds == 3


def test_words_of_an_object_are_never_taken_for_a_models(sorry: Outcomes) -> None:
    origins = {
        (message.sender.value, message.origin)
        for outcome in sorry[Side.SUPPLIER].values()
        for message in outcome.messages
    }

    assert origins == {("brand", Origin.TACTICS), ("supplier", Origin.SCRIPT)}


@pytest.fixture(scope="module")
def agreed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with one sound agreement."""
    database = tmp_path_factory.mktemp("agreed") / "sound.db"
    outcome = play(database, suppliers={str(n): Sorry(theirs_again) for n in range(2)})
    assert all(each.negotiation.agreed_terms for each in outcome.values())
    return database


OFFERED = "messages WHERE move = 'offer' AND sender = 'brand'"
ACCEPTED = "messages WHERE move = 'accept'"
FIRST = "messages WHERE seq = 1"
ANSWERED = "messages WHERE sender = 'supplier'"
ENDED = "negotiations WHERE true"


@pytest.mark.parametrize(
    ("where", "damage", "found"),
    [
        (OFFERED, "terms = replace(terms, 'widget\":\"', 'widget\":\"9')", "brand's price limit"),
        (OFFERED, "terms = json_set(terms, '$.lead_time_days', 46)", "brand's limit in days"),
        (OFFERED, "terms = json_set(terms, '$.payment', '33/33/33')", "brand's payments"),
        (OFFERED, "terms = json_set(terms, '$.currency', 'EUR')", "other kinds of terms"),
        (OFFERED, "terms = json_set(terms, '$.unit_prices.lid', '1')", "other lines"),
        (ACCEPTED, "accepts_seq = 99", "accepts other terms"),
        (ACCEPTED, "terms = json_set(terms, '$.lead_time_days', 40)", "accepts other terms"),
        (FIRST, "move = 'accept', accepts_seq = 1", "goes on after an accept"),
        (ENDED, "agreed_terms = agreed_terms || ' '", "byte for byte"),
        (ENDED, "agreed_terms = NULL, status = 'impasse'", "not agreed"),
        (FIRST, "content = 'We stop at 8,00.'", "tells the brand's 8.00"),
        (FIRST, "content = 'Our budget is USD 800.'", "tells the brand's 800.00"),
        (ANSWERED, "content = 'Our floor: 6.'", "tells the supplier's 6.00"),
        (FIRST, "content = 'Supplier 2 and SUPPLIER 1!'", "names Supplier"),
    ],
)
def test_the_inspection_finds_what_it_looks_for(
    where: str, damage: str, found: str, agreed: Path, tmp_path: Path
) -> None:
    database = tmp_path / "damaged.db"
    shutil.copy(agreed, database)
    with closing(sqlite3.connect(database)) as connection, connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type='trigger'"):
            connection.execute(f"DROP TRIGGER {json.dumps(trigger)}")
        table, condition = where.split(" WHERE ")
        sql = f"UPDATE {table} SET {damage} WHERE {condition}"  # noqa: S608
        assert connection.execute(sql).rowcount > 0
    connection.close()

    assert any(found in fault for fault in faults(database))


def test_ten_thousand_hostile_moves_leave_nothing_wrong_on_disk(tmp_path: Path) -> None:
    tally = hostile.play(tmp_path)

    print(f"\n{tally.table()}")
    assert tally.drafted >= 10_000
    assert tally.faults == []
    assert tally.missing() == set()
    assert tally.parked < tally.negotiations / 2

    # the README's figures are these
    fired = {readme.quoted(rule)[0]: count for rule, _, count, _ in readme.table("rule")}
    assert fired == {rule.value: f"{tally.fired[rule]:,}" for rule in Rule}
    (told,) = re.findall(r"^Of [\d,]+ such drafts.*?\n\n", readme.TEXT, re.MULTILINE | re.DOTALL)
    counts = (tally.drafted, tally.negotiations, *map(tally.endings.get, hostile.ENDINGS))
    shown = [f"{count:,}" for count in (*counts, tally.parked, len(tally.faults))]
    assert re.findall(r"\d[\d,]*", told) == shown
