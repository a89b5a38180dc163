"""What a human reference and an audit are made of, counted in a pipeline of datatrove."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from collapse_guard.audit import ContentSample
from collapse_guard.audit.comparison.audit_samples import ROOM
from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.human_text.tokenizer import Tokenizer, num_ids
from collapse_guard.human_text.type_counts import TypeCounts
from collapse_guard.integrations.datatrove.rank_files import (
    open_folder,
    rank_files,
    write_rank_file,
)
from collapse_guard.rows.column import encoder
from collapse_guard.statistics.json_forms import Part

require("datatrove", "datatrove")

from datatrove.pipeline.base import PipelineStep  # noqa: E402

_AT_A_TIME = 1024


class TextStats(NamedTuple):
    """What the tasks of a pipeline found together.

    Attributes:
        sample: Of the contents, for `audit_samples`.
        type_counts: Of the tokens, for `HumanReference.from_type_counts`; None where no tokenizer
            was given.
    """

    sample: ContentSample
    type_counts: TypeCounts | None


class CollapseStats(PipelineStep):  # type: ignore[misc]
    """A block that samples and counts the texts that go through it, and passes them on.

    Each task writes one file; a task that is run again, after a kill or a failure, replaces its
    own. `read_collapse_stats` merges them, in any number of tasks, into what one machine counts
    that reads the files in the order of their names.

    Args:
        output_folder: Where the files go, one that nothing else is written to.
        tokenizer: To count tokens too; without special tokens.
        characters: Of the sample, at least 100,000; 16 MB where left out.

    Raises:
        ArgumentError: One of them is something else.

    Example:
        >>> import tempfile
        >>> from datatrove.data import Document
        >>> folder = tempfile.mkdtemp()
        >>> texts = [Document(text=text, id=text) for text in ("a rose", "is", "a rose")]
        >>> len(list(CollapseStats(folder)(texts)))
        3
        >>> [(one.text, one.copies) for one in read_collapse_stats(folder).sample.contents()]
        [('a rose', 2), ('is', 1)]
    """

    type = "📊 - STATS"
    name = "Collapse"

    def __init__(
        self,
        output_folder: Any,
        *,
        tokenizer: Tokenizer | None = None,
        characters: int = 1 << 24,
    ) -> None:
        super().__init__()
        self.output_folder = open_folder("output_folder", output_folder)
        self.tokenizer = tokenizer
        # Refuses what is no tokenizer before a task begins.
        self.vocab_size = None if tokenizer is None else num_ids(tokenizer)
        self.characters = ROOM("characters", characters)

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        """Go through the documents of a task, and pass each on.

        Args:
            data: Documents.
            rank: Number of the task.
            world_size: Number of tasks.
        """
        sample = ContentSample(self.characters)
        counts = None
        if self.vocab_size is not None:
            counts = TypeCounts(np.zeros(self.vocab_size, np.int64))
        for part, documents in _runs(data or (), f"task {rank:05d}"):
            texts = [document.text for document in documents]
            with self.track_time("batch"):
                sample.extend(texts, part=part)
                if counts is not None and self.tokenizer is not None:
                    ids = encoder(self.tokenizer)(texts).ids
                    counts = counts.merge(TypeCounts.of([ids], vocab_size=len(counts.counts)))
            self.stat_update("texts", value=len(texts), unit="batch")
            yield from documents
        said = {
            "sample": sample.state_dict(),
            "type_counts": None if counts is None else counts.state_dict(),
        }
        write_rank_file(self.output_folder, rank, world_size, said)


def read_collapse_stats(folder: Any) -> TextStats:
    """Merge what the tasks of a pipeline with `CollapseStats` wrote.

    Args:
        folder: The block's `output_folder`.

    Raises:
        ArgumentError: A task's file is missing or broken, a file of texts was counted twice, or
            tasks had other settings.
    """
    found = map(_stats_of, rank_files(folder))
    sample, counts = next(found)
    for other in found:
        sample.take_in(other.sample)
        if (counts is None) != (other.type_counts is None):
            raise bad_argument(
                "folder",
                expected="counts of tokens of all tasks, or of none",
                given=str(folder),
                hint="run all tasks with one tokenizer, or without",
            )
        if counts is not None and other.type_counts is not None:
            counts = counts.merge(other.type_counts)
    return TextStats(sample, counts)


def _stats_of(said: Part) -> TextStats:
    parts = said.keys("sample", "type_counts")
    counts = parts["type_counts"].value
    return TextStats(
        ContentSample.of_state(parts["sample"].value),
        None if counts is None else TypeCounts.of_state(counts),
    )


def _runs(documents: Iterable[Any], unnamed: str) -> Iterator[tuple[str, list[Any]]]:
    """Documents of one file that follow each other, some at a time, with the file's name."""
    part = unnamed
    run: list[Any] = []
    for document in documents:
        own = str(document.metadata.get("file_path", unnamed))
        if run and (own != part or len(run) == _AT_A_TIME):
            yield part, run
            run = []
        part = own
        run.append(document)
    if run:
        yield part, run
