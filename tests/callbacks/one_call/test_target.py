"""How long a run is, as far as anybody says."""

from types import SimpleNamespace

import pytest

from collapse_guard import MixGuard, MixStream, PackedMix
from collapse_guard.callbacks.one_call.sizes import Length
from collapse_guard.callbacks.one_call.target import mix_of, stated_length
from collapse_guard.integrations import as_hf_dataset
from tests.tiny import zipf_documents


@pytest.mark.parametrize(("steps", "tokens"), [(None, 8.0), (3, None), (None, None)])
def test_half_a_length_is_none(steps: int | None, tokens: float | None) -> None:
    assert stated_length(steps, tokens)(5.0) is None


def test_a_stated_length_is_kept() -> None:
    assert stated_length(3, 8.0)(5.0) == Length(3, 8.0)


def test_the_mix_is_found_in_what_is_made_of_it() -> None:
    rows = [{"input_ids": ids} for ids in zipf_documents(8, length=8)]
    mix = MixGuard(rows, rows, human_fraction=0.5, block_size=4)
    for training in (mix, PackedMix(mix, 16), as_hf_dataset(mix), as_hf_dataset(PackedMix(mix, 8))):
        assert mix_of(training) is mix
    stream = MixStream(rows, rows, human_fraction=0.5, block_size=4)
    assert mix_of(stream) is stream
    assert mix_of(rows) is mix_of(None) is mix_of(SimpleNamespace(guard=rows)) is None
