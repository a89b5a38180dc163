import json
import math

from collapse_guard.readings.baseline import Baseline
from collapse_guard.readings.panel_sums import score_panel
from collapse_guard.readings.reading import Reading
from tests.looks import ON_HUMAN_TEXT, PAIRED, make_reading, take_baseline
from tests.tiny import perturb, tiny_gpt2, tiny_panel

PANEL = tiny_panel()


def test_the_start_is_the_model_against_itself() -> None:
    model = tiny_gpt2()
    scores = score_panel(model, PANEL)
    start = take_baseline(PANEL, scores)
    assert start.panel == PANEL.fingerprint
    assert start.tail_logprob == tuple(scores.tail_logprob)
    assert start.head_logprob == tuple(scores.head_logprob)
    assert set(start.readings) == set(ON_HUMAN_TEXT)
    assert [start.readings[name] for name in PAIRED] == [1.0, 1.0, 0.0]
    assert start.readings.step == 0


def test_it_comes_back_from_json_to_the_last_digit() -> None:
    model = tiny_gpt2()
    start = take_baseline(PANEL, score_panel(model, PANEL))
    back = Baseline.from_dict(json.loads(json.dumps(start.to_dict())))
    assert back == start
    perturb(model, 0.1)
    scores = score_panel(model, PANEL)
    now, again = (make_reading(PANEL, scores, each, step=5) for each in (start, back))
    assert again == now
    # Limits relative to the start are compared document by document, so those must come back too.
    for name in ON_HUMAN_TEXT:
        first, second = start.readings.estimate(name), back.readings.estimate(name)
        assert first[:2] == second[:2]
        assert first.units == second.units
        assert first.influences.tolist() == second.influences.tolist()


def test_what_is_no_number_comes_back_as_none() -> None:
    start = Baseline("0" * 16, (-1.0,), (-2.0,), Reading(0, {"perplexity": math.inf}, {}))
    back = Baseline.from_dict(json.loads(json.dumps(start.to_dict())))
    assert back.readings["perplexity"] == math.inf
    assert math.isnan(back.readings.standard_errors["perplexity"])
    assert back.readings.estimate("perplexity").units == math.inf
