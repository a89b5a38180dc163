"""A probe looks at models always in the same way."""

import pytest

from collapse_guard import ArgumentError
from collapse_guard.monitor.probe import Probe
from tests.tiny import tiny_panel


def probe(batch_size: int = 16) -> Probe:
    return Probe(tiny_panel(), batch_size, sampling=None, across_processes=False)


@pytest.mark.parametrize("batch_size", [0, -1, 2.0])
def test_bad_batch_sizes_are_refused(batch_size: int) -> None:
    with pytest.raises(ArgumentError, match="`batch_size` expected at least 1 window"):
        probe(batch_size)
