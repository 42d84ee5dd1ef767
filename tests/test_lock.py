"""One engine per database: who has the lock, who is told of it, and that death gives it back."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import portalocker
import pytest
from portalocker import LockFlags

from storage.errors import DatabaseUnusable, EngineRunning
from storage.lock import Engine, EngineLock, lock_file, runs_on

ROOT = Path(__file__).parent.parent
PATIENCE_S = 20
HOLDS = "import sys, pathlib, storage.lock as l; k = l.EngineLock(pathlib.Path(sys.argv[1]))"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "parley.db"


@contextmanager
def engine_elsewhere(database: Path, then: str = "sys.stdin.read()") -> Iterator[Any]:
    """Another process that has the lock; it ends when its standard input does."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"{HOLDS}; print('holds', flush=True); {then}", str(database)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        assert process.stdout.readline() == "holds\n"
        yield process
        process.kill()


def test_the_second_is_refused_at_once_with_the_pid_of_the_first(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.lock.PATIENCE_S", 3600)
    with engine_elsewhere(database) as process:
        assert runs_on(database) == Engine(process.pid)

        with pytest.raises(EngineRunning, match=rf"pid {process.pid}\b.*parley\.db") as caught:
            EngineLock(database)

        assert caught.value.pid == process.pid
        assert "\n" not in str(caught.value)


def test_a_killed_one_gives_it_back_at_once(database: Path) -> None:
    with engine_elsewhere(database) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)

        assert lock_file(database).read_text() == f"{process.pid}\n"
        assert runs_on(database) is None
        lock = EngineLock(database)

    assert runs_on(database) == Engine(os.getpid())
    lock.close()


def test_closing_gives_it_back_and_leaves_no_file(database: Path, tmp_path: Path) -> None:
    lock = EngineLock(database)
    assert [path.name for path in tmp_path.iterdir()] == ["parley.db.lock"]
    assert lock_file(database).stat().st_mode & 0o777 == 0o600

    lock.close()
    lock.close()

    assert runs_on(database) is None
    assert list(tmp_path.iterdir()) == []
    EngineLock(database).close()


def test_closing_gives_it_back_for_whoever_has_inherited_it_too(database: Path) -> None:
    lock = EngineLock(database)
    inherited = os.dup(lock._descriptor or 0)

    lock.close()

    EngineLock(database).close()
    os.close(inherited)


def test_in_one_process_too_it_is_one_per_database(database: Path, tmp_path: Path) -> None:
    one, two = EngineLock(database), EngineLock(tmp_path / "other.db")

    with pytest.raises(EngineRunning, match=f"pid {os.getpid()}"):
        EngineLock(database)

    one.close()
    EngineLock(database).close()
    two.close()


def test_every_name_of_a_database_means_the_same_lock(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to(database)
    (tmp_path / "folder").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path / "elsewhere")
    lock = EngineLock(database)

    for name in (link, Path("link.db"), Path("../parley.db"), tmp_path / "folder" / "parley.db"):
        assert runs_on(name) == Engine(os.getpid())
        with pytest.raises(EngineRunning):
            EngineLock(name)

    lock.close()
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["link.db"]


def test_asking_makes_no_file(database: Path, tmp_path: Path) -> None:
    assert runs_on(database) is None
    assert runs_on(tmp_path / "no" / "such" / "folder.db") is None
    assert list(tmp_path.iterdir()) == []


