"""Sums, what a model is said to be sure of, the law of entropy, and whole small runs."""

import json
import logging
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from collapse_guard import ArgumentError
from collapse_guard.examples.mistakes import self_training
from collapse_guard.examples.mistakes.__main__ import main
from collapse_guard.examples.mistakes.arithmetic import (
    PROMPT,
    World,
    questions_of,
    spelled,
    true_sums,
)
from collapse_guard.examples.mistakes.calibration import expected_calibration_error, majority
from collapse_guard.examples.mistakes.learner import answers, new_learner, probabilities
from collapse_guard.examples.mistakes.policy_entropy import close_from, fit_law, forecasts
from collapse_guard.examples.mistakes.self_training import WAYS, right_ones
from collapse_guard.examples.mistakes.study import Study, run


def test_every_sum_is_right() -> None:
    pairs = np.stack(np.divmod(np.arange(10_000), 100), axis=1)
    for text, (first, second) in zip(spelled(true_sums(pairs)), pairs.tolist(), strict=True):
        assert text == f"{first:02d}+{second:02d}={first + second:03d};"


def test_nothing_that_is_held_out_is_asked() -> None:
    world = World(seed=3, held_out_questions=200)
    held_out = {tuple(pair) for pair in world.held_out.tolist()}
    assert len(held_out) == 200
    assert not held_out & {tuple(pair) for pair in world.asked(20_000, seed=5).tolist()}
    assert (world.asked(50, seed=5) == World(3, 200).asked(50, seed=5)).all()
    assert (world.asked(50, seed=5) != world.asked(50, seed=6)).any()


def test_the_panel_looks_at_digits_of_answers_alone() -> None:
    panel = World(seed=0, held_out_questions=100).panel
    assert panel.positions.sum(0).tolist() == [0] * PROMPT + [100] * 3 + [0]
    assert panel.num_documents == 100
    # Small digits are asked for more often, so that a large one is the rare one.
    assert np.flatnonzero(panel.reference.tail_types)[0] == 9


def test_calibration_against_bins_by_hand() -> None:
    generator = np.random.default_rng(0)
    confidence, right = generator.random(500), generator.random(500) < 0.5
    expected = 0.0
    for low in range(10):
        inside = [
            (sure, was)
            for sure, was in zip(confidence.tolist(), right.tolist(), strict=True)
            if low / 10 <= sure < (low + 1) / 10
        ]
        if inside:
            sure, was = np.mean(inside, axis=0)
            expected += len(inside) / 500 * abs(sure - was)
    assert expected_calibration_error(confidence, right) == pytest.approx(expected)
    assert expected_calibration_error(np.ones(4), np.ones(4, dtype=bool)) == 0.0


def test_calibrated_answers_have_next_to_no_error() -> None:
    generator = np.random.default_rng(1)
    confidence = generator.random(100_000)
    # Ten bins of 10,000 answers: the mean of |normal| is 0.8 standard errors of at most .005.
    assert expected_calibration_error(confidence, generator.random(100_000) < confidence) < 0.01


def test_the_majority_is_the_commonest() -> None:
    drawn = np.random.default_rng(0).integers(0, 2, size=(40, 7, 2))
    voted, share = majority(drawn)
    for each, chosen, part in zip(drawn.tolist(), voted.tolist(), share.tolist(), strict=True):
        counts = [each.count(answer) for answer in each]
        assert each.count(chosen) == max(counts)
        assert part == pytest.approx(max(counts) / 7)


def test_answers_are_drawn_as_probable_as_they_are() -> None:
    model = new_learner(0, width=16)
    question = questions_of(np.array([[17, 25]]))
    with torch.no_grad():
        # A fresh model is next to uniform; this one has favourites.
        model.lm_head.weight.mul_(20.0)
    drawn = answers(model, question, samples=4_000, seed=1)[0]
    again = answers(model, question, samples=4_000, seed=1)[0]
    assert (drawn == again).all()
    voted, share = majority(drawn[None, :400])
    probability = float(probabilities(model, question, voted)[0])
    found = float((drawn == voted).all(1).mean())
    # Four standard errors of 4,000 draws.
    assert abs(found - probability) < 4 * math.sqrt(probability * (1 - probability) / 4_000)
    assert share[0] > 0


def test_a_verifier_that_lets_nothing_pass_is_told() -> None:
    model = new_learner(0, width=16)
    with torch.no_grad():
        model.lm_head.weight.zero_()
    with pytest.raises(ArgumentError, match="lets nothing pass"):
        right_ones(model, questions_of(np.array([[17, 25]] * 3)), 0, 1)


def test_a_law_that_holds_is_found_and_foresees() -> None:
    entropy = np.linspace(1.0, 0.1, 100)
    noise = np.random.default_rng(0).normal(0, 1e-3, 100)
    reward = 0.95 - 0.25 * np.exp(entropy) + noise
    assert fit_law(entropy, reward) == pytest.approx((0.25, 0.95), abs=5e-3)
    found = forecasts(entropy, reward)
    fractions = np.array([each["fraction"] for each in found])
    end = float(reward[-10:].mean())
    said = np.array([each["at_end"] for each in found])
    carried_on = np.array([each["carried_on"] for each in found])
    lawful, lazy = close_from(fractions, said, end), close_from(fractions, carried_on, end)
    assert lawful is not None
    assert lawful <= 0.2
    # The reward so far comes near only when the end is.
    assert lazy is not None
    assert lazy > 0.5
    assert close_from(fractions, carried_on, 3.0) is None


def test_the_same_seed_twice_is_refused(tmp_path: Path) -> None:
    nothing = Study(lambda seed, quick: [], lambda records: "", lambda records: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(ArgumentError, match="different ones"):
        run("none", nothing, tmp_path, [1, 1], quick=True)


@pytest.mark.slow
def test_sums_of_a_seed_are_the_same_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    level = logging.getLogger("collapse_guard").level
    main(["sums", "--quick", "--seeds", "0", "--output", str(tmp_path)])
    assert logging.getLogger("collapse_guard").level == level
    records = json.loads((tmp_path / "sums-quick-0.json").read_text(encoding="utf-8"))
    # Whatever was measured before it.
    last = list(WAYS)[-1]
    monkeypatch.setattr(self_training, "WAYS", {last: WAYS[last]})
    again = self_training.self_training(0, self_training.QUICK)
    assert again == [each for each in records if each["way"] == last]
    assert [(each["way"], each["generation"]) for each in records] == [
        (way, generation) for way in WAYS for generation in range(3)
    ]
    trained = [each for each in records if each["generation"]]
    assert {each["written_right"] for each in trained if each["way"] == "verified"} == {1.0}
    assert all(each["tail_retention"] > 0 for each in trained)
    page = (tmp_path / "sums-quick.md").read_text(encoding="utf-8")
    assert page.count("| verified |") == 5
    assert (tmp_path / "sums-quick.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`gradient_checkpointing:FutureWarning")
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing:FutureWarning")
def test_entropy_and_reward_are_told_by_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["entropy", "--quick", "--seeds", "0", "--output", str(tmp_path)])
    records = json.loads((tmp_path / "entropy-quick-0.json").read_text(encoding="utf-8"))
    steps = [each for each in records if "reward" in each]
    assert [each["step"] for each in steps] == list(range(1, 7))
    # Of 14 types, in nats.
    assert all(0 < each["entropy"] < math.log(14) for each in steps)
    assert [each["look"] for each in records if "look" in each][:2] == [0, 1]
    assert "reward at the end" in capsys.readouterr().out
