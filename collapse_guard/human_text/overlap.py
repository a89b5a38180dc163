"""How much of a document stands in other documents, word for word or nearly so."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from collapse_guard.human_text.documents import document_blocks
from collapse_guard.human_text.shingles import Ids, document_shingles, shingle_hashes


@dataclass(frozen=True)
class Overlap:
    """What a document shares with a corpus.

    Attributes:
        share: Share of the document's distinct shingles that occur in the corpus, 0 to 1.
        source: Index of the corpus document that holds most of them first, -1 if none does.
    """

    share: float
    source: int


def find_overlaps(
    documents: Sequence[Ids], corpus: Iterable[Ids], *, shingle: int
) -> list[Overlap]:
    """Look up the shingles of some documents in a corpus, in one pass over the corpus.

    Shingles are runs of `shingle` tokens, compared by 64-bit hashes. The share counts a shingle
    wherever in the corpus it stands, so a document that was cut into rows is found as well as one
    that was copied whole. Brown et al. (GPT-3, 2020, appendix C) and Chowdhery et al. (PaLM, 2022,
    section 8) judge leakage by shared runs of tokens in this way.

    Args:
        documents: The documents to judge, each int64 of shape (tokens,).
        corpus: The documents to look in; read once, memory does not grow with it.
        shingle: Tokens per shingle. Shorter documents have none and get a share of 0.

    Returns:
        One `Overlap` per document.

    Example:
        >>> text = np.arange(100)
        >>> find_overlaps([text[:50], text + 1000], [np.arange(20), text], shingle=8)[0]
        Overlap(share=1.0, source=1)
    """
    hashes = [np.unique(shingle_hashes(ids, shingle)) for ids in documents]
    if not hashes:
        return []
    wanted, slots = np.unique(np.concatenate(hashes), return_inverse=True)
    first_source = np.full(len(wanted), -1, dtype=np.int64)
    first_index = 0
    for block in document_blocks(corpus):
        found, owners = document_shingles(block.ids, block.lengths, shingle)
        place = np.searchsorted(wanted, found)
        place[place == len(wanted)] = 0
        hit = wanted[place] == found if len(wanted) else np.zeros(len(found), dtype=bool)
        # Later writes win in numpy, so reversing keeps the first owner.
        place, owners = place[hit][::-1], owners[hit][::-1] + first_index
        new = first_source[place] < 0
        first_source[place[new]] = owners[new]
        first_index += len(block.lengths)
    ends = np.cumsum([len(own) for own in hashes])
    return [_overlap(part) for part in np.split(first_source[slots], ends[:-1])]


def _overlap(sources: Ids) -> Overlap:
    found = sources[sources >= 0]
    if not len(found):
        return Overlap(0.0, -1)
    values, counts = np.unique(found, return_counts=True)
    return Overlap(len(found) / len(sources), int(values[counts.argmax()]))
