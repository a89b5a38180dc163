import json
from itertools import islice
from typing import Any

import datasets
import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing.streaming.shard_chain import ShardChain, Sharded
from collapse_guard.statistics.json_forms import Part
from tests.mixing.sharded import Shards
from tests.mixing.streams import HUMAN, Rows


def hugging_face(**shuffle: Any) -> Any:
    stream = datasets.Dataset.from_dict({"n": list(range(20))}).to_iterable_dataset(num_shards=5)
    return stream.shuffle(**shuffle) if shuffle else stream


STREAMS = {
    "ours": lambda: Shards(HUMAN, 20, 5),
    "datasets": hugging_face,
    "shuffled": lambda: hugging_face(seed=3, buffer_size=3),
}


def test_what_is_in_shards() -> None:
    assert isinstance(hugging_face(), Sharded)
    assert isinstance(Shards(HUMAN, 9), Sharded)
    assert not isinstance(Rows(HUMAN, 9), Sharded)


def test_only_its_own_shards_are_read_and_in_order() -> None:
    stream = Shards(HUMAN, 20, 5)
    assert [number for _, number in ShardChain(stream, [3, 1])] == [3, 8, 13, 18, 1, 6, 11, 16]
    assert sorted(stream.read) == [1, 3, 6, 8, 11, 13, 16, 18]
    assert [row["n"] for row in ShardChain(hugging_face(), [4, 0])] == [16, 17, 18, 19, 0, 1, 2, 3]


@pytest.mark.parametrize("kind", STREAMS)
def test_it_is_taken_up_at_any_row(kind: str) -> None:
    whole = list(ShardChain(STREAMS[kind](), [3, 1, 4]))
    for shown in range(len(whole) + 1):
        reading = ShardChain(STREAMS[kind](), [3, 1, 4])
        assert list(islice(reading, shown)) == whole[:shown]
        state = json.loads(json.dumps(reading.state_dict()))
        resumed = ShardChain(STREAMS[kind](), [3, 1, 4])
        resumed.check_state(Part("state", state))
        resumed.load_state_dict(state)
        assert resumed.state_dict() == state
        assert list(resumed) == whole[shown:]


def test_shards_that_lie_before_are_not_read_again() -> None:
    stream = Shards(HUMAN, 20, 5)
    resumed = ShardChain(stream, [3, 1, 4])
    resumed.load_state_dict({"shard": 1, "row": 2, "stream": None})
    assert [number for _, number in resumed] == [11, 16, 4, 9, 14, 19]
    assert stream.read == [1, 6, 11, 16, 4, 9, 14, 19]


def test_each_shard_is_told_the_pass() -> None:
    chain = ShardChain(hugging_face(seed=3, buffer_size=4), [0, 1])
    first = list(chain)
    chain.set_epoch(1)
    assert list(chain) != first
    chain.set_epoch(0)
    assert list(chain) == first


@pytest.mark.parametrize(
    ("change", "path"),
    [({"shard": 3}, "shard"), ({"row": -1}, "row"), ({"stream": object()}, "stream")],
)
def test_what_it_cannot_have_said_is_refused(change: dict[str, Any], path: str) -> None:
    state = {"shard": 0, "row": 0, "stream": None, **change}
    with pytest.raises(ArgumentError, match=path):
        ShardChain(Shards(HUMAN, 20, 5), [3, 1, 4]).check_state(Part("state", state))
