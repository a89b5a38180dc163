"""A probe looks at models always in the same way."""

import pytest

from collapse_guard import ArgumentError, Sampling
from collapse_guard.monitor.probe import Probe
from collapse_guard.readings.sampling import A_LITTLE
from tests.extending.test_self_scoring_panel import rows_with_a_tail
from tests.tiny import tiny_panel


def probe(batch_size: int = 16) -> Probe:
    return Probe(tiny_panel(), batch_size, sampling=None, across_processes=False)


@pytest.mark.parametrize("batch_size", [0, -1, 2.0])
def test_bad_batch_sizes_are_refused(batch_size: int) -> None:
    with pytest.raises(ArgumentError, match="`batch_size` expected at least 1 window"):
        probe(batch_size)


def test_a_panel_that_scores_itself_has_nothing_written() -> None:
    panel = rows_with_a_tail()
    assert Probe(panel, 16, A_LITTLE, across_processes=False).sampling is None
    assert Probe(tiny_panel(), 16, A_LITTLE, across_processes=False).sampling is A_LITTLE
    with pytest.raises(ArgumentError, match="`sampling` expected None, since the panel scores"):
        Probe(panel, 16, Sampling(), across_processes=False)
