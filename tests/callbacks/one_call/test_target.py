"""How long a run is, as far as anybody says."""

import pytest

from collapse_guard.callbacks.one_call.sizes import Length
from collapse_guard.callbacks.one_call.target import stated_length


@pytest.mark.parametrize(("steps", "tokens"), [(None, 8.0), (3, None), (None, None)])
def test_half_a_length_is_none(steps: int | None, tokens: float | None) -> None:
    assert stated_length(steps, tokens)(5.0) is None


def test_a_stated_length_is_kept() -> None:
    assert stated_length(3, 8.0)(5.0) == Length(3, 8.0)
