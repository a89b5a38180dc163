"""Decodings that nobody knows, found with the trainer that is to train on their rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from collapse_guard.errors import bad_argument
from collapse_guard.finder.search import DecodingSearch
from collapse_guard.human_text.documents import Document
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.integrations.find_decoding import find_decoding_for
from collapse_guard.mixing.guard import MixGuard
from collapse_guard.mixing.stream import MixStream
from collapse_guard.rows.row_source import can_be_read_by_number


def find_unknown(
    target: Any, mix: Any, held_out: Sequence[Document] | HeldOutPanel | None, **settings: Any
) -> Mapping[str, DecodingSearch]:
    """Find the decoding of each source of a mixed stream that is to be found, and tell the stream.

    Args:
        target: The trainer, as of `find_decoding_for`.
        mix: The mixed stream; anything else has nothing to find.
        held_out: Human text, as of `find_decoding`.
        settings: Of `find_decoding`.

    Returns:
        What was found, by the name of the source.

    Raises:
        ArgumentError: There is something to find, and no human text, or rows that can only be
            gone through; or nothing to find, and settings for it.
    """
    sources = mix.sources if isinstance(mix, MixGuard | MixStream) else ()
    unknown = [source for source in sources if source.decoding == "find"]
    if settings and not unknown:
        raise bad_argument(
            next(iter(settings)),
            expected='a source with decoding="find", for settings of the search',
            given=settings,
            hint="leave it out",
        )
    if unknown and held_out is None:
        raise bad_argument(
            "held_out",
            expected=f"human text, as the decoding of {unknown[0].name!r} is to be found",
            given=None,
            hint="give token ids of human documents of its domain, which neither train nor judge "
            "the model",
        )
    searches = {}
    for source in unknown:
        rows: Any = source.rows
        if not can_be_read_by_number(rows):
            raise bad_argument(
                "decoding",
                expected=f"rows of {source.name!r} that can be read by number, to find it",
                given=rows,
                hint="find it with find_decoding on a part of the rows, and name it",
            )
        searches[source.name] = find_decoding_for(target, rows, held_out or (), **settings)
    # Not before all is found: a search that fails leaves the stream as it was.
    for name, search in searches.items():
        mix.set_decoding(name, search)
    return searches
