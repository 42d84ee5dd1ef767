"""Negotiators by name: what config, command line and saved negotiations call them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from actors.errors import ConfigError
from actors.mechanism.views import BrandView, SupplierView
from actors.negotiators.names import MODEL_NAMES, known_negotiator
from actors.negotiators.negotiator import CUSTOM, Negotiator, Speaker
from actors.negotiators.tactics import Tactics
from storage.records import Origin

if TYPE_CHECKING:
    from actors.negotiators.model import Model

FALLBACK = "tactics"
"""Who decides when a model's draft was refused twice."""


def speaker_named(name: str, *, model: Callable[[], Model], pace_s: float = 0.0) -> Speaker:
    """The negotiator with that name.

    Args:
        model: Gives the model that is behind some of them; called only for these.
        pace_s: Seconds that an offline negotiator takes for a message, so that one can watch.

    Raises:
        ConfigError: There is none with that name, or the model can't be had.
    """
    try:
        known_negotiator(name)
    except ValueError as error:
        raise ConfigError([f"{name!r}: {error}"]) from None
    tactics = Tactics()
    if name in MODEL_NAMES:
        return _with_model(name, tactics, model())
    return Speaker.of(name, Paced(tactics, pace_s) if pace_s else tactics, Origin.TACTICS)


def _with_model(name: str, tactics: Tactics, model: Model) -> Speaker:
    from actors.negotiators.llm import ModelNegotiator, Narrator  # none of it without a model

    if name == "narrated":
        return Speaker.calling(name, Narrator(tactics, model), Origin.NARRATED, FALLBACK)
    return Speaker.calling(name, ModelNegotiator(model), Origin.MISTRAL, FALLBACK)


def speaker_for(negotiator: object) -> Speaker:
    """A negotiator given as an object; its refused drafts park the negotiation.

    Raises:
        ConfigError: It has no `next_move`.
    """
    if not callable(getattr(negotiator, "next_move", None)):
        raise ConfigError([f"{negotiator!r} is no negotiator: it has no next_move(view)"])
    return Speaker.of(CUSTOM, cast("Negotiator", negotiator), Origin.SCRIPT)


class Paced:
    """Any negotiator, slowed down."""

    def __init__(self, negotiator: Negotiator, pace_s: float) -> None:
        self._negotiator = negotiator
        self._pace_s = pace_s

    async def next_move(self, view: BrandView | SupplierView) -> Any:
        """The other's move, `pace_s` seconds later."""
        await asyncio.sleep(self._pace_s)
        move = self._negotiator.next_move(view)
        return await move if inspect.isawaitable(move) else move
