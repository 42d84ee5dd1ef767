"""Whatever a server does wrong, nothing is lost, doubled or invented; each ends or is parked."""

from __future__ import annotations

from pathlib import Path

from model_faults import ATTEMPTS, MESSAGES, Tally, at_random, from_on, once_at, planned, play
from model_server import Effect, Fault
from modelled import rows

from storage.records import is_parked

FAULTS = list(Fault)


def test_each_failure_once_is_got_over_or_parks_its_own_negotiation(tmp_path: Path) -> None:
    database, tally = tmp_path / "parley.db", Tally()
    plan = planned((fault, 1 + place % 5) for place, fault in enumerate(FAULTS))

    ended = play(database, once_at(plan), len(plan), tally, timeout_s=1.5)

    assert tally.faults == []
    assert set(tally.struck) == set(Fault.__members__)
    parked = {n.supplier.name for n in ended if is_parked(n)}
    final = {name for name, (fault, _) in plan.items() if fault.effect is Effect.FAIL_FAST}
    assert parked == final
    assert rows(database, "SELECT DISTINCT origin FROM messages") == ["mistral"]


def test_each_failure_for_ever_is_given_up_with_its_reason(tmp_path: Path) -> None:
    database, tally = tmp_path / "parley.db", Tally()
    lasting = [fault for fault in FAULTS if fault is not Fault.STATUS_429]
    plan = planned((fault, 1 + place % 5) for place, fault in enumerate(lasting))

    ended = play(database, from_on(plan), len(plan), tally, timeout_s=1.5)

    assert tally.faults == []
    for negotiation in ended:
        fault, _ = plan[negotiation.supplier.name]
        passes = fault.effect is Effect.NONE
        # an answer that is no move is no failure of the server: tactics go on instead
        origins = set(
            rows(database, "SELECT origin FROM messages WHERE negotiation_id = ?", negotiation.id)
        )
        assert is_parked(negotiation) is not (passes or "fallback" in origins), fault
        if is_parked(negotiation) and fault.effect is not Effect.FAIL_FAST:
            assert f"(attempt {ATTEMPTS})" in (negotiation.last_error or "")


def test_one_call_of_three_fails_at_random_and_all_come_to_an_end(tmp_path: Path) -> None:
    tally = Tally()

    # a throttled call slows all others, which is shown elsewhere
    strikes = at_random(7, without=Fault.STATUS_429)
    ended = play(tmp_path / "parley.db", strikes, 12, tally, timeout_s=1.5)

    assert tally.faults == []
    assert len(ended) == 12
    assert tally.agreed > 6
    assert tally.most_attempts > 1
    assert sum(tally.struck.values()) > MESSAGES
