"""The figures in a piece of prose, however their digits and separators are written."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

from storage.money import DECIMALS
from storage.terms.payment import read_instalments

_NUMBER = re.compile(r"\d{1,3}(?:[ .,'_]\d{3})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)?", re.ASCII)
_SHARES = re.compile(
    r"\d+(?:\.\d+)?(?:\s*/\s*\d+(?:\.\d+)?)+(?:\s*net\s*\d+)?|\bnet\s*\d+\b", re.ASCII | re.I
)
_DURATION = re.compile(
    r"(?<![\d.,])\d{1,4}(?=[\s-]*(?:(?:calendar|working|business)\s+)?(?:days?|weeks?|months?)\b)",
    re.ASCII | re.I,
)
_PERCENT = re.compile(r"(?<![\d.,])\d{1,3}(?=\s*(?:%|percent\b|per\s+cent\b))", re.ASCII | re.I)
_MONEY_BEFORE = re.compile(r"(?:[$€£¥₹]|\b([a-z]{3}))\s*$", re.I)
_MONEY_AFTER = re.compile(
    r"\s*(?:[$€£¥₹]|([a-z]{3})\b|(?:dollars?|euros?|pounds?|cents?|bucks)\b"
    r"|(?:per|a|an|/)\s*(?:unit|piece|pc|item|kg)\b|each\b|apiece\b)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number found in prose."""

    text: str
    readings: frozenset[Decimal]
    """What it may mean: `1,234` is 1234 to some and 1.234 to others."""
    is_money: bool
    """Whether it stands as an amount of money: with a currency, a unit, or decimals."""


def plain(text: str) -> str:
    """Text with compatibility forms unified and invisible characters removed."""
    unified = unicodedata.normalize("NFKC", text).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    kept = "".join(c for c in unified if unicodedata.category(c) != "Cf")
    return "".join(_ascii_digit(c) for c in kept)


def figures(text: str) -> list[Figure]:
    """All figures but lead times, percentages and payment shares, in order."""
    prose = _SHARES.sub(_without_shares, plain(text))
    prose = _PERCENT.sub(" ", _DURATION.sub(" ", prose))
    return [_figure(match, prose) for match in _NUMBER.finditer(prose)]


def readings(number: str) -> frozenset[Decimal]:
    """The values that a written number may have."""
    digits = re.sub(r"[ '_]", "", number)
    marks = [character for character in digits if character in ".,"]
    if not marks:
        return frozenset({Decimal(digits)})
    head, _, tail = digits.rpartition(marks[-1])
    whole = Decimal(re.sub(r"[.,]", "", digits))
    fraction = Decimal(f"{re.sub(r'[.,]', '', head)}.{tail}")
    if len(set(marks)) == 2:
        return frozenset({fraction})
    if len(marks) > 1:
        return frozenset({whole})
    return frozenset({whole, fraction}) if len(tail) == 3 else frozenset({fraction})


def _figure(match: re.Match[str], prose: str) -> Figure:
    before = _MONEY_BEFORE.search(prose, 0, match.start())
    after = _MONEY_AFTER.match(prose, match.end())
    has_decimals = re.search(r"[.,]\d{2}$", match[0]) is not None
    is_money = has_decimals or _names_money(before) or _names_money(after)
    return Figure(match[0], readings(match[0]), is_money)


def _names_money(match: re.Match[str] | None) -> bool:
    return match is not None and (match[1] is None or match[1].upper() in DECIMALS)


def _without_shares(match: re.Match[str]) -> str:
    try:
        read_instalments(match[0])
    except ValueError:
        return match[0]
    return " "


def _ascii_digit(character: str) -> str:
    return str(unicodedata.digit(character)) if character.isdigit() else character
