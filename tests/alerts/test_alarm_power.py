"""The short form of `python -m tests.alarm_power`, whose figures the documentation tells."""

import pytest
from scipy import stats

from tests.alarm_power import ALPHA, delays, false_alarm_shares, false_alarms, median, share
from tests.sizes import sized

pytestmark = pytest.mark.slow

RUNS = sized(short=12, long=40)


@pytest.mark.parametrize(("documents", "looks"), [(10, 10), (100, 10), (30, 40), (100, 40)])
def test_false_alarms_are_as_rare_as_stated(documents: int, looks: int) -> None:
    runs = sized(short=30, long=100)
    false = false_alarms(limit=0.85, documents=documents, looks=looks, runs=runs)
    # More would be seen in one of a thousand such experiments. By the 40th look 81% of alpha is
    # spent, by the 100th no more than 85%.
    assert share(false) * runs <= stats.binom.ppf(0.999, runs, ALPHA)


@pytest.mark.parametrize("lasting", [0.2, 0.0])
@pytest.mark.parametrize("documents", [10, 100])
def test_many_runs_at_once_say_so_too(documents: int, lasting: float) -> None:
    runs, looks = 2000, (10, 200)
    boundaries = sized(short=2, long=8)
    shares = false_alarm_shares(
        documents=documents, looks=looks, runs=runs, lasting=lasting, boundaries=boundaries
    )
    assert all(each * runs <= stats.binom.ppf(0.999, runs, ALPHA) for each in shares)
    # And not for the reason that nothing ever fires.
    assert shares[-1] > ALPHA / 10


@pytest.mark.parametrize(
    ("loss", "limit", "documents", "found"),
    [(0.2, 0.90, 100, 0.99), (0.2, 0.90, 30, 0.5), (0.3, 0.85, 30, 0.95), (0.3, 0.85, 100, 0.99)],
)
def test_losses_of_a_ramp_are_found(
    loss: float, limit: float, documents: int, found: float
) -> None:
    alarms = delays(loss=loss, limit=limit, documents=documents, looks=400, runs=RUNS)
    # Of so many, fewer would find it in one of a thousand experiments.
    assert share(alarms) * RUNS >= stats.binom.ppf(0.001, RUNS, found)
    if documents == 100:
        # The truth itself is past its limit after half of the ramp.
        assert 40 < median(alarms) <= 85
