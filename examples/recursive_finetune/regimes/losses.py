"""Losses that were proposed against collapse, of the Hugging Face Trainer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from transformers import Trainer

from collapse_guard.examples.recursive_finetune.regimes.regime import Training
from collapse_guard.model.inputs import IGNORED_LABEL


@contextmanager
def truncated_ce(training: Training) -> Iterator[None]:
    """Truncated cross-entropy (Shabgahi et al. 2025, "ForTIFAI", arXiv 2509.08972).

    Tokens that the model gives more than `settings.truncate_above` already have no loss, which is
    still divided by the number of all.
    """
    highest = training.settings.truncate_above

    def weights(losses: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return losses.detach().neg().exp() <= highest

    with _token_weights(training.trainer, weights):
        yield


@contextmanager
def rare_weighted(training: Training) -> Iterator[None]:
    """Rare tokens weigh `settings.rare_boost` times as much as others; human text 1 on average."""
    reference = training.lesson.reference
    by_type = np.where(reference.tail_types, training.settings.rare_boost, 1.0)
    by_type /= np.average(by_type, weights=reference.counts)
    of_types = torch.tensor(by_type, dtype=torch.float32, device=training.trainer.args.device)

    def weights(_: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return of_types[labels]

    with _token_weights(training.trainer, weights):
        yield


@contextmanager
def anchored(training: Training) -> Iterator[None]:
    """Keeps the model near generation 0 on human text.

    To the loss of each token of a human row, `settings.anchor` times the Kullback-Leibler
    divergence of what the model predicts there from what generation 0 does, in nats, is added.
    """
    trainer, lesson, weight = training.trainer, training.lesson, training.settings.anchor
    start = torch.nn.Module.eval(lesson.start())
    people = {row.tobytes() for row in lesson.human}
    own = trainer.compute_loss

    def compute_loss(
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        loss, outputs = own(model, inputs, True, num_items_in_batch)
        rows = inputs["input_ids"].cpu().numpy()
        human = torch.tensor([row.tobytes() in people for row in rows])
        ours = outputs["logits"][human][:, :-1].float().log_softmax(-1)
        with torch.no_grad():
            ids = inputs["input_ids"][human]
            theirs = start(input_ids=ids).logits[:, :-1].float().log_softmax(-1)
        divergence = torch.nn.functional.kl_div(ours, theirs, log_target=True, reduction="none")
        is_trained = inputs["labels"][human][:, 1:] != IGNORED_LABEL
        tokens = (inputs["labels"][:, 1:] != IGNORED_LABEL).sum()
        count = tokens if num_items_in_batch is None else num_items_in_batch
        loss = loss + weight * divergence.sum(-1)[is_trained].sum() / count
        return (loss, outputs) if return_outputs else loss

    trainer.compute_loss = compute_loss  # type: ignore[method-assign]
    try:
        yield
    finally:
        del trainer.__dict__["compute_loss"]


@contextmanager
def _token_weights(
    trainer: Trainer, weights: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
) -> Iterator[None]:
    """Cross-entropy with a weight for each token, from its loss and its label."""

    def loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
        logits, targets = outputs["logits"][:, :-1].float(), labels[:, 1:]
        counted = targets != IGNORED_LABEL
        logits, targets = logits[counted], targets[counted]
        losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
        count = len(targets) if num_items_in_batch is None else num_items_in_batch
        return (losses * weights(losses, targets)).sum() / count

    trainer.compute_loss_func = loss
    try:
        yield
    finally:
        trainer.compute_loss_func = None
