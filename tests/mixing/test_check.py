"""`MixGuard.check` looks at the sources that the guard shows."""

import datasets
import pytest

from collapse_guard import HeldOutPanel, HumanReference, MixGuard, Source
from collapse_guard.audit import AuditReport
from collapse_guard.errors import ArgumentError
from tests.tiny import zipf_documents


def _rows(contents: list[list[int]], *, arrow: bool) -> object:
    rows = [{"input_ids": ids, "labels": ids} for ids in contents]
    return datasets.Dataset.from_list(rows) if arrow else rows


@pytest.mark.parametrize("arrow", [False, True])
def test_all_sources_are_looked_at_by_name(arrow: bool) -> None:
    human, model, other = (zipf_documents(20, length=30, seed=seed) for seed in (1, 2, 3))
    nearly = [*human[4][:-1], 49]
    guard = MixGuard(
        Source(_rows(human, arrow=arrow), "books", "human"),
        [
            Source(_rows([*model, human[3]], arrow=arrow), "first", "synthetic"),
            Source(_rows([nearly, *other, []], arrow=arrow), "second", "synthetic"),
        ],
        human_fraction=0.5,
        block_size=4,
    )
    report = guard.check()
    assert isinstance(report, AuditReport)
    assert dict(report.num_rows) == {"books": 20, "first": 21, "second": 22}
    assert [(part.synthetic, part.rows.tolist()) for part in report.shared] == [
        ("first", [20]),
        ("second", [0]),
    ]
    assert [part.originals.tolist() for part in report.shared] == [[3], [4]]
    assert report.bad_rows("second").tolist() == [0, 21]
    assert guard.check(near=None).bad_rows("second").tolist() == [21]


def test_held_out_text_in_any_source_is_found() -> None:
    held_out = zipf_documents(6, length=64, seed=9)
    reference = HumanReference.from_token_ids(zipf_documents(40, seed=1), vocab_size=50)
    panel = HeldOutPanel.from_token_ids(held_out, reference, window=64)
    human = zipf_documents(10, length=64, seed=1)
    guard = MixGuard(
        [*human, held_out[2]], [*zipf_documents(10, length=64, seed=2), held_out[5]],
        human_fraction=0.5, block_size=2,
    )  # fmt: skip
    report = guard.check(panel=panel)
    assert [(leak.source, leak.rows.tolist()) for leak in report.leaked] == [
        ("human", [10]),
        ("synthetic", [10]),
    ]


def test_an_unknown_column_is_refused() -> None:
    rows = [{"input_ids": [1]}, {"input_ids": [2]}]
    guard = MixGuard(rows, rows, human_fraction=0.5, block_size=2)
    with pytest.raises(ArgumentError, match=r"one of the columns \['input_ids'\]"):
        guard.check(column="tokens")


def test_checking_leaves_the_stream_as_it_is() -> None:
    rows = [{"input_ids": ids} for ids in zipf_documents(20, seed=3)]
    guard = MixGuard(rows, rows, human_fraction=0.5, block_size=4)
    first = guard.__getitems__([0, 1, 2, 3])
    guard.check()
    fresh = MixGuard(rows, rows, human_fraction=0.5, block_size=4)
    assert first == fresh.__getitems__([0, 1, 2, 3])
    assert guard.__getitems__([4, 5, 6, 7]) == fresh.__getitems__([4, 5, 6, 7])
