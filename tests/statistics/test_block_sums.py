"""Blocks against the documents themselves, and what a boundary makes of them."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from collapse_guard import ArgumentError
from collapse_guard.statistics.block_sums import FIRST, SLOTS, BlockSums, influences
from collapse_guard.statistics.confidence_sequence import half_width
from collapse_guard.statistics.decayed_ratios import DecayedRatios, decayed_ratios
from collapse_guard.statistics.estimates import Estimate
from collapse_guard.statistics.supremum_boundary import SupremumBoundary
from tests.sizes import sized

MEMORY, FIRST_DOCUMENTS, BLOCK = 64, 48, 4


def followed(
    n: np.ndarray, d: np.ndarray, *, batch: int, memory: float = MEMORY
) -> list[tuple[DecayedRatios, BlockSums]]:
    """A copy of both after each batch."""
    copies = []
    ratios = DecayedRatios(n.shape[1], memory)
    blocks = BlockSums(n.shape[1], memory, first=FIRST_DOCUMENTS, block=BLOCK)
    for begin in range(0, len(n), batch):
        here = slice(begin, begin + batch)
        ratios.add(n[here], d[here])
        blocks.add(n[here], d[here])
        mine = DecayedRatios(n.shape[1], memory)
        other = BlockSums(n.shape[1], 1.0, first=1, block=1)
        mine.load_state_dict(ratios.state_dict())
        other.load_state_dict(blocks.state_dict())
        copies.append((mine, other))
    return copies


@pytest.mark.parametrize("batch", [1, 7, 64, 1_000])
def test_batches_make_no_difference(batch: int) -> None:
    random = np.random.default_rng(0)
    n, d = random.normal(size=(1_000, 2)), random.uniform(1, 2, (1_000, 2))
    once = BlockSums(2, MEMORY, first=FIRST_DOCUMENTS, block=BLOCK)
    once.add(n, d)
    *_, (ratios, blocks) = followed(n, d, batch=batch)
    np.testing.assert_allclose(blocks.sums, once.sums, atol=1e-12)
    # What the ring has overwritten counts for nothing.
    told = decayed_ratios(ratios.sums, ratios.weights)
    np.testing.assert_allclose(np.abs(blocks.sums[:, 1]).sum(0), ratios.sums[1], rtol=2e-3)
    assert influences(blocks.sums, told).shape == (2, SLOTS)


def test_blocks_are_of_the_documents_that_they_say() -> None:
    n = np.arange(1.0, 1_001.0)[:, None]
    blocks = BlockSums(1, math.inf, first=FIRST_DOCUMENTS, block=BLOCK)
    blocks.add(n, np.ones_like(n))
    sums = np.abs(blocks.sums[:, :, 0])
    assert sums[:FIRST].tolist() == [[3.0 * (3 * k + 2), 3.0] for k in range(FIRST)]
    ring = [float(each) for each in sums[FIRST:, 0]]
    newest = n[-4 * (SLOTS - FIRST) :, 0].reshape(-1, 4).sum(1)
    assert sorted(ring) == sorted(newest.tolist())
    signs = np.sign(blocks.sums[FIRST:, 1, 0])
    assert 30 < (signs > 0).sum() < 82


def test_looks_are_as_alike_as_their_documents() -> None:
    random = np.random.default_rng(1)
    documents = sized(short=12_000, long=40_000)
    n, d = random.normal(size=(documents, 1)), np.ones((documents, 1))
    copies = followed(n, d, batch=16)[100:]
    told = [
        influences(blocks.sums, decayed_ratios(ratios.sums, ratios.weights))[0]
        for ratios, blocks in copies
    ]
    for apart in (1, 4, 8):
        alike = [
            left @ right / np.linalg.norm(left) / np.linalg.norm(right)
            for left, right in zip(told, told[apart:], strict=False)
        ]
        # Independent documents, of which exp(-16 apart / memory) of the weight is left.
        assert np.mean(alike) == pytest.approx(math.exp(-16 * apart / MEMORY), abs=0.03)
    # What stands where other documents stood is not taken for them.
    period = (SLOTS - FIRST) * BLOCK // 16
    again = [
        left @ right / np.linalg.norm(left) / np.linalg.norm(right)
        for left, right in zip(told, told[period:], strict=False)
    ]
    assert abs(np.mean(again)) < 0.05


def test_nothing_is_told_of_no_documents() -> None:
    blocks = BlockSums(2, MEMORY, first=4, block=1)
    ratios = DecayedRatios(2, MEMORY)
    assert not influences(blocks.sums, decayed_ratios(ratios.sums, ratios.weights)).any()


@pytest.mark.slow
def test_false_alarms_are_as_rare_as_stated_and_the_reach_is_shorter() -> None:
    alpha, runs, looks, batch = 0.05, sized(short=30, long=100), 80, 12
    crossed, reach = 0, []
    for seed in range(runs):
        random = np.random.default_rng(seed)
        n, d = random.normal(size=(looks * batch, 1)), random.uniform(1, 2, (looks * batch, 1))
        boundary, past = SupremumBoundary(alpha, seed=seed), False
        ratios = DecayedRatios(1, MEMORY)
        blocks = BlockSums(1, MEMORY, first=FIRST_DOCUMENTS, block=BLOCK)
        for begin in range(0, len(n), batch):
            here = slice(begin, begin + batch)
            ratios.add(n[here], d[here])
            blocks.add(n[here], d[here])
            (told,) = decayed_ratios(ratios.sums, ratios.weights)
            told = told._replace(influences=influences(blocks.sums, [told])[0])
            reach.append(boundary.next(told))
            past |= told.value > reach[-1] * told.standard_error
        crossed += past
    # A share of alpha is expected at most, and with the union bound far fewer; more, once in a
    # thousand times.
    assert crossed <= stats.binom.ppf(0.999, runs, alpha)
    union = half_width(1.0, 2.0 * MEMORY, alpha=alpha, look=looks)
    assert np.mean(reach[looks - 1 :: looks]) < 0.98 * union


@pytest.mark.parametrize("newer", [0, 1, 10, SLOTS - FIRST, 3 * SLOTS + 5])
def test_the_oldest_block_of_the_ring_makes_room(newer: int) -> None:
    kept = SLOTS - FIRST
    n = np.arange(1.0, FIRST_DOCUMENTS + BLOCK * (kept + newer) + 1)[:, None]
    blocks = BlockSums(1, math.inf, first=FIRST_DOCUMENTS, block=BLOCK)
    blocks.add(n, np.ones_like(n))
    # The first documents stay, and nothing has another sign before it takes a place.
    assert (blocks.sums[:FIRST] > 0).all()
    assert (blocks.sums[FIRST + newer :] > 0).all()
    newest = n[-BLOCK * kept :, 0].reshape(-1, BLOCK).sum(1)
    assert sorted(np.abs(blocks.sums[FIRST:, 0, 0]).tolist()) == newest.tolist()


def test_signs_of_what_overwrites_are_as_often_one_as_the_other() -> None:
    documents = BLOCK * 40 * SLOTS
    signs, ones = [], np.ones((BLOCK * (SLOTS - FIRST), 1))
    blocks = BlockSums(1, math.inf, first=1, block=BLOCK)
    blocks.add(np.ones((1, 1)), np.ones((1, 1)))
    for _ in range(documents // len(ones)):
        blocks.add(ones, ones)
        signs.append(np.sign(blocks.sums[FIRST:, 1, 0]))
    assert (signs[0] == 1).all()
    later = np.concatenate(signs[1:])
    # Of some 5,000, four standard errors.
    assert abs(later.mean()) < 4 / math.sqrt(len(later))


def test_what_a_block_contributes_is_how_far_its_documents_are_from_the_ratio() -> None:
    n, d = np.array([[6.0, 1.0], [0.0, 4.0]]), np.array([[2.0, 1.0], [1.0, 1.0]])
    sums = np.zeros((SLOTS, 2, 2))
    sums[3], sums[9] = np.stack([n[0], d[0]]), -np.stack([n[1], d[1]])
    ratios = [
        Estimate(each, math.nan, np.zeros(0), math.nan) for each in (n.sum(0) / d.sum(0)).tolist()
    ]
    told = influences(sums, ratios)
    # By hand: (6 - 2 * 2) / 3 and (0 - 2 * 1) / 3; then (1 - 2.5) / 2 and (4 - 2.5) / 2. A block
    # with another sign says the opposite.
    np.testing.assert_allclose(told[:, [3, 9]], [[2 / 3, 2 / 3], [-0.75, -0.75]])
    assert np.count_nonzero(told) == 4


def test_sums_without_documents_are_refused() -> None:
    blocks = BlockSums(1, MEMORY, first=4, block=1)
    state = json.loads(json.dumps(blocks.state_dict()))
    blocks.load_state_dict(state)
    state["sums"][5][1][0] = 0.5
    told = r"expected zeros where there is no document, but"
    with pytest.raises(ArgumentError, match=told):
        blocks.load_state_dict(state)
    assert not blocks.sums.any()
    blocks.load_state_dict({**state, "documents": 1})
    assert blocks.sums.sum() == 0.5
