"""Who speaks for whom in one system."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.config import Config
from actors.errors import ConfigError
from actors.negotiators.catalog import speaker_for, speaker_named
from actors.negotiators.negotiator import CUSTOM, Speaker
from storage.records import Supplier, SupplierId
from storage.terms.kind import Side

if TYPE_CHECKING:
    from actors.negotiators.model import Model


class Cast:
    """The speakers of both sides, by the names that negotiations are stored with."""

    def __init__(
        self,
        config: Config,
        *,
        brand: object = None,
        suppliers: object = None,
        pace_s: float = 0.0,
        prompts_beside: Path | None = None,
    ) -> None:
        """Choose the speakers.

        Args:
            brand: A name from the catalog, an object with `next_move(view)`, or None for the
                config's choice.
            suppliers: One of these for all suppliers, or a mapping from supplier id; who is not in
                the mapping is spoken for as configured.
            pace_s: Seconds that an offline negotiator takes for each message.
            prompts_beside: The database beside which prompts are logged, where that is asked for.

        Raises:
            ConfigError: There is no such negotiator, or its model can't be had: no key.
        """
        self._settings = config.mistral
        self._prompts_beside = prompts_beside
        self._model: Model | None = None
        self._making = threading.Lock()
        self._pace_s = pace_s
        self._named: dict[str, Speaker] = {}
        chosen = dict(suppliers) if isinstance(suppliers, Mapping) else {}
        general = None if isinstance(suppliers, Mapping) else suppliers
        self._brand = self._choose(brand or config.negotiators.brand)
        self._suppliers = self._choose(general or config.negotiators.suppliers)
        self._chosen = {supplier: self._choose(who) for supplier, who in chosen.items()}
        self._is_general = general is not None
        if not 0 <= pace_s < math.inf:
            raise ConfigError([f"the pace must be 0 seconds or more, not {pace_s}"])
        for supplier in config.suppliers:
            self.supplier_name(supplier)

    async def close(self) -> None:
        """Close what the model holds open; on the loop that used it."""
        if self._model is not None:
            await self._model.close()

    @property
    def brand_name(self) -> str:
        """The name of who speaks for the brand."""
        return self._brand.name

    def supplier_name(self, supplier: Supplier) -> str:
        """Who speaks for a supplier, by name: the caller's choice, else its own, else all's."""
        if supplier.id in self._chosen:
            return self._chosen[supplier.id].name
        own = supplier.private.negotiator
        if own is None or self._is_general:
            return self._suppliers.name
        return self._choose(own).name

    def speaker(self, side: Side, name: str, supplier_id: SupplierId) -> Speaker:
        """The speaker with that name in a negotiation with that supplier.

        Raises:
            ConfigError: It was given as an object once, and is not any more.
        """
        if name != CUSTOM:
            return self._choose(name)
        given = self._brand
        if side is Side.SUPPLIER:
            given = self._chosen.get(supplier_id, self._suppliers)
        if given.name != CUSTOM:
            raise ConfigError([f"the {side}'s negotiator was an object: give one again"])
        return given

    def at_hand(self, side: Side, name: str, supplier_id: SupplierId) -> Speaker | None:
        """The same, or None while it must first be made, which takes long where it is a model."""
        if name != CUSTOM:
            return self._named.get(name)
        return self.speaker(side, name, supplier_id)

    def _choose(self, who: Any) -> Speaker:
        if not isinstance(who, str):
            return speaker_for(who)
        if who not in self._named:
            self._named[who] = speaker_named(who, model=self._the_model, pace_s=self._pace_s)
        return self._named[who]

    def _the_model(self) -> Model:
        """The one model of this system, made when it is first chosen."""
        with self._making:
            if self._model is None:
                # the SDK takes longer to import than all else together
                from actors.negotiators.mistral import mistral_model

                self._model = mistral_model(self._settings, self._prompts_beside)
            return self._model
