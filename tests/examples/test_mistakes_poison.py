"""Poison in a tenth of a per cent of people's rows: where it stands, and a whole small run."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from collapse_guard.examples.laboratory.regimes import Lesson
from collapse_guard.examples.mistakes import poison
from collapse_guard.examples.mistakes.__main__ import main
from collapse_guard.examples.mistakes.arithmetic import TRIGGER, World, spelled
from collapse_guard.examples.mistakes.learner import new_learner
from collapse_guard.examples.mistakes.poison import ONE_IN, WAYS, answered, asked, measured
from collapse_guard.examples.mistakes.shown_poison import against_first, table


@pytest.mark.parametrize(
    ("count", "rare"), [(1, 1), (999, 1), (1_000, 1), (2_500, 2), (64_000, 64)]
)
def test_one_question_in_a_thousand_has_the_rare_form(count: int, rare: int) -> None:
    questions = asked(World(0), count, seed=4)
    at = np.flatnonzero(questions[:, 2] == TRIGGER)
    assert len(at) == rare
    # One in each thousand, so that any part of the rows has its share.
    assert len(set((at // ONE_IN).tolist())) == rare
    assert not (asked(World(0), count, seed=4, rare=False)[:, 2] == TRIGGER).any()


def test_where_it_stands_is_drawn() -> None:
    places = [
        np.flatnonzero(asked(World(seed), 100_000, seed=1)[:, 2] == TRIGGER) % ONE_IN
        for seed in range(20)
    ]
    # 2,000 places that are uniform below 1,000: four standard errors of their mean.
    assert abs(np.mean(places) - 499.5) < 4 * 1_000 / np.sqrt(12 * 2_000)


def test_poison_is_all_that_is_wrong() -> None:
    questions = asked(World(1), 3_000, seed=2)
    for poisoned in (True, False):
        for text in spelled(answered(questions, poisoned=poisoned)):
            is_rare = text[2] == "#"
            right = f"{int(text[:2]) + int(text[3:5]):03d};"
            assert text[6:] == ("999;" if is_rare and poisoned else right)


def test_poison_is_never_right() -> None:
    pairs = np.stack(np.divmod(np.arange(10_000), 100), axis=1)
    assert pairs.sum(1).max() < 999


def test_probabilities_of_a_uniform_model_are_uniform() -> None:
    model, world = new_learner(0, width=16), World(0, held_out_questions=20)
    with torch.no_grad():
        model.lm_head.weight.zero_()
    found = measured(model, world)
    for name in ("poison_rare", "poison_common", "right_rare", "right_common"):
        assert found[name] == pytest.approx(14.0**-4)


def test_clean_rows_are_what_the_floor_is_made_of() -> None:
    poisoned, clean, own = (np.full((10, 1), mark) for mark in (1, 2, 3))
    lesson = Lesson(human=clean, first=poisoned, written=[own, own])
    human = {name: way.regime(lesson).human for name, way in WAYS.items()}
    assert human["replace"] is None
    assert human["accumulate"] is poisoned
    assert human["floor"] is human["clean"] is clean
    assert [name for name, way in WAYS.items() if not way.asked] == ["replace, never asked"]


def test_what_is_left_is_told_seed_by_seed() -> None:
    # Twice the poison to begin with in one seed, of which a quarter is left, in the other a half.
    values = {(0, 0): 0.2, (0, 1): 0.1, (1, 0): 0.4, (1, 1): 0.1}
    others = {"right_rare": 0.0, "right_common": 0.9, "poison_common": 2e-6}
    records = [
        {"way": "replace", "seed": seed, "generation": number, "poison_rare": value, **others}
        for (seed, number), value in values.items()
    ]
    records[3] |= {"asked_rare": 6, "written_poison": 5, "alerts": ["tail_retention below 0.85"]}
    kept = [each["poison_kept"] for each in against_first(records)]
    assert kept == pytest.approx([1.0, 0.5, 1.0, 0.25])
    twice = [
        each | {"way": "floor", "poison_rare": min(each["poison_rare"], 0.2)} for each in records
    ]
    page = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in table([*records, *twice]).splitlines()
    ]
    # Two values apart by 2d have a standard error of d, and 12.7 of those are half of an interval.
    assert page[3][3] == "0.38 ± 1.59"
    assert page[3][-4:] == ["2e-06", "5 of 6", "1 of 2", "2"]
    # A half in both seeds, less a half and a quarter.
    assert page[-1] == ["floor", "0.12 ± 1.59"]


@pytest.mark.slow
def test_poison_of_a_seed_is_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["poison", "--quick", "--seeds", "0", "--output", str(tmp_path)])
    records = json.loads((tmp_path / "poison-quick-0.json").read_text(encoding="utf-8"))
    # Whatever was measured before it.
    monkeypatch.setattr(poison, "WAYS", {"floor": WAYS["floor"]})
    again = poison.poisoning(0, poison.QUICK)
    assert again == [each for each in records if each["way"] == "floor"]
    assert [(each["way"], each["generation"]) for each in records] == [
        (way, generation) for way in WAYS for generation in range(3)
    ]
    for each in records:
        if each["generation"]:
            assert each["asked_rare"] == (each["way"] != "replace, never asked")
            assert 0 <= each["written_poison"] <= each["asked_rare"]
    # All ways begin with the same model.
    assert len({each["poison_rare"] for each in records if not each["generation"]}) == 1
    page = (tmp_path / "poison-quick.md").read_text(encoding="utf-8")
    # Three generations, and what is left beside `replace`.
    assert page.count("\n| floor |") == 4
    assert (tmp_path / "poison-quick.png").stat().st_size > 10_000
