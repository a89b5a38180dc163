"""A stream as a source: its passes, and that it goes on at the row where it was left."""

import json
import logging
import random
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from torch.utils.data import DataLoader

from collapse_guard import ArgumentError, MixStream
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


class InBatches(Rows):
    """Its own state says in which batch it stands, but not at which row of it."""

    size = 8

    def __init__(self, mark: int, count: int) -> None:
        super().__init__(mark, count)
        self.at = self.begin = 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        first, self.begin = self.begin, 0
        for number in range(first, self.count):
            self.at = number + 1
            self.read += 1
            yield self.mark, number

    def state_dict(self) -> dict[str, int]:
        return {"batch": self.at // self.size}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.begin = state["batch"] * self.size


def mixed(human: Any, **settings: Any) -> MixStream:
    return make_stream(human, Rows(SYNTHETIC, 90), human_fraction=0.5, length=80, **settings)


def state_after(stream: MixStream, shown: int) -> Any:
    list(islice(stream, shown))
    return json.loads(json.dumps(stream.state_dict()))


@pytest.mark.usefixtures("few_slots_at_a_time")
def test_it_goes_on_at_its_row_where_its_own_state_leads_to_the_first_of_a_batch(
    caplog: pytest.LogCaptureFixture,
) -> None:
    whole = list(mixed(InBatches(HUMAN, 60)))
    for shown in range(0, 80, 3):
        resumed = mixed(InBatches(HUMAN, 60))
        resumed.load_state_dict(state_after(mixed(InBatches(HUMAN, 60)), shown))
        if shown % 2:
            # Also from where that one stands after a few rows more, and right after the resume.
            state = state_after(resumed, 5)
            resumed = mixed(InBatches(HUMAN, 60))
            resumed.load_state_dict(state)
            assert resumed.state_dict() == state
            assert list(resumed) == whole[shown + 5 :]
        else:
            assert list(resumed) == whole[shown:]
    assert "source 'human' does not go on at the row" in caplog.text


@pytest.mark.usefixtures("few_slots_at_a_time")
@pytest.mark.parametrize("kind", [Rows, InBatches])
def test_a_stream_with_other_rows_is_not_gone_on_with(kind: type[Rows]) -> None:
    state = state_after(mixed(kind(HUMAN, 60)), 40)
    for other in (kind(7, 60), kind(HUMAN, 4)):
        resumed = mixed(other)
        resumed.load_state_dict(state)
        with pytest.raises(ArgumentError, match="whose source 'human' gave the same rows"):
            list(resumed)


@pytest.mark.usefixtures("few_slots_at_a_time")
def test_rows_that_chance_changes_are_gone_on_with_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Augmented(Rows):
        def __iter__(self) -> Iterator[Any]:
            return ((*row, chance.random()) for row in Rows(self.mark, self.count))

    chance = random.Random(3)
    whole = [row[:2] for row in mixed(Augmented(HUMAN, 60))]
    resumed = mixed(Augmented(HUMAN, 60))
    resumed.load_state_dict(state_after(mixed(Augmented(HUMAN, 60)), 40))
    assert [row[:2] for row in resumed] == whole[40:]
    assert "source 'human' gives other rows each time" in caplog.text


@pytest.mark.parametrize("num_workers", [0, 2])
def test_each_further_pass_is_told_once(
    num_workers: int, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    # Workers write into it as well.
    handler = logging.FileHandler(tmp_path / "log")
    logging.getLogger("collapse_guard").addHandler(handler)
    # Of seven rows a chunk, the first source has two and the second has a part of one at its end.
    for count, limit, told in ((14, 3, " of at most 3"), (9, None, "")):
        stream = make_stream(
            Rows(HUMAN, count), Rows(SYNTHETIC, 90), length=80, max_repeats=limit, batch_size=4
        )
        with caplog.at_level(logging.INFO, "collapse_guard"):
            list(DataLoader(stream, 4, num_workers=num_workers, collate_fn=list))
        again = f"source 'human' gave {count} rows and begins again"
        lines = [f"{again}: pass {number}{told}." for number in (2, 3)]
        handler.flush()
        seen = (tmp_path / "log").read_text()
        assert [seen.count(line) for line in lines] == [1, 1]
    logging.getLogger("collapse_guard").removeHandler(handler)
    handler.close()


def test_other_readers_are_silent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    stream = make_stream(Rows(HUMAN, 9), Rows(SYNTHETIC, 90), length=80, max_repeats=4)
    list(stream.shard(2, 1))
    assert caplog.text == ""
