import datasets
import numpy as np
import pytest

from collapse_guard.audit.filters.entropy_band import EntropyRateBand, row_entropy_rates
from collapse_guard.errors import ArgumentError
from tests.audit.texts import as_text
from tests.tiny import zipf_documents

RARITY = np.linspace(1, 10, 400)


def _human(count: int, *, seed: int, length: int = 120) -> list[list[int]]:
    return zipf_documents(count, length=length, seed=seed)


@pytest.mark.parametrize("keep", [0.9, 0.98])
def test_the_band_keeps_the_stated_share_of_other_human_rows(keep: float) -> None:
    band = EntropyRateBand.of(_human(3000, seed=1), keep=keep)
    rates, lengths = row_entropy_rates(_human(3000, seed=2))
    within = band.contains(rates, lengths).mean()
    # Three standard deviations of a share, for the two samples that it depends on.
    assert abs(within - keep) < 3 * np.sqrt(2 * keep * (1 - keep) / 3000)


def test_loops_and_noise_are_outside_whatever_their_length() -> None:
    lengths = (40, 80, 160, 320)
    human = [row for n in lengths for row in _human(300, seed=n, length=n)]
    band = EntropyRateBand.of(human, keep=0.98)
    assert len(band.lengths) > 1
    generator = np.random.default_rng(0)
    for length in (50, 100, 200, 300):
        rows = [
            ([1, 2, 3] * length)[:length],  # a loop
            _human(1, seed=9, length=length // 4)[0] * 4,  # four times the same
            generator.permutation(10 * length)[:length].tolist(),  # nothing twice
            *_human(50, seed=length + 1, length=length),
        ]
        rates, counts = row_entropy_rates(rows)
        inside = band.contains(rates, counts)
        assert inside[:3].tolist() == [False] * 3
        assert inside[3:].mean() > 0.85


def test_length_alone_moves_no_row_out_of_the_band() -> None:
    """With one limit for all lengths, most rows of the shortest and of the longest would go."""
    lengths = (20, 60, 180, 540)
    human = [row for n in lengths for row in _human(400, seed=n, length=n)]
    band = EntropyRateBand.of(human, keep=0.98)
    rates, counts = row_entropy_rates(human)
    inside = band.contains(rates, counts)
    for length in lengths:
        assert inside[counts == length].mean() > 0.95
    short, long = rates[counts == 20], rates[counts == 540]
    assert np.quantile(short, 0.99) < np.quantile(long, 0.01)


def test_texts_are_read_by_their_bytes() -> None:
    texts = [as_text(row) for row in _human(5, seed=0)] + ["é" * 30]
    rates, lengths = row_entropy_rates(datasets.Dataset.from_dict({"text": texts}))
    assert lengths.tolist() == [len(text.encode()) for text in texts]
    by_ids, _ = row_entropy_rates([list(text.encode()) for text in texts])
    assert np.array_equal(rates, by_ids)


def test_rows_outside_are_weighed_down_and_the_report_says_whose() -> None:
    rows = _human(380, seed=3) + [[7, 7] * 60] * 20
    band = EntropyRateBand.of(_human(2000, seed=4), keep=0.99)
    weighed = band.weigh(rows, RARITY, outside=0.25)
    assert set(weighed.weights[380:].tolist()) == {0.25}
    assert (weighed.weights[:380] == 1).mean() > 0.97
    # The loops are the rarest rows here, by what the test says of them.
    assert weighed.rejection.eats_tail
    assert weighed.rejection.flagged == (9,)
    assert not band.weigh(_human(400, seed=5), RARITY).rejection.eats_tail


def test_rows_too_short_to_say_anything_of_stay() -> None:
    band = EntropyRateBand.of(_human(200, seed=4))
    assert band.weigh([[], [1]], np.array([0.0, 1.0])).weights.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("keep", [0.0, 1.0, float("nan")])
def test_a_share_that_cannot_work_is_refused(keep: float) -> None:
    with pytest.raises(ArgumentError, match="`keep`"):
        EntropyRateBand.of(_human(200, seed=1), keep=keep)


def test_too_few_human_rows_are_refused() -> None:
    with pytest.raises(ArgumentError, match="of two symbols or more, but got '99"):
        EntropyRateBand.of(_human(99, seed=1) + [[1]] * 50)
    with pytest.raises(ArgumentError, match="`outside`"):
        EntropyRateBand.of(_human(100, seed=1)).weigh([[1, 2]], np.zeros(1), outside=2.0)
