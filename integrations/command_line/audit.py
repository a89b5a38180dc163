"""`collapse-guard audit`: is this synthetic text fit to train on?"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from collapse_guard.audit import EffectiveTemperature, TextAudit, audit_texts, effective_temperature
from collapse_guard.audit.comparison.content_sample import ContentSample
from collapse_guard.integrations.command_line.progress import reading
from collapse_guard.integrations.command_line.texts import Texts
from collapse_guard.integrations.text_inputs import as_model, as_tokenizer

_JUDGED_CHARACTERS = 1 << 20

Temperatures = Mapping[str, EffectiveTemperature]
"""By the kind of text: "human" and "synthetic"."""


def audited(
    human: Texts, synthetic: Texts, *, model: str | None, tokenizer: str | None, **settings: Any
) -> tuple[TextAudit, Temperatures]:
    """Compare texts, and say how sharp they are where there is a model.

    Args:
        human: The human texts.
        synthetic: The synthetic ones.
        model: A name or path for `transformers`; None for no temperatures.
        tokenizer: The same, to compare rare tokens too; the model's where left out.
        settings: Of `audit_texts`.
    """
    named = tokenizer or model
    encode = None if named is None else as_tokenizer(named)
    judge = None if model is None else as_model("--model", model)
    samples = {kind: ContentSample(_JUDGED_CHARACTERS) for kind in ("human", "synthetic")}
    with ExitStack() as stack:
        read = [stack.enter_context(reading(texts)) for texts in (human, synthetic)]
        if judge is not None:
            read = [_sampled(*each) for each in zip(read, samples.values(), strict=True)]
        audit = audit_texts(*read, tokenizer=encode, **settings)
    if judge is None:
        return audit, {}
    return audit, {
        kind: effective_temperature(
            [one.text for one in sample.contents()], judge, tokenizer=encode
        )
        for kind, sample in samples.items()
    }


def _sampled(texts: Iterable[str], sample: ContentSample) -> Iterator[str]:
    for text in texts:
        if isinstance(text, str):
            sample.extend([text])
        yield text
