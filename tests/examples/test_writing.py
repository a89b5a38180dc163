"""What a generation writes, and how sure it is of it."""

from typing import Any

import numpy as np
import pytest
import torch

from collapse_guard import sample
from collapse_guard.examples.recursive_finetune.processes import Processes
from collapse_guard.examples.recursive_finetune.settings import Settings
from collapse_guard.examples.recursive_finetune.writing import own_entropy, write_rows
from tests.tiny import VOCAB, tiny_gpt2


@pytest.mark.parametrize("given", [1, 4])
def test_the_entropy_of_own_rows_is_that_of_each_prediction(given: int) -> None:
    model = tiny_gpt2()
    rows = np.random.default_rng(0).integers(VOCAB, size=(5, 9))
    with torch.no_grad():
        logits = model.eval()(input_ids=torch.from_numpy(rows)).logits[:, given - 1 : -1].double()
    expected = torch.distributions.Categorical(logits=logits).entropy().mean().item()
    found = own_entropy(model, rows, Settings(panel_batch_size=2), given=given)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("width", [1, 5])
def test_rows_go_on_from_their_prompts(width: int) -> None:
    model, settings = tiny_gpt2(), small_settings(sampling_batch_size=3)
    prompts = np.random.default_rng(1).integers(VOCAB, size=(8, width))
    rows = write_rows(model, settings, Processes(cpu=True), prompts=prompts, seed=4)
    assert rows.shape == (8, 16)
    assert (rows[:, :width] == prompts).all()
    for number, row in enumerate(rows):
        alone = sample(
            model,
            num_sequences=1,
            first_sequence=number,
            length=16 - width,
            prompt_ids=torch.from_numpy(prompts[number]),
            decoding=settings.decoding,
            seed=4,
        )
        assert row[width:].tolist() == alone[0].tolist()


def small_settings(**changed: Any) -> Settings:
    return Settings(**({"window": 16, "rows": 8, "batch_size": 8, "temperature": 0.7} | changed))
