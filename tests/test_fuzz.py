"""Whatever stands in a quote or a config: it can be used, or each mistake is one harmless line."""

from __future__ import annotations

import copy
import math
import tempfile
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr
from datetime import date, datetime, time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from factories import NOON
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import main
from actors.config import load_config
from actors.errors import InputError
from actors.quote_request import SAMPLE, new_quote, read_quote_request

ROOT = Path(__file__).parent.parent
QUOTES = [tomllib.loads(path.read_text()) for path in sorted(SAMPLE.parent.glob("*.toml"))]
CONFIG = tomllib.loads((ROOT / "config.toml").read_text())
CONFIGURED = load_config().suppliers


def fuzzed(examples: int) -> settings:
    """The same examples each time, however long one takes."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


STEERING = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
HOSTILE = ["", "\x1b[2J", "a\nb", "\u202egpj", "\0", "x" * 10_000, "[bold]x[/]", "{x}", "٣", "𝟗"]
KEYS = ["id", "unit_price", ".unit_price", "prices", "terms", "list", "private", "limit", "lines"]
texts = st.sampled_from([*HOSTILE, *KEYS, "30/70", "1e9", "6.40", "USD"]) | st.text(max_size=20)
scalars = (
    texts
    | st.booleans()
    | st.sampled_from([-1, 0, 1, 2**63, -(2**200), 10**4000, math.nan, math.inf, -math.inf, 1e308])
    | st.integers()
    | st.floats()
    | st.sampled_from([date(1, 1, 1), time(0), datetime(9999, 12, 31, 23, 59)])  # noqa: DTZ001
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every table and list of a document, with each of its keys."""
    if isinstance(document, dict | list):
        for key, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield document, key
            yield from places(value)


@st.composite
def documents(draw: st.DrawFn, samples: list[dict[str, Any]]) -> dict[str, Any]:
    """A sample in which up to four parts are dropped, renamed, doubled or replaced."""
    document: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(1, 4))):
        found = list(places(document))
        if not found:
            break
        holder, key = found[draw(st.integers(0, len(found) - 1))]
        match draw(st.sampled_from(["drop", "rename", "replace", "replace", "add"])):
            case "drop":
                del holder[key]
            case "rename" if isinstance(holder, dict):
                holder[draw(texts)] = holder.pop(key)
            case "add" if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
            case "add":
                holder[draw(texts)] = draw(values)
            case _:
                holder[key] = draw(values)
    return document


def mistakes_of(read: Callable[[], object]) -> tuple[str, ...]:
    """What is wrong, if anything; whatever else is raised is a bug."""
    try:
        read()
    except InputError as error:
        return error.mistakes
    return ()


def check(lines: Iterable[str]) -> None:
    """Every line says something, in our words, is short, and steers no terminal."""
    for line in lines:
        assert line.strip()
        assert len(line) < 2000
        assert not {unicodedata.category(character) for character in line} & STEERING
        for foreign in ("Input should", "Value error", "Extra inputs", "Field required"):
            assert foreign not in line


@fuzzed(400)
@given(documents(QUOTES))
def test_a_quote_is_read_or_each_mistake_is_a_clear_line(document: dict[str, Any]) -> None:
    def read() -> object:
        return new_quote(read_quote_request(document, CONFIGURED), CONFIGURED, lambda: NOON)

    check(mistakes_of(read))


@fuzzed(100)
@given(st.dictionaries(texts, values, max_size=5))
def test_a_quote_of_nonsense_is_refused(document: dict[str, Any]) -> None:
    mistakes = mistakes_of(lambda: read_quote_request(document, CONFIGURED))

    assert mistakes
    check(mistakes)


@fuzzed(200)
@given(documents([CONFIG]))
def test_a_config_is_read_or_each_mistake_is_a_clear_line(document: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_text(written(document), encoding="utf-8", errors="surrogatepass")
        check(mistakes_of(lambda: load_config(path)))


@pytest.mark.parametrize("read", [read_quote_request, load_config])
@fuzzed(60)
@given(
    content=st.binary(max_size=200)
    | st.sampled_from([b"a = " + b"[" * 100_000, b"a = " + b"9" * 5000, b"a = 0x" + b"f" * 9000])
)
def test_bytes_are_read_or_each_mistake_is_a_clear_line(
    read: Callable[[Path], object], content: bytes
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some.toml"
        path.write_bytes(content)
        check(mistakes_of(lambda: read(path)))


@fuzzed(40)
@given(quote=documents(QUOTES), config=documents([CONFIG]))
def test_the_command_line_ends_bad_input_with_2_and_writes_nothing(
    quote: dict[str, Any], config: dict[str, Any]
) -> None:
    quote["\x1b[2J"] = 1  # so that it is bad for sure
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, document in (("q.toml", quote), ("c.toml", config)):
            text = written(document)
            (folder / file).write_text(text, encoding="utf-8", errors="surrogatepass")
        arguments = ["--config", str(folder / "c.toml"), "--database", str(folder / "x.db")]
        errors = StringIO()

        with redirect_stderr(errors):
            code = main.main(["run", str(folder / "q.toml"), *arguments])

        assert code == 2
        assert all(line.startswith("parley: ") for line in errors.getvalue().splitlines())
        check(errors.getvalue().split("\n")[:-1])
        assert sorted(path.name for path in folder.iterdir()) == ["c.toml", "q.toml"]


def written(value: Any) -> str:
    """A document as TOML; a value that TOML can't say makes it no TOML."""
    return "\n".join(f"{_key(key)} = {_value(item)}" for key, item in value.items())


def _key(key: str) -> str:
    return '"' + "".join(f"\\U{ord(c):08x}" for c in key) + '"'


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _key(value)
        case dict():
            return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_value, value)) + "]"
        case int():
            return hex(value) if value > 2**64 else str(value)
        case date() | time():
            return value.isoformat()
        case _:
            return repr(value)


def test_the_writer_of_these_tests_says_what_it_is_given() -> None:
    for document in (*QUOTES, CONFIG):
        assert tomllib.loads(written(document)) == document
