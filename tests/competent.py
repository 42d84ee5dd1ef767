"""What a model is asked, and one that negotiates well enough: it reads its prompt and never errs.

It concedes in equal steps from its targets to its limits, takes an offer that is as good as its own
next one or the last it will get, and walks away when nothing else is left. The same prompt always
gets the same answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cached_property
from typing import Any, Literal

from storage.money import rounded, tick

LONGEST_PRICES = 3_000
"""Characters that prices may take in a text; where they need more, only the fields name them."""
OFFERS = ("We propose", "What we can do is", "Our next proposal is", "How about")
CLOSINGS = ("Does that suit you?", "Please let us know.", "We hope that helps.")

Json = dict[str, Any]


@dataclass(frozen=True)
class ModelRequest:
    """One call that is by the API's rules, with what our prompts hold."""

    number: int
    """From 0, as they arrive."""
    at: float
    """By the server's clock, in seconds."""
    system: str
    user: str
    body: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    """By lower-case name."""

    @property
    def side(self) -> Literal["brand", "supplier"]:
        """For whom the model speaks."""
        return "brand" if self._beginning[1] == "brand" else "supplier"

    @property
    def task(self) -> Literal["move", "wording"]:
        """What is asked for: a move, or the words of one."""
        return "move" if self._beginning[0] == "negotiate for" else "wording"

    @property
    def supplier(self) -> str:
        """The name of the supplier in this negotiation."""
        profile = self.section("supplier") or self.section("brief")["supplier"]
        return str(profile["name"])

    def section(self, tag: str) -> Any:
        """The JSON between a tag and its end; None where the prompt has no such section."""
        inside = self._inside(tag)
        return None if inside is None else json.loads(inside)

    def lines(self, tag: str) -> list[Any]:
        """The same of a section with one JSON a line."""
        return [json.loads(line) for line in (self._inside(tag) or "").split("\n") if line]

    def _inside(self, tag: str) -> str | None:
        found = re.search(rf"^<{tag}>\n(.*?)\n</{tag}>$", self.user, re.DOTALL | re.MULTILINE)
        return found[1] if found else None

    @cached_property
    def _beginning(self) -> tuple[str, str]:
        begins = r"You (negotiate for|word what) a (brand|supplier)\b"
        found = re.match(begins, self.system)
        if found is None:
            raise ValueError(f"no prompt of ours: {self.system[:80]!r}")
        return found[1], found[2]


def competent(request: ModelRequest) -> Json:
    """Answer what a prompt of ours asks for: a move, or the words of one."""
    return _wording(request) if request.task == "wording" else _move(request)


# A move


def _move(request: ModelRequest) -> Json:
    brief, state = request.section("brief"), request.section("state")
    legal, theirs = state["legal_moves"], state["their_standing_offer"]
    made = _moves_made(request)
    offer = _next_offer(request, made) if "offer" in legal else None
    if theirs and "accept" in legal and _keeps_limits(request, theirs["terms"]):
        last_chance = offer is None or state["final"] or state["moves_left"] <= 1
        if last_chance or _is_as_good(request, Decimal(theirs["total"]), offer):
            return _answer(brief, "accept", _agreement(request), accepts_seq=theirs["seq"])
    if offer is None:
        return _answer(brief, "walk_away", FAREWELL)
    prices = [{"line": line, "price": price} for line, price in offer["unit_prices"].items()]
    text = f"{_turn(OFFERS, made)} {_terms_words(brief, offer)}. {_turn(CLOSINGS, made)}"
    return _answer(brief, "offer", text, **offer | {"unit_prices": prices})


def _answer(brief: Json, move: str, text: str, **given: Any) -> Json:
    """All fields of the schema; what does not apply is null."""
    fields = ("accepts_seq", "unit_prices", *_others(brief))
    return {"move": move, "text": text, **dict.fromkeys(fields), **given}


def _moves_made(request: ModelRequest) -> int:
    """How often its side has spoken: the two take turns, and a person's words are nobody's turn."""
    guidance = request.lines("guidance")
    last_seq = max((m["seq"] for m in [*request.lines("conversation"), *guidance]), default=0)
    return int(last_seq - len(guidance)) // 2


