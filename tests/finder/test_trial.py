"""One trial: what it does to a model is what training does, and chance is the same for all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch

from collapse_guard.errors import ArgumentError
from collapse_guard.finder import trial
from collapse_guard.finder.held_out import hold_out
from collapse_guard.finder.holding import held
from collapse_guard.finder.lesson import make_lesson
from collapse_guard.finder.trial import Setting, Trials
from collapse_guard.model.decoding import PLAIN, Decoding
from collapse_guard.model.sampled_logprob import sampled_logprob
from collapse_guard.statistics.estimates import Estimate
from tests.finder.markov import adam, human_documents, learnt_chain, written_rows
from tests.tiny import tiny_gpt2

COLD = Decoding(temperature=0.7)


def setting(**changed: Any) -> Setting:
    rows = written_rows(learnt_chain(), COLD, count=24)
    for number, row in enumerate(rows):
        row["drawn_mask"] = [int(place % 5 != number % 5) for place in range(len(row["input_ids"]))]
        row["input_ids"] = row["input_ids"][: 12 + number % 7]
        row["drawn_mask"] = row["drawn_mask"][: 12 + number % 7]
    usual = {
        "lesson": make_lesson(rows, steps=6, batch_size=4, seed=0),
        "held_out": hold_out(human_documents(12), window=32, max_windows=None),
        "optimizer": adam(),
        "micro_batch_size": 4,
        "max_grad_norm": None,
        "seed": 0,
    }
    return Setting(**{**usual, **changed})


@contextmanager
def trials(model: torch.nn.Module, of: Setting, *, candidates: int = 3) -> Iterator[Trials]:
    with held(model) as start:
        yield Trials(model, start, of, candidates)


def same(one: Estimate | None, other: Estimate | None) -> bool:
    assert one is not None
    assert other is not None
    return one.value == other.value and np.array_equal(one.influences, other.influences)


def by_hand(of: Setting, decoding: Decoding, steps: int) -> torch.Tensor:
    """The table after training with terms that are written out."""
    model = learnt_chain()
    optimizer = of.optimizer([model.table.weight])
    for batch in of.lesson[:steps]:
        terms = []
        for ids, labels, drawn, _ in zip(*batch, strict=True):
            logits = model.table(ids)
            for place in range(1, len(ids)):
                if labels[place] == -100:
                    continue
                before, token = logits[place - 1], labels[place]
                how = decoding if drawn[place] else PLAIN
                terms.append(-sampled_logprob(before[None], token[None], how))
        optimizer.zero_grad()
        torch.cat(terms).mean().backward()
        if of.max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_([model.table.weight], of.max_grad_norm)
        optimizer.step()
    return model.table.weight.detach()


@pytest.mark.parametrize("decoding", [PLAIN, COLD, Decoding(temperature=0.8, top_k=5)], ids=str)
@pytest.mark.parametrize(
    "changed",
    [{}, {"micro_batch_size": 3}, {"max_grad_norm": 0.01}],
    ids=["whole batches", "in parts", "clipped"],
)
def test_a_trial_trains_on_drawn_tokens_as_drawn_and_on_others_as_they_are(
    decoding: Decoding, changed: dict[str, Any]
) -> None:
    # Without momenta, whose first steps blow rounding up.
    of = setting(optimizer=lambda parameters: torch.optim.SGD(parameters, lr=3.0), **changed)
    model = learnt_chain()
    with trials(model, of) as run:
        found = run(decoding, 3)
        torch.testing.assert_close(
            model.table.weight.detach(), by_hand(of, decoding, 3), rtol=1e-4, atol=1e-5
        )
        losses = of.held_out.losses(model, batch_size=12)
        assert same(found, of.held_out.mean(losses))
        assert run.steps == 3
        assert all(parameter.grad is None for parameter in model.parameters())


def test_candidates_that_say_the_same_end_alike_with_dropout_too() -> None:
    """Common random numbers: what differs between candidates is nothing but the candidate."""
    model = tiny_gpt2(dropout=0.3)
    of = setting(optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1))
    with trials(model, of) as run:
        first = run(PLAIN, 4)
        torch.rand(3), np.random.rand(2)
        run(COLD, 4)
        # Another object that is plain too, and so trained anew.
        assert same(first, run(Decoding(top_p=1.0), 4))
        assert not same(first, run(Decoding(top_k=5), 4))


def test_dropout_draws_anew_at_each_step_and_from_the_seed_alone() -> None:
    def seen(seed: int, users: int) -> list[list[float]]:
        torch.manual_seed(users)
        model = learnt_chain(dropout=0.5)
        drawn: list[list[float]] = []
        model.dropout.register_forward_hook(
            lambda module, _, output: (
                drawn.append(output.flatten()[:99].tolist()) if module.training else None
            )
        )
        with trials(model, setting(seed=seed)) as run:
            run(PLAIN, 2)
        return [[value == 0 for value in each] for each in drawn]

    first, second = seen(0, users=1)
    assert first != second
    assert [first, second] == seen(0, users=2)
    assert [first, second] != seen(1, users=1)


@pytest.mark.parametrize("make", [lambda: learnt_chain(dropout=0.2), tiny_gpt2], ids=["", "GPT-2"])
def test_going_on_is_starting_anew(
    make: Callable[[], torch.nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_all(memory: int) -> tuple[list[Estimate | None], int]:
        monkeypatch.setattr(trial, "MEMORY", memory)
        with trials(make(), setting(), candidates=2) as run:
            found = [run(each, steps) for steps in (1, 3, 6) for each in (COLD, PLAIN)]
            assert run.goes_on == bool(memory)
            return found, run.steps

    kept, few = run_all(1 << 30)
    anew, many = run_all(0)
    assert all(map(same, kept, anew))
    assert (few, many) == (2 * 6, 2 * (1 + 3 + 6))


def test_states_are_kept_only_where_all_of_them_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    model = learnt_chain()
    weights = 4 * model.table.weight.numel()
    buffers = 4 * model.mean.numel() + 8
    # Adam keeps two tensors of the weights' size and a step's number.
    one = weights + buffers + 2 * weights + 4
    for memory, expected in ((3 * one, True), (3 * one - 1, False)):
        monkeypatch.setattr(trial, "MEMORY", memory)
        with trials(model, setting(), candidates=3) as run:
            run(PLAIN, 1)
            assert run.goes_on == expected


def test_a_trial_of_fewer_steps_than_the_last_begins_anew() -> None:
    with trials(learnt_chain(), setting()) as run:
        short = run(COLD, 2)
        run(COLD, 5)
        assert same(short, run(COLD, 2))


class Bursting(torch.optim.SGD):
    """Breaks the weights at its n-th step."""

    def __init__(self, parameters: list[torch.nn.Parameter], at: int) -> None:
        super().__init__(parameters, lr=1.0)
        self.left = at

    def step(self, closure: Any = None) -> None:
        super().step()
        self.left -= 1
        if self.left == 0:
            with torch.no_grad():
                self.param_groups[0]["params"][0].fill_(torch.inf)


@pytest.mark.parametrize("at", [2, 4], ids=["on the way", "at the last step"])
def test_a_candidate_whose_training_bursts_is_told_and_the_next_is_well(at: int) -> None:
    lives = iter([at, 100])
    of = setting(optimizer=lambda parameters: Bursting(parameters, next(lives)))
    with trials(learnt_chain(), of) as run:
        assert run(COLD, 4) is None
        assert run.steps == min(at + 1, 4)
        assert run(PLAIN, 4) is not None


def test_a_frozen_model_s_adapters_are_trained_and_nothing_else() -> None:
    model = tiny_gpt2()
    for name, parameter in model.named_parameters():
        parameter.requires_grad = "ln_f" in name
    given: list[torch.nn.Parameter] = []

    def noting(parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        given.extend(parameters)
        return torch.optim.SGD(parameters, lr=1.0)

    frozen = model.transformer.wte.weight.detach().clone()
    with trials(model, setting(optimizer=noting)) as run:
        run(PLAIN, 2)
        assert torch.equal(model.transformer.wte.weight, frozen)
    assert {id(each) for each in given} == {
        id(each) for each in model.transformer.ln_f.parameters()
    }


def test_a_schedule_free_optimizer_is_judged_by_its_average() -> None:
    from schedulefree import SGDScheduleFree

    made: list[Any] = []

    def making(parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        made.append(SGDScheduleFree(parameters, lr=3.0))
        made[-1].eval()
        return made[-1]

    model = learnt_chain()
    of = setting(optimizer=making)
    with trials(model, of) as run:
        found = run(COLD, 5)
        assert not same(found, of.held_out.mean(of.held_out.losses(model, batch_size=4)))
        made[-1].eval()
        assert same(found, of.held_out.mean(of.held_out.losses(model, batch_size=4)))


def test_an_optimizer_that_steps_in_the_backward_pass_is_refused() -> None:
    def hooking(parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
        parameters[0].register_post_accumulate_grad_hook(lambda _: None)
        return torch.optim.SGD(parameters, lr=1.0)

    model = learnt_chain()
    with (
        pytest.raises(ArgumentError, match="steps when it is told to"),
        trials(model, setting(optimizer=hooking)) as run,
    ):
        run(PLAIN, 1)
    assert not model.table.weight._post_accumulate_grad_hooks
