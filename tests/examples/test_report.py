"""The page and the figure, from results alone."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from collapse_guard.examples.recursive_finetune.report import TITLES, write_report
from collapse_guard.examples.recursive_finetune.results import RunResults
from tests.examples.results import collapsed_run, generation


class Page(HTMLParser):
    """Collects what a browser would fetch, and whether every element is closed."""

    VOID = frozenset({"meta", "link", "br", "img", "use", "path", "rect", "line"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [
            value or "" for name, value in attrs if name.split(":")[-1] in ("href", "src")
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.fixture
def results() -> RunResults:
    return collapsed_run()


def test_the_page_needs_nothing_else(tmp_path: Path, results: RunResults) -> None:
    *pictures, page = write_report(results, tmp_path)
    assert len(pictures) == 2
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    html = page.read_text(encoding="utf-8")
    parsed = Page(html)
    assert parsed.open == []
    assert all(reference.startswith("#") for reference in parsed.references)
    assert not {"script", "link", "img", "iframe"} & set(parsed.tags)
    assert "url(http" not in html
    assert "@import" not in html
    assert "svg" in parsed.tags


def test_the_page_tells_the_figures(tmp_path: Path, results: RunResults) -> None:
    html = write_report(results, tmp_path)[-1].read_text(encoding="utf-8")
    for title in TITLES.values():
        assert f"<th>{title}</th>" in html
    cards = re.findall(r"<strong>(\d+%)</strong>", html)
    assert cards == ["101%", "20%", "80%", "100%"]
    assert "0.200 ± 0.010" in html
    # First and last texts, side by side.
    assert html.index("some words 0") < html.index("the the 2")
    assert html.count("✓") == 8
    assert "<td>learning_rate</td>" in html


def test_the_page_tells_what_the_alarms_could_see(tmp_path: Path, results: RunResults) -> None:
    seen = [generation(0), replace(generation(1), sight=["It finds a loss of 27% & more."])]
    chains = {"replace": seen, "human": [generation(0), generation(1)]}
    html = write_report(replace(results, regimes=chains), tmp_path)[-1].read_text(encoding="utf-8")
    assert html.count("<li>It finds a loss of 27% &amp; more.</li>") == 1
    assert Page(html).open == []
    chains["replace"] = chains["human"]
    html = write_report(replace(results, regimes=chains), tmp_path)[-1].read_text(encoding="utf-8")
    assert "What the alarms can see" not in html


def test_model_text_cannot_break_the_page(tmp_path: Path, results: RunResults) -> None:
    evil = "<script>alert('x')</script>"
    chains = {"replace": [generation(0, text=evil), generation(1, text=evil)]}
    html = write_report(
        RunResults(results.configuration, results.versions, results.corpus, chains), tmp_path
    )[-1].read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "What the example sets out to show" not in html


def test_the_same_results_make_the_same_files(tmp_path: Path, results: RunResults) -> None:
    first = [path.read_bytes() for path in write_report(results, tmp_path / "a")]
    assert [path.read_bytes() for path in write_report(results, tmp_path / "b")] == first


def test_each_regime_is_told_by_its_profile(results: RunResults, tmp_path: Path) -> None:
    write_report(results, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    section = page[page.index("What of it is collapse") : page.index("Every generation")]
    assert section.count("<td>tail</td>") == len(results.regimes)
    cells = re.findall(r"<td>tail</td><td class=\"words\">([^<]+)</td>", section)
    by_regime = dict(zip(results.regimes, cells, strict=True))
    assert by_regime["replace"] == "happened"
    assert by_regime["human"] == "did not happen"
    assert section.count("It takes runs of several sizes") == len(results.regimes)
