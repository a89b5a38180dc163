from collections import Counter

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.audit.comparison.runs import number_runs
from collapse_guard.human_text.token_rows import TokenRows

texts = st.lists(st.lists(st.integers(0, 3), max_size=6), max_size=5)


@given(texts, texts, st.integers(1, 4))
def test_runs_are_numbered_as_tuples_would_be(
    human: list[list[int]], synthetic: list[list[int]], length: int
) -> None:
    runs = number_runs(TokenRows.of(human), TokenRows.of(synthetic), length)[-1]
    names: dict[int, tuple[int, ...]] = {}
    for kinds, rows in ((runs.human, human), (runs.synthetic, synthetic)):
        place = 0
        for row in rows:
            for start in range(len(row)):
                run = tuple(row[start : start + length])
                if len(run) < length:
                    assert kinds[place] == -1
                else:
                    assert names.setdefault(int(kinds[place]), run) == run
                place += 1
        assert place == len(kinds)
    assert sorted(names) == list(range(runs.kinds))
    assert Counter(names.values()).total() == len(set(names.values()))


@pytest.mark.parametrize("length", [1, 2, 3])
def test_large_numbers_of_words_do_not_overflow(length: int) -> None:
    ids = np.random.default_rng(0).permutation(200_000)
    runs = number_runs(TokenRows.of([ids]), TokenRows.of([ids[::-1]]), length)[-1]
    assert runs.kinds == (200_000 if length == 1 else 2 * (200_000 - length + 1))
