"""Results made up for tests."""

from collections.abc import Sequence
from math import nan

from collapse_guard.alerts.rules import Alert
from collapse_guard.examples.recursive_finetune.results import (
    GenerationResult,
    LookResult,
    RunResults,
)
from collapse_guard.examples.recursive_finetune.settings import Settings
from tests.looks import ON_HUMAN_TEXT

ALERT = Alert(
    "tail_retention below 0.85", "tail_retention", 0.7, 0.85, 0.02, 16, "critical", "It fell."
)


def generation(
    number: int,
    *,
    tail: float = 1.0,
    head: float = 1.0,
    perplexity: float = 100.0,
    distinct_2: float = 0.5,
    human_share: float = 1.0,
    alerts: tuple[Alert, ...] = (),
    text: str = "some words",
    losses: Sequence[float] = (),
) -> GenerationResult:
    values = dict.fromkeys(ON_HUMAN_TEXT, 1.5) | {
        "tail_retention": tail,
        "head_retention": head,
        "perplexity": perplexity,
    }
    return GenerationResult(
        generation=number,
        readings=values,
        standard_errors={name: 0.01 if "retention" in name else nan for name in values},
        distinct_2=distinct_2,
        own_entropy=4.0 * distinct_2,
        alerts=list(alerts),
        human_share=human_share,
        texts=[f"{text} {number}"],
        looks=[LookResult(8 * place, loss, tail) for place, loss in enumerate(losses)],
        sight=[f"It finds a loss of {number}7%."] if losses else [],
    )


def collapsed_run(
    *,
    human: float = 1.01,
    replace: float = 0.2,
    mixguard: float = 0.8,
    floor_writes: float = 0.2,
    guarded: float = 1.0,
    guarded_writes: float = 0.48,
    guarded_alerts: tuple[Alert, ...] = (),
    alarm_at: int = 1,
) -> RunResults:
    """Four chains of two generations that do what the example sets out to show.

    A generation takes 24 steps, with a look every 8.
    """
    start = generation(0)
    return RunResults(
        {**Settings().experiment(), "generations": 2},
        {"python": "3.11.0"},
        {"name": "human text", "characters": {"held_out": 10}},
        {
            "human": [
                start,
                generation(1, losses=[4.6, 4.59, 4.61, 4.60]),
                generation(2, tail=human, losses=[4.60, 4.58, 4.57, 4.59]),
            ],
            "replace": [
                start,
                *(
                    generation(
                        number,
                        tail=tail,
                        head=1.1,
                        perplexity=110.0,
                        distinct_2=0.1,
                        human_share=0.0,
                        alerts=(ALERT,) if number >= alarm_at else (),
                        text="the the",
                        losses=[4.6 + 0.1 * (number - 1), 4.62, 4.65, 4.7],
                    )
                    for number, tail in ((1, 0.7), (2, replace))
                ),
            ],
            "mixguard": [
                start,
                generation(1, tail=0.9, human_share=0.3125),
                generation(2, tail=mixguard, distinct_2=floor_writes, human_share=0.3125),
            ],
            "guarded": [
                start,
                generation(1, human_share=0.3125),
                generation(
                    2,
                    tail=guarded,
                    head=0.99,
                    distinct_2=guarded_writes,
                    human_share=0.3125,
                    alerts=guarded_alerts,
                ),
            ],
        },
    )
