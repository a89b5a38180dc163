import json
import sys
import tracemalloc
from functools import cache
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from collapse_guard import HeldOutPanel, HumanReference, Source
from collapse_guard.audit import audit_rows
from collapse_guard.audit.report import AuditReport
from collapse_guard.errors import ArgumentError, TokenizerMismatchError
from tests.audit.texts import WORDS, as_text, changed, jaccard, random_rows
from tests.human_text.test_reference import word_tokenizer
from tests.tiny import VOCAB, tiny_panel, zipf_documents

REFERENCE = HumanReference(np.where(np.arange(len(WORDS)) % 2, 100, 5))


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


def test_only_identical_rows_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rensa", None)
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


def test_empty_rows_are_named_and_like_no_other() -> None:
    human = Source([{"input_ids": [1] * 9, "attention_mask": [0] * 9}], "human", "human")
    model = Source(
        [{"input_ids": [], "attention_mask": []}, {"input_ids": [3], "attention_mask": [1]}],
        "model",
        "synthetic",
    )
    report = audit_rows([human, model])
    assert {part.source: part.rows.tolist() for part in report.empty} == {
        "human": [0],
        "model": [0],
    }
    assert report.shared == ()
    texts = audit_rows([Source(["", " \n", "a", "."], "human", "human")])
    assert [part.rows.tolist() for part in texts.empty] == [[0, 1]]


def _panel_and_documents() -> tuple[HeldOutPanel, list[list[int]]]:
    documents = random_rows(12, seed=11, least=64, most=65)
    return HeldOutPanel.from_token_ids(documents, REFERENCE, window=32), documents


def test_rows_that_hold_held_out_text_are_named() -> None:
    panel, documents = _panel_and_documents()
    other = random_rows(30, seed=12)
    rows = [
        *other,
        documents[3],  # whole
        other[0] * 5 + documents[7] + other[1] * 5,  # within a longer row
        documents[9][10:40],  # a piece, across two windows
        other[2] + documents[9][:18],  # a short quotation
    ]
    report = audit_rows([Source(rows, "web", "synthetic")], panel=panel)
    (leaked,) = report.leaked
    assert leaked.rows.tolist() == [30, 31, 32]
    assert leaked.documents.tolist() == [3, 7, 9]
    assert (leaked.share >= 0.7).all()
    assert report.bad_rows("web").tolist() == [30, 31, 32]
    assert "web: 3 rows hold text of 3 held-out documents: 30, 31, 32" in str(report)


def test_a_prefix_of_the_panel_is_no_leak() -> None:
    documents = random_rows(8, seed=1, least=40, most=41)
    prefix = list(range(20))
    panel = HeldOutPanel.from_token_ids(documents, REFERENCE, window=40, prefix=prefix)
    report = audit_rows([Source([prefix], "web", "human")], panel=panel)
    assert report.leaked == ()


def test_held_out_text_among_texts_needs_the_tokenizer() -> None:
    tokenizer = word_tokenizer(*WORDS)
    texts = [as_text(row) for row in random_rows(12, seed=11, least=64, most=65)]
    vocab_size = len(tokenizer)
    reference = HumanReference(np.where(np.arange(vocab_size) % 2, 100, 5))
    panel = HeldOutPanel.from_texts(texts, tokenizer, reference, window=32)
    source = Source([texts[4], "w1 w2 w3"], "web", "synthetic")
    with pytest.raises(ArgumentError, match="`tokenizer` expected the tokenizer of the panel"):
        audit_rows([source], panel=panel)
    report = audit_rows([source], panel=panel, tokenizer=tokenizer)
    assert [leak.rows.tolist() for leak in report.leaked] == [[0]]
    with pytest.raises(TokenizerMismatchError):
        audit_rows([source], panel=panel, tokenizer=word_tokenizer("a"))


def test_token_ids_of_another_vocabulary_are_refused() -> None:
    with pytest.raises(TokenizerMismatchError):
        audit_rows([Source([[VOCAB]], "web", "human")], panel=tiny_panel())


