"""What a generation writes, and how sure it is of it."""

import numpy as np
import pytest
import torch

from collapse_guard.examples.recursive_finetune.settings import Settings
from collapse_guard.examples.recursive_finetune.writing import own_entropy
from tests.tiny import VOCAB, tiny_gpt2


def test_the_entropy_of_own_rows_is_that_of_each_prediction() -> None:
    model = tiny_gpt2()
    rows = np.random.default_rng(0).integers(VOCAB, size=(5, 9))
    with torch.no_grad():
        logits = model.eval()(input_ids=torch.from_numpy(rows)).logits[:, :-1].double()
    expected = torch.distributions.Categorical(logits=logits).entropy().mean().item()
    found = own_entropy(model, rows, Settings(panel_batch_size=2))
    assert found == pytest.approx(expected, rel=1e-5)
