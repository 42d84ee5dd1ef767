"""Mistral: the one file that knows the SDK. Imported only when a model is chosen.

The SDK's own retries are off: they have no cap on attempts and obey any Retry-After.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NoReturn

import httpx2
from mistralai.client import Mistral, errors, models
from pydantic import SecretStr

from actors.errors import ConfigError
from actors.negotiators.answers import Schema
from actors.negotiators.model import CallFailed, Model, Reply
from actors.negotiators.model_settings import ModelSettings
from actors.negotiators.prompt_log import PromptLog
from actors.negotiators.prompts import Prompt
from storage.calls import Outcome
from storage.database import why_not_writable

KEY = "MISTRAL_API_KEY"
NO_KEY = "none"
"""What a server on this machine gets when no key is set; the SDK sends something in any case."""
RETRYABLE = frozenset({408, 425})
"""Beside 429 and 5xx."""
MOST_TOKENS = 1_000_000_000
"""More than any call takes; a database could not even add up what a server may claim."""
NAME = re.compile(r"[\w.:/@+-]{1,200}", re.ASCII)
"""What a server may call its model, or why an answer ended; names go to the log and to reports."""
NO_NAME = "unknown"
"""What stands for anything else."""
REASONS = {
    401: f"the key is refused: check {KEY}",
    403: f"the key may not be used for this: check {KEY} and the model",
    404: "there is no such model or address: check model and server_url under [mistral]",
}


def key_from_environment(settings: ModelSettings) -> SecretStr:
    """Read the key.

    Raises:
        ConfigError: It is missing, and the server needs one; or it can't be a key.
    """
    key = os.environ.get(KEY, "").strip()
    if not key and settings.is_local:
        return SecretStr(NO_KEY)
    if not key:
        raise ConfigError([f"{KEY}: is missing: set it in the environment, or choose tactics"])
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigError([f"{KEY}: is no key: it has spaces or characters that none has"])
    return SecretStr(key)


def mistral_model(settings: ModelSettings, database: Path | None) -> Model:
    """The model as it is set, with the key from the environment.

    Args:
        database: Beside it prompts are logged, where that is set.

    Raises:
        ConfigError: There is no key, or the log can't be opened.
    """
    client = MistralClient(settings, key_from_environment(settings))
    log = None
    if settings.log_prompts and database is not None:
        path = PromptLog.beside(database)
        if reason := why_not_writable(path):
            raise ConfigError([f"{path}: {reason}"])
        log = PromptLog(path)
    return Model(client, settings, log)


class MistralClient:
    """The SDK's client: one for a system, used on its loop only."""

    def __init__(self, settings: ModelSettings, key: SecretStr) -> None:
        """Connect to nothing yet."""
        self._settings = settings
        self._key = key
        self._http = httpx2.AsyncClient(
            # who follows a redirect would send key and prompt to whoever it names
            follow_redirects=False,
            # a proxy from the environment would apply even to a server on this machine
            trust_env=not settings.is_local,
            limits=httpx2.Limits(
                max_connections=settings.concurrency,
                max_keepalive_connections=settings.concurrency,
            ),
        )
        self._sdk = Mistral(
            # a function, so that the SDK's configuration does not show it
            api_key=key.get_secret_value,
            server_url=settings.server_url,
            async_client=self._http,
            retry_config=None,
            timeout_ms=round(settings.attempt_timeout_s * 1000),
            debug_logger=_Silent(),
        )
        # it would send both sides' briefs to whoever the environment names
        setattr(self._sdk.sdk_configuration, "telemetry", False)  # noqa: B010 - it declares none
        self._formats: dict[int, models.ResponseFormat] = {}

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client holds a key, and is not to be pickled")

    async def complete(self, prompt: Prompt, schema: Schema) -> Reply:
        """Make one call, or raise CallFailed."""
        settings = self._settings
        messages: list[models.ChatCompletionRequestMessage] = [
            models.SystemMessage(content=prompt.system),
            models.UserMessage(content=prompt.user),
        ]
        try:
            response = await self._sdk.chat.complete_async(
                model=settings.model,
                messages=messages,
                temperature=settings.temperature,
                max_tokens=settings.max_tokens,
                random_seed=settings.random_seed,
                response_format=self._format(schema),
                retries=None,
            )
            return self._reply(response)
        except Exception as error:  # noqa: BLE001 - all that the SDK raises is translated here
            failed = translated(error)
        # outside of the handler: its context would hold the request, and with it the key
        raise failed

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    def _reply(self, response: models.ChatCompletionResponse) -> Reply:
        usage = response.usage
        first = response.choices[0] if response.choices else None
        reason = None if first is None else first.finish_reason
        return Reply(
            text=None if first is None or first.message is None else _text(first.message.content),
            finish_reason=None if reason is None else self._name(getattr(reason, "value", reason)),
            model=self._name(response.model),
            prompt_tokens=_count(usage.prompt_tokens),
            completion_tokens=_count(usage.completion_tokens),
        )

    def _name(self, given: object) -> str:
        """A name that a server gives; it may have sent back what it was sent, the key too."""
        if not isinstance(given, str) or not NAME.fullmatch(given):
            return NO_NAME
        key = self._key.get_secret_value()
        return NO_NAME if key in given and key != NO_KEY else given

    def _format(self, schema: Schema) -> models.ResponseFormat:
        built = self._formats.get(id(schema))
        if built is None:
            answer = {"name": "answer", "schema": dict(schema), "strict": True}
            built = models.ResponseFormat(
                type="json_schema", json_schema=models.JSONSchema.model_validate(answer)
            )
            self._formats[id(schema)] = built
        return built


