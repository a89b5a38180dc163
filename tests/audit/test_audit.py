import datasets
import numpy as np
import pytest

from collapse_guard import HeldOutPanel, HumanReference, Source
from collapse_guard.audit import audit_rows
from collapse_guard.errors import ArgumentError, TokenizerMismatchError
from tests.audit.texts import WORDS, as_text, random_rows
from tests.human_text.test_reference import word_tokenizer
from tests.tiny import VOCAB, tiny_panel

REFERENCE = HumanReference(np.where(np.arange(len(WORDS)) % 2, 100, 5))


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


def test_one_type_in_numpy_and_in_lists_is_no_difference() -> None:
    rows = [{"text": "a b c d e f", "score": 0.5, "input_ids": [1, 2]}]
    arrays = datasets.Dataset.from_list(rows).with_format("numpy")
    sources = [Source(rows, "human", "human"), Source(arrays, "web", "synthetic")]
    assert audit_rows(sources, near=None).differences == ()


@pytest.mark.parametrize("near", [0.49, 1.01, 80, True, "0.8"])
def test_a_similarity_that_cannot_work_is_refused(near: object) -> None:
    with pytest.raises(ArgumentError, match="`near` expected a Jaccard similarity"):
        audit_rows([Source(["a"], "x", "human")], near=near)
