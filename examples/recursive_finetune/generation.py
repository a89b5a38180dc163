"""What is kept of a generation, when it has been trained, looked at, and has written."""

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from collapse_guard import CollapseMonitor, Look, distinct_n
from collapse_guard.examples.recursive_finetune.human_text import Rows
from collapse_guard.examples.recursive_finetune.results import GenerationResult, LookResult
from collapse_guard.examples.recursive_finetune.settings import Settings
from collapse_guard.examples.recursive_finetune.writing import own_entropy
from collapse_guard.mixing.reports.report import MixReport

TEXTS_KEPT = 3


def result_of(
    generation: int,
    model: PreTrainedModel,
    reading: Look,
    watch: CollapseMonitor,
    mix: MixReport,
    free: Rows,
    settings: Settings,
    tokenizer: PreTrainedTokenizerBase,
    *,
    by_people: float = 0.0,
) -> GenerationResult:
    """The result of a generation.

    Args:
        generation: Its number.
        model: When it is trained.
        reading: Of it.
        watch: What looked at it on the way.
        mix: What it was shown.
        free: Free-running rows of it, int64 of shape (rows, window), with their start token.
        settings: Of the run.
        tokenizer: Of the model.
        by_people: Share of the synthetic tokens of the mix that people wrote.
    """
    # Without the start token, which is the same in every row.
    written = free[:, 1:]
    trained = mix.slots * (settings.window - settings.prompt)
    share = mix.human_share
    return GenerationResult(
        generation=generation,
        readings=dict(reading),
        standard_errors=dict(reading.standard_errors),
        distinct_2=distinct_n(written, 2, budget=written.size),
        alerts=[*watch.alerts, *reading.alerts],
        human_share=share,
        texts=tokenizer.batch_decode(written[:TEXTS_KEPT]),
        looks=[LookResult.of(look) for look in watch.history],
        own_entropy=own_entropy(model, free, settings),
        decoding=next((s.decoding for s in mix.sources if s.kind == "synthetic"), None),
        sight=[str(each) for each in watch.sight],
        trained_tokens=trained,
        human_tokens=round(trained * (share + (1 - share) * by_people)),
    )
