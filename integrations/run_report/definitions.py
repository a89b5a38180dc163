"""What the words of a page mean: readings, meanings of collapse, and settings of samplers."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from collapse_guard import CollapseProfile, Threshold
from collapse_guard.readings.registry import READINGS
from collapse_guard.run_records.record import RunRecord

SAMPLER: Mapping[str, str] = MappingProxyType(
    {
        "temperature": "divides the logits before tokens are drawn: 1 draws from the model as it "
        "is, less draws its likelier tokens oftener",
        "top-k": "only the k likeliest tokens are drawn",
        "top-p": "only the smallest set of likeliest tokens that holds this share of the "
        "probability is drawn",
        "min-p": "only tokens of at least this share of the likeliest one's probability are drawn",
    }
)


def definitions_of(
    runs: Iterable[RunRecord],
    readings: Iterable[str],
    profiles: Iterable[CollapseProfile | None] = (),
) -> dict[str, str]:
    """What is meant by each word that a page shows and does not explain where it stands.

    Args:
        runs: Whose records know readings of the user's own, which go before those of the package.
        readings: Those that are shown of all runs.
        profiles: Of the runs.

    Returns:
        Meanings by word, in the order in which the page has them; of unknown words none.

    Example:
        >>> definitions_of([], ["tail_prob", "unknown"])
        {'tail_prob': 'mean probability of the tail tokens'}
    """
    runs = list(runs)
    known = {name: kind.meaning for name, kind in READINGS.items()}
    findings = [each for profile in profiles if profile for each in profile.findings]
    names = [alert.reading for run in runs for alert in run.alerts]
    names += [*readings, *(each.reading for each in findings if each.reading)]
    names += [name for run in runs for rule in run.rules for name in _of_rule(rule)]
    for run in reversed(runs):
        known.update(run.meanings)
    meanings = {name: known[name] for name in names if known.get(name)}
    meanings |= {each.name: each.meaning for each in findings if each.meaning}
    return meanings | (dict(SAMPLER) if any(run.decodings for run in runs) else {})


def _of_rule(rule: Threshold) -> Iterator[str]:
    yield rule.reading
    if rule.beside is not None:
        yield from _of_rule(rule.beside)
