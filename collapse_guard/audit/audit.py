"""A look at the rows themselves, before a model is trained on them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from collapse_guard.arguments import listed, optional, understood
from collapse_guard.audit.leaks import LeakedRows, find_leaks
from collapse_guard.audit.near_duplicates import Bands
from collapse_guard.audit.report import AuditReport, EmptyRows
from collapse_guard.audit.retokenized import RetokenizedRows, find_retokenized
from collapse_guard.audit.scan import scan
from collapse_guard.audit.shared_rows import find_shared
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.panel import A_PANEL, HeldOutPanel
from collapse_guard.human_text.tokenizer import Tokenizer
from collapse_guard.rows.column import Column, encoder
from collapse_guard.rows.marks import MAY_DIFFER
from collapse_guard.rows.row_source import Rows, RowSource
from collapse_guard.rows.schema import ColumnDifference, find_differences
from collapse_guard.rows.source import Kind


class LabelledRows(Protocol):
    """What is checked: rows with a name and a kind, as a `collapse_guard.Source` is."""

    @property
    def rows(self) -> Rows | Iterable[Any]:
        """The rows."""

    @property
    def name(self) -> str:
        """What they are called; no two sources share a name."""

    @property
    def kind(self) -> Kind:
        """Whether people wrote them: "human" or "synthetic"."""


def audit_rows(
    sources: Sequence[LabelledRows],
    *,
    column: str | None = None,
    panel: HeldOutPanel | None = None,
    tokenizer: Tokenizer | None = None,
    near: float | None = 0.8,
) -> AuditReport:
    """Look for rows that should not be trained on, and say which they are.

    * *Shared* rows: synthetic rows that a human source holds too, identical or nearly so. They are
      human text under a wrong name, or what a model learned by heart. Two rows are nearly the same
      if they share at least `near` of all their runs of five tokens (Jaccard similarity). The
      figure is counted on the rows themselves; MinHash only finds the pairs to count. It misses a
      pair just at the limit with a probability of at most 1%, and more similar ones less often.
      Rows of fewer than five tokens are compared whole.
    * *Leaked* rows: they hold text of the held-out panel (see `find_leaks`).
    * *Empty* rows: no token, or nothing but spaces.
    * *Columns* that are missing in a source or hold something else there.
    * *Retokenized* rows, where there is a tokenizer and a source says with which `decoding` its
      tokens were drawn: they are not the ids that were drawn (see `find_retokenized`).

    Rows are read in batches, and numbers are kept of them, not the rows: 10 bytes a row, and 168
    more to find rows that are nearly the same (at `near=0.8`; lower ones need more). Where a
    thousand rows are nearly the same, each is compared with some of them, not with all.

    Args:
        sources: The sources; at least one.
        column: The column of token ids or texts; None for "input_ids" or, where a source has
            none, "text". Words of texts are compared whatever their case and punctuation.
        panel: The held-out text. Where sources hold texts, with the `tokenizer`.
        tokenizer: The tokenizer of the panel's reference, and of the model that drew the tokens of
            sources with a `decoding`.
        near: Least Jaccard similarity that counts as nearly the same, from 0.5 to 1; None to look
            for identical rows only, which needs no other package.

    Raises:
        ArgumentError: No source, two of one name, a column that is missing, texts in some sources
            and token ids in others, or texts and a panel without a tokenizer.
        MissingExtraError: `near` needs `pip install "collapse_guard[audit]"`.
        TokenizerMismatchError: The tokenizer is not the panel's, or the token ids are not.

    Example:
        >>> from collapse_guard import Source
        >>> human = Source([{"text": "it was a bright cold day in april"}], "books", "human")
        >>> copied = {"text": "It was a bright, cold day in April."}
        >>> web = Source([copied, {"text": " "}], "web", "synthetic")
        >>> print(audit_rows([human, web]))
        3 rows checked: 1 of books, 2 of web
        web: 1 row stands in books too, 0 identical and 1 nearly so: 0 like 0 (100%)
        web: 1 empty row: 1
        not looked for: held-out text, since no panel was given
    """
    bands = None if near is None else Bands.of(near)
    hint = "give a list of Source, or of others with a name, a kind and rows"
    with understood("sources", sources, expected="a list of sources", hint=hint):
        is_list = not isinstance(sources, str | bytes | Mapping)
        sources = (
            listed("sources", sources, expected="a list of sources", hint=hint) if is_list else []
        )
        names = [source.name for source in sources]
        kinds = [source.kind for source in sources]
    if not all(isinstance(each, str) for each in (*names, *kinds)):
        raise bad_argument("sources", expected="a list of sources", given=sources, hint=hint)
    optional(A_PANEL)("panel", panel)
    if not names or len(set(names)) < len(names):
        raise bad_argument(
            "sources",
            expected="at least one source, each of its own name",
            given=names,
            hint="name them apart",
        )
    opened = [RowSource(source.name, source.rows) for source in sources]
    columns = [Column(source, column) for source in opened]
    if len({own.is_text for own in columns}) > 1:
        raise bad_argument(
            "column",
            expected="texts in all sources, or token ids in all",
            given={own.name: "texts" if own.is_text else "token ids" for own in columns},
            hint="name a column that holds the same in all",
        )
    encode = None
    if panel is not None and tokenizer is not None:
        panel.reference.check_tokenizer(tokenizer)
        encode = encoder(tokenizer)
    if panel is not None and encode is None and columns[0].is_text:
        raise bad_argument(
            "tokenizer",
            expected="the tokenizer of the panel, since the rows are texts",
            given=tokenizer,
            hint="give the one that the panel's reference was counted with",
        )
    leaked: list[LeakedRows] | None = None
    if panel is not None:
        leaked = [find_leaks(panel, own, encode) for own in columns]
    scans = [scan(own, bands) for own in columns]
    empty = [EmptyRows(one.column.name, one.is_empty.nonzero()[0]) for one in scans]
    shared = find_shared(
        [one for one, source in zip(scans, sources, strict=True) if source.kind == "human"],
        [one for one, source in zip(scans, sources, strict=True) if source.kind == "synthetic"],
        near=near,
    )
    return AuditReport(
        num_rows={own.name: len(own) for own in columns},
        near=near,
        shared=tuple(shared),
        leaked=None if leaked is None else tuple(part for part in leaked if len(part.rows)),
        empty=tuple(part for part in empty if len(part.rows)),
        differences=_differences(sources, opened),
        retokenized=_retokenized(sources, opened, tokenizer),
    )


def _differences(
    sources: Sequence[LabelledRows], opened: Sequence[RowSource]
) -> tuple[ColumnDifference, ...]:
    found = find_differences({source.name: source for source in opened})
    if all(getattr(source, "decoding", None) is None for source in sources):
        return tuple(found)
    # A mix whose labels are marked takes them out, or has them in all rows.
    return tuple(difference for difference in found if difference.column not in MAY_DIFFER)


def _retokenized(
    sources: Sequence[LabelledRows], opened: Sequence[RowSource], tokenizer: Tokenizer | None
) -> tuple[RetokenizedRows, ...]:
    if tokenizer is None:
        return ()
    # What is to be found is found for the ids as they are.
    known = [getattr(source, "decoding", None) not in (None, "find") for source in sources]
    found = [
        find_retokenized(rows, tokenizer) if is_known else None
        for rows, is_known in zip(opened, known, strict=True)
    ]
    return tuple(rows for rows in found if rows is not None)
