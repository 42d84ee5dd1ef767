"""The words of tactics: plain sentences that name the terms and what moved.

The brand has a voice of its own, each supplier one of four. No side says the same text twice in a
conversation: phrases change with each of its messages, and where they would come round again the
message says which proposal it is. That number is spelled out, so that no figure but those of public
terms is ever said, and nothing here runs into rule 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from actors.mechanism.moves import LONGEST_TEXT
from actors.mechanism.views import View
from storage.money import money_words
from storage.terms.kind import Side
from storage.terms.kinds import KINDS
from storage.terms.offered import Terms


@dataclass(frozen=True, slots=True)
class Voice:
    """How one speaker sounds; each tuple is used in turn, so their lengths share no divisor."""

    opening: str
    offers: tuple[str, ...]
    closings: tuple[str, ...]
    accept: str
    farewell: str


BRAND_VOICE = Voice(
    opening="Thank you for looking at our request.",
    offers=("We would order", "Our next proposal is", "We could take", "What we can do is"),
    closings=(
        "Please let us know.",
        "What do you say?",
        "We look forward to your answer.",
        "Does that come closer?",
        "Where do you stand?",
    ),
    accept="Agreed: we accept your offer of",
    farewell="We could not find terms that suit both of us. Thank you for your time.",
)

VOICES = {
    "plain": Voice(
        opening="Thank you for your request.",
        offers=("We offer", "Our next offer is", "We can do", "What we can supply is"),
        closings=(
            "Is that of use to you?",
            "Tell us what you think.",
            "Let us know what you need.",
            "How does that sound?",
            "We hope that this helps.",
        ),
        accept="Agreed: we take your order for",
        farewell="That is below what we can do. Thank you for asking us.",
    ),
    "warm": Voice(
        opening="Thank you so much for thinking of us!",
        offers=("We would be glad to offer", "Happy to offer", "With pleasure:", "Let us offer"),
        closings=(
            "We hope to make this work with you.",
            "It would be lovely to work together.",
            "We are happy to talk it through.",
            "Your thoughts are welcome.",
            "Looking forward to hearing from you!",
        ),
        accept="Wonderful, we gladly accept:",
        farewell="Sadly this is further than we can go. We wish you all the best!",
    ),
    "formal": Voice(
        opening="We thank you for your enquiry.",
        offers=(
            "We are pleased to quote",
            "Our revised quotation reads",
            "Following review, we quote",
            "We hereby quote",
        ),
        closings=(
            "We remain at your disposal.",
            "We await your reply.",
            "We trust that this meets your standards.",
            "Your early decision would be appreciated.",
            "We recommend it to your consideration.",
        ),
        accept="We hereby accept your proposal of",
        farewell="We regret that we are unable to meet your requirements.",
    ),
    "brisk": Voice(
        opening="Got it, thanks.",
        offers=("Our number:", "We can do", "Next step:", "Try this:"),
        closings=(
            "Works?",
            "Ready when you are.",
            "Quick answer?",
            "Tell us soon.",
            "Over to you.",
        ),
        accept="Done. We take",
        farewell="That is not going to work for us. Good luck.",
    ),
}
"""By the name that the config gives; an unknown one sounds plain."""

LONGEST_PRICES = LONGEST_TEXT // 2
"""Characters that the prices may take; where they need more, only the terms name them."""
SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety"


def offer(view: View, terms: Terms) -> str:
    """The words of an offer."""
    voice, count = _voice(view), view.own_messages
    parts = [f"{_turn(voice.offers, count)} {terms_words(view, terms)}."]
    if not count:
        parts.insert(0, voice.opening)
    # after a refusal nothing is said but the terms, which are public once they are said
    if view.refused is None:
        parts += [*_compared(view, terms), *_moved(view, terms)]
    parts.append(_turn(voice.closings, count))
    if count >= len(voice.offers) * len(voice.closings):
        parts.append(f"(This is proposal {spelled(count + 1)}.)")
    return " ".join(parts)


def acceptance(view: View) -> str:
    """The words of an accept of the standing offer."""
    if view.their_offer is None:
        raise ValueError("there is nothing to accept")
    return f"{_voice(view).accept} {terms_words(view, view.their_offer.terms)}."


def farewell(view: View) -> str:
    """The words of walking away."""
    return _voice(view).farewell


def terms_words(view: View, terms: Terms) -> str:
    """All terms in one phrase: prices, the other terms, and the total."""
    currency = view.request.currency
    prices = ", ".join(
        f"{line.product} at {money_words(terms.unit_prices[line.id], currency)} {_per(line.unit)}"
        for line in view.request.lines
    )
    if len(prices) > LONGEST_PRICES:
        prices = "each line at the price stated in these terms"
    others = ", ".join(f"{_label(kind.key)} {kind.words(terms[kind.key])}" for kind in KINDS)
    return f"{prices}, {others}: {money_words(view.request.total(terms), currency)} in all"


def spelled(number: int) -> str:
    """A whole number below a million in words, such as `two hundred twenty-one`."""
    small, tens = SMALL.split(), TENS.split()
    if number < len(small):
        return small[number]
    if number < 100:
        ten, rest = divmod(number, 10)
        return f"{tens[ten]}-{small[rest]}" if rest else tens[ten]
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    many, rest = divmod(number, size)
    return f"{spelled(many)} {name} {spelled(rest)}" if rest else f"{spelled(many)} {name}"


def _voice(view: View) -> Voice:
    if view.utility.side is Side.BRAND:
        return BRAND_VOICE
    return VOICES.get(view.style.voice, VOICES["plain"])


def _turn(phrases: tuple[str, ...], count: int) -> str:
    return phrases[count % len(phrases)]


def _per(unit: str) -> str:
    return "a piece" if unit == "pcs" else f"per {unit}"


def _label(key: str) -> str:
    return key.removesuffix("_days").replace("_", " ")


def _compared(view: View, terms: Terms) -> list[str]:
    """What differs from the other side's last offer, which is public."""
    theirs = view.their_offer
    if theirs is None:
        return []
    apart = view.request.total(terms) - theirs.total
    asked = money_words(theirs.total, view.request.currency)
    relation = f"{_percent(apart, theirs.total)} {'below' if apart < 0 else 'above'} your {asked}"
    changes = [
        f"{kind.words(terms[kind.key])} instead of {kind.words(theirs.terms[kind.key])}"
        for kind in KINDS
        if terms[kind.key] != theirs.terms[kind.key]
    ]
    return [f"That is {', '.join([relation if apart else f'your {asked}', *changes])}."]


def _moved(view: View, terms: Terms) -> list[str]:
    """What differs from the side's own last offer: its price, and what it takes up of theirs."""
    own, theirs = view.own_offer, view.their_offer
    if own is None or theirs is None:
        return []
    step = view.request.total(terms) - own.total
    more = f"{_percent(step, own.total)} {'less' if step < 0 else 'more'}"
    taken = [
        f"your {_label(kind.key)} of {kind.words(terms[kind.key])}"
        for kind in KINDS
        if terms[kind.key] == theirs.terms[kind.key] != own.terms[kind.key]
    ]
    return [
        *([f"We take up {' and '.join(taken)}."] if taken else []),
        *([f"It is {more} than our last offer."] if step else []),
    ]


def _percent(part: Decimal, whole: Decimal) -> str:
    """A share in whole percent; out of all proportion it is no number at all (rule 8)."""
    percent = round(abs(part) / whole * 100) if whole else 1000
    if not percent:
        return "a little"
    return f"{percent} %" if percent < 1000 else "far"
