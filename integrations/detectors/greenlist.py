"""Machine-written text by the watermark of transformers' `WatermarkingConfig`."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.arguments import number
from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.integrations.text_inputs import as_tokenizer

_SHARES = 1000


class GreenlistDetector:
    """Scores texts by the watermark that `generate(watermarking_config=...)` leaves.

    The watermark makes a model prefer tokens of "green" lists that depend on the tokens before
    (Kirchenbauer et al. 2023, "A watermark for large language models", ICML). The p-value of
    transformers' `WatermarkDetector` is no probability of being machine-written: over unmarked
    text it takes every value alike. Here the count of green tokens is turned into one by Bayes'
    rule: unmarked text has them at the lists' ratio, marked text at any higher rate, all of them
    equally likely beforehand.

    It finds the text of one model under one key, and hardly errs there; text of other models, and
    text that was paraphrased or translated, looks like text by people. Looking up the green list of
    each token shuffles the whole vocabulary: count on some thousand tokens a second.

    Args:
        detector: A `transformers.WatermarkDetector` with the settings that the text was written
            with. Make it with `ignore_repeated_ngrams=True`: a loop of one green token is no
            evidence.
        tokenizer: The tokenizer of the model that wrote the text, or its name or path.
        prior: Share of marked texts beforehand, above 0 and below 1; the score of a text that is
            too short to tell.

    Raises:
        ArgumentError: The detector is another thing, or the prior out of range.
        MissingExtraError: transformers is not installed.
    """

    def __init__(self, detector: Any, tokenizer: Any, *, prior: float = 0.5) -> None:
        known = require("transformers", "huggingface").WatermarkDetector
        if not isinstance(detector, known):
            raise bad_argument(
                "detector",
                expected="a transformers.WatermarkDetector",
                given=detector,
                hint="make one with the model's config and the watermarking_config",
            )
        prior = number("prior", prior, above=0, below=1, what="a share", hint="leave it out")
        self.detector, self.tokenizer, self.prior = detector, as_tokenizer(tokenizer), prior

    def __call__(self, texts: Sequence[str], /) -> npt.NDArray[np.float64]:
        """Score a batch of texts."""
        return np.array([self._score(text) for text in texts], dtype=np.float64)

    def _score(self, text: str) -> float:
        ids = list(self.tokenizer.encode(text, add_special_tokens=False))
        while ids and ids[0] == self.detector.bos_token_id:
            ids = ids[1:]
        if len(ids) <= self.detector.processor.context_width:
            return self.prior
        # One text at a time: the detector knows no padding.
        device = self.detector.processor.rng.device
        found = self.detector(torch.tensor([ids], device=device), return_dict=True)
        evidence = log_bayes_factor(
            float(found.num_green_tokens[0]),
            float(found.num_tokens_scored[0]),
            self.detector.greenlist_ratio,
        )
        logit = evidence + math.log(self.prior / (1.0 - self.prior))
        return 0.5 * (1.0 + math.tanh(0.5 * logit))


def log_bayes_factor(green: float, tokens: float, ratio: float) -> float:
    """How much likelier a count of green tokens is in marked text, as a natural logarithm.

    Args:
        green: Green tokens.
        tokens: Tokens counted.
        ratio: Share of green tokens in unmarked text. In marked text it is any higher one, each
            with the same probability; the mean over them is taken at 1,000 points.

    Example:
        >>> round(log_bayes_factor(25, 100, 0.25), 1), round(log_bayes_factor(60, 100, 0.25), 1)
        (-2.6, 25.6)
    """
    shares = ratio + (1.0 - ratio) * (np.arange(_SHARES) + 0.5) / _SHARES
    logs = green * np.log(shares / ratio) + (tokens - green) * np.log((1 - shares) / (1 - ratio))
    highest = float(logs.max())
    return highest + math.log(float(np.exp(logs - highest).mean()))
