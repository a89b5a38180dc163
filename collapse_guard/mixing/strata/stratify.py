"""The strata of all sources: by rarity where rare rows are boosted, by quality where given."""

from collapse_guard.mixing.sources import MixSources
from collapse_guard.mixing.strata.boost import RareBoost
from collapse_guard.mixing.strata.ranking import Ranking, rank_by_quality
from collapse_guard.mixing.strata.rarity import rank_human_rows
from collapse_guard.mixing.strata.strata import Strata


def stratify(mixed: MixSources, boost: RareBoost | None) -> list[Strata]:
    """The rows of each source, grouped by what decides how often they are shown.

    Args:
        mixed: The sources.
        boost: As of `MixGuard`.

    Raises:
        ArgumentError: What rarity or quality is read from is missing, or cannot be.
        TokenizerMismatchError: Human rows have token ids that the boost's reference does not know.
    """
    rankings: dict[int, Ranking] = {}
    human = [number for number, source in enumerate(mixed.sources) if source.kind == "human"]
    if boost is not None and human:
        ranked = rank_human_rows([mixed.rows[number] for number in human], boost)
        rankings = dict(zip(human, ranked, strict=True))
    strata = []
    for number, (source, rows) in enumerate(zip(mixed.sources, mixed.rows, strict=True)):
        rarity, quality, weights = rankings.get(number), None, None
        if source.quality is not None:
            quality = rank_by_quality(source.name, source.quality, len(rows))
        if rarity is not None and boost is not None:
            weights = boost.weights(rarity.num_groups)
        if rarity is None and quality is None:
            strata.append(Strata.unranked(len(rows)))
        else:
            strata.append(Strata.ranked(rarity, quality, boosts=weights))
    return strata
