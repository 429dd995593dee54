"""The page of a run: its numbers are those of the log, it asks the network for nothing, and what is refused is found in it."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from framework.report.charts import arranged
from tests.test_run import HEADER, lakepact, library_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page
    from pyspark.sql import SparkSession

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def delivered(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the library after a run and a bad delivery: a refused file, refused rows, a check that fails, a mended contract."""
    del spark
    library = library_in(tmp_path_factory.mktemp("report") / "a library")
    contract = library / "contracts/silver_loans.yml"
    contract.write_text(contract.read_text() + "quality: [row_count < 2, {check: row_count > 1, otherwise: warn}]\n")
    (library / "landing/loans.tsv").write_text(HEADER + "1\tc1\t01/02/2024\tN\n")
    lakepact("run", "all", "--project", library)
    contract.write_text(contract.read_text().replace("row_count > 1", "row_count > 5"))
    (library / "landing/loans_2.tsv").write_text(HEADER + "2\tc1\t01/02/2024\tN\n<script>alert(1)</script>\tc1\t01/02/2024\tN\n")
    (library / "landing/loans_3.tsv").write_text("wrong\n1\n")
    lakepact("run", "all", "--project", library)
    return library


class _Text(HTMLParser):
    """The words of a page, row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = [[]]
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        self.outside += [value for name, value in attrs if name in {"src", "href"} and value and not value.startswith(("#", "data:"))]

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.rows[-1].append(data.strip())


def test_a_page_says_what_the_log_says(delivered: Path) -> None:
    path = Path(lakepact("report", "--project", delivered).output.strip())
    page = _Text()
    page.feed(path.read_text())
    record: dict[str, Any] = json.loads(max((delivered / "warehouse/_lakepact/runs").glob("*.json")).read_text())
    rows = {row[0]: row for row in page.rows if row}
    names = ("read", "kept", "duplicate", "quarantined", "dropped")
    for one in record["tables"]:
        if one["read"]:
            told = [int(cell.replace(",", "")) for cell in rows[one["table"]][2:8] if re.fullmatch(r"[\d,]+", cell)]
            assert told == [one[name] for name in names], one["table"]
    facts = json.loads(lakepact("report", "--project", delivered, "--samples", "0", "--format", "json").output)
    assert facts["record"] == record
    assert page.outside == []


def test_who_reads_a_page_finds_the_cause_first(delivered: Path) -> None:
    text = Path(lakepact("report", "--project", delivered).output.strip()).read_text()
    attention = text[text.index('id="attention"') : text.index('id="tables"')]
    said = re.sub(r"<[^>]+>", "", attention)
    order = [said.index(word) for word in ("breaks row_count &lt; 2", "loans_3.tsv was refused", "quarantined rows", "row_count &gt; 5")]
    assert order == sorted(order)
    assert "What to do:" in said
    assert "not to be used" in text
    assert "-  quality" not in text
    assert '<span class="minus">-quality: [row_count &lt; 2, {check: row_count &gt; 1' in text
    # Data is shown as text, never as a part of the page.
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_an_earlier_run_and_an_unknown_one(delivered: Path) -> None:
    first = min((delivered / "warehouse/_lakepact/runs").glob("*.json")).stem
    facts = json.loads(lakepact("report", first, "--project", delivered, "--samples", "0", "--format", "json").output)
    assert facts["record"]["run_id"] == first
    assert not facts["previous"]
    unknown = lakepact("report", first[:-1] + "~", "--project", delivered)
    assert unknown.exit_code == 2
    assert f'did you mean "{first}"?' in unknown.output


@pytest.fixture(params=[(1280, "light"), (1280, "dark"), (360, "light")], ids=["wide", "dark", "narrow"])
def shown(request: pytest.FixtureRequest, delivered: Path) -> Iterator[tuple[Page, list[str]]]:
    """Return the page in a real browser, and what it asked for and complained of."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is a browser

    path, (width, scheme) = Path(lakepact("report", "--project", delivered).output.strip()), request.param
    heard: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.on("request", lambda asked: heard.append(asked.url))
        page.on("console", lambda message: heard.append(message.text))
        page.goto(path.absolute().as_uri())
        yield page, heard[1:]
        browser.close()


def test_a_browser_shows_it_whole_and_asks_for_nothing(shown: tuple[Page, list[str]]) -> None:
    page, heard = shown
    assert heard == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
    # Everything that can be scrolled or opened is reached by the keyboard, the first thing is the way to what matters.
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To what needs attention"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "attention"
    scrolled = (
        "[...document.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX == 'auto')"
    )
    assert page.evaluate(f"{scrolled}.every(e => e.tabIndex == 0)")
    # A link to a table opens its details.
    page.locator("#attention a").first.click()
    assert page.evaluate("document.querySelector(location.hash).closest('details').open")
    # Every picture has words, every text can be told from its background (WCAG 2.2, 1.4.3).
    assert page.locator("svg").count() >= 2
    assert page.evaluate(
        "[...document.querySelectorAll('svg')].every(e => e.getAttribute('role') == 'img' && e.getAttribute('aria-label'))"
    )
    assert page.evaluate(CONTRAST) >= 4.5


CONTRAST = """(() => {
  const numbers = c => c.match(/[0-9.]+/g).map(x => x / 255).map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  const light = c => { const [r, g, b] = numbers(c); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = e => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (c != 'rgba(0, 0, 0, 0)') return c;
    }
    return 'rgb(255, 255, 255)';
  };
  const says = e => [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim());
  const ratio = e => {
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  return Math.min(...[...document.querySelectorAll('body *')].filter(e => !e.closest('svg') && says(e)).map(ratio));
})()"""
"""The least contrast between a text and what it stands on."""


def test_a_graph_keeps_every_table_right_of_what_it_is_made_of() -> None:
    edges = [("a", "c"), ("b", "c"), ("c", "e"), ("a", "e"), ("b", "d"), ("d", "e")]
    places, ways = arranged("abcde", edges)
    assert all(places[one][0] < places[other][0] for one, other in edges)
    assert len(set(places.values())) == len(places)
    assert all(way[0] == places[one] and way[-1] == places[other] for (one, other), way in ways.items())
