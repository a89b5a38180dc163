"""The page on how much synthetic data there may be says what the planner says and was measured."""

import re

from collapse_guard import MixGuard
from collapse_guard.mixing.planning.repetition import worth
from tests.docs.pages import ROOT, text_of

PAGE = text_of(ROOT / "docs" / "how-much-synthetic-data.md")
MEASURED = ROOT / "examples" / "recursive_finetune" / "bench" / "results" / "human_fraction.md"
LABORATORY = ROOT / "examples" / "laboratory" / "README.md"


def table(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def test_what_the_planner_prints_is_on_the_page() -> None:
    (printed,) = re.findall(r"```text\n(.*?)\n```", PAGE, flags=re.DOTALL)
    plan = MixGuard.plan(human=20_000, synthetic=180_000, tokens=2e8, tokens_per_row=512)
    assert printed == str(plan)


def test_what_showings_are_worth_is_the_law() -> None:
    told = re.search(
        r"worth (\d+)% of as much fresh text, eight\s+showings (\d+)%, .* (\d+)%", PAGE
    )
    assert told is not None
    assert [int(each) for each in told.groups()] == [
        round(100 * worth(1.0, times) / times) for times in (4.0, 8.0, 16.0)
    ]


def test_its_figures_are_those_that_were_measured() -> None:
    head, _, *rows = table(text_of(MEASURED))
    measured = [dict(zip(head, row, strict=True)) for row in rows]
    plain = [row for row in measured if row["regime"] == "`mix`"]
    matched = [row for row in measured if row["regime"] == "`mix_matched`"]
    assert table(PAGE)[2:] == [
        [
            ours["human share of tokens"].partition(" ")[0],
            ours["least kept"],
            ours["first alarm (step)"],
            theirs["least kept"],
            theirs["rare words"],
            theirs["first alarm (step)"],
        ]
        for ours, theirs in zip(plain, matched, strict=True)
    ]


def test_what_it_says_of_the_golden_weight_was_found_in_the_laboratory() -> None:
    found = re.search(
        r"0.25 to each written one \|.*\| ([\d.]+) \| ([\d.]+) ± ([\d.]+) \|",
        LABORATORY.read_text("utf-8"),
    )
    assert found is not None
    claimed, mean, half = (each.removeprefix("0") for each in found.groups())
    assert f"{claimed} is claimed, and {mean} ± {half} was found" in PAGE
