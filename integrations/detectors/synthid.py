"""Machine-written text by the SynthID watermark."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.model.undisturbed import undisturbed


class SynthIDDetector:
    """Scores texts by the watermark of `SynthIDTextWatermarkingConfig`: a `TextDetector`.

    The probability that transformers' Bayesian detector gives (Dathathri et al. 2024, "Scalable
    watermarking for identifying large language model outputs", Nature 634:818). Like all
    watermarks it finds the text of models that were run with these keys, and no other.

    Args:
        detector: A `transformers.SynthIDTextWatermarkDetector`, with a detector module that was
            trained on text with the same keys.

    Raises:
        ArgumentError: It is another thing, or its tokenizer has no end-of-sequence token.
        MissingExtraError: transformers is not installed.
    """

    def __init__(self, detector: Any) -> None:
        known = require("transformers", "huggingface").SynthIDTextWatermarkDetector
        if not isinstance(detector, known):
            raise bad_argument(
                "detector",
                expected="a transformers.SynthIDTextWatermarkDetector",
                given=detector,
                hint="make one of the trained detector module, the logits processor and the "
                "tokenizer",
            )
        if detector.tokenizer.eos_token_id is None:
            raise bad_argument(
                "detector",
                expected="a detector whose tokenizer has an end-of-sequence token",
                given=detector.tokenizer,
                hint="set tokenizer.eos_token to the model's",
            )
        self.detector = detector

    def __call__(self, texts: Sequence[str], /) -> npt.NDArray[np.float64]:
        """Score a batch of texts; those too short to tell get the detector's prior."""
        with undisturbed(self.detector.detector_module, call=None):
            return np.array([self._score(text) for text in texts], dtype=np.float64)

    def _score(self, text: str) -> float:
        module, processor = self.detector.detector_module, self.detector.logits_processor
        ids = self.detector.tokenizer.encode(text, add_special_tokens=False)
        if len(ids) < processor.ngram_len:
            return float(module.prior.clamp(0.0, 1.0))
        # One text at a time: the detector knows no padding.
        (posterior,) = self.detector(torch.tensor([ids], device=processor.device))
        return float(posterior[0])
