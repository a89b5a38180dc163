import datasets

from collapse_guard.rows.stream_steps import names_of_steps, steps_of
from tests.mixing.streams import HUMAN, Rows


def test_steps_are_found_at_any_depth() -> None:
    stream = datasets.Dataset.from_dict({"n": [1, 2, 3, 4]}).to_iterable_dataset(num_shards=2)
    joined = datasets.concatenate_datasets([stream, stream.skip(1)]).map(lambda row: row)
    assert "SkipExamplesIterable" in names_of_steps(joined)
    assert "SkipExamplesIterable" not in names_of_steps(stream)
    assert names_of_steps(Rows(HUMAN, 3)) == set()


def test_a_step_that_is_made_of_itself_comes_once() -> None:
    class Around:
        @property
        def ex_iterable(self) -> "Around":
            return self

        _ex_iterable = ex_iterable

    around = Around()
    assert list(steps_of(around)) == [around]
