"""One suite over detectors of all kinds, on texts whose origin is known."""

import random

import numpy as np
import pytest
import torch

from collapse_guard.audit import TextDetector, check_detector
from tests.integrations.detectors.ready import (
    DETECTORS,
    classifier,
    perplexity,
    synthid,
    texts,
)


@pytest.mark.parametrize("name", DETECTORS)
def test_detector_conforms(name: str) -> None:
    detector = DETECTORS[name]()
    assert isinstance(detector, TextDetector)
    check_detector(detector)
    check_detector(detector, texts("plain")[:6])


@pytest.mark.parametrize(
    ("name", "marked", "unmarked", "held_out"),
    [
        ("perplexity", "cold", "plain", slice(15, 30)),
        ("greenlist", "green", "plain", slice(0, 30)),
        ("synthid", "synthid", "plain", slice(80, 100)),
    ],
)
def test_texts_that_were_not_fitted_on_are_told_apart(
    name: str, marked: str, unmarked: str, held_out: slice
) -> None:
    detector = DETECTORS[name]()
    of_machine = detector(texts(marked)[held_out])
    of_human = detector(texts(unmarked)[80:])
    ranks = (of_machine[:, None] > of_human).mean()
    assert ranks > 0.95
    assert np.median(of_machine) > 0.8 > 0.2 > np.median(of_human)


def test_a_model_in_training_is_left_as_it_is() -> None:
    for detector, model in (
        (perplexity(), perplexity().model),
        (classifier(), classifier().pipeline.model),
        (synthid(), synthid().detector.detector_module),
    ):
        model.train()
        before = random.getstate(), torch.get_rng_state()
        one, other = detector(texts("plain")[:3]), detector(texts("plain")[:3])
        assert np.array_equal(one, other)
        assert model.training
        assert random.getstate() == before[0]
        assert torch.equal(torch.get_rng_state(), before[1])
        model.eval()
