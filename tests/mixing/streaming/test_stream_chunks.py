import numpy as np

from collapse_guard.mixing.streaming.stream_chunks import Chunk, Place, shuffled

KEY = np.array([7], dtype=np.uint64)


def test_an_order_follows_from_the_place_and_the_key() -> None:
    rows = list(range(20))
    first = shuffled(rows, Place(0, 0, None), KEY)
    assert sorted(first) == rows != first
    assert shuffled(rows, Place(0, 0, {"of the stream": 3}), KEY) == first
    others = [Place(1, 0, None), Place(0, 20, None)]
    assert all(shuffled(rows, place, KEY) != first for place in others)
    assert shuffled(rows, Place(0, 0, None), KEY + np.uint64(1)) != first


def test_a_chunk_ends_after_its_last_draw() -> None:
    assert Chunk(5, ["a", "b"], Place(0, 0, None), "").end == 7
