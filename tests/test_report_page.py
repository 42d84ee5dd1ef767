"""The page of a report: whole, offline, harmless, and private only where it says so."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import exhibits
import pytest
from factories import make_config, make_quote, quote_fields
from serving import ENVIRONMENT, ROOT, command, sql
from test_hostile_text import harmful
from test_report_record import figures_of

from actors.errors import ReportError
from actors.negotiators.scripted import Scripted
from actors.reading import Reading
from actors.report.page import FIRST_LINE, report_page, write_report
from actors.system import NegotiationSystem
from storage.records import QuoteId
from storage.store import Store

VOID = {"meta", "link", "br"}
TAGS = """html head meta title link style body header main footer section p h1 h2 h3 b a br dl dt dd
table caption thead tbody tr th td ul ol li details summary time figure figcaption div span bdi
svg g path line circle text"""
ELEMENTS = set(TAGS.split())
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
WITHOUT_EXTRA = """
import sys
sys.modules.update(dict.fromkeys({blocked!r}))
import main
sys.exit(main.main(sys.argv[1:]))
"""


class Page(HTMLParser):
    """What a browser makes of a page: its elements with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, bool]] = []
        """Each text of the page, and whether it is marked as private."""
        self.comments: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(self.elements[-1])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        classes = [(attributes.get("class") or "").split() for _, attributes in self.open]
        self.texts.append((data, any("private" in each for each in classes)))

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return "".join(data for data, _ in self.texts)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which every text is hostile, and every figure of PRIVATE is private."""
    folder = tmp_path_factory.mktemp("hostile")
    exhibits.hostile(folder / "parley.db")
    return folder


@pytest.fixture(scope="module")
def reading(folder: Path) -> Reading:
    return Reading(Store(folder / "parley.db", read_only=True))


@pytest.fixture(scope="module")
def quote_id(reading: Reading) -> QuoteId:
    return reading.quotes()[0].id


@pytest.fixture(scope="module")
def public(reading: Reading, quote_id: QuoteId) -> str:
    return report_page(reading, quote_id)


@pytest.fixture(scope="module")
def private(reading: Reading, quote_id: QuoteId) -> str:
    return report_page(reading, quote_id, private=True)


def run(folder: Path, *arguments: str, blocked: tuple[str, ...]) -> tuple[int, str, str]:
    """Run a command where these modules can't be imported."""
    code = WITHOUT_EXTRA.format(blocked=blocked)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


# What stands in it


def test_it_is_one_whole_page_that_needs_nothing_from_elsewhere(public: str) -> None:
    page = Page(public)

    assert public.startswith(FIRST_LINE)
    assert page.open == []
    assert page.all("html") == [{"lang": "en"}]
    policies = [each for each in page.all("meta") if "http-equiv" in each]
    assert policies == [{"http-equiv": "Content-Security-Policy", "content": POLICY}]
    assert [each["href"] for each in page.all("link")] == ["data:,"]
    assert all(str(each["href"]).startswith("#") for each in page.all("a"))
    assert not re.findall(
        r"url\(|@import", "".join(re.findall(r"<style>.*?</style>", public, re.S))
    )
    assert {key for _, attributes in page.elements for key in attributes} & {
        "src",
        "srcset",
    } == set()


def test_hostile_text_is_text(public: str, private: str) -> None:
    for text in (public, private):
        page = Page(text)

        assert {tag for tag, _ in page.elements} <= ELEMENTS
        assert not [a for _, each in page.elements for a in each if a.startswith("on")]
        assert len(page.comments) == 1
        assert len(page.all("style")) == len(page.all("title")) == 1
        assert "<script>document.title='owned';alert(1)</script>" in page.text
        assert "{{ quote.mandate }}{% raw %}&amp;<!-- ]]>" in page.text
        assert "\\u202egnp.exe\\u2066\\x1b[2J" in page.text
        assert harmful(text) == set()


def test_links_lead_to_each_negotiation_and_ids_are_unique(public: str) -> None:
    page = Page(public)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]

    assert len(ids) == len(set(ids))
    assert {str(each["href"])[1:] for each in page.all("a")} <= set(ids)
    named = {each["aria-labelledby"] for each in page.all("section")}
    assert named <= set(ids)


def test_each_chart_is_an_image_with_a_name_that_says_what_it_shows(public: str) -> None:
    charts = [each for each in Page(public).all("div") if each.get("role") == "img"]

    assert len(charts) == 2
    name = str(charts[0]["aria-label"])
    assert "brand from USD 680,000.00 to USD 710,000.00 in 3 offers" in name
    assert "from USD 790,000.00 to USD 750,000.00 in 2 offers" in name
    assert "The offer in message 6 was accepted." in name
    assert re.search(r"Interventions: i-[0-9a-f]{16} at message 2\.", name)


