"""Readings of rows that were read along, against the rows themselves."""

import math

import numpy as np
import pytest

from collapse_guard.readings.read_along import BANDS, READ_ALONG, read_along
from collapse_guard.statistics.block_sums import BlockSums
from collapse_guard.statistics.decayed_ratios import DecayedRatios, decayed_ratios


def test_they_are_what_the_rows_say_and_share_what_the_start_has() -> None:
    random = np.random.default_rng(0)
    n, d = random.normal(-3, 1, (200, len(BANDS))), np.ones((200, len(BANDS)))
    n[:, 3] = np.exp(n[:, 3])
    sums = [DecayedRatios(len(BANDS), memory) for memory in (math.inf, math.inf)]
    blocks = [BlockSums(len(BANDS), math.inf, first=80, block=5) for _ in sums]
    for each in (sums[0], blocks[0]):
        each.add(n, d)
    for each in (sums[1], blocks[1]):
        each.add(n[:80], d[:80])
    now, start = (decayed_ratios(each.sums, each.weights) for each in sums)
    told = read_along(now, start, blocks[0].sums, blocks[1].sums)
    assert list(told) == [f"{name}_prequential" for name in READ_ALONG]
    mean, first = n.mean(0), n[:80].mean(0)
    expected = [
        math.exp(-mean[0]),
        *mean[1:],
        math.exp(mean[1] - first[1]),
        math.exp(mean[2] - first[2]),
        mean[2] - first[2] - (mean[1] - first[1]),
    ]
    assert [each.value for each in told.values()] == pytest.approx(expected)
    # The mean of all, less that of the first 80: those count 1/200 - 1/80 each, and not 1/80.
    tail = told["tail_retention_prequential"].influences
    weights = np.where(np.arange(200) < 80, 1 / 200 - 1 / 80, 1 / 200)
    moved = weights * (n[:, 1] - np.where(np.arange(200) < 80, 0, mean[1]))
    assert tail[16:40] == pytest.approx(moved[80:].reshape(24, 5).sum(1))
    by_hand = (n[:80, 1] - mean[1]) / 200 - (n[:80, 1] - first[1]) / 80
    assert tail[:16] == pytest.approx(by_hand.reshape(16, 5).sum(1))
