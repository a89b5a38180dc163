"""The strata of all sources: by rarity where rare rows are boosted, by quality where given."""

import math
from typing import Any

from collapse_guard.arguments import whole_number
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.mixing.quotas.allocation import boost_weights
from collapse_guard.mixing.sources import GatheredSources
from collapse_guard.mixing.strata.quality import rank_by_quality
from collapse_guard.mixing.strata.ranking import Ranking
from collapse_guard.mixing.strata.rarity import Rarity, rank_human_rows
from collapse_guard.mixing.strata.strata import Strata


def stratify(
    gathered: GatheredSources,
    *,
    rare_boost: Any,
    rarity: Rarity | None,
    reference: HumanReference | None,
    column: str,
    num_strata: Any,
) -> list[Strata]:
    """The rows of each source, grouped by what decides how often they are shown.

    Args:
        gathered: The sources.
        rare_boost: As of `MixGuard`, as are the others.
        rarity: As of `MixGuard`.
        reference: As of `MixGuard`.
        column: As of `MixGuard`.
        num_strata: As of `MixGuard`.

    Raises:
        ArgumentError: The boost is out of range, or what rarity or quality is read from is missing
            or cannot be.
        TokenizerMismatchError: Human rows have token ids that `reference` does not know.
    """
    human = [s for s, source in enumerate(gathered.sources) if source.kind == "human"]
    rankings: dict[int, Ranking] = {}
    if rare_boost is not None:
        if not isinstance(rare_boost, int | float) or not 1 <= rare_boost < math.inf:
            raise bad_argument(
                "rare_boost",
                expected="a number of at least 1, or None",
                given=rare_boost,
                hint="2.0 shows the rarest rows twice as often as the commonest",
            )
        num_strata = whole_number("num_strata", num_strata, least=2, most=100, hint="give e.g. 10")
        if human:
            ranked = rank_human_rows(
                [gathered.rows[s] for s in human],
                rarity=rarity,
                reference=reference,
                column=column,
                num_strata=num_strata,
            )
            rankings = dict(zip(human, ranked, strict=True))
    return [
        _strata_of(gathered, s, rankings.get(s), rare_boost) for s in range(len(gathered.sources))
    ]


def _strata_of(
    gathered: GatheredSources, number: int, rarity: Ranking | None, rare_boost: Any
) -> Strata:
    source, num_rows = gathered.sources[number], len(gathered.rows[number])
    quality = None
    if source.quality is not None:
        quality = rank_by_quality(source.name, source.quality, num_rows)
    if rarity is None and quality is None:
        return Strata.unranked(num_rows)
    boosts = None
    if rarity is not None:
        boosts = boost_weights(rarity.num_groups, rare_boost)
    return Strata.ranked(rarity, quality, boosts=boosts)
