"""What a Trainer is refused for, and what its collator is asked."""

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import pytest
import torch
from transformers import DataCollatorForLanguageModeling, Trainer, default_data_collator

from collapse_guard import ArgumentError, Decoding, MixCollator, MixStream, Source
from collapse_guard.integrations.matching.trainers import (
    check_collator,
    check_evaluation,
    check_settings,
)
from collapse_guard.random_states import random_states
from tests.integrations.matching.runs import make_trainer, ragged_rows, tiny_tokenizer
from tests.tiny import tiny_llama

ROWS = ragged_rows()


def trainer(folder: Path, **arguments: Any) -> Trainer:
    return make_trainer(folder, tiny_llama(), ROWS, **arguments)


def test_a_plain_trainer_is_fine(tmp_path: Path) -> None:
    check_settings(trainer(tmp_path, bf16=True, activation_checkpointing=True))


def test_smoothed_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"trainer\.label_smoothing_factor.*got 0\.1"):
        check_settings(trainer(tmp_path, label_smoothing_factor=0.1))


def test_a_loss_outside_of_the_model_is_refused(tmp_path: Path) -> None:
    other = trainer(tmp_path)
    other.compute_loss_func = lambda outputs, labels, **arguments: outputs.logits.sum()
    with pytest.raises(ArgumentError, match=r"compute_loss_func.*got <function.*SamplerMatched"):
        check_settings(other)


def test_ligers_fused_loss_is_refused_and_its_other_kernels_are_not(tmp_path: Path) -> None:
    other = trainer(tmp_path)
    other.args.use_liger_kernel = True
    with pytest.raises(ArgumentError, match=r"use_liger_kernel.*fused_linear_cross_entropy"):
        check_settings(other)
    other.args.liger_kernel_config = {"fused_linear_cross_entropy": False}
    check_settings(other)


def test_a_trainer_that_makes_its_model_later_is_refused(tmp_path: Path) -> None:
    args = trainer(tmp_path).args
    with pytest.raises(ArgumentError, match=r"model_init.*give the Trainer the model itself"):
        check_settings(Trainer(model_init=lambda: tiny_llama(), args=args))


def test_another_kind_of_loss_is_refused(tmp_path: Path) -> None:
    other = trainer(tmp_path)
    other.args.loss_type = "dft"
    with pytest.raises(ArgumentError, match=r"trainer\.loss_type.*got 'dft'"):
        check_settings(other)


def checked(collator: Any, rows: Any, *, folder: Path, **arguments: Any) -> None:
    other = trainer(folder, data_collator=collator, **arguments)
    other.train_dataset = rows
    check_collator(other)


def unmarked_then(*marked: Any, count: int = 500) -> list[Any]:
    return [*ragged_rows(count, marked=False), *marked]


def test_a_collator_that_makes_labels_anew_is_refused(tmp_path: Path) -> None:
    anew = DataCollatorForLanguageModeling(tiny_tokenizer(), mlm=False)
    message = r"data_collator.*got 'DataCollatorForLanguageModeling'.*DataCollatorForSeq2Seq"
    for rows in (ROWS, datasets.Dataset.from_list(ROWS), unmarked_then(ROWS[1], count=30)):
        with pytest.raises(ArgumentError, match=message):
            checked(anew, rows, folder=tmp_path)
    # Nothing to lose, as far as can be seen.
    checked(anew, unmarked_then(), folder=tmp_path)


@pytest.mark.parametrize("collator", [MixCollator(), default_data_collator], ids=["ours", "plain"])
def test_collators_that_keep_labels_are_fine(tmp_path: Path, collator: Any) -> None:
    # With a column that the Trainer drops, and that could not be collated.
    rows = [{**row, "title": "a row"} for row in ROWS]
    checked(collator, rows, folder=tmp_path)
    checked(collator, datasets.Dataset.from_list(rows), folder=tmp_path)


def test_the_collator_of_padded_rows_is_fine(tmp_path: Path) -> None:
    check_collator(trainer(tmp_path))


@pytest.mark.parametrize("batch", [{"input_ids": torch.zeros(1, 2)}, torch.zeros(1, 2)])
def test_a_collator_without_labels_is_refused(tmp_path: Path, batch: Any) -> None:
    with pytest.raises(ArgumentError, match="got 'function'"):
        checked(lambda rows: batch, ROWS, folder=tmp_path)


def test_random_states_are_left_alone(tmp_path: Path) -> None:
    def drawn(rows: list[Any]) -> Any:
        random.random()
        torch.rand(1)
        return MixCollator()(rows)

    class Rows(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(ROWS)

        def __getitem__(self, number: int) -> Any:
            assert isinstance(number, int)
            torch.rand(1)
            return ROWS[number]

        def __getitems__(self, numbers: list[int]) -> Any:
            raise AssertionError("an order that is watched over")

    other = trainer(tmp_path, data_collator=drawn)
    other.train_dataset = Rows()
    states = random_states()
    check_collator(other)
    assert random_states() == states


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self) -> Any:
        raise AssertionError("a stream that is read once")

    def __len__(self) -> int:
        return 8


@pytest.mark.parametrize(
    "rows",
    [None, [], Stream(), datasets.Dataset.from_list(ROWS).to_iterable_dataset(), ["text"] * 3],
    ids=["none", "empty", "stream", "stream of datasets", "texts"],
)
def test_what_shows_no_marked_row_is_left_to_the_training(tmp_path: Path, rows: Any) -> None:
    checked(lambda rows: SimpleNamespace(), rows, folder=tmp_path)


def marked_stream() -> MixStream:
    human = [{"input_ids": [1, n, 3]} for n in range(8)]
    written = Source(
        [{"input_ids": [2, n, 3]} for n in range(8)],
        "written",
        "synthetic",
        decoding=Decoding(temperature=0.8),
    )
    return MixStream(human, written, human_fraction=0.5, block_size=2)


def test_a_stream_s_collator_is_asked_too(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    arguments = {"folder": tmp_path, "max_steps": 1}
    forgetful = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    with pytest.raises(ArgumentError, match=r"trainer\.data_collator"):
        checked(forgetful, marked_stream(), **arguments)
    checked(MixCollator(), marked_stream(), **arguments)


def test_rows_to_evaluate_on_that_another_mix_has_marked_are_refused(tmp_path: Path) -> None:
    """Their marks would be read as those of the training rows: a wrong loss without a word."""
    other, mix, another = trainer(tmp_path), marked_stream(), marked_stream()
    for fine in (None, ROWS, mix, {"human": ROWS}):
        other.eval_dataset = fine
        check_evaluation(other, mix)
    for wrong in (another, {"human": ROWS, "mixed": another}):
        other.eval_dataset = wrong
        with pytest.raises(ArgumentError, match=r"trainer\.eval_dataset"):
            check_evaluation(other, mix)
