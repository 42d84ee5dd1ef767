"""The environment: what begins with PARLEY_ is a setting, or a mistake; no value is repeated."""

from __future__ import annotations

import pytest

from actors.config import Config, load_config
from actors.environment import read_environment
from actors.errors import ConfigError
from storage.mistakes import Mistakes
from storage.rules import Rules


def test_a_table_may_be_json_and_a_single_setting_goes_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PARLEY_RULES", '{"max_rounds": 3, "draft_retries": 1}')
    monkeypatch.setenv("PARLEY_RULES__MAX_ROUNDS", "4")

    rules = load_config().rules

    assert (rules.max_rounds, rules.draft_retries) == (4, 1)
    assert rules.move_timeout_s == Rules().move_timeout_s


def test_all_mistakes_are_named_by_their_variables_and_tell_no_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "PARLEY_DATABSE": "s3cret",
        "PARLEY_RULES__MAX_ROUND": "s3cret",
        "PARLEY_rules__max_rounds": "s3cret",
        "PARLEY_SUPPLIERS": '[{"s3cret": 1',
        "PARLEY_RULES__MAX_ROUNDS": "s3cret",
        "PARLEY_NEGOTIATORS": '{"brand": "s3cret"}',
        "PARLEY_DATABASE": "",
        "OTHER": "s3cret",
    }.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError) as raised:
        load_config()

    unknown = "unknown negotiator: choose tactics, mistral or narrated"
    beginnings = [mistake.split("? known")[0] for mistake in raised.value.mistakes]
    assert sorted(beginnings) == [
        "environment: PARLEY_DATABASE: is no file: name one, such as parley.db",
        "environment: PARLEY_DATABSE: unknown key: did you mean PARLEY_DATABASE",
        f"environment: PARLEY_NEGOTIATORS.brand: {unknown}",
        "environment: PARLEY_RULES__MAX_ROUND: unknown key: did you mean PARLEY_RULES__MAX_ROUNDS",
        "environment: PARLEY_RULES__MAX_ROUNDS: expected a whole number, such as 10",
        "environment: PARLEY_SUPPLIERS: is no JSON: write a table as {…} or a list as […]",
        next(line for line in beginnings if "PARLEY_rules__max_rounds" in line),
    ]
    assert "s3cret" not in str(raised.value)


def test_a_setting_hides_no_mistake_of_the_file() -> None:
    environment = read_environment({"PARLEY_RULES__MAX_ROUNDS": "4"}, Config, Mistakes())

    assert environment.over({"rules": 7}) == {"rules": 7}
    assert environment.over({}) == {"rules": {"max_rounds": "4"}}


def test_brackets_thousands_deep_are_no_json() -> None:
    mistakes = Mistakes()

    read_environment({"PARLEY_SUPPLIERS": "[" * 100_000}, Config, mistakes)

    assert [path for path, _ in mistakes.found] == [("PARLEY_SUPPLIERS",)]
