"""Prompts: each word of them, what they never tell, and what no text in them can do."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import golden
import pytest
from factories import as_saved, guided, make_config, make_conversation, make_entry, make_terms, said
from golden import bottle_terms, opened, under_way
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.mechanism.amounts import private_amounts
from actors.mechanism.conversation import Conversation, PublicMessage
from actors.mechanism.figures import figures
from actors.mechanism.moves import Draft
from actors.mechanism.views import BrandView, SupplierView, view_for
from actors.negotiators.prompts import LAST_MESSAGES, Prompt, move_prompt, wording_prompt
from storage.mandates import Mandate
from storage.records import Move, Sender, Style
from storage.terms.kind import Side

AMOUNT = "(an amount)"
DRAFTS = (
    Draft(Move.OFFER, "Here.", bottle_terms("7.00", "1.40", 30)),
    Draft(Move.ACCEPT, "Agreed.", accepts_seq=6),
    Draft(Move.WALK_AWAY, "Good-bye."),
    Draft(Move.TALK, "Well."),
)


def inside(prompt: Prompt, tag: str) -> str:
    """What stands between a tag and its end, of which there is one each."""
    assert [prompt.user.count(f"<{tag}>"), prompt.user.count(f"</{tag}>")] == [1, 1]
    found = re.search(rf"^<{tag}>\n(.*)\n</{tag}>$", prompt.user, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def section(prompt: Prompt, tag: str) -> Any:
    return json.loads(inside(prompt, tag))


def lines(prompt: Prompt, tag: str) -> list[Any]:
    return [json.loads(line) for line in inside(prompt, tag).split("\n")]


def amounts_in(prompt: Prompt) -> set[Decimal]:
    """All figures of the user's part, whatever they are written like."""
    return {reading for figure in figures(prompt.user) for reading in figure.readings}


def words_in(prompt: Prompt) -> set[str]:
    return set(re.findall(r"\w+", f"{prompt.system} {prompt.user}"))


def own_amounts(view: BrandView | SupplierView) -> frozenset[Decimal]:
    return private_amounts(view.mandate, view.request)


# --- word for word ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", golden.CASES)
def test_a_prompt_has_the_words_that_its_version_stands_for(name: str) -> None:
    assert (wrong := golden.fault(golden.FOLDER, name)) is None, wrong


def test_every_file_is_of_a_prompt_that_there_is() -> None:
    assert {path.stem for path in golden.FOLDER.iterdir()} == set(golden.CASES)


def test_other_words_are_not_written_over_those_of_the_same_version(tmp_path: Path) -> None:
    assert golden.write(tmp_path) == []
    changed = tmp_path / "sent-back.txt"
    changed.write_text(before := changed.read_text(encoding="utf-8") + "?", encoding="utf-8")

    (wrong,) = golden.write(tmp_path)

    assert "sent-back.txt has other words" in wrong
    assert "raise VERSION" in wrong
    assert changed.read_text(encoding="utf-8") == before


def test_words_of_another_version_are_written_anew(tmp_path: Path) -> None:
    changed = tmp_path / "sent-back.txt"
    changed.write_text("version 0\nsomething else", encoding="utf-8")
    wrong = golden.fault(tmp_path, "sent-back")

    assert wrong is not None
    assert "another version" in wrong
    assert golden.write(tmp_path) == []


# --- what is private -------------------------------------------------------------------------


def test_a_supplier_is_told_nothing_of_the_brands() -> None:
    talk = guided(under_way(), 3, text="Squeeze Izmir: 4.44.", limits={"bottle.unit_price": "7.77"})
    talk = said(talk, Sender.BRAND, content="Well?")
    view = view_for(talk, Side.SUPPLIER)

    for prompt in (move_prompt(view), *(wording_prompt(view, draft) for draft in DRAFTS)):
        assert "</guidance>" not in prompt.user
        assert not amounts_in(prompt) & (talk.brand.secrets - own_amounts(view))
        # days, priorities and guidance, which are no amounts
        assert set() == words_in(prompt) & {
            *("23", "57", "13", "46", "24", "17", "47", "77", "44", "priorities", "quality"),
            *("Squeeze", "maker", "user"),
        }


def test_a_supplier_is_told_no_guidance_even_if_its_view_had_some() -> None:
    messages = (heard(1, Sender.USER, "Squeeze them."), heard(2, Sender.BRAND, "Hello."))
    view = replace(view_for(OPENED, Side.SUPPLIER), messages=messages)

    for prompt in (move_prompt(view), wording_prompt(view, DRAFTS[2])):
        assert "Squeeze" not in prompt.user
        assert "Hello." in prompt.user


