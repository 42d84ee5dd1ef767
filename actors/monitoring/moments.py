"""Moments, as a log writes them, and how long ago they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

UNITS = (("d", 86_400), ("h", 3_600), ("m", 60))
MOST_DAYS = 999


def moment(written: str) -> datetime | None:
    """A time as the log has it, in UTC where it does not say; None when it is none."""
    try:
        read = datetime.fromisoformat(written)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):  # it may come from anybody
        return None


def between(earlier: str, later: datetime | None) -> timedelta | None:
    """How long it took; None when it is not known."""
    began = moment(earlier)
    return None if began is None or later is None else later - began


def age_words(age: timedelta | None) -> str:
    """Such as `12s`, `5m`, `3h`, `2d`: four characters at most, and none when it is not known."""
    if age is None:
        return ""
    seconds = max(0, int(age.total_seconds()))  # another machine's clock may be ahead
    for unit, length in UNITS:
        if seconds >= length:
            return f"{min(seconds // length, MOST_DAYS)}{unit}"
    return f"{seconds}s"
