"""Whatever models say, on either side: no breach, no secret told, and all come to an end."""

from __future__ import annotations

from pathlib import Path

from hostile_models import KINDS, play

from actors.mechanism.ruling import Rule


def test_hostile_models_break_nothing_and_every_negotiation_ends(tmp_path: Path) -> None:
    tally, tried = play(tmp_path, suppliers=3)

    assert tally.faults == []
    assert tally.parked == 0
    assert tally.negotiations == sum(tally.endings.values()) == 60
    assert len(KINDS) >= 10
    assert len(tried) > len(KINDS) - 3
    assert len({*tally.fired} & {*Rule}) >= 8


def test_answers_by_the_schema_without_any_sense_break_nothing(tmp_path: Path) -> None:
    tally, _ = play(tmp_path, suppliers=2, senseless=True)

    assert tally.faults == []
    assert tally.parked == 0
    assert tally.negotiations == sum(tally.endings.values()) == 40
    assert tally.fired[Rule.UNREADABLE] > 40
