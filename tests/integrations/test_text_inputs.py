"""Tokenizers, models and references that come as objects, names or functions."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from collapse_guard import ArgumentError
from collapse_guard.integrations import evaluate_path
from collapse_guard.integrations.text_inputs import (
    as_model,
    as_reference,
    as_token_ids,
    as_tokenizer,
)
from tests.tiny import tiny_gpt2, tiny_reference


def make_tokenizer() -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordLevel({"?": 0, "a": 1, "b": 2, "<s>": 3}, unk_token="?"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="?", bos_token="<s>")


def ids_of(*arguments: object) -> list[list[int]]:
    return [ids.tolist() for ids in as_token_ids(*arguments)]


def test_a_tokenizer_adds_no_special_tokens_and_may_come_by_path(tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    assert ids_of(["a b a", "", "c"], tokenizer) == [[1, 2, 1], [], [0]]
    tokenizer.save_pretrained(tmp_path)
    assert ids_of(["a b a"], as_tokenizer(str(tmp_path))) == [[1, 2, 1]]
    assert as_tokenizer(tokenizer) is tokenizer


def test_special_tokens_written_in_a_text_are_no_part_of_it() -> None:
    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"eos_token": "<end>"})
    written = ["<s> a b <end>", "<end><end><end>", "a <end> b"]
    for each in (tokenizer, tokenizer.backend_tokenizer):
        assert ids_of(written, each) == [[1, 2], [], [1, 2]]
    with pytest.raises(ArgumentError, match="at least one text that is not empty"):
        as_token_ids(["<end>"] * 3, tokenizer)


def test_one_text_and_what_is_no_text() -> None:
    assert ids_of("to be", None) == [[0, 1]]
    for wrong in ([[1, 2]], [3]):
        for tokenizer in (None, make_tokenizer()):
            with pytest.raises(ArgumentError, match=r"`texts` expected texts, .*token_ids"):
                as_token_ids(wrong, tokenizer)  # type: ignore[arg-type]


def test_words_and_the_tokens_of_a_function_are_numbered_as_they_come() -> None:
    assert ids_of(["to be or", "not to be"], None) == [[0, 1, 2], [3, 0, 1]]
    assert ids_of(["abca"], list) == [[0, 1, 2, 0]]
    # Ids stay as they are.
    assert ids_of(["abca"], lambda text: [ord(letter) for letter in text]) == [[97, 98, 99, 97]]


@pytest.mark.parametrize("texts", [[], ["", "  "]])
def test_text_without_a_token_is_refused(texts: list[str]) -> None:
    with pytest.raises(ArgumentError, match="at least one text that is not empty"):
        as_token_ids(texts, None)


def test_a_model_may_come_by_path(tmp_path: Path) -> None:
    model = tiny_gpt2().eval()
    model.save_pretrained(tmp_path)
    ids = torch.tensor([[1, 2, 3]])
    assert torch.equal(as_model("model", tmp_path).eval()(ids).logits, model(ids).logits)
    assert as_model("model", model) is model
    with pytest.raises(ArgumentError, match="`start_model` expected a causal"):
        as_model("start_model", None)


def test_a_reference_may_come_by_path(tmp_path: Path) -> None:
    reference = tiny_reference()
    reference.save(tmp_path / "human.npz")
    assert as_reference(tmp_path / "human.npz").counts.tolist() == reference.counts.tolist()
    assert as_reference(reference) is reference
    for missing in (None, "nowhere.npz"):
        with pytest.raises(ArgumentError, match="`human_reference` expected a HumanReference"):
            as_reference(missing)


def test_paths_of_the_evaluate_modules() -> None:
    for name in ("collapse", "output_diversity", "tail_probability"):
        folder = Path(evaluate_path(name))
        assert folder.is_absolute()
        assert (folder / f"{name}.py").is_file()
        assert (folder / "README.md").is_file()
    with pytest.raises(ArgumentError, match=r"`name` expected one of .*output_div"):
        evaluate_path("plots")
