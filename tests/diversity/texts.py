"""Texts for the tests of diversity: generated ones, and draws from one fixed Zipf law."""

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

VOCABULARY = 50_000
_weights = np.arange(1, VOCABULARY + 1) ** -1.05
LAW: npt.NDArray[np.float64] = _weights / _weights.sum()
"""Entropy 10.12 bits: the law of the figures that the documents state."""

# Large ids too: their n-grams do not fit into 64 bits.
token_ids = st.integers(0, 3) | st.integers(2**30, 2**31)


def texts_of(
    *, min_texts: int = 1, max_texts: int = 8, min_tokens: int = 0, max_tokens: int = 12
) -> st.SearchStrategy[list[list[int]]]:
    text = st.lists(token_ids, min_size=min_tokens, max_size=max_tokens)
    return st.lists(text, min_size=min_texts, max_size=max_texts)


def draw(
    tokens: int, generator: np.random.Generator, *, law: npt.NDArray[np.float64] = LAW
) -> npt.NDArray[np.int64]:
    """Independent tokens as documents of at most 100, int64 of shape (documents, length)."""
    length = min(tokens, 100)
    ids = np.searchsorted(np.cumsum(law), generator.random(tokens))
    return np.minimum(ids, len(law) - 1).reshape(-1, length if tokens % length == 0 else tokens)


def ngrams_of(text: list[int], n: int) -> list[tuple[int, ...]]:
    return [tuple(text[start : start + n]) for start in range(len(text) - n + 1)]
