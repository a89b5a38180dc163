"""The held-out human text that a model is looked at on."""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.errors import PanelError, bad_argument
from collapse_guard.human_text.overlap import find_overlaps
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.human_text.tokenizer import Tokenizer

SHINGLE_BITS = 128
"""Information in the runs of tokens that are looked up in the training text, as if tokens were
independent: human texts rarely share so much by chance. It makes 13 tokens of a vocabulary like
GPT-2's, the length that Brown et al. (GPT-3, 2020, appendix C) use, and 30 single characters."""

LEAK_SHARE = 0.7
"""Share of a document's shingles in the training text from which on it counts as leaked."""

Document = Sequence[int] | npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class HeldOutPanel:
    """Held-out human documents as windows of one length, with the positions to look at.

    Build one with `from_token_ids` or `from_texts`. A position is looked at when the model can
    predict it, so the first token of a window never is (unless a prefix stands before it).

    Attributes:
        reference: The human reference that says which tokens are head and tail.
        input_ids: int64 of shape (windows, tokens), on the CPU.
        document_ids: int64 of shape (windows,), from 0 to `num_documents` - 1: the document that
            each window is from. Documents are the unit of all standard errors.
        positions: bool of shape (windows, tokens), the positions whose token is predicted.
    """

    reference: HumanReference
    input_ids: torch.Tensor
    document_ids: torch.Tensor
    positions: torch.Tensor

    def __post_init__(self) -> None:
        if self.num_documents < 2:
            raise PanelError(
                "the panel has fewer than 2 documents of full length: standard errors come from "
                "how documents differ; give more held-out documents, split long ones at their "
                "natural borders, or use a shorter `window`."
            )
        if not self.tail_positions.any():
            raise PanelError(
                f"no position of the panel holds a tail token (a type seen at most "
                f"{self.reference.cutoffs.tail} times in the human reference): give more held-out "
                f"text, or a reference with a larger `tail_mass` (now {self.reference.tail_mass})."
            )
        if not self.head_positions.any():
            raise PanelError(
                "no position of the panel holds a head token of the human reference: the held-out "
                "text and the reference have next to nothing in common; check that both come from "
                "the same language and tokenizer."
            )

    @classmethod
    def from_token_ids(
        cls,
        documents: Sequence[Document],
        reference: HumanReference,
        *,
        window: int = 128,
        training_documents: Iterable[Document] | None = None,
        short: Literal["error", "drop"] = "error",
        max_windows: int | None = None,
        prefix: Sequence[int] = (),
    ) -> "HeldOutPanel":
        """Cut tokenized documents into windows.

        Args:
            documents: Held-out human documents as token ids. A window never spans two of them,
                and what is left over at a document's end is not used.
            reference: The human reference; its tokenizer must have made the ids.
            window: Tokens per window, at least 2 (prefix not counted).
            training_documents: The human text that the model trains on, as token ids. When given,
                a held-out document that stands in it, whole or nearly so, is refused.
            short: What to do with documents shorter than a window: refuse them or leave them out.
            max_windows: Keep at most so many windows, spread evenly over the documents.
            prefix: Token ids before every window that are not looked at, such as the
                beginning-of-sequence token without which Gemma models predict nothing sensible.

        Raises:
            ArgumentError: An argument out of range.
            TokenizerMismatchError: Token ids past the reference's vocabulary.
            PanelError: Documents shared with the training text, too short, fewer than two, or
                without a tail token.
        """
        if window < 2:
            raise bad_argument(
                "window", expected="at least 2 tokens", given=window, hint="128 is the default"
            )
        if short not in ("error", "drop"):
            raise bad_argument("short", expected='"error" or "drop"', given=short, hint="choose")
        if max_windows is not None and max_windows < 2:
            raise bad_argument(
                "max_windows",
                expected="at least 2, or None",
                given=max_windows,
                hint="leave it out",
            )
        held_out = {i: _as_ids(document, reference) for i, document in enumerate(documents)}
        held_out = _long_enough(held_out, window, drop=short == "drop")
        if training_documents is not None:
            shingle = math.ceil(SHINGLE_BITS / max(reference.entropy, 1.0))
            _refuse_leaks(held_out, training_documents, min(shingle, window))
        ids = np.concatenate(
            [np.zeros((0, window), np.int64), *(_cut(d, window) for d in held_out.values())]
        )
        owners = np.repeat(list(held_out), [len(d) // window for d in held_out.values()])
        if max_windows is not None and len(ids) > max_windows:
            kept = np.linspace(0, len(ids) - 1, max_windows).round().astype(np.int64)
            ids, owners = ids[kept], owners[kept]
        _, owners = np.unique(owners, return_inverse=True)
        before = np.broadcast_to(_as_ids(list(prefix), reference), (len(ids), len(prefix)))
        positions = np.ones((len(ids), len(prefix) + window), dtype=bool)
        positions[:, : max(len(prefix), 1)] = False
        return cls(
            reference,
            torch.from_numpy(np.concatenate([before, ids], axis=1)),
            torch.from_numpy(owners),
            torch.from_numpy(positions),
        )

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        tokenizer: Tokenizer,
        reference: HumanReference,
        *,
        window: int = 128,
        training_texts: Iterable[str] | None = None,
        short: Literal["error", "drop"] = "error",
        max_windows: int | None = None,
        prefix: Sequence[int] = (),
    ) -> "HeldOutPanel":
        """Tokenize held-out texts, one document each, and cut them into windows.

        Args:
            texts: Held-out human documents.
            tokenizer: The tokenizer of the model and of the reference; it adds no special tokens.
            reference: As in `from_token_ids`.
            window: As in `from_token_ids`.
            training_texts: As `training_documents` in `from_token_ids`, before tokenization.
            short: As in `from_token_ids`.
            max_windows: As in `from_token_ids`.
            prefix: As in `from_token_ids`.

        Raises:
            TokenizerMismatchError: The tokenizer is not the reference's.
            PanelError: As in `from_token_ids`.
            ArgumentError: As in `from_token_ids`.
        """
        reference.check_tokenizer(tokenizer)

        def encode(text: str) -> list[int]:
            return list(tokenizer.encode(text, add_special_tokens=False))

        return cls.from_token_ids(
            [encode(text) for text in texts],
            reference,
            window=window,
            training_documents=None if training_texts is None else map(encode, training_texts),
            short=short,
            max_windows=max_windows,
            prefix=prefix,
        )

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.input_ids)

    @cached_property
    def vocab_size(self) -> int:
        """Number of types of the reference."""
        return self.reference.vocab_size

    @cached_property
    def tail_types(self) -> npt.NDArray[np.bool_]:
        """bool of shape (vocab_size,): the rare types of the reference, and the unseen ones."""
        return self.reference.tail_types

    @cached_property
    def num_documents(self) -> int:
        """Number of documents that the windows are from."""
        return int(self.document_ids.max()) + 1 if len(self.document_ids) else 0

    @cached_property
    def tail_positions(self) -> torch.Tensor:
        """bool of shape (windows, tokens): positions whose token is a tail type."""
        return self.positions & torch.from_numpy(self.reference.tail_types)[self.input_ids]

    @cached_property
    def head_positions(self) -> torch.Tensor:
        """bool of shape (windows, tokens): positions whose token is a head type."""
        return self.positions & torch.from_numpy(self.reference.head_types)[self.input_ids]

    @cached_property
    def position_counts(self) -> Mapping[str, npt.NDArray[np.float64]]:
        """float64 of shape (windows,): positions of each window, "all", of the "tail", "head"."""
        bands = {"all": self.positions, "tail": self.tail_positions, "head": self.head_positions}
        return {name: at.sum(1).numpy().astype(np.float64) for name, at in bands.items()}

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that name the windows and their bands."""
        digest = hashlib.sha256()
        for part in (self.input_ids, self.document_ids, self.tail_positions, self.head_positions):
            digest.update(repr(tuple(part.shape)).encode())
            digest.update(part.numpy().tobytes())
        return digest.hexdigest()[:16]


def _as_ids(document: Document, reference: HumanReference) -> npt.NDArray[np.int64]:
    ids = np.asarray(document)
    if ids.size and not np.issubdtype(ids.dtype, np.integer):
        raise bad_argument(
            "documents",
            expected="integer token ids",
            given=ids.dtype,
            hint="tokenize the text first, or use HeldOutPanel.from_texts",
        )
    reference.check_ids(ids)
    return ids.astype(np.int64, copy=False)


def _long_enough(
    documents: dict[int, npt.NDArray[np.int64]], window: int, *, drop: bool
) -> dict[int, npt.NDArray[np.int64]]:
    too_short = [index for index, ids in documents.items() if len(ids) < window]
    if too_short and not drop:
        raise PanelError(
            f"{len(too_short)} of {len(documents)} held-out documents are shorter than a window of "
            f"{window} tokens (the first: document {too_short[0]} with "
            f"{len(documents[too_short[0]])}): use a shorter `window`, or leave them out with "
            f'`short="drop"`.'
        )
    return {index: ids for index, ids in documents.items() if len(ids) >= window}


def _refuse_leaks(
    documents: dict[int, npt.NDArray[np.int64]], training: Iterable[Document], shingle: int
) -> None:
    corpus = (np.asarray(ids, dtype=np.int64) for ids in training)
    overlaps = zip(
        documents, find_overlaps(list(documents.values()), corpus, shingle=shingle), strict=True
    )
    leaked = [(index, overlap) for index, overlap in overlaps if overlap.share >= LEAK_SHARE]
    if leaked:
        index, overlap = leaked[0]
        raise PanelError(
            f"{len(leaked)} of {len(documents)} held-out documents stand in the training text (the "
            f"first: document {index}, of whose runs of {shingle} tokens {overlap.share:.0%} occur "
            f"there, mostly in training document {overlap.source}): take them out of one of the "
            f"two; a model cannot be looked at on text that it learns by heart."
        )


def _cut(ids: npt.NDArray[np.int64], window: int) -> npt.NDArray[np.int64]:
    return ids[: len(ids) // window * window].reshape(-1, window)
