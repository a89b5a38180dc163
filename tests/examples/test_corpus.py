"""Three parts that share no document, from wherever the text comes."""

from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.examples.recursive_finetune.corpus import (
    SHARES,
    load_corpus,
    split_by_group,
    split_in_order,
)

PARTS = list(SHARES)


def document(number: int) -> str:
    return f"Document {number} is made of words and long enough to be kept."


@given(
    st.dictionaries(
        st.text("abcdef", min_size=1, max_size=3),
        st.lists(st.text("xyz", min_size=1, max_size=20), min_size=1, max_size=4),
        max_size=12,
    )
)
def test_groups_stay_whole(groups: dict[str, list[str]]) -> None:
    tagged = {
        name: [f"{name} {n} {text}" for n, text in enumerate(texts)]
        for name, texts in groups.items()
    }
    parts = split_by_group(tagged)
    assert sorted(chain(*parts.values())) == sorted(chain(*tagged.values()))
    for part in parts.values():
        owners = {text.split()[0] for text in part}
        assert set(part) == {text for owner in owners for text in tagged[owner]}
    assert split_by_group(dict(reversed(tagged.items()))) == parts


def test_groups_are_dealt_by_size() -> None:
    parts = split_by_group({f"group {n}": ["x" * (n % 7 + 1)] for n in range(500)})
    sizes = {part: sum(map(len, texts)) for part, texts in parts.items()}
    for part, share in SHARES.items():
        assert sizes[part] / sum(sizes.values()) == pytest.approx(share, abs=0.01)


@given(st.integers(0, 200))
def test_stretches_follow_each_other(count: int) -> None:
    documents = [str(number) for number in range(count)]
    parts = split_in_order(documents, SHARES)
    assert [text for part in PARTS for text in parts[part]] == documents
    for part, share in SHARES.items():
        assert len(parts[part]) == pytest.approx(count * share, abs=1)


def test_a_text_file_is_cut_at_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "human.txt"
    texts = [document(number) for number in range(50)]
    path.write_text("\n\n".join([*texts, "Short.", texts[0]]), encoding="utf-8")
    corpus = load_corpus(str(path))
    assert corpus.name == "human.txt"
    assert [*corpus.pretraining, *corpus.training, *corpus.held_out] == texts
    assert corpus.held_out == tuple(texts[45:])


def test_splits_of_a_data_set_are_kept(tmp_path: Path) -> None:
    shared = document(0)
    train = [document(number) for number in range(10)]
    (tmp_path / "train.txt").write_text("\n".join([*train, "= Heading ="]), encoding="utf-8")
    (tmp_path / "test.txt").write_text("\n".join([shared, document(99)]), encoding="utf-8")
    corpus = load_corpus(str(tmp_path))
    assert [*corpus.pretraining, *corpus.training] == train
    # What stands in the training split cannot be held out.
    assert corpus.held_out == (document(99),)
    with pytest.raises(ArgumentError, match="--text-column"):
        load_corpus(str(tmp_path), column="content")


def test_a_file_without_documents_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "empty.txt"
    path.write_text("Short.\n\nShort, too.", encoding="utf-8")
    with pytest.raises(ArgumentError, match="blank lines between documents"):
        load_corpus(str(path))


def test_the_default_is_the_same_every_time() -> None:
    corpus = load_corpus(None)
    assert load_corpus(None) == corpus
    assert not set(corpus.held_out) & {*corpus.pretraining, *corpus.training}
    assert not set(corpus.pretraining) & set(corpus.training)
    characters = corpus.characters()
    for part, share in SHARES.items():
        assert characters[part] / sum(characters.values()) == pytest.approx(share, abs=0.01)
