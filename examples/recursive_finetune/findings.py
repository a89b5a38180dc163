"""What the figures of a run say, in plain words. Every sentence follows from the figures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collapse_guard.examples.recursive_finetune.regimes.registry import HEADLINE
from collapse_guard.examples.recursive_finetune.results import GenerationResult, RunResults
from collapse_guard.examples.recursive_finetune.stopping import (
    early_stop,
    first_alarm,
    quiet_patience,
)

LOST_HALF = 0.5
UNMOVED = 0.05
NARROWED = 0.10
TWICE = 2.0
USUAL_PATIENCE = (1, 2, 3)
_ALARM_TITLES = {
    "replace": "its own text",
    "mixguard": "its own text with a floor",
    "guarded": "its own text with both",
    "human": "human text",
}


@dataclass(frozen=True)
class Check:
    """Something that the example sets out to show, and whether this run shows it."""

    claim: str
    holds: bool


def checks(results: RunResults) -> list[Check]:
    """Whether a run shows collapse, a steady control, and protection. Empty unless it has all."""
    if not set(HEADLINE) <= results.regimes.keys():
        return []
    human, replace, mixguard, guarded = (results.regimes[name] for name in HEADLINE)
    return [
        Check(
            "On its own text alone, the model keeps at most half of the tail",
            _kept(replace) <= LOST_HALF,
        ),
        Check(
            "On human text, it keeps the tail to within 5%",
            abs(_kept(human) - 1.0) <= UNMOVED,
        ),
        Check(
            "With MixGuard, it keeps at least twice as much as without",
            _kept(mixguard) >= TWICE * _kept(replace),
        ),
        Check(
            "What it writes by itself narrows by more than a tenth all the same",
            _variety(mixguard) < 1 - NARROWED,
        ),
        Check(
            "With the sampler-matched loss as well, it keeps both: the tail to within 5%, and nine "
            "tenths of the variety of its own writing",
            _kept(guarded) >= 1 - UNMOVED and _variety(guarded) >= 1 - NARROWED,
        ),
        Check(
            "The alarm goes off in generation 1 or 2 of training on its own text",
            any(result.alerts for result in replace[1:3]),
        ),
        Check(
            "It never goes off on human text, nor with both",
            not any(result.alerts for result in [*human, *guarded]),
        ),
        Check(
            "It goes off at an earlier step than any early stopping that leaves human text alone",
            _is_earlier(first_alarm(replace), early_stop(replace, patience=quiet_patience(human))),
        ),
    ]


def findings(results: RunResults) -> list[str]:
    """A few sentences on what happened, the most important first."""
    regimes = results.regimes
    sentences: list[str] = []
    if "replace" in regimes:
        sentences += _collapse(regimes["replace"])
    if "mixguard" in regimes:
        sentences += _floor(results)
    for name, rows in (("guarded", "the same rows"), ("matched", "no human row at all")):
        if name in regimes:
            sentences += _matched(regimes[name], rows)
    if "human" in regimes:
        kept = _kept(regimes["human"])
        sentences.append(f"Control: after as many fine-tunings on human text it is {kept:.0%}.")
    sentences += _alarms(results)
    sentences += _early_stopping(results)
    sentences += _own_text(results)
    return sentences


def _collapse(replace: Sequence[GenerationResult]) -> Iterator[str]:
    last = replace[-1]
    yield (
        f"After {last.generation} {_generations(last.generation)} on its own text alone, the model "
        f"gives the rare words of unseen human text {_kept(replace):.0%} of the probability that "
        f"it gave them at the start (geometric mean)."
    )
    if len(replace) < 2:
        return
    first = replace[1].readings
    perplexity = first["perplexity"] / replace[0].readings["perplexity"] - 1
    shown = "already shows it" if first["tail_retention"] < 1 - UNMOVED else "does not show it yet"
    yield (
        f"The first of them {shown}: rare words {first['tail_retention'] - 1:+.0%}, common words "
        f"{first['head_retention'] - 1:+.0%}, perplexity {perplexity:+.0%}."
    )


def _floor(results: RunResults) -> Iterator[str]:
    mixguard = results.regimes["mixguard"]
    share = mixguard[-1].human_share
    sentence = (
        f"With {share:.0%} human rows in every batch (MixGuard, rare rows shown more often) it is "
        f"{_kept(mixguard):.0%}"
    )
    if "replace" in results.regimes:
        ratio = _kept(mixguard) / _kept(results.regimes["replace"])
        sentence += f": {ratio:.1f} times as much, after as many training tokens"
    yield f"{sentence}."
    if _variety(mixguard) < 1 - UNMOVED:
        yield (
            f"A floor of human rows keeps the tail of what the model reads, not the variety of "
            f"what it writes: distinct-2 of its own text is {mixguard[-1].distinct_2:.2f}, from "
            f"{mixguard[0].distinct_2:.2f} at the start."
        )


def _matched(chain: Sequence[GenerationResult], rows: str) -> Iterator[str]:
    yield (
        f"With {rows}, and a loss that takes back what the sampler did to those that it drew, "
        f"the tail is {_kept(chain):.0%}, common words {chain[-1].readings['head_retention']:.0%}, "
        f"perplexity {chain[-1].readings['perplexity']:.1f} (from "
        f"{chain[0].readings['perplexity']:.1f}), and distinct-2 of its own text "
        f"{chain[-1].distinct_2:.2f} (from {chain[0].distinct_2:.2f})."
    )


def _alarms(results: RunResults) -> Iterator[str]:
    for name, title in _ALARM_TITLES.items():
        alarmed = [result for result in results.regimes.get(name, ()) if result.alerts]
        if alarmed:
            alert = alarmed[0].alerts[0]
            yield (
                f"On {title} the callback's alarm first goes off in generation "
                f"{alarmed[0].generation}, at training step {alert.step}: {alert.rule} "
                f"({alert.value:.2f} ± {alert.standard_error:.2f})."
            )
        elif name in results.regimes:
            yield f"On {title} the callback's alarm never goes off."


def _early_stopping(results: RunResults) -> Iterator[str]:
    chains = [results.regimes.get(name, ()) for name in ("replace", "human")]
    if not all(any(result.looks for result in chain) for chain in chains):
        return
    replace, human = chains
    usual = [
        _enumerated([_when(early_stop(chain, patience=patience)) for patience in USUAL_PATIENCE])
        for chain in chains
    ]
    quiet = quiet_patience(human)
    yield (
        f"Counted from the start, the alarm goes off {_when(first_alarm(replace))} on its own text "
        f"and {_when(first_alarm(human))} on human text. Early stopping on the loss of the same "
        f"held-out text at the same looks, with a patience of {_enumerated(USUAL_PATIENCE)} looks, "
        f"stops {usual[0]} on its own text, and {usual[1]} on human text. The smallest patience "
        f"that never stops the training on human text is {quiet}; with it, training on its own "
        f"text stops {_when(early_stop(replace, patience=quiet))}."
    )


def _own_text(results: RunResults) -> Iterator[str]:
    changes = [
        f"{name} {chain[0].distinct_2:.2f} to {chain[-1].distinct_2:.2f}"
        for name, chain in results.regimes.items()
    ]
    yield f"Distinct-2 of what the models write by themselves, start to end: {', '.join(changes)}."


def _kept(chain: Sequence[GenerationResult]) -> float:
    return chain[-1].readings["tail_retention"]


def _variety(chain: Sequence[GenerationResult]) -> float:
    """Distinct-2 of the last model's own text, over that of the first."""
    return chain[-1].distinct_2 / chain[0].distinct_2


def _is_earlier(step: int | None, other: int | None) -> bool:
    return step is not None and (other is None or step < other)


def _when(step: int | None) -> str:
    return "never" if step is None else f"after {step} steps"


def _enumerated(items: Sequence[int | str]) -> str:
    *others, last = map(str, items)
    return f"{', '.join(others)} and {last}" if others else last


def _generations(count: int) -> str:
    return "generation" if count == 1 else "generations"
