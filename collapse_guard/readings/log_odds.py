"""How much a model prefers one continuation to another: an optional reading.

A panel tells what a model loses of human text. What it takes on beside that, such as a preference
of the teacher whose text it trains on, is asked for by prompts: Cloud et al. 2025 (Subliminal
learning, arXiv 2507.14805) ask for favourite animals before and after training on numbers. They
count answers; the log-odds say the same without sampling.
"""

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.arguments import a, checked, flag, whole
from collapse_guard.errors import CollapseGuardError, bad_argument
from collapse_guard.human_text.continuations import ContinuationPairs
from collapse_guard.model.inputs import A_MODEL
from collapse_guard.model.logprobs import token_logprobs
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.kind import Bad, Cost, ReadingKind
from collapse_guard.statistics.estimates import Estimate, document_mean

Floats = npt.NDArray[np.float64]


_PAIRS = a(
    ContinuationPairs,
    expected="ContinuationPairs",
    hint="give continuation_pairs(prompts, this, that)",
)


@checked(
    model=A_MODEL,
    pairs=_PAIRS,
    per_token=flag(hint="leave it out"),
    batch_size=whole(least=1, hint="16 is the default"),
)
def log_odds(
    model: torch.nn.Module,
    pairs: ContinuationPairs,
    *,
    per_token: bool = False,
    batch_size: int = 16,
) -> Estimate:
    """Mean over prompts of log p(continuation | prompt) - log p(alternative | prompt).

    The log-probability of a continuation is the sum of those of its tokens, so one of more tokens
    is less likely for that alone, at the start as later: a *change* of the log-odds is free of it.

    Args:
        model: A causal language model, on any device, wrapped or not; left exactly as it was.
        pairs: Of `continuation_pairs`.
        per_token: Take the mean over a continuation's tokens in place of the sum.
        batch_size: Rows per forward pass, at least 1; there are two rows for each prompt. It
            changes nothing but rounding.

    Returns:
        Nats, above 0 where the continuation is preferred, with the standard error over prompts
        (NaN for a single one). Prompts are what is taken to be drawn at random and independent of
        each other: rewordings of one prompt are not.

    Raises:
        ArgumentError: A batch size out of range, or rows longer than the model's positions.
        TokenizerMismatchError: Token ids past the model's vocabulary.
        ScoringError: As of `collapse_guard.model.logprobs.token_logprobs`.

    Example:
        >>> from collapse_guard.human_text.continuations import continuation_pairs
        >>> class Even(torch.nn.Module):
        ...     def forward(self, input_ids):
        ...         return torch.zeros(*input_ids.shape, 4)
        >>> pairs = continuation_pairs([[0], [2, 3]], [1], [2, 3])
        >>> round(log_odds(Even(), pairs).value, 3), log_odds(Even(), pairs, per_token=True).value
        (1.386, 0.0)
    """
    return document_mean(_by_prompt(model, pairs, per_token=per_token, batch_size=batch_size))


@checked(
    pairs=_PAIRS,
    since_start=flag(hint="leave it out"),
    per_token=flag(hint="leave it out"),
)
def log_odds_reading(
    name: str,
    pairs: ContinuationPairs,
    *,
    since_start: bool = False,
    per_token: bool = False,
    bad: Bad = "either",
    cost: Cost = "whole panel",
) -> ReadingKind:
    """What a monitor takes to read `log_odds`, under a name of yours: several stand side by side.

    Log-odds lie on either side of 0, so a rule cannot take a multiple of where they started. With
    `since_start` it is their difference to the run's start that is read, prompt by prompt, which is
    0 at the start: `Threshold(name, above=0.5)` then fires once the odds have surely risen by a
    factor of exp(0.5) = 1.65. The prompts' own differences cancel in it. Of the start it keeps a
    number for each prompt.

    Args:
        name: Of the reading: letters, digits and underscores.
        pairs: Of `continuation_pairs`.
        since_start: Read the difference to the run's start.
        per_token: As of `log_odds`.
        bad: Which way is bad: "low", "high", or "either".
        cost: "whole panel", or "each look" to be read at looks at a part of the panel too. It is
            twice as many rows as there are prompts each time.

    Raises:
        ArgumentError: A name that cannot be logged, or another cost.

    Example:
        >>> from collapse_guard import Threshold
        >>> from collapse_guard.human_text.continuations import continuation_pairs
        >>> pairs = continuation_pairs([[0, 4], [2, 3]], [1], [2])
        >>> log_odds_reading("owl", pairs).meaning
        'mean log-odds of the continuation against the alternative over 2 prompts'
        >>> moved = log_odds_reading("owl_moved", pairs, since_start=True)
        >>> str(Threshold(moved.name, above=0.5))
        'owl_moved above 0.5'
    """
    if not isinstance(cost, str) or cost not in ("whole panel", "each look"):
        raise bad_argument(
            "cost",
            expected="'whole panel' or 'each look'",
            given=cost,
            hint="it is read off the prompts, and writes nothing",
        )

    def now(evidence: Evidence) -> Floats:
        return _by_prompt(
            evidence.model, pairs, per_token=per_token, batch_size=evidence.batch_size
        )

    def keep_start(evidence: Evidence) -> dict[str, object]:
        return {"pairs": pairs.fingerprint, "log_odds": now(evidence).tolist()}

    def take(evidence: Evidence) -> Estimate:
        if not since_start:
            return document_mean(now(evidence))
        kept = evidence.kept(name)
        if kept["pairs"] != pairs.fingerprint:
            raise CollapseGuardError(
                f"the run's start has kept log-odds of other prompts for {name}: go on with the "
                f"prompts and continuations that it started with, or read these by another name."
            )
        return document_mean(now(evidence) - np.array(kept["log_odds"]))

    meaning = f"log-odds of {pairs.names[0]} against {pairs.names[1]} over {len(pairs)} prompts"
    if per_token:
        meaning = f"{meaning}, per token"
    return ReadingKind(
        name,
        f"mean {meaning}{' beyond those of the start' if since_start else ''}",
        take,
        unit="nats",
        bad=bad,
        cost=cost,
        start="at 0" if since_start else "either side",
        keep_start=keep_start if since_start else None,
        logs_error=True,
    )


def _by_prompt(
    model: torch.nn.Module, pairs: ContinuationPairs, *, per_token: bool, batch_size: int
) -> Floats:
    """float64 of shape (prompts,), the log-odds after each."""
    found = [
        token_logprobs(
            model, pairs.input_ids[rows], pairs.positions[rows], attention_mask=pairs.mask[rows]
        )
        for rows in torch.split(torch.arange(len(pairs.input_ids)), batch_size)
    ]
    logprobs = torch.cat(found).double().cpu().numpy()
    lengths = pairs.positions.sum(1)
    owners = torch.arange(len(lengths)).repeat_interleave(lengths).numpy()
    sums = np.bincount(owners, weights=logprobs).astype(np.float64, copy=False)
    if per_token:
        sums /= lengths.numpy()
    return sums[0::2] - sums[1::2]
