"""Model settings: which addresses and names are taken, what tokens cost, and no password told."""

from __future__ import annotations

import traceback
from decimal import Decimal

import pytest
from pydantic import ValidationError

from actors.negotiators.model_settings import ModelSettings, Prices
from storage.mistakes import mistakes_in


def mistake(**fields: object) -> str:
    """What a person is told is wrong with the settings."""
    with pytest.raises(ValidationError) as caught:
        ModelSettings.model_validate(fields)
    ((path, words),) = mistakes_in(caught.value, ModelSettings)
    assert path[0] in fields
    return words


# --- addresses -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://api.mistral.ai", "https://api.mistral.ai"),
        ("https://models.example:8443/", "https://models.example:8443"),
        ("https://models.example/behind/a/path", "https://models.example/behind/a/path"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://LOCALHOST:8080", "http://LOCALHOST:8080"),
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://127.0.0.1", "http://127.0.0.1"),
    ],
)
def test_a_server_is_reached_by_https_or_on_this_machine(url: str, kept: str) -> None:
    assert ModelSettings(server_url=url).server_url == kept


@pytest.mark.parametrize(
    "url",
    [
        "http://models.example",
        "http://192.168.1.7:8080",
        "http://0.0.0.0:8080",
        "http://localhost.models.example",
        "http://127.0.0.1.models.example",
        "http://[::2]:8080",
        "http://localhost@models.example",
    ],
)
def test_a_key_is_never_sent_unencrypted_to_another_machine(url: str) -> None:
    assert "would send the key unencrypted" in mistake(server_url=url)


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:8080", "127.0.0.1", "ftp://localhost", "file:///etc/passwd", "https://"),
        *("http://localhost:port", "http://localhost:99999", "http://[::1", "//localhost"),
    ],
)
def test_what_is_no_address_is_told_what_one_looks_like(url: str) -> None:
    assert '"http://127.0.0.1:8080"' in mistake(server_url=url)


@pytest.mark.parametrize(
    "url",
    [
        "https://brand:hunter2@models.example",
        "https://:hunter2@models.example",
        "https://hunter2@models.example",
        "http://brand:hunter2@localhost:8080",
        "https://models.example?key=hunter2",
        "https://models.example/#hunter2",
        "http://brand:hunter2@models.example",
        "http://brand:hunter2@localhost:99999",
    ],
)
def test_no_secret_stands_in_an_address_and_none_is_told_of_it(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelSettings(server_url=url)

    told = [words for _, words in mistakes_in(caught.value, ModelSettings)]
    assert len(told) == 1
    for words in (*told, str(caught.value), *traceback.format_exception(caught.value)):
        assert "hunter2" not in words


@pytest.mark.parametrize(
    "url", ["https://u:p@models.example", "https://m.example?a", "https://m#a"]
)
def test_what_an_address_must_not_hold_is_named(url: str) -> None:
    assert mistake(server_url=url) == "must hold no password, query or fragment"


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        (None, False),
        ("https://api.mistral.ai", False),
        ("https://localhost.models.example", False),
        ("http://localhost:8080", True),
        ("http://[::1]:8080", True),
        ("https://127.0.0.1:8080/path", True),
        ("http://LocalHost", True),
    ],
)
def test_a_server_is_local_if_it_is_on_this_machine(url: str | None, is_local: bool) -> None:
    assert ModelSettings(server_url=url).is_local is is_local


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["mistral-small-latest", "ft:open-mistral-7b:abc:20240101", "org/model.v1", "x" * 200]
)
def test_a_model_is_named_as_its_server_lists_it(name: str) -> None:
    assert ModelSettings(model=name).model == name


@pytest.mark.parametrize("name", ["small model", "modèle", "a\nb", "a\tb", "\x1b[1m", " "])
def test_a_name_that_no_server_lists_is_refused(name: str) -> None:
    assert mistake(model=name) == "is no model's name: write it as the server lists it"


@pytest.mark.parametrize("name", ["", "x" * 201])
def test_a_name_has_1_to_200_characters(name: str) -> None:
    mistake(model=name)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("temperature", value) for value in (-0.1, 2.1, float("nan"))),
        *(("max_tokens", value) for value in (15, 100_001)),
        *(("concurrency", value) for value in (0, 1_001)),
        *(("attempts", value) for value in (0, 21)),
        *(("attempt_timeout_s", value) for value in (0, 3_601, float("nan"))),
        *(("requests_per_minute", value) for value in (0, float("nan"))),
        *(("tokens_per_minute", value) for value in (0, -1)),
        *(("retry_pause_s", value) for value in (-1, 61)),
        *(("longest_pause_s", value) for value in (-1, 3_601)),
        ("random_seed", -1),
    ],
)
def test_a_number_out_of_its_range_is_refused(field: str, value: float) -> None:
    mistake(**{field: value})


# --- prices ----------------------------------------------------------------------------------


def test_costs_are_exact() -> None:
    prices = Prices.model_validate({"prompt": "0.1", "completion": "0.3"})

    assert prices.cost(1, 0) == Decimal("0.0000001")
    assert prices.cost(0, 1) == Decimal("0.0000003")
    assert prices.cost(3_000_000, 2_000_000) == Decimal("0.9")
    assert isinstance(prices.cost(0, 0), Decimal)
    assert prices.currency == "EUR"


@pytest.mark.parametrize("price", [0.1, "-1", "free", "1,5", None])
def test_a_price_is_a_plain_number_as_text(price: object) -> None:
    with pytest.raises(ValidationError):
        Prices.model_validate({"prompt": price, "completion": "0.3"})


def test_a_price_is_in_a_currency_that_there_is() -> None:
    with pytest.raises(ValidationError, match="unknown currency"):
        Prices.model_validate({"prompt": "1", "completion": "1", "currency": "EURO"})