def test_columns_that_differ_are_named() -> None:
    human = [{"text": "a", "label": 1, "url": None}]
    model = [{"text": "b", "label": "x", "url": "u"}, {"text": "c", "label": 2, "extra": 0.5}]
    report = audit_rows([Source(human, "human", "human"), Source(model, "model", "synthetic")])
    assert {d.column: dict(d.types) for d in report.differences} == {
        "extra": {"human": None, "model": "float"},
        "label": {"human": "int", "model": "int or str"},
    }
    assert "column 'extra' differs: missing in human, float in model" in str(report)


def test_declared_types_are_compared_where_all_declare_them() -> None:
    ids, narrow = (
        datasets.Dataset.from_dict(
            {"input_ids": [[1, 2]]},
            features=datasets.Features(input_ids=datasets.List(datasets.Value(width))),
        )
        for width in ("int64", "int32")
    )
    with_ids = [Source(ids, "human", "human"), Source(narrow, "model", "synthetic")]
    (difference,) = audit_rows(with_ids).differences
    assert "int64" in difference.types["human"]
    assert "int32" in difference.types["model"]
    listed = Source([{"input_ids": [1, 2]}], "model", "synthetic")
    assert audit_rows([with_ids[0], listed]).differences == ()


def test_nothing_found_is_said() -> None:
    human = Source(zipf_documents(5, seed=1), "human", "human")
    report = audit_rows([human, Source(zipf_documents(5, seed=2), "model", "synthetic")])
    assert report.is_clean
    assert str(report).startswith("10 rows checked: 5 of human, 5 of model\n")
    assert str(report).endswith("nothing found")
    assert report.bad_rows("human").tolist() == []
    with pytest.raises(KeyError):
        report.bad_rows("other")


def test_the_report_is_plain_json(tmp_path: Path) -> None:
    panel, documents = _panel_and_documents()
    sources = [
        Source([*documents[:2], []], "human", "human"),
        Source([documents[0], [], *([documents[1]] * 7)], "model", "synthetic"),
    ]
    report = audit_rows(sources, panel=panel)
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["num_rows"] == {"human": 3, "model": 9}
    assert plain["shared"][0]["rows"] == [0, *range(2, 9)]
    assert plain["shared"][0]["identical"] == [True] * 8
    assert plain["leaked"][1]["source"] == "model"
    assert plain["empty"][0] == {"source": "human", "rows": [2]}
    assert plain["is_clean"] is False
    shown = str(report)
    assert "model: 8 rows stand in human too, 8 identical and 0 nearly so: 0 like 0" in shown
    assert ", and 3 more" in shown
    assert isinstance(report, AuditReport)


@pytest.mark.parametrize(
    "sources",
    [
        [],
        [Source(["a"], "x", "human"), Source(["b"], "x", "synthetic")],
        [Source(["a"], "x", "human"), Source([[1]], "y", "synthetic")],
    ],
)
def test_sources_that_cannot_be_compared_are_refused(sources: list[Source]) -> None:
    with pytest.raises(ArgumentError):
        audit_rows(sources)


def test_global_random_state_is_left_alone() -> None:
    before = np.random.get_state()[1].copy()
    audit_rows([Source(random_rows(20, seed=0), "human", "human")])
    assert np.array_equal(np.random.get_state()[1], before)


class GeneratedRows:
    """Rows that are made as they are read, and stand nowhere."""

    def __init__(self, count: int, length: int, seed: int) -> None:
        self.count, self.length, self.seed = count, length, seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int, /) -> dict[str, np.ndarray]:
        generator = np.random.default_rng((self.seed, index))
        return {"input_ids": generator.integers(0, 30_000, self.length)}


def test_memory_does_not_grow_with_the_length_of_rows() -> None:
    """50 MB of tokens, of which a few MB are held at any time."""
    sources = [
        Source(GeneratedRows(500, 6_250, seed), f"source {seed}", kind)
        for seed, kind in enumerate(["human", "synthetic"])
    ]
    tracemalloc.start()
    try:
        report = audit_rows(sources)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.is_clean
    assert peak < 35e6


def test_one_type_in_numpy_and_in_lists_is_no_difference() -> None:
    rows = [{"text": "a b c d e f", "score": 0.5, "input_ids": [1, 2]}]
    arrays = datasets.Dataset.from_list(rows).with_format("numpy")
    sources = [Source(rows, "human", "human"), Source(arrays, "web", "synthetic")]
    assert audit_rows(sources, near=None).differences == ()