def test_a_chart_marks_the_intervention_by_its_id_and_counts_rounds(
    public: str, reading: Reading, quote_id: QuoteId
) -> None:
    (asked,) = reading.interventions(reading.negotiations(quote_id)[0].id)
    drawing, _ = re.findall(r'<div class="chart".*?</div>', public, re.S)
    texts = re.findall(r">([^<>]+)</text>", drawing)

    assert asked.id in texts
    assert [text for text in texts if text in ("1", "2", "3", "round")] == ["1", "2", "round"]


def test_suppliers_stand_in_their_order_and_nobody_is_recommended(public: str) -> None:
    page = Page(public)
    first, second = (f"{number}{exhibits.SHORT[1:12]}" for number in (2, 1))
    shown = page.text.replace("\\u202e", "")

    assert shown.index(first) < shown.index(second)
    assert not re.search(r"\b(best|cheapest|lowest|winner|rank\w*)\b", shown, re.IGNORECASE)


def test_it_tells_terms_transcript_receipts_calls_and_what_verify_says(public: str) -> None:
    text = Page(public).text

    for told in (
        *("Terms by round", "Transcript: 7 messages", "Interventions and their receipts"),
        *("became message 2, message 3 follows it", "no call", "What verify says"),
        *("No fault found.", "messages: 14", "widget 7500.00; 2500 days; 30/70"),
        *("USD 750,000.00", "accept of 6", "brand: custom; supplier: custom"),
    ):
        assert told in text


# What is private


def test_private_figures_and_guidance_stand_only_in_a_private_report(
    public: str, private: str
) -> None:
    assert figures_of(public) == set()
    assert "Its guidance is kept private." in public
    assert "Guidance, kept private." in public
    assert "limit</text>" not in public
    assert 'class="private"' not in public
    # totals at limits are drawn as lines, not written
    drawn = {"801331.00", "837113.00", "619337.00"}
    told = "\n".join(data for data, _ in Page(private).texts)
    assert figures_of(told) == set(exhibits.PRIVATE) - drawn
    assert "private: brand's limit" in private
    assert "private: supplier's limit" in private


def test_each_private_figure_is_marked_and_so_is_the_whole(private: str) -> None:
    texts = Page(private).texts

    assert [data for data, is_marked in texts if not is_marked and figures_of(data)] == []
    assert "private This report tells targets, limits, priorities and guidance." in (
        Page(private).text
    )
    assert not Page(private).text.count("private ") < 15


# However it stands


def test_the_same_database_gives_the_same_bytes(
    folder: Path, reading: Reading, quote_id: QuoteId, public: str
) -> None:
    assert report_page(reading, quote_id) == public
    assert command(folder, "report", quote_id, "-o", "-").stdout == public


def test_a_pending_quote_and_one_that_has_just_begun_are_told_as_they_stand(
    tmp_path: Path,
) -> None:
    with NegotiationSystem.start(
        make_config(),
        database=tmp_path / "parley.db",
        brand=Scripted(exhibits.offer("7.00"), RuntimeError("out of order")),
        suppliers=Scripted({"move": "talk", "text": "Let us see."}),
    ) as system:
        pending = system.create_quote(quote_fields())
        begun = system.create_quote(quote_fields(lead_limit=3000))
        system.start_negotiations(begun.id, automatic=False)
        system.wait(begun.id, timeout_s=60)
        first = report_page(system, begun.id)
        system.continue_negotiation(quote_id=begun.id)
        system.wait(begun.id, timeout_s=60)
        parked = report_page(system, begun.id)
        in_full = Page(report_page(system, begun.id, private=True)).texts

        assert "No negotiation has been opened." in report_page(system, pending.id)
    assert '<span class="status">active</span>' in first
    assert "no offer of Supplier 1" in first
    assert '<span class="status parked">parked</span>' in parked
    assert "the brand's negotiator made no move" in Page(parked).text
    assert "out of order" not in parked
    assert [is_marked for data, is_marked in in_full if "out of order" in data] == [True, True]


def test_damaged_terms_are_shown_with_the_faults_that_verify_finds(
    tmp_path: Path, reading: Reading
) -> None:
    quote_id = exhibits.hostile(tmp_path / "parley.db")
    sql(tmp_path, """UPDATE messages SET terms = replace(terms, '"widget"', '"gadget"')""")

    text = Page(report_page(Reading(Store(tmp_path / "parley.db")), quote_id)).text

    assert "widget ?; 2500 days" in text
    assert "faults found; do not rely on what it touches" in text
    assert "Faults that verify found here" in text


# The file


