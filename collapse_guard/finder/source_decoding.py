"""How the rows of a source were drawn, and how that is known."""

from dataclasses import dataclass

from collapse_guard.finder.search import DecodingSearch
from collapse_guard.model.decoding import Decoding


@dataclass(frozen=True)
class SourceDecoding:
    """How rows that a model wrote were drawn, whose loss is matched to that.

    `print` says it in words.

    Attributes:
        source: The name of their source; "all" where all training rows are of one model.
        decoding: How they were drawn; None where each row says it.
        search: How that was found; None where it was given.

    Example:
        >>> print(SourceDecoding("web", Decoding(0.8)))
        T 0.8
    """

    source: str
    decoding: Decoding | None
    search: DecodingSearch | None = None

    def __str__(self) -> str:
        if self.decoding is None:
            return "what they say"
        if self.search is None:
            return f"{self.decoding}"
        doubt = "" if self.search.told_apart_from_plain else ", not told apart from the plain loss"
        return f"{self.decoding} (found with {self.search.documents} human documents{doubt})"
