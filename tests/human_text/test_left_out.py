import json
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerFast

from collapse_guard import ArgumentError, HeldOutPanel, HumanReference
from collapse_guard.human_text.left_out import special_token_ids, without_padding
from tests.human_text.test_reference import word_tokenizer
from tests.tiny import VOCAB, zipf_documents

PAD, BEGIN, END, IMAGE = range(VOCAB + 1, VOCAB + 5)


def tokenizer() -> PreTrainedTokenizerFast:
    """Ids from 1 are words, and 0 is what is unknown."""
    made = word_tokenizer(*(f"w{i}" for i in range(1, VOCAB)), "unused")
    made.add_special_tokens(
        {
            "pad_token": "<pad>",
            "bos_token": "<begin>",
            "eos_token": "<end>",
            "extra_special_tokens": ["<image>"],
        }
    )
    return made


def texts(count: int = 40, seed: int = 1) -> list[list[int]]:
    """Of unlike lengths, so that they are padded by unlike amounts."""
    documents = zipf_documents(count, seed=seed)
    return [ids[: 60 + i % 30] for i, ids in enumerate(documents)]


def padded(rows: list[list[int]], side: str, length: int = 128) -> list[list[int]]:
    blanks = [[PAD] * (length - len(row)) for row in rows]
    return [b + r if side == "left" else r + b for b, r in zip(blanks, rows, strict=True)]


def dataset(rows: list[list[int]], *, mask: bool = True) -> Dataset:
    columns = {"input_ids": rows}
    if mask:
        columns["attention_mask"] = [[int(token != PAD) for token in row] for row in rows]
    return Dataset.from_dict(columns)


def assert_same(found: HumanReference, expected: HumanReference) -> None:
    assert found.counts.tolist() == expected.counts.tolist()
    assert found.cutoffs == expected.cutoffs
    for types in ("head_types", "torso_types", "tail_types"):
        assert getattr(found, types).tolist() == getattr(expected, types).tolist()
    assert found.entropy == expected.entropy
    assert found.self_information.tolist() == expected.self_information.tolist()


def test_what_a_tokenizer_calls_special() -> None:
    assert special_token_ids(tokenizer()) == {
        PAD: "padding",
        BEGIN: "special tokens",
        END: "special tokens",
        IMAGE: "special tokens",
    }
    raw = special_token_ids(tokenizer().backend_tokenizer)
    assert list(raw) == [PAD, BEGIN, END, IMAGE]
    unknown = word_tokenizer("a")
    assert special_token_ids(unknown) == {}
    unknown.pad_token = unknown.unk_token
    assert special_token_ids(unknown) == {0: "padding"}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("mask", [True, False], ids=["mask", "no mask"])
@pytest.mark.parametrize("stream", [False, True], ids=["data set", "stream"])
def test_padding_is_not_counted(side: str, mask: bool, stream: bool) -> None:
    settings = {"vocab_size": VOCAB + 5, "tokenizer": tokenizer()}
    expected = HumanReference.from_token_ids(texts(), **settings)
    assert expected.left_out == {}
    rows = padded(texts(), side)
    given = dataset(rows, mask=mask)
    found = HumanReference.from_dataset(
        given.to_iterable_dataset() if stream else given, **settings
    )
    assert_same(found, expected)
    number = sum(row.count(PAD) for row in rows)
    assert number > found.num_tokens / 2
    assert found.left_out == {"padding": number}
    assert_same(HumanReference.from_token_ids(rows, **settings), expected)


def test_a_mask_needs_no_tokenizer() -> None:
    expected = HumanReference.from_token_ids(texts(), vocab_size=VOCAB + 5)
    found = HumanReference.from_dataset(dataset(padded(texts(), "left")), vocab_size=VOCAB + 5)
    assert found.special_ids == (PAD,)
    assert found.counts.tolist() == expected.counts.tolist()
    assert not found.tail_types[PAD]
    assert expected.tail_types[PAD]
    # Padded with what stands in texts too: only what is masked out is left out.
    rows = [[token if token != PAD else 3 for token in row] for row in padded(texts(), "right")]
    mask = dataset(padded(texts(), "right"))["attention_mask"]
    both = Dataset.from_dict(
        {"input_ids": rows, "attention_mask": [[bool(m) for m in row] for row in mask]}
    )
    found = HumanReference.from_dataset(both, vocab_size=VOCAB + 5)
    assert found.special_ids == ()
    assert found.counts.tolist() == expected.counts.tolist()
    without = HumanReference.from_dataset(dataset(rows, mask=False), vocab_size=VOCAB + 5)
    assert without.counts[3] > found.counts[3]
    assert without.left_out == {}