def test_whoever_asks_never_makes_a_start_fail(database: Path) -> None:
    over = threading.Event()

    def asking() -> None:
        while not over.is_set():
            runs_on(database)

    threads = [threading.Thread(target=asking) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(200):
            EngineLock(database).close()
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_start_waits_for_one_who_only_looks(database: Path) -> None:
    lock_file(database).touch()
    looking = os.open(lock_file(database), os.O_RDONLY)
    portalocker.lock(looking, LockFlags.SHARED)
    looks_away = threading.Timer(0.05, os.close, [looking])
    looks_away.start()

    EngineLock(database).close()

    looks_away.join()


@pytest.mark.parametrize("text", ["", "41", "-41\n", "0\n", "41\nx", "\0" * 9, "9" * 40 + "\n"])
def test_a_pid_that_is_not_whole_is_not_told(database: Path, text: str) -> None:
    lock_file(database).write_text(text)
    half_way = os.open(lock_file(database), os.O_RDWR)
    portalocker.lock(half_way, LockFlags.EXCLUSIVE)

    assert runs_on(database) == Engine(pid=None)
    with pytest.raises(EngineRunning, match=r"^another engine runs on") as caught:
        EngineLock(database)

    assert caught.value.pid is None
    os.close(half_way)


def test_at_no_instant_of_a_take_over_is_the_dead_ones_pid_told(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_file(database).write_text("41\n")
    told: list[Engine | None] = []

    def watched(function: Any) -> Any:
        def call(*arguments: Any) -> None:
            if not looking:
                function(*arguments)
                looking.append(1)
                told.append(runs_on(database))
                looking.clear()
            else:
                function(*arguments)

        looking: list[int] = []
        return call

    monkeypatch.setattr("portalocker.lock", watched(portalocker.lock))
    lock = EngineLock(database)
    told.append(runs_on(database))
    lock.close()

    assert Engine(None) in told
    assert Engine(41) not in told
    assert told[-1] == Engine(os.getpid())


def test_one_who_comes_and_goes_during_a_take_over_leaves_nothing_behind(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlock = portalocker.unlock
    visitors = ["41\n", None, "41\n"]

    def visited(descriptor: int) -> None:
        unlock(descriptor)
        visitor = visitors.pop() if visitors else ""
        if visitor is None:
            lock_file(database).unlink()
        elif visitor:
            lock_file(database).write_text(visitor)  # it was killed, and its pid stays

    monkeypatch.setattr("portalocker.unlock", visited)
    lock = EngineLock(database)

    assert visitors == []
    assert runs_on(database) == Engine(os.getpid())
    assert lock_file(database).read_text() == f"{os.getpid()}\n"
    lock.close()


def test_of_many_who_start_at_once_one_gets_it(database: Path) -> None:
    together = threading.Barrier(8)
    locks: list[EngineLock] = []
    refused: list[EngineRunning] = []

    def starting() -> None:
        together.wait(PATIENCE_S)
        try:
            locks.append(EngineLock(database))
        except EngineRunning as error:
            refused.append(error)

    threads = [threading.Thread(target=starting) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)

    assert (len(locks), len(refused)) == (1, 7)
    assert {error.pid for error in refused} == {os.getpid()}
    locks[0].close()


def _child(database: Path, lock: EngineLock, parent: Connection) -> None:
    lock.close()
    parent.send(runs_on(database))
    parent.recv()


def test_a_forked_child_neither_has_it_nor_can_give_it_back(database: Path) -> None:
    lock = EngineLock(database)
    ours, childs = multiprocessing.Pipe()
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=_child, args=(database, lock, childs))
    child.start()

    assert ours.recv() == Engine(os.getpid())
    assert runs_on(database) == Engine(os.getpid())
    lock.close()
    assert runs_on(database) is None

    ours.send("go")
    child.join(PATIENCE_S)
    assert child.exitcode == 0


@pytest.mark.parametrize(
    "born",
    [
        "os.fork() or (print(os.getpid(), flush=True), time.sleep(60))",
        "print(subprocess.Popen(['sleep', '60']).pid, flush=True)",
    ],
    ids=["fork", "exec"],
)
def test_a_child_that_lives_on_does_not_keep_the_lock_of_a_killed_parent(
    database: Path, born: str
) -> None:
    then = f"import os, subprocess, time; {born}; sys.stdin.read()"
    with engine_elsewhere(database, then) as process:
        assert process.stdout
        child = int(process.stdout.readline())
        process.kill()
        process.wait(PATIENCE_S)

        EngineLock(database).close()

        os.kill(child, signal.SIGKILL)


def test_where_no_lock_file_can_be_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match=r"folder\.db: there is no folder"):
        EngineLock(tmp_path / "no" / "folder.db")

    (tmp_path / "aim").write_text("somebody's")
    (tmp_path / "parley.db.lock").symlink_to(tmp_path / "aim")
    for use in (EngineLock, runs_on):
        with pytest.raises(DatabaseUnusable):
            use(tmp_path / "parley.db")
    assert (tmp_path / "aim").read_text() == "somebody's"
