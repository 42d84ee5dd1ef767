"""The words of tactics: plain sentences that name the terms and what moved, in four voices.

No side says the same text twice in a conversation: phrases change with each of its messages, and
where they would come round again the message says which proposal it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from actors.mechanism.views import View
from storage.money import money_words
from storage.records import Terms
from storage.terms.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Voice:
    """How one speaker sounds; each tuple is used in turn."""

    openings: tuple[str, ...]
    offers: tuple[str, ...]
    closings: tuple[str, ...]
    accepts: str
    farewells: str


VOICES = {
    "plain": Voice(
        openings=("Thank you for your time.", "Here is where we would start."),
        offers=("We propose", "Our next proposal is", "We can do", "We would settle on"),
        closings=(
            "Please let us know.",
            "What do you say?",
            "We look forward to your answer.",
            "Does that come closer?",
            "Where do you stand?",
        ),
        accepts="Agreed: we accept your offer of",
        farewells="We could not find terms that suit both of us. Thank you for your time.",
    ),
    "warm": Voice(
        openings=("Thank you so much for thinking of us!", "What a nice request, thank you!"),
        offers=("We would be glad to offer", "Happy to offer", "With pleasure:", "Let us offer"),
        closings=(
            "We hope to make this work with you.",
            "It would be lovely to work together.",
            "We are happy to talk it through.",
            "Your thoughts are welcome.",
            "Looking forward to hearing from you!",
        ),
        accepts="Wonderful, we gladly accept:",
        farewells="Sadly this is further than we can go. We wish you all the best!",
    ),
    "formal": Voice(
        openings=("We thank you for your enquiry.", "With reference to your enquiry:"),
        offers=(
            "We are pleased to quote",
            "Our revised quotation reads",
            "Following review, we quote",
            "We hereby quote",
        ),
        closings=(
            "We remain at your disposal.",
            "We await your reply.",
            "Our quality justifies the price.",
            "We trust that this meets your needs.",
            "Kindly revert at your convenience.",
        ),
        accepts="We hereby accept your proposal of",
        farewells="We regret that we are unable to meet your requirements.",
    ),
    "brisk": Voice(
        openings=("Got it.", "Thanks, straight to it."),
        offers=("Our number:", "We can do", "Next step:", "Try this:"),
        closings=(
            "Works?",
            "Ready when you are.",
            "Fast delivery has its price.",
            "Tell us soon.",
            "Over to you.",
        ),
        accepts="Done. We take",
        farewells="That is not going to work for us. Good luck.",
    ),
}
"""By the name that the config gives; an unknown one sounds plain."""


def offer(view: View, terms: Terms) -> str:
    """The words of an offer."""
    voice, count = _voice(view), view.own_messages
    parts = [f"{_turn(voice.offers, count)} {terms_words(view, terms)}."]
    if not count:
        parts.insert(0, _turn(voice.openings, count))
    # after a refusal nothing is said but the terms, which are public once they are said
    if view.refused is None and (moved := _moved(view, terms)):
        parts.append(moved)
    parts.append(_turn(voice.closings, count))
    if count >= len(voice.offers) * len(voice.closings):
        parts.append(f"(This is proposal {count + 1}.)")
    return " ".join(parts)


def acceptance(view: View) -> str:
    """The words of an accept of the standing offer."""
    if view.their_offer is None:
        raise ValueError("there is nothing to accept")
    return f"{_voice(view).accepts} {terms_words(view, view.their_offer.terms)}."


def farewell(view: View) -> str:
    """The words of walking away."""
    return _voice(view).farewells


def terms_words(view: View, terms: Terms) -> str:
    """All terms in one phrase: prices, the other terms, and the total."""
    currency = view.request.currency
    prices = ", ".join(
        f"{money_words(terms.unit_prices[line.id], currency)} per {line.unit} of {line.product}"
        for line in view.request.lines
    )
    others = ", ".join(f"{_label(kind.key)} {kind.words(terms[kind.key])}" for kind in KINDS)
    return f"{prices}, {others}: {money_words(view.request.total(terms), currency)} in all"


def _voice(view: View) -> Voice:
    return VOICES.get(view.style.voice, VOICES["plain"])


def _turn(phrases: tuple[str, ...], count: int) -> str:
    return phrases[count % len(phrases)]


def _label(key: str) -> str:
    return key.removesuffix("_days").replace("_", " ")


def _moved(view: View, terms: Terms) -> str:
    """What differs from the other side's last offer, which is public."""
    if view.their_offer is None:
        return ""
    theirs = view.their_offer
    apart = view.request.total(terms) - theirs.total
    asked = money_words(theirs.total, view.request.currency)
    price = f"{_percent(apart / theirs.total)} {'below' if apart < 0 else 'above'} your {asked}"
    changes = [
        f"{_label(kind.key)} {kind.words(terms[kind.key])} instead of "
        f"{kind.words(theirs.terms[kind.key])}"
        for kind in KINDS
        if terms[kind.key] != theirs.terms[kind.key]
    ]
    named = [f"That is {price if apart else 'your price'}", *changes]
    return f"{', '.join(named)}."


def _percent(share: Decimal) -> str:
    percent = round(abs(share) * 100)
    return f"{percent} %" if percent else "a little"
