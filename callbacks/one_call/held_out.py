"""Held-out human text, in the forms that people have it in, as token ids."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import listed, understood
from collapse_guard.errors import ArgumentError, bad_argument
from collapse_guard.human_text.texts import check_documents
from collapse_guard.human_text.tokenizer import Tokenizer, encoded
from collapse_guard.rows.containers import as_rows
from collapse_guard.rows.row_source import RowSource
from collapse_guard.spacing import evenly_spaced

Ids = npt.NDArray[np.int64]

MOST_DOCUMENTS = 4096
"""Documents that are read of longer lists, evenly over them; of streams the first."""

_FORMS = "texts, or a data set with a column input_ids, text, messages, or prompt and completion"


@dataclass(frozen=True)
class HeldOutText:
    """Documents as token ids.

    Attributes:
        documents: Each int64 of shape (tokens,).
        groups: A label of each; None where none was given.
        given: How many there were, some of which may not have been read.
    """

    documents: Sequence[Ids]
    groups: Sequence[Hashable] | None
    given: int


def held_out_text(
    argument: str, given: Any, tokenizer: Tokenizer, groups: str | Iterable[Hashable] | None = None
) -> HeldOutText:
    """Read held-out text.

    Rows of chats go through the tokenizer's chat template, where it has one; without, what was said
    is put together.

    Args:
        argument: The argument's name, for errors.
        given: Texts, or a data set of rows: a list of rows, a `datasets.Dataset` or its stream, a
            data frame. Of its columns the first of these that is there is read: `input_ids` (with
            `attention_mask`), `messages`, `prompt` and `completion`, `text`, the only one of texts.
        tokenizer: Of the model.
        groups: The label of each document, or the name of the column that holds it.

    Raises:
        ArgumentError: It is none of these; says what to write.
    """
    if not isinstance(given, Mapping):
        check_documents(argument, given)
    rows, numbers, count = _some_rows(argument, given)
    if not rows:
        raise bad_argument(
            argument, expected=_FORMS, given="none", hint="hold some human documents out"
        )
    read = _reader(argument, rows[0], tokenizer)
    with understood(argument, given, expected=_FORMS, hint="look at its first row"):
        documents = [np.asarray(read(row), dtype=np.int64) for row in rows]
    return HeldOutText(documents, _labels(groups, rows, numbers, count), count)


def _some_rows(argument: str, given: Any) -> tuple[list[Any], Sequence[int], int]:
    """Rows, their numbers, and how many there are."""
    rows = as_rows(argument, given)
    if not hasattr(rows, "__len__") or not hasattr(rows, "__getitem__"):
        first = listed(argument, islice(rows, MOST_DOCUMENTS), expected=_FORMS, hint="give a list")
        return first, range(len(first)), len(first)
    with understood(argument, given, expected=_FORMS, hint="give a list"):
        count = len(rows)
    numbers = [int(n) for n in evenly_spaced(min(count, MOST_DOCUMENTS), max(count, 1))]
    if not numbers:
        return [], [], 0
    return RowSource(argument, rows).read(numbers), numbers, count


def _reader(argument: str, row: Any, tokenizer: Tokenizer) -> Callable[[Any], Sequence[int] | Ids]:
    if isinstance(row, str):
        return lambda text: encoded(tokenizer, text)
    if isinstance(row, Mapping):
        read = _reader_of_row(row, tokenizer)
        if read is not None:
            return read
        given: Any = f"rows with the columns {sorted(map(str, row))}"
    else:
        given = row
    raise bad_argument(
        argument,
        expected=_FORMS,
        given=given,
        hint=f'give a column of texts: {argument}=dataset["..."]',
    )


def _reader_of_row(
    row: Mapping[str, Any], tokenizer: Tokenizer
) -> Callable[[Any], Sequence[int] | Ids] | None:
    if "input_ids" in row:
        return lambda row: unmasked(
            np.asarray(row["input_ids"], dtype=np.int64), row.get("attention_mask")
        )
    if "messages" in row:
        return lambda row: encoded(tokenizer, _chat(tokenizer, row["messages"]))
    if {"prompt", "completion"} <= row.keys():
        return lambda row: encoded(tokenizer, _answered(tokenizer, row))
    texts = [name for name, value in row.items() if isinstance(value, str)]
    if "text" in texts or len(texts) == 1:
        name = "text" if "text" in texts else texts[0]
        return lambda row: encoded(tokenizer, row[name])
    return None


def unmasked(ids: Ids, mask: Any) -> Ids:
    """The token ids of a row that its attention mask, where it has one, does not mask out."""
    return ids if mask is None else ids[np.asarray(mask) != 0]


def _answered(tokenizer: Any, row: Mapping[str, Any]) -> str:
    prompt, completion = row["prompt"], row["completion"]
    if isinstance(prompt, str) and isinstance(completion, str):
        return prompt + completion
    return _chat(tokenizer, [*prompt, *completion])


def _chat(tokenizer: Any, messages: Sequence[Mapping[str, Any]]) -> str:
    if getattr(tokenizer, "chat_template", None):
        return str(tokenizer.apply_chat_template(messages, tokenize=False))
    return "\n".join(str(message["content"]) for message in messages)


def _labels(
    groups: str | Iterable[Hashable] | None,
    rows: Sequence[Any],
    numbers: Sequence[int],
    count: int,
) -> Sequence[Hashable] | None:
    if groups is None:
        return None
    if isinstance(groups, str):
        if not all(isinstance(row, Mapping) and groups in row for row in rows):
            raise _wrong_groups(groups, "the name of a column of the held-out rows")
        return [row[groups] for row in rows]
    labels = listed("groups", groups, expected="a label for each document", hint="leave it out")
    if len(labels) != count:
        raise _wrong_groups(f"{len(labels)} labels", f"a label for each of {count} documents")
    return [labels[number] for number in numbers]


def _wrong_groups(given: object, expected: str) -> ArgumentError:
    return bad_argument(
        "groups", expected=expected, given=given, hint="give the article or author of each"
    )
