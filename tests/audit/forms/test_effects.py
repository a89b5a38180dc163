import math

import numpy as np
import pytest
from scipy import stats

from collapse_guard.audit.forms.effects import NUM_TOGETHER, mean_effect, share_effect


def test_shares_that_are_alike_are_nothing_apart() -> None:
    effect = share_effect(30, 100, 60, 200)
    assert effect.size == pytest.approx(0)
    assert effect.low == pytest.approx(-effect.high)
    assert effect.sure == 0


def test_the_size_is_cohens() -> None:
    """Table 6.2.2 of Cohen (1988): .40 and .25 are h = .32 apart."""
    assert share_effect(40, 100, 25, 100).size == pytest.approx(0.32, abs=0.005)
    assert share_effect(25, 100, 40, 100).size == pytest.approx(-0.32, abs=0.005)
    generator = np.random.default_rng(0)
    ours, theirs = generator.normal(0.5, 1, 60), generator.normal(0, 2, 90)
    pooled = math.sqrt((59 * ours.var(ddof=1) + 89 * theirs.var(ddof=1)) / 148)
    effect = mean_effect(ours, theirs)
    assert effect.size == pytest.approx((ours.mean() - theirs.mean()) / pooled)
    # d is the t statistic in other units.
    t = stats.ttest_ind(ours, theirs).statistic
    assert effect.size == pytest.approx(t * math.sqrt(1 / 60 + 1 / 90))


def test_what_all_of_one_kind_do_is_as_far_apart_as_can_be() -> None:
    effect = share_effect(1000, 1000, 0, 1000)
    assert effect.size == effect.high == pytest.approx(math.pi)
    assert 2.9 < effect.sure < math.pi
    assert share_effect(1, 1, 0, 1).sure == 0


@pytest.mark.parametrize("kind", ["shares", "means"])
def test_the_intervals_of_a_hundred_forms_hold_together(kind: str) -> None:
    """The share of single intervals that miss the truth, which is no difference."""
    generator = np.random.default_rng(1)
    trials = 4000
    if kind == "shares":
        counts = generator.binomial(100, 0.3, trials), generator.binomial(150, 0.3, trials)
        effects = [
            share_effect(a, 100, b, 150) for a, b in zip(*(c.tolist() for c in counts), strict=True)
        ]
    else:
        effects = [
            mean_effect(generator.normal(size=80), generator.normal(size=120))
            for _ in range(trials)
        ]
    missed = sum(effect.sure > 0 for effect in effects)
    assert missed <= stats.binom.ppf(0.999, trials, 2 * 0.05 / NUM_TOGETHER)
    # Not so wide that nothing could be seen: at 95% each, 200 would be.
    narrow = sum(abs(e.size) > (e.high - e.size) * 1.96 / 3.48 for e in effects)
    assert 130 < narrow < 280


def test_rows_that_are_all_alike_have_no_spread() -> None:
    one, other = np.full(5, 2.0), np.full(7, 3.0)
    assert mean_effect(one, one).size == 0
    assert mean_effect(one, other) == (-math.inf, -math.inf, -math.inf)
    assert mean_effect(one[:1], other[:1]).sure == 0
