"""The human text of a run, in three parts that share no document."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from collapse_guard.errors import bad_argument
from collapse_guard.examples.recursive_finetune.articles import wikitext_articles
from collapse_guard.examples.recursive_finetune.python_documentation import (
    SHORTEST_PARAGRAPH,
    python_documents,
)


@dataclass(frozen=True)
class Corpus:
    """Human documents.

    Attributes:
        name: What it is, for people.
        pretraining: What the small model is trained on, before any fine-tuning.
        training: What it may be fine-tuned on.
        held_out: What the models are looked at on.
        whole_articles: Whether documents are articles of many windows each, so that windows have to
            be spread over them for enough to be looked at.
    """

    name: str
    pretraining: tuple[str, ...]
    training: tuple[str, ...]
    held_out: tuple[str, ...]
    whole_articles: bool = False

    def characters(self) -> dict[str, int]:
        """Size of each part."""
        return {part: sum(map(len, getattr(self, part))) for part in SHARES}


SHARES: Mapping[str, float] = {"pretraining": 0.58, "training": 0.32, "held_out": 0.10}

ENOUGH_FOR_AN_ALARM = 30
"""Held-out articles: an alarm speaks of independent documents, and hardly goes off with fewer."""


def load_corpus(dataset: str | None, *, config: str | None = None, column: str = "text") -> Corpus:
    """Read the human text of a run.

    Args:
        dataset: None for the documentation of the running Python; the path of a UTF-8 text file
            with blank lines between its documents; that of a WikiText file as it is published,
            whose articles are the documents; or the name or path of a Hugging Face data set.
        config: Configuration of the Hugging Face data set.
        column: Its column of text. A row is a document; rows of fewer than 40 characters are left
            out. Where each row is a line of WikiText, as on the hub, its articles are the
            documents: paragraphs of one are not independent of each other. Where there is a
            validation or test split, that is held out.

    Raises:
        ArgumentError: No text was found, or too little for three parts.
    """
    if dataset is None:
        return _corpus("the documentation of Python", split_by_group(python_documents()))
    if Path(dataset).is_file():
        name, text = Path(dataset).name, _read(Path(dataset))
        # Editors and scripts leave spaces in lines that look blank.
        rows: Mapping[str, Sequence[str]] = {"train": re.split(r"\n\s*\n", text)}
        texts = {"train": text}
    else:
        name, rows = dataset, _hub_splits(dataset, config, column)
        texts = {split: "\n".join(map(str.strip, lines)) for split, lines in rows.items()}
    return _of_articles(name, texts) or _from_splits(name, rows)


def split_by_group(groups: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Deal whole groups of documents into the parts, so that related text stays in one of them.

    The largest group goes first, and each to the part that is furthest below its share.
    """
    sizes = {name: sum(map(len, documents)) for name, documents in groups.items()}
    filled = dict.fromkeys(SHARES, 0)
    parts: dict[str, list[str]] = {part: [] for part in SHARES}
    for name in sorted(groups, key=lambda name: (-sizes[name], name)):
        part = min(SHARES, key=lambda part: filled[part] / SHARES[part])
        parts[part] += groups[name]
        filled[part] += sizes[name]
    return {part: tuple(documents) for part, documents in parts.items()}


def split_in_order(
    documents: Sequence[str], shares: Mapping[str, float]
) -> dict[str, tuple[str, ...]]:
    """Cut documents into stretches, so that neighbours, which may be of one article, stay together.

    Args:
        documents: In their order.
        shares: Of the documents that each part gets, relative to their sum.
    """
    parts: dict[str, tuple[str, ...]] = {}
    start, cumulative = 0, 0.0
    for part, share in shares.items():
        cumulative += share / sum(shares.values())
        end = round(len(documents) * cumulative)
        parts[part] = tuple(documents[start:end])
        start = end
    return parts


def article_shares(count: int) -> Mapping[str, float]:
    """The parts' shares of articles: at least 30 are held out, where there are that many.

    Args:
        count: Of the articles, each of which may be as long as hundreds of other documents.

    Returns:
        Shares of articles, relative to their sum.

    Example:
        >>> {part: round(share) for part, share in article_shares(60).items()}
        {'pretraining': 19, 'training': 11, 'held_out': 30}
    """
    held_out = SHARES["held_out"] * count
    # One article at least is left for each of the other parts.
    if not held_out < ENOUGH_FOR_AN_ALARM <= count - 2:
        return SHARES
    scale = (count - ENOUGH_FOR_AN_ALARM) / (1 - SHARES["held_out"])
    shares = {part: share * scale for part, share in SHARES.items()}
    return {**shares, "held_out": ENOUGH_FOR_AN_ALARM}


def _corpus(name: str, parts: Mapping[str, tuple[str, ...]]) -> Corpus:
    return Corpus(name, parts["pretraining"], parts["training"], parts["held_out"])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise bad_argument(
            "dataset",
            expected="a text file in UTF-8",
            given=path.name,
            hint="convert it, or give the folder of a data set",
        ) from None


def _of_articles(name: str, texts: Mapping[str, str]) -> Corpus | None:
    """The corpus of texts in WikiText's form, None where one of them has another."""
    articles: dict[str, Sequence[str]] = {}
    for split, text in texts.items():
        found = wikitext_articles(text)
        if found is None:
            return None
        articles[split] = _without_repeats(found, set())
    alone = "held_out" not in articles
    shares = article_shares(len(articles["train"])) if alone else SHARES
    return replace(_from_splits(name, articles, shares), whole_articles=True)


def _from_splits(
    name: str, splits: Mapping[str, Sequence[str]], shares: Mapping[str, float] = SHARES
) -> Corpus:
    seen: set[str] = set()
    documents = {split: _without_repeats(rows, seen) for split, rows in splits.items()}
    if "held_out" in documents:
        shares = {part: share for part, share in shares.items() if part != "held_out"}
    parts = split_in_order(documents.pop("train"), shares)
    corpus = _corpus(name, {**parts, **documents})
    if not all(corpus.characters().values()):
        found = sum(len(getattr(corpus, part)) for part in SHARES)
        raise bad_argument(
            "dataset",
            expected=f"documents of at least {SHORTEST_PARAGRAPH} characters, for {len(SHARES)} "
            "parts that share none",
            given=f"{name}, which holds {found}",
            hint="give a text file with blank lines between documents, or a data set with text",
        )
    return corpus


def _without_repeats(rows: Sequence[str], seen: set[str]) -> tuple[str, ...]:
    kept = []
    for row in map(str.strip, rows):
        if len(row) >= SHORTEST_PARAGRAPH and row not in seen:
            seen.add(row)
            kept.append(row)
    return tuple(kept)


def _hub_splits(dataset: str, config: str | None, column: str) -> dict[str, Sequence[str]]:
    from datasets import load_dataset

    loaded: Mapping[str, Any] = load_dataset(dataset, config)
    names = {"train": "train"}
    for name in ("test", "validation"):
        if name in loaded:
            names["held_out"] = name
    for name in names.values():
        if name not in loaded or column not in loaded[name].column_names:
            raise bad_argument(
                "text_column",
                expected=f"a column of text in the split {name!r} of {dataset}",
                given=column,
                hint="name the column with --text-column",
            )
    return {part: loaded[name][column] for part, name in names.items()}
