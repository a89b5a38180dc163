from typing import Any

import numpy as np
import pytest
import torch

from collapse_guard.audit import detector_scores
from collapse_guard.errors import ArgumentError
from collapse_guard.integrations.detectors.perplexity import PerplexityDetector
from tests.integrations.detectors.ready import perplexity, texts
from tests.integrations.detectors.texts import tiny_writer


def test_likelihoods_are_those_of_a_plain_loop() -> None:
    model, tokenizer = tiny_writer()
    detector = PerplexityDetector(model, tokenizer, intercept=0.0, slope=-1.0, max_tokens=50)
    some = [texts("plain")[0], "w1 w2 w3", "w4", ""]
    found = detector.negative_log_likelihoods(some)
    for text, mean in zip(some[:2], found[:2], strict=True):
        ids = torch.tensor([tokenizer.encode(text)[:50]])
        with torch.no_grad():
            expected = model(ids, labels=ids).loss
        assert mean == pytest.approx(float(expected), rel=1e-5)
    assert np.isnan(found[2:]).all()
    assert detector(some)[2:].tolist() == [0.5, 0.5]
    assert detector(some)[0] == pytest.approx(1 / (1 + np.exp(found[0])))


def test_the_first_token_counts_where_there_is_a_token_before_it() -> None:
    model, tokenizer = tiny_writer()
    tokenizer.bos_token = "w49"
    detector = PerplexityDetector(model, tokenizer, intercept=0.0, slope=-1.0)
    with torch.no_grad():
        logits = model(torch.tensor([[49]])).logits[0, 0]
    expected = -float(logits.log_softmax(0)[4])
    assert detector.negative_log_likelihoods(["w4"])[0] == pytest.approx(expected, rel=1e-5)


def test_fitted_probabilities_are_calibrated_and_weigh_both_kinds_alike() -> None:
    """Two normal laws with one variance: the logit is a straight line that theory gives."""
    generator = np.random.default_rng(0)
    human, machine = generator.normal(4.0, 0.5, 4000), generator.normal(3.5, 0.5, 1000)

    class Given(PerplexityDetector):
        def negative_log_likelihoods(self, texts: Any) -> np.ndarray:
            return np.array([float(text) for text in texts])

    model, tokenizer = tiny_writer()
    fitted = Given.fit(model, tokenizer, human=human.tolist(), machine=machine.tolist())
    assert fitted.slope == pytest.approx(-0.5 / 0.25, rel=0.1)
    assert -fitted.intercept / fitted.slope == pytest.approx(3.75, abs=0.05)
    hotter = Given.fit(model, tokenizer, human=machine.tolist(), machine=human.tolist())
    assert hotter.slope > 0


def test_kinds_that_do_not_overlap_or_do_not_differ_can_be_fitted() -> None:
    model, tokenizer = tiny_writer()
    apart = PerplexityDetector.fit(
        model, tokenizer, human=["w1 w2"] * 3 + ["w5 w9"], machine=["w3 w3 w3 w3"] * 3
    )
    assert np.isfinite([apart.intercept, apart.slope]).all()
    same = PerplexityDetector.fit(model, tokenizer, human=["w1 w2"] * 3, machine=["w1 w2"] * 3)
    assert same(["w1 w2"]) == pytest.approx([0.5])
    with pytest.raises(ArgumentError, match="`machine` expected at least 2 texts"):
        PerplexityDetector.fit(model, tokenizer, human=["w1 w2"] * 3, machine=["", "w1"])


def test_rows_of_token_ids_are_scored_through_their_text() -> None:
    _, tokenizer = tiny_writer()
    rows = [{"input_ids": tokenizer.encode(text)} for text in texts("plain")[:4]]
    scores = detector_scores(perplexity(), rows, tokenizer=tokenizer)
    assert scores.tolist() == perplexity()(texts("plain")[:4]).tolist()


@pytest.mark.parametrize("settings", [{"batch_size": 0}, {"slope": float("nan")}, {"model": None}])
def test_what_cannot_score_is_refused(settings: dict[str, Any]) -> None:
    model, tokenizer = tiny_writer()
    arguments = {"model": model, "intercept": 0.0, "slope": 0.0} | settings
    with pytest.raises(ArgumentError):
        PerplexityDetector(tokenizer=tokenizer, **arguments)
