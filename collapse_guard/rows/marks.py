"""Rows whose labels say how each token was drawn, for the sampler-matched loss."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.errors import ArgumentError, bad_argument
from collapse_guard.human_text.left_out import MASK_COLUMN
from collapse_guard.model.decoding import Decoding
from collapse_guard.model.decoding_columns import (
    DECODING_COLUMNS,
    DRAWN_MASK_COLUMN,
    decoding_from_columns,
)
from collapse_guard.model.inputs import IGNORED_LABEL
from collapse_guard.model.marked_labels import mark_labels
from collapse_guard.rows.row_source import RowSource
from collapse_guard.rows.source import Source
from collapse_guard.rows.token_batch import TokenBatch, Tokens

TAKEN_OUT = (DRAWN_MASK_COLUMN, *DECODING_COLUMNS)
"""What labels are marked by, and what no model has a use for afterwards."""

MAY_DIFFER = (*TAKEN_OUT, MASK_COLUMN)
"""Columns that some sources of a marked mix may have and others not."""

LOSS_MASKS = ("completion_mask", "assistant_masks")
"""Columns of TRL and transformers that may say which tokens count, as the trainer is set."""

_Ids = npt.NDArray[np.int64]


def with_decodings(source: Source, rows: RowSource | Iterable[Any]) -> Source:
    """A source of which it is known what its rows can have been drawn with.

    Args:
        source: As described by the user.
        rows: Its rows, as opened.

    Returns:
        The source; where its decoding was "columns", with all that stand there, in the order of
        their first rows.

    Raises:
        ArgumentError: Its rows hold no token ids, or it is a stream whose columns would have to be
            read to the end.
    """
    if source.decoding is None:
        return source
    if not isinstance(rows, RowSource):
        if source.decoding == "columns":
            raise bad_argument(
                "decoding",
                expected="the decodings themselves, for a stream",
                given="columns",
                hint=f"list all that the columns of {source.name!r} can name: "
                "decoding=[Decoding(0.7), Decoding(1.0)]",
            )
        return source
    columns = rows.columns()
    if columns is None or "input_ids" not in columns:
        raise bad_argument(
            "decoding",
            expected="rows with `input_ids`, the very token ids that were drawn",
            given=sorted(columns or []),
            hint=f"tokenize the rows of {source.name!r} with the tokenizer of the model that is "
            "trained; ids of text that is tokenized anew are not those that were drawn, and "
            'decoding="find" finds what serves them best',
        )
    if source.decoding == "find" or isinstance(source.decoding, Decoding):
        return source
    if "temperature" not in columns:
        raise _no_temperature(source.name, columns)
    if source.decoding != "columns":
        return source
    found: dict[Decoding, None] = {}
    named = [name for name in DECODING_COLUMNS if name in columns]
    for _, read in rows.narrowed(named, in_numpy=False).batches():
        found |= dict.fromkeys(filter(None, map(decoding_from_columns, read)))
    if not found:
        raise bad_argument(
            "decoding",
            expected=f"a temperature in some row of {source.name!r}",
            given="None in all of them",
            hint='leave decoding out for the plain loss, or say "find"',
        )
    return replace(source, decoding=tuple(found))


def _no_temperature(name: str, columns: Iterable[str]) -> ArgumentError:
    return bad_argument(
        "decoding",
        expected=f"rows of {name!r} with a column `temperature`, to say which of several it is",
        given=sorted(columns),
        hint="name the one Decoding itself, or add the column (1.0 for what was drawn as it is)",
    )


class Marks:
    """Marks the labels of rows with the number of each token's decoding.

    A row without `labels` gets them: its `input_ids`, and -100 where an `attention_mask` is 0. Then
    each label of a source with a decoding is marked, but for those whose `drawn_mask` is 0. Columns
    that are of no use afterwards are taken out.

    Args:
        sources: In their order, as `with_decodings` gives them.
        fills_mask: Whether rows without an `attention_mask` get one of ones, since others have one.

    Attributes:
        losses: How many losses know what the marks mean at present.

    Example:
        >>> source = Source([], "old model", "synthetic", decoding=Decoding(temperature=0.8))
        >>> rows = [{"input_ids": [4, 7, 9], "drawn_mask": [0, 1, 1]}]
        >>> Marks([source]).mark(rows, np.array([0]))
        [{'input_ids': [4, 7, 9], 'labels': [4, 1048583, 1048585]}]
    """

    def __init__(self, sources: Sequence[Source], *, fills_mask: bool = False) -> None:
        self._fills_mask = fills_mask
        self._first: list[int] = []
        self._among: list[dict[Decoding, int] | None] = []
        self._unknown: list[str] = []
        self._decodings: list[Decoding] = []
        for source in sources:
            known = source.decoding
            first = len(self._decodings) + 1
            is_one = isinstance(known, Decoding) or known == "find"
            self._first.append(first if is_one else 0)
            self._among.append(None)
            if known == "find":
                self._unknown.append(source.name)
                # Its place, so that numbers are the same once it is found.
                self._decodings.append(Decoding())
            elif isinstance(known, Decoding):
                self._decodings.append(known)
            elif known is not None:
                listed = cast(Sequence[Decoding], known)
                self._among[-1] = {one: first + place for place, one in enumerate(listed)}
                self._decodings += listed
        self._names = [source.name for source in sources]
        self.losses = 0

    @property
    def decodings(self) -> tuple[Decoding, ...]:
        """What marks mean: the i-th of these for a mark of i, from 1.

        Raises:
            ArgumentError: One is still to be found.
        """
        if self._unknown:
            raise bad_argument(
                "decoding",
                expected=f"a Decoding for source {self._unknown[0]!r} when the loss is made",
                given="find",
                hint="give held-out human text to match_sampler(..., held_out=...), or find it "
                "with find_decoding and tell set_decoding(name, found)",
            )
        return tuple(self._decodings)

    def check_known(self) -> None:
        """Refuse to hand rows to a training whose loss cannot know what their marks mean.

        Cross-entropy fails on marked labels without saying why, and TRL's fused head does not even
        fail.

        Raises:
            ArgumentError: No loss knows what they mean.
        """
        if not self.losses:
            raise bad_argument(
                "decoding",
                expected="a loss that is matched to it, before rows are read in batches",
                given="marked labels, and no loss that knows what their marks mean",
                hint="call match_sampler(trainer, mix) before training, or take the loss by "
                "SamplerMatchedLoss(mix); or leave `decoding` out of the sources",
            )

    def mark(self, rows: list[Any], sources: _Ids) -> list[Any]:
        """Rows with marked labels.

        Args:
            rows: As read.
            sources: int64 of shape (n,), from which source each row comes.

        Raises:
            ArgumentError: A row has no `input_ids`, a mask of another length, or a decoding that
                its source does not list.
        """
        columns = rows.unread_columns if isinstance(rows, TokenBatch) else None
        whole = columns is not None and not any(self._among[s] for s in set(sources.tolist()))
        if columns is None or not whole:
            return [self._marked(row, int(s)) for row, s in zip(rows, sources, strict=True)]
        numbers = np.array(self._first)[sources]
        labels = _each_row(columns, numbers)
        kept = {name: values for name, values in columns.items() if name not in TAKEN_OUT}
        return cast(TokenBatch, rows).with_columns({**kept, "labels": labels})

    def _marked(self, row: Any, source: int) -> dict[str, Any]:
        if not isinstance(row, Mapping) or "input_ids" not in row:
            raise bad_argument(
                self._names[source],
                expected="rows with `input_ids`, as labels are to be marked in this mix",
                given=row,
                hint="tokenize the rows of all sources",
            )
        ids = row["input_ids"]
        labels = marked_labels(row, self._number(row, source))
        kept = {name: value for name, value in row.items() if name not in TAKEN_OUT}
        if self._fills_mask and kept.get(MASK_COLUMN) is None:
            kept[MASK_COLUMN] = _like(ids, np.ones_like(labels))
        return {**kept, "labels": _like(ids, labels)}

    def _number(self, row: Mapping[str, Any], source: int) -> int:
        among = self._among[source]
        if among is None:
            return self._first[source]
        if "temperature" not in row:
            raise _no_temperature(self._names[source], row)
        decoding = decoding_from_columns(row)
        if decoding is None:
            return 0
        if decoding not in among:
            raise bad_argument(
                "decoding",
                expected=f"a decoding that source {self._names[source]!r} lists",
                given=str(decoding),
                hint="list all that its columns can name",
            )
        return among[decoding]


def _each_row(columns: Mapping[str, Tokens], numbers: _Ids) -> Tokens:
    """The labels of whole columns: a matrix where all of them are."""
    read = ("input_ids", "labels", DRAWN_MASK_COLUMN, MASK_COLUMN, *LOSS_MASKS)
    needed = [name for name in read if name in columns]
    if all(isinstance(columns[name], np.ndarray) for name in needed):
        return marked_labels({name: columns[name] for name in needed}, numbers[:, None])
    return [
        marked_labels({name: columns[name][place] for name in needed}, int(number))
        for place, number in enumerate(numbers)
    ]


def marked_labels(row: Mapping[str, Any], number: _Ids | int) -> _Ids:
    """The labels of a row, as `Marks` says.

    Args:
        row: Its columns, each of one value a token; or of several rows, as matrices.
        number: Of the decoding that its tokens were drawn with; 0 for none.

    Returns:
        int64 of the shape of its `input_ids`.

    Raises:
        ArgumentError: A column of another length or with other values, a missing value in a column
            of labels, or one of `LOSS_MASKS` without `labels`: whether it counts is for the trainer
            to say, which takes labels as they are where there are some.
    """
    ids = _whole(row, "input_ids", None)
    if row.get("labels") is not None:
        labels = _whole(row, "labels", ids)
    elif "labels" in row:
        # What others mask in their labels, such as prompts, would be trained on here.
        raise bad_argument(
            "labels",
            expected="labels in every row of a source that has a column of them",
            given=None,
            hint="fill them in (the input_ids, and -100 where a token is not to count), or remove "
            "the column",
        )
    else:
        for name in LOSS_MASKS:
            if row.get(name) is not None:
                raise bad_argument(
                    "labels",
                    expected=f"labels in rows with a `{name}`, as they are marked",
                    given=sorted(row),
                    hint="add labels: the input_ids, and -100 where a token is not to count",
                )
        labels = ids
        if row.get(MASK_COLUMN) is not None:
            labels = np.where(_whole(row, MASK_COLUMN, ids) == 0, IGNORED_LABEL, ids)
    if row.get(DRAWN_MASK_COLUMN) is not None:
        number = np.where(_whole(row, DRAWN_MASK_COLUMN, ids) == 0, 0, number)
    return mark_labels(labels, np.asarray(number, dtype=np.int64))


def _whole(row: Mapping[str, Any], name: str, ids: _Ids | None) -> _Ids:
    """A column of whole numbers, as many as there are tokens."""
    values = np.asarray(row[name])
    if values.size and values.dtype.kind not in "iub":
        raise bad_argument(
            name,
            expected="whole numbers, one for each token of a row",
            given=row[name],
            hint="leave the column out of rows that have nothing to say in it",
        )
    if ids is not None and values.shape != ids.shape:
        raise bad_argument(
            name,
            expected=f"{ids.shape[-1]} values, one for each of the row's `input_ids`",
            given=f"{values.shape[-1] if values.ndim else 'a single one'}",
            hint="make both from the same text",
        )
    return values.astype(np.int64)


def _like(ids: Any, labels: _Ids) -> Any:
    """Labels as a row of this kind holds its tokens."""
    if isinstance(ids, torch.Tensor):
        return torch.from_numpy(labels)
    return labels if isinstance(ids, np.ndarray) else labels.tolist()
