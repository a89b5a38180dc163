"""What a model wrote against what people wrote: diversity of both at one size, and tail share."""

import math
from collections.abc import Sequence

import numpy as np

from collapse_guard.arguments import checked, optional, whole
from collapse_guard.diversity import (
    Document,
    chao_shen_entropy,
    compression_ratio,
    distinct_n,
    good_turing_coverage,
    ngram_kernel,
    rarefied_types,
    rep_n_diversity,
    self_bleu,
    self_repetition,
    vendi_score,
)
from collapse_guard.diversity.corpus import pack, read_documents
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.panel import A_REFERENCE
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.human_text.token_rows import TokenRows
from collapse_guard.statistics.estimates import Estimate, share

_SIZE = optional(whole(least=1, hint="leave it out"))


@checked(budget=whole(least=1, hint="10,000 is usual"), num_texts=_SIZE, length=_SIZE)
def diversity_figures(
    documents: Sequence[Document],
    *,
    budget: int,
    num_texts: int | None = None,
    length: int | None = None,
) -> dict[str, float]:
    """Every diversity figure of a text, all at one stated size.

    Args:
        documents: Token ids, a document at a time.
        budget: Tokens that the figures of the whole text are at, at least 3 and at most all.
        num_texts: How many texts to compare with each other. With `length` it adds the figures of
            texts against each other; both or neither.
        length: Tokens of each of those texts, at least 4. The first `num_texts` documents that are
            at least so long take part, cut to it: those figures would grow with the length.

    Returns:
        `rarefied_types`, `distinct_1`, `distinct_2`, `distinct_3`, `good_turing_coverage`,
        `chao_shen_entropy` and `compression_ratio` (of 4 `budget` bytes: token ids of 4 bytes);
        with `num_texts` also `rep_n_diversity`, `self_bleu`, `self_repetition` and `vendi_score`
        (of n-grams). Each is described by the function of its name in `collapse_guard.diversity`.

    Raises:
        ArgumentError: A size out of range, or more than the documents hold.

    Example:
        >>> figures = diversity_figures([[1, 2, 3, 4], [1, 2, 3, 5]], budget=8)
        >>> figures["distinct_1"], round(figures["distinct_2"], 4)
        (0.625, 0.6667)
    """
    figures = {
        "rarefied_types": rarefied_types(documents, budget=budget),
        "distinct_1": distinct_n(documents, 1, budget=budget),
        "distinct_2": distinct_n(documents, 2, budget=budget),
        "distinct_3": distinct_n(documents, 3, budget=budget),
        "good_turing_coverage": good_turing_coverage(documents, budget=budget),
        "chao_shen_entropy": chao_shen_entropy(documents, budget=budget),
        "compression_ratio": compression_ratio(documents, budget=4 * budget),
    }
    if num_texts is None and length is None:
        return figures
    texts = _texts_of_one_length(documents, num_texts, length)
    return figures | {
        "rep_n_diversity": rep_n_diversity(texts, length=len(texts[0])),
        "self_bleu": self_bleu(texts, num_texts=len(texts)),
        "self_repetition": self_repetition(texts, num_texts=len(texts)),
        "vendi_score": vendi_score(ngram_kernel(texts, num_texts=len(texts))),
    }


@checked(reference=A_REFERENCE)
def tail_share(documents: Sequence[Document], reference: HumanReference) -> Estimate:
    """Share of a text's tokens that are tail types of the human reference.

    No budget: the tail is the reference's, so the share does not depend on the amount of text.
    Types that the reference has not seen are tail types. What stands for no human text (padding,
    the end of a text, `HumanReference.special_ids`) is counted neither as tail nor as a token, so
    that a text of nothing else has a share of 0.

    Args:
        documents: Token ids, a document at a time.
        reference: The human reference; its tokenizer must have made the ids.

    Raises:
        ArgumentError: There is no token, or something other than token ids of at least 0.
        TokenizerMismatchError: Token ids that the reference does not have.

    Example:
        >>> reference = HumanReference.from_token_ids([[0] * 6 + [1] * 3 + [2]], vocab_size=3)
        >>> tail_share([[0, 2], [0, 1]], reference).value
        0.25
    """
    corpus = pack(documents, known=reference.special_ids)
    reference.check_ids(corpus.tokens)
    owners = np.repeat(np.arange(len(corpus.lengths)), corpus.lengths)
    tails, tokens = (
        np.bincount(owners, is_one[corpus.tokens], len(corpus.lengths)).astype(np.float64)
        for is_one in (reference.tail_types, ~reference.special_types)
    )
    return share(tails, tokens)


