from typing import Any

import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing import MixGuard


@pytest.mark.parametrize(
    ("human", "synthetic", "fraction", "message"),
    [
        (None, [1], 0.5, "`human` expected rows"),
        ([], [1], 0.5, "`human` expected from 1 to"),
        ([1], None, 0.5, "`synthetic` expected rows"),
        ([1], [], 0.99, "`synthetic` expected from 1 to"),
        ([{"a": 1}], [{"b": 1}], 0.5, r"only human rows have \['a'\]"),
    ],
)
def test_sources_that_do_not_fit_are_refused(
    human: Any, synthetic: Any, fraction: float, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        MixGuard(human, synthetic, human_fraction=fraction, block_size=2)