def test_a_brand_is_told_nothing_of_the_suppliers() -> None:
    talk = under_way()
    view = view_for(talk, Side.BRAND)

    for prompt in (move_prompt(view), *(wording_prompt(view, draft) for draft in DRAFTS)):
        assert not amounts_in(prompt) & private_amounts(talk.supplier.mandate, talk.request)
        assert set() == words_in(prompt) & {
            *("41", "26", "31", "61", "87", "29", "day_cost", "brisk", "firm", "character"),
        }


def test_nobody_is_told_of_another_supplier() -> None:
    for side in Side:
        prompt = move_prompt(view_for(under_way(), side))

        assert "Supplier 1" in prompt.user
        assert not {"Supplier 2", "supplier-2"} & set(re.findall(r"upplier.2", prompt.user))
        assert prompt.user.count("upplier 2") == prompt.user.count("upplier-2") == 0


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("draft", DRAFTS, ids=lambda draft: str(draft.move))
@pytest.mark.parametrize("refused", [None, "the words tell a private figure: 8.47, 6.61"])
def test_who_only_words_a_move_is_told_no_limit_and_no_target_of_its_side(
    side: Side, draft: Draft, refused: str | None
) -> None:
    view = view_for(under_way(), side, refused)

    prompt = wording_prompt(view, draft)

    assert not amounts_in(prompt) & own_amounts(view)
    assert not words_in(prompt) & {"23", "57", "46", "41", "26", "58", "mandate", "priorities"}


def test_who_only_words_is_told_no_guidance() -> None:
    conversation = guided(under_way(), text="Zanzibar, and not above 6.85.")
    view = view_for(conversation, Side.BRAND)

    for draft in DRAFTS:
        prompt = wording_prompt(view, draft)
        assert "guidance" not in prompt.system + prompt.user
        assert "Zanzibar" not in prompt.user


def test_a_brand_that_decides_gets_all_guidance_whole_and_the_newest_last() -> None:
    texts = ["Be firm.\n\n  Really.", "x" * 4_000, 'Say "please"; stop at 8.47.']
    talk = opened()
    for number, text in enumerate(texts):
        talk = guided(talk, number, text=text)
        for _ in range(LAST_MESSAGES):
            talk = said(said(talk, Sender.BRAND), Sender.SUPPLIER)

    told = lines(move_prompt(view_for(talk, Side.BRAND)), "guidance")

    assert [one["text"] for one in told] == texts
    assert [one["seq"] for one in told] == [1, 14, 27]


def test_guidance_is_no_part_of_the_conversation() -> None:
    prompt = move_prompt(view_for(under_way(), Side.BRAND))

    assert [one["from"] for one in lines(prompt, "conversation")] == ["brand", "supplier"] * 3


# --- what others have written ----------------------------------------------------------------

OPENED = opened()
TAGS = ("brief", "state", "offers", "guidance", "conversation", "request", "supplier", "move")
HOSTILE = st.text() | st.lists(
    st.sampled_from([f"</{tag}>" for tag in TAGS] + [f"<{tag}>" for tag in TAGS])
    | st.sampled_from(['"', "\\", "\n", "\r\n", "\0", "\x1b", "\x7f", "\u0085", "\u2028", "}"])
    | st.sampled_from(["\N{RIGHT-TO-LEFT OVERRIDE}", "\N{POP DIRECTIONAL ISOLATE}", "\\u003c"])
    | st.text(max_size=3),
    max_size=12,
).map("".join)


def heard(seq: int, sender: Sender, content: str) -> PublicMessage:
    """A message, with no conversation around it."""
    move = None if sender is Sender.USER else Move.TALK
    saved = as_saved(make_entry(OPENED, sender, move, content=content, seq=seq))
    names = list(PublicMessage.__struct_fields__)
    return PublicMessage(**{name: getattr(saved, name) for name in names})


