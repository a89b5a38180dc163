"""A page that stands alone, says how it went, and shows data as text whatever it holds."""

import itertools
from html.parser import HTMLParser
from typing import Any

import pytest

from collapse_guard import Look
from collapse_guard.errors import ArgumentError
from collapse_guard.integrations.run_report.page import alarms_of, run_page, verdict
from tests.run_records.made import a_record, an_alert

EVIL = "<script>alert('x')</script>\"><img src=x onerror=y>"


def a_look(step: int, kept: float, **others: Any) -> Look:
    return Look(
        step,
        {"tail_retention": kept, "perplexity": 50.0 + step},
        {"tail_retention": 0.01},
        **others,
    )


def a_run(**others: Any) -> Any:
    looks = (a_look(0, 1.0), a_look(4, 0.8, alerts=(an_alert(4), an_alert(4, "another"))))
    return a_record(*looks, **{"summary": ("kept 80% of the tail",), "has_ended": True, **others})


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_verdict_comes_first_and_alarms_that_say_the_same_are_one() -> None:
    page = Tags(run_page({"a run": a_run()}))
    text = " ".join(" ".join(page.text).split())
    assert text.index("Alarm") < text.index("Curves")
    assert "kept 80% of the tail" in text
    assert len(alarms_of(a_run())) == 1
    assert [alert.rule for alert in alarms_of(a_run())[0].alerts] == [
        "tail_retention below 0.85",
        "another",
    ]


def test_it_stands_alone_and_can_be_read_aloud() -> None:
    page = Tags(run_page({"one": a_run(), "other": a_run()}))
    assert page.all("html") == [{"lang": "en"}]
    assert not page.all("script")
    assert not page.all("link")
    assert not page.all("img")
    outside = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href") and not str(value).startswith("#")
    ]
    assert outside == []
    pictures = [svg for svg in page.all("svg") if svg.get("role") == "img"]
    assert len(pictures) == 2
    assert "one, from 1 at step 0 to 0.8 at step 4" in str(pictures[0]["aria-label"])
    assert all("scope" in cell for cell in page.all("th"))
    levels = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_what_comes_out_of_data_is_text() -> None:
    run = a_run(
        first_texts=(EVIL,),
        last_texts=(EVIL,),
        summary=(EVIL,),
        name=EVIL,
        version=EVIL,
        meanings={"tail_retention": EVIL},
        began=EVIL,
    )
    ledger = {
        "step": 4,
        "total": {
            "human_share": 0.3,
            "slots": 10,
            "sources": {EVIL: {"kind": "human", "decoding": EVIL, "shown": 3}},
        },
    }
    page = run_page({EVIL: run}, {EVIL: ledger})
    tags = Tags(page)
    assert not tags.all("script")
    assert not tags.all("img")
    assert all("onerror" not in attributes for _, attributes in tags.tags)
    assert "alert('x')" in "".join(tags.text)
    assert "30.0% of 10 rows were human" in " ".join("".join(tags.text).split())


def test_what_it_writes_stands_side_by_side() -> None:
    run = a_run(first_texts=("once upon", "a king"), last_texts=("the the", "the king"))
    text = " ".join(" ".join(Tags(run_page({"a": run})).text).split())
    assert "first once upon last the the first a king last the king" in text
    assert "What it writes" not in run_page({"a": a_run()})


def test_a_run_that_goes_on_can_be_looked_at() -> None:
    page = run_page({"a": a_record(a_look(0, 1.0))})
    assert "No alarm, still running or broken off" in page
    assert "Nothing to compare yet" in page
    assert verdict(a_run(has_ended=False)) == "alarm, still running or broken off"
    assert verdict(a_record(a_look(0, 1.0, alerts=()), has_ended=True)) == "no alarm"


def test_nothing_to_show_is_refused() -> None:
    for runs in ({}, {"a": a_record()}, {"a": a_record(a_look(3, 1.0, is_full=False))}):
        with pytest.raises(ArgumentError, match="`runs`"):
            run_page(runs)
