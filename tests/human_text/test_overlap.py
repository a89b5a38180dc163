import numpy as np
from hypothesis import given, strategies as st

from collapse_guard.human_text.overlap import Overlap, find_overlaps

small_documents = st.lists(
    st.lists(st.integers(0, 2), max_size=12).map(lambda ids: np.array(ids, dtype=np.int64)),
    max_size=6,
)


def naive(document: np.ndarray, corpus: list[np.ndarray], shingle: int) -> float:
    def shingles(ids: np.ndarray) -> set[tuple[int, ...]]:
        return {tuple(ids[i : i + shingle]) for i in range(len(ids) - shingle + 1)}

    own = shingles(document)
    seen = set().union(*map(shingles, corpus)) if corpus else set()
    return len(own & seen) / len(own) if own else 0.0


@given(small_documents, small_documents)
def test_share_matches_sets_of_shingles(
    documents: list[np.ndarray], corpus: list[np.ndarray]
) -> None:
    found = find_overlaps(documents, corpus, shingle=3)
    assert [overlap.share for overlap in found] == [naive(d, corpus, 3) for d in documents]


def test_names_the_document_that_holds_most() -> None:
    text = np.arange(100)
    corpus = [np.arange(200, 300), text[:20], text[20:]]
    assert find_overlaps([text], corpus, shingle=8)[0].source == 2
    assert find_overlaps([text + 500], corpus, shingle=8) == [Overlap(0.0, -1)]


def test_corpus_is_read_in_blocks(monkeypatch) -> None:
    monkeypatch.setattr("collapse_guard.human_text.documents._TOKENS_AT_A_TIME", 10)
    corpus = [np.arange(i * 100, i * 100 + 9) for i in range(20)]
    found = find_overlaps([corpus[13]], iter(corpus), shingle=8)
    assert found == [Overlap(1.0, 13)]


def test_a_document_cut_into_rows_is_found() -> None:
    text = np.random.default_rng(0).integers(0, 10_000, 1_000)
    rows = [text[start : start + 50] for start in range(0, 1_000, 50)]
    assert find_overlaps([text], rows, shingle=8)[0].share > 0.8
