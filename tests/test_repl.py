"""The REPL as a person meets it: at a real terminal, with IPython and without, and by a pipe."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from factories import make_config, make_supplier, quote_fields
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from terminal import ROOT, Terminal

from actors.handles.quotes import Quotes
from actors.prompt import INDENT, Names
from actors.repl import LONGEST_WAIT_S, ReplSystem, _loop, explanation

PATIENCE_S = 60
START = "q = new(); s = q.start()"
WAIT = "print('wai' + 'ting'); q.wait(60)"
AWAIT = "print('wai' + 'ting'); await q.ended()"
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\x9b1A"


Opens = Callable[..., Terminal]


@pytest.fixture(params=["python", "ipython"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opens:
    """Opens a terminal with each of the two shells."""
    return partial(Terminal, tmp_path, shell_name=request.param)


def piped(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "repl"],
        cwd=folder,
        input=script,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def log_of(folder: Path) -> list[str]:
    (log,) = folder.glob("parley.*.jsonl")
    return [json.loads(line)["event"] for line in log.read_text().splitlines()]


def tick(terminal: Terminal, numbers: str) -> None:
    """Have a thread print a line every millisecond."""
    work = f"for i in {numbers}: print('tick', i); time.sleep(0.001)"
    terminal.press("import itertools, threading, time\r")
    terminal.press(f"thread = threading.Thread(target=exec, args=({work!a}, globals()))\r")
    terminal.press("thread.daemon = True; thread.start()\r")
    terminal.until("tick 0")


# At a terminal


def test_half_a_line_stays_intact_while_events_come_and_then_runs(opened: Opens) -> None:
    with opened("--pace", "0.3") as terminal:
        terminal.run(START, shows="supplier-1 message 1: brand offer USD 35000.00\r\n")

        for part in ("pri", "nt('i", "n' +", " 'tact'", ", len(q))"):
            terminal.press(part)
            terminal.until_next("supplier-1 message ")
        terminal.press("\r")

        terminal.until("intact 3\r\n")
        terminal.run("[one.status for one in q.wait(60).positions]", shows="['completed', ")
        assert "Traceback" not in terminal.screen


def test_no_line_is_lost_between_two_prompts(opened: Opens) -> None:
    with opened() as terminal:
        tick(terminal, "range(1500)")
        for number in range(25):
            terminal.run(f"print('do' + 'ne', {number})", shows=f"done {number}\r\n")
        terminal.run("thread.join(); print('o' + 'ver')", shows="over\r\n")

        assert set(re.findall(r"tick (\d+)\r\n", terminal.screen)) == set(map(str, range(1500)))


def test_keys_that_are_pressed_while_something_is_printed_reach_the_prompt(opened: Opens) -> None:
    with opened() as terminal:
        tick(terminal, "itertools.count()")
        terminal.press(f"print('o{'x' * 16}")
        for _ in range(16):
            terminal.until_next("tick")
            terminal.press("\x7f")
        terminal.press("k' + 'ay')\r")
        terminal.until("okay\r\n")

        terminal.until_next("tick")
        terminal.press("\x04")
        assert terminal.ended() == 0


def test_a_mistake_is_one_line(opened: Opens) -> None:
    with opened("--pace", "30") as terminal:
        terminal.run("system.quote('q-0')", shows="UnknownRecord: there is no quote 'q-0'")
        terminal.run("new('none.toml')", shows="none.toml: can't be read")
        terminal.run(START, shows="quote.started")
        terminal.run("q.start()", shows="QuoteNotPending: ")
        terminal.run("q['Supplier 7']", shows="NotThere: no supplier is called 'Supplier 7': say S")
        terminal.run("q['Supplier 1'].accept()", shows="OfferUnseen: Supplier 1 has made no offer")
        terminal.run("q.say('')", shows="text: ")
        terminal.run("q.say('Soon', limit={})", shows="unexpected keyword argument 'limit'\r\n")
        terminal.run("quits", shows="NameError: name 'quits' is not defined\r\n")
        terminal.run("await q.ended(0.01)", shows="TimeoutError: something still moved after 0.01")
        terminal.run("q.wait(0.01)", shows="TimeoutError: something still moved after 0.01 s; ")
        assert "q.wait(600) or system.wait(quote_id, 600) waits longer\r\n" in terminal.screen
        assert "Traceback" not in terminal.screen

        terminal.run("import json; json.loads('{')", shows="JSONDecodeError: ")
        assert "Traceback" in terminal.screen


@pytest.mark.parametrize("line", [WAIT, AWAIT], ids=["wait", "await"])
def test_ctrl_c_ends_a_wait_and_negotiations_go_on(opened: Opens, line: str) -> None:
    with opened("--pace", "0.2") as terminal:
        terminal.run(START, shows="quote.started")
        terminal.press(f"{line}\r")
        terminal.until("waiting\r\n")

        terminal.press("\x03")

        terminal.until("interrupted; negotiations go on\r\n")
        terminal.run("print('he' + 're')", shows="here\r\n")
        terminal.until("supplier-1 ended: completed")
        assert "Traceback" not in terminal.screen


def test_an_await_that_was_interrupted_leaves_nothing_pending(opened: Opens) -> None:
    with opened("--pace", "30") as terminal:
        terminal.run(START, shows="quote.started")
        terminal.press(f"{AWAIT}\r")
        terminal.until("waiting\r\n")
        terminal.press("\x03")
        terminal.until("interrupted; negotiations go on\r\n")
        terminal.press("exit()\r")

        assert terminal.ended() == 0
        assert "pending" not in terminal.screen


def test_ctrl_c_drops_what_is_being_typed(opened: Opens) -> None:
    with opened() as terminal:
        terminal.press("1 / 0 + (")
        terminal.until("1 / 0 + (")
        terminal.press("\x03")
        terminal.run("print('he' + 're')", shows="here\r\n")
        assert "ZeroDivisionError" not in terminal.screen


@pytest.mark.parametrize(("way", "code"), [("\x04", 0), ("exit()\r", 0), ("exit(3)\r", 3)])
def test_leaving_stops_what_is_active_and_leaves_nothing_running(
    opened: Opens, tmp_path: Path, way: str, code: int
) -> None:
    with opened("--pace", "30") as terminal:
        terminal.run(START, shows="quote.started")
        terminal.press(way)

        assert terminal.ended() == code
        assert terminal.is_sane
        assert "Traceback" not in terminal.screen
        with pytest.raises(ProcessLookupError):
            os.killpg(terminal.process.pid, 0)
    assert log_of(tmp_path)[-2:] == ["system.stopped", "run.finished"]
    assert not list(tmp_path.glob("*.lock"))
    with closing(sqlite3.connect(tmp_path / "parley.db")) as database:
        rows = database.execute("SELECT DISTINCT status FROM negotiations").fetchall()
    assert rows == [("active",)]


@pytest.mark.parametrize("doing", ["typing", "waiting"])
def test_being_told_to_end_stops_it_too(opened: Opens, tmp_path: Path, doing: str) -> None:
    with opened("--pace", "30") as terminal:
        terminal.run(START, shows="quote.started")
        if doing == "waiting":
            terminal.press(f"{WAIT}\r")
            terminal.until("waiting\r\n")
        else:
            terminal.press("system.qu")
            terminal.until("system.qu")

        terminal.process.send_signal(signal.SIGTERM)

        assert terminal.ended() == 143
        assert terminal.is_sane
        assert "Traceback" not in terminal.screen
    assert log_of(tmp_path)[-2:] == ["system.stopped", "run.finished"]
    assert not list(tmp_path.glob("*.lock"))


def test_lines_that_are_pasted_together_run_one_by_one(opened: Opens) -> None:
    with opened() as terminal:
        terminal.press("\x1b[200~def f():\r    return 'fi' + 'ne'\r\rprint(f())\x1b[201~\r")
        terminal.until("fine\r\n")


def test_ctrl_c_drops_what_was_pasted_behind_it(opened: Opens) -> None:
    with opened("--pace", "30") as terminal:
        terminal.run(START, shows="quote.started")
        terminal.press(f"\x1b[200~{WAIT}\rprint('nev' + 'er')\x1b[201~\r")
        terminal.until("waiting\r\n")

        terminal.press("\x03")

        terminal.until("interrupted; negotiations go on\r\n")
        terminal.run("print('he' + 're')", shows="here\r\n")
        assert "never\r\n" not in terminal.screen


def test_hostile_text_stays_inert(opened: Opens) -> None:
    stray = make_supplier(9).model_dump(mode="json") | {"name": HOSTILE}
    fields = quote_fields(suppliers=["supplier-9"], supplier=[stray], notes=HOSTILE)
    with opened() as terminal:
        before = len(terminal.screen)
        terminal.run(f"q = new({fields!a})", shows="quote.created")
        terminal.run("q", shows="q.start() asks ")
        terminal.run("q.record, q.record.notes", shows="(<Quote q-")
        terminal.run("print(q.record.notes, q.record.supplier_names)", shows="owned")
        terminal.run("n = q.start(), *q", shows="quote.started")
        terminal.run("n, q", shows=" negotiating, totals in")
        terminal.run("q['supplier-9'].record, q['supplier-9'].record.supplier.name", shows="(<Neg")
        terminal.run(f"q[{HOSTILE!a}].transcript()", shows=" with ")
        terminal.run(f"system.quote({HOSTILE!a})", shows="UnknownRecord: ")
        terminal.run(f"raise ValueError({HOSTILE!a})", shows="ValueError: ")
        terminal.run(f"int.from_bytes({HOSTILE!a})", shows="TypeError: ")
        terminal.run(f"import decimal; decimal.Decimal({HOSTILE!a})", shows="InvalidOperation")
        terminal.run(f"exec({HOSTILE!a})", shows="SyntaxError: ")
        terminal.run(f"exec({f'def f(): raise ValueError({HOSTILE!a})'!a}); f()", shows="ValueErr")
        terminal.run(f"system.create_quote({fields!a} | dict(notes='x' * 10_000))", shows="500 ")
        terminal.run("system.quote('x' * 100_000)", shows="UnknownRecord: ")
        terminal.run("print('he' + 're')", shows="here\r\n")

        assert len(terminal.screen) - before < 40_000
        for harm in ("\x1b]0;", "\x1b[2J", "\u202e", "\x9b"):
            assert harm not in terminal.screen


@pytest.mark.parametrize("columns", [80, 200])
def test_a_person_steps_into_a_quote(opened: Opens, tmp_path: Path, columns: int) -> None:
    with opened(columns=columns) as terminal:
        terminal.run("q = new()", shows="quote.created")
        terminal.run("q", shows="q.start() asks Supplier 1, Supplier 2, Supplier 3")
        terminal.run("q.start(automatic=False).positions[0].status", shows="'active'")
        terminal.run("_ = q.wait(60), q.continue_(), q.wait(60)", shows="supplier-3 message 3: ")
        terminal.run("q.status()", shows="Supplier 3 ")
        above = r"^Supplier 2 .* 18,050.00 +1 +active\r$"
        below = r"^ +21 days +36 days +51.2 % +you:(\r\n.*)? continue_\(\)\r$"
        assert re.search(f"{above}\n{below}", terminal.screen, re.MULTILINE)

        say = "r = q.say('Sooner, please.'); _ = q.wait(60)"
        terminal.run(say, shows="supplier-3 intervention applied")
        terminal.run("r", shows="message 4: applied, message 5 follows")
        lower = "{'bottle.unit_price': '6.30'}"
        terminal.run(f"q['Supplier 2'].say(limits={lower})", shows="i-")
        terminal.run("q.wait(60), q['Supplier 2']", shows="message 6: applied, message 7 follows")
        terminal.run("q['Supplier 2'].transcript()", shows="Go by the changed limits.")
        raised = "{'bottle.unit_price': '99', 'lid.unit_price': '99'}"
        accept = f"r = q['Supplier 2'].accept(limits={raised}); _ = q.wait(60)"
        terminal.run(accept, shows="supplier-2 ended: completed after 1 rounds")
        terminal.run("r", shows=": applied, message 9 follows")
        walk_away = "q['supplier-3'].walk_away(); _ = q.wait(60)"
        terminal.run(walk_away, shows="supplier-3 ended: impasse (user_ended)")
        terminal.run("quotes", shows=" negotiating ")
        terminal.run("q.report('report.html')", shows="PosixPath('report.html')")
        terminal.run("q.cancel(); quotes[-1].wait(60)", shows="Supplier 3 ")
        terminal.run("recover(), system.quotes()", shows="cancelled, lines: 2, suppliers: 3>]")
        ended = r"^Supplier 1 .* impasse\r\n.* cancelled\r$"
        assert re.search(ended, terminal.screen, re.MULTILINE)
        assert "Traceback" not in terminal.screen
        tables = re.findall(r"^(?:Supplier |──).*\r$", terminal.screen, re.MULTILINE)
        assert max(map(len, tables)) <= columns + len("\r")


@pytest.mark.parametrize("line", ["help(q.say)", "help(q)", "help(new)"])
def test_the_manual_stands_among_what_happens(opened: Opens, line: str) -> None:
    with opened() as terminal:
        terminal.run("q = new()", shows="quote.created")
        terminal.run(line, shows="QuoteHandle")
        terminal.run("print('he' + 're')", shows="here\r\n")


def test_a_question_mark_shows_the_manual_in_ipython(tmp_path: Path) -> None:
    with Terminal(tmp_path, shell_name="ipython") as terminal:
        terminal.run("q = new()", shows="quote.created")
        terminal.run("q.say?", shows="Guide the brand's agent in all active negotiations")
        terminal.run("q?", shows="the offer that was shown last")
        terminal.run("print('he' + 're')", shows="here\r\n")


def test_tab_completes_the_key_of_a_quote_and_what_can_be_done_with_it(opened: Opens) -> None:
    with opened("--pace", "30") as terminal:
        terminal.run(START, shows="quote.started")
        terminal.press('k = quotes["q-\t')
        terminal.until_shown(r'k = quotes\["q-[0-9a-f]{16}')
        terminal.press('"]\r')
        terminal.run("print(k.id == q.id, 'mine')", shows="True mine")
        terminal.press('c = q["Supplier 2"].cont\t')
        terminal.until_shown(r'c = q\["Supplier 2"\]\.continue_')


def test_what_is_typed_in_ipython_is_left_nowhere_on_disk(tmp_path: Path) -> None:
    with Terminal(tmp_path, shell_name="ipython") as terminal:
        terminal.run("secret = 'sesame' + '-street'", shows="In [")
        terminal.run("print('he' + 're')", shows="here\r\n")
        assert not [*tmp_path.rglob("*history*")]
        assert "IPython" not in terminal.screen
        terminal.press("\x04")
        assert terminal.ended() == 0

    assert all(path.name.startswith("parley.") for path in tmp_path.iterdir())
    assert not any(b"sesame" in path.read_bytes() for path in tmp_path.iterdir())


def test_an_answer_in_ipython_stands_below_what_was_printed_before_it(tmp_path: Path) -> None:
    with Terminal(tmp_path, shell_name="ipython") as terminal:
        terminal.run("print('pri' + 'nted'); 'ans' + 'wer'", shows="'answer'\r\n")
        assert "printed\r\nOut[1]: 'answer'\r\n" in terminal.screen


def test_an_older_ipython_is_left_alone(tmp_path: Path) -> None:
    older = "import IPython; IPython.version_info = (8, 37, 0)"
    with Terminal(tmp_path, shell_name="python", before=older) as terminal:
        terminal.run("print('he' + 're')", shows="here\r\n")
        assert "In [" not in terminal.screen


# Through a pipe


def test_a_pipe_is_read_to_its_end_and_stdout_is_its_prints_alone(tmp_path: Path) -> None:
    script = f"{START}\nprint(len((await q.ended()).positions))\nsystem.quote('q-0')\n"
    ran = piped(tmp_path, script)

    assert (ran.returncode, ran.stdout) == (0, "3\n")
    assert "supplier-1 message 1: brand offer" in ran.stderr
    assert "UnknownRecord: there is no quote 'q-0'" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert log_of(tmp_path)[-2:] == ["system.stopped", "run.finished"]


def test_a_pipe_that_only_asks_prints_the_answer(tmp_path: Path) -> None:
    assert piped(tmp_path, "print(system.quotes())").stdout == "[]\n"


# Within


def test_no_call_waits_for_ever_unless_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.repl.LONGEST_WAIT_S", 0.05)
    config = make_config()
    with ReplSystem.start(config, database=tmp_path / "parley.db", pace_s=3600) as system:
        quote = system.create_quote(quote_fields())
        system.start_negotiations(quote.id)

        with pytest.raises(TimeoutError, match=r"after 0\.05 s.*q\.wait\(600\)"):
            system.wait(quote.id, None)

        other = system.create_quote(quote_fields())
        writing = system._store.transaction()
        with system._store.connection(), writing, pytest.raises(TimeoutError):
            system.start_negotiations(other.id)
        assert ReplSystem.wait.__defaults__ == (LONGEST_WAIT_S,)


@contextmanager
def ctrl_c_that_wakes_nobody() -> Iterator[None]:
    """Have it come once this thread waits, and end no wait, as one does that comes right before."""
    waiting = threading.get_ident()
    begun = threading.Event()

    def send() -> None:
        begun.wait()
        while sys._current_frames()[waiting].f_code.co_name not in ("wait", "select"):
            pass
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    sender = threading.Thread(target=send)
    sender.start()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        begun.set()
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        sender.join()


def test_ctrl_c_that_comes_right_before_a_wait_ends_it(tmp_path: Path) -> None:
    with ReplSystem.start(make_config(), database=tmp_path / "parley.db", pace_s=3600) as system:
        q = Quotes(system).new(quote_fields())
        q.start()

        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt), ctrl_c_that_wakes_nobody():
            q.wait(PATIENCE_S)
        with _loop() as run, pytest.raises(KeyboardInterrupt), ctrl_c_that_wakes_nobody():
            run(asyncio.sleep(PATIENCE_S))
        assert time.monotonic() - began < PATIENCE_S


@pytest.mark.parametrize(("error", "told"), [(SystemExit, 0), (ValueError, 1)])
def test_a_task_in_which_it_was_told_to_end_is_no_news(
    caplog: pytest.LogCaptureFixture, error: type[BaseException], told: int
) -> None:
    async def fails() -> None:
        raise error

    async def prompt() -> None:
        await asyncio.wait([asyncio.create_task(fails())])

    with _loop() as run, suppress(error):
        run(prompt())
    gc.collect()

    assert [record.message.partition("\n")[0] for record in caplog.records] == [
        "Task exception was never retrieved"
    ] * told


def completed(line: str, **names: object) -> list[str]:
    completions = Names(names).get_completions(Document(line), CompleteEvent())
    return [completion.text for completion in completions]


def test_tab_completes_names_and_attributes_and_else_indents() -> None:
    class Thing:
        colour = "red"
        count = 1

    assert completed("thi", thing=Thing()) == ["thing"]
    assert completed("print(thing.co", thing=Thing()) == ["thing.colour", "thing.count"]
    assert completed("    ") == [INDENT]
    assert completed("nothing.co") == []


def test_tab_completes_the_keys_of_a_handle_and_what_its_items_can_do() -> None:
    class Thing:
        def __init__(self) -> None:
            self.items = {"Supplier 1": 1, "Supplier 2": "two", 'He said "no"': 0, "it's": 0}

        def __getitem__(self, key: str) -> object:
            return self.items[key]

        def _ipython_key_completions_(self) -> list[str]:
            return [*self.items]

    assert completed('q["Sup', q=Thing()) == ["Supplier 1", "Supplier 2"]
    assert completed('q["', q=Thing()) == ["Supplier 1", "Supplier 2", "it's"]
    assert completed("print(q['He", q=Thing()) == ['He said "no"']
    assert completed('q["Supplier 2"].upp', q=Thing()) == ["upper()"]
    assert completed('q["Supplier 3"].upp', q=Thing()) == []
    assert completed('nothing["Sup') == completed('1["Sup') == []


def test_what_says_it_all_is_a_line_and_all_else_a_traceback() -> None:
    def raised(code: str, file: str) -> BaseException:
        try:
            exec(compile(code, file, "exec"), {})  # noqa: S102
        except Exception as error:  # noqa: BLE001
            return error
        raise AssertionError

    assert explanation(raised("1 / 0", "<repl>")) == ["ZeroDivisionError: division by zero"]
    assert explanation(raised("1 / 0", "<ipython-input-1-ab>")) is not None
    assert explanation(raised("pass\n1 / 0", "<repl>")) is None
    assert explanation(raised("1 / 0", "program.py")) is None
    assert explanation(ValueError("from nowhere")) is None
    assert explanation(raised("import json; json.loads('{')", "<repl>")) is None
    assert explanation(raised("open('/nowhere/at/all')", "program.py")) == (
        "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere/at/all'",
    )
