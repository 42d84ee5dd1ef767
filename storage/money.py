"""Money: decimal amounts with a currency's decimals, never binary fractions."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

TWO_DECIMALS = """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN
BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS
GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL
MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP
PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT
TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW"""
NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"

DECIMALS = {
    **dict.fromkeys(TWO_DECIMALS.split(), 2),
    **dict.fromkeys(NO_DECIMALS.split(), 0),
    **dict.fromkeys(THREE_DECIMALS.split(), 3),
}
"""How many decimals an amount in each currency has (ISO 4217)."""

TICKS = {currency: Decimal(1).scaleb(-decimals) for currency, decimals in DECIMALS.items()}

_PLAIN_NUMBER = re.compile(r"\d{1,12}(\.\d{1,6})?", re.ASCII)
"""Longer ones are a slip of the hand, or a hostile answer."""


def read_amount(raw: object) -> Decimal:
    """Read a plain, finite, non-negative decimal number.

    Args:
        raw: A Decimal, a whole number, or text such as `"6.40"`. A float is refused, because it
            has already lost what was written.

    Raises:
        ValueError: It is anything else; the text says what was expected.
    """
    if isinstance(raw, Decimal):
        # written out, a number such as 1E+999999999 would fill the memory
        raw = format(raw, "f") if raw.is_finite() and abs(raw.adjusted()) < 20 else str(raw)
    elif isinstance(raw, int) and not isinstance(raw, bool):
        # Python refuses to write out thousands of digits
        raw = str(raw) if raw.bit_length() < 64 else ""
    if not isinstance(raw, str) or not _PLAIN_NUMBER.fullmatch(raw):
        raise ValueError('expected a plain number as text, such as "6.40"')
    return Decimal(raw)


Amount = Annotated[
    Decimal, BeforeValidator(read_amount), PlainSerializer(str, return_type=str, when_used="json")
]
"""A Decimal that is read strictly and written as text."""


def known_currency(code: str) -> str:
    """The code of a currency, or ValueError when there is no such currency."""
    if code not in DECIMALS:
        raise ValueError("unknown currency: write a code such as USD")
    return code


Currency = Annotated[str, AfterValidator(known_currency)]
"""A code such as `USD`."""


def tick(currency: str) -> Decimal:
    """The smallest step of a price in this currency: 0.01 for USD, 1 for JPY."""
    return TICKS[currency]


def in_currency(amount: Decimal, currency: str) -> Decimal:
    """Write an amount with exactly the currency's decimals.

    Raises:
        ValueError: It has more decimals than the currency.
    """
    exact = amount.quantize(TICKS[currency])
    if exact != amount:
        most = DECIMALS[currency]
        raise ValueError(f"has more than the {most} decimals of {currency}")
    return exact


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Round a computed amount, such as a total, half up to the currency's decimals."""
    return amount.quantize(TICKS[currency], ROUND_HALF_UP)


def money_words(amount: Decimal, currency: str) -> str:
    """An amount as people read it: `USD 12,400.00`."""
    return f"{currency} {amount:,f}"
