"""The held-out human text that a model is looked at on."""

import hashlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.arguments import (
    a,
    check_fields,
    members,
    one_of,
    optional,
    tensor,
    whole,
)
from collapse_guard.errors import PanelError, bad_argument
from collapse_guard.human_text.documents import Document
from collapse_guard.human_text.groups import group_numbers
from collapse_guard.human_text.left_out import unmasked_documents
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.human_text.repeats import (
    first_copies,
    join_near_copies,
    refuse_leaks,
    shingle_length,
)
from collapse_guard.human_text.texts import check_documents, checked_texts, same_words
from collapse_guard.human_text.tokenizer import Tokenizer, encoded
from collapse_guard.human_text.usable_documents import as_ids, usable_documents
from collapse_guard.human_text.windows import Windows, cut_all

_HOW_TO_BUILD = "build the panel with from_token_ids or from_texts"
_TOKENIZE = "tokenize the text first, or use HeldOutPanel.from_texts"
_WINDOWS = tensor(of="whole numbers", expected="a tensor of whole numbers", hint=_HOW_TO_BUILD)

A_REFERENCE = a(
    HumanReference,
    expected="a HumanReference",
    hint="count human text with HumanReference.from_token_ids",
)
"""Checks an argument that is to be one."""


@dataclass(frozen=True, eq=False)
class HeldOutPanel:
    """Held-out human documents as windows of one length, with the positions to look at.

    Build one with `from_token_ids` or `from_texts`. A position is looked at when the model can
    predict it, so the first token of a window never is (unless a prefix stands before it). Tokens
    that stand for no human text are context, and are not looked at (`HumanReference.special_ids`).

    Attributes:
        reference: The human reference that says which tokens are head and tail.
        input_ids: int64 of shape (windows, tokens), on the CPU.
        document_ids: int64 of shape (windows,), from 0 to `num_documents` - 1: the document that
            each window is from, the unit of all standard errors. Documents that were given and that
            belong together (one of the `groups`, near copies) are one of these.
        positions: bool of shape (windows, tokens), the positions whose token is predicted.
        source_ids: int64 of shape (windows,): the number, among those that were given, of the
            document that each window is from; None where that is what `document_ids` says.
    """

    reference: HumanReference
    input_ids: torch.Tensor
    document_ids: torch.Tensor
    positions: torch.Tensor
    source_ids: torch.Tensor | None = None

    def __post_init__(self) -> None:
        check_fields(
            self,
            reference=A_REFERENCE,
            input_ids=_WINDOWS,
            document_ids=_WINDOWS,
            positions=_WINDOWS,
            source_ids=optional(_WINDOWS),
        )
        self._check_shapes()
        if self.num_documents < 2:
            alike = " (as many as are no near copies, and not of one group)"
            raise PanelError(
                f"the panel has fewer than 2 documents of full length"
                f"{alike if self.num_sources > 1 else ''}: standard errors come from "
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

    def _check_shapes(self) -> None:
        ids, owners = self.input_ids, self.document_ids
        sources = owners if self.source_ids is None else self.source_ids
        if ids.ndim != 2 or self.positions.shape != ids.shape or self.positions.dtype != torch.bool:
            wrong = "positions", f"bool of shape {tuple(ids.shape)}, (windows, tokens)"
        elif owners.shape != ids.shape[:1] or not (owners >= 0).all():
            wrong = "document_ids", f"a number from 0 for each of {len(ids)} windows"
        elif sources.shape != ids.shape[:1]:
            wrong = "source_ids", f"a number for each of {len(ids)} windows, or None"
        else:
            self.reference.check_ids(ids.numpy())
            return
        name, expected = wrong
        raise bad_argument(name, expected=expected, given=getattr(self, name), hint=_HOW_TO_BUILD)

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
        groups: Iterable[Hashable] | None = None,
        attention_mask: Iterable[Any] | None = None,
    ) -> "HeldOutPanel":
        """Cut tokenized documents into windows.

        Args:
            documents: Held-out human documents as token ids. A window never spans two of them,
                and what is left over at a document's end is not used, nor is padding: two or more
                of one special token of the reference at either end. Of documents with the same
                windows the first counts, and those that share most of their text count as one;
                both is told.
            reference: The human reference; its tokenizer must have made the ids.
            window: Tokens per window, at least 2 (prefix not counted).
            training_documents: The human text that the model trains on, as token ids. When given,
                a held-out document that stands in it, whole or nearly so, is refused.
            short: What to do with documents shorter than a window: refuse them or leave them out.
            max_windows: Keep at most so many windows, spread evenly over the documents (or over
                their groups): all give their first window before any gives its second.
            prefix: Token ids before every window that are not looked at, such as the
                beginning-of-sequence token without which Gemma models predict nothing sensible.
            groups: A label of each document, in their order: give them when several documents are
                of one article, author or source file, as where a data set has a paragraph a row,
                since standard errors and alarms count what is not labelled as drawn independently.
                Documents of one label count as one.
            attention_mask: For padded documents, of each a mask as long as it: where that is 0,
                there is padding, whatever the reference knows of its id.

        Raises:
            ArgumentError: An argument out of range, one text in place of many, a mask that is not
                as long as its document, training documents that hold nothing to look held-out
                ones up in, or labels that are missing or all the same.
            TokenizerMismatchError: Token ids past the reference's vocabulary.
            PanelError: Documents shared with the training text, too short, fewer than two, or
                without a tail token.

        Example:
            >>> reference = HumanReference.from_token_ids([[0] * 6 + [1] * 3 + [2]], vocab_size=3)
            >>> paragraphs = [[0, 2, 0], [1, 0, 2], [0, 0, 2], [2, 1, 0]]
            >>> titles = ["Lobster", "Lobster", "Opera", "Opera"]
            >>> panel = HeldOutPanel.from_token_ids(paragraphs, reference, window=3, groups=titles)
            >>> panel.num_sources, panel.num_documents
            (4, 2)
        """
        _check_settings(reference, window, short, max_windows)
        check_documents("documents", documents)
        documents = unmasked_documents(documents, attention_mask, {})
        each = members("documents", documents, expected="documents of token ids", hint=_TOKENIZE)
        held_out = {i: as_ids(document, reference) for i, document in enumerate(each)}
        numbers = group_numbers(groups, len(held_out))
        held_out = usable_documents(held_out, reference, window, drop_short=short == "drop")
        if training_documents is not None:
            check_documents("training_documents", training_documents)
            shingle = min(shingle_length(reference.entropy), window)
            refuse_leaks(held_out, "training_documents", training_documents, shingle)
        return cls._of(held_out, reference, window, max_windows, prefix, numbers)

    @classmethod
    def _of(
        cls,
        held_out: Mapping[int, npt.NDArray[np.int64]],
        reference: HumanReference,
        window: int,
        max_windows: int | None,
        prefix: Sequence[int],
        groups: npt.NDArray[np.int64],
    ) -> "HeldOutPanel":
        windows = cut_all(held_out, groups, window, max_windows)
        first = as_ids(prefix, reference, "prefix")
        before = np.broadcast_to(first, (len(windows.ids), len(first)))
        positions = np.ones((len(windows.ids), len(first) + window), dtype=bool)
        positions[:, : max(len(first), 1)] = False
        tokens = np.concatenate([before, windows.ids], axis=1)
        positions &= ~reference.special_types[tokens]
        # A window of markup alone has nothing to look at.
        looked_at = np.flatnonzero(positions.any(1))
        windows = Windows(*(part[looked_at] for part in windows))
        units = join_near_copies(windows, shingle_length(reference.entropy))
        # The windows of a unit one after another, as those of a document are.
        order = np.argsort(units, kind="stable")
        kept = looked_at[order]
        parts = tokens[kept], units[order], positions[kept], windows.documents[order]
        return cls(reference, *map(torch.from_numpy, parts))

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
        groups: Iterable[Hashable] | None = None,
    ) -> "HeldOutPanel":
        """Tokenize held-out texts, one document each, and cut them into windows.

        Args:
            texts: Held-out human documents. Of documents that say the same in another Unicode form
                or with other spaces the first counts, and that is told.
            tokenizer: The tokenizer of the model and of the reference; it adds no special tokens.
            reference: As in `from_token_ids`.
            window: As in `from_token_ids`.
            training_texts: As `training_documents` in `from_token_ids`, before tokenization, and
                looked up in without regard to Unicode form and spaces.
            short: As in `from_token_ids`.
            max_windows: As in `from_token_ids`.
            prefix: As in `from_token_ids`.
            groups: As in `from_token_ids`: the label of each text that comes from an article, an
                author or a file that others come from too.

        Raises:
            TokenizerMismatchError: The tokenizer is not the reference's.
            PanelError: As in `from_token_ids`.
            ArgumentError: As in `from_token_ids`.
        """
        _check_settings(reference, window, short, max_windows)
        reference.check_tokenizer(tokenizer)
        given = dict(enumerate(checked_texts("texts", texts)))
        numbers = group_numbers(groups, len(given))
        content = {i: same_words(text) for i, text in given.items()}
        held_out = {
            i: as_ids(encoded(tokenizer, text), reference)
            for i, text in first_copies(given, content).items()
        }
        held_out = usable_documents(held_out, reference, window, drop_short=short == "drop")
        if training_texts is not None:
            refuse_leaks(
                {i: np.array(encoded(tokenizer, content[i]), np.int64) for i in held_out},
                "training_texts",
                (
                    encoded(tokenizer, same_words(text))
                    for text in checked_texts("training_texts", training_texts)
                ),
                min(shingle_length(reference.entropy), window),
            )
        return cls._of(held_out, reference, window, max_windows, prefix, numbers)

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.input_ids)

    def __repr__(self) -> str:
        windows, tokens = self.input_ids.shape
        together = f" in {self.num_documents} groups" * (self.num_sources > self.num_documents)
        return (
            f"<HeldOutPanel {self.fingerprint}: {windows} windows of {tokens} tokens, "
            f"{self.num_sources} documents{together}>"
        )

    @cached_property
    def vocab_size(self) -> int:
        """Number of types of the reference."""
        return self.reference.vocab_size

    @cached_property
    def tail_types(self) -> npt.NDArray[np.bool_]:
        """bool of shape (vocab_size,): the rare types of the reference, and the unseen ones."""
        return self.reference.tail_types

    @cached_property
    def special_types(self) -> npt.NDArray[np.bool_]:
        """bool of shape (vocab_size,): the types of the reference that stand for no human text."""
        return self.reference.special_types

    @cached_property
    def num_documents(self) -> int:
        """Number of independent documents that the windows are from: groups count as one."""
        return int(self.document_ids.max()) + 1 if len(self.document_ids) else 0

    @cached_property
    def num_sources(self) -> int:
        """Number of documents, as they were given, that the windows are from."""
        return self.num_documents if self.source_ids is None else len(self.source_ids.unique())

    @cached_property
    def tail_positions(self) -> torch.Tensor:
        """bool of shape (windows, tokens): positions whose token is a tail type."""
        return self.positions & torch.from_numpy(self.tail_types)[self.input_ids]

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
        parts = [self.input_ids, self.document_ids, self.tail_positions, self.head_positions]
        if (self.positions != self.positions[:1]).any():
            # Where all windows are looked at alike, these have never been a part of the name.
            parts.append(self.positions)
        for part in parts:
            digest.update(repr(tuple(part.shape)).encode())
            digest.update(part.numpy().tobytes())
        return digest.hexdigest()[:16]


def _check_settings(
    reference: HumanReference, window: int, short: str, max_windows: int | None
) -> None:
    A_REFERENCE("reference", reference)
    whole(least=2, hint="128 is the default")("window", window)
    one_of("error", "drop", hint="choose")("short", short)
    optional(whole(least=2, hint="leave it out"))("max_windows", max_windows)


A_PANEL = a(
    HeldOutPanel,
    expected="a HeldOutPanel",
    hint="cut held-out text with HeldOutPanel.from_token_ids",
)
"""Checks an argument that is to be one."""
