from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from collapse_guard import (
    ArgumentError,
    HeldOutPanel,
    HumanReference,
    PanelError,
    TokenizerMismatchError,
)
from tests.human_text.test_reference import word_tokenizer
from tests.tiny import tiny_reference, zipf_documents


def test_windows_never_span_documents() -> None:
    documents = [[i] * 10 + [7] * 5 for i in range(1, 5)]
    reference = HumanReference.from_token_ids([[7] * 60, [1, 2, 3, 4]], vocab_size=9)
    panel = HeldOutPanel.from_token_ids(documents, reference, window=4)
    assert panel.input_ids.shape == (12, 4)
    assert panel.document_ids.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert panel.input_ids[2].tolist() == [1, 1, 7, 7]


def test_positions_are_those_of_the_bands() -> None:
    reference = tiny_reference()
    panel = HeldOutPanel.from_token_ids(zipf_documents(5, seed=3), reference, window=20)
    for band, types in (
        (panel.tail_positions, reference.tail_types),
        (panel.head_positions, reference.head_types),
    ):
        for row in range(len(panel)):
            for column in range(20):
                token = panel.input_ids[row, column]
                assert bool(band[row, column]) == (column > 0 and bool(types[token]))


def test_a_prefix_is_context_and_is_not_looked_at() -> None:
    reference = tiny_reference()
    documents = zipf_documents(3, length=10)
    panel = HeldOutPanel.from_token_ids(documents, reference, window=10, prefix=[49, 48])
    assert panel.input_ids.shape == (3, 12)
    assert panel.input_ids[1].tolist() == [49, 48, *documents[1]]
    assert panel.positions[0].tolist() == [False] * 2 + [True] * 10


def test_max_windows_spreads_over_documents() -> None:
    panel = HeldOutPanel.from_token_ids(
        zipf_documents(10, length=100), tiny_reference(), window=10, max_windows=10
    )
    assert len(panel) == 10
    assert panel.num_documents == 10


def test_short_documents() -> None:
    documents = [*zipf_documents(4, length=30), [1, 2, 3]]
    with pytest.raises(PanelError, match=r"1 of 5 .* window of 30 .* document 4 with 3"):
        HeldOutPanel.from_token_ids(documents, tiny_reference(), window=30)
    panel = HeldOutPanel.from_token_ids(documents, tiny_reference(), window=30, short="drop")
    assert panel.num_documents == 4


@pytest.mark.parametrize("how", ["whole", "nearly", "in rows"])
def test_documents_shared_with_the_training_text(how: str) -> None:
    held_out = zipf_documents(6, length=200, seed=5)
    leaked = list(held_out[4])
    if how == "nearly":
        leaked[100] = 49 - leaked[100]
    training = [leaked[i : i + 100] for i in (0, 100)] if how == "in rows" else [leaked]
    training = zipf_documents(8, length=200, seed=6) + training
    with pytest.raises(PanelError, match=r"1 of 6 held-out .* document 4, .* training document 8"):
        HeldOutPanel.from_token_ids(
            held_out, tiny_reference(), window=50, training_documents=training
        )


def test_unrelated_training_text_is_no_leak() -> None:
    panel = HeldOutPanel.from_token_ids(
        zipf_documents(6, length=200, seed=5),
        tiny_reference(),
        window=50,
        training_documents=iter(zipf_documents(50, length=200, seed=6)),
    )
    assert panel.num_documents == 6


def test_a_small_alphabet_shares_short_runs_and_is_no_leak() -> None:
    # Characters, as it were: runs of 8 tokens of 4 types all occur in the training text by chance.
    generator = np.random.default_rng(0)
    text = generator.choice(4, size=(10, 200), p=[0.4, 0.3, 0.25, 0.05])
    training = generator.choice(4, size=(20, 10_000), p=[0.4, 0.3, 0.25, 0.05])
    reference = HumanReference.from_token_ids(training, vocab_size=4)
    panel = HeldOutPanel.from_token_ids(text, reference, training_documents=training)
    assert panel.num_documents == 10


