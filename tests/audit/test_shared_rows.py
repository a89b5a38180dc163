from functools import cache
from typing import Any

import datasets
import numpy as np
import pytest

from collapse_guard import Source
from collapse_guard.audit import audit_rows
from tests.audit.texts import as_text, changed, jaccard, random_rows


def _rows(contents: list[Any], form: str) -> Any:
    """The same contents as a list or a data set, of token ids or of texts."""
    column = "text" if form.startswith("text") else "input_ids"
    made = [{column: as_text(c) if column == "text" else c} for c in contents]
    return datasets.Dataset.from_list(made) if form.endswith("dataset") else made


@cache
def _contents() -> dict[str, list[list[int]]]:
    """Two human and two synthetic sources; synthetic rows are copies, changed or not, or new."""
    generator = np.random.default_rng(5)
    contents = {"books": random_rows(120, seed=1), "wiki": random_rows(80, seed=2)}
    human = [row for rows in contents.values() for row in rows]
    for name, seed in (("web", 3), ("chat", 4)):
        rows = random_rows(150, seed=seed)
        for place in range(100):
            original = human[int(generator.integers(len(human)))]
            rows[place] = changed(original, place % 5, generator)
        rows.append(rows[0])
        contents[name] = rows
    return contents


@cache
def _similarities() -> dict[tuple[str, int], dict[tuple[str, int], float]]:
    """Of every synthetic row with every human row, compared as sets."""
    contents = _contents()
    return {
        (synthetic, row): {
            (human, other): jaccard(content, theirs)
            for human in ("books", "wiki")
            for other, theirs in enumerate(contents[human])
        }
        for synthetic in ("web", "chat")
        for row, content in enumerate(contents[synthetic])
    }


def _sources(form: str) -> list[Source]:
    contents = _contents()
    kinds = {"books": "human", "wiki": "human", "web": "synthetic", "chat": "synthetic"}
    return [Source(_rows(contents[name], form), name, kinds[name]) for name in contents]


@pytest.mark.parametrize("form", ["token list", "token dataset", "text list", "text dataset"])
def test_shared_rows_are_those_that_all_pairs_show(form: str) -> None:
    found = {
        (part.synthetic, row): (part.human, original, similarity, identical)
        for part in audit_rows(_sources(form), near=0.7).shared
        for row, original, similarity, identical in zip(
            part.rows.tolist(),
            part.originals.tolist(),
            part.similarity.tolist(),
            part.identical.tolist(),
            strict=True,
        )
    }
    contents = _contents()
    close = {row: like for row, like in _similarities().items() if max(like.values()) >= 0.7}
    assert found.keys() == close.keys()
    assert len(found) >= 80
    for (synthetic, row), (human, original, similarity, identical) in found.items():
        like = close[synthetic, row]
        assert similarity == max(like.values()) == like[human, original]
        assert identical == (contents[synthetic][row] == contents[human][original])


def test_only_identical_rows_where_near_ones_are_not_looked_for() -> None:
    contents = _contents()
    report = audit_rows(_sources("token list"), near=None)
    human = {tuple(row) for name in ("books", "wiki") for row in contents[name]}
    for part in report.shared:
        assert part.identical.all()
    rows = {part: report.bad_rows(part).tolist() for part in ("web", "chat")}
    assert rows == {
        name: [n for n, row in enumerate(contents[name]) if tuple(row) in human] for name in rows
    }
    assert "not looked for: rows that are nearly the same" in str(report)


def test_rows_that_differ_in_case_only_are_near_and_not_identical() -> None:
    text = "the quick brown fox jumps over the lazy dog"
    report = audit_rows(
        [Source([text], "human", "human"), Source([text.upper()], "model", "synthetic")]
    )
    (part,) = report.shared
    assert (part.similarity.tolist(), part.identical.tolist()) == ([1.0], [False])


def test_of_several_human_rows_the_most_alike_is_named() -> None:
    row = list(range(100))
    human = [row[:70] + [500] * 30, row[:95] + [500] * 5, row[:80] + [500] * 20, row[:95] + [7] * 5]
    report = audit_rows(
        [Source(human, "human", "human"), Source([row, row], "model", "synthetic")], near=0.5
    )
    (part,) = report.shared
    assert part.originals.tolist() == [1, 1]
    assert part.similarity.tolist() == [jaccard(row, human[1])] * 2


def test_short_rows_are_compared_whole() -> None:
    report = audit_rows(
        [Source(["a b", "c d"], "human", "human"), Source(["c d", "c e"], "model", "synthetic")]
    )
    assert [part.rows.tolist() for part in report.shared] == [[0]]
