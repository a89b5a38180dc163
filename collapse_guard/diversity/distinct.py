"""Shares of distinct n-grams, at a stated amount of text."""

import math
from collections.abc import Iterable

from collapse_guard.arguments import amount
from collapse_guard.diversity.corpus import Document, pack_tokens
from collapse_guard.diversity.ngrams import count_ngrams, find_ngrams
from collapse_guard.errors import bad_argument


def distinct_n(documents: Iterable[Document], n: int, *, budget: int) -> float:
    """Share of distinct n-grams among the n-grams of the first `budget` tokens.

    The more text, the more n-grams repeat, so the figure falls with the amount of text whoever
    wrote it: two texts compare at one `budget` only, and there is no default for it. N-grams do
    not run from one document into the next.

    Li et al. 2016 (arXiv 1510.03055), who divide by the number of tokens; here it is the number of
    n-grams, so that text without a repetition reads 1.0 however it is cut into documents.

    Args:
        documents: Token ids, a document at a time; the last one is cut where the budget ends.
        n: Length of the n-grams in tokens, at least 1.
        budget: Tokens to look at, at least `n`.

    Returns:
        Between 0 (exclusive) and 1; 1 / n-grams where all of them are equal.

    Raises:
        ArgumentError: An argument out of range, fewer tokens than the budget, a negative token id
            or no document as long as an n-gram.

    Example:
        >>> distinct_n([[1, 2, 1, 2], [1, 2]], 2, budget=6)
        0.5
    """
    n = amount("n", n, least=1, hint="2 is usual")
    if amount("budget", budget, least=1, hint="10,000 is usual") < n:
        raise bad_argument(
            "budget", expected=f"at least n = {n} tokens", given=budget, hint="10,000 is usual"
        )
    corpus = pack_tokens(documents, budget)
    ngrams = find_ngrams(corpus, n)
    if len(ngrams.codes) == 0:
        raise bad_argument(
            "documents",
            expected=f"a document of at least n = {n} tokens within the budget",
            given=f"{len(corpus.lengths)} shorter ones",
            hint="use a smaller n, or join what belongs together",
        )
    return len(count_ngrams(ngrams)) / len(ngrams.codes)


def ead(documents: Iterable[Document], *, vocab_size: int, budget: int) -> float:
    """Expectation-adjusted distinct: types over those expected of a uniform draw.

    types / (V (1 - (1 - 1/V)^budget)): Liu et al. 2022 (arXiv 2202.13587, section 3), for single
    tokens. The adjustment is exact for a uniform vocabulary and for no other: on
    a Zipfian one the figure falls and rises again with the amount of text, so it compares at one
    `budget` only.

    Args:
        documents: Token ids, a document at a time.
        vocab_size: V, the number of types that could occur, above every id.
        budget: Tokens to look at, the first ones, at least 1.

    Returns:
        Above 0: about 1 for uniform draws, and somewhat more where types repeat less than those do.

    Raises:
        ArgumentError: An argument out of range, an id at or past `vocab_size`, or fewer tokens than
            the budget.

    Example:
        >>> ead([[0, 1], [2, 0]], vocab_size=4, budget=4)
        1.0971428571428572
    """
    vocab_size = amount("vocab_size", vocab_size, least=1, hint="give len(tokenizer)")
    corpus = pack_tokens(documents, budget)
    if int(corpus.tokens.max()) >= vocab_size:
        raise bad_argument(
            "vocab_size",
            expected=f"more than the largest token id {int(corpus.tokens.max())}",
            given=vocab_size,
            hint="give len(tokenizer)",
        )
    types = len(count_ngrams(find_ngrams(corpus, 1)))
    # (1 - 1/V)^budget as an exponential, because 1 - 1/V has lost half of its digits at V = 50,000.
    log_unseen = budget * math.log1p(-1 / vocab_size) if vocab_size > 1 else -math.inf
    return types / (vocab_size * -math.expm1(log_unseen))
