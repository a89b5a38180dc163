from collections import Counter

from tests.mixing.streams import HUMAN, SYNTHETIC, Rows, make_sources, make_stream


def test_passes_differ_and_each_shows_every_row_once() -> None:
    stream = make_stream(Rows(HUMAN, 14), Rows(SYNTHETIC, 14), max_repeats=3, human_fraction=0.5)
    human = [number for mark, number in stream if mark == HUMAN]
    passes = [human[start : start + 14] for start in range(0, 42, 14)]
    assert [sorted(shown) for shown in passes[:2]] == [list(range(14))] * 2
    assert len({tuple(shown) for shown in passes[:2]}) == 2
    assert max(Counter(human).values()) == 3


def test_each_pass_tells_the_stream_its_number() -> None:
    class Epochs(Rows):
        def set_epoch(self, epoch: int) -> None:
            self.mark = epoch

    rows = list(make_stream(Epochs(0, 10), Rows(9, 90), max_repeats=3))
    assert {mark for mark, _ in rows} == {0, 1, 2, 9}


def test_a_worker_s_pass_is_no_other_worker_s() -> None:
    human, synthetic = make_sources("datasets")
    mine, other = (make_stream(human, synthetic, length=16) for _ in range(2))
    reading = iter(mine)
    rows = [next(reading)]
    # Another reader of the same Hugging Face stream goes on to its next pass meanwhile.
    list(other)
    human.set_epoch(7)
    rows += list(reading)
    assert rows == list(make_stream(*make_sources("datasets"), length=16))
