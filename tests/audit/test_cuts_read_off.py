"""Cuts are read off a model's own text, and the temperature under them is not biased by them."""

import math

import numpy as np
import pytest
from scipy import stats

from collapse_guard import Decoding
from collapse_guard.audit.cuts_read_off import Cuts, read_cuts
from collapse_guard.audit.tempered_likelihood import find_peak, sum_up
from tests.audit.bigrams import Bigrams, drawn_rows
from tests.audit.test_drawn_tokens import find
from tests.sizes import sized

TYPES = 200
TEXTS = sized(short=30, long=100)
MEASURED = sized(short=15, long=40)

READ = {
    "nothing": Decoding(),
    "temperature": Decoding(0.8),
    "top-p": Decoding(0.8, top_p=0.95),
    "top-k": Decoding(top_k=50),
    "few": Decoding(1.2, top_k=5),
    "both": Decoding(0.8, top_k=50, top_p=0.9),
    "min-p": Decoding(0.7, min_p=0.05),
}


def read(
    decoding: Decoding, *, rows: int = 100, seed: int = 0, batch_size: int = 50
) -> tuple[float, float, float, Cuts, int]:
    """The temperature without cuts, that with them, its error, the cuts, and the largest rank."""
    model = Bigrams(TYPES)
    drawn = find(drawn_rows(model, decoding, rows=rows, seed=seed), batch_size=batch_size)
    sums = sum_up(drawn, model)
    plain = find_peak(sums)
    cuts, peak = read_cuts(drawn, model, sums.largest_rank, plain)
    temperature = math.exp(-peak.log_beta)
    error = temperature * float(np.linalg.norm(peak.slopes)) / peak.information
    return math.exp(-plain.log_beta), temperature, error, cuts, sums.largest_rank


@pytest.mark.parametrize("decoding", READ.values(), ids=READ)
def test_the_decoding_is_found(decoding: Decoding) -> None:
    plain, temperature, error, cuts, rank = read(decoding)
    assert abs(temperature - decoding.temperature) < 3 * error < 0.1 * decoding.temperature
    assert cuts.top_k == decoding.top_k
    for found, true in ((cuts.top_p, decoding.top_p), (cuts.min_p, decoding.min_p)):
        assert (found is None) == (true is None)
        assert found is None or found == pytest.approx(true, rel=0.1 if true < 0.5 else 0.02)
    if decoding.cuts:
        # Without the cut the temperature is far off: what was cut away makes the text look cold.
        assert plain < decoding.temperature - 3 * error
    if decoding.top_p is not None and decoding.top_k is not None:
        assert rank < decoding.top_k


def test_batches_do_not_matter() -> None:
    for decoding in (Decoding(0.8, top_p=0.95), Decoding(top_k=50)):
        one, other = (read(decoding, rows=40, batch_size=size) for size in (40, 7))
        assert one[3:] == other[3:]
        assert one[:3] == pytest.approx(other[:3], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("decoding", [READ["nothing"], READ["temperature"]], ids=str)
def test_a_cut_is_seldom_seen_where_there_is_none(decoding: Decoding) -> None:
    found = [read(decoding, rows=12, seed=seed)[3] for seed in range(TEXTS)]
    # Several kinds of cut are looked for, each found by chance in one of a thousand.
    assert sum(cuts != Cuts() for cuts in found) <= sized(short=1, long=2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["top-p", "top-k", "both", "min-p"])
def test_errors_are_those_that_are_made(name: str) -> None:
    deviations = []
    for seed in range(MEASURED):
        _, temperature, error, _, _ = read(READ[name], rows=25, seed=seed)
        deviations.append((temperature - READ[name].temperature) / error)
    # A mean of 0 and a spread of 1 are off by more in one of a thousand experiments.
    assert abs(np.mean(deviations)) < 3.3 / math.sqrt(MEASURED)
    low, high = stats.chi2.ppf([0.0005, 0.9995], MEASURED - 1) / (MEASURED - 1)
    assert low < np.var(deviations, ddof=1) < high
