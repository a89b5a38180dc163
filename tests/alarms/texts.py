"""Human text of three domains, held out so that alarms can be judged by a second panel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerBase

from collapse_guard import HeldOutPanel, HumanReference
from collapse_guard.examples.recursive_finetune.articles import wikitext_articles
from collapse_guard.examples.recursive_finetune.corpus import Corpus, split_by_group
from collapse_guard.examples.recursive_finetune.tokenization import encode, rows_of, separator
from tests.alarms.judged import HeldOut, rest_of

Texts = Mapping[str, Sequence[str]]
"""Documents, by the article, module or stretch of text that they are from."""

BLOCK = 11_000
"""Characters of a stretch of a text without articles, which is taken for a document of its own."""
PIECE = 1_500
SECOND_SHARE = 0.4


@dataclass(frozen=True)
class Domain:
    """Text of a domain under one tokenizer.

    Attributes:
        rows: int64 of shape (rows, window), to train on, in an order drawn by the seed.
        held_out: The two panels.
    """

    rows: npt.NDArray[np.int64]
    held_out: HeldOut


def split_documentation(groups: Texts) -> tuple[Corpus, list[str]]:
    """The example's corpus, of whose training part whole modules are kept for the second panel.

    Args:
        groups: Python's documentation by module and topic.

    Returns:
        What is left, by which the example's base model is not changed, and the second panel's
        documents, which are files and topics as those of the example's panel are.
    """
    parts = split_by_group(groups)
    corpus = Corpus("Python", parts["pretraining"], parts["training"], parts["held_out"])
    training = set(corpus.training)
    modules = {name: [t for t in texts if t in training] for name, texts in groups.items()}
    sizes = {name: sum(map(len, texts)) for name, texts in modules.items() if texts}
    kept: list[str] = []
    kept_size = dealt = 0
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        dealt += sizes[name]
        if kept_size + sizes[name] <= SECOND_SHARE * dealt:
            kept += modules[name]
            kept_size += sizes[name]
    left = tuple(text for text in corpus.training if text not in set(kept))
    return replace(corpus, training=left), kept


def wikitext(path: Path) -> Texts:
    """Paragraphs of WikiText, by article."""
    articles = wikitext_articles(path.read_text(encoding="utf-8"))
    if articles is None:
        raise SystemExit(f"{path.name} is not in WikiText's form")
    return {f"article {number}": text.split("\n") for number, text in enumerate(articles)}


def stretches(path: Path) -> Texts:
    """Pieces of a text without articles, by the long stretch of it that they stand in."""
    text = path.read_text(encoding="utf-8")
    blocks = [text[start : start + BLOCK] for start in range(0, len(text), BLOCK)]
    return {
        f"stretch {number}": [block[start : start + PIECE] for start in range(0, len(block), PIECE)]
        for number, block in enumerate(blocks)
    }


def domain_of(
    texts: Texts,
    tokenizer: PreTrainedTokenizerBase,
    *,
    window: int,
    most: int,
    seed: int,
    held_out: Sequence[str],
) -> Domain:
    """Rows to train on, and the panels.

    Args:
        texts: Of the domain.
        tokenizer: Of the model.
        window: Tokens of a row.
        most: Windows of the panel, at most.
        seed: Of the order of rows.
        held_out: Names of what is held out.
    """
    ids = encode(tokenizer, without(texts, held_out))
    reference = HumanReference.from_token_ids(ids, vocab_size=len(tokenizer), tokenizer=tokenizer)
    names = [name for name in held_out for _ in texts[name]]
    documents = encode(tokenizer, [text for name in held_out for text in texts[name]])
    panel = HeldOutPanel.from_token_ids(
        documents,
        reference,
        window=window,
        training_documents=ids,
        short="drop",
        max_windows=most,
        groups=names,
    )
    rows = rows_of(ids, window, separator(tokenizer))
    order = np.random.default_rng(seed).permutation(len(rows))
    return Domain(rows[order], HeldOut(panel, rest_of(panel, documents, names, most=2 * most)))


def without(texts: Texts, held_out: Sequence[str]) -> list[str]:
    """The documents of all names but those that are held out."""
    names = set(held_out)
    return [text for name, group in texts.items() if name not in names for text in group]


def every_other(texts: Texts) -> list[str]:
    """Half of the names: what is held out of few articles, of which an alarm needs 30."""
    return list(texts)[::2]
