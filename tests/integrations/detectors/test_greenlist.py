import numpy as np
import pytest
from scipy import special

from collapse_guard.errors import ArgumentError
from collapse_guard.integrations.detectors.greenlist import GreenlistDetector, log_bayes_factor
from tests.integrations.detectors.ready import greenlist, texts
from tests.integrations.detectors.texts import tiny_writer


def test_evidence_of_a_watermark_is_that_of_the_integral() -> None:
    for green, tokens, ratio in ((25, 100, 0.25), (60, 100, 0.25), (3, 4, 0.5), (500, 1000, 0.25)):
        # The binomial likelihood over rates from `ratio` to 1 is an incomplete beta function.
        share = special.betaincc(green + 1, tokens - green + 1, ratio)
        marked = np.log(share) + special.betaln(green + 1, tokens - green + 1) - np.log(1 - ratio)
        unmarked = green * np.log(ratio) + (tokens - green) * np.log(1 - ratio)
        assert log_bayes_factor(green, tokens, ratio) == pytest.approx(marked - unmarked, abs=0.01)


def test_unmarked_texts_seldom_look_marked_and_longer_ones_less() -> None:
    scores = greenlist()(texts("plain"))
    assert (scores > 0.5).mean() < 0.1
    parts = [" ".join(text.split()[:10]) for text in texts("green")]
    assert greenlist()(parts).mean() < greenlist()(texts("green")).mean()
    assert greenlist()(["w1"]).tolist() == [0.5]


def test_the_prior_is_what_short_texts_get_and_moves_all_others() -> None:
    cautious = GreenlistDetector(greenlist().detector, greenlist().tokenizer, prior=0.01)
    assert cautious([""]).tolist() == [0.01]
    some = texts("plain")[:20]
    assert (cautious(some) < greenlist()(some)).all()


def test_what_is_no_watermark_detector_or_no_prior_is_refused() -> None:
    model, tokenizer = tiny_writer()
    with pytest.raises(ArgumentError):
        GreenlistDetector(model, tokenizer)
    with pytest.raises(ArgumentError):
        GreenlistDetector(greenlist().detector, tokenizer, prior=1.0)
