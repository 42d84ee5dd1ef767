"""Imports run one way: main → actors → storage, from upper to lower layers, without a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [ROOT / "main.py", *ROOT.glob("actors/**/*.py"), *ROOT.glob("storage/**/*.py")]


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in SOURCES}


def imported_by(path: Path) -> Iterator[str]:
    """The full names of the modules that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a name comes from"
            assert node.module
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


IMPORTS = {name: set(imported_by(path)) for name, path in MODULES.items()}


def within(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


@pytest.mark.parametrize(
    ("room", "closed"),
    [
        ("storage", ("actors", "main", "tests")),
        ("actors", ("main", "tests")),
        ("actors.mechanism", ("actors",)),
        ("storage.terms", ("storage.records", "storage.tables", "storage.store")),
    ],
)
def test_a_lower_room_knows_no_upper_one(room: str, closed: tuple[str, ...]) -> None:
    upward = {
        (module, name)
        for module, names in IMPORTS.items()
        if within(module, room)
        for name in names
        if any(within(name, other) for other in closed) and not within(name, room)
    }

    assert any(within(module, room) for module in MODULES)
    assert upward == set()


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        (
            "peewee",
            {
                *("storage.tables", "storage.statements", "storage.migrations"),
                *("storage.database", "storage.receipts", "storage.calls", "storage.reader"),
                "storage.snapshot",
            },
        ),
        (
            "pykka",
            {
                *("actors.agents", "actors.coordinator", "actors.supplier_negotiation"),
                *("actors.persistence", "actors.runtime", "actors.mailbox", "actors.saves"),
                "actors.acting",
                "actors.system",
            },
        ),
        ("jinja2", {"actors.report.page"}),
        ("mistralai", {"actors.negotiators.mistral"}),
        ("portalocker", {"actors.log.rotation", "storage.lock"}),
        ("structlog", {"actors.event_stream"}),
        ("prompt_toolkit", {"actors.prompt"}),
        ("IPython", {"actors.ipython"}),
        ("sqlite3", {"storage.database", "storage.pages", "storage.reader"}),
        ("vl_convert", {"actors.report.chart"}),
    ],
)
def test_a_library_is_known_only_where_its_work_is_done(library: str, allowed: set[str]) -> None:
    users = {name for name, names in IMPORTS.items() if any(within(n, library) for n in names)}

    assert users <= allowed


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {
        name: {other for other in names if other in MODULES} for name, names in IMPORTS.items()
    }

    order = [*TopologicalSorter(graph).static_order()]

    assert set(order) == set(MODULES)


def test_names_are_imported_from_the_module_that_defines_them() -> None:
    packages = [path for path in SOURCES if path.name == "__init__.py"]
    bodies = {name_of(path): ast.parse(path.read_text(encoding="utf-8")).body for path in packages}

    assert packages
    assert {name: len(body) for name, body in bodies.items() if len(body) > 1} == {}
    assert all(isinstance(node, ast.Expr) for body in bodies.values() for node in body)
