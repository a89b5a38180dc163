from types import SimpleNamespace

from collapse_guard import MixGuard, MixStream, PackedMix
from collapse_guard.integrations import as_hf_dataset
from collapse_guard.mixing.mix_of import mix_of
from tests.tiny import zipf_documents


def test_the_mix_is_found_in_what_is_made_of_it() -> None:
    rows = [{"input_ids": ids} for ids in zipf_documents(8, length=8)]
    mix = MixGuard(rows, rows, human_fraction=0.5, block_size=4)
    for training in (mix, PackedMix(mix, 16), as_hf_dataset(mix), as_hf_dataset(PackedMix(mix, 8))):
        assert mix_of(training) is mix
    stream = MixStream(rows, rows, human_fraction=0.5, block_size=4)
    assert mix_of(stream) is stream
    assert mix_of(rows) is mix_of(None) is mix_of(SimpleNamespace(guard=rows)) is None
