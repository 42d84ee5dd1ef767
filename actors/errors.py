"""What callers of the face can meet, and what a negotiator may raise.

ParleyError
├── ConfigError        the config has mistakes; all of them are listed
├── QuoteError         the quote has mistakes; all of them are listed
├── InterventionError  the intervention has mistakes; all of them are listed
├── ReportError        the report can't be made or written there
├── NothingToContinue  it moves by itself
├── NotThere           a handle was asked for what it has not
├── OfferUnseen        a person would accept an offer that they have not seen
├── SystemHalted       nothing can be saved any more, so nobody may speak
├── SystemStopped      the system was stopped before it could answer
└── NegotiatorError    no move could be made
    └── ModelFailed    its model could not be asked, or would not answer
What the database refuses is in `storage.errors`.
"""

from __future__ import annotations

from collections.abc import Sequence

from actors.inert import inert


class ParleyError(Exception):
    """The root of our own errors."""


class InputError(ParleyError):
    """Something that a person wrote can't be used; nothing was changed."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(map(inert, mistakes))
        super().__init__("\n".join(self.mistakes))
        """One line each: the source, the field, what is wrong, what to do; harmless to print."""


class ConfigError(InputError):
    """The config has mistakes."""


class QuoteError(InputError):
    """The quote has mistakes."""


class InterventionError(InputError):
    """The intervention has mistakes."""


class ReportError(InputError):
    """The report can't be made, or not be written where it should; nothing was changed."""


class NothingToContinue(ParleyError):
    """Only a negotiation that waits or is parked can be continued."""

    def __init__(self, record_id: str) -> None:
        super().__init__(f"nothing of {record_id} waits or is parked: it moves by itself")
        self.record_id = record_id


class NotThere(ParleyError, LookupError):
    """There is nothing by that name; the message says what there is."""


class OfferUnseen(ParleyError):
    """The supplier's offer that stands is not the one that a person was shown last."""


class SystemHalted(ParleyError):
    """Nothing can be saved any more, so nobody may speak; what is saved is safe."""


class SystemStopped(ParleyError):
    """The system was stopped before it could answer."""


class NegotiatorError(ParleyError):
    """A negotiator could not make a move; its words go to `last_error`, and to no log."""

    retryable = True
    """Whether asking again may help."""


class ModelFailed(NegotiatorError):
    """The model could not be asked, however often it was tried."""

    retryable = False
    """The attempts that are allowed were made."""
