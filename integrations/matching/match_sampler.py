"""The sampler-matched loss for the trainers that people use, in one line."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Literal, Self

import torch

from collapse_guard.arguments import one_of, understood
from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.finder.search import DecodingSearch
from collapse_guard.finder.source_decoding import SourceDecoding
from collapse_guard.human_text.documents import Document
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.integrations.matching.all_drawn import decoding_of_all, find_for_all
from collapse_guard.integrations.matching.causal_loss import MatchedCausalLoss
from collapse_guard.integrations.matching.find_unknown import find_unknown
from collapse_guard.integrations.matching.fused_head import (
    NoLaterHead,
    check_head,
    has_fused_head,
    match_fused_head,
)
from collapse_guard.integrations.matching.models import (
    Autocast,
    model_in,
    own_loss,
    put_back,
    try_loss,
)
from collapse_guard.integrations.matching.seen_marks import SeenMarks
from collapse_guard.integrations.matching.told import told
from collapse_guard.integrations.matching.trainers import (
    check_collator,
    check_evaluation,
    check_settings,
    check_unmarked,
)
from collapse_guard.mixing.guard import MixGuard
from collapse_guard.mixing.stream import MixStream
from collapse_guard.model.decoding import Decoding
from collapse_guard.model.forward import device_of
from collapse_guard.model.matched_loss import Marking, SamplerMatchedLoss

require("transformers", "huggingface")

from transformers import PreTrainedModel, Trainer  # noqa: E402


class SamplerMatch:
    """A model whose loss is matched, until `remove()`, or until the end of a `with` block.

    Made by `match_sampler`.

    Attributes:
        loss: What takes the place of the model's own loss where labels are marked.
        searches: What was found for sources whose decoding was not known, by their names; by "all"
            where it was that of all rows.
        sources: How each matched source was drawn, and how that is known.
        of_all: Whether all training rows are of one model.

    `print` says for which rows the loss is matched, and to what.
    """

    def __init__(
        self,
        loss: SamplerMatchedLoss,
        undo: Sequence[Callable[[], None]],
        searches: Mapping[str, DecodingSearch],
        sources: Sequence[SourceDecoding],
        *,
        of_all: bool,
    ) -> None:
        self.loss = loss
        self.searches = dict(searches)
        self.sources, self.of_all = tuple(sources), of_all
        self._undo = list(undo)

    def __str__(self) -> str:
        return told(self.sources, of_all=self.of_all)

    def remove(self) -> None:
        """Put the model back as it was; calling this again does nothing."""
        while self._undo:
            self._undo.pop()()
        self.loss.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def match_sampler(
    target: Trainer | torch.nn.Module,
    decodings: Sequence[Decoding] | Marking | Decoding | Literal["find"],
    *,
    drawn: Literal["marked", "all"] = "marked",
    scale_by_temperature: bool = False,
    held_out: Sequence[Document] | HeldOutPanel | None = None,
    **search: Any,
) -> SamplerMatch:
    """Train on generated text under the law that it was drawn from: one line before training.

    Where the labels of a batch say how tokens were drawn (`MixGuard` and `MixStream` mark those
    of sources with a `decoding`), the model's loss becomes the `sampler_matched_loss`. Terms and
    gradients of all other tokens stay those of the model's own loss, bit for bit where
    `sampler_matched_loss` says so, and so does the whole loss of a batch without marks, everywhere:
    evaluation on human text is what it was. Accumulation of
    gradients, `num_items_in_batch`, several processes, adapters, mixed precision and a mixture of
    experts' auxiliary loss work as they do without it. Nothing of it is saved with the model.

    TRL's `SFTTrainer` never makes all logits. Nor does this there: the terms of matched tokens are
    computed from slices of the last hidden state, and computed again in the backward pass.

    A loss that is not matched cannot be taken of marked labels: without this line a `MixGuard`
    refuses to be trained on, and so it does after `.remove()`. What a Trainer hands on besides the
    loss, to `compute_metrics` or from `predict`, has marked labels too;
    `collapse_guard.unmark_labels` takes them apart. So evaluate on rows of a source without a
    decoding, human ones best of all.

    Where everything that is trained on was written by one model, nothing has to be marked: with
    `drawn="all"` each label that counts is of a token that was drawn, for as long as the model is
    in training mode. In evaluation mode its loss stays the plain one.

    Args:
        target: A Hugging Face `Trainer`, TRL's `SFTTrainer` (after it was made), a transformers
            model in any wrapper (PEFT, `torch.compile`, data parallel), or a module that has one
            in it and calls `model(**batch).loss`, such as a LightningModule. The model is called
            once, on two tokens, to see that it takes its loss from its `loss_function`. Of a
            Trainer one marked row goes through the collator too, to see that the marks stay.
        decodings: What the marks mean: the `MixGuard` or `MixStream` that made them, or its
            decodings, of which a token marked i was drawn with the i-th, from 1. With `drawn="all"`
            the one decoding of all, or "find", for a Trainer, to have it found with `held_out`.
        drawn: Which of the tokens that are trained on a sampler drew: those that are "marked", or
            "all". Labels of -100 (prompts) count in neither case.
        scale_by_temperature: As of `sampler_matched_loss`.
        held_out: Human text of the domain of sources with `decoding="find"`, as token ids or as a
            panel, that neither trains nor judges the model: their decodings are found by it now,
            before any training, and told to the mixed stream. It takes the time of some hundred
            training steps.
        search: Further arguments of `find_decoding`, such as `steps` or `max_seconds`.

    Returns:
        What `.remove()` takes it off with; a context manager too.

    Raises:
        ArgumentError: At once, where the loss could not be matched: label smoothing,
            `compute_loss_func`, Liger's fused linear cross-entropy, a loss of another kind, an
            encoder-decoder, a model that is matched already, a collator that makes labels anew, or
            rows to evaluate on that another mixed stream has marked; with `drawn="all"` rows that
            are marked, or a mix with human ones.
            In training, for a mark that no decoding belongs to.

    Example:
        >>> from transformers import GPT2Config, GPT2LMHeadModel
        >>> from collapse_guard import mark_labels
        >>> config = GPT2Config(vocab_size=50, n_positions=32, n_embd=16, n_layer=1, n_head=2)
        >>> model = GPT2LMHeadModel(config)
        >>> tokens = torch.tensor([[5, 1, 4, 2], [5, 3, 3, 0]])  # a human row, and a written one
        >>> labels = mark_labels(tokens, torch.tensor([[0], [1]]))
        >>> match = match_sampler(model, [Decoding(temperature=0.8, top_p=0.95)])
        >>> model(input_ids=tokens, labels=labels).loss.backward()
        >>> match.remove()
    """
    one_of("marked", "all", hint='leave it out, or say drawn="all"')("drawn", drawn)
    all_drawn = drawn == "all"
    of_all = decoding_of_all(decodings) if all_drawn else None
    if of_all is None and _are_none(decodings):
        raise bad_argument(
            "decodings",
            expected="at least one decoding",
            given=decodings,
            hint="give the sources of a MixGuard their `decoding`, or leave match_sampler out",
        )
    if isinstance(target, Trainer):
        check_settings(target)
        trained: Any = target.model
        model = model_in(trained)
        autocast: Autocast = target.accelerator.autocast
    elif isinstance(target, torch.nn.Module):
        model = model_in(target)
        autocast = partial(_autocast, model)
    else:
        raise bad_argument(
            "target",
            expected="a Hugging Face Trainer, or a module with a transformers model in it",
            given=target,
            hint="give the trainer, or the model that it trains",
        )
    own, logits = own_loss(model), try_loss(model, autocast)
    is_fused = has_fused_head(model)
    if is_fused:
        check_head(model, logits, autocast)
    if isinstance(target, Trainer):
        (check_unmarked if all_drawn else check_collator)(target)
        check_evaluation(target, decodings)
    # Last of all that may fail: it takes long, and tells the mixed stream what it found.
    known: Any = decodings
    if of_all is None:
        searches = find_unknown(target, known, held_out, **search)
    else:
        known, searches = find_for_all(target, of_all, held_out, **search)
    loss = SamplerMatchedLoss(known, scale_by_temperature=scale_by_temperature)
    seen = SeenMarks(marks_all=all_drawn)
    matched = MatchedCausalLoss(own, loss, seen, all_drawn=all_drawn)
    undo = [_in_place_of_own(model, matched)]
    if is_fused:
        undo.append(match_fused_head(model, matched))
    else:
        hooks: list[Any] = [
            NoLaterHead(model, matched),
            *([matched.note_mode] if all_drawn else []),
        ]
        undo += [model.base_model.register_forward_pre_hook(hook).remove for hook in hooks]
    sources = [SourceDecoding("all", loss.decodings[0], searches.get("all"))]
    if of_all is None:
        sources = _sources(known, loss, searches)
    match = SamplerMatch(loss, undo, searches, sources, of_all=all_drawn)
    matched.match = match
    return match


def match_on(model: torch.nn.Module) -> SamplerMatch | None:
    """What matches the loss of a model, or of one in it; None where nothing does.

    Example:
        >>> match_on(torch.nn.Linear(2, 2)) is None
        True
    """
    losses = (each.__dict__.get("_loss_function") for each in model.modules())
    on = (each for each in losses if isinstance(each, MatchedCausalLoss) and each.is_on)
    match = next((each.match for each in on), None)
    return match if isinstance(match, SamplerMatch) else None


def _sources(
    decodings: Any, loss: SamplerMatchedLoss, searches: Mapping[str, DecodingSearch]
) -> list[SourceDecoding]:
    """How each source was drawn: of a mix by their names, and else by the number of the mark."""
    if not isinstance(decodings, MixGuard | MixStream):
        return [SourceDecoding(f"{mark}", each) for mark, each in enumerate(loss.decodings, 1)]
    return [
        SourceDecoding(
            source.name,
            source.decoding if isinstance(source.decoding, Decoding) else None,
            searches.get(source.name),
        )
        for source in decodings.sources
        if source.decoding is not None
    ]


def _are_none(decodings: Any) -> bool:
    if isinstance(decodings, Sequence) and not isinstance(decodings, str):
        return not decodings
    if isinstance(decodings, MixGuard | MixStream):
        # Whose decodings may have to be found yet.
        return decodings.marks is None
    wanted = {"expected": "decodings, or a mix that knows them", "hint": "give the MixGuard itself"}
    with understood("decodings", decodings, **wanted):
        return not decodings.decodings


def _in_place_of_own(model: PreTrainedModel, matched: MatchedCausalLoss) -> Callable[[], None]:
    """Let a model call this loss; returns what takes it away again."""
    before = model.__dict__.get("_loss_function")
    model.loss_function = matched

    def remove() -> None:
        # Whoever has put another in its place since keeps that.
        matched.is_on = False
        if model.__dict__.get("_loss_function") is matched:
            put_back(model, "_loss_function", before)

    return remove


def _autocast(model: PreTrainedModel) -> AbstractContextManager[Any]:
    # Some kernels refuse float32, in which mixed precision keeps the weights.
    device = device_of(model)
    return torch.autocast("cuda", dtype=torch.float16) if device.type == "cuda" else nullcontext()
