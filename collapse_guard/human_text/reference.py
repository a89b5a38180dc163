"""What human text looks like under one tokenizer: token counts, bands, self-information."""

import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.atomic import read_arrays, write_atomically
from collapse_guard.errors import ArgumentError, TokenizerMismatchError, bad_argument
from collapse_guard.human_text.bands import BANDS, BandCutoffs, band_cutoffs
from collapse_guard.human_text.counting import Documents, column_blocks, count_types
from collapse_guard.human_text.given_counts import (
    as_counts,
    check_column,
    check_described,
    check_integers,
)
from collapse_guard.human_text.left_out import (
    SpecialTokens,
    leave_out,
    special_token_ids,
)
from collapse_guard.human_text.reference_settings import (
    FORMAT,
    check_counts,
    reference_settings,
)
from collapse_guard.human_text.tokenizer import (
    Tokenizer,
    num_ids,
    num_types,
    tokenizer_fingerprint,
)
from collapse_guard.human_text.type_counts import TYPE_COUNTS, TypeCounts


@dataclass(frozen=True, eq=False)
class HumanReference:
    """Token counts of a human corpus under one tokenizer.

    Types that the corpus shows and types that it does not show both belong to it. What is no human
    text (padding, special tokens) belongs to no band and is not counted, as far as a tokenizer or a
    mask tells what it is. Build one with `from_token_ids` or `from_dataset`, or from
    parts with `from_type_counts`; add corpora with `merge`; keep it with `save` and `load`.

    Attributes:
        counts: int64 of shape (vocab_size,), how often each type occurs; read-only.
        fingerprint: Of the tokenizer that made the ids, or None where none was given.
        tail_mass: Largest share of human tokens that the tail may hold.
        smoothing: The `a` of the self-information.
        special_ids: Types that stand for no human text, ascending; their counts are 0.
        left_out: How many tokens were not counted, by what they are: "padding", "special tokens".

    Example:
        >>> documents = [[0, 0, 0, 1, 1, 2], [0, 0, 1, 0]]
        >>> reference = HumanReference.from_token_ids(documents, vocab_size=4)
        >>> reference.counts.tolist(), reference.num_tokens
        ([6, 3, 1, 0], 10)
        >>> reference.tail_types.tolist()
        [False, False, True, True]
        >>> reference.band_mass
        {'head': 0.6, 'torso': 0.3, 'tail': 0.1}
    """

    counts: npt.NDArray[np.int64]
    fingerprint: str | None = None
    tail_mass: float = 0.10
    smoothing: float = 1.0
    special_ids: tuple[int, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = as_counts(self.counts)
        check_described(self, num_types=len(counts))
        counts.setflags(write=False)
        object.__setattr__(self, "counts", counts)
        # Raises here, at construction, if nothing was counted or `tail_mass` is out of range.
        _ = self.cutoffs

    @classmethod
    def from_token_ids(
        cls,
        documents: Documents,
        *,
        vocab_size: int,
        tokenizer: Tokenizer | None = None,
        tail_mass: float = 0.10,
        smoothing: float = 1.0,
        special_tokens: SpecialTokens = "leave out",
        attention_mask: Iterable[Any] | None = None,
    ) -> "HumanReference":
        """Count an iterable of token id sequences, or of token ids.

        Args:
            documents: The human text as token ids; a document at a time or one flat stream.
            vocab_size: Number of types of the tokenizer, added tokens included (`len(tokenizer)`).
                The model's output may be padded past it; those rows belong to no band. Where the
                tokenizer's ids have gaps, the largest id and one takes its place.
            tokenizer: The tokenizer that made the ids. Its fingerprint is kept, and everything
                that is read against this reference is checked with it. It says which tokens are
                special: padding, beginning and end, and whatever else it calls so.
            tail_mass: Largest share of human tokens that the tail may hold, in (0, 0.5).
            smoothing: Added to every count for the self-information, above 0.
            special_tokens: What becomes of those: "leave out", so that they belong to no band, or
                "count" them like any other.
            attention_mask: For padded documents, of each a mask as long as it: where that is 0,
                there is padding, which is left out either way.

        Raises:
            ArgumentError: An id is negative or not below `vocab_size`, there is no token, or a mask
                is not as long as its document.
        """
        found = TypeCounts.of(
            documents, vocab_size=vocab_size, tokenizer=tokenizer, attention_mask=attention_mask
        )
        return cls.from_type_counts(
            found,
            tokenizer=tokenizer,
            tail_mass=tail_mass,
            smoothing=smoothing,
            special_tokens=special_tokens,
        )

    @classmethod
    def from_type_counts(
        cls,
        type_counts: TypeCounts,
        *,
        tokenizer: Tokenizer | None = None,
        tail_mass: float = 0.10,
        smoothing: float = 1.0,
        special_tokens: SpecialTokens = "leave out",
    ) -> "HumanReference":
        """A reference of counts that were merged from parts of a corpus.

        Args:
            type_counts: Of all of it.
            tokenizer: As in `from_token_ids`, as are the others.
            tail_mass: Largest share of human tokens that the tail may hold.
            smoothing: Added to every count for the self-information.
            special_tokens: What becomes of those.

        Raises:
            ArgumentError: There is no token.
        """
        given = TYPE_COUNTS("type_counts", type_counts)
        counts = given.counts.copy()
        special = special_token_ids(tokenizer, special_tokens)
        special_ids, left_out = leave_out(counts, given.masked, special)
        fingerprint = None if tokenizer is None else tokenizer_fingerprint(tokenizer)
        return cls(counts, fingerprint, tail_mass, smoothing, special_ids, left_out)

    @classmethod
    def from_dataset(
        cls,
        dataset: Any,
        column: str = "input_ids",
        *,
        vocab_size: int,
        tokenizer: Tokenizer | None = None,
        tail_mass: float = 0.10,
        smoothing: float = 1.0,
        special_tokens: SpecialTokens = "leave out",
    ) -> "HumanReference":
        """Count a column of token ids of a Hugging Face `Dataset`, straight from its Arrow buffers.

        Where the data set has a column `attention_mask` too, what that masks out is padding.

        Args:
            dataset: A `datasets.Dataset` (or an `IterableDataset` that knows its columns).
            column: Name of the column with the token ids: a list per row.
            vocab_size: As in `from_token_ids`.
            tokenizer: As in `from_token_ids`.
            tail_mass: As in `from_token_ids`.
            smoothing: As in `from_token_ids`.
            special_tokens: As in `from_token_ids`. What a mask masks out is left out either way.

        Raises:
            ArgumentError: The column is missing or does not hold token ids, or a mask is not as
                long as its row.
        """
        check_column(dataset, column)
        masked: dict[int, int] = {}
        blocks = column_blocks(dataset, column, masked)
        counts = count_types(blocks, num_types(vocab_size, tokenizer))
        return cls.from_type_counts(
            TypeCounts(counts, masked),
            tokenizer=tokenizer,
            tail_mass=tail_mass,
            smoothing=smoothing,
            special_tokens=special_tokens,
        )

    @property
    def vocab_size(self) -> int:
        """Number of types."""
        return len(self.counts)

    @cached_property
    def num_tokens(self) -> int:
        """Number of human tokens counted."""
        return int(self.counts.sum())

    @cached_property
    def cutoffs(self) -> BandCutoffs:
        """The counts at which the bands are cut."""
        return band_cutoffs(self.counts, tail_mass=self.tail_mass)

    @cached_property
    def special_types(self) -> npt.NDArray[np.bool_]:
        """bool of shape (vocab_size,): the types that stand for no human text."""
        special = np.zeros(self.vocab_size, dtype=bool)
        special[list(self.special_ids)] = True
        return special

    @cached_property
    def tail_types(self) -> npt.NDArray[np.bool_]:
        """bool of shape (vocab_size,): the rare types and the unseen ones."""
        return (self.counts <= self.cutoffs.tail) & ~self.special_types

    @cached_property
    def head_types(self) -> npt.NDArray[np.bool_]:
        """bool of shape (vocab_size,): the commonest types."""
        return self.counts >= self.cutoffs.head

    @cached_property
    def torso_types(self) -> npt.NDArray[np.bool_]:
        """bool of shape (vocab_size,): the types between head and tail."""
        return ~(self.tail_types | self.head_types | self.special_types)

    @cached_property
    def band_mass(self) -> dict[str, float]:
        """Share of the human tokens that each band really got, which ties move off the target."""
        types = {"head": self.head_types, "torso": self.torso_types, "tail": self.tail_types}
        return {band: float(self.counts[types[band]].sum() / self.num_tokens) for band in BANDS}

    @cached_property
    def self_information(self) -> npt.NDArray[np.float64]:
        """float64 of shape (vocab_size,): `-log2((c + a) / (N + a V))`, in bits.

        Additive smoothing keeps it finite for unseen types. Types that stand for no human text tell
        nothing: 0, and `V` is without them.
        """
        smoothed = np.where(self.special_types, 0.0, self.counts + self.smoothing)
        total = smoothed.sum()
        smoothed[self.special_types] = total
        information: npt.NDArray[np.float64] = np.log2(total) - np.log2(smoothed)
        return information

    @cached_property
    def entropy(self) -> float:
        """Entropy of the token counts, in bits per token, as if tokens were independent."""
        shares = self.counts[self.counts > 0] / self.num_tokens
        return float(-(shares * np.log2(shares)).sum())

    def merge(self, other: "HumanReference") -> "HumanReference":
        """The reference of both corpora together.

        Raises:
            TokenizerMismatchError: The two were counted with different tokenizers.
            ArgumentError: They differ in `tail_mass` or `smoothing`, or one counted what the other
                left out as no human text.
        """
        if not isinstance(other, HumanReference):
            raise bad_argument(
                "other", expected="a HumanReference", given=other, hint="count the other text first"
            )
        self._check_vocabulary(other.vocab_size, other.fingerprint, "the other reference")
        if (self.tail_mass, self.smoothing) != (other.tail_mass, other.smoothing):
            raise bad_argument(
                "other",
                expected=f"tail_mass={self.tail_mass} and smoothing={self.smoothing}",
                given=f"tail_mass={other.tail_mass}, smoothing={other.smoothing}",
                hint="build both with the same settings",
            )
        counts, special = self.counts + other.counts, self.special_types | other.special_types
        if counts[special].any():
            raise bad_argument(
                "other",
                expected="a reference that leaves out the same types as no human text",
                given=f"one that counted type {np.flatnonzero(special & (counts > 0))[0]}, or not",
                hint="build both with the tokenizer, and with the same `special_tokens`",
            )
        return HumanReference(
            counts,
            self.fingerprint or other.fingerprint,
            self.tail_mass,
            self.smoothing,
            tuple(np.flatnonzero(special).tolist()),
            dict(Counter(self.left_out) + Counter(other.left_out)),
        )

    def check_tokenizer(self, tokenizer: Tokenizer) -> None:
        """Refuse a tokenizer other than the one that this reference was counted with.

        The vocabulary size is compared too, so that a reference without fingerprint is still
        guarded against the coarsest mistake.

        Raises:
            TokenizerMismatchError: They differ.
        """
        # The reference may have been counted by the tokens or, where ids have gaps, by the largest.
        sizes = num_ids(tokenizer), len(tokenizer.get_vocab())
        size = self.vocab_size if self.vocab_size in sizes else sizes[0]
        self._check_vocabulary(size, tokenizer_fingerprint(tokenizer), "the tokenizer given")

    def check_ids(self, ids: npt.NDArray[np.integer[Any]]) -> None:
        """Refuse token ids that this reference's vocabulary does not have.

        Args:
            ids: Integers of any shape.

        Raises:
            TokenizerMismatchError: An id is negative or not below `vocab_size`.
        """
        check_integers(ids)
        if ids.size and (ids.min() < 0 or ids.max() >= self.vocab_size):
            wrong = int(ids.min() if ids.min() < 0 else ids.max())
            raise TokenizerMismatchError(
                f"token id {wrong} is not in the human reference's vocabulary of "
                f"{self.vocab_size} types (ids 0 to {self.vocab_size - 1}): use the tokenizer that "
                f"the reference was counted with, or rebuild the reference with this one."
            )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the reference as one small file (a compressed `.npz`), atomically."""
        settings = {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "tail_mass": self.tail_mass,
            "smoothing": self.smoothing,
            "special_ids": self.special_ids,
            "left_out": dict(self.left_out),
        }
        buffer = io.BytesIO()
        np.savez_compressed(buffer, counts=self.counts, settings=np.array(json.dumps(settings)))
        write_atomically(path, buffer.getvalue())

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, tokenizer: Tokenizer | None = None
    ) -> "HumanReference":
        """Read a reference that `save` wrote.

        Args:
            path: The file.
            tokenizer: When given, it must be the one that the reference was counted with.

        Raises:
            TokenizerMismatchError: The tokenizer is another one.
            ArgumentError: The file is not a saved reference, is cut short or otherwise broken, or
                of a newer format.
            OSError: There is no such file, or none that may be read.
        """
        try:
            counts, written = read_arrays(path, "counts", "settings")
            reference = cls(check_counts(counts), **reference_settings(str(written), len(counts)))
        except (IsADirectoryError, ValueError) as error:
            raise _unreadable(path) from error
        if tokenizer is not None:
            reference.check_tokenizer(tokenizer)
        return reference

    def _check_vocabulary(self, vocab_size: int, fingerprint: str | None, what: str) -> None:
        known = self.fingerprint is not None and fingerprint is not None
        if vocab_size != self.vocab_size or (known and fingerprint != self.fingerprint):
            raise TokenizerMismatchError(
                f"the human reference was counted with tokenizer "
                f"{self.fingerprint or '(unnamed)'} of {self.vocab_size} types, but {what} is "
                f"{fingerprint or '(unnamed)'} of {vocab_size} types: token ids mean different "
                f"things under the two; rebuild the reference with the tokenizer that you train."
            )


def _unreadable(path: str | os.PathLike[str]) -> ArgumentError:
    return bad_argument(
        "path",
        expected="a file written by HumanReference.save",
        given=os.fspath(path),
        hint="build the reference again and save it",
    )
