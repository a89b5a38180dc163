"""Training rows that are all of one model's writing: their one decoding, given or found."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.finder.search import DecodingSearch
from collapse_guard.human_text.documents import Document
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.integrations.find_decoding import find_decoding_for
from collapse_guard.model.decoding import Decoding
from collapse_guard.random_states import random_states_kept
from collapse_guard.rows.row_source import can_be_read_by_number

require("transformers", "huggingface")

from transformers import Trainer  # noqa: E402

_READ = ("input_ids", "labels", "attention_mask")


def decoding_of_all(decodings: Any) -> list[Decoding] | Literal["find"]:
    """The one decoding of all tokens that were drawn, in a list; or "find".

    Raises:
        ArgumentError: It is something else, such as several.
    """
    if isinstance(decodings, str) and decodings == "find":
        return "find"
    listed = decodings if isinstance(decodings, list | tuple) else [decodings]
    if len(listed) != 1 or not isinstance(listed[0], Decoding):
        raise bad_argument(
            "decodings",
            expected='the one Decoding of all rows, or "find", as drawn="all" has it',
            given=decodings,
            hint='match_sampler(trainer, Decoding(0.8), drawn="all"); a mix marks its labels',
        )
    return [*listed]


def find_for_all(
    target: Any,
    decodings: list[Decoding] | Literal["find"],
    held_out: Sequence[Document] | HeldOutPanel | None,
    **settings: Any,
) -> tuple[list[Decoding], Mapping[str, DecodingSearch]]:
    """Find the decoding of all rows that a Trainer trains on, where it is not known.

    Args:
        target: What is trained.
        decodings: As `decoding_of_all` gives it.
        held_out: Human text, as of `find_decoding`.
        settings: Of `find_decoding`.

    Returns:
        The decoding, and how it was found, by the name "all"; nothing where it was known.

    Raises:
        ArgumentError: It is to be found, and there is no human text, or no Trainer with rows that
            can be read by number; or it is known, and there are settings to find it with.
    """
    if decodings != "find":
        if settings:
            raise bad_argument(
                next(iter(settings)),
                expected='"find" in place of the decoding, for settings of the search',
                given=settings,
                hint="leave it out",
            )
        return decodings, {}
    if held_out is None:
        raise bad_argument(
            "held_out",
            expected="human text, as the decoding of all rows is to be found",
            given=None,
            hint="give token ids of human documents of their domain, which neither train nor judge "
            "the model",
        )
    rows: Any = getattr(target, "train_dataset", None)
    if not isinstance(target, Trainer) or not can_be_read_by_number(rows) or not len(rows):
        raise bad_argument(
            "decodings",
            expected="the Decoding itself, where no rows are known that can be read by number",
            given="find",
            hint="call collapse_guard.find_decoding with some of the rows, and give its `decoding`",
        )
    search = find_decoding_for(target, _TrainedRows(target), held_out, **settings)
    return [search.decoding], {"all": search}


class _TrainedRows:
    """The rows of a Trainer as its collator hands them on: which labels count, it may decide."""

    def __init__(self, trainer: Trainer) -> None:
        self._rows: Any = trainer.train_dataset
        # As the Trainer's own loader does, which drops columns here or before.
        self._collate = trainer._get_collator_with_removed_columns(trainer.data_collator)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        with random_states_kept():
            # Never `__getitems__`: a mixed stream watches over the order that it is called in.
            batch = self._collate([self._rows[number]])
        return {name: batch[name][0].tolist() for name in _READ if name in batch}