def test_a_mask_of_other_lengths_is_refused() -> None:
    wrong = Dataset.from_dict({"input_ids": [[1, 2, 3]], "attention_mask": [[1, 1]]})
    with pytest.raises(ArgumentError, match="as many values of `attention_mask` as tokens"):
        HumanReference.from_dataset(wrong, vocab_size=VOCAB)


def test_special_tokens_belong_to_no_band_unless_asked_for() -> None:
    rows = [[BEGIN, *row[:30], IMAGE, *row[30:], END] for row in texts()]
    settings = {"vocab_size": VOCAB + 5, "tokenizer": tokenizer()}
    found = HumanReference.from_token_ids(rows, **settings)
    assert_same(found, HumanReference.from_token_ids(texts(), **settings))
    assert found.left_out == {"special tokens": 3 * len(rows)}
    special = [PAD, BEGIN, END, IMAGE]
    for types in (found.head_types, found.torso_types, found.tail_types):
        assert not types[special].any()
    assert found.self_information[special].tolist() == [0.0] * 4
    assert np.exp2(-found.self_information[~found.special_types]).sum() == pytest.approx(1)
    asked = HumanReference.from_token_ids(rows, **settings, special_tokens="count")
    plain = HumanReference.from_token_ids(rows, vocab_size=VOCAB + 5)
    assert_same(asked, plain)
    assert asked.counts[special].tolist() == [0, 40, 40, 40]
    assert (asked.special_ids, asked.left_out) == ((), {})
    with pytest.raises(ArgumentError, match="`special_tokens`"):
        HumanReference.from_token_ids(rows, **settings, special_tokens="drop")


def test_what_was_left_out_is_saved_and_merged(tmp_path: Path) -> None:
    settings = {"vocab_size": VOCAB + 5, "tokenizer": tokenizer()}
    rows = padded([[BEGIN, *row] for row in texts()], "right")
    reference = HumanReference.from_token_ids(rows, **settings)
    reference.save(tmp_path / "human.npz")
    loaded = HumanReference.load(tmp_path / "human.npz", tokenizer=tokenizer())
    assert_same(loaded, reference)
    assert loaded.special_ids == reference.special_ids == (PAD, BEGIN, END, IMAGE)
    assert loaded.left_out == reference.left_out
    both = loaded.merge(reference)
    assert both.left_out == {what: 2 * number for what, number in loaded.left_out.items()}
    assert both.counts.tolist() == (2 * loaded.counts).tolist()
    assert both.tail_types.tolist() == loaded.tail_types.tolist()
    counted = HumanReference.from_token_ids(rows, **settings, special_tokens="count")
    with pytest.raises(ArgumentError, match="same `special_tokens`"):
        reference.merge(counted)


def test_a_file_of_the_last_release_loads(tmp_path: Path) -> None:
    path = tmp_path / "human.npz"
    settings = {"format": 1, "fingerprint": None, "tail_mass": 0.2, "smoothing": 2.0}
    np.savez_compressed(path, counts=np.array([5, 3, 1]), settings=np.array(json.dumps(settings)))
    loaded = HumanReference.load(path)
    assert loaded.counts.tolist() == [5, 3, 1]
    assert (loaded.tail_mass, loaded.smoothing) == (0.2, 2.0)
    assert (loaded.special_ids, loaded.left_out) == ((), {})


def reference() -> HumanReference:
    return HumanReference.from_token_ids(texts(), vocab_size=VOCAB + 5, tokenizer=tokenizer())


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_panel_of_padded_rows_is_that_of_the_texts(side: str) -> None:
    held_out = texts(6, seed=2)
    expected = HeldOutPanel.from_token_ids(held_out, reference(), window=20)
    found = HeldOutPanel.from_token_ids(padded(held_out, side), reference(), window=20)
    assert found.fingerprint == expected.fingerprint
    assert found.positions.tolist() == expected.positions.tolist()
    with pytest.raises(Exception, match="2 of 6 held-out documents are shorter"):
        HeldOutPanel.from_token_ids(padded(held_out, side), reference(), window=62)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("kind", ["lists", "array", "tensor", "truth values"])
