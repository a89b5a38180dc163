import numpy as np
import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing.quotas.epoch_length import most_that_works
from tests.mixing.quotas.sources import guard, human, model, shown


class TestDry:
    def test_it_is_an_error_unless_told_otherwise(self) -> None:
        with pytest.raises(ArgumentError, match=r"`length` expected at most 264 slots.*50 rows in"):
            guard(human(), model(50), max_repeats=4)

    def test_stopping_makes_the_longest_epoch_that_works(self) -> None:
        stopping = guard(human(), model(50, when_dry="stop"), max_repeats=4, epochs=2)
        assert len(stopping) == 2 * 264
        assert shown(stopping) == {"wiki": 132, "model": 396}
        longest = guard(human(), model(50), max_repeats=4, length=264)
        assert longest.locate(range(264)).row.tolist() == stopping.locate(range(264)).row.tolist()

    def test_a_human_source_may_stop_the_stream_too(self) -> None:
        assert len(guard(human(20, when_dry="stop"), model(), max_repeats=4)) == 320

    def test_stopping_for_one_source_does_not_hide_another_that_must_not_be_dry(self) -> None:
        stopping = model(50, name="a", when_dry="stop")
        with pytest.raises(ArgumentError, match="the 1 rows in `wiki`"):
            guard(human(1), stopping, max_repeats=4)
        mixed = guard(human(40), stopping, max_repeats=4)
        assert len(mixed) == 264

    def test_no_epoch_at_all_is_an_error(self) -> None:
        with pytest.raises(ArgumentError, match="`length` expected at most 0 slots"):
            guard(human(), model(1, when_dry="stop"), max_repeats=4)

    def test_its_share_goes_to_human_rows_evenly(self) -> None:
        mixed = guard(human(), model(50, when_dry="human"), max_repeats=4)
        assert shown(mixed) == {"wiki": 600, "model": 200}
        located = mixed.locate(range(800))
        assert set(np.bincount(located.row[~located.is_human])) == {4}
        per_tenth = located.is_human.reshape(10, 80).sum(axis=1)
        assert per_tenth.max() - per_tenth.min() <= 2

    def test_only_what_it_lacks_is_handed_over(self) -> None:
        models = [model(50, name="a", when_dry="human"), model(name="b")]
        mixed = guard([human(), human(name="news", weight=3)], models, max_repeats=4)
        assert shown(mixed) == {"wiki": 75, "news": 225, "a": 200, "b": 300}

    def test_a_human_source_hands_over_to_the_other_human_ones(self) -> None:
        humans = [human(10, when_dry="human"), human(name="news"), human(name="web")]
        mixed = guard(humans, model(), max_repeats=4)
        assert shown(mixed) == {"wiki": 40, "news": 80, "web": 80, "model": 600}

    def test_human_rows_that_are_handed_too_many_are_dry_themselves(self) -> None:
        with pytest.raises(ArgumentError, match="the 100 rows in `wiki`"):
            guard(human(100), model(50, when_dry="human"), max_repeats=4)
        alone = human(100, when_dry="human")
        with pytest.raises(ArgumentError, match="the 100 rows in `wiki`"):
            guard(alone, model(50, when_dry="human"), max_repeats=4)

    def test_a_cap_on_human_rows_bounds_what_they_are_handed(self) -> None:
        capped = human(max_fraction=0.5)
        assert shown(guard(capped, model(100, when_dry="human")))["wiki"] == 400
        with pytest.raises(ArgumentError, match="the 90 rows in `model`"):
            guard(capped, model(90, when_dry="human"))

    def test_a_floor_that_the_rows_cannot_keep_is_an_error(self) -> None:
        models = [model(10, name="a", min_fraction=0.25, when_dry="human"), model(name="b")]
        with pytest.raises(ArgumentError, match="the 10 rows in `a`"):
            guard(human(), models, max_repeats=4)

    def test_human_rows_stand_by_where_the_floor_is_none(self) -> None:
        mixed = guard(human(), model(100, when_dry="human"), human_fraction=0, max_repeats=4)
        assert shown(mixed) == {"wiki": 400, "model": 400}


@pytest.mark.parametrize("most", [0, 1, 2, 7, 8])
def test_the_most_that_works_is_found_without_asking_past_it(most: int) -> None:
    for works in range(most + 2):
        asked: list[int] = []

        def fits(number: int, works: int = works, asked: list[int] = asked) -> bool:
            asked.append(number)
            return number <= works

        assert most_that_works(fits, most) == min(works, most)
        assert all(1 <= number <= most for number in asked)