def test_no_tail_no_head_too_few_documents() -> None:
    reference = HumanReference.from_token_ids([[0] * 99, [1] * 60, [2]], vocab_size=4)
    with pytest.raises(PanelError, match="no position of the panel holds a tail token"):
        HeldOutPanel.from_token_ids([[0, 0, 0], [1, 1, 1]], reference, window=3)
    with pytest.raises(PanelError, match="no position of the panel holds a head token"):
        HeldOutPanel.from_token_ids([[2, 2, 2], [1, 2, 1]], reference, window=3)
    with pytest.raises(PanelError, match="fewer than 2 documents"):
        HeldOutPanel.from_token_ids([[0, 2, 0]], reference, window=3)


def test_from_texts_counts_the_same_as_token_ids() -> None:
    tokenizer = word_tokenizer("a", "b", "c")
    reference = HumanReference.from_token_ids(
        [[1] * 30, [2] * 20, [3]], vocab_size=4, tokenizer=tokenizer
    )
    panel = HeldOutPanel.from_texts(["a b c a", "a a b c"], tokenizer, reference, window=4)
    assert panel.input_ids.tolist() == [[1, 2, 3, 1], [1, 1, 2, 3]]
    with pytest.raises(PanelError, match="2 of 2 held-out documents stand in the training text"):
        HeldOutPanel.from_texts(
            ["a b c a", "a a b c"],
            tokenizer,
            reference,
            window=4,
            training_texts=["x a b c a x", "a a b c"],
        )
    with pytest.raises(TokenizerMismatchError):
        HeldOutPanel.from_texts(["a b"], word_tokenizer("b", "a", "c"), reference, window=2)


def test_bad_arguments() -> None:
    documents, reference = zipf_documents(3), tiny_reference()
    with pytest.raises(ArgumentError, match="`window`"):
        HeldOutPanel.from_token_ids(documents, reference, window=1)
    with pytest.raises(ArgumentError, match="`short`"):
        HeldOutPanel.from_token_ids(documents, reference, short="keep")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="`max_windows`"):
        HeldOutPanel.from_token_ids(documents, reference, max_windows=1)
    with pytest.raises(TokenizerMismatchError, match=r"token id 50 is not .*ids 0 to 49"):
        HeldOutPanel.from_token_ids([[50] * 200, [1] * 200], reference)
    with pytest.raises(ArgumentError, match="integer token ids"):
        HeldOutPanel.from_token_ids([np.array([0.5] * 200)], reference)


def test_fingerprint_names_the_content() -> None:
    def panel(seed: int, window: int) -> HeldOutPanel:
        return HeldOutPanel.from_token_ids(
            zipf_documents(5, seed=seed), tiny_reference(), window=window
        )

    assert panel(3, 20).fingerprint == panel(3, 20).fingerprint
    assert len({panel(3, 20).fingerprint, panel(4, 20).fingerprint, panel(3, 25).fingerprint}) == 3
    assert panel(3, 20).input_ids.dtype == torch.int64


def test_one_long_document_does_not_take_all_windows() -> None:
    documents = [*zipf_documents(1, length=5000), *zipf_documents(120, length=25, seed=3)]
    for most in (64, 121, 130):
        panel = HeldOutPanel.from_token_ids(
            documents, tiny_reference(), window=20, max_windows=most
        )
        assert len(panel) == most
        assert panel.num_documents == min(most, 121)
        # What is left over after one window of each document can only be of the long one.
        assert torch.bincount(panel.document_ids).max() == max(1, most - 120)


