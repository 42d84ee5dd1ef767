"""A person, in a process of their own, who steps in at random instants without end.

`python tests/torture_person.py SEED PAUSE_S NOTES` steps into the negotiations of `parley.db` in
its folder with suppliers of odd number, with what the command line calls or as another program by
SQL. What was received, and what was refused at once, is noted in the file NOTES.
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from keepsake import opened, taken

from actors.errors import InterventionError
from actors.reception import receive
from storage.errors import NegotiationNotActive
from storage.store import Store

DATABASE = Path("parley.db")
PATIENCE_S = 30.0
GUIDED = (
    "SELECT n.id, (SELECT max(seq) FROM messages AS m WHERE m.negotiation_id = n.id "
    "AND m.sender = 'supplier' AND m.move = 'offer') "
    "FROM negotiations AS n WHERE (n.status = 'active') = ? "
    "AND CAST(substr(n.supplier_id, 10) AS INTEGER) % 2 = 1 ORDER BY n.id"
)
TOO_LATE = 0.05
"""How often the negotiation has ended before."""
COLUMNS = ("text", "limits", "priorities", "action", "accepts_seq")


def content(dice: random.Random, number: int, offered: int | None) -> dict[str, Any]:
    """What is asked for; no two texts are the same."""
    text = f"Remark {number}: {dice.choice(['be quick', 'be firm', 'stay friendly'])}."
    limits: dict[str, Any] = dice.choice(
        [
            {"unit_price": f"{dice.uniform(5.8, 8.0):.2f}"},
            {"lead_time_days": dice.randint(28, 50)},
            {"payment": dice.choice([["30/70"], ["net 30", "30/70"]])},
        ]
    )
    share = dice.randrange(0, 80, 10)
    priorities = {"quality": 10, "cost": 80 - share, "lead_time": share, "payment_terms": 10}
    kind = dice.random()
    if kind < 0.4:
        return {"text": text}
    if kind < 0.7:
        return {"text": dice.choice([text, None]), "limits": limits}
    if kind < 0.8:
        return {"priorities": priorities}
    if kind < 0.9:
        return {"text": text, "limits": limits, "priorities": priorities}
    if kind < 0.93:
        return {"action": "continue"}
    if kind < 0.95 or offered is None:
        return {"text": text, "action": "walk_away"}
    return {"action": "accept", "accepts_seq": offered, "limits": {"unit_price": "9.60"}}


def by_sql(negotiation_id: str, asked: Mapping[str, Any]) -> str:
    """Write a row as another program does; its id."""
    values = [asked.get(name) for name in COLUMNS]
    plain = [json.dumps(each) if isinstance(each, dict) else each for each in values]
    with closing(sqlite3.connect(DATABASE, timeout=PATIENCE_S)) as database, database:
        # S608: the names are our own
        insert = f"INSERT INTO interventions (negotiation_id, {', '.join(COLUMNS)})"
        row = f"{insert} VALUES (?, ?, ?, ?, ?, ?) RETURNING id"
        ((row_id,),) = database.execute(row, [negotiation_id, *plain]).fetchall()
        return str(row_id)


def step_in(dice: random.Random, number: int, notes: Path) -> None:
    """Once, somewhere; or not at all where nothing moves."""
    if not taken(DATABASE.absolute()).negotiations:
        return  # there may be no database yet
    with closing(opened(DATABASE.absolute())) as database:
        found = database.execute(GUIDED, [dice.random() > TOO_LATE]).fetchall()
    if not found:
        return
    negotiation_id, offered = dice.choice(found)
    told: dict[str, str]
    for each in range(dice.choice([1, 1, 1, 3])):
        asked = content(dice, 10 * number + each, offered)
        try:
            if dice.random() < 0.3:
                told = {"received": by_sql(negotiation_id, asked)}
            else:
                _, (one,) = receive(Store(DATABASE), negotiation_id=negotiation_id, **asked)
                told = {"received": one.id}
        except (NegotiationNotActive, InterventionError) as error:
            told = {"refused": str(error)}
        with notes.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")


def main(seed: str, pause_s: str, notes: str) -> None:
    """Step in until somebody ends this process."""
    dice, number = random.Random(seed), 0
    while True:
        number += 1
        time.sleep(dice.expovariate(1 / float(pause_s)))  # the instants are what is random here
        step_in(dice, number, Path(notes))


if __name__ == "__main__":
    main(*sys.argv[1:])
