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
    own: Rows,
    settings: Settings,
    tokenizer: PreTrainedTokenizerBase,
    *,
    given: int = 1,
    by_people: float = 0.0,
) -> GenerationResult:
    """The result of a generation.

    Args:
        generation: Its number.
        model: When it is trained.
        reading: Of it.
        watch: What looked at it on the way.
        mix: What it was shown.
        own: Rows that it wrote, int64 of shape (rows, window).
        settings: Of the run.
        tokenizer: Of the model.
        given: Tokens of each of them that it did not write.
        by_people: Share of the synthetic tokens of the mix that people wrote.
    """
    written = own[:, given:]
    trained = mix.slots * (settings.window - settings.prompt)
    share = mix.human_share
    return GenerationResult(
        generation=generation,
        readings=dict(reading),
        standard_errors=dict(reading.standard_errors),
        # A list: rows that end in runs of one token are loops, and not padded.
        distinct_2=distinct_n(list(written), 2, budget=written.size),
        alerts=[*watch.alerts, *reading.alerts],
        human_share=share,
        texts=tokenizer.batch_decode(written[:TEXTS_KEPT]),
        looks=[LookResult.of(look) for look in watch.history],
        own_entropy=own_entropy(model, own, settings, given=given),
        decoding=next((s.decoding for s in mix.sources if s.kind == "synthetic"), None),
        sight=[str(each) for each in watch.sight],
        trained_tokens=trained,
        human_tokens=round(trained * (share + (1 - share) * by_people)),
    )
