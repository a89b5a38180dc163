"""Machine-written text by any classifier of texts."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.model.undisturbed import undisturbed


class ClassifierDetector:
    """Scores texts with a `text-classification` pipeline: a `TextDetector`.

    A classifier knows the generators and the topics that it was trained on. On others its
    probabilities mean little, and short texts, code, lists and people who write in a second
    language fare worst. Measure it on text of yours whose origin you know, use soft weights, and
    look at their rejection report.

    Args:
        pipeline: `transformers.pipeline("text-classification", ...)`.
        machine_labels: The label of machine-written text, or several, whose probabilities add up
            (one for each generator, say). See `pipeline.model.config.id2label`.
        max_tokens: Tokens of a text that are read, at least 1; None for what tokenizer and model
            say that they take.
        batch_size: Texts per forward pass, at least 1.

    Raises:
        ArgumentError: The pipeline is another one, or does not have these labels.
        MissingExtraError: transformers is not installed.
    """

    def __init__(
        self,
        pipeline: Any,
        *,
        machine_labels: str | Collection[str],
        max_tokens: int | None = None,
        batch_size: int = 8,
    ) -> None:
        known = require("transformers", "huggingface").TextClassificationPipeline
        if not isinstance(pipeline, known):
            raise bad_argument(
                "pipeline",
                expected="a text-classification pipeline",
                given=pipeline,
                hint='make one with transformers.pipeline("text-classification", ...)',
            )
        named = {machine_labels} if isinstance(machine_labels, str) else set(machine_labels)
        labels = set(pipeline.model.config.id2label.values())
        # With every label named, the score would be 1 whatever the text.
        if not named or not named <= labels or (named == labels and len(labels) > 1):
            raise bad_argument(
                "machine_labels",
                expected=f"some of the pipeline's labels {sorted(labels)}, and not all",
                given=machine_labels,
                hint="name those that mean machine-written",
            )
        for name, value in (("max_tokens", max_tokens), ("batch_size", batch_size)):
            if value is not None and value < 1:
                raise bad_argument(name, expected="at least 1", given=value, hint="leave it out")
        self.pipeline, self.machine_labels = pipeline, named
        stated = getattr(pipeline.model.config, "max_position_embeddings", None)
        limits = [pipeline.tokenizer.model_max_length, *([stated] if stated else [])]
        self._max_tokens = max_tokens or min(limits)
        # Without a padding token there are no batches.
        self._batch_size = 1 if pipeline.tokenizer.pad_token_id is None else batch_size

    def __call__(self, texts: Sequence[str], /) -> npt.NDArray[np.float64]:
        """Score a batch of texts; of long ones, what the model takes. 0.5 for none at all."""
        scores = np.full(len(texts), 0.5)
        # Most tokenizers mark where a text begins, but with those that do not, "" has no token.
        read = [number for number, text in enumerate(texts) if self._has_token(text)]
        if read:
            scores[read] = self._probabilities([texts[number] for number in read])
        return scores

    def _has_token(self, text: str) -> bool:
        return bool(
            self.pipeline.tokenizer.encode(text, truncation=True, max_length=self._max_tokens)
        )

    def _probabilities(self, texts: list[str]) -> npt.NDArray[np.float64]:
        config = self.pipeline.model.config
        with undisturbed(self.pipeline.model, call=None):
            found = self.pipeline(
                texts,
                top_k=None,
                function_to_apply="softmax" if len(config.id2label) > 1 else "sigmoid",
                batch_size=self._batch_size,
                truncation=True,
                max_length=self._max_tokens,
            )
        scores = [
            sum(each["score"] for each in labels if each["label"] in self.machine_labels)
            for labels in found
        ]
        # Sums of float32 probabilities end up a little above 1.
        return np.minimum(np.array(scores, dtype=np.float64), 1.0)
