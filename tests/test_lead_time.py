"""Lead time: whole days; the brand wants few and can wait, a supplier the other way round."""

from __future__ import annotations

from typing import Any

import pytest

from storage.mistakes import mistakes_in
from storage.terms.kind import Scale, Side
from storage.terms.lead_time import LeadTime, LeadTimeBrief

KNOWN = "target, standard, limit, shortest, day_cost"
LEAD_TIME = LeadTime()
BRAND = LEAD_TIME.read_brief({"target": 30, "limit": 45})
SUPPLIER = LEAD_TIME.read_brief({"standard": 50, "shortest": 40, "day_cost": "90.00"})


def scale(weight: float = 1.0) -> Scale:
    return Scale(unit_price=10.0, price_range=3.0, quantity=100.0, weight=weight)


@pytest.mark.parametrize("days", [0, 1, 35, 3650])
def test_whole_days_are_read(days: int) -> None:
    assert LEAD_TIME.read(days) == days


@pytest.mark.parametrize(
    "raw", [-1, 3651, 35.0, True, "35", None, pytest.param(10**5000, id="huge")]
)
def test_anything_but_whole_days_is_refused(raw: Any) -> None:
    with pytest.raises(ValueError, match=r"expected|limit"):
        LEAD_TIME.read(raw)


@pytest.mark.parametrize("wanted", [BRAND, SUPPLIER])
def test_a_brief_is_read_back_as_it_was_written(wanted: LeadTimeBrief) -> None:
    assert LEAD_TIME.read_brief(LEAD_TIME.write_brief(wanted)) == wanted


@pytest.mark.parametrize(
    ("raw", "mistakes"),
    [
        ({"target": 30}, [("limit", "is missing: add it, for a supplier as shortest")]),
        (
            {"target": "30", "limit": 45.0},
            [(name, "expected a whole number, such as 10") for name in ("target", "limit")],
        ),
        ({"target": 30, "limit": -1}, [("limit", "is too small: write 0 or more")]),
        ({"target": 30, "limit": 3651}, [("limit", "is too large: write 3650 or less")]),
        (
            {"target": 30, "limit": 45, "day_cost": 9.5},
            [("day_cost", 'expected a plain number as text, such as "6.40"')],
        ),
        (
            {"target": 30, "limit": 45, "limits": 20},
            [("limits", f"unknown key: did you mean limit? known are {KNOWN}")],
        ),
        (30, [(None, "expected a table: write its keys in { } or under its own [header]")]),
    ],
)
def test_every_mistake_in_a_brief_is_named_with_its_field_and_the_mend(
    raw: Any, mistakes: list[tuple[str | None, str]]
) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - its words are what is looked at
        LEAD_TIME.read_brief(raw)

    found = list(mistakes_in(raised.value, LeadTimeBrief))
    assert found == [((field,) if field else (), words) for field, words in mistakes]


def test_a_limit_on_the_wrong_side_of_the_target_is_refused() -> None:
    LEAD_TIME.check_brief(BRAND, Side.BRAND)
    LEAD_TIME.check_brief(SUPPLIER, Side.SUPPLIER)

    with pytest.raises(ValueError, match="the limit must not be below the target"):
        LEAD_TIME.check_brief(SUPPLIER, Side.BRAND)
    with pytest.raises(ValueError, match="the shortest must not be above the standard"):
        LEAD_TIME.check_brief(BRAND, Side.SUPPLIER)


def test_a_target_that_is_the_limit_suits_both_sides() -> None:
    fixed = LEAD_TIME.read_brief({"target": 30, "limit": 30})

    for side in Side:
        LEAD_TIME.check_brief(fixed, side)
        assert LEAD_TIME.allows(fixed, 30, side)
        assert LEAD_TIME.worth(fixed, 30, side, scale()) == 0.0


@pytest.mark.parametrize(
    ("wanted", "side", "allowed", "refused"),
    [(BRAND, Side.BRAND, (0, 45), 46), (SUPPLIER, Side.SUPPLIER, (40, 99), 39)],
)
def test_the_limit_is_kept_and_may_be_reached(
    wanted: LeadTimeBrief, side: Side, allowed: tuple[int, ...], refused: int
) -> None:
    assert all(LEAD_TIME.allows(wanted, days, side) for days in allowed)
    assert not LEAD_TIME.allows(wanted, refused, side)


@pytest.mark.parametrize(
    ("wanted", "side", "seen", "candidates"),
    [
        (BRAND, Side.BRAND, (), (30, 37, 45)),
        (BRAND, Side.BRAND, (20, 40, 60), (20, 30, 37, 40, 45)),
        (SUPPLIER, Side.SUPPLIER, (), (50, 45, 40)),
        (SUPPLIER, Side.SUPPLIER, (20, 42), (50, 45, 42, 40)),
    ],
)
def test_all_candidates_keep_the_limit_best_first_with_what_the_counterpart_offered(
    wanted: LeadTimeBrief, side: Side, seen: tuple[int, ...], candidates: tuple[int, ...]
) -> None:
    assert LEAD_TIME.candidates(wanted, side, seen) == candidates


@pytest.mark.parametrize(("days", "worth"), [(60, 0.0), (45, 0.0), (40, 1.0), (30, 3.0), (10, 3.0)])
def test_days_saved_are_worth_a_share_of_the_price_range_up_to_the_target(
    days: int, worth: float
) -> None:
    assert LEAD_TIME.worth(BRAND, days, Side.BRAND, scale()) == pytest.approx(worth)
    assert LEAD_TIME.worth(BRAND, days, Side.BRAND, scale(2.0)) == pytest.approx(2 * worth)


@pytest.mark.parametrize(("days", "worth"), [(30, 0.0), (40, 0.0), (45, 4.5), (50, 9.0), (80, 9.0)])
def test_days_given_are_worth_to_a_supplier_what_they_cost_per_unit(
    days: int, worth: float
) -> None:
    assert LEAD_TIME.worth(SUPPLIER, days, Side.SUPPLIER, scale()) == pytest.approx(worth)


@pytest.mark.parametrize(
    ("one", "other", "likeness"), [(30, 30, 1.0), (20, 40, 0.5), (40, 20, 0.5), (0, 0, 1.0)]
)
def test_likeness_is_the_shorter_over_the_longer(one: int, other: int, likeness: float) -> None:
    assert LEAD_TIME.likeness(one, other) == likeness


def test_days_are_read_out_in_the_singular_where_it_is_one() -> None:
    assert [LEAD_TIME.words(days) for days in (0, 1, 35)] == ["0 days", "1 day", "35 days"]


@pytest.mark.parametrize(
    ("days", "target"), [(60, 30), (45, 30), (31, 30), (30, 30), (29, 29), (0, 0)]
)
def test_a_limit_that_passes_its_target_takes_the_target_along(days: int, target: int) -> None:
    changed = LEAD_TIME.limited(BRAND, days)

    assert (changed.target, changed.limit) == (target, days)


def test_another_limit_leaves_what_a_day_costs() -> None:
    assert LEAD_TIME.limited(SUPPLIER, 20).day_cost == SUPPLIER.day_cost


@pytest.mark.parametrize("raw", ["30", 30.0, True, -1, 3651, None])
def test_a_limit_is_read_like_any_days(raw: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        LEAD_TIME.limited(BRAND, raw)
