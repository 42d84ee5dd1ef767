"""The record of a report: what it tells, in which order, and what only private eyes may read."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import exhibits
import pytest
from factories import (
    make_call,
    make_config,
    make_end,
    make_negotiations,
    make_quote,
    make_supplier,
    quote_fields,
)
from serving import sql

from actors.errors import NegotiatorError
from actors.negotiators.model_settings import Prices
from actors.negotiators.scripted import Scripted
from actors.reading import Reading
from actors.report.record import UNREAD_LIMITS, report_record
from actors.system import NegotiationSystem
from storage.calls import Outcome
from storage.errors import DamagedRow, UnknownRecord
from storage.ledger import Ledger
from storage.records import Negotiation, QuoteId
from storage.rules import Budget
from storage.store import Store

COMPUTED = {"total", "round", "models", "supplier", "limit_totals", "messages", "interventions"}
"""What a record has beside columns."""


class GivesUp(NegotiatorError):
    retryable = False


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which every figure of PRIVATE stands, and is private."""
    folder = tmp_path_factory.mktemp("hostile")
    exhibits.hostile(folder / "parley.db")
    return folder


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """The same, to be changed by another hand."""
    with (
        closing(sqlite3.connect(folder / "parley.db")) as source,
        closing(sqlite3.connect(tmp_path / "parley.db")) as target,
    ):
        source.backup(target)
    return tmp_path


def reading(folder: Path) -> Reading:
    return Reading(Store(folder / "parley.db", read_only=True))


def told(folder: Path, **options: Any) -> dict[str, Any]:
    """The record of the only quote, or of the first."""
    face = reading(folder)
    return report_record(face, face.quotes()[0].id, **options)


def figures_of(text: str) -> set[str]:
    """The private figures and texts that stand in a text."""
    return {
        secret
        for secret in exhibits.PRIVATE
        if re.search(rf"(?<![\w.]){re.escape(secret)}(?![\w]|\.\d)", text)
    }


def parked(folder: Path, error: BaseException) -> str:
    """The `last_error` that is told of a negotiation whose brand failed so."""
    with NegotiationSystem.start(
        make_config(), database=folder / "parley.db", brand=Scripted(error)
    ) as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)
        system.wait(quote.id, timeout_s=60)
        (negotiation,) = report_record(system, quote.id)["negotiations"]
    return str(negotiation["last_error"])


def test_names_are_the_columns(folder: Path) -> None:
    def columns(table: str) -> set[str]:
        return {name for _, name, *_ in sql(folder, f"PRAGMA table_info({table})")} | COMPUTED

    record = told(folder, private=True)

    assert set(record["quote"]) <= columns("quotes")
    for negotiation in record["negotiations"]:
        assert set(negotiation) - {"calls"} <= columns("negotiations")
        for noun in ("messages", "interventions"):
            for row in negotiation[noun]:
                assert set(row) <= columns(noun)


def test_private_figures_and_guidance_are_told_to_private_eyes_only(folder: Path) -> None:
    public, private = told(folder), told(folder, private=True)

    assert figures_of(json.dumps(private)) == set(exhibits.PRIVATE)
    assert figures_of(json.dumps(public)) == set()
    assert (public["private"], private["private"]) == (False, True)
    assert "priorities" not in json.dumps(public)


def test_what_is_private_is_left_out_not_emptied(folder: Path) -> None:
    record = told(folder)
    (one,) = record["negotiations"][0]["interventions"]
    (asked,) = (m for m in record["negotiations"][0]["messages"] if m["sender"] == "user")

    assert not {"text", "limits", "priorities"} & set(one)
    assert not {"mandate", "priorities", "brought"} & set(record["quote"])
    assert "content" not in asked