@checked(reference=optional(A_REFERENCE), budget=_SIZE, num_texts=_SIZE, length=_SIZE)
def compare_with_human(
    samples: Sequence[Document],
    human: Sequence[Document],
    *,
    reference: HumanReference | None = None,
    budget: int | None = None,
    num_texts: int | None = None,
    length: int | None = None,
) -> dict[str, float]:
    """Diversity of sampled and of human text at one size, how they compare, and the tail share.

    Args:
        samples: Token ids that a model wrote, a document at a time.
        human: Human text of the same kind.
        reference: When given, the tail shares are told too, and what it leaves out as no human
            text (`HumanReference.special_ids`) is left out of both. Human text other than `human`,
            which holds its own rare types by definition.
        budget: Tokens that both are looked at; as many as the shorter of the two has, if None.
        num_texts: As in `diversity_figures`, for both.
        length: As in `diversity_figures`, for both.

    Returns:
        For each figure of `diversity_figures`: `sample_<figure>`, `human_<figure>`, and
        `ratio_<figure>`, the first over the second (NaN where the second is 0). With `reference`
        also `sample_tail_share`, `human_tail_share` and `ratio_tail_share`. And `budget`, the
        tokens that both were looked at. Where a reference shows that the model wrote nothing but
        special tokens, there is nothing to compare: a tail share of 0, a budget of 0, and NaN.

    Raises:
        ArgumentError: Text without tokens, or a size out of range, or more than one of the two has.
        TokenizerMismatchError: Token ids that the reference does not have.
    """
    known = () if reference is None else reference.special_ids
    samples, human = (
        list(read_documents(documents, argument, known=known))
        for argument, documents in (("samples", samples), ("human", human))
    )
    if reference is not None:
        samples, human = (_human_text(documents, reference) for documents in (samples, human))
    tokens = {"samples": sum(map(len, samples)), "human": sum(map(len, human))}
    wrote_nothing = reference is not None and len(samples) > 0 and tokens["samples"] == 0
    for argument, number in tokens.items():
        if number == 0 and not (argument == "samples" and wrote_nothing):
            raise bad_argument(
                argument,
                expected="at least one token",
                given="none",
                hint="give text that is not empty",
            )
    budget = min(tokens.values()) if budget is None else budget
    at_size = {"num_texts": num_texts, "length": length}
    if wrote_nothing:
        names = diversity_figures(human, budget=tokens["human"], **at_size)
        both, budget = [dict.fromkeys(names, math.nan) for _ in range(2)], 0
    else:
        both = [
            diversity_figures(documents, budget=budget, **at_size) for documents in (samples, human)
        ]
    of_samples, of_human = both
    if reference is not None:
        of_samples["tail_share"] = 0.0 if wrote_nothing else tail_share(samples, reference).value
        of_human["tail_share"] = tail_share(human, reference).value
    return {
        **{f"sample_{name}": value for name, value in of_samples.items()},
        **{f"human_{name}": value for name, value in of_human.items()},
        **{
            f"ratio_{name}": value / of_human[name] if of_human[name] else float("nan")
            for name, value in of_samples.items()
        },
        "budget": float(budget),
    }


def _human_text(documents: Sequence[Document], reference: HumanReference) -> list[Document]:
    """The documents without what stands for no human text."""
    if not any(map(len, documents)):
        return list(documents)
    corpus = pack(documents)
    reference.check_ids(corpus.tokens)
    is_text = ~reference.special_types[corpus.tokens]
    return list(TokenRows(*corpus).masked(is_text).split())


def _texts_of_one_length(
    documents: Sequence[Document], num_texts: int | None, length: int | None
) -> list[Document]:
    if num_texts is None or length is None:
        raise bad_argument(
            "num_texts",
            expected="`length` beside it",
            given=f"num_texts={num_texts}, length={length}",
            hint="give both, such as num_texts=100 and length=64, or neither",
        )
    if length < 4:
        raise bad_argument("length", expected="at least 4 tokens", given=length, hint="64 is usual")
    texts = [document[:length] for document in documents if len(document) >= length][:num_texts]
    if num_texts < 2 or len(texts) < num_texts:
        raise bad_argument(
            "num_texts",
            expected=f"from 2 to {len(texts)}, the documents of at least length = {length} tokens",
            given=num_texts,
            hint="give more text, or lower num_texts or length of everything that you compare",
        )
    return texts
