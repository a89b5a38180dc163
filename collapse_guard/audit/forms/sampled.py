"""Some rows of a kind and their forms, read once."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import understood
from collapse_guard.audit.forms.ends import LONGEST_END
from collapse_guard.audit.forms.letters import Profile, profile
from collapse_guard.audit.forms.text_forms import forms_of, measures_of, shortened
from collapse_guard.human_text.token_rows import TokenRows
from collapse_guard.human_text.tokenizer import Tokenizer
from collapse_guard.rows.column import Column

Ids = npt.NDArray[np.int64]
Decode = Callable[[list[int]], str]

_ROWS_AT_A_TIME = 64
_MOST_TOKENS = 4_096
_LAST_TOKENS = 256
_MOST_CHARACTERS = 2_048


@dataclass(frozen=True)
class SampledForms:
    """What is kept of the rows that are looked at.

    Attributes:
        lengths: Tokens of each row, or characters.
        openings: Its first tokens or words, up to 16.
        endings: Its last ones.
        forms: For each text that holds something, the forms it has.
        measures: The measures of each such text.
        letters: The letters of these texts.
    """

    lengths: list[int] = field(default_factory=list)
    openings: list[tuple[Hashable, ...]] = field(default_factory=list)
    endings: list[tuple[Hashable, ...]] = field(default_factory=list)
    forms: list[list[bool]] = field(default_factory=list)
    measures: list[list[float]] = field(default_factory=list)
    letters: list[Profile] = field(default_factory=list)


def sample_forms(columns: Sequence[Column], most: int, decode: Decode | None) -> SampledForms:
    """The forms of rows of some sources, taken together.

    Args:
        columns: The sources.
        most: Rows that are looked at: one, drawn with a fixed seed, of each of so many equal
            stretches, or all where there are no more.
        decode: Turns token ids into text; None where nothing does, or rows are texts.
    """
    found = SampledForms()
    for column, rows in _chosen(columns, most):
        for start in range(0, len(rows), _ROWS_AT_A_TIME):
            contents = column.read(rows[start : start + _ROWS_AT_A_TIME].tolist())
            texts: list[str] = []
            if isinstance(contents, TokenRows):
                for ids in contents.split():
                    _note_ends(found, len(ids), ids[:LONGEST_END].tolist(), _last(ids))
                    if decode is not None:
                        texts.append(decode(_shortened(ids)))
            else:
                for text in contents:
                    words = text[:_MOST_CHARACTERS].split(), text[-_MOST_CHARACTERS:].split()
                    _note_ends(found, len(text), words[0][:LONGEST_END], words[1][-LONGEST_END:])
                texts = contents
            texts = [shortened(text) for text in texts if text.strip()]
            found.forms.extend(map(forms_of, texts))
            found.measures.extend(map(measures_of, texts))
            if texts:
                found.letters.append(profile(texts))
    return found


def _chosen(columns: Sequence[Column], most: int) -> Iterator[tuple[Column, Ids]]:
    ends = np.cumsum([len(column) for column in columns])
    count = min(most, int(ends[-1]))
    cuts = np.arange(count + 1) * int(ends[-1]) // count
    rows = np.random.default_rng(0).integers(cuts[:-1], cuts[1:])
    for column, end in zip(columns, ends.tolist(), strict=True):
        here = rows[(rows < end) & (rows >= end - len(column))]
        yield column, here - (end - len(column))


def _note_ends(found: SampledForms, length: int, first: list[Any], last: list[Any]) -> None:
    if length:
        found.lengths.append(length)
        found.openings.append(tuple(first))
        found.endings.append(tuple(last))


def _last(ids: Ids) -> list[int]:
    last: list[int] = ids[max(len(ids) - LONGEST_END, 0) :].tolist()
    return last


def _shortened(ids: Ids) -> list[int]:
    if len(ids) <= _MOST_TOKENS:
        every: list[int] = ids.tolist()
        return every
    return [*ids[: _MOST_TOKENS - _LAST_TOKENS].tolist(), *ids[-_LAST_TOKENS:].tolist()]


def decoder(tokenizer: Tokenizer | None) -> Decode | None:
    """Turns token ids into text without special tokens; None where the tokenizer cannot."""
    decode: Any = getattr(tokenizer, "decode", None)
    if decode is None:
        return None

    def without_special_tokens(ids: list[int]) -> str:
        with understood(
            "tokenizer",
            tokenizer,
            expected="the tokenizer of the token ids in the rows",
            hint="give the one that made them, or None",
        ):
            return str(decode(ids, skip_special_tokens=True))

    return without_special_tokens


def token_name(tokenizer: Tokenizer | None) -> Callable[[Hashable], str]:
    """What a token is called: its id, and what it stands for where that is known."""
    convert: Any = getattr(tokenizer, "convert_ids_to_tokens", None) or getattr(
        tokenizer, "id_to_token", None
    )
    roles = {
        getattr(tokenizer, f"{role.lower()}_token_id", None): role for role in ("BOS", "EOS", "PAD")
    }

    def name(token: Hashable) -> str:
        shown = str(token)
        if convert is not None:
            shown += f" {convert(token)!r}"
        role = roles.get(token) if isinstance(token, int) else None
        return shown if role is None else f"{shown} ({role})"

    return name