def _next_offer(request: ModelRequest, made: int) -> Json | None:
    """Terms between targets and limits by the part of its moves that is used up, or None."""
    brief, state = request.section("brief"), request.section("state")
    all_but_last = made + state["moves_left"] - 1
    used = Decimal(made) / all_but_last if all_but_last else Decimal(1)
    step = tick(brief["currency"])
    prices = {}
    for line in brief["lines"]:
        wanted = brief["mandate"][f"{line['id']}.unit_price"]
        price = max(step, _between(wanted, used, step, lower=_wants_less(request, wanted)))
        if not _allows(request, wanted, price):
            return None  # its limit is less than the smallest coin
        prices[line["id"]] = str(price)
    offer: Json = {"unit_prices": prices}
    for key, wanted in _others(brief).items():
        if isinstance(wanted, list):
            value = _choice(request, key, wanted, made)
            if value is None:
                return None
            offer[key] = value
        else:
            whole = _between(wanted, used, Decimal(1), lower=_wants_less(request, wanted))
            offer[key] = int(whole)
    return offer


def _others(brief: Json) -> Json:
    """What its mandate says of the terms beside the prices."""
    return {k: v for k, v in brief["mandate"].items() if not k.endswith(".unit_price")}


def _between(wanted: Json, used: Decimal, step: Decimal, *, lower: bool) -> Decimal:
    """From target (0) to limit (1), rounded in its own favour."""
    target, limit = Decimal(wanted["target"]), Decimal(wanted["limit"])
    exact = target + used * (limit - target)
    return exact.quantize(step, ROUND_FLOOR if lower else ROUND_CEILING)


def _wants_less(request: ModelRequest, wanted: Json) -> bool:
    target, limit = Decimal(wanted["target"]), Decimal(wanted["limit"])
    return target < limit or (target == limit and request.side == "brand")


def _choice(request: ModelRequest, key: str, acceptable: list[str], made: int) -> str | None:
    """What the other side asks for if it is acceptable; else each of its own in turn."""
    options = request.section("brief").get(f"{key}_options", acceptable)
    possible = [value for value in acceptable if value in options]
    theirs = request.section("state")["their_standing_offer"]
    if theirs and theirs["terms"][key] in possible:
        return str(theirs["terms"][key])
    return _turn(tuple(possible), made) if possible else None


# An accept


def _keeps_limits(request: ModelRequest, terms: Json) -> bool:
    brief = request.section("brief")
    prices = {f"{line}.unit_price": price for line, price in terms["unit_prices"].items()}
    offered = {**terms, **prices}
    return all(_allows(request, brief["mandate"][key], offered[key]) for key in brief["mandate"])


def _allows(request: ModelRequest, wanted: Json | list[str], value: Any) -> bool:
    if isinstance(wanted, list):
        return value in wanted
    limit = Decimal(wanted["limit"])
    return Decimal(value) <= limit if _wants_less(request, wanted) else Decimal(value) >= limit


def _is_as_good(request: ModelRequest, total: Decimal, offer: Json | None) -> bool:
    if offer is None:
        return False
    brief = request.section("brief")
    own = sum(
        rounded(Decimal(line["quantity"]) * Decimal(price), brief["currency"])
        for line, price in zip(brief["lines"], offer["unit_prices"].values(), strict=True)
    )
    return total <= own if request.side == "brand" else total >= own


# Words

FAREWELL = "We can't find terms that suit us both. Thank you for your time, and good-bye."


def _wording(request: ModelRequest) -> Json:
    move = request.section("move")
    named = _terms_words(request.section("request"), move["terms"]) if "terms" in move else ""
    match move["move"]:
        case "accept":
            text = f"{_agreement(request)} That is {named}."
        case "offer":
            opening = "Hello! " if move["opening"] else ""
            text = f"{opening}{_turn(OFFERS, _moves_made(request))} {named}."
        case "walk_away":
            text = FAREWELL
        case _:
            text = "Thank you for your message. We are looking into it."
    return {"text": text}


def _agreement(request: ModelRequest) -> str:
    bargain = "offer" if request.side == "brand" else "order"
    return f"Agreed, with thanks: we take your {bargain} as it stands."


def _terms_words(request: Json, terms: Json) -> str:
    """All terms and no other figure."""
    prices = ", ".join(
        f"{line['product']} at {request['currency']} {terms['unit_prices'][line['id']]}"
        for line in request["lines"]
    )
    if len(prices) > LONGEST_PRICES:
        prices = "each line at the price that stands in these terms"
    others = (_term_words(key, terms[key]) for key in terms if key != "unit_prices")
    return ", ".join([prices, *others])


def _term_words(key: str, value: int | str) -> str:
    if key.endswith("_days"):
        label, value = key.removesuffix("_days"), "1 day" if value == 1 else f"{value} days"
    else:
        label = key
    return f"{label.replace('_', ' ')} {value}"


def _turn(phrases: tuple[str, ...], made: int) -> str:
    return phrases[made % len(phrases)]
