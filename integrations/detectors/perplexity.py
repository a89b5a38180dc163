"""Machine-written text by its perplexity under a language model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.arguments import amount, number
from collapse_guard.errors import bad_argument
from collapse_guard.integrations.text_inputs import as_model, as_tokenizer
from collapse_guard.model.logprobs import token_logprobs

Floats = npt.NDArray[np.float64]

_MOST_STEPS = 100


class PerplexityDetector:
    """Scores texts by how little they surprise a language model: a `TextDetector`.

    `sigmoid(intercept + slope x mean negative log-likelihood per token, in nats)`. Sampling below
    temperature 1, top-k and beam search write text that a model finds likelier than what people
    write, so `slope` is below 0 as a rule. Fit both on texts whose origin you know (`fit`).

    **A low perplexity proves nothing.** Plain words, set phrases, quotations of what the model
    learned by heart and textbook prose are unsurprising whoever wrote them, and people who write
    in a second language write so: seven detectors called 61% of their essays machine-written on
    average (Liang et al. 2023, "GPT detectors are biased against non-native English writers",
    Patterns 4(7)). Text sampled at temperature 1 is not unsurprising at all. And what a model finds
    surprising is the tail of human text that collapse takes first, which this detector spares
    while it takes common human text for a machine's. Use soft weights, and look at their rejection
    report.

    Args:
        model: A causal language model, or its name or path.
        tokenizer: Its tokenizer, or the tokenizer's name or path.
        intercept: At a negative log-likelihood of 0.
        slope: Per nat.
        max_tokens: Tokens of a text that are read, at least 1; the model must take as many and
            one more.
        batch_size: Texts per forward pass, at least 1.

    Raises:
        ArgumentError: An argument out of range, or no model.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        intercept: float,
        slope: float,
        max_tokens: int = 512,
        batch_size: int = 8,
    ) -> None:
        for name, value in (("max_tokens", max_tokens), ("batch_size", batch_size)):
            amount(name, value, least=1, hint="leave it out")
        for name, given in (("intercept", intercept), ("slope", slope)):
            number(name, given, hint="PerplexityDetector.fit finds both")
        self.model, self.tokenizer = as_model("model", model), as_tokenizer(tokenizer)
        self.intercept, self.slope = intercept, slope
        self._max_tokens, self._batch_size = max_tokens, batch_size

    @classmethod
    def fit(
        cls,
        model: Any,
        tokenizer: Any,
        *,
        human: Sequence[str],
        machine: Sequence[str],
        max_tokens: int = 512,
        batch_size: int = 8,
    ) -> "PerplexityDetector":
        """Find intercept and slope on texts whose origin is known.

        Logistic regression with the targets of Platt (1999, "Probabilistic outputs for support
        vector machines"), which keep it finite where the two kinds do not overlap. Both kinds weigh
        the same, so a score is the probability for a text that is as likely of the one kind as of
        the other beforehand.

        Args:
            model: As in the class.
            tokenizer: As in the class.
            human: Texts by people, of the kind that will be scored; at least 2 that have a token.
            machine: Texts by the machine that is looked for; likewise.
            max_tokens: As in the class.
            batch_size: As in the class.

        Raises:
            ArgumentError: Too few texts, or an argument out of range.
            ScoringError: The model cannot be read.
        """
        detector = cls(
            model, tokenizer, intercept=0.0, slope=0.0, max_tokens=max_tokens, batch_size=batch_size
        )
        means = []
        for name, texts in (("human", human), ("machine", machine)):
            mean = detector.negative_log_likelihoods(texts)
            means.append(mean[~np.isnan(mean)])
            if len(means[-1]) < 2:
                raise bad_argument(
                    name,
                    expected="at least 2 texts that have a token",
                    given=f"{len(means[-1])} of them",
                    hint="give some hundred",
                )
        detector.intercept, detector.slope = _platt(*means)
        return detector

    def __call__(self, texts: Sequence[str], /) -> Floats:
        """Score a batch of texts; 0.5 for those without a token to predict.

        Raises:
            ScoringError: The model cannot be read.
        """
        logits = self.intercept + self.slope * self.negative_log_likelihoods(texts)
        # Above 700 the exponential has no value, and the score has long been 0 or 1.
        scores: Floats = 1.0 / (1.0 + np.exp(-np.clip(np.nan_to_num(logits), -700, 700)))
        return scores

    def negative_log_likelihoods(self, texts: Sequence[str]) -> Floats:
        """Mean negative log-likelihood of each text's tokens, float64 of shape (texts,), in nats.

        The first token is predicted from the beginning-of-sequence token, and left out where the
        tokenizer has none. NaN for texts without a token to predict.
        """
        start = getattr(self.tokenizer, "bos_token_id", None)
        prefix = [] if start is None else [start]
        rows = [
            prefix + list(self.tokenizer.encode(t, add_special_tokens=False))[: self._max_tokens]
            for t in texts
        ]
        means = np.full(len(rows), np.nan)
        # Rows of like length together need little padding.
        order = sorted(
            (n for n, row in enumerate(rows) if len(row) > 1), key=lambda n: len(rows[n])
        )
        for first in range(0, len(order), self._batch_size):
            batch = order[first : first + self._batch_size]
            lengths = torch.tensor([len(rows[number]) for number in batch])
            ids = torch.nn.utils.rnn.pad_sequence(
                [torch.tensor(rows[number]) for number in batch], batch_first=True
            )
            mask = torch.arange(ids.shape[1]) < lengths[:, None]
            scored = mask.clone()
            scored[:, 0] = False
            logprobs = token_logprobs(self.model, ids, scored, attention_mask=mask)
            parts = torch.split(logprobs.cpu().double(), (lengths - 1).tolist())
            means[batch] = [-float(part.mean()) for part in parts]
        return means


def _platt(human: Floats, machine: Floats) -> tuple[float, float]:
    """Intercept and slope of the logit of "machine", by Newton's method."""
    values = np.concatenate([human, machine])
    centre, spread = values.mean(), max(float(values.std()), 1e-12)
    x = np.stack([np.ones(len(values)), (values - centre) / spread], axis=1)
    targets = np.repeat(
        [1 / (len(human) + 2), (len(machine) + 1) / (len(machine) + 2)], [len(human), len(machine)]
    )
    weights = np.repeat([0.5 / len(human), 0.5 / len(machine)], [len(human), len(machine)])

    def loss(beta: Floats) -> float:
        logits = x @ beta
        return float(weights @ (np.logaddexp(0.0, logits) - targets * logits))

    beta = np.zeros(2)
    for _ in range(_MOST_STEPS):
        shares = 1.0 / (1.0 + np.exp(-(x @ beta)))
        gradient = x.T @ (weights * (shares - targets))
        curvature = (x * (weights * shares * (1 - shares))[:, None]).T @ x
        # A little more curvature, for values that are all the same.
        step = np.linalg.solve(curvature + 1e-10 * np.eye(2), gradient)
        while loss(beta - step) > loss(beta) and np.abs(step).max() > 1e-12:
            step /= 2
        beta = beta - step
        if np.abs(step).max() < 1e-10:
            break
    slope = float(beta[1] / spread)
    return float(beta[0] - slope * centre), slope