class _Silent:
    """Keeps MISTRAL_DEBUG from printing prompts, and from setting up the host program's logging."""

    def debug(self, *_: Any, **__: Any) -> None:
        """Say nothing."""


def translated(error: Exception) -> CallFailed:
    """What a failure of the SDK is to us; nothing that the server sent is repeated."""
    match error:
        # a refusal that keeps no form is told as a bad response too, so the status goes first
        case errors.MistralError(status_code=status) if status >= 300:
            return _refused(status, error.headers)
        case errors.MistralError() | errors.NoResponseError():
            return _malformed("the response keeps no protocol")
        case httpx2.ConnectError() | httpx2.ConnectTimeout() | httpx2.PoolTimeout():
            return CallFailed(
                Outcome.DISCONNECTED, "no connection to the server", retryable=True, is_free=True
            )
        case httpx2.TimeoutException():
            return CallFailed(Outcome.TIMED_OUT, "no answer in time", retryable=True)
        case httpx2.TransportError():
            return CallFailed(Outcome.DISCONNECTED, "the connection broke", retryable=True)
        case _:
            return _malformed(f"the response can't be read ({type(error).__name__})")


def _malformed(words: str) -> CallFailed:
    return CallFailed(Outcome.MALFORMED, words, retryable=True)


def _refused(status: int, headers: httpx2.Headers) -> CallFailed:
    if status == 429:
        return CallFailed(
            Outcome.THROTTLED,
            "too many calls (HTTP 429)",
            http_status=status,
            retryable=True,
            retry_after_s=_retry_after_s(headers.get("retry-after")),
            is_free=True,
        )
    if status >= 500 or status in RETRYABLE:
        # a gateway may have given up on an answer that was being made, and is paid for
        return CallFailed(
            Outcome.FAILED,
            f"the server failed (HTTP {status})",
            http_status=status,
            retryable=True,
            retry_after_s=_retry_after_s(headers.get("retry-after")),
        )
    words = f"{REASONS.get(status, 'the server refuses the request')} (HTTP {status})"
    return CallFailed(Outcome.REFUSED, words, http_status=status, is_free=True)


def _retry_after_s(header: str | None) -> float | None:
    """Seconds, from seconds or a date; None when it says nothing that can be used."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if seconds == seconds else None


def _text(content: Any) -> str | None:
    """A message's text: it comes whole, in chunks, or not at all."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(c.text for c in content if isinstance(c, models.TextChunk))
    return None


def _count(tokens: Any) -> int | None:
    return tokens if isinstance(tokens, int) and 0 <= tokens <= MOST_TOKENS else None