def test_max_windows_takes_the_first_windows_of_each_document() -> None:
    lengths = [90, 20, 50, 30]
    documents = [ids[:n] for ids, n in zip(zipf_documents(4), lengths, strict=True)]
    everything = HeldOutPanel.from_token_ids(documents, tiny_reference(), window=10)
    panel = HeldOutPanel.from_token_ids(documents, tiny_reference(), window=10, max_windows=9)
    kept = [0, 1, 9, 10, 11, 12, 16, 17]
    assert panel.document_ids.tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 3]
    assert torch.equal(panel.input_ids[[0, 1, 3, 4, 5, 6, 7, 8]], everything.input_ids[kept])
    enough = HeldOutPanel.from_token_ids(documents, tiny_reference(), window=10, max_windows=19)
    assert enough.fingerprint == everything.fingerprint


def test_a_panel_without_a_limit_is_what_it_was_in_the_last_release() -> None:
    panel = HeldOutPanel.from_token_ids(
        zipf_documents(5, seed=3), tiny_reference(), window=20, prefix=[4]
    )
    assert panel.fingerprint == "3fde3a8a03e5e47b"


def test_the_same_document_twice_counts_once(caplog: pytest.LogCaptureFixture) -> None:
    documents = zipf_documents(5, length=50)
    once = HeldOutPanel.from_token_ids(documents, tiny_reference(), window=20)
    assert not caplog.messages
    # The last differs from the first only in what is left over after its windows.
    twice = [*documents, documents[3], [*documents[0][:40], 1, 2, 3]]
    panel = HeldOutPanel.from_token_ids(twice, tiny_reference(), window=20)
    assert panel.fingerprint == once.fingerprint
    (message,) = caplog.messages
    assert message.startswith("2 of 7 held-out documents repeat another one (the first: document 5")
    with pytest.raises(PanelError, match="fewer than 2 documents"):
        HeldOutPanel.from_token_ids([documents[0]] * 8, tiny_reference(), window=20)


WORDS = ["caf\u00e9", "one", "two", "three", "four"]


def word_reference() -> tuple[PreTrainedTokenizerFast, HumanReference]:
    tokenizer = word_tokenizer(*WORDS)
    return tokenizer, HumanReference.from_token_ids(
        [[2] * 30, [3] * 20, [4] * 9, [1]], vocab_size=6, tokenizer=tokenizer
    )


def test_texts_that_differ_in_spaces_or_unicode_form_count_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tokenizer, reference = word_reference()
    texts = ["caf\u00e9 one two one", "one two three caf\u00e9", "cafe\u0301  one\ntwo\u00a0one"]
    panel = HeldOutPanel.from_texts(texts, tokenizer, reference, window=4)
    assert panel.num_documents == 2
    assert panel.input_ids.tolist() == [[1, 2, 3, 2], [2, 3, 4, 1]]
    assert "document 2 is document 0" in caplog.text


def test_text_equal_up_to_spaces_and_unicode_form_is_a_leak() -> None:
    tokenizer, reference = word_reference()
    for leaked in ("caf\u00e9 one two one", "cafe\u0301 one\n\ntwo  one"):
        with pytest.raises(PanelError, match=r"document 0, .* training document 1"):
            HeldOutPanel.from_texts(
                ["caf\u00e9 one two one", "one two three caf\u00e9"],
                tokenizer,
                reference,
                window=4,
                training_texts=["two two two two", leaked],
            )


@pytest.mark.parametrize("training", ["empty", "used up", "too short"])
def test_a_leak_check_against_nothing_is_refused(training: str) -> None:
    used_up = iter(zipf_documents(3))
    list(used_up)
    given = {"empty": [], "used up": used_up, "too short": [[1, 2], [3]]}[training]
    told = "2 documents of at most 2 tokens" if training == "too short" else "no token"
    with pytest.raises(ArgumentError, match=f"`training_documents` .*{told}.*read once is empty"):
        HeldOutPanel.from_token_ids(
            zipf_documents(5, seed=3), tiny_reference(), window=20, training_documents=given
        )
    if training == "too short":
        return
    tokenizer, reference = word_reference()
    with pytest.raises(ArgumentError, match=r"`training_texts` .*no token"):
        HeldOutPanel.from_texts(
            ["one two", "two caf\u00e9"], tokenizer, reference, window=2, training_texts=iter(())
        )


