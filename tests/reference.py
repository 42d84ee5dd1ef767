"""The reference of the log, made from the types: in the README, and as a format for lnav.

`python tests/reference.py` writes both anew.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
import textwrap
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_type_hints

from msgspec.structs import fields

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]

from actors.events import Event, NegotiationEvent
from actors.log.catalogue import EVENTS
from actors.log.log_events import LibraryLogged
from actors.model_events import OPEN_TELEMETRY, ModelEvent

README = ROOT / "README.md"
FORMAT = ROOT / "actors" / "log" / "parley.lnav.json"
BEGIN = "<!-- python tests/reference.py writes what follows -->"
END = "<!-- python tests/reference.py writes what precedes -->"
SHARED: dict[str, type[Event]] = {"*call*": ModelEvent, "*ids*": NegotiationEvent}
"""What stands in the table for the facts that all events of a kind have."""
KINDS = {str: "string", int: "integer", float: "float", bool: "boolean"}


@dataclass(frozen=True)
class Fact:
    """What stands on a line beside its head."""

    name: str
    kind: type
    may_be_missing: bool
    meaning: str | None


def facts(event: type[Event]) -> list[Fact]:
    """All that a kind of event may tell, in order."""
    kinds = {name: _plain(kind) for name, kind in get_type_hints(event).items()}
    own = [field.name for field in fields(event)]
    full = _made(event, {name: kinds[name][0]() for name in own})
    least = _made(event, {name: None if kinds[name][1] else kinds[name][0]() for name in own})
    renamed = OPEN_TELEMETRY if issubclass(event, ModelEvent) else {}
    by_name = {renamed.get(name, name): name for name in own}
    meanings = _meanings(event)
    return [
        Fact(
            name,
            kinds[by_name[name]][0] if name in by_name else str,
            name not in least.facts(),
            meanings.get(by_name.get(name, "")),
        )
        for name in full.facts()
        if name != "level"
    ]


def _made(event: Any, values: dict[str, Any]) -> Event:
    made: Event = event(**values)
    return made


def _plain(kind: Any) -> tuple[type, bool]:
    """A type without None and without its new name, and whether it may be None."""
    kinds = [each for each in get_args(kind) if each is not type(None)] or [kind]
    return getattr(kinds[0], "__supertype__", kinds[0]), len(get_args(kind)) > len(kinds)


def _meanings(event: type[Event]) -> dict[str, str]:
    """What stands under its fields in the source."""
    found: dict[str, str] = {}
    for kind in (one for one in inspect.getmro(event) if issubclass(one, Event)):
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
        assert isinstance(body, ast.ClassDef)
        for field, below in pairwise(body.body):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
            ):
                found[field.target.id] = " ".join(str(below.value.value).split())
    return found


def rows() -> list[str]:
    """The README's two tables, of the events and of the fields whose names say too little."""
    table = ["| event | level | fields | meaning |", "|---|---|---|---|"]
    for event in EVENTS:
        level = "its own" if event is LibraryLogged else event.level
        cells = [f"`{event.name}`", level, _cell(event), " ".join((event.__doc__ or "").split())]
        table.append(f"| {' | '.join(cells)} |")
    table += ["", "| field | meaning |", "|---|---|"]
    meanings = {fact.name: fact.meaning for event in EVENTS for fact in facts(event)}
    table += [f"| `{name}` | {meaning} |" for name, meaning in meanings.items() if meaning]
    return table


def _cell(event: type[Event]) -> str:
    shared: set[str] = set()
    cells: list[str] = []
    for name, kind in SHARED.items():
        if issubclass(event, kind):
            cells.append(name)
            shared = {fact.name for fact in facts(kind)}
            break
    own = [fact for fact in facts(event) if fact.name not in shared]
    return ", ".join([*cells, *(f"`{one.name}`{'?' * one.may_be_missing}" for one in own)])


def readme(text: str) -> str:
    """The README with what the types say in its place."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([f"{before}{BEGIN}", *rows(), f"{END}{after}"])


def lnav() -> str:
    """What lnav must know to make a table of a log."""
    kinds: dict[str, type] = {"event": str, "run_id": str}
    kinds |= {fact.name: fact.kind for event in EVENTS for fact in facts(event)}
    shape = {
        "title": "Parley",
        "description": "What a brand's and its suppliers' agents do, one event a line.",
        "file-type": "json",
        "hide-extra": True,
        "timestamp-field": "ts",
        "level-field": "level",
        "opid-field": "negotiation_id",
        "value": {name: _column(name, kind) for name, kind in kinds.items()},
        "line-format": [
            {"field": "__timestamp__"},
            " ",
            {"field": "__level__", "min-width": 8},
            " ",
            {"field": "event", "min-width": 22},
            *(part for name in SHOWN for part in (" ", {"field": name, "default-value": ""})),
        ],
    }
    return json.dumps({"parley": shape}, indent=1) + "\n"


SHOWN = ("supplier_id", "seq", "sender", "move", "currency", "total", "status", "reason", "error")
"""What lnav shows of a line, beside its head."""


def _column(name: str, kind: type) -> dict[str, Any]:
    column: dict[str, Any] = {"kind": KINDS[kind]}
    if name.endswith("_id") or name == "event":
        column["identifier"] = True
    if name not in SHOWN and name != "event":
        column["hidden"] = True
    return column


def write() -> None:
    """Write both anew."""
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
    FORMAT.write_text(lnav(), encoding="utf-8")


if __name__ == "__main__":
    write()
