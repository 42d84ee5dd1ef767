"""The methods: named as the library's, and all that is wrong with arguments is said."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from factories import make_config, make_supplier, quote_fields

from actors.acting import Acting
from actors.stdio.methods import METHODS, OF_JSON, Arguments, Lane, as_json
from actors.stdio.protocol import CallFailed, Code
from actors.stdio.subscription import Subscription
from actors.system import NegotiationSystem
from storage.calls import Spending
from storage.records import NegotiationId
from storage.tables import MessageRow, NegotiationRow, QuoteRow

PYTHON_S_ALONE = {
    *("start", "stop", "subscribe", "when_still", "wait", "instant"),
    *("loaded", "moving", "prices", "halted"),
}
"""Methods of the face that mean something in its own process only, or that a session has itself."""
UNHEARD = "of a side that nobody sees"


def mistakes(method: str, params: Any) -> list[str]:
    with pytest.raises(CallFailed) as refused:
        METHODS[method][1].read(params)
    assert refused.value.code == Code.INVALID_PARAMS
    return list(refused.value.data["mistakes"])


def test_every_call_of_the_face_is_a_method() -> None:
    face = {name for name in dir(NegotiationSystem) if not name.startswith("_")}

    assert face - PYTHON_S_ALONE == set(METHODS)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_its_arguments_are_the_library_s(method: str) -> None:
    known = [*inspect.signature(getattr(NegotiationSystem, method)).parameters]

    assert METHODS[method][1].names == known[1:]


def test_what_is_read_otherwise_than_its_signature_says_is_an_argument_of_something() -> None:
    known = {name for _, arguments in METHODS.values() for name in arguments.names}
    known.update(Arguments(NegotiationSystem.wait).names)

    assert set(OF_JSON) <= known


def test_what_changes_something_is_done_in_order() -> None:
    acting = {name for name, (lane, _) in METHODS.items() if lane is Lane.ACTING}

    assert acting == {name for name in vars(Acting) if name in METHODS}


def test_arguments_come_by_name_or_by_position() -> None:
    by_name = METHODS["start_negotiations"][1].read({"quote_id": "q-1", "automatic": False})
    by_position = METHODS["start_negotiations"][1].read(["q-1", False])

    assert by_name == by_position == {"quote_id": "q-1", "automatic": False}


def test_what_is_left_out_is_left_to_the_library() -> None:
    assert METHODS["start_negotiations"][1].read(["q-1"]) == {"quote_id": "q-1"}


def test_all_that_is_wrong_with_arguments_is_said() -> None:
    assert mistakes("start_negotiations", {"automatic": 1, "quoteid": "q-1"}) == [
        "quote_id: is missing: add it",
        "automatic: expected true or false",
        "quoteid: unknown key: did you mean quote_id? known are quote_id, automatic",
    ]


@pytest.mark.parametrize("raw", [1, None, True, ["q-1"], {}])
def test_an_id_is_text(raw: Any) -> None:
    assert mistakes("quote", {"quote_id": raw}) == ["quote_id: expected text: write it in quotes"]


def test_a_method_that_takes_nothing_says_so() -> None:
    assert mistakes("quotes", {"x": 1}) == ["x: unknown key: leave it out"]


@pytest.mark.parametrize("raw", ["message.saved", 1, {}])
def test_events_are_a_list(raw: Any) -> None:
    with pytest.raises(CallFailed) as refused:
        Arguments(Subscription).read({"events": raw})

    assert str(refused.value) == "events: expected a list: write [ ] around it"


def test_what_is_keyword_only_is_not_taken_by_position() -> None:
    assert mistakes("add_user_intervention", ["Hurry.", "n-1"]) == [
        "takes 1 by position: name the others"
    ]


@pytest.mark.parametrize("raw", [1, True, [], 1.5])
def test_a_quote_is_an_object_or_a_path(raw: Any) -> None:
    assert mistakes("create_quote", {"quote": raw}) == [
        "quote: expected an object with a quote's keys, or a TOML file's path as text"
    ]


@pytest.mark.parametrize("raw", ["1", True, -1, -0.5])
def test_a_time_limit_is_a_number_that_is_not_negative(raw: Any) -> None:
    with pytest.raises(CallFailed):
        Arguments(NegotiationSystem.wait).read({"quote_id": "q-1", "timeout_s": raw})


@pytest.mark.parametrize("raw", [None, 0, 0.5, 10**9])
def test_a_time_limit_may_be_whole_or_left_open(raw: Any) -> None:
    read = Arguments(NegotiationSystem.wait).read({"quote_id": "q-1", "timeout_s": raw})

    assert read["timeout_s"] == raw


# Results


@pytest.fixture
def system(tmp_path: Path) -> NegotiationSystem:
    config = make_config([make_supplier(1, style={"voice": UNHEARD}), make_supplier(2)])
    return NegotiationSystem.start(config, database=tmp_path / "parley.db")


def test_a_supplier_s_private_side_is_in_no_result(system: NegotiationSystem) -> None:
    bring = make_supplier(3, style={"voice": UNHEARD}).model_dump(mode="json")
    quote = system.create_quote(quote_fields(supplier=[bring]))
    system.start_negotiations(quote.id)
    negotiations = system.wait(quote.id, timeout_s=60)

    said = str(
        [
            as_json(each)
            for each in (
                *(quote, system.quotes(), negotiations, system.negotiation(negotiations[0].id)),
                *(system.messages(each.id) for each in negotiations),
            )
        ]
    )

    assert UNHEARD in negotiations[0].model_dump_json()
    assert UNHEARD in quote.model_dump_json()
    assert UNHEARD not in said
    assert "floor" not in said


def test_records_have_the_columns_names(system: NegotiationSystem) -> None:
    quote = system.create_quote(quote_fields())
    (first, _) = system.start_negotiations(quote.id)
    system.wait(quote.id, timeout_s=60)

    said = as_json(quote), as_json(first), as_json(system.messages(first.id)[0])

    for record, row in zip(said, (QuoteRow, NegotiationRow, MessageRow), strict=True):
        columns = {*row._meta.columns}
        assert set(record) == columns - {"brought"}


def test_what_a_quote_has_spent_is_told_by_negotiation() -> None:
    spent = {NegotiationId("n-1"): Spending(calls=2, prompt_tokens=3)}

    assert as_json(spent) == {
        "n-1": {"calls": 2, "prompt_tokens": 3, "completion_tokens": 0, "unknown": 0}
    }


def test_findings_are_told_as_by_verify(system: NegotiationSystem) -> None:
    assert as_json(system.verify())["faults"] == []
