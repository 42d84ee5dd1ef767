"""The docket: each intervention waits once, and what the brand owes is known after a restart."""

from __future__ import annotations

from typing import Any

from factories import as_saved, make_conversation, make_entry, make_intervention

from actors.mechanism.docket import Docket
from storage.interventions import Intervention
from storage.records import Message, Sender


def one(number: int, *, status: str = "received", seq: int | None = None, **content: Any) -> Any:
    made = make_intervention(number=number, **content)
    return Intervention.model_validate(made.model_dump() | {"status": status, "message_seq": seq})


def user_message(seq: int, sender: Sender = Sender.USER) -> Message:
    return as_saved(make_entry(make_conversation(), sender, None, seq=seq))


def ids(interventions: tuple[Intervention, ...]) -> list[str]:
    return [intervention.id for intervention in interventions]


def test_what_is_received_waits_oldest_first() -> None:
    docket = Docket().received(one(2)).received(one(1))

    assert ids(docket.waiting) == ["i-2", "i-1"]
    assert docket.owed == ()
    assert docket.known == {"i-1", "i-2"}


def test_what_is_known_is_dropped_wherever_it_stands() -> None:
    rows = [one(1), one(2, seq=3), one(3, status="applied", seq=3), one(4, status="refused")]
    docket = Docket.restored(rows, [user_message(3)])

    for row in rows:
        assert docket.received(row) is docket


def test_on_disk_a_row_with_its_user_message_owes_only_the_answer() -> None:
    rows = [one(1, seq=2), one(2, seq=4), one(3), one(4, seq=1)]
    said = [user_message(1, Sender.BRAND), user_message(2)]

    docket = Docket.restored(rows, said)

    assert ids(docket.owed) == ["i-1"]
    assert ids(docket.waiting) == ["i-2", "i-3", "i-4"]


def test_on_disk_what_is_settled_neither_waits_nor_is_owed() -> None:
    docket = Docket.restored(
        [one(1, status="applied", seq=2), one(2, status="refused")], [user_message(2)]
    )

    assert (docket.waiting, docket.owed) == ((), ())
    assert docket.known == {"i-1", "i-2"}


def test_a_continue_is_no_guidance() -> None:
    docket = Docket.restored([one(1, action="continue")], [])

    assert docket == Docket()


def test_what_came_by_mail_meanwhile_joins_what_is_on_disk_once() -> None:
    on_disk = Docket.restored([one(1), one(2, seq=2)], [user_message(2)])
    mailed = Docket().received(one(2)).received(one(3)).received(one(1))

    joined = on_disk.joined(mailed)

    assert ids(joined.waiting) == ["i-1", "i-3"]
    assert ids(joined.owed) == ["i-2"]


def test_the_action_that_is_owed_is_found_among_the_rest() -> None:
    rows = [one(1, seq=2), one(2, seq=3, action="walk_away"), one(3, action="walk_away")]
    docket = Docket.restored(rows, [user_message(2), user_message(3)])

    assert docket.action is not None
    assert docket.action.id == "i-2"
    assert Docket.restored(rows[:1], [user_message(2)]).action is None
    assert Docket.restored(rows[2:], []).action is None
