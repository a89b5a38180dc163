import math

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from collapse_guard import ArgumentError, CollapseMonitor, HeldOutPanel, HumanReference
from collapse_guard.readings.frequency_bands import (
    band_nll,
    band_readings,
    band_retention,
    frequency_bands,
)
from collapse_guard.readings.panel_logprobs import panel_logprobs
from collapse_guard.readings.panel_sums import score_panel
from tests.looks import make_reading, take_baseline
from tests.tiny import BRIEF, VOCAB, perturb, tiny_gpt2, tiny_panel, tiny_reference, zipf_documents

counts_lists = st.lists(st.integers(0, 40), min_size=2, max_size=60).filter(any)


def some_logprobs(panel: HeldOutPanel, seed: int = 0) -> np.ndarray:
    return -np.random.default_rng(seed).exponential(size=int(panel.positions.sum()))


@given(counts=counts_lists, wanted=st.integers(1, 12))
@example(counts=[0, 5], wanted=3)
def test_bands_are_equal_up_to_ties(counts: list[int], wanted: int) -> None:
    reference = HumanReference(np.array(counts))
    bands = frequency_bands(reference, wanted)
    assert 1 <= len(bands) <= wanted
    total = sum(counts)
    per_count: dict[int, set[int]] = {}
    shares = [0] * len(bands)
    for count, band in zip(counts, bands.band_of_type.tolist(), strict=True):
        per_count.setdefault(count, set()).add(band)
        shares[band] += count
    # Ties never split, no band is empty, and none but the first holds a rarer type than the last.
    assert all(len(found) == 1 for found in per_count.values())
    assert all(share > 0 for share in shares)
    in_order = [per_count[count].pop() for count in sorted(per_count)]
    assert in_order == sorted(in_order)
    assert [share / total for share in shares] == pytest.approx(bands.token_share.tolist())
    largest = [
        max(c for c, b in zip(counts, bands.band_of_type, strict=True) if b == band)
        for band in range(len(bands))
    ]
    assert bands.max_count.tolist() == largest
    heaviest = max(count * counts.count(count) for count in counts)
    assert all(share <= total / wanted + heaviest + 1e-9 for share in shares)


def test_without_ties_every_band_gets_its_share() -> None:
    counts = np.array([*range(1, 401), 0, 0])
    bands = frequency_bands(HumanReference(counts), 8)
    assert len(bands) == 8
    np.testing.assert_allclose(bands.token_share, 1 / 8, atol=400 / counts.sum())
    assert bands.band_of_type[-2:].tolist() == [0, 0]


def test_one_band_is_all_positions() -> None:
    panel = tiny_panel()
    logprobs = some_logprobs(panel)
    (everything,) = band_nll(logprobs, panel, frequency_bands(panel.reference, 1))
    assert everything.value == pytest.approx(-logprobs.mean())


def test_nll_agrees_with_a_loop() -> None:
    panel = tiny_panel()
    logprobs = some_logprobs(panel)
    bands = frequency_bands(panel.reference, 5)
    assert len(bands) == 5
    sums = np.zeros((5, panel.num_documents))
    counts = np.zeros_like(sums)
    number = 0
    for window, ids in enumerate(panel.input_ids.tolist()):
        for column, token in enumerate(ids):
            if panel.positions[window, column]:
                cell = int(bands.band_of_type[token]), int(panel.document_ids[window])
                sums[cell] -= logprobs[number]
                counts[cell] += 1
                number += 1
    for band, found in enumerate(band_nll(logprobs, panel, bands)):
        mean = sums[band].sum() / counts[band].sum()
        residuals = sums[band] - mean * counts[band]
        documents = (counts[band] > 0).sum()
        variance = documents / (documents - 1) * (residuals**2).sum() / counts[band].sum() ** 2
        assert found.value == pytest.approx(mean)
        assert found.standard_error == pytest.approx(math.sqrt(variance))


def test_two_bands_cut_like_the_tail_read_like_it() -> None:
    """`tail_retention` is the retention of a band: one definition, two ways there."""
    panel = tiny_panel()
    start, model = tiny_gpt2(), tiny_gpt2()
    perturb(model, 0.05)
    reading = make_reading(
        panel, score_panel(model, panel), take_baseline(panel, score_panel(start, panel)), step=1
    )
    bands = frequency_bands(panel.reference, 12)
    # The tail of this reference is whole bands at this number.
    tail_bands = sorted(set(bands.band_of_type[panel.reference.tail_types].tolist()))
    assert tail_bands == [0]
    assert ((bands.band_of_type == 0) == panel.reference.tail_types).all()
    before, now = panel_logprobs(start, panel), panel_logprobs(model, panel)
    kept = band_retention(now, before, panel, bands)
    assert kept[0].value == pytest.approx(reading["tail_retention"], rel=1e-5)
    assert kept[0].standard_error == pytest.approx(
        reading.standard_errors["tail_retention"], rel=1e-4
    )


def test_a_band_without_positions_reads_nothing() -> None:
    reference = tiny_reference()
    rare = int(np.flatnonzero(reference.counts == 41)[0])
    documents = [[t for t in ids if t != rare] for ids in zipf_documents(6, seed=2)]
    panel = HeldOutPanel.from_token_ids(documents, reference, window=16)
    bands = frequency_bands(reference, 200)
    nll = band_nll(some_logprobs(panel), panel, bands)
    band = bands.band_of_type[rare]
    assert (bands.band_of_type == band).sum() == 1
    assert math.isnan(nll[band].value)
    assert math.isfinite(nll[-1].value)


def test_bad_arguments() -> None:
    panel = tiny_panel()
    with pytest.raises(ArgumentError, match="`bands`"):
        frequency_bands(panel.reference, 0)
    other = frequency_bands(HumanReference(np.arange(VOCAB + 1)), 3)
    with pytest.raises(ArgumentError, match=f"vocabulary of {VOCAB + 1} types"):
        band_nll(some_logprobs(panel), panel, other)
    with pytest.raises(ArgumentError, match="`logprobs`"):
        band_nll(np.zeros(2), panel, frequency_bands(panel.reference, 3))


def test_bands_can_be_watched() -> None:
    panel, model = tiny_panel(), tiny_gpt2()
    bands = frequency_bands(panel.reference, 4)
    monitor = CollapseMonitor(panel, readings=[..., *band_readings(bands)], sampling=BRIEF)
    monitor.start(model)
    start = panel_logprobs(model, panel)
    perturb(model, 0.1)
    look, now = monitor.look(model, 1), panel_logprobs(model, panel)
    for band, (nll, kept) in enumerate(
        zip(band_nll(now, panel, bands), band_retention(now, start, panel, bands), strict=True)
    ):
        assert look[f"nll_band_{band}"] == pytest.approx(nll.value, rel=1e-5)
        assert look[f"retention_band_{band}"] == pytest.approx(kept.value, rel=1e-5)
        error = look.standard_errors[f"retention_band_{band}"]
        assert error == pytest.approx(kept.standard_error, rel=1e-4)
