"""The seam: whatever can look at a view and name a next move can negotiate."""

from __future__ import annotations

import inspect
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from actors.mechanism.moves import Draft
from actors.mechanism.views import BrandView, SupplierView
from actors.negotiators.errand import Errand
from storage.records import Origin

CUSTOM = "custom"
"""The name under which a negotiator is stored that was given as an object."""

Proposal = Draft | Mapping[str, Any]
"""What a negotiator returns; the rules judge it, so it need not be well-formed."""


class Negotiator(Protocol):
    """Decides the next move of one side; one instance serves all negotiations.

    It keeps nothing between calls: a move is a function of the view. `async def` runs on the loop
    and must not block it; a plain `def` runs in a thread.
    """

    def next_move(self, view: BrandView | SupplierView) -> Any:
        """Propose the next move, as a Proposal or as a coroutine that returns one.

        `view.refused` says why the draft before was sent back.

        Raises:
            NegotiatorError: No move could be made; `retryable` says whether asking again may help.
        """
        ...


class Caller(Protocol):
    """A negotiator that has a model behind it, whose calls are on somebody's account."""

    async def next_move(self, view: BrandView | SupplierView, errand: Errand) -> Any:
        """Propose the next move, as Negotiator does; it keeps the errand's time by itself.

        Raises:
            NegotiatorError: No move could be made.
            BudgetReached: It would take a call that the budget does not allow.
        """
        ...


@dataclass(frozen=True, slots=True)
class Speaker:
    """A negotiator as an agent knows it."""

    name: str
    negotiator: Any
    """A Negotiator or, where it calls, a Caller."""
    origin: Origin
    """Whose words its messages are."""
    fallback: str | None
    """Who decides when its drafts are refused twice; None parks the negotiation."""
    blocks: bool
    """Whether its `next_move` is a plain `def`, so that it needs a thread."""
    calls: bool = False
    """Whether it is a Caller."""

    @classmethod
    def of(
        cls, name: str, negotiator: Negotiator, origin: Origin, fallback: str | None = None
    ) -> Speaker:
        """Make a speaker of a negotiator."""
        blocks = not inspect.iscoroutinefunction(negotiator.next_move)
        return cls(name, negotiator, origin, fallback, blocks)

    @classmethod
    def calling(cls, name: str, caller: Caller, origin: Origin, fallback: str) -> Speaker:
        """Make a speaker of a negotiator with a model behind it."""
        return cls(name, caller, origin, fallback, blocks=False, calls=True)

    def propose(self, view: BrandView | SupplierView) -> Any:
        """The negotiator's move, or a coroutine that returns it."""
        return self.negotiator.next_move(view)

    def propose_on(
        self, errand: Errand, view: BrandView | SupplierView
    ) -> Coroutine[Any, Any, Any]:
        """The same of one with a model behind it."""
        move: Coroutine[Any, Any, Any] = self.negotiator.next_move(view, errand)
        return move
