"""The report in a real browser: quiet, harmless, readable on a phone, by night and on paper.

    python tests/report_browser.py

Needs Debian's package `chromium`. It plays the sample and a quote in which every text is hostile,
opens their reports, public and private, prints a line of JSON with what it looked at, and writes
the picture for the README to `.assets/report.png`. A fault is an AssertionError.
"""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import exhibits
from browser import Tab, browser

from actors.reading import Reading
from actors.report.page import write_report
from storage.store import Store

PICTURE = Path(__file__).parent.parent / ".assets" / "report.png"
WIDTHS = (380, 700, 1280)
SCHEMES = ("light", "dark")
LEAST_CONTRAST = 4.5
"""Between a text and what is behind it (WCAG 2.2, level AA, for letters of any size)."""
FAINT_TEXTS = """((least) => {
  const channel = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = numbers(color).map((value) => channel(value / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = getComputedStyle(each).backgroundColor;
      if ((numbers(color)[3] ?? 1) > 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  document.querySelectorAll("details").forEach((each) => { each.open = true; });
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  let looked = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const letters = element.closest("svg") ? style.fill : style.color;
    const [a, b] = [light(letters), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    looked += 1;
    if (ratio < least) faint.push([walker.currentNode.data.slice(0, 40), ratio]);
  }
  return {looked, faint};
})"""
WIDEST = """(() => {
  document.querySelectorAll("details").forEach((each) => { each.open = true; });
  return document.scrollingElement.scrollWidth;
})()"""
FOLDED_ON_PAPER = """(() => {
  document.querySelectorAll("details").forEach((each) => { each.open = false; });
  return [...document.querySelectorAll("details > :not(summary)")]
    .filter((each) => !each.checkVisibility({contentVisibilityAuto: true})
      || each.getBoundingClientRect().height < 20).length;
})()"""
SMALLEST_LETTERS = """Math.min(...[...document.querySelectorAll(".chart text")].map((each) => {
  const drawn = each.getScreenCTM();
  return parseFloat(getComputedStyle(each).fontSize) * Math.hypot(drawn.a, drawn.b);
}))"""
LEAST_LETTERS_PX = 9.0
"""Of a chart on a phone."""


async def main() -> None:
    """Look at all of them, and take the picture."""
    seen: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        pages = [
            page for exhibit in ("sample", "hostile") for page in _reports(Path(folder), exhibit)
        ]
        async with browser() as tab:
            for page in pages:
                await _inspect(tab, page, seen)
            await _take_picture(tab, pages[0], Path(folder))
    print(json.dumps({"script": "report_browser", **seen, "picture_bytes": PICTURE.stat().st_size}))


def _reports(folder: Path, exhibit: str) -> list[Path]:
    database = folder / f"{exhibit}.db"
    quote_id = getattr(exhibits, exhibit)(database)
    reading = Reading(Store(database, read_only=True))
    return [
        write_report(reading, quote_id, folder / f"{exhibit}-{private}.html", private=private)
        for private in (False, True)
    ]


async def _inspect(tab: Tab, page: Path, seen: Counter[str]) -> None:
    await tab.show(page)
    title = await tab.evaluate("document.title")
    for scheme in SCHEMES:
        for width in WIDTHS:
            await tab.look(width=width, scheme=scheme)
            widest = await tab.evaluate(WIDEST)
            assert widest <= width, f"{page.name} is {widest} pixels wide on {width}"
            texts = await _texts(tab)
            assert texts["faint"] == [], f"{page.name}, {scheme}: {texts['faint'][:5]}"
            smallest = await tab.evaluate(SMALLEST_LETTERS)
            assert smallest >= LEAST_LETTERS_PX, f"{page.name}: letters of {smallest} pixels"
            seen.update(views=1, texts=texts["looked"])
    await tab.look(width=700, scheme="dark", media="print")
    assert await tab.evaluate(FOLDED_ON_PAPER) == 0, f"{page.name}: something is folded on paper"
    assert (await _texts(tab))["faint"] == []
    charts = await tab.evaluate("document.querySelectorAll('.chart').length")
    assert charts == len(await _named_images(tab)) > 0
    assert await tab.evaluate("document.title") == title != "owned"
    assert tab.noise() == [], f"{page.name}: {tab.noise()[:3]}"
    seen.update(pages=1, charts=charts)


async def _texts(tab: Tab) -> dict[str, Any]:
    """How many texts it shows, and those that can hardly be read."""
    return dict(await tab.evaluate(f"{FAINT_TEXTS}({LEAST_CONTRAST})"))


async def _named_images(tab: Tab) -> list[str]:
    """The names by which a screen reader tells the images."""
    tree = await tab.call("Accessibility.getFullAXTree")
    images = [n for n in tree["nodes"] if n.get("role", {}).get("value") in ("image", "img")]
    return [node["name"]["value"] for node in images if node["name"]["value"].strip()]


async def _take_picture(tab: Tab, page: Path, folder: Path) -> None:
    """By day on a wide screen, and by night on a phone: side by side in one file."""
    shots = []
    for width, scheme, top in ((1180, "light", "#outcomes"), (380, "dark", "#negotiation-2")):
        await tab.show(page)
        await tab.look(width=width, scheme=scheme, height=1060)
        await tab.evaluate(f"document.querySelector('{top}').parentElement.scrollIntoView()")
        shots.append(base64.b64encode(await tab.picture()).decode())
    both = folder / "both.html"
    images = "".join(f'<img src="data:image/png;base64,{shot}">' for shot in shots)
    style = "body{margin:24px;display:flex;gap:24px;background:#8b9099}img{border-radius:10px}"
    both.write_text(f"<!doctype html><style>{style}</style>{images}", encoding="utf-8")
    await tab.show(both)
    await tab.look(width=1180 + 380 + 3 * 24, scheme="light", height=1060 + 2 * 24)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_bytes(await tab.picture())


if __name__ == "__main__":
    asyncio.run(main())
