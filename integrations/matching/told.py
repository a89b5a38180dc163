"""What a loss is matched to, in a line for people."""

from collections.abc import Sequence

from collapse_guard.finder.source_decoding import SourceDecoding

_MOST_SOURCES = 3


def told(sources: Sequence[SourceDecoding], *, of_all: bool) -> str:
    """For which rows a loss is matched, and to what.

    Args:
        sources: Those that are matched, at least one.
        of_all: Whether all training rows are of one model; then there is one.

    Example:
        >>> from collapse_guard import Decoding
        >>> print(told([SourceDecoding("web", Decoding(0.8))], of_all=False))
        matched loss: rows of 'web' as drawn with T 0.8.
    """
    if of_all:
        return f"matched loss: all rows, as drawn with {sources[0]}."
    parts = [f"of {each.source!r} as drawn with {each}" for each in sources[:_MOST_SOURCES]]
    more = len(sources) - _MOST_SOURCES
    parts += [f"of {more} more sources"] if more > 0 else []
    return f"matched loss: rows {', '.join(parts)}."
