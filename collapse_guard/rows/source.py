"""A source of rows as users describe it: the rows, where they come from, and how much of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import a, check_fields, optional, share, text, whole_number
from collapse_guard.errors import bad_argument
from collapse_guard.model.decoding import Decoding, check_matchable
from collapse_guard.rows.containers import as_rows
from collapse_guard.rows.row_source import Rows

Kind = Literal["human", "synthetic"]
WhenDry = Literal["error", "stop", "human"]
Quality = Sequence[float] | npt.NDArray[np.floating[Any]] | str | Callable[[Any], float]
DrawnWith = Decoding | Sequence[Decoding] | Literal["columns", "find"]


@dataclass(frozen=True, eq=False)
class Source:
    """Rows with their provenance, and how much of the mixed stream they may fill.

    The slots of a kind are shared among its sources in proportion to `weight`, between
    `min_fraction` and `max_fraction`; what a limit takes from one source goes to the others of
    its kind, in proportion again.

    A source is *dry* where its share of an epoch is more than its rows shown `max_repeats` times
    each. That is known before the first row, so that nothing changes on the way: with

    * `when_dry="error"`, the `MixGuard` is refused, with the longest epoch that works;
    * `when_dry="stop"`, every epoch ends where this source would run dry;
    * `when_dry="human"`, every row of it is shown `max_repeats` times, and the rest of its share,
      evenly spread, goes to human sources; if it is human itself, to the others.

    Attributes:
        rows: A Hugging Face `Dataset`, a list or tuple of rows, any map-style torch data set, a
            data frame of pandas, a dict of columns, a tokenizer's output; for a `MixStream` also a
            stream of rows.
        name: Of the source in reports and errors; no two sources of a stream share one.
        kind: "human" or "synthetic".
        generation: How many models lie between human text and these rows: 0 for human rows, and
            where it is not known; 1 for what a model trained on human text wrote, 2 for what a
            model trained on that wrote.
        licence: Of the rows, for the record only.
        weight: Share of its kind's slots, relative to that of the others, above 0.
        min_fraction: Least share of the whole stream, from 0 to 1. With G the block size, each
            block, and any G consecutive slots of one stage of the human floor, hold at least
            ceil(min_fraction x G) of these rows. `Slots` has the proof.
        max_fraction: Largest share of the whole stream, above 0 and at most 1: of each epoch (of
            each stage's part of it, where the human floor changes), rounded up to whole rows.
            Windows hold this share to within a draw per level of a tree over the sources of its
            kind, as `Interleave` says.
        max_repeats: Most times that a row may be shown in an epoch, at least 1. None for that of
            the `MixGuard`.
        quality: One number for each row, at least 0 and not all 0, or None for equal quality. Rows
            are shown in proportion to it, in groups of like quality, as far as `max_repeats`
            allows; rows of quality 0 are never shown. For a stream in a `MixStream` the name of a
            column, or a function of a row, that says it: a number from 0 to 1, the share of the
            passes that show the row. P passes show it P q times on average, and floor(P q) or
            ceil(P q) times where all give the rows in one order. What is not shown is read all the
            same.
        when_dry: What to do where the rows do not suffice: "error", "stop" or "human".
        decoding: How a model drew the tokens of synthetic rows, so that they can be trained on with
            the sampler-matched loss (`collapse_guard.integrations.match_sampler`): the `Decoding`;
            "columns", where each row says it in columns `temperature`, `top_k`, `top_p`, `min_p`
            and `cut_order` of its own, as far as it has them; a list of decodings, the same for a
            stream, whose columns are not read beforehand; or "find", where nobody knows it and it
            is to be found before the first step. None for the plain loss. The labels of such rows
            are marked with it, but for tokens whose `drawn_mask` is 0 (prompts, what a template
            adds, an appended end), whose loss is plain.
        found_by: What told how the decoding was found, in plain JSON types, for the record only.
        num_rows: How many rows a stream has, at least 1, where somebody knows: for a `MixStream`
            with `human_fraction="golden"`. None for `len(rows)`, where there is one.

    Raises:
        ArgumentError: A value is out of range, or does not fit the others.

    Example:
        >>> source = Source(["a", "b"], "wiki", "human", min_fraction=0.1)
        >>> source.kind, source.generation, source.weight
        ('human', 0, 1.0)
    """

    rows: Rows | Iterable[Any] = field(repr=False)
    name: str
    kind: Kind
    generation: int = 0
    licence: str | None = None
    weight: float | Fraction = 1.0
    min_fraction: float | Fraction = 0.0
    max_fraction: float | Fraction = 1.0
    max_repeats: int | None = None
    quality: Quality | None = field(default=None, repr=False)
    when_dry: WhenDry = "error"
    decoding: DrawnWith | None = None
    found_by: Mapping[str, Any] | None = field(default=None, repr=False)
    num_rows: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise bad_argument("name", expected="a text", given=self.name, hint="name the source")
        for argument, allowed in (("kind", Kind), ("when_dry", WhenDry)):
            given = getattr(self, argument)
            if not isinstance(given, str) or given not in get_args(allowed):
                raise bad_argument(
                    argument,
                    expected=f"one of {', '.join(map(repr, get_args(allowed)))}",
                    given=given,
                    hint=f"choose one for source {self.name!r}",
                )
        generation = whole_number(
            "generation", self.generation, least=0, most=10**6, hint="give e.g. 1"
        )
        if generation and self.kind == "human":
            raise bad_argument(
                "generation",
                expected="0 for human rows",
                given=generation,
                hint=f"leave it out, or say that source {self.name!r} is synthetic",
            )
        # Narrow floats cannot be compared with what is past their range.
        weight = float(self.weight) if isinstance(self.weight, np.floating) else self.weight
        if not isinstance(weight, int | float | Fraction) or not 0 < weight < 2**1023:
            raise bad_argument(
                "weight",
                expected="a number above 0",
                given=self.weight,
                hint=f"leave out source {self.name!r} if no slot may show it",
            )
        least = share("min_fraction", self.min_fraction, hint="give e.g. 0.1")
        most = share("max_fraction", self.max_fraction, hint="give e.g. 0.5")
        if least > most or not most:
            raise bad_argument(
                "max_fraction",
                expected=f"a share above 0 and not below min_fraction={self.min_fraction}",
                given=self.max_fraction,
                hint=f"raise the one or lower the other of source {self.name!r}",
            )
        if self.max_repeats is not None:
            whole_number("max_repeats", self.max_repeats, least=1, hint="give e.g. 4, or None")
        if self.num_rows is not None:
            hint = "give the number of rows of the stream, or leave it out"
            whole_number("num_rows", self.num_rows, least=1, hint=hint)
        named = "name it for the ledger, or leave it out"
        check_fields(
            self,
            name=text(hint="name the source"),
            licence=optional(text(hint=named)),
            found_by=optional(a(Mapping, expected="what found the decoding", hint=named)),
        )
        object.__setattr__(self, "rows", as_rows(self.name, self.rows))
        self._check_decoding()

    def _check_decoding(self) -> None:
        given = self.decoding
        if given is None:
            return
        if self.kind == "human":
            raise bad_argument(
                "decoding",
                expected="None for human rows, which no sampler drew",
                given=given,
                hint=f"leave it out, or say that source {self.name!r} is synthetic",
            )
        if isinstance(given, str) and given in ("columns", "find"):
            return
        listed = tuple(given) if isinstance(given, list | tuple) else (given,)
        if not listed or not all(isinstance(one, Decoding) for one in listed):
            raise bad_argument(
                "decoding",
                expected='a Decoding, a list of them, "columns", "find" or None',
                given=given,
                hint="give Decoding(temperature=0.8) for example",
            )
        for one in listed:
            check_matchable(one)


def told_decoding(source: Source) -> Any:
    """How a source's rows were drawn, in plain JSON types, for ledgers.

    Returns:
        None for human rows; "unknown", or "to be found"; else the decoding, or a list of them. A
        decoding that was found has `found_by` besides, which tells how.
    """
    known = source.decoding
    if known is None:
        return "unknown" if source.kind == "synthetic" else None
    if isinstance(known, str):
        return "to be found" if known == "find" else known
    if not isinstance(known, Decoding):
        return [one.to_dict() for one in known]
    told = known.to_dict()
    return told if source.found_by is None else {**told, "found_by": dict(source.found_by)}
