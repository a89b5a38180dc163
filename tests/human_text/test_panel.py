import numpy as np
import pytest
import torch

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
