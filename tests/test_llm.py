"""Negotiators with a model behind them: what they ask, and what they make of the answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from factories import guided, make_config, make_conversation, make_supplier, make_terms, said
from rehearsal import Rehearsal, rehearse

from actors.errors import ModelFailed
from actors.mechanism.conversation import Conversation
from actors.mechanism.moves import Draft, Withheld
from actors.mechanism.rulebook import judge
from actors.mechanism.ruling import Rule, Ruling
from actors.mechanism.views import View, view_for
from actors.negotiators.answers import MOVE, WORDING, Schema
from actors.negotiators.errand import Errand
from actors.negotiators.llm import ModelNegotiator, Narrator
from actors.negotiators.model import CallFailed, Model, Reply
from actors.negotiators.model_settings import ModelSettings
from actors.negotiators.prompts import Prompt, move_prompt, wording_prompt
from actors.negotiators.tactics import Tactics
from storage.calls import CallEnd, CallStart, Outcome
from storage.records import Move, NegotiationId, Origin, QuoteId, Sender, SupplierId
from storage.rules import Budget
from storage.terms.kind import Side

Line = str | BaseException | Reply


def reply(text: str | None, finish_reason: str | None = "stop") -> Reply:
    return Reply(text, finish_reason, "served", 100, 20)


def words(text: str) -> str:
    return json.dumps({"text": text})


class Parrot:
    """A model that answers by a script; the last line again when it is over."""

    def __init__(self, *script: Line) -> None:
        self.script = list(script)
        self.asked: list[tuple[Prompt, Schema]] = []

    async def complete(self, prompt: Prompt, schema: Schema) -> Reply:
        self.asked.append((prompt, schema))
        line = self.script[min(len(self.asked), len(self.script)) - 1]
        if isinstance(line, BaseException):
            raise line
        return reply(line) if isinstance(line, str) else line

    async def close(self) -> None: ...


@dataclass
class Pages:
    """A book of calls in memory."""

    started: list[CallStart] = field(default_factory=list)
    ended: list[CallEnd] = field(default_factory=list)

    async def start(self, call: CallStart, budget: Budget) -> None:
        self.started.append(call)

    def end(self, call: CallStart, end: CallEnd, supplier_id: SupplierId) -> None:
        self.ended.append(end)

    @property
    def outcomes(self) -> list[Outcome]:
        return [end.outcome for end in self.ended]


@dataclass
class Stage:
    """A negotiator, the model behind it, and its book."""

    make: Callable[[Model], ModelNegotiator | Narrator]
    parrot: Parrot
    book: Pages = field(default_factory=Pages)

    def errand(self, side: Side) -> Errand:
        return Errand(
            quote_id=QuoteId("q-1"),
            negotiation_id=NegotiationId("n-1"),
            supplier_id=SupplierId("s-1"),
            draft_id="d-1",
            side=side,
            timeout_s=60.0,
            budget=Budget(),
            book=self.book,
            news=lambda: None,
        )

    async def next_move(self, view: Any) -> Draft | Withheld:
        negotiator = self.make(Model(self.parrot, ModelSettings(retry_pause_s=0)))
        return await negotiator.next_move(view, self.errand(view.utility.side))

    def draft(self, view: View) -> Draft | Withheld:
        return asyncio.run(self.next_move(view))

    @property
    def prompt(self) -> Prompt:
        """The one that was asked."""
        ((prompt, _),) = self.parrot.asked
        return prompt


def deciding(*script: Line) -> Stage:
    return Stage(ModelNegotiator, Parrot(*script))


def narrating(*script: Line) -> Stage:
    return Stage(lambda model: Narrator(Tactics(), model), Parrot(*script))


def ruled(talk: Conversation, side: Side, draft: object) -> Ruling:
    return judge(talk, side, draft, Origin.NARRATED)


def refusal(talk: Conversation, side: Side, draft: object) -> Rule | None:
    refused = ruled(talk, side, draft).refusal
    return None if refused is None else refused.rule


def move_section(prompt: Prompt) -> dict[str, Any]:
    _, _, rest = prompt.user.partition("<move>\n")
    found: dict[str, Any] = json.loads(rest.partition("\n</move>")[0])
    return found


# Where tactics open, answer, accept and walk away

GENEROUS = make_config(
    [make_supplier(floor="4.00", payment=["net 30"]), make_supplier(2)], max_rounds=2
)


def opening() -> tuple[Conversation, Side]:
    return make_conversation(GENEROUS), Side.BRAND


def answering() -> tuple[Conversation, Side]:
    offer = make_terms("5.00", 25, "net 30")
    return said(opening()[0], Sender.BRAND, Move.OFFER, terms=offer), Side.SUPPLIER


def accepting() -> tuple[Conversation, Side]:
    offer = make_terms("5.00", 25, "net 30")
    return said(answering()[0], Sender.SUPPLIER, Move.OFFER, terms=offer), Side.BRAND


def leaving() -> tuple[Conversation, Side]:
    talk = answering()[0]
    for _ in range(2):
        talk = said(talk, Sender.SUPPLIER, Move.OFFER, terms=make_terms("8.01", 45, "net 30"))
    return talk, Side.BRAND


SCENES = {
    "opening": (opening, Move.OFFER),
    "answering": (answering, Move.OFFER),
    "accepting": (accepting, Move.ACCEPT),
    "leaving": (leaving, Move.WALK_AWAY),
}
scenes = pytest.mark.parametrize(("scene", "move"), SCENES.values(), ids=SCENES)
Scene = Callable[[], tuple[Conversation, Side]]


# --- a model that decides --------------------------------------------------------------------


def test_a_move_of_the_model_is_a_draft_for_the_rules() -> None:
    talk, side = opening()
    stage = deciding(
        json.dumps(
            {
                "move": "offer",
                "text": "We offer 6.40.",
                "accepts_seq": None,
                "unit_prices": [{"line": "widget", "price": "6.40"}],
                "lead_time_days": 30,
                "payment": "30/70",
            }
        )
    )

    entry = ruled(talk, side, stage.draft(view_for(talk, side))).entry

    assert entry is not None
    assert (entry.move, entry.terms) == (Move.OFFER, make_terms("6.40", 30))
    assert stage.book.outcomes == [Outcome.ANSWERED]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("refused", [None, "a line has two prices"])
def test_it_is_asked_for_a_move_with_its_view_and_by_the_schema(
    side: Side, refused: str | None
) -> None:
    view = view_for(accepting()[0], side, refused)
    stage = deciding("{}")

    stage.draft(view)

    assert stage.parrot.asked == [(move_prompt(view), MOVE)]
    assert [(call.side, call.draft_id) for call in stage.book.started] == [(side, "d-1")]


@pytest.mark.parametrize(
    "answer", ["I accept!", "{}", reply(None), reply("{}", "length"), words("Agreed.")]
)
def test_what_is_no_move_comes_back_as_refused_and_is_asked_once(answer: Line) -> None:
    talk, side = accepting()
    stage = deciding(answer)

    draft = stage.draft(view_for(talk, side))

    assert isinstance(draft, Withheld)
    assert refusal(talk, side, draft) is Rule.UNREADABLE
    assert stage.book.outcomes == [Outcome.UNREADABLE]


def test_it_speaks_once_the_model_answers_after_a_passing_fault() -> None:
    talk, side = opening()
    stage = narrating(CallFailed(Outcome.FAILED, "500", retryable=True), words("Good day."))

    draft = stage.draft(view_for(talk, side))

    assert isinstance(draft, Draft)
    assert draft.text == "Good day."
    assert stage.book.outcomes == [Outcome.FAILED, Outcome.ANSWERED]


@pytest.mark.parametrize("stage", [deciding, narrating])
def test_a_model_that_can_not_be_asked_makes_no_move(stage: Callable[..., Stage]) -> None:
    made = stage(CallFailed(Outcome.REFUSED, "the key is wrong", http_status=401))

    with pytest.raises(ModelFailed, match="the key is wrong"):
        made.draft(view_for(*opening()))

    assert made.book.outcomes == [Outcome.REFUSED]


# --- a model that only words -----------------------------------------------------------------


@scenes
def test_a_narrator_changes_the_text_and_nothing_else(scene: Scene, move: Move) -> None:
    talk, side = scene()
    view = view_for(talk, side)
    decided = asyncio.run(Tactics().next_move(view))
    stage = narrating(words("With pleasure."))

    draft = stage.draft(view)

    assert decided.move is move
    assert draft == Draft(move, "With pleasure.", decided.terms, decided.accepts_seq)
    assert refusal(talk, side, draft) is None


@scenes
def test_a_narrator_is_asked_for_the_words_of_the_move(scene: Scene, move: Move) -> None:
    talk, side = scene()
    view = view_for(talk, side)
    stage = narrating(words("Hello."))

    stage.draft(view)

    decided = asyncio.run(Tactics().next_move(view))
    assert stage.parrot.asked == [(wording_prompt(view, decided), WORDING)]
    told = move_section(stage.prompt)
    assert told["move"] == move
    assert told["opening"] is (scene is opening)
    assert ("terms" in told) is ("total" in told) is (move is not Move.WALK_AWAY)


def test_a_narrator_words_an_accept_by_the_terms_that_stand() -> None:
    stage = narrating(words("Agreed."))

    stage.draft(view_for(*accepting()))

    told = move_section(stage.prompt)
    assert told["terms"]["unit_prices"] == {"widget": "5.00"}
    assert told["total"] == "500.00"


def test_a_narrated_game_is_the_game_of_tactics_in_other_words() -> None:
    def facts(played: Rehearsal) -> list[Any]:
        return [(e.sender, e.move, e.terms, e.accepts_seq) for e in played.entries]

    plain = rehearse(make_conversation(), Tactics(), Tactics())
    told = rehearse(make_conversation(), narrating(words("Hm.")), narrating(words("Ah.")))

    assert facts(told) == facts(plain)
    assert told.ending == plain.ending
    assert {e.content for e in told.entries} == {"Hm.", "Ah."}


@pytest.mark.parametrize("answer", ["Hello.", "{}", reply(words("Hel"), "length"), "[]"])
def test_words_that_can_not_be_read_come_back_as_refused(answer: Line) -> None:
    talk, side = accepting()
    stage = narrating(answer)

    draft = stage.draft(view_for(talk, side))

    assert isinstance(draft, Withheld)
    assert refusal(talk, side, draft) is Rule.UNREADABLE
    assert stage.book.outcomes == [Outcome.UNREADABLE]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Agreed, provided you add free shipping.", Rule.CONDITION),
        ("Agreed, subject to our manager's approval.", Rule.CONDITION),
        ("Agreed at USD 4.90 a piece.", Rule.OTHER_AMOUNT),
        ("Agreed: USD 5.00 each, so 510.00 in all.", Rule.OTHER_AMOUNT),
    ],
)
def test_an_accept_whose_words_would_undo_it_goes_back_and_becomes_no_talk(
    text: str, rule: Rule
) -> None:
    talk, side = accepting()
    plain_accept = Draft(Move.ACCEPT, text, accepts_seq=2)
    assert ruled(talk, side, plain_accept).demoted is rule  # what tactics never mean

    draft = narrating(words(text)).draft(view_for(talk, side))

    ruling = ruled(talk, side, draft)
    assert isinstance(draft, Withheld)
    assert ruling.entry is None
    assert ruling.refusal is not None
    assert ruling.refusal.rule is draft.rule is rule


def test_an_accept_may_name_the_terms_that_stand() -> None:
    talk, side = accepting()
    stage = narrating(words("Agreed: USD 5.00 a piece, 25 days, net 30: USD 500.00 in all."))

    ruling = ruled(talk, side, stage.draft(view_for(talk, side)))

    assert ruling.ending is not None
    assert ruling.ending.agreed_terms == make_terms("5.00", 25, "net 30")


def test_the_words_of_an_offer_may_make_a_condition() -> None:
    talk, side = answering()
    text = "We can do that, provided you order this week."

    assert refusal(talk, side, narrating(words(text)).draft(view_for(talk, side))) is None


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("We never pay more than 8.00.", Rule.PRIVATE_FIGURE),
        ("Our budget is USD 800.00.", Rule.PRIVATE_FIGURE),
        ("My people said 7.35.", Rule.PRIVATE_FIGURE),
        ("Supplier 2 is cheaper.", Rule.RIVAL_NAME),
        ("", Rule.UNREADABLE),
        ("x" * 4_001, Rule.UNREADABLE),
    ],
)
def test_the_words_of_a_narrator_are_judged_as_anybodys(text: str, rule: Rule) -> None:
    talk = guided(opening()[0], text="Start low, then 7.35.")

    draft = narrating(words(text)).draft(view_for(talk, Side.BRAND))

    assert isinstance(draft, Draft)
    assert refusal(talk, Side.BRAND, draft) is rule


@scenes
def test_who_words_anew_is_told_so_and_not_which_figure_it_was(scene: Scene, move: Move) -> None:
    talk, side = scene()
    stage = narrating(words("Hello."))

    draft = stage.draft(view_for(talk, side, "the words tell a private figure: 7.77"))

    assert isinstance(draft, Draft)
    assert draft.move is move
    assert "Your last wording was sent back" in stage.prompt.user
    assert "7.77" not in stage.prompt.user