def test_what_is_no_list_of_texts_is_refused(tmp_path: Path) -> None:
    tokenizer, reference = word_reference()
    path = tmp_path / "held_out.txt"
    path.write_text("one two")
    good = ["one two", "two caf\u00e9"]
    for wrong in ("one two three", path, str(path), [path], [str(path)], {"text": good}, [[1, 2]]):
        for texts, training in ((wrong, None), (good, wrong)):
            with pytest.raises(ArgumentError, match=r"texts` expected a list of .*write \[text\]"):
                HeldOutPanel.from_texts(
                    texts, tokenizer, reference, window=2, training_texts=training
                )
    for wrong in ("one two three", path):
        with pytest.raises(ArgumentError, match=r"`documents` expected a list of documents"):
            HeldOutPanel.from_token_ids(wrong, reference)


def test_documents_of_one_label_are_one_document() -> None:
    documents, labels = zipf_documents(6, seed=3), ["b", "a", "b", "c", "a", "b"]
    alone = HeldOutPanel.from_token_ids(documents, tiny_reference(), window=20)
    panel = HeldOutPanel.from_token_ids(documents, tiny_reference(), window=20, groups=labels)
    assert panel.num_documents == 3
    assert panel.num_sources == alone.num_sources == alone.num_documents == 6
    assert panel.document_ids.tolist() == [0] * 15 + [1] * 10 + [2] * 5
    assert panel.source_ids is not None
    for window, source in zip(panel.input_ids, panel.source_ids, strict=True):
        assert (alone.input_ids[alone.document_ids == source] == window).all(1).any()
    assert [labels[source] for source in panel.source_ids] == ["b"] * 15 + ["a"] * 10 + ["c"] * 5
    assert panel.fingerprint != alone.fingerprint
    assert repr(alone).endswith("30 windows of 20 tokens, 6 documents>")
    assert repr(panel).endswith("30 windows of 20 tokens, 6 documents in 3 groups>")


def test_a_label_for_each_document_changes_nothing() -> None:
    documents, reference = zipf_documents(5, seed=3), tiny_reference()
    for most in (None, 12):
        alone, labelled = (
            HeldOutPanel.from_token_ids(
                documents, reference, window=20, max_windows=most, groups=labels
            )
            for labels in (None, ["e", "d", "c", "b", "a"])
        )
        assert alone.fingerprint == labelled.fingerprint


def test_max_windows_spreads_over_groups_and_their_documents() -> None:
    documents = zipf_documents(12, length=60)
    # One source of nine documents, and three of one.
    panel = HeldOutPanel.from_token_ids(
        documents, tiny_reference(), window=20, max_windows=9, groups=[0] * 9 + [1, 2, 3]
    )
    assert torch.bincount(panel.document_ids).tolist() == [3, 2, 2, 2]
    assert panel.source_ids is not None
    assert panel.source_ids.tolist() == [0, 1, 2, 9, 9, 10, 10, 11, 11]


def test_labels_of_documents_that_are_left_out_go_with_them() -> None:
    documents = [[1, 2], *zipf_documents(4, length=30), [3]]
    panel = HeldOutPanel.from_token_ids(
        documents, tiny_reference(), window=30, short="drop", groups=["x", "y", "z", "y", "z", "y"]
    )
    assert panel.document_ids.tolist() == [0, 0, 1, 1]
    assert panel.source_ids is not None
    assert panel.source_ids.tolist() == [1, 3, 2, 4]
    with pytest.raises(PanelError, match=r"fewer than 2 documents .*not of one group"):
        HeldOutPanel.from_token_ids(
            documents, tiny_reference(), window=30, short="drop", groups=["x", *"yyyy", "z"]
        )


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["a", "b"], "2 labels for 5 documents"),
        ("abcde", "'abcde'"),
        (["a", "b", None, "b", "a"], "None for document 2"),
        (["a", "b", ["c"], "b", "a"], r"\['c'\] for document 2"),
        (["a"] * 5, "'a' for all 5 documents"),
    ],
)
def test_bad_groups_are_refused_by_name(labels: list[str], told: str) -> None:
    with pytest.raises(ArgumentError, match=f"`groups` .*{told}"):
        HeldOutPanel.from_token_ids(zipf_documents(5), tiny_reference(), window=20, groups=labels)


