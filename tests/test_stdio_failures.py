"""Each error of the library is told in one way only, and none is forgotten."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors import errors as actors_errors
from actors.errors import ConfigError, InputError, ParleyError, QuoteError
from actors.stdio.failures import CODES, told
from actors.stdio.protocol import CallFailed, Code
from storage import errors as storage_errors
from storage.errors import DamagedRow, StorageError, UnknownRecord

NOT_FOR_CALLERS = (
    actors_errors.ReportError,
    actors_errors.NotThere,
    actors_errors.OfferUnseen,
    actors_errors.NegotiatorError,
    actors_errors.ModelFailed,
    storage_errors.SequenceConflict,
    storage_errors.BudgetReached,
    storage_errors.StaleAgreement,
    storage_errors.RowRefused,
    storage_errors.EngineRunning,
)
"""What happens between actors, in commands, or before there is a peer: in a call it is a bug."""
ROOTS = (ParleyError, InputError, StorageError)
"""Nobody raises these themselves."""


def tree(root: type[Exception]) -> Iterator[type[Exception]]:
    for each in root.__subclasses__():
        if each.__module__ in ("actors.errors", "storage.errors"):
            yield each
            yield from tree(each)


def test_every_error_of_the_library_has_a_code_or_reaches_no_caller() -> None:
    errors = {*tree(ParleyError), *tree(StorageError)} - set(ROOTS)

    assert len(errors) > 15
    assert errors == {*CODES, *NOT_FOR_CALLERS} - {TimeoutError}
    assert set(CODES).isdisjoint(NOT_FOR_CALLERS)


def test_no_two_errors_share_a_code_and_all_are_in_the_range_for_servers() -> None:
    assert len(set(CODES.values())) == len(CODES)
    assert all(-32099 <= code <= -32000 for code in CODES.values())


def test_an_error_is_told_with_its_class_and_its_words() -> None:
    failed = told(UnknownRecord("quote", "q-1"))

    assert (failed.code, failed.data) == (-32010, {"error": "UnknownRecord"})
    assert str(failed) == "there is no quote 'q-1'"  # names no command, which a peer has not


def test_an_error_s_words_steer_no_terminal() -> None:
    assert "\x1b" not in str(told(DamagedRow("quote", "q-\x1b[2J", [])))


@pytest.mark.parametrize("kind", [QuoteError, ConfigError])
def test_what_a_person_wrote_wrong_is_listed(kind: type[InputError]) -> None:
    failed = told(kind(["lines: is missing", "notes: is too long"]))

    assert failed.code == CODES[kind]
    assert failed.data == {
        "error": kind.__name__,
        "mistakes": ("lines: is missing", "notes: is too long"),
    }


@pytest.mark.parametrize("error", [*NOT_FOR_CALLERS, KeyError])
def test_of_a_bug_no_more_is_told_than_that_it_is_one(error: type[Exception]) -> None:
    bug = error.__new__(error)
    bug.args = ("secret 6.40",)

    failed = told(bug)

    assert failed.code == Code.INTERNAL_ERROR
    assert "6.40" not in f"{failed} {failed.data}"


def test_a_failure_of_the_protocol_stays_what_it_is() -> None:
    failed = CallFailed(Code.INVALID_PARAMS, "no")

    assert told(failed) is failed
