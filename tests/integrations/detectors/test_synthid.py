import sys

import pytest
import torch

from collapse_guard.errors import ArgumentError, MissingExtraError
from collapse_guard.integrations.detectors.synthid import SynthIDDetector
from tests.integrations.detectors.ready import greenlist, synthid, texts


def test_scores_are_those_of_transformers_own_detector() -> None:
    """Of whole texts, one by one and without padding."""
    own = synthid().detector
    for text in [*texts("synthid")[80:84], *texts("plain")[80:84]]:
        ids = torch.tensor([own.tokenizer.encode(text, add_special_tokens=False)])
        with torch.no_grad():
            expected = float(own(ids)[0])
        assert synthid()([text]) == pytest.approx([expected], abs=1e-5)


def test_another_detector_is_refused() -> None:
    with pytest.raises(ArgumentError):
        SynthIDDetector(greenlist().detector)


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"collapse_guard\[huggingface\]"):
        SynthIDDetector(None)