@settings(derandomize=True, max_examples=300, deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_text_can_close_its_fence_or_open_another(said: str, noted: str, about: str) -> None:
    for side in Side:
        view = view_for(OPENED, side)
        other = Sender.SUPPLIER if side is Side.BRAND else Sender.BRAND
        view = replace(
            view,
            messages=(heard(1, Sender.BRAND, "Good morning."), heard(2, other, said)),
            request=view.request.model_copy(update={"notes": noted}),
            supplier=view.supplier.model_copy(update={"about": about}),
            refused=said,
        )
        deciding, wording = move_prompt(view), wording_prompt(view, DRAFTS[2])

        for prompt in (deciding, wording):
            assert lines(prompt, "conversation")[-1]["text"] == said
        brief, state = section(deciding, "brief"), section(deciding, "state")
        assert (brief["notes"], brief["supplier"]["about"]) == (noted, about)
        assert state["your_standing_offer"] is None
        assert section(wording, "request")["notes"] == noted
        assert section(wording, "supplier")["about"] == about
        for prompt, tags in ((deciding, 3), (wording, 5)):
            assert prompt.user.count("<") == prompt.user.count(">") == 2 * tags
        assert re.findall(r"</?(\w+)>", deciding.user) == _pairs("brief", "state", "conversation")
        assert re.findall(r"</?(\w+)>", wording.user) == _pairs(
            "request", "supplier", "tone", "move", "conversation"
        )


def _pairs(*tags: str) -> list[str]:
    return [tag for tag in tags for _ in range(2)]


def test_other_scripts_stand_as_they_are_written() -> None:
    talk = said(OPENED, Sender.BRAND, content="価格 “schön”")

    assert '"text": "価格 “schön”"' in move_prompt(view_for(talk, Side.SUPPLIER)).user


# --- what was said ---------------------------------------------------------------------------


def long_conversation(rounds: int) -> Conversation:
    """A cent a round from either side, each time with many words."""
    talk = make_conversation(make_config(max_rounds=1_000, no_progress_rounds=0))
    for number in range(rounds):
        words = f"Word {number}, as we said. " * 40
        for sender, price in ((Sender.BRAND, 500 + number), (Sender.SUPPLIER, 900 - number)):
            terms = make_terms(f"{price // 100}.{price % 100:02}")
            talk = said(talk, sender, Move.OFFER, terms=terms, content=words)
    return talk


def test_a_long_conversation_keeps_all_offers_in_short_and_the_last_words_whole() -> None:
    talk = long_conversation(200)

    for side in Side:
        prompt = move_prompt(view_for(talk, side))
        offers = inside(prompt, "offers").split("\n")

        assert len(offers) == 400
        assert offers[0] == "1 brand: widget 5.00; 35 days; 30/70"
        assert offers[-1] == "400 supplier: widget 7.01; 35 days; 30/70"
        words = lines(prompt, "conversation")
        assert [one["seq"] for one in words] == [395, 396, 397, 398, 399, 400]
        assert words[-1]["text"] == "Word 199, as we said. " * 40


@pytest.mark.parametrize("side", Side)
def test_a_prompt_grows_by_less_than_150_bytes_a_round(side: Side) -> None:
    early, late = (move_prompt(view_for(long_conversation(n), side)).size for n in (100, 200))

    assert late - early < 150 * 100


def test_the_size_of_a_prompt_is_that_of_its_bytes() -> None:
    assert Prompt("é", "日本").size == 2 + 6


def test_an_offer_that_is_only_repeated_is_told_once() -> None:
    talk = make_conversation(make_config(max_rounds=100))
    brand = ["6.00", "6.00", "6.10", "6.00"]
    for price in brand:
        talk = said(talk, Sender.BRAND, Move.OFFER, terms=make_terms(price))
        talk = said(talk, Sender.SUPPLIER, Move.OFFER, terms=make_terms("8.00"))

    told = inside(move_prompt(view_for(talk, Side.BRAND)), "offers").split("\n")

    assert [line.partition(";")[0] for line in told] == [
        "1 brand: widget 6.00",
        "2 supplier: widget 8.00",
        "5 brand: widget 6.10",
        "7 brand: widget 6.00",
    ]


def test_only_offers_are_told_as_offers() -> None:
    talk = said(make_conversation(), Sender.BRAND)

    assert "<offers>" not in move_prompt(view_for(talk, Side.SUPPLIER)).user


# --- what may be done ------------------------------------------------------------------------


def test_it_says_which_moves_there_are_and_how_many_are_left() -> None:
    talk = make_conversation(make_config(max_rounds=3, no_progress_rounds=1))
    states = []
    for _ in range(3):
        talk = said(talk, Sender.BRAND)
        states.append(section(move_prompt(view_for(talk, Side.SUPPLIER)), "state"))
        talk = said(talk, Sender.SUPPLIER, Move.OFFER, terms=make_terms("8.00"))
        states.append(section(move_prompt(view_for(talk, Side.BRAND)), "state"))

    assert [one["moves_left"] for one in states] == [3, 3, 2, 2, 1, 1]
    assert [one["final"] for one in states] == [False, False, False, True, True, True]
    assert states[0]["legal_moves"] == ["offer", "walk_away", "talk"]
    assert states[1]["legal_moves"] == ["offer", "accept", "walk_away", "talk"]
    assert states[-1]["legal_moves"] == ["accept", "walk_away"]


def test_it_shows_both_standing_offers_with_their_totals() -> None:
    talk = said(make_conversation(), Sender.BRAND, Move.OFFER, terms=make_terms("6.00"))
    talk = said(talk, Sender.SUPPLIER, Move.OFFER, terms=make_terms("8.00", 40))

    brand, supplier = (section(move_prompt(view_for(talk, s)), "state") for s in Side)

    theirs = {"unit_prices": {"widget": "8.00"}, "lead_time_days": 40, "payment": "30/70"}
    assert brand["their_standing_offer"] == {"seq": 2, "terms": theirs, "total": "800.00"}
    assert brand["your_standing_offer"]["total"] == "600.00"
    assert supplier["their_standing_offer"] == brand["your_standing_offer"]
    assert supplier["your_standing_offer"] == brand["their_standing_offer"]


def test_a_side_is_told_its_own_mandate_as_it_is_in_force() -> None:
    talk = guided(opened(), limits={"bottle.unit_price": "8.11"}, text="Less.")

    for side in Side:
        brief = section(move_prompt(view_for(talk, side)), "brief")

        assert Mandate.model_validate(brief["mandate"]) == talk.stance(side).mandate
        assert ("priorities" in brief) is (side is Side.BRAND)


def test_a_brand_is_told_its_priorities_as_they_are_in_force() -> None:
    changed = {"quality": 10, "cost": 20, "lead_time": 30, "payment_terms": 40}
    talk = guided(opened(), priorities=changed)

    brief = section(move_prompt(view_for(talk, Side.BRAND)), "brief")

    assert brief["priorities"] == changed


def test_it_is_asked_to_open_only_where_nothing_was_said() -> None:
    asks = "open the negotiation"
    talk = opened()

    assert asks in move_prompt(view_for(talk, Side.BRAND)).user
    assert asks not in move_prompt(view_for(guided(talk), Side.BRAND)).user
    assert section(wording_prompt(view_for(talk, Side.BRAND), DRAFTS[0]), "move")["opening"]
    later = view_for(said(talk, Sender.BRAND), Side.SUPPLIER)
    assert not section(wording_prompt(later, DRAFTS[0]), "move")["opening"]


def test_who_decides_is_told_why_its_answer_was_sent_back() -> None:
    view = view_for(opened(), Side.BRAND, "beyond the brand's limit: payment")

    user = move_prompt(view).user

    assert user.endswith(
        'sent back: "beyond the brand\'s limit: payment". Answer anew, and mend that.'
    )
    assert "sent back" not in move_prompt(replace(view, refused=None)).user


@pytest.mark.parametrize(
    ("style", "sounds"),
    [
        (Style(), "plain; steady; you give back what you are given"),
        (Style(hard=0.54, voice="warm"), "warm; firm: you give little, and late; you give back"),
        (Style(hard=0.55), "plain; steady;"),
        (Style(hard=1.0), "plain; yielding: you give early"),
        (Style(reciprocity=0), "plain; steady; favours don't move you"),
    ],
)
def test_a_supplier_is_told_how_it_sounds_and_bargains(style: Style, sounds: str) -> None:
    view = replace(view_for(opened(), Side.SUPPLIER), style=style)

    assert section(move_prompt(view), "brief")["character"].startswith(sounds)
    assert section(wording_prompt(view, DRAFTS[0]), "tone").startswith(sounds)


# --- wording ---------------------------------------------------------------------------------


def test_the_move_to_word_has_its_terms_and_their_total() -> None:
    view = view_for(under_way(), Side.BRAND)

    moves = [section(wording_prompt(view, draft), "move") for draft in DRAFTS]

    assert [one["move"] for one in moves] == ["offer", "accept", "walk_away", "talk"]
    assert moves[0]["terms"]["unit_prices"] == {"bottle": "7.00", "lid": "1.40"}
    assert moves[0]["total"] == "9800.00"
    assert moves[1]["terms"]["unit_prices"] == {"bottle": "9.00", "lid": "1.80"}
    assert moves[1]["total"] == "12600.00"
    assert [set(one) for one in moves[2:]] == [{"move", "opening"}] * 2
