"""The human text of a run, in three parts that share no document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from collapse_guard.errors import bad_argument
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
    """

    name: str
    pretraining: tuple[str, ...]
    training: tuple[str, ...]
    held_out: tuple[str, ...]

    def characters(self) -> dict[str, int]:
        """Size of each part."""
        parts = [field.name for field in fields(self) if field.name != "name"]
        return {part: sum(map(len, getattr(self, part))) for part in parts}


SHARES: Mapping[str, float] = {"pretraining": 0.58, "training": 0.32, "held_out": 0.10}


def load_corpus(dataset: str | None, *, config: str | None = None, column: str = "text") -> Corpus:
    """Read the human text of a run.

    Args:
        dataset: None for the documentation of the running Python; the path of a UTF-8 text file
            with blank lines between its documents; or the name or path of a Hugging Face data set.
        config: Configuration of the Hugging Face data set.
        column: Its column of text. A row is a document; rows of fewer than 40 characters (headings,
            mostly) are left out. Where it has a validation or test split, that is held out.

    Raises:
        ArgumentError: No text was found.
    """
    if dataset is None:
        return Corpus("the documentation of Python", **split_by_group(python_documents()))
    if Path(dataset).is_file():
        text = Path(dataset).read_text(encoding="utf-8")
        return _from_splits(Path(dataset).name, {"train": text.split("\n\n")})
    return _from_splits(dataset, _hub_splits(dataset, config, column))


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


def _from_splits(name: str, splits: Mapping[str, Sequence[str]]) -> Corpus:
    seen: set[str] = set()
    documents = {split: _without_repeats(rows, seen) for split, rows in splits.items()}
    if not all(documents.values()):
        raise bad_argument(
            "dataset",
            expected=f"documents of at least {SHORTEST_PARAGRAPH} characters",
            given=name,
            hint="give a text file with blank lines between documents, or a data set with text",
        )
    if "held_out" not in documents:
        return Corpus(name, **split_in_order(documents["train"], SHARES))
    shares = {part: share for part, share in SHARES.items() if part != "held_out"}
    return Corpus(
        name, held_out=documents["held_out"], **split_in_order(documents["train"], shares)
    )


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
