"""A page that stands alone, says how it went, and shows data as text whatever it holds."""

import itertools
import math
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from collapse_guard import Look
from collapse_guard.errors import ArgumentError
from collapse_guard.finder.source_decoding import SourceDecoding
from collapse_guard.integrations.run_report.page import alarms_of, run_page, verdict
from collapse_guard.readings.lost_words import LostWord
from tests.run_records.made import (
    CONFIGURATION,
    DECODINGS,
    LOST,
    a_record,
    a_search,
    an_alert,
)

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
    whole = {"decodings": DECODINGS, "configuration": CONFIGURATION, "lost_words": LOST}
    page = Tags(run_page({"one": a_run(**whole), "other": a_run()}))
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
    assert len(pictures) == 3
    assert "The rows look drawn with T 0.8, top-p 0.9" in str(pictures[2]["aria-label"])
    assert "one, from 1 at step 0 to 0.8 at step 4" in str(pictures[0]["aria-label"])
    assert all("scope" in cell for cell in page.all("th"))
    levels = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3", "h4")]
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
        decodings=(SourceDecoding(EVIL, a_search().decoding, replace(a_search(), notes=(EVIL,))),),
        configuration={EVIL: {EVIL: EVIL}},
        lost_words=replace(
            LOST, words=(LostWord(EVIL, 2, -1.0, -3.0, before=EVIL, shown=EVIL, after=EVIL),)
        ),
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
    assert "<script" not in page.lower()
    assert "".join(tags.text).count("alert('x')") > 20
    # The source is named in what is read aloud, too.
    assert f"Trials, {EVIL}, " in [f"{each.get('aria-label')}, " for each in tags.all("div")]
    assert "30.0% of 10 rows were human" in " ".join("".join(tags.text).split())


def test_what_it_writes_stands_side_by_side() -> None:
    run = a_run(first_texts=("once upon", "a king"), last_texts=("the the", "the king"))
    text = " ".join(" ".join(Tags(run_page({"a": run})).text).split())
    assert "first once upon last the the first a king last the king" in text
    assert "<h2>What it writes</h2>" not in run_page({"a": a_run()})


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


def text_of(page: str) -> str:
    return " ".join(" ".join(Tags(page).text).split())


def test_lost_words_stand_with_where_they_were_lost() -> None:
    page = run_page({"a": a_run(lost_words=LOST)})
    text = text_of(page)
    assert "Of 40 rare words 3 lost more than half of their probability, and 1 more" in text
    assert "The 2 that lost most" in text
    start, end = (f"{math.exp(logprob):.2g}" for logprob in (-4.0, -9.5))
    assert f"quokka {start} {end} 0.41% In 2 places, such as: There hops a quokka over" in text
    assert "zither 0.00091 0.00034 37% Zither and lute" in text
    assert "<mark>quokka</mark>" in page
    none = replace(LOST, words=(), halved=0)
    assert "Of 40 rare words 0 lost" in text_of(run_page({"a": a_run(lost_words=none)}))
    assert "Lost words" not in run_page({"a": a_run()})
    both = text_of(run_page({"one": a_run(lost_words=LOST), "other": a_run()}))
    assert "Lost words Rare" in both


def test_how_rows_were_drawn_is_told_with_the_trials_that_found_it() -> None:
    page = run_page({"a": a_run(decodings=DECODINGS)})
    text = text_of(page)
    assert "web 0.8 none 0.9 none trials with 40 human documents 0.2000 0.1000 to 0.3000" in text
    assert "old model 0.7 5 none 0.1 given" in text
    assert "rows that say it each row says it a column of the rows" in text
    assert "web: The rows look drawn with T 0.8, top-p 0.9: after 24 steps" in text
    assert "4 trials, 78 steps, 1.5 s in all. No time." in text
    assert "How its rows were drawn" not in run_page({"a": a_run()})
    all_rows = replace(DECODINGS[0], source="all")
    assert "All rows: The rows look" in text_of(run_page({"a": a_run(decodings=(all_rows,))}))


def test_how_it_was_set_up_is_folded() -> None:
    page = run_page({"a": a_run(configuration=CONFIGURATION)})
    (details,) = Tags(page).all("details")
    assert "open" not in details
    folded = page[page.index("<details>") : page.index("</details>")]
    assert "Configuration Model class GPT2LMHeadModel Training learning rate 0.001" in text_of(
        folded
    )
    assert "<details" not in run_page({"a": a_run()})


def test_what_a_word_means_is_a_hover_a_focus_or_a_click_away() -> None:
    page = run_page({"a": a_run(decodings=DECODINGS)})
    tags = Tags(page)
    terms = [each for each in tags.all("a") if each.get("class") == "term"]
    ids = [each["id"] for each in tags.all("dd") if "id" in each]
    assert len(ids) == len(set(ids)) > 5
    for term in terms:
        assert term["href"] == f"#{term['aria-describedby']}"
        assert term["aria-describedby"] in ids
    assert '<span class="tip" aria-hidden="true">what is left</span>' in page
    # Of the rule, of the table, and of the sampler.
    for name in ("tail_retention below 0.85", "perplexity", "top-p", "effective_vocabulary below"):
        assert f">{name}" in page
        assert any(f">{name}" in part for part in page.split('<a class="term"')[1:])


def test_a_word_that_nobody_explains_is_a_word() -> None:
    looks = [Look(step, {"mine": 1.0}, {}) for step in (0, 4)]
    page = run_page({"a": a_record(*looks, rules=(), meanings={})})
    assert '<th scope="row">mine</th>' in page
