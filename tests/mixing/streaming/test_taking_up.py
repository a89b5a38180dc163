import datasets

from collapse_guard.mixing.streaming.taking_up import can_be_taken_up, steps_of
from tests.mixing.streams import HUMAN, Rows


def test_a_shuffle_buffer_is_lost_and_files_are_not() -> None:
    stream = datasets.Dataset.from_dict({"n": [1, 2, 3, 4]}).to_iterable_dataset(num_shards=2)
    assert can_be_taken_up(stream)
    assert not can_be_taken_up(stream.shuffle(seed=1, buffer_size=2).map(lambda row: row))
    assert not can_be_taken_up(Rows(HUMAN, 3))


def test_steps_are_found_at_any_depth() -> None:
    stream = datasets.Dataset.from_dict({"n": [1, 2, 3, 4]}).to_iterable_dataset(num_shards=2)
    joined = datasets.concatenate_datasets([stream, stream.skip(1)]).map(lambda row: row)
    assert "SkipExamplesIterable" in steps_of(joined)
    assert "SkipExamplesIterable" not in steps_of(stream)
    assert steps_of(Rows(HUMAN, 3)) == set()
