"""Failures: what a peer is told of each error of the library, with a code of its own."""

from __future__ import annotations

from actors import errors as actors_errors
from actors.inert import inert
from actors.stdio.protocol import CallFailed, Code
from storage import errors as storage_errors

CODES: dict[type[Exception], int] = {
    actors_errors.SystemStopped: -32000,
    actors_errors.SystemHalted: -32001,
    TimeoutError: -32002,
    storage_errors.UnknownRecord: -32010,
    storage_errors.QuoteNotPending: -32011,
    storage_errors.QuoteEnded: -32012,
    storage_errors.NegotiationNotActive: -32013,
    actors_errors.NothingToContinue: -32014,
    actors_errors.QuoteError: -32020,
    actors_errors.InterventionError: -32021,
    actors_errors.ConfigError: -32022,
    storage_errors.DatabaseUnavailable: -32030,
    storage_errors.DatabaseUnusable: -32031,
    storage_errors.DatabaseLost: -32032,
    storage_errors.DamagedRow: -32033,
}
"""By class; a subclass without a code of its own has its parent's."""


def told(error: BaseException) -> CallFailed:
    """What a peer is told of an error; of a bug only that it is one."""
    if isinstance(error, CallFailed):
        return error
    code = next((CODES[each] for each in type(error).__mro__ if each in CODES), None)
    name = type(error).__name__
    if code is None:
        message = "a bug: standard error says more"
        return CallFailed(Code.INTERNAL_ERROR, message, error=name)
    mistakes = error.mistakes if isinstance(error, actors_errors.InputError) else ()
    return CallFailed(code, inert(str(error), lines=True), error=name, mistakes=mistakes)
