"""How often each type occurs in a part of a corpus: what a human reference is made of."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import a, check_fields, understood, whole_number
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.counting import Documents, count_types
from collapse_guard.human_text.given_counts import as_counts
from collapse_guard.human_text.left_out import unmasked, unmasked_documents
from collapse_guard.human_text.token_rows import TokenRows
from collapse_guard.human_text.tokenizer import Tokenizer, num_types
from collapse_guard.statistics.json_forms import Part

_MOST_TYPES = 1 << 31


@dataclass(frozen=True, eq=False)
class TypeCounts:
    """Token counts of a part of a corpus, which may be empty.

    Counts of parts are merged, in any order and by whoever has them, into those of the whole, and
    `HumanReference.from_type_counts` makes a reference of these: the very one that it makes of the
    whole at once. What is padding is known at the end only, so references of parts that are merged
    may know less. A part takes 8 bytes a type, however large it is.

    Attributes:
        counts: int64 of shape (vocab_size,), how often each type occurs where no mask masks it out.
        masked: How often each id is masked out.

    Raises:
        ArgumentError: The counts are no whole numbers of at least 0.

    Example:
        >>> parts = [TypeCounts.of(part, vocab_size=3) for part in ([[0, 1]], [], [[0], [2, 0]])]
        >>> parts[0].merge(parts[1]).merge(parts[2]).counts.tolist()
        [3, 1, 1]
    """

    counts: npt.NDArray[np.int64]
    masked: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", as_counts(self.counts))
        check_fields(self, masked=_masked)

    @classmethod
    def of(
        cls,
        documents: Documents,
        *,
        vocab_size: int,
        tokenizer: Tokenizer | None = None,
        attention_mask: Iterable[Any] | None = None,
    ) -> "TypeCounts":
        """Count token ids.

        Args:
            documents: Token ids; a document at a time or one flat stream.
            vocab_size: As of `HumanReference.from_token_ids`, as are the others.
            tokenizer: The one that made the ids.
            attention_mask: For padded documents, of each a mask as long as it.

        Raises:
            ArgumentError: An id is negative or not below `vocab_size`, or a mask is not as long as
                its document.
        """
        masked: dict[int, int] = {}
        kept = unmasked_documents(documents, attention_mask, masked)
        return cls(count_types(kept, num_types(vocab_size, tokenizer)), masked)

    @classmethod
    def of_table(
        cls, table: Any, column: str, *, vocab_size: int, tokenizer: Tokenizer | None = None
    ) -> "TypeCounts":
        """Count a column of a `pyarrow.Table`, without what its `attention_mask` masks out.

        Args:
            table: With a list of token ids in each row of the column.
            column: Its name.
            vocab_size: As of `of`.
            tokenizer: As of `of`.

        Raises:
            ArgumentError: The column holds something else, or as of `of`.
        """
        masked: dict[int, int] = {}
        expected = "a pyarrow.Table with such a column of token ids"
        hint = "give the table, and the name of the column that holds the token ids"
        with understood("table", table, expected=expected, hint=hint):
            kept = unmasked(table, TokenRows.of_arrow(table.column(column)), masked)
        return cls(count_types([kept], num_types(vocab_size, tokenizer)), masked)

    def merge(self, other: "TypeCounts") -> "TypeCounts":
        """The counts of both parts together.

        Raises:
            ArgumentError: It is no such thing, or of another number of types.
        """
        other = TYPE_COUNTS("other", other)
        if len(other.counts) != len(self.counts):
            raise bad_argument(
                "other",
                expected=f"counts of {len(self.counts)} types",
                given=f"counts of {len(other.counts)}",
                hint="count all parts with one tokenizer, and the same vocab_size",
            )
        masked = Counter(self.masked) + Counter(other.masked)
        return TypeCounts(self.counts + other.counts, dict(masked))

    def state_dict(self) -> dict[str, Any]:
        """All of it in plain JSON types, without the types that do not occur."""
        types = np.flatnonzero(self.counts)
        return {
            "vocab_size": len(self.counts),
            "types": types.tolist(),
            "counts": self.counts[types].tolist(),
            "masked": [list(self.masked), list(self.masked.values())],
        }

    @classmethod
    def of_state(cls, state: Any) -> "TypeCounts":
        """The counts that `state_dict` wrote down.

        Raises:
            ArgumentError: It is no such state; the part that is wrong is named.
        """
        whole = Part("state", state, "count that part again")
        parts = whole.keys("vocab_size", "types", "counts", "masked")
        size = parts["vocab_size"].whole(least=1, most=_MOST_TYPES)
        types = parts["types"].wholes(most=size - 1)
        parts["types"].check(bool((np.diff(types) > 0).all()), "types upwards")
        counts = np.zeros(size, np.int64)
        counts[types] = parts["counts"].wholes(len(types), least=1)
        ids, times = parts["masked"].items(2)
        masked = ids.wholes()
        ids.check(len(set(masked.tolist())) == len(masked), "ids, each once")
        found = times.wholes(len(masked), least=1)
        return cls(counts, dict(zip(masked.tolist(), found.tolist(), strict=True)))


_HINT = "leave it out, and count the text with TypeCounts.of"
_A_MAPPING = a(Mapping, expected="numbers of tokens by their ids", hint=_HINT)


def _masked(name: str, given: Any) -> dict[int, int]:
    """Ids and how often each is masked out, as ints."""
    return {
        whole_number(name, index, least=0, hint=_HINT): whole_number(
            name, times, least=1, hint=_HINT
        )
        for index, times in _A_MAPPING(name, given).items()
    }


TYPE_COUNTS = a(TypeCounts, expected="TypeCounts", hint="count the text with TypeCounts.of")
