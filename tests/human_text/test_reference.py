import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from collapse_guard import ArgumentError, HumanReference, TokenizerMismatchError

documents_of_ids = st.lists(st.lists(st.integers(0, 9), max_size=20), max_size=20).filter(
    lambda documents: any(documents)
)


def word_tokenizer(*words: str) -> PreTrainedTokenizerFast:
    vocabulary = {word: index for index, word in enumerate(["[UNK]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")


def test_column_is_missing_or_no_token_ids() -> None:
    dataset = Dataset.from_dict({"text": ["a"]})
    with pytest.raises(ArgumentError, match=r"`column` expected one of .*\['text'\]"):
        HumanReference.from_dataset(dataset, vocab_size=3)
    with pytest.raises(ArgumentError, match="tokenize the text first"):
        HumanReference.from_dataset(dataset, "text", vocab_size=3)


@given(documents_of_ids)
def test_bands_partition_the_vocabulary(documents: list[list[int]]) -> None:
    reference = HumanReference.from_token_ids(documents, vocab_size=10)
    together = [reference.head_types, reference.torso_types, reference.tail_types]
    assert (np.sum(together, axis=0) == 1).all()
    assert reference.tail_types[reference.counts == 0].all()
    assert sum(reference.band_mass.values()) == pytest.approx(1)
    assert reference.band_mass["tail"] <= reference.tail_mass
    assert reference.band_mass["head"] >= 0.5


def test_self_information() -> None:
    reference = HumanReference.from_token_ids([[0, 0, 0, 1]], vocab_size=3, smoothing=0.5)
    expected = [-math.log2((count + 0.5) / (4 + 1.5)) for count in (3, 1, 0)]
    np.testing.assert_allclose(reference.self_information, expected)
    assert np.exp2(-reference.self_information).sum() == pytest.approx(1)


def test_entropy() -> None:
    reference = HumanReference.from_token_ids([[0, 1, 2, 2]], vocab_size=9)
    assert reference.entropy == pytest.approx(1.5)


def test_merge_counts_both() -> None:
    one = HumanReference.from_token_ids([[0, 1]], vocab_size=3)
    both = one.merge(HumanReference.from_token_ids([[1, 2]], vocab_size=3))
    assert both.counts.tolist() == [1, 2, 1]
    assert one.counts.tolist() == [1, 1, 0]


def test_merge_refuses_other_settings_and_vocabularies() -> None:
    one = HumanReference.from_token_ids([[0, 1]], vocab_size=3)
    with pytest.raises(
        TokenizerMismatchError, match=r"of 3 types, but the other reference .* of 4"
    ):
        one.merge(HumanReference.from_token_ids([[0, 1]], vocab_size=4))
    with pytest.raises(ArgumentError, match=r"tail_mass=0\.2"):
        one.merge(HumanReference.from_token_ids([[0, 1]], vocab_size=3, tail_mass=0.2))


def test_save_and_load(tmp_path: Path) -> None:
    tokenizer = word_tokenizer("a", "b")
    reference = HumanReference.from_token_ids(
        [[0, 1, 1]], vocab_size=3, tokenizer=tokenizer, tail_mass=0.2, smoothing=2.0
    )
    path = tmp_path / "deep" / "human.npz"
    reference.save(path)
    loaded = HumanReference.load(path, tokenizer=tokenizer)
    assert loaded.counts.tolist() == [1, 2, 0]
    assert (loaded.fingerprint, loaded.tail_mass, loaded.smoothing) == (
        reference.fingerprint,
        0.2,
        2.0,
    )
    assert os.listdir(path.parent) == ["human.npz"]


def test_load_refuses_what_save_did_not_write(tmp_path: Path) -> None:
    path = tmp_path / "human.npz"
    HumanReference.from_token_ids([[0, 1, 1]], vocab_size=3).save(path)
    good = path.read_bytes()
    spoilt = good.replace(good[60:64], b"####", 1)
    refused = f"written by HumanReference\\.save, but got '{tmp_path}.*build the reference again"
    for content in (b"", b"not an archive", json.dumps([1]).encode(), good[:-30], spoilt):
        path.write_bytes(content)
        with pytest.raises(ArgumentError, match=refused):
            HumanReference.load(path)
    settings = {"format": 2, "fingerprint": None, "tail_mass": 0.1, "smoothing": 1.0}
    for written, counts in (
        ([1], [1, 2]),
        ("text", [1, 2]),
        ({**settings, "format": 99}, [1, 2]),
        ({**settings, "panel": "0123456789abcdef"}, [1, 2]),
        (settings, [[1, 2]]),
        (settings, ["one", "two"]),
        (settings, []),
    ):
        np.savez(path, settings=json.dumps(written), counts=counts)
        with pytest.raises(ArgumentError, match=refused):
            HumanReference.load(path)
    np.savez(path, settings=json.dumps(settings))
    for each in (path, tmp_path):
        with pytest.raises(ArgumentError, match=refused):
            HumanReference.load(each)
    np.savez(path, settings=json.dumps(settings), counts=[1, 2])
    assert HumanReference.load(path).counts.tolist() == [1, 2]
    with pytest.raises(FileNotFoundError, match="missing"):
        HumanReference.load(tmp_path / "missing")


def test_another_tokenizer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "human.npz"
    tokenizer = word_tokenizer("a", "b")
    HumanReference.from_token_ids([[0, 1]], vocab_size=3, tokenizer=tokenizer).save(path)
    with pytest.raises(TokenizerMismatchError, match="rebuild the reference"):
        HumanReference.load(path, tokenizer=word_tokenizer("b", "a"))
    with pytest.raises(TokenizerMismatchError, match=r"of 3 types, but .* of 4 types"):
        HumanReference.load(path, tokenizer=word_tokenizer("a", "b", "c"))


def test_bad_arguments() -> None:
    with pytest.raises(ArgumentError, match="at least one token"):
        HumanReference.from_token_ids([], vocab_size=3)
    with pytest.raises(ArgumentError, match="`vocab_size`"):
        HumanReference.from_token_ids([[0]], vocab_size=0)
    with pytest.raises(ArgumentError, match="`smoothing`"):
        HumanReference.from_token_ids([[0]], vocab_size=3, smoothing=0)
    with pytest.raises(ArgumentError, match="tokenize the text first"):
        HumanReference.from_token_ids(["text"], vocab_size=3)
    with pytest.raises(ArgumentError, match="integer token ids"):
        HumanReference.from_token_ids([np.array([0.5])], vocab_size=3)
    for wrong in ("a text", Path("text.txt")):
        with pytest.raises(ArgumentError, match="`documents` expected a list of documents"):
            HumanReference.from_token_ids(wrong, vocab_size=3)  # type: ignore[arg-type]


def test_counts_are_read_only() -> None:
    reference = HumanReference.from_token_ids([[0]], vocab_size=2)
    with pytest.raises(ValueError, match="read-only"):
        reference.counts[0] = 5
