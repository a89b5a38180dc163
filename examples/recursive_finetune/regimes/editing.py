"""Human rows with the tokens replaced that a model is sure of."""

from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from collapse_guard.examples.laboratory.regimes import Recipe
from collapse_guard.examples.recursive_finetune.regimes.regime import Lesson
from collapse_guard.model.forward import device_of, logits_of
from collapse_guard.model.next_token import candidates, draw, uniforms
from collapse_guard.model.undisturbed import undisturbed

if TYPE_CHECKING:
    from collapse_guard.examples.recursive_finetune.settings import Settings

_ROWS_AT_A_TIME = 16


def edited_human_rows(lesson: Lesson, settings: "Settings") -> Recipe:
    """Token-level editing (Zhu et al. 2025, "ToEdit", arXiv 2412.14689).

    Fresh human rows, in which the last model draws every token anew that it gave at least
    `settings.edit_above` to, each in the context that people wrote.
    """
    model = cast(torch.nn.Module, lesson.writer)
    rows = torch.from_numpy(lesson.human)
    width = rows.shape[1] - 1
    edited = rows.clone()
    random = uniforms(lesson.seed, range(len(rows)), width)
    for first in range(0, len(rows), _ROWS_AT_A_TIME):
        part = slice(first, first + _ROWS_AT_A_TIME)
        ids = rows[part].to(device_of(model))
        with undisturbed(model):
            logits = logits_of(model(input_ids=ids))[:, :-1].float().flatten(0, 1)
        targets = ids[:, 1:].flatten()
        given = logits.log_softmax(-1).gather(1, targets[:, None]).exp().squeeze(1)
        probabilities, types = candidates(logits, settings.decoding)
        columns = draw(probabilities, random[part].flatten().to(logits.device))
        drawn = types.gather(1, columns).squeeze(1)
        new = torch.where(given >= settings.edit_above, drawn, targets)
        edited[part, 1:] = new.view(len(ids), width).cpu()
    kept = settings.prompt
    edited[:, :kept] = rows[:, :kept]
    by_people = float(np.mean((edited == rows)[:, kept:].numpy()))
    return Recipe(None, [edited.numpy()], 0.0, by_people=by_people)
