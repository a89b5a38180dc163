"""A probe looks at a whole panel, at a part, and lets the model write, always in the same way."""

import numpy as np
import pytest

from collapse_guard import ArgumentError, Sampling
from collapse_guard.monitor.probe import Probe
from collapse_guard.readings.sampling import draw_samples
from tests.tiny import tiny_gpt2, tiny_panel

SAMPLING = Sampling(num_free=4, num_prompts=2, samples_per_prompt=2, prompt_length=4, length=8)


def probe(batch_size: int = 16, sampling: Sampling | None = None) -> Probe:
    return Probe(tiny_panel(), batch_size, sampling, across_processes=False)


def test_it_writes_once_a_look_and_only_where_it_may() -> None:
    model = tiny_gpt2()
    assert probe().writing(model) == {}
    write = probe(sampling=SAMPLING).writing(model)["write"]
    written = write()
    assert write() is written
    expected = draw_samples(model, tiny_panel(), SAMPLING)
    assert np.array_equal(written.free, expected.free)
    assert np.array_equal(written.prompted, expected.prompted)


@pytest.mark.parametrize("batch_size", [0, -1, 2.0])
def test_bad_batch_sizes_are_refused(batch_size: int) -> None:
    with pytest.raises(ArgumentError, match="`batch_size` expected at least 1 window"):
        probe(batch_size)
