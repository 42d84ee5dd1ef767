"""The negotiators that a language model is behind: it decides and words, or it only words."""

from __future__ import annotations

from msgspec.structs import replace

from actors.mechanism.agreement import prose_against
from actors.mechanism.moves import Draft, Withheld
from actors.mechanism.views import BrandView, SupplierView
from actors.negotiators.answers import MOVE, WORDING, read_move, read_wording
from actors.negotiators.errand import Errand
from actors.negotiators.model import Model, Question
from actors.negotiators.prompts import move_prompt, wording_prompt
from actors.negotiators.tactics import Tactics
from storage.records import Move


class ModelNegotiator:
    """The model decides the move and its terms, and words them."""

    def __init__(self, model: Model) -> None:
        self._model = model

    async def next_move(self, view: BrandView | SupplierView, errand: Errand) -> Draft | Withheld:
        """Ask for a move; what can't be read comes back as refused, with the reason."""
        return await self._model.ask(Question(move_prompt(view), MOVE, read_move), errand)


class Narrator:
    """Tactics decide the move and its terms; the model only words it, and is told no limit."""

    def __init__(self, tactics: Tactics, model: Model) -> None:
        self._tactics = tactics
        self._model = model

    async def next_move(self, view: BrandView | SupplierView, errand: Errand) -> Draft | Withheld:
        """Word the move of tactics; an accept that its words would undo comes back as refused."""
        draft = await self._tactics.next_move(view)
        question = Question(wording_prompt(view, draft), WORDING, read_wording)
        text = await self._model.ask(question, errand)
        if isinstance(text, Withheld):
            return text
        if draft.move is Move.ACCEPT and view.their_offer is not None:
            against = prose_against(text, view.their_offer.terms, view.request)
            if against is not None:  # the rules would make talk of it, and tactics never talk
                return Withheld(against, "the words make a condition, or name another amount")
        return replace(draft, text=text)
