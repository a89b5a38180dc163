"""Which of the rows that a model wrote are trained on: it writes twice as many."""

from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from collapse_guard.audit.filters.rarity import row_rarity
from collapse_guard.audit.filters.weights import quality_weights
from collapse_guard.examples.laboratory.regimes import Recipe
from collapse_guard.examples.laboratory.world import Rows
from collapse_guard.examples.recursive_finetune.regimes.regime import Lesson
from collapse_guard.integrations.detectors.perplexity import PerplexityDetector
from collapse_guard.model.logprobs import token_logprobs

if TYPE_CHECKING:
    from collapse_guard.examples.recursive_finetune.settings import Settings

_ROWS_AT_A_TIME = 64


def likeliest_half(lesson: Lesson, _: "Settings") -> Recipe:
    """A filter for quality: the half of twice as many rows that generation 0 finds likelier.

    As perplexity under a model of human text is used for crawled text (Wenzek et al. 2020, "CCNet",
    arXiv 1911.00359).
    """
    rows = _twice_as_many(lesson)
    model, logprobs = lesson.start(), []
    for part in torch.from_numpy(rows).split(_ROWS_AT_A_TIME):
        scored = torch.ones_like(part, dtype=torch.bool)
        scored[:, 0] = False
        logprobs.append(token_logprobs(model, part, scored).view(len(part), -1).sum(1).cpu())
    order = torch.cat(logprobs).argsort(descending=True, stable=True).numpy()
    return Recipe(None, [rows[np.sort(order[: lesson.budget])]], 0.0)


def by_detector(lesson: Lesson, _: "Settings") -> Recipe:
    """Rows are shown as often as a detector holds them for human ones.

    After Drayson, Yilmaz and Lampos 2025 (arXiv 2502.15654). The detector goes by perplexity under
    generation 0, and is fitted to held-out human rows and to what the last generation wrote.
    """
    rows = _twice_as_many(lesson)
    tokenizer = cast(PreTrainedTokenizerBase, lesson.tokenizer)
    texts, people = (
        tokenizer.batch_decode(list(each), skip_special_tokens=True)
        for each in (rows, cast(Rows, lesson.held_out))
    )
    detector = PerplexityDetector.fit(
        lesson.start(),
        tokenizer,
        human=people,
        machine=texts[: lesson.budget],
        max_tokens=rows.shape[1] - 1,
    )
    rarity = row_rarity(list(rows), lesson.reference)
    weights = quality_weights(detector(texts), rarity).weights
    return Recipe(None, [rows], 0.0, slots=lesson.budget, quality=weights)


def most_varied_half(lesson: Lesson, _: "Settings") -> Recipe:
    """Rows one by one, each time the one with most pairs of tokens that none so far has.

    Of pairs within a row; greedy, which covers at least 1 - 1/e of what any choice can (Nemhauser,
    Wolsey and Fisher 1978).
    """
    rows = _twice_as_many(lesson)
    pairs = [set(pairwise(row)) for row in rows.tolist()]
    seen: set[tuple[int, int]] = set()
    left = set(range(len(rows)))
    chosen: list[int] = []
    while len(chosen) < lesson.budget:
        best = max(left, key=lambda number: (len(pairs[number] - seen), -number))
        seen |= pairs[best]
        left.remove(best)
        chosen.append(best)
    return Recipe(None, [rows[np.sort(chosen)]], 0.0)


def _twice_as_many(lesson: Lesson) -> Rows:
    return np.concatenate([lesson.written[-1], lesson.more()])
