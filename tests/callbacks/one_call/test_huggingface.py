"""What is to be known of a Hugging Face Trainer."""

from pathlib import Path

import pytest

from collapse_guard.callbacks.one_call.huggingface import of_trainer
from tests.callbacks.huggingface.runs import make_trainer
from tests.callbacks.one_call.people import word_tokenizer


@pytest.mark.parametrize(
    ("arguments", "steps", "rows"),
    [
        ({}, 16, 4),
        ({"num_train_epochs": 0.5}, 4, 4),
        ({"gradient_accumulation_steps": 3}, 6, 12),
        ({"max_steps": 7}, 7, 4),
    ],
)
def test_its_length_is_that_of_its_schedule(
    tmp_path: Path, arguments: dict[str, float], steps: int, rows: int
) -> None:
    length = of_trainer(make_trainer(tmp_path, **arguments)).length(16.0)
    assert length is not None
    assert (length.steps, length.tokens_per_step) == (steps, rows * 16.0)


def test_a_stream_without_steps_has_none(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    trainer.train_dataset = iter(())
    assert of_trainer(trainer).length(16.0) is None


def test_of_a_processor_the_tokenizer_is_taken(tmp_path: Path) -> None:
    class Processor:
        tokenizer = word_tokenizer()

    trainer = make_trainer(tmp_path)
    trainer.processing_class = Processor()
    assert of_trainer(trainer).tokenizer is Processor.tokenizer


def test_what_it_trains_with_is_told_and_no_secret(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, learning_rate=0.25, seed=3, run_name="mine")
    trainer.args.hub_token = "hf_secret"
    settings = of_trainer(trainer).settings()
    assert settings["learning_rate"] == 0.25
    assert (settings["seed"], settings["trainer"]) == (3, "Trainer")
    assert settings["per_device_train_batch_size"] == trainer.args.per_device_train_batch_size
    text = f"{settings}"
    assert "hf_secret" not in text
    assert str(tmp_path) not in text
    assert "mine" not in text
