"""Rows that hold text of the held-out panel, which a model must not be trained on."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.human_text.repeats import LEAK_SHARE, SHINGLE_BITS
from collapse_guard.human_text.shingles import Hashes, document_shingles
from collapse_guard.human_text.token_rows import TokenRows
from collapse_guard.rows.column import Column, Encode, as_tokens

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LeakedRows:
    """Rows of a source that hold text of the held-out panel.

    Attributes:
        source: Name of the source.
        rows: int64 of shape (leaked,), rising.
        documents: int64 of shape (leaked,), the panel's document that most of it is from.
        share: float64 of shape (leaked,), the larger of two shares: of the row's runs of tokens
            that stand in the panel, and of the runs of a window that stand in the row.
    """

    source: str
    rows: Ids
    documents: Ids
    share: npt.NDArray[np.float64]


def find_leaks(panel: HeldOutPanel, column: Column, encode: Encode | None) -> LeakedRows:
    """Find the rows of a source that hold text of a panel.

    Runs of tokens are compared, as long ones and with the same limit as where a panel is built
    with `training_documents`. A row is listed if at least `LEAK_SHARE` of its own runs stand in
    the panel (a panel document cut into pieces), or if at least that share of a window's runs
    stands in the row (a panel document within a longer row).

    Args:
        panel: The held-out text.
        column: The source.
        encode: Turns texts into token ids of the panel's tokenizer; None where the source holds
            token ids.

    Raises:
        TokenizerMismatchError: The source has token ids past the panel's vocabulary.
    """
    index = _PanelIndex.of(panel)
    parts = []
    start = 0
    for contents in column.batches():
        rows = as_tokens(contents, encode)
        panel.reference.check_ids(rows.ids)
        places, documents, share = index.look_up(rows)
        parts.append((places + start, documents, share))
        start += len(rows.lengths)
    return LeakedRows(column.name, *(np.concatenate(part) for part in zip(*parts, strict=True)))


@dataclass(frozen=True, eq=False)
class _PanelIndex:
    """The panel's shingles: each once, with the first document and window that it stands in."""

    shingle: int
    hashes: Hashes
    documents: Ids
    windows: Ids
    window_sizes: npt.NDArray[np.int64]

    @classmethod
    def of(cls, panel: HeldOutPanel) -> "_PanelIndex":
        texts = _window_texts(panel)
        width = texts.shape[1]
        wanted = math.ceil(SHINGLE_BITS / max(panel.reference.entropy, 1.0))
        shingle = min(wanted, width)
        # Windows of a document stand one after another: joined, they are its text again.
        owners = panel.document_ids.numpy()
        lengths = np.bincount(owners) * width
        hashes, documents = document_shingles(texts.ravel(), lengths, shingle)
        starts = np.flatnonzero(_within(lengths, shingle))
        whole = starts % width <= width - shingle
        known, first = np.unique(hashes, return_index=True)
        windows = np.where(whole, starts // width, len(texts))[first]
        sizes = np.bincount(windows, minlength=len(texts) + 1)
        return cls(shingle, known, documents[first], windows, sizes)

    def look_up(self, rows: TokenRows) -> tuple[Ids, Ids, npt.NDArray[np.float64]]:
        """Rows that leak, rising, with the document and the share of each."""
        found, owners = document_shingles(rows.ids, rows.lengths, self.shingle)
        place = np.minimum(np.searchsorted(self.hashes, found), len(self.hashes) - 1)
        hit = self.hashes[place] == found
        num_rows = len(rows.lengths)
        own = np.bincount(owners, minlength=num_rows)
        share = np.bincount(owners[hit], minlength=num_rows) / np.maximum(own, 1)
        # Each shingle of the panel once a row, however often the row repeats it.
        cells = np.unique(owners[hit] * len(self.hashes) + place[hit])
        row, shingle = np.divmod(cells, len(self.hashes))
        of_row, window, counts = _count_pairs(row, self.windows[shingle])
        inside = window < len(self.window_sizes) - 1
        covered = counts[inside] / self.window_sizes[window[inside]]
        np.maximum.at(share, of_row[inside], covered)
        of_row, document, counts = _count_pairs(row, self.documents[shingle])
        # The most of a row last: later writes win in numpy.
        order = np.argsort(counts, kind="stable")
        main = np.zeros(num_rows, dtype=np.int64)
        main[of_row[order]] = document[order]
        leaks = np.flatnonzero(share >= LEAK_SHARE)
        return leaks, main[leaks], share[leaks]


def _window_texts(panel: HeldOutPanel) -> Ids:
    """The panel's windows without the prefix that stands before each, if one does."""
    ids, looked_at = panel.input_ids.numpy(), panel.positions.numpy().any(axis=0)
    prefix = int(looked_at.argmax())
    # The first token of a window is not looked at either, but belongs to the text.
    if prefix == 1 and len(np.unique(ids[:, 0])) > 1:
        prefix = 0
    return ids[:, prefix:]


def _within(lengths: Ids, shingle: int) -> npt.NDArray[np.bool_]:
    """Which tokens of documents that stand end to end begin a shingle of one document."""
    ends = np.repeat(np.cumsum(lengths), lengths)
    begins: npt.NDArray[np.bool_] = np.arange(len(ends)) + shingle <= ends
    return begins


def _count_pairs(left: Ids, right: Ids) -> tuple[Ids, Ids, Ids]:
    """The different pairs of two arrays, and how often each occurs."""
    base = int(right.max(initial=0)) + 1
    pairs, counts = np.unique(left * base + right, return_counts=True)
    return *np.divmod(pairs, base), counts
