"""One frozen config, out of the file, the environment and the defaults in code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from factories import make_supplier
from pydantic import ValidationError

from actors import config as config_module
from actors.config import Config, Negotiators, load_config
from actors.errors import ConfigError
from actors.log.settings import LogSettings
from actors.negotiators.model_settings import ModelSettings
from storage.rules import Budget, Rules

ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "config.toml"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder without a config."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path, text: str, name: str = "config.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("field", Config.model_fields)
def test_the_shipped_file_says_what_the_code_says(folder: Path, field: str) -> None:
    shipped, in_code = load_config(SHIPPED), load_config(written(folder, ""))

    assert getattr(shipped, field) == getattr(in_code, field)


def test_the_shipped_file_names_every_setting() -> None:
    text = SHIPPED.read_text()
    sections = tomllib.loads(text)

    assert set(sections) == set(Config.model_fields)
    assert set(sections["negotiators"]) == set(Negotiators.model_fields)
    commented = set(re.findall(r"(?m)^# (\w+) =", text))
    named = {*commented, *sections["rules"]["budget"]}
    named.update(*(sections[name] for name in ("rules", "mistral", "log")))
    settings = (Rules, Budget, ModelSettings, LogSettings)
    assert named == {field for record in settings for field in record.model_fields}


def test_a_file_may_leave_out_anything(folder: Path) -> None:
    config = load_config(written(folder, "[rules]\nmax_rounds = 4\n"))

    assert config.rules == Rules(max_rounds=4)
    assert config.negotiators == load_config(SHIPPED).negotiators
    assert [supplier.id for supplier in config.suppliers] == [
        *("supplier-1", "supplier-2", "supplier-3")
    ]


def test_the_environment_goes_before_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(folder, 'database = "file.db"\n[rules]\nmax_rounds = 4\ndraft_retries = 1\n')
    monkeypatch.setenv("PARLEY_RULES__MAX_ROUNDS", "12")
    monkeypatch.setenv("PARLEY_DATABASE", "environment.db")

    config = load_config(path)

    assert config.rules == Rules(max_rounds=12, draft_retries=1)
    assert config.database == Path("environment.db")


def test_the_environment_alone_is_enough(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_RULES__MAX_ROUNDS", "7")

    assert load_config().rules.max_rounds == 7


def test_a_config_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_config(SHIPPED).database = Path("other.db")  # type: ignore[misc]


# Which file


def test_an_explicit_file_goes_first(folder: Path) -> None:
    written(folder, "[rules]\nmax_rounds = 4\n")
    explicit = written(folder, "[rules]\nmax_rounds = 5\n", "other.toml")

    assert load_config(explicit).rules.max_rounds == 5
    assert load_config(str(explicit)).rules.max_rounds == 5


def test_then_the_one_in_the_working_folder(folder: Path) -> None:
    written(folder, "[rules]\nmax_rounds = 4\n")

    assert load_config().rules.max_rounds == 4


@pytest.mark.parametrize(("beside_main", "rounds"), [("[rules]\nmax_rounds = 6\n", 6), (None, 10)])
def test_then_the_one_beside_main_then_the_defaults_in_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch, beside_main: str | None, rounds: int
) -> None:
    program = folder / "program" / "actors"
    program.mkdir(parents=True)
    monkeypatch.setattr(config_module, "__file__", str(program / "config.py"))
    if beside_main is not None:
        written(program.parent, beside_main)

    assert load_config().rules.max_rounds == rounds
    assert (ROOT / "main.py").is_file()


# Mistakes


def test_all_mistakes_are_listed_each_with_file_and_field(folder: Path) -> None:
    path = written(
        folder,
        'colour = "red"\n[rules]\nmax_rounds = 0\nspeed = 9\n[negotiators]\nbrand = 7\n'
        '[[suppliers]]\nid = "a b"\nname = "A"\nquality = 6\ncurrency = "USD"\n'
        '[suppliers.private]\nprices = { Widget = { list = 9.5, floor = "6.00" } }\n'
        'lead_time_days = { standard = 40, shortest = 25 }\npayment = ["30/70"]\n',
    )

    with pytest.raises(ConfigError) as raised:
        load_config(path)

    mistakes = raised.value.mistakes
    assert all(mistake.startswith(f"{path}: ") for mistake in mistakes)
    assert {mistake.removeprefix(f"{path}: ").split(": ")[0] for mistake in mistakes} == {
        *("colour", "rules.max_rounds", "rules.speed", "negotiators.brand", "suppliers.0.id"),
        *("suppliers.0.quality", "suppliers.0.private.prices.Widget.list"),
    }
    assert str(raised.value).splitlines() == list(mistakes)


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        ({"currency": "XXX"}, r"PARLEY_SUPPLIERS\.0\.currency: unknown currency: write a code"),
        ({}, r"PARLEY_SUPPLIERS\.1\.id: is another one's too: give each an id of its own"),
    ],
)
def test_suppliers_have_different_ids_and_known_currencies(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], mistake: str
) -> None:
    supplier = make_supplier().model_copy(update=change)
    twice = ",".join([supplier.model_dump_json()] * (1 if change else 2))
    monkeypatch.setenv("PARLEY_SUPPLIERS", f"[{twice}]")

    with pytest.raises(ConfigError, match=mistake):
        load_config()


def test_a_mistake_in_the_environment_is_named_with_its_field(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_RULES__MAX_ROUNDS", "many")

    with pytest.raises(ConfigError, match=r"^environment: PARLEY_RULES__MAX_ROUNDS: expected a"):
        load_config()


@pytest.mark.parametrize("content", [b"rules = [", b"\xff\xfe", b"a = 1\na = 2\n"])
def test_a_file_that_is_no_toml_is_refused_in_one_line(folder: Path, content: bytes) -> None:
    path = folder / "config.toml"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=r"config\.toml: is not valid TOML") as raised:
        load_config()

    assert len(raised.value.mistakes) == 1


def test_a_file_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: can't be read: No such file"):
        load_config(folder / "none.toml")


@pytest.mark.parametrize("database", ["", ".", "/", "a\\u0000b"])
def test_a_database_that_names_no_file_is_refused(folder: Path, database: str) -> None:
    path = written(folder, f'database = "{database}"\n')

    with pytest.raises(ConfigError) as raised:
        load_config(path)

    assert raised.value.mistakes == (f"{path}: database: is no file: name one, such as parley.db",)


def test_the_environment_is_read_though_the_file_is_no_toml(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_RULES__MAX_ROUNDS", "many")

    with pytest.raises(ConfigError) as raised:
        load_config(written(folder, "rules = ["))

    assert [mistake.split(": ")[1] for mistake in raised.value.mistakes] == [
        *("is not valid TOML", "PARLEY_RULES__MAX_ROUNDS")
    ]


def test_a_file_name_steers_no_terminal(folder: Path) -> None:
    path = written(folder, "speed = 9\n", "\x1b[2J\u202e.toml")

    with pytest.raises(ConfigError) as raised:
        load_config(path)

    (mistake,) = raised.value.mistakes
    assert "\\x1b[2J\\u202e.toml: speed: unknown key" in mistake
