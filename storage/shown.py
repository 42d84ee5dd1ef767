"""Short forms: what a person sees of a record at a prompt, in a list or in an error."""

from __future__ import annotations

from storage.terms.kind import Record

LONGEST_SHOWN = 60
"""Characters of a text after which a short form cuts it."""


class Shown(Record):
    """A record that a person meets: `repr` is one short line, with nothing private in it."""

    def in_short(self) -> str:
        """Its ids and where it stands; every text in it went through `short`."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.in_short()}>"

    def __str__(self) -> str:
        return repr(self)


def short(text: str) -> str:
    """A text on one line, cut, with control and invisible characters shown, not obeyed."""
    inert = repr(text[:LONGEST_SHOWN])[1:-1]
    return f"{inert}…" if len(text) > LONGEST_SHOWN else inert