def test_it_holds_no_hash_by_which_a_guess_could_be_proved(folder: Path) -> None:
    def keys(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from value
            value = list(value.values())
        if isinstance(value, list):
            for each in value:
                yield from keys(each)

    assert not [key for key in keys(told(folder)) if "hash" in key]


def test_suppliers_stand_in_the_order_in_which_they_were_asked(folder: Path) -> None:
    record = told(folder)
    totals = [float(negotiation["total"]) for negotiation in record["negotiations"]]

    assert [n["supplier_id"] for n in record["negotiations"]] == record["quote"]["suppliers"]
    assert totals == sorted(totals, reverse=True)  # here the cheaper one was asked last


def test_messages_tell_their_round_and_total(folder: Path) -> None:
    first = told(folder)["negotiations"][0]["messages"]

    assert [(m["sender"], m["round"], m["total"]) for m in first] == [
        ("brand", 0, "680000.00"),
        ("user", 0, None),
        ("brand", 0, "700000.00"),
        ("supplier", 1, "790000.00"),
        ("brand", 1, "710000.00"),
        ("supplier", 2, "750000.00"),
        ("brand", 2, "750000.00"),
    ]


def test_limits_are_told_from_the_message_on_that_changed_them(folder: Path) -> None:
    first, second = told(folder, private=True)["negotiations"]

    assert first["limit_totals"] == {
        "brand": [{"seq": 1, "total": "837113.00"}, {"seq": 2, "total": "801331.00"}],
        "supplier": [{"seq": 1, "total": "619337.00"}],
    }
    assert second["limit_totals"]["brand"] == [{"seq": 1, "total": "837113.00"}]


@pytest.mark.parametrize(
    "error",
    [
        GivesUp("up to 8371.13 we go"),
        GivesUp("the brand's draft was refused twice: 8371.13"),
        GivesUp("8371.13: too much"),
    ],
)
def test_a_negotiators_own_words_about_its_failure_are_private(
    tmp_path: Path, error: BaseException
) -> None:
    assert parked(tmp_path, error) == "the brand's negotiator made no move"
    assert "8371.13" in json.dumps(told(tmp_path, private=True))


def test_the_rule_that_refused_a_draft_twice_is_told(tmp_path: Path) -> None:
    above = {"move": "offer", "text": "Here.", "terms": {"unit_prices": {"widget": "8.01"}}}
    terms = above["terms"] | {"lead_time_days": 30, "payment": "30/70"}  # type: ignore[operator]
    with NegotiationSystem.start(
        make_config(), database=tmp_path / "parley.db", brand=Scripted(above | {"terms": terms})
    ) as system:
        quote = system.create_quote(quote_fields(limit="8.00"))
        system.start_negotiations(quote.id)
        system.wait(quote.id, timeout_s=60)
        (negotiation,) = report_record(system, quote.id)["negotiations"]

    assert negotiation["last_error"] == "the brand's draft was refused twice: limit"


def test_a_reason_that_repeats_a_limit_is_private(copy: Path) -> None:
    why = "limits.unit_price: expected a plain number, not '8371.13x'"
    sql(copy, "UPDATE interventions SET reason = ?", why)

    public, private = (told(copy, private=private) for private in (False, True))

    assert public["negotiations"][0]["interventions"][0]["reason"] == UNREAD_LIMITS
    assert private["negotiations"][0]["interventions"][0]["reason"] == why


def test_it_tells_what_verify_says_of_this_quote_alone(copy: Path) -> None:
    (played,) = reading(copy).quotes()
    pending = make_quote()
    Store(copy / "parley.db").add_quote(pending)
    sql(copy, "UPDATE messages SET content = 'Free!' WHERE seq = 3")
    sql(copy, "INSERT INTO interventions (id, negotiation_id, text) VALUES ('i-1', 'n-gone', 'x')")

    of_played = report_record(reading(copy), played.id)
    of_pending = report_record(reading(copy), pending.id)

    spoilt = {fault["where"]["negotiation_id"] for fault in of_played["verify"]["faults"]}
    assert spoilt == {negotiation["id"] for negotiation in of_played["negotiations"]}
    assert of_pending["verify"]["faults"] == []
    looked_at = of_pending["verify"]["counted"]
    assert {noun: count for noun, count in looked_at.items() if count} == {"quotes": 1}


def test_calls_are_told_with_what_they_cost(store: Ledger, tmp_path: Path) -> None:
    quote = make_quote()
    store.add_quote(quote)
    with store.connection(), store.transaction():
        _, (opened,) = store.open_negotiations(quote.id, make_negotiations(quote))
        call = make_call(opened)
        store.start_call(call, Budget())
        store.end_call(make_end(call.id, prompt_tokens=900, completion_tokens=100))

    prices = Prices.model_validate({"prompt": "1.00", "completion": "2.00"})
    (negotiation,) = told(tmp_path, prices=prices)["negotiations"]

    assert negotiation["models"]["cost"] == "0.0011"
    assert negotiation["calls"][0]["outcome"] == Outcome.ANSWERED
    assert negotiation["calls"][0]["prompt_tokens"] == 900


def test_terms_that_lack_a_line_have_no_total_and_verify_says_so(copy: Path) -> None:
    sql(
        copy, """UPDATE messages SET terms = replace(terms, '"widget"', '"gadget"') WHERE seq = 1"""
    )

    record = told(copy)

    assert record["negotiations"][0]["messages"][0]["total"] is None
    assert record["verify"]["faults"]


def test_what_is_read_is_as_of_one_instant(copy: Path) -> None:
    face = reading(copy)
    with face.instant():
        (quote,) = face.quotes()
        sql(copy, "UPDATE quotes SET notes = 'changed meanwhile'")
        within = face.quote(quote.id)

    assert within.notes == quote.notes
    assert face.quote(quote.id).notes == "changed meanwhile"


def test_a_report_tells_one_instant_while_others_write(copy: Path) -> None:
    class Overtaken(Reading):
        """Another program writes in the middle of it."""

        def negotiations(self, quote_id: QuoteId) -> list[Negotiation]:
            found = super().negotiations(quote_id)
            sql(copy, "UPDATE messages SET content = 'written meanwhile' WHERE seq = 1")
            return found

    face = Overtaken(Store(copy / "parley.db", read_only=True))
    record = report_record(face, face.quotes()[0].id)

    assert "written meanwhile" not in json.dumps(record)
    assert record["verify"]["faults"] == []
    assert "written meanwhile" in json.dumps(told(copy))


def test_a_quote_that_is_unknown_or_damaged_is_named(copy: Path) -> None:
    with pytest.raises(UnknownRecord, match="q-none"):
        report_record(reading(copy), QuoteId("q-none"))

    sql(copy, "UPDATE negotiations SET agreed_terms = '{'")

    with pytest.raises(DamagedRow, match="agreed_terms"):
        told(copy)


def test_each_of_a_hundred_suppliers_is_told_in_its_place(tmp_path: Path) -> None:
    suppliers = [make_supplier(number) for number in range(1, 101)]
    with NegotiationSystem.start(make_config(suppliers), database=tmp_path / "parley.db") as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id, automatic=False)
        system.wait(quote.id, timeout_s=60)
        record = report_record(system, quote.id)

    assert record["verify"]["counted"]["negotiations"] == 100
    assert [n["supplier_id"] for n in record["negotiations"]] == [s.id for s in suppliers]
