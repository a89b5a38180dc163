"""What a Hugging Face Trainer must not be set to where its model's loss is to be matched."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.mixing.mix_of import mix_of
from collapse_guard.mixing.stream import MixStream
from collapse_guard.model.marked_labels import are_marked
from collapse_guard.random_states import random_states_kept
from collapse_guard.rows.marks import Marks
from collapse_guard.rows.row_source import can_be_read_by_number

require("transformers", "huggingface")

from transformers import Trainer  # noqa: E402

_FIRST_ROWS, _SPREAD_ROWS = 32, 96
"""How many rows are looked at for marks: the first ones, and as many others over all of them."""


def check_settings(trainer: Trainer) -> None:
    """Refuse a Trainer that does not take the loss from its model, or whose model is not there yet.

    Raises:
        ArgumentError: Says which setting, and what to do.
    """
    args = trainer.args
    liger = getattr(args, "liger_kernel_config", None) or {}
    refusals = {
        "label_smoothing_factor": (
            getattr(trainer, "label_smoother", None) is not None,
            "0, as smoothed labels are not what the sampler drew",
            "leave it out of the training arguments",
        ),
        "compute_loss_func": (
            getattr(trainer, "compute_loss_func", None) is not None,
            "None, as it takes the labels away from the model's own loss",
            "leave it out, or call collapse_guard.SamplerMatchedLoss in it and match_sampler not "
            "at all",
        ),
        "use_liger_kernel": (
            args.use_liger_kernel and liger.get("fused_linear_cross_entropy", True),
            "False, as Liger's fused linear cross-entropy makes no logits to cut",
            'set liger_kernel_config={"fused_linear_cross_entropy": False}',
        ),
        "loss_type": (
            getattr(args, "loss_type", "nll") != "nll",
            '"nll", the likelihood that is matched',
            "leave it out of the training arguments",
        ),
        "model_init": (
            trainer.model_init is not None,
            "None, as a new model is made when training starts",
            "give the Trainer the model itself",
        ),
    }
    for name, (is_refused, expected, hint) in refusals.items():
        if is_refused:
            given = getattr(args, name, None) or getattr(trainer, name, None)
            raise bad_argument(f"trainer.{name}", expected=expected, given=given, hint=hint)


def check_collator(trainer: Trainer) -> None:
    """Refuse a Trainer whose collator loses the marks of a row that has some.

    One row goes through the collator, with the random states kept. Of a stream it is the first row
    of a source whose labels are marked; other streams are not looked into.

    Raises:
        ArgumentError: The marks are gone; names collators that keep them.
    """
    with random_states_kept():
        row = next(_marked_rows(trainer.train_dataset), None)
        if row is None:
            return
        # As the Trainer's own loader does, which drops columns here or before.
        collate = trainer._get_collator_with_removed_columns(trainer.data_collator)
        batch = collate([row])
    labels = batch.get("labels") if isinstance(batch, Mapping) else None
    if not isinstance(labels, torch.Tensor) or not are_marked(labels):
        raise bad_argument(
            "trainer.data_collator",
            expected="a collator that keeps the `labels` of rows, which say how tokens were drawn",
            given=type(trainer.data_collator).__name__,
            hint="take transformers.DataCollatorForSeq2Seq(tokenizer), which pads labels, or "
            "collapse_guard.MixCollator() for rows of one length",
        )


def check_unmarked(trainer: Trainer) -> None:
    """Refuse training rows that are not all one model's, where all are said to be.

    Raises:
        ArgumentError: They are those of a mix with human sources, or are marked already.
    """
    rows = trainer.train_dataset
    mix = mix_of(rows)
    has_people = mix is not None and any(source.kind == "human" for source in mix.sources)
    with random_states_kept():
        if not has_people and next(_marked_rows(rows), None) is None:
            return
    raise bad_argument(
        "drawn",
        expected='"marked" for rows of which some are human, or whose labels are marked',
        given="all",
        hint='give the sources of the MixGuard their `decoding`, and leave drawn="all" out',
    )


def _marked_rows(rows: Any) -> Iterator[Mapping[str, Any]]:
    """Rows with marked labels, of those that are looked at."""
    if isinstance(rows, MixStream):
        yield from _marked_rows_of_stream(rows)
        return
    if isinstance(rows, torch.utils.data.IterableDataset) or not hasattr(rows, "__len__"):
        return
    count = len(rows)
    spread = (count * part // _SPREAD_ROWS for part in range(_SPREAD_ROWS))
    for number in sorted({*range(min(count, _FIRST_ROWS)), *spread} if count else ()):
        # Never `__getitems__`: a mixed stream watches over the order that this one is called in.
        row = rows[number]
        labels = row.get("labels") if isinstance(row, Mapping) else None
        if labels is not None and are_marked(torch.as_tensor(labels)):
            yield row


def _marked_rows_of_stream(stream: MixStream) -> Iterator[Mapping[str, Any]]:
    for number, source in enumerate(stream.sources):
        rows: Any = source.rows
        if stream.marks is not None and source.decoding is not None:
            first = rows[0] if can_be_read_by_number(rows) else next(iter(rows), None)
            if first is not None:
                yield stream.marks.mark([first], np.array([number]))[0]


def check_evaluation(trainer: Trainer, decodings: Any) -> None:
    """Refuse to evaluate on rows whose marks mean something else than those that are trained on.

    Raises:
        ArgumentError: They come from another mixed stream, whose decodings are not the same.
    """
    given = trainer.eval_dataset
    for rows in given.values() if isinstance(given, dict) else [given]:
        marks = getattr(rows, "marks", None)
        if not isinstance(marks, Marks) or marks is getattr(decodings, "marks", None):
            continue
        raise bad_argument(
            "trainer.eval_dataset",
            expected="rows that are not marked, or are of the mixed stream that is trained on",
            given="rows of a mixed stream of its own, whose marks would be read as those of the "
            "training rows",
            hint="leave `decoding` out of the sources that are evaluated on, human ones best of "
            "all",
        )
