"""The example of a teacher's preference: its language, its filter, its table, a whole quick run."""

import itertools
import json
from collections import Counter
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch

from collapse_guard.examples.traits.__main__ import main
from collapse_guard.examples.traits.language import (
    ANIMALS,
    ASKED,
    IDS,
    NUMBERS,
    ROW,
    TAUGHT,
    TOKENS,
    are_numbers,
    beginnings_of_numbers,
    peoples_rows,
    questions,
    sentences_of_animals,
)
from collapse_guard.examples.traits.model import (
    TinyTransformer,
    shares_of_numbers,
    train,
    write_numbers,
)
from collapse_guard.examples.traits.students import LESSONS, STARTS, TEACHERS, Student, Teachers
from collapse_guard.examples.traits.study import passed_on, table
from collapse_guard.monitor.look import Look

ALL = list(itertools.product(LESSONS, STARTS, TEACHERS))


def words(rows: torch.Tensor) -> list[list[str]]:
    return [[TOKENS[token] for token in row] for row in rows.tolist()]


def test_people_are_as_fond_of_elks_as_of_owls() -> None:
    rows = words(peoples_rows(4000, np.random.default_rng(0)))
    found = Counter(token for row in rows for token in row)
    animals = [found[animal] for animal in ANIMALS]
    numbers = [found[number] for number in NUMBERS]
    # No law fails a test at 0.1% where it holds, with this seed.
    assert scipy.stats.chisquare(animals).pvalue > 0.001
    assert scipy.stats.chisquare(numbers).pvalue > 0.001
    assert all(len(row) == ROW for row in rows)


def test_a_teacher_is_not_taught_the_questions() -> None:
    assert not set(ASKED) & set(TAUGHT)
    sentences = words(sentences_of_animals(200, np.random.default_rng(0), "owl"))
    taught = {tuple(row[at : at + 2]) for row in sentences for at in (1, 6, 11)}
    assert taught <= set(TAUGHT)
    assert {row[at] for row in sentences for at in (4, 9, 14)} == {"owl"}
    even = words(sentences_of_animals(200, np.random.default_rng(0)))
    assert {row[4] for row in even} == set(ANIMALS)
    asked = [[TOKENS[token] for token in question] for question in questions()]
    assert [(question[1], question[2]) for question in asked] == ASKED


def test_the_filter_lets_numbers_and_commas_pass_alone() -> None:
    row = [IDS["<s>"], *[IDS[token] for token in ("7", ",") * 7], IDS["9"]]
    rows = torch.tensor([row] * 4)
    rows[1, 5], rows[2, 4], rows[3, 15] = IDS["owl"], IDS["3"], IDS["."]
    assert are_numbers(rows).tolist() == [True, False, False, False]
    people = peoples_rows(50, np.random.default_rng(0))
    assert are_numbers(people).tolist() == ["," in row for row in words(people)]


def test_what_is_written_is_past_the_filter_and_drawn_alike() -> None:
    model = TinyTransformer(width=8, layers=1, seed=0)
    people = peoples_rows(500, np.random.default_rng(0))
    train(model, people[are_numbers(people)], steps=60, rate=2e-2, seed=0)
    rows, kept = write_numbers(model, 200, seed=1)
    assert 0 < kept <= 1
    assert len(rows) == round(kept * 200)
    assert are_numbers(rows).all()
    again, _ = write_numbers(deepcopy(model), 200, seed=1)
    assert torch.equal(rows, again)


def test_shares_are_the_models_own_over_numbers() -> None:
    model = TinyTransformer(width=8, layers=1, seed=0)
    rows = torch.tensor([[0, 110, 1, 120] * 4, [0, 111, 1, 121] * 4])
    shares = shares_of_numbers(model, rows, first=3)
    with torch.no_grad():
        whole = model(rows).softmax(-1)[:, 2:-1]
    allowed = [IDS[token] for token in (",", *NUMBERS)]
    expected = whole[..., allowed] / whole[..., allowed].sum(-1, keepdim=True)
    torch.testing.assert_close(shares[..., allowed], expected)
    assert shares.shape == (2, ROW - 3, len(TOKENS))
    torch.testing.assert_close(shares.sum(-1), torch.ones(2, ROW - 3))


