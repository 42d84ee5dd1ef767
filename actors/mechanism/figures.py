"""The figures in a piece of prose, however their digits and separators are written."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache

from msgspec import Struct

from storage.money import DECIMALS
from storage.terms.payment import read_instalments

# a pattern that begins with a digit, and looks back only then, is searched for from digit to digit
_NUMBER = re.compile(
    r"\d(?:\d?(?:,\d{2})+,\d{3}(?:\.\d+)?(?!\d)"  # 3,95,000.00, as Indian suppliers write it
    r"|\d{0,2}(?:[ .,'_]\d{3})+(?:[.,]\d+)?(?!\d)|\d*(?:[.,]\d+)?)",
    re.ASCII,
)
_UNGROUPED = str.maketrans("", "", " '_")
_DIGITS = re.compile(r"\d[\d .,'_]*", re.ASCII)
_JOINERS = frozenset(" '_")
_MARKS = " .,'_"
_NET = r"\bnet\s*\d+\b(?![ .,']?\d)"  # `net 7.20` is a price
_SHARES = re.compile(
    rf"(?<!\d)\d+(?:\.\d+)?(?:\s*/\s*\d+(?:\.\d+)?)+(?:\s*{_NET})?|{_NET}", re.ASCII | re.I
)
_DURATION = re.compile(
    r"\d(?<![\d.,]\d)\d{0,3}(?:\s*(?:[-\u2010-\u2015]|to|or)\s*\d{1,4})?"
    r"(?=[\s-]*(?:(?:calendar|working|business)\s+)?(?:days?|weeks?|months?|years?)\b)",
    re.ASCII | re.I,
)
_PERCENT = re.compile(r"\d(?<![\d.,]\d)\d{0,2}(?=\s*(?:%|percent\b|per\s+cent\b))", re.ASCII | re.I)
_MONEY_BEFORE = re.compile(r"(?:[$¢£¥\u20a0-\u20cf]|\b([a-z]{3}))\s*$", re.I)
_LONGEST_BEFORE = 8
"""Characters before a figure in which its currency is looked for."""
_MONEY_AFTER = re.compile(
    r"\s*(?:[$¢£¥\u20a0-\u20cf]|(?:dollars?|euros?|pounds?|cents?|bucks)\b"
    r"|(?:per|a|an|/)\s*(?:unit|piece|pcs?|item|kg)\b|each\b|apiece\b|([a-z]{3})\b)",
    re.I,
)
_THOUSANDS = re.compile(r"\s*(?:k|thousand)\b", re.I)
_DATE_GOES_ON = re.compile(r"[./-]\d", re.ASCII)
_ENGLISH_CODES = frozenset({"all", "bob", "cad", "cop", "cup", "mad", "mop", "pen", "top", "try"})
"""Currency codes that are words too: they count as codes in capitals only."""
_ONE_FORM = {ord(c): one for c, one in zip("’‘ʼ٬·٫。‚、", "''''...,,", strict=True)}
_INVISIBLE = frozenset({"Cf", "Mn", "Me", "Cn", "Co"})
_BLANKS = frozenset("\u115f\u1160\u2800")


class Figure(Struct, frozen=True):
    """A number found in prose."""

    text: str
    readings: frozenset[Decimal]
    """What it may mean: `1,234` is 1234 to some and 1.234 to others."""
    is_money: bool
    """Whether it stands as an amount of money: with a currency, a unit, or decimals."""


def plain(text: str) -> str:
    """Text with compatibility forms unified, invisible characters and combining marks removed."""
    if text.isascii() and text.isprintable():
        return text
    return unicodedata.normalize("NFKC", text).translate(_PLAIN_FORMS)


def may_name(prose: str, amounts: frozenset[Decimal]) -> bool:
    """Whether a run of digits in plain text could be an amount: cheap, and a no is certain."""
    for run in _DIGITS.findall(prose):
        if not _JOINERS.isdisjoint(run.strip(_MARKS)):
            return True  # part of it may be a share or a lead time, and the rest a figure
        for number in _NUMBER.findall(run):
            for value in readings(number):
                if value in amounts or 1000 * value in amounts:
                    return True
    return False


def figures(text: str) -> list[Figure]:
    """All figures but lead times, percentages and payment shares, in order."""
    prose = _SHARES.sub(_without_shares, plain(text))
    prose = _PERCENT.sub(" ", _DURATION.sub(" ", prose))
    return [_figure(match, prose) for match in _NUMBER.finditer(prose)]


@lru_cache(maxsize=4096)
def readings(number: str) -> frozenset[Decimal]:
    """The values that a written number may have."""
    digits = number.translate(_UNGROUPED)
    if digits.isdigit():
        return frozenset({Decimal(digits)})
    last, other = ".," if digits.rfind(".") > digits.rfind(",") else ",."
    head, _, tail = digits.rpartition(last)
    whole = head.replace(".", "").replace(",", "")
    if last in head and other not in head:
        return frozenset({Decimal(whole + tail)})
    fraction = Decimal(f"{whole}.{tail}")
    if len(tail) == 3 and other not in head:
        return frozenset({Decimal(whole + tail), fraction})
    return frozenset({fraction})


def _figure(match: re.Match[str], prose: str) -> Figure:
    before = _MONEY_BEFORE.search(prose, max(0, match.start() - _LONGEST_BEFORE), match.start())
    after = _MONEY_AFTER.match(prose, match.end())
    has_decimals = re.search(r"[.,]\d{2}$", match[0]) is not None
    is_date = _DATE_GOES_ON.match(prose, match.end()) is not None
    is_money = (has_decimals and not is_date) or _names_money(before) or _names_money(after)
    values = readings(match[0])
    if _THOUSANDS.match(prose, match.end()):
        values |= {1000 * value for value in values}
    return Figure(match[0], values, is_money)


def _names_money(match: re.Match[str] | None) -> bool:
    if match is None:
        return False
    code = match[1]
    return code is None or (
        code.upper() in DECIMALS and (code.isupper() or code.lower() not in _ENGLISH_CODES)
    )


def _without_shares(match: re.Match[str]) -> str:
    try:
        read_instalments(match[0])
    except ValueError:
        return match[0]
    return " "


class _PlainForms(dict[int, str]):
    """What each character is written as, found out once per character."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if category in _INVISIBLE or character in _BLANKS:
            plain = ""
        elif category == "Cc":
            plain = character if character.isspace() else ""
        elif character.isdigit():
            plain = str(unicodedata.digit(character))
        else:
            plain = character
        self[code] = plain
        return plain


_PLAIN_FORMS = _PlainForms(_ONE_FORM)
