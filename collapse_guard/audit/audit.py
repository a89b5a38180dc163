"""A look at the rows themselves, before a model is trained on them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from collapse_guard.arguments import listed, optional, understood
from collapse_guard.audit.distinct import Distinct
from collapse_guard.audit.forms import compare_forms
from collapse_guard.audit.inside_rows import find_inside
from collapse_guard.audit.leaks import LeakedRows, find_leaks
from collapse_guard.audit.likeness import find_like
from collapse_guard.audit.repeated_rows import find_repeated
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
      if they share at least `near` of all their runs of five tokens (Jaccard similarity). Rows of
      fewer than five tokens are compared whole.
    * *Repeated* rows: they say again what an earlier row of their kind says, in the same source or
      in another one, identical or nearly so. They are listed, and not called bad.
    * *Inside* rows: at least `near` of their runs stand in one longer row, such as a human
      paragraph that a synthetic row quotes. Rows of fewer than 13 tokens are not looked for.
    * *Leaked* rows: they hold text of the held-out panel (see `find_leaks`).
    * *Empty* rows: no token, or nothing but spaces.
    * *Columns* that are missing in a source or hold something else there.
    * *Retokenized* rows, where there is a tokenizer and a source says with which `decoding` its
      tokens were drawn: they are not the ids that were drawn (see `find_retokenized`).
    * *Forms* that tell the rows of a synthetic source from the human ones (see `compare_forms`):
      how rows begin and end, how long they are, how texts are laid out. They are listed by the size
      of the difference; none is called bad.

    Identical rows are all found, and so are rows that lie wholly inside longer ones, unless very
    many rows are alike: then each is compared with some. Of others eight runs are looked up, and
    two have to stand in the other row, so that a row which is just `near` enough is missed with a
    probability of at most 1 in 10,000 at `near=0.8`, and of 3.5% at 0.5 (`AuditReport.missed`); the
    more it shares, the less often. The figures that are given are counted on the rows themselves.
    Where many rows are much alike, each is compared with four of each kind, those that share most
    of the runs that are looked up, and not with all: members of a large family may go unnoticed
    that are near to few of the others.

    Rows are read twice in batches, and numbers are kept of them, not the rows: about 180 bytes a
    row while they are compared, and 15 MB. Time grows as the tokens do, also where rows are all
    nearly the same.

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
        web: of 12 forms none surely tells its rows from human ones
        not looked for: held-out text, since no panel was given
    """
    near = _checked(near)
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
    scans = [
        scan(own, kind, near=near is not None) for own, kind in zip(columns, kinds, strict=True)
    ]
    empty = [EmptyRows(one.column.name, one.is_empty.nonzero()[0]) for one in scans]
    distinct = Distinct.of(scans)
    likeness = None if near is None else find_like(distinct, near)
    return AuditReport(
        num_rows={own.name: len(own) for own in columns},
        near=near,
        shared=tuple(find_shared(distinct, likeness)),
        leaked=None if leaked is None else tuple(part for part in leaked if len(part.rows)),
        empty=tuple(part for part in empty if len(part.rows)),
        differences=_differences(sources, opened),
        retokenized=_retokenized(sources, opened, tokenizer),
        repeated=(
            *find_repeated(distinct, likeness, "human"),
            *find_repeated(distinct, likeness, "synthetic"),
        ),
        inside=() if likeness is None else tuple(find_inside(distinct, likeness.inside)),
        forms=compare_forms(columns, kinds, tokenizer),
    )


def _checked(near: float | None) -> float | None:
    is_number = isinstance(near, int | float) and not isinstance(near, bool)
    if near is not None and not (is_number and 0.5 <= near <= 1.0):
        raise bad_argument(
            "near",
            expected="a Jaccard similarity from 0.5 to 1, or None",
            given=near,
            hint="0.8 is the default; None looks for identical rows only",
        )
    return near


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
