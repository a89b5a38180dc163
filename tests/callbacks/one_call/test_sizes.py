"""How much is looked at follows from what a run can pay for."""

import pytest
import torch

from collapse_guard import Sampling
from collapse_guard.callbacks.one_call.sizes import (
    Length,
    affordable,
    looking,
    passes_of,
    sees_enough,
    with_tail,
    writing,
)
from tests.tiny import tiny_panel


@pytest.mark.parametrize(("steps", "windows"), [(1, 32), (306, 32), (307, 64), (10**6, 512)])
def test_a_longer_run_pays_for_more_windows(steps: int, windows: int) -> None:
    # 2% of 3 passes of 1,024 tokens a step pay for 2 looks at windows of 128 tokens, and for the 19
    # windows that are looked at once before.
    length = Length(steps, 1024)
    assert affordable(length, 128) == windows
    if windows > 32:
        assert looking(windows, 128) <= 0.02 * length.cost


def test_a_run_of_unknown_length_gets_the_usual_panel() -> None:
    assert affordable(None, 128) == 256


def test_frozen_parameters_make_a_step_cheaper_and_unknown_ones_do_not() -> None:
    model = torch.nn.Sequential(
        torch.nn.Linear(9, 9, bias=False), torch.nn.Linear(9, 1, bias=False)
    )
    assert passes_of(model) == 3.0
    model[0].requires_grad_(False)
    assert passes_of(model) == pytest.approx(2.1)
    model.requires_grad_(False)
    assert passes_of(model) == passes_of(None) == passes_of(torch.nn.LazyLinear(3)) == 3.0


def test_writing_costs_what_is_written_and_nothing_costs_nothing() -> None:
    little = Sampling(num_free=3, num_prompts=2, samples_per_prompt=2, length=8)
    assert writing(little) == 2 * 4 * 7 * 8
    assert writing(None) == 0


def test_documents_with_rare_tokens_are_counted() -> None:
    panel = tiny_panel()
    owners = panel.document_ids.tolist()
    tail = panel.tail_positions.any(1).tolist()
    found = {owner for owner, has in zip(owners, tail, strict=True) if has}
    assert with_tail(panel) == len(found)
    assert sees_enough(panel) == (len(found) >= 30)
