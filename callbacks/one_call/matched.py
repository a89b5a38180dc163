"""The sampler-matched loss of a run that is watched: for which rows, and how those were drawn."""

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal

import torch

from collapse_guard.callbacks.one_call.held_out import Ids
from collapse_guard.callbacks.one_call.target import Target
from collapse_guard.errors import bad_argument
from collapse_guard.finder.find import find_decoding
from collapse_guard.mixing.guard import MixGuard
from collapse_guard.mixing.mix_of import mix_of
from collapse_guard.mixing.stream import MixStream
from collapse_guard.model.decoding import Decoding, check_matchable

if TYPE_CHECKING:
    from collapse_guard.integrations.matching.match_sampler import SamplerMatch

Synthetic = Literal["sources", "all"] | MixGuard | MixStream

logger = logging.getLogger("collapse_guard")

_EXAMPLE = 'Source(rows, "old model", "synthetic", decoding=Decoding(temperature=0.8))'


@dataclass(frozen=True)
class ToMatch:
    """A loss that is to be matched.

    Attributes:
        trained: What `match_sampler` takes it of.
        decodings: The mix that marks the labels of its sources; or the decoding of all rows, or
            "find".
        search: Arguments of `find_decoding`, where some decoding is to be found.
    """

    trained: Any
    decodings: MixGuard | MixStream | Decoding | Literal["find"]
    search: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_of_all(self) -> bool:
        """Whether all training rows are a model's."""
        return not isinstance(self.decodings, MixGuard | MixStream)

    @property
    def finds(self) -> bool:
        """Whether some decoding is to be found."""
        if isinstance(self.decodings, MixGuard | MixStream):
            return any(source.decoding == "find" for source in self.decodings.sources)
        return self.decodings == "find"

    def match(self, human: Sequence[Ids]) -> "SamplerMatch":
        """Match it, after a search where some decoding is to be found.

        Args:
            human: Human text that neither trains nor judges the model, to find it with.

        Raises:
            ArgumentError: As `match_sampler` has it.
        """
        # The one place where callbacks reach over to integrations: see the import contract.
        from collapse_guard.integrations.matching.match_sampler import match_sampler

        search: dict[str, Any] = {}
        if self.finds:
            search = {"progress": logger.info, **self.search, "held_out": human}
        drawn: Literal["marked", "all"] = "all" if self.is_of_all else "marked"
        return match_sampler(self.trained, self.decodings, drawn=drawn, **search)


def match_by_hand(model: torch.nn.Module | None) -> "SamplerMatch | None":
    """What matches a model's loss already; None where nothing does."""
    # Whoever has called `match_sampler` has its module, and nobody else needs transformers.
    module: Any = sys.modules.get("collapse_guard.integrations.matching.match_sampler")
    found: SamplerMatch | None = None
    if module is not None and model is not None:
        found = module.match_on(model)
    return found


def to_match(
    target: Target, synthetic: Any, decoding: Any, search: Mapping[str, Any] | None = None
) -> ToMatch | None:
    """What `watch` was asked to match; None where it was not.

    Args:
        target: What is watched.
        synthetic: Which rows are a model's.
        decoding: How they were drawn, where all are.
        search: Arguments of `find_decoding`.

    Raises:
        ArgumentError: They do not fit to each other or to the training set.
    """
    matching = _to_match(target, synthetic, decoding)
    if search is None:
        return matching
    _check_search(search)
    if matching is None or not matching.finds:
        raise bad_argument(
            "search",
            expected="None, where no decoding is to be found",
            given=search,
            hint="leave it out",
        )
    return replace(matching, search=dict(search))


def _check_search(search: Any) -> None:
    parameters = signature(find_decoding).parameters.values()
    # What is found with is kept apart from what judges the run.
    known = sorted(
        each.name for each in parameters if each.kind is each.KEYWORD_ONLY and each.name != "judge"
    )
    if not isinstance(search, Mapping) or not set(search) <= {*known}:
        raise bad_argument(
            "search",
            expected=f"settings of find_decoding by name: {', '.join(known)}",
            given=search,
            hint='watch(..., search={"steps": 12, "max_seconds": 300})',
        )


def _to_match(target: Target, synthetic: Any, decoding: Any) -> ToMatch | None:
    is_of_all = isinstance(synthetic, str) and synthetic == "all"
    if decoding is not None and not is_of_all:
        raise bad_argument(
            "decoding",
            expected='None, but for synthetic="all"',
            given=decoding,
            hint=f"say it of each source of the mix: {_EXAMPLE}",
        )
    if synthetic is None:
        return None
    if is_of_all:
        _check_all(target.mix)
        return ToMatch(target.trained, _decoding_of_all(target, decoding))
    return ToMatch(target.trained, _marking_mix(target, synthetic))


def _check_all(mix: MixGuard | MixStream | None) -> None:
    if mix is None:
        return
    human = [source.name for source in mix.sources if source.kind == "human"]
    if human or mix.marks is not None:
        raise bad_argument(
            "synthetic",
            expected='"sources" for a mix with human sources, or with a `decoding` at some',
            given="all",
            hint=f'watch(..., synthetic="sources"), with {_EXAMPLE}',
        )


def _decoding_of_all(target: Target, decoding: Any) -> Decoding | Literal["find"]:
    if decoding is not None and not (isinstance(decoding, str) and decoding == "find"):
        check_matchable(decoding)
        found: Decoding = decoding
        return found
    if target.training is None:
        raise bad_argument(
            "decoding",
            expected="the Decoding, where the training rows are not known that it would be found "
            "in",
            given=decoding,
            hint='watch(..., synthetic="all", decoding=Decoding(temperature=0.8)); '
            "find_decoding(model, rows, ...) finds it in rows that you have",
        )
    return "find"


def _marking_mix(target: Target, synthetic: Any) -> MixGuard | MixStream:
    mix = target.mix if isinstance(synthetic, str) else mix_of(synthetic)
    if mix is None or (isinstance(synthetic, str) and synthetic != "sources"):
        is_asked = isinstance(synthetic, str) and synthetic == "sources"
        raise bad_argument(
            "synthetic",
            expected="a training set that is a MixGuard or a MixStream, to have sources"
            if is_asked
            else 'None, "sources", "all" or a mix',
            given=type(target.training).__name__ if is_asked else synthetic,
            hint='watch(..., synthetic="all") where a model wrote all rows; or synthetic=mix, the '
            "mix that the rows are of",
        )
    if target.mix is not None and target.mix is not mix:
        raise bad_argument(
            "synthetic",
            expected='the mix that is trained on: "sources" finds it',
            given="another one",
            hint='watch(..., synthetic="sources")',
        )
    if mix.marks is None:
        raise bad_argument(
            "synthetic",
            expected="a mix of which some source says how its rows were drawn",
            given=[source.name for source in mix.sources],
            hint=f'{_EXAMPLE}, or decoding="find"',
        )
    return mix