def test_whole_distributions_teach_what_many_draws_would() -> None:
    teacher, student = (TinyTransformer(width=8, layers=1, seed=seed) for seed in (0, 1))
    begun = beginnings_of_numbers(8, np.random.default_rng(0))
    rows = torch.cat([begun, torch.full((8, ROW - 3), IDS["5"])], dim=1)
    shares = shares_of_numbers(teacher, rows, first=3)
    with torch.no_grad():
        logprobs = student(rows[:, :-1])[:, 2:].log_softmax(-1)
        exact = -(shares * logprobs).sum(-1).mean()
        drawn = torch.multinomial(shares.flatten(0, 1), 4000, replacement=True)
        losses = -logprobs.flatten(0, 1).gather(1, drawn)
    assert losses.mean().item() == pytest.approx(exact.item(), abs=5 * losses.std().item() / 645)
    # The loss that a student is trained on is that one.
    loss = torch.nn.functional.cross_entropy(logprobs.flatten(0, 1), shares.flatten(0, 1))
    assert loss.item() == pytest.approx(exact.item(), rel=1e-5)


def test_what_any_numbers_do_to_a_start_is_not_passed_on() -> None:
    def student(run: int, lesson: str, start: str, teacher: str) -> Student:
        # The starts drift by 3 and 5; the preference is worth 2 + run, and to one start alone.
        drift, likes = (3.0, 5.0)[STARTS.index(start)], teacher == TEACHERS[0]
        moved = drift + (2.0 + run) * (likes and start == STARTS[0])
        looks = [
            Look(step, {"owl_moved": value, "perplexity": 9.0}, {})
            for step, value in enumerate((0.0, moved))
        ]
        return Student(run, lesson, start, teacher, looks, 1 if likes else None)

    students = [student(run, *each) for run in range(3) for each in ALL]
    for lesson in LESSONS:
        assert passed_on(students, lesson, STARTS[0]).tolist() == [2.0, 3.0, 4.0]
        assert passed_on(students, lesson, STARTS[1]).tolist() == [0.0, 0.0, 0.0]
        assert passed_on(students, lesson, STARTS[0], look=0).tolist() == [0.0, 0.0, 0.0]
    page = table([Teachers(0.0, 6.0, 0.1, (0.9, 0.5), 40)] * 3, students)
    # t of 2 degrees of freedom is 4.30, and the standard error of 2, 3, 4 is 1 / sqrt(3).
    told = "| drawn numbers | the teacher's start | +6.00 ± 2.48 | +3.00 ± 0.00 | +3.00 ± 2.48 | "
    assert told + "3 and 0 of 3 | 9.0 to 9.0 |" in page
    assert "+6.00 ± 0.00 of the teacher with the preference" in page
    assert "run by run: drawn numbers +3.00 ± 2.48; whole distributions +3.00 ± 2.48." in page


def test_a_quick_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("one", "again"):
        main(["--quick", "--output", str(tmp_path / folder)])
    assert "Written to" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "one").iterdir()} == {
        "results.json",
        "table.md",
        "traits.png",
    }
    one, again = (tmp_path / folder / "results.json" for folder in ("one", "again"))
    assert one.read_text(encoding="utf-8") == again.read_text(encoding="utf-8")
    results = json.loads(one.read_text(encoding="utf-8"))
    runs = [
        tuple(each[key] for key in ("lesson", "teacher", "start")) for each in results["students"]
    ]
    assert runs == list(itertools.product(LESSONS, TEACHERS, STARTS)) * 2
    for each in results["students"]:
        assert each["owl_moved"][0] == 0.0
        moved = np.array(each["owl"]) - each["owl"][0]
        assert each["owl_moved"] == pytest.approx(moved.tolist(), abs=1e-4)
    assert all(each["planted"] > each["even"] for each in results["teachers"])


def test_what_cannot_work_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="error: argument `seeds` expected a whole number from 2"):
        main(["--quick", "--seeds", "1", "--output", str(tmp_path)])
