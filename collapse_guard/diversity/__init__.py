"""How varied text is, without a model: pure functions over token ids.

Most figures of this kind drift with the amount of text, whoever wrote it, and then compare nothing
but amounts. Here every function either does not depend on the amount, or asks for a budget and
looks at that much:

| function | of | more diverse is | kept comparable by |
| --- | --- | --- | --- |
| `rarefied_types` | vocabulary | higher | size-free, at a like length of documents |
| `rarefied_coverage` | vocabulary | lower | size-free, at a like length of documents |
| `rep_n_diversity` | loops in a text | higher | size-free, at one `length` of texts |
| `rare_ngram_survival` | rare human n-grams | higher | size-free, at one reference |
| `distinct_n` | n-grams | higher | `budget` tokens |
| `ead` | vocabulary | higher | `budget` tokens |
| `good_turing_coverage` | vocabulary | lower | `budget` tokens |
| `chao_shen_entropy` | vocabulary | higher | `budget` tokens |
| `plug_in_entropy` | vocabulary | higher | `budget` tokens |
| `compression_ratio` | everything repeated | lower | `budget` bytes |
| `self_bleu` | texts against each other | lower | `num_texts`, and their length |
| `self_repetition` | stock phrases | lower | `num_texts`, and their length |
| `vendi_score` | texts against each other | higher | number of texts, and their length |

All take texts without padding: `unpadded` takes it off what `generate()` returns.
`SIZE_FREE` names the first kind. `collapse_guard.statistics.estimates.jackknife` gives any of them
a standard error over documents, and `per_input` and `cross_input` part diversity over samples of
one prompt from diversity over prompts.
"""

from collapse_guard.diversity.bleu import self_bleu
from collapse_guard.diversity.corpus import Document
from collapse_guard.diversity.distinct import distinct_n, ead
from collapse_guard.diversity.padding import unpadded
from collapse_guard.diversity.prompts import cross_input, per_input
from collapse_guard.diversity.repetition import compression_ratio, rep_n_diversity, self_repetition
from collapse_guard.diversity.richness import (
    chao_shen_entropy,
    good_turing_coverage,
    plug_in_entropy,
    rarefied_coverage,
    rarefied_types,
)
from collapse_guard.diversity.survival import rare_ngram_survival
from collapse_guard.diversity.vendi import embedding_kernel, ngram_kernel, vendi_score

SIZE_FREE = frozenset(
    {"rare_ngram_survival", "rarefied_coverage", "rarefied_types", "rep_n_diversity"}
)
"""Readings that use all of the text and estimate the same quantity whatever its amount."""

__all__ = [
    "Document",
    "SIZE_FREE",
    "chao_shen_entropy",
    "compression_ratio",
    "cross_input",
    "distinct_n",
    "ead",
    "embedding_kernel",
    "good_turing_coverage",
    "ngram_kernel",
    "per_input",
    "plug_in_entropy",
    "rare_ngram_survival",
    "rarefied_coverage",
    "rarefied_types",
    "rep_n_diversity",
    "self_bleu",
    "self_repetition",
    "unpadded",
    "vendi_score",
]
