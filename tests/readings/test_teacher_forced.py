import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from collapse_guard import ArgumentError, Baseline, CollapseGuardError, HeldOutPanel, Reading
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.panel_sums import score_panel
from collapse_guard.readings.registry import READINGS, reading_names
from tests.looks import BANDED, MODEL, ON_HUMAN_TEXT, make_reading, take_baseline
from tests.tiny import VOCAB, perturb, tiny_gpt2, tiny_panel, tiny_reference, zipf_documents


def distributions(model: torch.nn.Module, panel: HeldOutPanel) -> torch.Tensor:
    """float64 (windows, tokens, vocabulary): row i predicts token i; row 0 is not used."""
    model.eval()
    with torch.no_grad():
        logits = model(input_ids=panel.input_ids).logits.double()
    return logits.softmax(-1).roll(1, dims=1)


def naive_readings(
    model: torch.nn.Module, start: torch.nn.Module, panel: HeldOutPanel
) -> dict[str, float]:
    """The definitions, word for word, over lists of positions."""
    now, then = distributions(model, panel), distributions(start, panel)
    reference = panel.reference
    places = [(b, i) for b in range(len(panel)) for i in range(1, panel.input_ids.shape[1])]
    token = {place: int(panel.input_ids[place]) for place in places}
    log_p = {place: math.log(now[place][token[place]]) for place in places}
    log_0 = {place: math.log(then[place][token[place]]) for place in places}
    tail = [place for place in places if reference.tail_types[token[place]]]
    head = [place for place in places if reference.head_types[token[place]]]

    def mean(values) -> float:
        values = list(values)
        return math.fsum(values) / len(values)

    def log_retention(band: list[tuple[int, int]]) -> float:
        means = []
        for document in range(panel.num_documents):
            own = [p for p in band if panel.document_ids[p[0]] == document]
            if own:
                means.append(mean(log_p[p] - log_0[p] for p in own))
        return mean(means)

    types = np.flatnonzero(reference.tail_types)
    average = torch.stack([now[place] for place in places]).mean(0)
    return {
        "perplexity": math.exp(-mean(log_p.values())),
        "tail_logprob": mean(log_p[p] for p in tail),
        "head_logprob": mean(log_p[p] for p in head),
        "tail_prob": mean(math.exp(log_p[p]) for p in tail),
        "tail_retention": math.exp(log_retention(tail)),
        "head_retention": math.exp(log_retention(head)),
        "tail_gap": log_retention(head) - log_retention(tail),
        "tail_mass_ratio": mean(float(now[p][types].sum()) for p in places)
        / (len(tail) / len(places)),
        "effective_vocabulary": math.exp(torch.special.entr(average).sum()),
        "predictive_entropy": mean(float(torch.special.entr(now[p]).sum()) for p in places),
    }


@pytest.mark.parametrize("padded_vocabulary", [VOCAB, VOCAB + 14])
def test_readings_follow_their_definitions(padded_vocabulary: int) -> None:
    start = tiny_gpt2(vocab_size=padded_vocabulary)
    model = tiny_gpt2(vocab_size=padded_vocabulary)
    perturb(model, 0.05)
    panel = tiny_panel()
    baseline = take_baseline(panel, score_panel(start, panel))
    reading = make_reading(panel, score_panel(model, panel, batch_size=5), baseline, step=3)
    assert reading.step == 3
    assert dict(reading) == pytest.approx(naive_readings(model, start, panel), rel=1e-5)
    assert list(reading) == list(ON_HUMAN_TEXT)


def test_the_start_keeps_everything() -> None:
    model, panel = tiny_gpt2(), tiny_panel()
    scores = score_panel(model, panel)
    reading = make_reading(panel, scores, take_baseline(panel, scores), step=0)
    assert (reading["tail_retention"], reading["head_retention"], reading["tail_gap"]) == (1, 1, 0)
    assert reading.standard_errors["tail_retention"] == 0
    assert dict(reading) == dict(take_baseline(panel, scores).readings)


