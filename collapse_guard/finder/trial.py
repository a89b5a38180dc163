"""One trial: a few steps under a candidate, and then the likelihood of held-out human text."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from collapse_guard.arguments import understood
from collapse_guard.distributed import all_or_none, any_process, of_first_process
from collapse_guard.errors import ScoringError, bad_argument
from collapse_guard.finder.held_out import HeldOut
from collapse_guard.finder.holding import ModelState, cuda_devices, trained_parameters
from collapse_guard.finder.lesson import Batch
from collapse_guard.model.decoding import Decoding
from collapse_guard.model.forward import (
    accepts,
    device_of,
    logits_of,
    virtual_tokens,
    without_data_parallel,
)
from collapse_guard.model.inputs import IGNORED_LABEL
from collapse_guard.model.matched_loss import sampler_matched_loss
from collapse_guard.model.schedule_free import averaged_weights, is_schedule_free
from collapse_guard.random_states import seed_random_states
from collapse_guard.statistics.estimates import Estimate

MakeOptimizer = Callable[[list[torch.nn.Parameter]], torch.optim.Optimizer]
"""Makes an optimizer of parameters, a fresh one at each call."""

_OPTIMIZER = "give e.g. lambda weights: torch.optim.AdamW(weights, lr=1e-4)"

MEMORY = 1 << 30
"""Bytes that the states of all candidates may take together, so that each goes on from its own."""


@dataclass(frozen=True)
class Setting:
    """How every trial trains, whatever its candidate.

    Attributes:
        lesson: The batch of each step.
        held_out: Human text to score.
        optimizer: Makes a trial's optimizer.
        micro_batch_size: Rows of a forward pass.
        max_grad_norm: Gradients are clipped to this norm; None leaves them as they are.
        seed: Of the random states at each step, which dropout draws from.
    """

    lesson: Sequence[Batch]
    held_out: HeldOut
    optimizer: MakeOptimizer
    micro_batch_size: int
    max_grad_norm: float | None
    seed: int


@dataclass(frozen=True)
class _Stop:
    """Where a trial has come to."""

    steps: int
    state: ModelState
    optimizer: torch.optim.Optimizer


class Trials:
    """Trains a model under one candidate after another, each time from the same start.

    All see the same batches in the same order, with the same random states at each step (common
    random numbers), so that what candidates differ in is the candidate. Asked about one again, with
    more steps, a trial goes on from where it has stopped, if the states of all candidates fit into
    `MEMORY` together (weights, buffers and the optimizer's own); if not, it starts anew. To the bit
    that is the same where the model's arithmetic is deterministic.

    Call it inside of `held`, which puts the model back.

    Args:
        model: A causal language model.
        start: Its state at the start of each trial.
        setting: What all trials share.
        candidates: How many are to be tried.

    Attributes:
        steps: Optimizer steps so far.
        goes_on: Whether states are kept; not known before the first trial.
    """

    def __init__(
        self, model: torch.nn.Module, start: ModelState, setting: Setting, candidates: int
    ) -> None:
        self._model = without_data_parallel(model)
        self._start = start
        self._setting = setting
        self._candidates = candidates
        self._trained = trained_parameters(model)
        self._stops: dict[Decoding, _Stop] = {}
        self.steps = 0
        self.goes_on = False

    def __call__(self, decoding: Decoding, steps: int) -> Estimate | None:
        """Train so many steps from the start, and score the human text.

        Args:
            decoding: How the rows' drawn tokens are taken to be drawn.
            steps: From 1 to the length of the lesson.

        Returns:
            Nats a token, with an error over documents; None where training under this candidate
            does not stay finite.

        Raises:
            ArgumentError: An optimizer that steps in the backward pass.
            ScoringError: As in `token_logprobs`.
            PeerError: It failed on another process.
        """
        with all_or_none():
            optimizer = self._train(decoding, steps)
        if any_process(optimizer is None):
            return None
        held_out = self._setting.held_out
        with averaged_weights(optimizer), all_or_none():
            try:
                losses = held_out.losses(self._model, batch_size=self._setting.micro_batch_size)
            except ScoringError:
                # Of a model that could be scored before it was trained: its weights have burst.
                losses = np.full(held_out.num_documents, np.nan)
        losses = np.array(of_first_process(losses.tolist()))
        return held_out.mean(losses) if np.isfinite(losses).all() else None

    def _train(self, decoding: Decoding, steps: int) -> torch.optim.Optimizer | None:
        """The optimizer after so many steps; None where the loss does not stay finite."""
        stop = self._stops.get(decoding)
        if stop is not None and stop.steps > steps:
            stop = None
        (self._start if stop is None else stop.state).put_back()
        optimizer = self._make_optimizer() if stop is None else stop.optimizer
        for number in range(0 if stop is None else stop.steps, steps):
            loss = self._backward(number, decoding)
            self.steps += 1
            if not math.isfinite(loss):
                return None
            if self._setting.max_grad_norm is not None:
                torch.nn.utils.clip_grad_norm_(self._trained, self._setting.max_grad_norm)
            optimizer.step()
            torch.clear_autocast_cache()
        for parameter in self._model.parameters():
            parameter.grad = None
        self._keep(decoding, steps, optimizer)
        return optimizer

    def _backward(self, number: int, decoding: Decoding) -> float:
        """Take the gradients of a step, and give its loss."""
        for parameter in self._model.parameters():
            parameter.grad = None
        seed = np.random.SeedSequence([self._setting.seed, number]).generate_state(1)[0]
        seed_random_states(int(seed), cuda_devices(self._model))
        batch = self._setting.lesson[number]
        total = max(int((batch.labels[:, 1:] != IGNORED_LABEL).sum()), 1)
        summed = 0.0
        for part in batch.parts(self._setting.micro_batch_size):
            ids, labels, drawn, _ = (each.to(device_of(self._model)) for each in part)
            loss = sampler_matched_loss(
                self._logits(ids)[:, :-1], labels[:, 1:], [decoding], drawn[:, 1:], num_items=total
            )
            loss.backward()
            summed += float(loss.detach())
        return summed

    def _logits(self, ids: torch.Tensor) -> torch.Tensor:
        keywords = {"use_cache": False} if accepts(self._model, "use_cache") else {}
        logits = logits_of(self._model(ids, **keywords))
        # What a model puts before its input has logits of its own.
        before = virtual_tokens(self._model)
        if logits.shape[1] == before + ids.shape[1]:
            logits = logits[:, before:]
        # In full precision whatever the model computes in, as trainers take their losses.
        return logits.float()

    def _make_optimizer(self) -> torch.optim.Optimizer:
        wanted = {"expected": "a function from weights to a torch optimizer", "hint": _OPTIMIZER}
        with understood("optimizer", self._setting.optimizer, **wanted):
            optimizer = self._setting.optimizer(self._trained)
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise bad_argument("optimizer", given=optimizer, **wanted)
        if any(each._post_accumulate_grad_hooks for each in self._trained):
            raise bad_argument(
                "optimizer",
                expected="one that steps when it is told to",
                given=f"{type(optimizer).__name__}, which hooks into the backward pass",
                hint="give its kind without layer-wise steps",
            )
        if is_schedule_free(optimizer):
            schedule_free: Any = optimizer
            schedule_free.train()
        return optimizer

    def _keep(self, decoding: Decoding, steps: int, optimizer: torch.optim.Optimizer) -> None:
        if not self._stops and not self.goes_on:
            one = self._start.num_bytes + _state_bytes(optimizer)
            self.goes_on = one * self._candidates <= MEMORY
        if self.goes_on:
            self._stops[decoding] = _Stop(steps, ModelState(self._model), optimizer)


def _state_bytes(optimizer: torch.optim.Optimizer) -> int:
    tensors = [each for own in optimizer.state.values() for each in own.values()]
    return sum(
        each.numel() * each.element_size() for each in tensors if isinstance(each, torch.Tensor)
    )
