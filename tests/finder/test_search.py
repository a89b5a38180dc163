"""What a search found: comparisons against scipy's, words, and the way through JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from collapse_guard.finder.search import DecodingSearch, compared, trials_of
from collapse_guard.model.decoding import PLAIN, VLLM_ORDER, Decoding
from collapse_guard.statistics.estimates import document_mean, ratio
from tests.finder.scripted import loss_of

COLD, CUT = Decoding(temperature=0.8), Decoding(top_k=50, order=VLLM_ORDER)


@given(seed=st.integers(0, 1000), documents=st.integers(2, 40), shift=st.floats(-1.0, 1.0))
def test_intervals_are_those_of_a_paired_t_test(seed: int, documents: int, shift: float) -> None:
    generator = np.random.default_rng(seed)
    other = generator.normal(size=documents)
    one = other + generator.normal(shift, 0.5, size=documents)
    apart = compared(document_mean(one), document_mean(other))
    test = stats.ttest_rel(one, other)
    interval = test.confidence_interval(0.95)
    assert apart.difference == pytest.approx(np.mean(one - other))
    assert (apart.low, apart.high) == pytest.approx((interval.low, interval.high), rel=1e-3)
    if abs(test.pvalue - 0.05) > 1e-3:
        assert apart.told_apart == (test.pvalue < 0.05)


def test_long_documents_are_fewer_than_they_are_in_number() -> None:
    generator = np.random.default_rng(0)
    tokens = np.array([1000.0, *[10.0] * 20])
    one, other = (ratio(generator.normal(3, 0.1, 21) * tokens, tokens) for _ in range(2))
    units = tokens.sum() ** 2 / (tokens @ tokens)
    assert units < 2
    apart = compared(one, other)
    error = (apart.high - apart.difference) / stats.t.ppf(0.975, 1)
    # Influences of both, document by document.
    influences = one.influences - other.influences
    assert error == pytest.approx(np.sqrt(21 / 20 * influences @ influences), rel=1e-3)


def search(*, cold: float = 4.0, cut: float = 4.2, plain: float = 4.5) -> DecodingSearch:
    losses = {
        PLAIN: {6: loss_of(plain + 0.1), 24: loss_of(plain)},
        COLD: {6: loss_of(4.6), 24: loss_of(cold, spread=0.1)},
        CUT: {6: loss_of(4.65)},
        Decoding(top_p=0.9): {6: loss_of(4.7), 24: loss_of(cut, spread=0.1, seed=1)},
    }
    best = min((PLAIN, COLD), key=lambda each: losses[each][24].value)
    return DecodingSearch(best, trials_of(losses, best), 4.55, 12, 54, 12.5, ("a note",))


def test_trials_stand_by_steps_and_loss_each_beside_the_best_at_its_steps() -> None:
    found = search()
    assert [str(trial.decoding) for trial in found.trials] == [
        "T 0.8", "top-p 0.9", "T 1", "top-k 50"
    ]  # fmt: skip
    assert [trial.steps for trial in found.trials] == [24, 24, 24, 6]
    assert [trial.difference for trial in found.trials] == pytest.approx([0.0, 0.2, 0.5, 0.05])
    best, cut, plain, early = found.trials
    assert not best.told_apart
    assert best.interval == (0.0, 0.0)
    assert found.best is best
    assert found.plain is plain
    # The best one's documents spread by a tenth, and so does the difference.
    assert plain.interval[0] < 0.5 < plain.interval[1]
    assert early.interval == pytest.approx((0.05, 0.05))
    assert cut.standard_error == pytest.approx(loss_of(4.2, spread=0.1, seed=1).standard_error)


def test_verdicts() -> None:
    assert search().told_apart_from_plain
    assert search().verdict.startswith(
        "The rows look drawn with T 0.8: after 24 steps on the rows,"
    )
    assert "not told apart from it" not in search().verdict
    close = search(plain=4.01)
    assert not close.told_apart_from_plain
    assert close.decoding == COLD
    assert close.verdict.startswith("No sampler is told apart from plain text")
    assert "the best is T 0.8" in close.verdict
    plain = search(plain=3.9)
    assert plain.decoding == PLAIN
    assert not plain.told_apart_from_plain
    assert plain.verdict.startswith("The rows are best trained on as they are (T 1)")
    rival = search(cut=4.001)
    assert rival.verdict.endswith("; not told apart from it: top-p 0.9.")


def test_the_table_has_a_line_for_each_trial() -> None:
    lines = str(search(cut=4.001)).splitlines()
    assert lines[0] == search(cut=4.001).verdict
    table = lines[2:6]
    assert [line.split("  ")[0] for line in table] == ["T 0.8", "top-p 0.9", "T 1", "top-k 50"]
    assert table[0].endswith("the best")
    assert table[1].endswith("not told apart")
    assert not table[2].endswith("not told apart")
    assert len({line.index("4.") for line in table}) == 1
    assert "54 steps and 12.5 s in all" in lines[6]
    assert lines[7:] == ["- a note"]


def test_it_goes_through_json_and_back() -> None:
    found = search()
    state = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert DecodingSearch.from_dict(state) == found
    assert state["told_apart_from_plain"] is True
    assert state["verdict"] == found.verdict
    assert [each["told_apart"] for each in state["trials"]] == [
        trial.told_apart for trial in found.trials
    ]
    assert replace(found, notes=()).to_dict()["notes"] == []
