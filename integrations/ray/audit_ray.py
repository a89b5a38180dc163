"""Is this synthetic text fit to train on? Asked of texts that lie on many machines."""

import json
from typing import Any, cast

import pyarrow as pa

from collapse_guard.arguments import checked
from collapse_guard.audit import ContentSample, TextAudit, audit_samples
from collapse_guard.audit.comparison.audit_samples import ROOM, SETTINGS
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.tokenizer import Tokenizer
from collapse_guard.human_text.words import WordSpans, word_spans
from collapse_guard.integrations.ray.blocks import as_rows, as_state, checked_column, of_blocks
from collapse_guard.rows.column import Column
from collapse_guard.rows.row_source import RowSource


@checked(**SETTINGS, characters=ROOM)
def audit_ray(
    human: Any,
    synthetic: Any,
    *,
    column: str | None = None,
    tokenizer: Tokenizer | None = None,
    target: float = 0.9,
    near: float | None = 0.8,
    characters: int = 1 << 24,
    seed: int = 0,
    spans: WordSpans = word_spans,
    **options: Any,
) -> TextAudit:
    """Compare synthetic texts with human ones of the same kind, both in Ray data sets.

    Each worker draws samples of its blocks (`sample_ray`), which are merged here. What comes out is
    bit for bit what `audit_texts` says of the same texts in the same order on one machine.

    Args:
        human: A `ray.data.Dataset` of human texts.
        synthetic: One of what is to be judged.
        column: With the texts, in both; "text" where left out.
        tokenizer: As of `audit_texts`, as are the others.
        target: How often rare words are to come.
        near: Least similarity of near copies.
        characters: How many to keep of each kind.
        seed: Of how samples are halved.
        spans: From a text to its words.
        options: Of `Dataset.map_batches`, such as `num_cpus` or `compute`.

    Raises:
        ArgumentError: Something that is no data set of texts, or as of `audit_texts`.
        MissingExtraError: Ray is not installed.
    """
    texts = {"human": human, "synthetic": synthetic}
    # Both before either is read.
    columns = {name: _text_column(name, given, column) for name, given in texts.items()}
    samples = {
        name: sample_ray(given, column=columns[name], characters=characters, **options)
        for name, given in texts.items()
    }
    return audit_samples(
        **samples, tokenizer=tokenizer, target=target, near=near, seed=seed, spans=spans
    )


@checked(characters=ROOM)
def sample_ray(
    dataset: Any, *, column: str | None = None, characters: int = 1 << 24, **options: Any
) -> ContentSample:
    """A fair sample of the contents of a Ray data set: that which one machine draws.

    A worker that has seen as much as there is room for leaves out at once what cannot be in the
    sample of them all, so that hardly anything travels of a large data set: of n contents, k of
    which there is room for, about k (1 + ln(n / k)) from each worker.

    Args:
        dataset: A `ray.data.Dataset` of texts.
        column: With the texts; "text" where left out.
        characters: How many to keep at most, at least 100,000.
        options: Of `Dataset.map_batches`.

    Raises:
        ArgumentError: It is no data set of texts.
        MissingExtraError: Ray is not installed.
    """
    name = _text_column("dataset", dataset, column)
    sample = ContentSample(characters)
    settings = {"column": name, "characters": characters}
    for number, made in enumerate(of_blocks(dataset, _Sampler, settings, options)):
        state = json.loads(made["state"])
        (rows,) = state["rows"].values()
        # Blocks come in the order of the rows, which is that of these names.
        state["rows"] = {f"{number:012d}": rows}
        sample.take_in(ContentSample.of_state(state))
    return sample


def _text_column(argument: str, dataset: Any, column: str | None) -> str:
    name, is_text = checked_column(argument, dataset, "text" if column is None else column)
    if not is_text:
        raise bad_argument(
            "column",
            expected="a column of texts",
            given=name,
            hint="name the column that holds the text",
        )
    return name


class _Sampler:
    """Draws a sample of each block.

    Args:
        column: With the texts.
        characters: Room of each sample.
    """

    def __init__(self, column: str, characters: int) -> None:
        self._column = column
        # Of all blocks that this worker has seen, some maybe twice, for its limit alone.
        self._seen = ContentSample(characters)
        self._blocks = 0

    def __call__(self, table: pa.Table) -> pa.Table:
        self._blocks += 1
        sample = ContentSample(self._seen.characters, limit=self._seen.limit)
        rows = RowSource("dataset", as_rows(table, self._column))
        for contents in Column(rows, self._column).batches():
            sample.extend(cast("list[str]", contents), part=str(self._blocks))
        self._seen.take_in(sample)
        below = ContentSample(self._seen.characters, limit=self._seen.limit)
        below.take_in(sample)
        return as_state(below.state_dict())