def test_it_is_written_for_its_owner_under_the_quotes_name(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reading: Reading,
    quote_id: QuoteId,
    public: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    umask = os.umask(0)
    try:
        file = write_report(reading, quote_id)
    finally:
        os.umask(umask)

    assert file == Path(f"report-{quote_id}.html")
    assert file.read_text(encoding="utf-8") == public
    assert file.stat().st_mode & 0o777 == 0o600
    assert [*Path().iterdir()] == [file]


def test_a_name_that_another_hand_gave_leads_to_no_other_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    store = Store(tmp_path / "parley.db")
    store.add_quote(make_quote().model_copy(update={"id": "q-/../../owned"}))

    file = write_report(Reading(store), QuoteId("q-/../../owned"))

    assert file == Path("report-q-_______owned.html")


def test_only_a_report_is_replaced_and_a_link_stays_one(
    folder: Path, tmp_path: Path, reading: Reading, quote_id: QuoteId
) -> None:
    report, link, empty = (tmp_path / name for name in ("r.html", "link.html", "empty.html"))
    write_report(reading, quote_id, report, private=True)
    link.symlink_to(report)
    empty.touch()

    for file in (link, empty):
        write_report(reading, quote_id, file)
    for taken in (folder / "parley.db", folder):
        with pytest.raises(ReportError, match="something else stands there"):
            write_report(reading, quote_id, taken)

    assert link.is_symlink()
    assert report.read_text(encoding="utf-8") == empty.read_text(encoding="utf-8")
    assert reading.quote(quote_id).id == quote_id


def test_a_report_that_can_not_be_written_whole_is_not_written(
    folder: Path, tmp_path: Path, quote_id: QuoteId
) -> None:
    file = tmp_path / "r.html"
    file.write_text(f"{FIRST_LINE}the old one")
    limited = (
        "import resource, sys, main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (33_000, 33_000))\n"
        "sys.exit(main.main(sys.argv[1:]))"
    )

    done = subprocess.run(
        [sys.executable, "-c", limited, "report", quote_id, "-o", str(file)],
        cwd=folder,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (2, f"parley: {file}: File too large\n")
    assert file.read_text() == f"{FIRST_LINE}the old one"
    assert [*tmp_path.iterdir()] == [file]


# The command


def test_the_command_writes_it_and_says_where(folder: Path, tmp_path: Path, quote_id: str) -> None:
    file = str(tmp_path / "r.html")

    done = command(folder, "report", quote_id, "-o", file, "--private")

    assert (done.returncode, done.stdout, done.stderr) == (0, f"{file}\n", "")
    assert "private: brand's limit" in Path(file).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "mistake"),
    [
        (("q-none",), "there is no quote 'q-none': `list` shows those there are"),
        (("q-none", "--json"), "there is no quote 'q-none': `list` shows those there are"),
        (("q-none", "--json", "-o", "x"), "--json prints to standard output: leave -o out"),
        (("{}", "-o", "none/r.html"), "none/r.html: No such file or directory"),
    ],
)
def test_a_mistake_gets_one_line(
    folder: Path, quote_id: str, arguments: tuple[str, ...], mistake: str
) -> None:
    done = command(folder, "report", *(each.format(quote_id) for each in arguments))

    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"parley: {mistake}\n")


@pytest.mark.parametrize("missing", ["jinja2", "markupsafe", "vl_convert"])
def test_without_the_extra_one_line_says_how_to_install_it(
    folder: Path, tmp_path: Path, quote_id: str, missing: str
) -> None:
    file = tmp_path / "r.html"

    code, printed, said = run(folder, "report", quote_id, "-o", str(file), blocked=(missing,))

    assert (code, printed, said.count("\n")) == (2, "", 1)
    assert "pip install -e '.[report]'" in said
    assert not file.exists()


def test_json_needs_no_extra(folder: Path, quote_id: str) -> None:
    blocked = ("jinja2", "markupsafe", "vl_convert")

    code, printed, said = run(folder, "report", quote_id, "--json", blocked=blocked)

    assert (code, said) == (0, "")
    assert printed.isascii()
    assert json.loads(printed)["quote"]["id"] == quote_id
    assert figures_of(printed) == set()


def test_no_other_command_waits_for_the_extra(folder: Path, quote_id: str) -> None:
    look = (
        "import sys, main\n"
        "main.main(sys.argv[1:])\n"
        "print(sorted({'jinja2', 'vl_convert', 'actors.report.chart'} & set(sys.modules)))"
    )
    for arguments in (["list"], ["show", quote_id], ["report", quote_id, "--json"]):
        done = subprocess.run(
            [sys.executable, "-c", look, *arguments],
            cwd=folder,
            env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines()[-1] == "[]"