def test_masked_rows_are_their_texts_whatever_they_are_padded_with(side: str, kind: str) -> None:
    held_out = texts(6, seed=2)
    # The commonest word as padding, with one blank at least: nothing but the mask tells.
    rows = padded(held_out, side)
    mask = [[int(token != PAD) for token in row] for row in rows]
    rows = [[3 if token == PAD else token for token in row] for row in rows]
    as_given = {
        "lists": lambda given: given,
        "array": np.array,
        "tensor": torch.tensor,
        "truth values": lambda given: np.array(given, dtype=bool if given is mask else np.int64),
    }[kind]
    settings = {"vocab_size": VOCAB + 5, "tokenizer": tokenizer()}
    counted = HumanReference.from_token_ids(
        as_given(rows), attention_mask=as_given(mask), **settings
    )
    assert_same(counted, HumanReference.from_token_ids(held_out, **settings))
    assert counted.left_out == {"padding": sum(row.count(0) for row in mask)}
    assert (
        counted.left_out
        == HumanReference.from_dataset(
            Dataset.from_dict({"input_ids": rows, "attention_mask": mask}), **settings
        ).left_out
    )
    expected = HeldOutPanel.from_token_ids(held_out, reference(), window=20)
    found = HeldOutPanel.from_token_ids(
        as_given(rows), reference(), window=20, attention_mask=as_given(mask)
    )
    assert found.fingerprint == expected.fingerprint


@pytest.mark.parametrize("masks", [[[1, 1]], [[1, 1], [1]], [[1, 1], [1, 1], [1, 1]], [1, 1]])
def test_masks_that_do_not_fit_are_refused(masks: object) -> None:
    with pytest.raises(ArgumentError, match="`attention_mask` expected a mask for each document"):
        HeldOutPanel.from_token_ids(
            [[1, 2], [3, 4]],
            reference(),
            window=2,
            attention_mask=masks,  # type: ignore[arg-type]
        )


def test_special_tokens_are_context_and_not_looked_at() -> None:
    held_out = [[BEGIN, *row[:9], IMAGE, *row[9:18], END] for row in texts(6, seed=2)]
    panel = HeldOutPanel.from_token_ids(held_out, reference(), window=21)
    assert panel.input_ids.tolist() == held_out
    expected = [[token <= VOCAB and place > 0 for place, token in enumerate(r)] for r in held_out]
    assert panel.positions.tolist() == expected
    for band in (panel.tail_positions, panel.head_positions):
        assert not (band & ~panel.positions).any()
    counted = HumanReference.from_token_ids(
        texts(), vocab_size=VOCAB + 5, tokenizer=tokenizer(), special_tokens="count"
    )
    asked = HeldOutPanel.from_token_ids(held_out, counted, window=21)
    assert asked.positions[:, 1:].all()
    # A panel's name tells which of its positions are looked at.
    assert panel.fingerprint != asked.fingerprint


def test_a_window_of_markup_alone_is_left_out() -> None:
    held_out = [[*row[:10], *[IMAGE, END] * 5, *row[10:20]] for row in texts(6, seed=2)]
    panel = HeldOutPanel.from_token_ids(held_out, reference(), window=10)
    assert len(panel) == 12
    assert panel.document_ids.tolist() == [i for i in range(6) for _ in range(2)]


def test_a_single_special_token_at_an_end_is_no_padding() -> None:
    special = np.array([True, True, False])
    for given, expected in (
        ([0, 2, 1], [0, 2, 1]),
        ([0, 0, 2, 1, 1, 1], [2]),
        ([0, 0, 1, 2, 1, 0, 0], [1, 2, 1]),
        ([2, 2, 2], [2, 2, 2]),
        ([0, 0], []),
        ([], []),
    ):
        assert without_padding(np.array(given, np.int64), special).tolist() == expected