def test_standard_errors_match_a_jackknife_over_documents() -> None:
    start, model = tiny_gpt2(), tiny_gpt2()
    perturb(model, 0.05)
    reference, documents = tiny_reference(), zipf_documents(40, seed=2)

    def read(kept: list[list[int]]) -> Reading:
        panel = HeldOutPanel.from_token_ids(kept, reference, window=50)
        baseline = take_baseline(panel, score_panel(start, panel))
        return make_reading(panel, score_panel(model, panel), baseline, step=1)

    reading = read(documents)
    left_out = [read(documents[:d] + documents[d + 1 :]) for d in range(40)]
    for name in ON_HUMAN_TEXT:
        values = np.array([each[name] for each in left_out])
        jackknife = math.sqrt(39 / 40 * ((values - values.mean()) ** 2).sum())
        assert reading.standard_errors[name] == pytest.approx(jackknife, rel=0.1), name


def test_standard_errors_need_no_more_groups_than_documents() -> None:
    panel = HeldOutPanel.from_token_ids(zipf_documents(150), tiny_reference(), window=25)
    scores = score_panel(tiny_gpt2(), panel, batch_size=64)
    assert scores.group_distributions.shape == (64, VOCAB)
    assert scores.group_distributions.sum() == pytest.approx(150 * 4 * 24, rel=1e-5)


def test_a_document_without_tail_tokens_drops_out_of_retention() -> None:
    documents = [*zipf_documents(10, length=32), [0, 1] * 16]
    panel = HeldOutPanel.from_token_ids(documents, tiny_reference(), window=32)
    model, start = tiny_gpt2(), tiny_gpt2()
    perturb(model, 0.05)
    baseline = take_baseline(panel, score_panel(start, panel))
    reading = make_reading(panel, score_panel(model, panel), baseline, step=1)
    assert dict(reading) == pytest.approx(naive_readings(model, start, panel), rel=1e-5)
    assert all(math.isfinite(error) for error in reading.standard_errors.values())


def test_baselines_survive_json_and_refuse_another_panel() -> None:
    panel, other = tiny_panel(), tiny_panel(window=20)
    scores = score_panel(tiny_gpt2(), panel)
    baseline = take_baseline(panel, scores)
    assert Baseline.from_dict(json.loads(json.dumps(baseline.to_dict()))) == baseline
    with pytest.raises(ArgumentError, match="`baseline` expected one taken on this panel"):
        make_reading(other, score_panel(tiny_gpt2(), other), baseline, step=0)


def test_where_the_control_run_has_no_look_there_is_no_value() -> None:
    panel = tiny_panel()
    scores = score_panel(tiny_gpt2(), panel)
    evidence = Evidence(MODEL, panel, 3, scores, None, scores=scores)
    for name in reading_names(needs="control"):
        estimate = READINGS[name].take(evidence)
        assert math.isnan(estimate.value)
        assert math.isnan(estimate.standard_error)
        assert estimate.influences.tolist() == [0.0] * panel.num_documents
        assert estimate.units == 0.0


def test_what_is_told_against_a_start_needs_one() -> None:
    panel = tiny_panel()
    scores = score_panel(tiny_gpt2(), panel)
    evidence = Evidence(MODEL, panel, 3, scores, None, scores=scores)
    with pytest.raises(CollapseGuardError, match="there is no start yet to compare with"):
        READINGS["tail_retention"].take(evidence)
    with pytest.raises(CollapseGuardError, match="there is no base yet to compare with"):
        READINGS["tail_retention_vs_base"].take(evidence)
    assert math.isfinite(READINGS["tail_logprob"].take(evidence).value)


def test_the_last_look_at_the_whole_panel_is_reckoned_once() -> None:
    panel, model = tiny_panel(), tiny_gpt2()
    whole = score_panel(model, panel)
    evidence = Evidence(MODEL, panel, 3, whole, take_baseline(panel, whole), scores=whole)
    at_whole = {name: READINGS[name].take(evidence) for name in BANDED}
    perturb(model, 0.05)
    # A look at a part: what it adds is how far the same windows have moved, here not at all.
    later = replace(evidence, step=4, sums=score_panel(model, panel), scores=None)
    for name in BANDED:
        assert READINGS[name].take(later) is at_whole[name]
