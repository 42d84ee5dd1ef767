"""What there is to set about a language model: `[mistral]` in the config."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from storage.money import Amount, Currency
from storage.terms.kind import Record

LOOPBACK = ("localhost", "127.0.0.1", "::1")
MILLION = Decimal(1_000_000)


def _is_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError('is no address: write one such as "http://127.0.0.1:8080", without /v1')
    if parts.scheme == "http" and host not in LOOPBACK:
        raise ValueError("would send the key unencrypted: use https, or a server on this machine")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must hold no password, query or fragment")
    return url.rstrip("/")


def _is_name(name: str) -> str:
    if not (name.isascii() and name.isprintable()) or " " in name:
        raise ValueError("is no model's name: write it as the server lists it")
    return name


Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_is_name)]


class Prices(Record):
    """What a million tokens cost."""

    prompt: Amount
    completion: Amount
    currency: Currency = "EUR"

    def cost(self, prompt_tokens: int, completion_tokens: int) -> Decimal:
        """What so many tokens cost, in `currency`, not rounded."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / MILLION


class ModelSettings(Record):
    """Which model, where, and how hard it may be asked."""

    model: Name = "mistral-small-latest"
    server_url: Annotated[str, AfterValidator(_is_address)] | None = None
    """A server that speaks the same protocol; None is Mistral's own."""
    temperature: float | None = Field(default=0.3, ge=0, le=2)
    random_seed: int | None = Field(default=None, ge=0)
    max_tokens: int = Field(default=1_000, ge=16, le=100_000)
    """The most that one answer may have."""
    concurrency: int = Field(default=100, ge=1, le=1_000)
    """Calls at the same time."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)
    attempts: int = Field(default=5, ge=1, le=20)
    """Calls for one draft, the first included; throttled ones are not counted."""
    throttled_attempts: int = Field(default=20, ge=1, le=100)
    """Throttled calls for one draft."""
    attempt_timeout_s: float = Field(default=30.0, gt=0, le=3_600)
    retry_pause_s: float = Field(default=0.5, ge=0, le=60)
    """Seconds before the second attempt at most; each further one waits up to twice as long."""
    longest_pause_s: float = Field(default=60.0, ge=0, le=3_600)
    """Seconds that a server may ask everybody to wait for, at most."""
    prices: Prices | None = None
    """Per million tokens; None shows no costs."""
    log_prompts: bool = False
    """Whether prompts and answers are kept, in a file of their own beside the database."""

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        return self.server_url is not None and urlsplit(self.server_url).hostname in LOOPBACK