def test_groups_of_texts() -> None:
    tokenizer, reference = word_reference()
    texts = ["caf\u00e9 one two one", "one two three caf\u00e9", "two two three one"]
    panel = HeldOutPanel.from_texts(
        iter(texts), tokenizer, reference, window=2, groups=iter(["x", "y", "x"])
    )
    assert panel.document_ids.tolist() == [0, 0, 0, 0, 1, 1]
    assert panel.input_ids[2].tolist() == [3, 3]
    with pytest.raises(ArgumentError, match=r"`groups` .*2 labels for 3 documents"):
        HeldOutPanel.from_texts(texts, tokenizer, reference, window=2, groups=["x", "y"])


def test_documents_that_are_nearly_the_same_are_one(caplog: pytest.LogCaptureFixture) -> None:
    documents = zipf_documents(5, length=200, seed=3)
    alone = HeldOutPanel.from_token_ids(documents, tiny_reference(), window=20)
    assert not caplog.messages
    edited = list(documents[1])
    edited[150] = 49 - edited[150]
    panel = HeldOutPanel.from_token_ids([*documents, edited], tiny_reference(), window=20)
    assert "2 of 6 held-out documents share most" in caplog.text
    assert "document 5 with document 1" in caplog.text
    assert (panel.num_documents, panel.num_sources) == (5, 6)
    assert torch.bincount(panel.document_ids).tolist() == [10, 20, 10, 10, 10]
    assert torch.equal(panel.input_ids[:20], alone.input_ids[:20])
    assert (torch.diff(panel.document_ids) >= 0).all()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda panel: {"input_ids": panel.input_ids[0]}, "`positions` expected bool of shape"),
        (lambda panel: {"positions": panel.positions[:, 1:]}, "`positions` expected bool of shape"),
        (lambda panel: {"positions": panel.positions.int()}, "`positions` expected bool of shape"),
        (
            lambda panel: {"document_ids": panel.document_ids[1:]},
            "`document_ids` expected a number",
        ),
        (
            lambda panel: {"document_ids": panel.document_ids - 1},
            "`document_ids` expected a number",
        ),
        (lambda panel: {"source_ids": panel.document_ids[1:]}, "`source_ids` expected a number"),
    ],
)
def test_parts_of_other_shapes_are_refused_by_name(
    change: Callable[[HeldOutPanel], dict[str, Any]], told: str
) -> None:
    panel = HeldOutPanel.from_token_ids(zipf_documents(5, seed=3), tiny_reference(), window=20)
    assert replace(panel).fingerprint == panel.fingerprint
    with pytest.raises(ArgumentError, match=told):
        replace(panel, **change(panel))


def test_a_panel_says_what_it_holds() -> None:
    reference, documents = tiny_reference(), zipf_documents(6, seed=3)
    panel = HeldOutPanel.from_token_ids(documents, reference, window=20)
    windows = len(panel)
    assert repr(panel) == (
        f"<HeldOutPanel {panel.fingerprint}: {windows} windows of 20 tokens, 6 documents>"
    )
    grouped = replace(panel, document_ids=panel.document_ids % 2, source_ids=panel.document_ids)
    assert repr(grouped).endswith("20 tokens, 6 documents in 2 groups>")
    counts = panel.position_counts
    assert counts["all"].tolist() == [19.0] * windows
    assert counts["tail"].tolist() == panel.tail_positions.sum(1).tolist()
    assert counts["head"].tolist() == panel.head_positions.sum(1).tolist()
