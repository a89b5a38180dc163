"""At which temperature a model would have to write for rows to be what it writes."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.arguments import checked, flag, many, optional, whole, whole_number
from collapse_guard.audit.cuts_read_off import read_cuts
from collapse_guard.audit.drawn_tokens import find_drawn_tokens
from collapse_guard.audit.tempered_likelihood import Peak, Sums, find_peak, sum_up
from collapse_guard.errors import ScoringError, bad_argument
from collapse_guard.human_text.groups import listed_labels
from collapse_guard.human_text.tokenizer import Tokenizer
from collapse_guard.model.decoding import Decoding
from collapse_guard.model.decoding_columns import DRAWN_MASK_COLUMN
from collapse_guard.model.forward import is_encoder_decoder
from collapse_guard.model.inputs import A_MODEL
from collapse_guard.model.positions import position_limit
from collapse_guard.rows.column import encoder
from collapse_guard.rows.row_source import Rows, RowSource
from collapse_guard.rows.source import Source
from collapse_guard.statistics.json_values import without_nan
from collapse_guard.statistics.student import student_half_width

RESOLUTION = 0.1
"""How far from 1 text may read that nobody sharpened, where the judge is not its writer: human
corpora read 0.9 to 1.1 (arXiv 2601.02320)."""

_CONFIDENCE = 0.95

_MOST_TOKENS = 512

_FLAT = 1e-9
"""Below this the likelihood of a document does not depend on the temperature."""

_DIGITS = 4


@dataclass(frozen=True)
class EffectiveTemperature:
    """What `effective_temperature` found. `print` it, or see `verdict`.

    Attributes:
        temperature: The one that makes the rows likeliest; with the cuts of `decoding` where it has
            some. From 0.05 to 4, between which it is looked for.
        standard_error: Of the temperature, over documents; NaN at the ends of the search.
        interval: The 95% interval, low and high; to 0 or infinity beyond an end of the search.
        rows: Rows with a token that was looked at.
        tokens: Tokens that were looked at.
        documents: Documents that they are of.
        resolution: How far from 1 the temperature must lie to say anything: 0 where the model is
            the rows' generator, so that the interval alone counts, and 0.1 where it is not.
        decoding: How the rows were drawn, where the model is their generator; None else.
    """

    temperature: float
    standard_error: float
    interval: tuple[float, float]
    rows: int
    tokens: int
    documents: int
    resolution: float
    decoding: Decoding | None = None

    @property
    def is_at_limit(self) -> bool:
        """Whether the likelihood rises on beyond the temperatures that were looked for."""
        return math.isnan(self.standard_error)

    @property
    def verdict(self) -> str:
        """One sentence: as this model writes, sharper, flatter, or cannot be told."""
        low, high = self.interval
        between = f"{low:.3g} to {high:.3g}"
        reading = f"the rows are likeliest at temperature {self.temperature:.3g} ({between})"
        if self.is_at_limit and self.temperature < 1:
            return (
                "sharper than this model writes: the rows are greedy text or nearly so, likeliest "
                f"at the lowest temperature that is looked for, {self.temperature:.3g}"
            )
        if self.is_at_limit:
            return (
                "flatter than this model writes: the rows are likeliest at the highest temperature "
                f"that is looked for, {self.temperature:.3g}; is it their tokenizer's model?"
            )
        if self.decoding is not None and self.decoding.cuts:
            return f"sharper than this model writes: the rows were drawn with {self.decoding}"
        if high < 1 - self.resolution:
            return f"sharper than this model writes: {reading}"
        if low > 1 + self.resolution:
            return f"flatter than this model writes: {reading}"
        if low >= 1 - RESOLUTION and high <= 1 + RESOLUTION:
            far = ", as far as a model that did not write them can tell" if self.resolution else ""
            return f"as this model writes{far}: {reading}"
        why = "more rows would tell"
        if max(1 - low, high - 1) < 2 * RESOLUTION and self.resolution:
            why = "a model that did not write them sees no finer, and human text may read as much"
        return f"cannot be told: {reading}, and {why}"

    def to_dict(self) -> dict[str, Any]:
        """Everything in plain JSON types; None for what is not finite."""
        return {
            **asdict(self),
            "standard_error": None if self.is_at_limit else self.standard_error,
            "interval": without_nan(self.interval),
            "decoding": None if self.decoding is None else self.decoding.to_dict(),
            "verdict": self.verdict,
        }

    def __str__(self) -> str:
        lines = [
            f"temperature {self.temperature:.3g} ± {self.standard_error:.2g}, from {self.tokens:,} "
            f"tokens of {self.rows:,} rows, {self.documents:,} documents"
        ]
        if self.decoding is not None:
            lines.append(f"drawn with {self.decoding}")
        return "\n".join([*lines, self.verdict])


_IDS = "give such as [tokenizer.bos_token_id]"


def _listed_documents(name: str, given: Any) -> list[Hashable]:
    return listed_labels(name, given, unlabelled="give it a document of its own")


@checked(
    model=A_MODEL,
    documents=optional(_listed_documents),
    prefix=many(whole(least=0, hint=_IDS), expected="token ids", hint=_IDS),
    is_generator=flag(hint="say whether the model wrote the rows"),
)
def effective_temperature(
    rows: Rows | Source,
    model: torch.nn.Module,
    *,
    column: str | None = None,
    tokenizer: Tokenizer | None = None,
    documents: Sequence[Hashable] | npt.NDArray[Any] | None = None,
    prefix: Sequence[int] = (),
    is_generator: bool = False,
    every: int = 4,
    max_rows: int | None = 512,
    max_tokens: int | None = None,
    batch_size: int = 8,
) -> EffectiveTemperature:
    """The temperature that makes rows likeliest under a model: below 1, they are sharper than it.

    Text that was drawn from softmax(z / T) is likeliest at T, where the score
    sum of (z_y - E[z]) over its tokens is 0; the log-likelihood is concave in 1 / T, so that there
    is one such T. The standard error is that of a Z-estimator (Huber 1967: the "sandwich") over
    documents, so that tokens of one document may depend on each other in any way. The interval is
    Student's, on the logarithm of T.

    What it can tell. Under the very model that wrote the rows (`is_generator=True`) the interval
    alone says how sure it is. Another model read text of T = 0.8 as 0.825 and human text as 0.963
    (tests/benchmarks/RESULTS.md), and human corpora in general read 0.9 to 1.1 (arXiv 2601.02320):
    nothing within 0.1 of 1 means anything there. Nor is a temperature found in this way the one to
    train with: a sampler that cut its law (top-k, top-p) makes it read lower than it was, top-k 50
    as 0.749 there.

    With `is_generator=True` the cuts are read off too, jointly with the temperature: the k of
    top-k is the largest rank drawn, the p of top-p the largest mass strictly above a drawn token,
    the p of min-p the smallest probability over the likeliest one's. All are what the sample shows:
    a rank is a bound from below, which many rows bring close, and a p is as sure as the
    temperature that it was found with. Where top-p has kept a top-k from
    its last ranks, that k is looked for among the numbers that people choose. Top-k and top-p are
    taken to cut in this order. One token that the sampler did not draw (an end of text that was
    appended, a prompt) hides a cut, so mask such tokens; penalties, beam search and the like are
    taken for something else.

    The model is in eval mode while it is read, a few rows at a time, once (three times with
    `is_generator`), and is left as it was, with the random states of the run.

    Args:
        rows: What may have been drawn: rows of token ids or texts, with an `attention_mask` or
            without, or a `Source` of them. A column `drawn_mask` of as many values as tokens
            says which tokens the sampler drew (1); others (0: a prompt) are context only.
        model: A causal language model, with the tokenizer of the rows.
        column: The column of token ids or texts; None for "input_ids" or, where there is none,
            "text".
        tokenizer: Of the model, where rows are texts. No special tokens are put in.
        documents: Which document each row is of, where several share one: the rows of an article,
            the answers to a prompt. None where each row is one.
        prefix: Token ids before every row, which are context only: the beginning-of-sequence token
            that rows were drawn from, where it does not stand in them.
        is_generator: Whether the model is, weight for weight, the one that the rows were drawn
            from, and is given the same context.
        every: One of so many drawn tokens is looked at, at least 1.
        max_rows: Rows that are looked at, evenly spaced, at least 1; None for all.
        max_tokens: Tokens of a row that are read, from its beginning, at least 1; None for 512 or,
            where the model has fewer positions, as many.
        batch_size: Rows per forward pass.

    Raises:
        ArgumentError: No rows, none with a drawn token that has another before it, fewer than two
            documents, texts without a tokenizer, an encoder-decoder, or an argument out of range.
        TokenizerMismatchError: Token ids past the model's vocabulary.
        ScoringError: The model is not causal, gives all tokens the same probability, or a token
            that was drawn none.

    Example:
        >>> from transformers import GPT2Config, GPT2LMHeadModel
        >>> from collapse_guard import sample
        >>> config = GPT2Config(vocab_size=50, n_positions=32, n_embd=16, n_layer=1, n_head=2,
        ...     initializer_range=0.5, bos_token_id=0)
        >>> _ = torch.manual_seed(0)
        >>> model = GPT2LMHeadModel(config)
        >>> drawn = sample(
        ...     model, num_sequences=200, length=24, seed=1, decoding=Decoding(temperature=0.7)
        ... )
        >>> found = effective_temperature(drawn.tolist(), model, prefix=[0], is_generator=True)
        >>> abs(found.temperature - 0.7) < 3 * found.standard_error
        True
        >>> found.verdict.split(":")[0]
        'sharper than this model writes'
    """
    if is_encoder_decoder(model):
        raise bad_argument(
            "model",
            expected="a causal language model",
            given=type(model).__name__,
            hint="an encoder-decoder writes an answer to a text, which rows do not hold",
        )
    whole_number("every", every, least=1, hint="give 1 to look at every drawn token")
    whole_number("batch_size", batch_size, least=1, hint="leave it out")
    most = optional(whole(least=1, hint="leave it out"))
    max_rows, max_tokens = most("max_rows", max_rows), most("max_tokens", max_tokens)
    given = rows.rows if isinstance(rows, Source) else rows
    if max_tokens is None:
        positions = position_limit(model) or _MOST_TOKENS + len(prefix)
        max_tokens = max(min(_MOST_TOKENS, positions - len(prefix)), 1)
    tokens = find_drawn_tokens(
        RowSource(rows.name if isinstance(rows, Source) else "rows", given),
        column=column,
        encode=None if tokenizer is None else encoder(tokenizer),
        documents=documents,
        prefix=prefix,
        every=every,
        max_rows=max_rows,
        max_tokens=max_tokens,
        batch_size=batch_size,
    )
    sums = sum_up(tokens, model)
    _check(sums)
    peak, decoding = find_peak(sums), None
    if is_generator and peak.is_end:
        is_greedy = sums.largest_rank == 1
        decoding = Decoding(top_k=1) if is_greedy else Decoding(temperature=_temperature(peak))
    elif is_generator:
        cuts, peak = read_cuts(tokens, model, sums.largest_rank, peak)
        decoding = Decoding(round(_temperature(peak), _DIGITS), **cuts._asdict())
    return _result(sums, peak, decoding)


def _check(sums: Sums) -> None:
    if not len(sums.tokens):
        raise bad_argument(
            "rows",
            expected=f"a drawn token with another one before it (column {DRAWN_MASK_COLUMN})",
            given="none",
            hint="give longer rows, or the token that they were drawn from as `prefix`",
        )
    if len(sums.tokens) < 2:
        raise bad_argument(
            "documents",
            expected="drawn tokens of at least 2 documents, since it is documents that differ",
            given="1 document",
            hint="give more rows, some hundred if you can",
        )
    slopes_and_curvatures = np.abs(sums.likelihood[..., 1:])
    if slopes_and_curvatures.max() <= _FLAT:
        raise ScoringError(
            "the model gives all tokens the same probability, at any temperature: there is nothing "
            "to find. Give a trained model."
        )


def _temperature(peak: Peak) -> float:
    return math.exp(-peak.log_beta)


def _result(sums: Sums, peak: Peak, decoding: Decoding | None) -> EffectiveTemperature:
    temperature, documents = _temperature(peak), len(sums.tokens)
    error, interval = math.nan, (0.0, temperature) if temperature < 1 else (temperature, math.inf)
    if not peak.is_end:
        spread = float(peak.slopes @ peak.slopes) * documents / (documents - 1)
        # Of the logarithm, on which the interval keeps clear of 0.
        error = math.sqrt(spread) / peak.information
        worth = float(sums.tokens.sum() ** 2 / (sums.tokens @ sums.tokens))
        reach = student_half_width(error, worth, probability=(1 + _CONFIDENCE) / 2)
        interval = temperature * math.exp(-reach), temperature * math.exp(reach)
    return EffectiveTemperature(
        temperature=temperature,
        standard_error=temperature * error,
        interval=interval,
        rows=sums.rows,
        tokens=int(sums.tokens.sum()),
        documents=documents,
        resolution=RESOLUTION if decoding is None else 0.0,
        decoding=decoding,
    )
