"""Vendi score: the effective number of different texts."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import amount, as_array
from collapse_guard.diversity.corpus import Corpus, Document, pack_texts
from collapse_guard.diversity.ngrams import find_ngrams
from collapse_guard.diversity.occurrences import find_occurrences
from collapse_guard.errors import bad_argument

Floats = npt.NDArray[np.float64]

_COLUMNS_AT_A_TIME = 2048
_TOLERANCE = 1e-6


def vendi_score(kernel: npt.ArrayLike) -> float:
    """The exponential of the entropy of the eigenvalues of `kernel / texts`.

    Friedman and Dieng 2023 (arXiv 2210.02410), definition 3.1. It grows with the number of texts
    towards the number of kinds there are: compare at one number.

    Args:
        kernel: Similarities of shape (texts, texts): symmetric, positive semi-definite, 1 on the
            diagonal. Of `ngram_kernel`, of `embedding_kernel`, or your own.

    Returns:
        From 1 (all texts equal) to the number of texts (none similar to another).

    Raises:
        ArgumentError: The kernel has another shape, a NaN or infinite entry, another diagonal, is
            not symmetric, or has an eigenvalue clearly below 0.

    Example:
        >>> round(vendi_score([[1, 1, 0], [1, 1, 0], [0, 0, 1]]), 4)
        1.8899
    """
    similarities = _numbers("kernel", kernel)
    _check_kernel(similarities)
    eigenvalues = np.linalg.eigvalsh(similarities / len(similarities))
    if eigenvalues[0] < -_TOLERANCE:
        raise bad_argument(
            "kernel",
            expected="a positive semi-definite matrix",
            given=f"one with an eigenvalue of {eigenvalues[0] * len(similarities):.3g}",
            hint="use a kernel, such as a cosine, rather than any similarity",
        )
    positive = eigenvalues[eigenvalues > 0]
    return float(np.exp(-positive @ np.log(positive)))


def ngram_kernel(documents: Iterable[Document], *, num_texts: int, max_n: int = 4) -> Floats:
    """Cosine between the n-gram counts of texts, averaged over n = 1 to `max_n`.

    The n-gram similarity of Friedman and Dieng 2023 (arXiv 2210.02410). A mean of kernels is a
    kernel, and its diagonal stays 1.

    Args:
        documents: Token ids, a text at a time, each of at least `max_n` tokens.
        num_texts: Texts to look at, the first ones, at least 2.
        max_n: Longest n-grams, at least 1.

    Returns:
        float64 of shape (num_texts, num_texts), from 0 to 1.

    Raises:
        ArgumentError: Fewer texts than asked for, a text shorter than `max_n`, or a negative id.

    Example:
        >>> ngram_kernel([[1, 2], [1, 2], [3, 4]], num_texts=3, max_n=2).round(6).tolist()
        [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    max_n = amount("max_n", max_n, least=1, hint="4 is usual")
    corpus = pack_texts(documents, num_texts, min_length=max_n)
    kernel = sum((_cosines(corpus, n) for n in range(1, max_n + 1)), np.zeros((1, 1))) / max_n
    # Exactly 1 rather than 1 up to rounding.
    np.fill_diagonal(kernel, 1.0)
    return kernel


def embedding_kernel(embeddings: npt.ArrayLike) -> Floats:
    """Cosine between embeddings of texts.

    Args:
        embeddings: Real numbers of shape (texts, dimensions), of any embedder; at least 2 texts.

    Returns:
        float64 of shape (texts, texts), from -1 to 1.

    Raises:
        ArgumentError: Another shape, a NaN or infinite entry, or an embedding of length 0.

    Example:
        >>> embedding_kernel([[1, 0], [0, 2]]).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    vectors = _numbers("embeddings", embeddings)
    if vectors.ndim != 2 or len(vectors) < 2:
        raise bad_argument(
            "embeddings",
            expected="shape (texts, dimensions) with at least 2 texts",
            given=vectors.shape,
            hint="give one row per text",
        )
    norms = np.linalg.norm(vectors, axis=1)
    usable = np.isfinite(norms) & (norms > 0)
    if not usable.all():
        wrong = int(np.argmin(usable))
        raise bad_argument(
            "embeddings",
            expected="finite rows that are not all 0",
            given=f"row {wrong} of length {norms[wrong]}",
            hint="look at what the embedder does with that text",
        )
    directions = vectors / norms[:, None]
    kernel: Floats = directions @ directions.T
    np.fill_diagonal(kernel, 1.0)
    return kernel


def _numbers(name: str, given: npt.ArrayLike) -> Floats:
    hint = "give an array of two dimensions"
    return as_array(name, given, expected="a matrix of numbers", hint=hint, dtype=np.float64)


def _cosines(corpus: Corpus, n: int) -> Floats:
    found = find_occurrences(find_ngrams(corpus, n))
    texts = len(corpus.lengths)
    norms = np.sqrt(np.bincount(found.documents, weights=found.counts**2, minlength=texts))
    weights = found.counts / norms[found.documents]
    # What only one text has adds to the diagonal alone, and that is known: most of all n-grams.
    shared = found.document_counts > 1
    kept = shared[found.types]
    columns = (np.cumsum(shared) - 1)[found.types[kept]]
    rows, weights = found.documents[kept], weights[kept]
    cosines = np.zeros((texts, texts))
    for first in range(0, int(shared.sum()), _COLUMNS_AT_A_TIME):
        start, stop = np.searchsorted(columns, [first, first + _COLUMNS_AT_A_TIME])
        block = np.zeros((texts, _COLUMNS_AT_A_TIME))
        block[rows[start:stop], columns[start:stop] - first] = weights[start:stop]
        cosines += block @ block.T
    return cosines


def _check_kernel(kernel: Floats) -> None:
    square = kernel.ndim == 2 and kernel.shape[0] == kernel.shape[1] and len(kernel) >= 2
    if not square:
        fault = f"shape {kernel.shape}"
    elif not np.isfinite(kernel).all():
        fault = "a NaN or infinite entry"
    elif np.abs(np.diag(kernel) - 1.0).max() > _TOLERANCE:
        fault = "another diagonal"
    elif np.abs(kernel - kernel.T).max() > _TOLERANCE:
        fault = "one that is not symmetric"
    else:
        return
    raise bad_argument(
        "kernel",
        expected="a symmetric matrix of similarities of at least 2 texts, with 1 on the diagonal",
        given=fault,
        hint="make it with ngram_kernel or embedding_kernel",
    )
