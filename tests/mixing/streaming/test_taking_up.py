import datasets

from collapse_guard.mixing.streaming.taking_up import can_be_taken_up
from tests.mixing.streams import HUMAN, Rows


def test_a_shuffle_buffer_is_lost_and_files_are_not() -> None:
    stream = datasets.Dataset.from_dict({"n": [1, 2, 3, 4]}).to_iterable_dataset(num_shards=2)
    assert can_be_taken_up(stream)
    assert not can_be_taken_up(stream.shuffle(seed=1, buffer_size=2).map(lambda row: row))
    assert not can_be_taken_up(Rows(HUMAN, 3))
