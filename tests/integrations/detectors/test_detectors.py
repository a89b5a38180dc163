"""Detectors on texts whose origin is known, and one suite over all of them."""

import random
import sys
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
import torch
from scipy import special
from transformers import (
    BayesianDetectorConfig,
    BayesianDetectorModel,
    BertConfig,
    BertForSequenceClassification,
    SynthIDTextWatermarkDetector,
    SynthIDTextWatermarkingConfig,
    SynthIDTextWatermarkLogitsProcessor,
    TextClassificationPipeline,
    WatermarkDetector,
    WatermarkingConfig,
)

from collapse_guard.audit import TextDetector, check_detector, detector_scores
from collapse_guard.errors import ArgumentError, MissingExtraError
from collapse_guard.integrations.detectors.classifier import ClassifierDetector
from collapse_guard.integrations.detectors.greenlist import GreenlistDetector, log_bayes_factor
from collapse_guard.integrations.detectors.perplexity import PerplexityDetector
from collapse_guard.integrations.detectors.synthid import SynthIDDetector
from tests.integrations.detectors.texts import tiny_writer, write

GREEN = WatermarkingConfig(bias=4.0, seeding_scheme="lefthash")
KEYS = [654, 400, 836, 123, 340, 443, 597, 160]


@cache
def texts(kind: str) -> list[str]:
    model, tokenizer = tiny_writer()
    options: dict[str, dict[str, Any]] = {
        "plain": {},
        "green": {"watermarking_config": GREEN},
        "synthid": {"watermarking_config": SynthIDTextWatermarkingConfig(keys=KEYS, ngram_len=5)},
        "cold": {"temperature": 0.6},
    }
    return write(model, tokenizer, 100 if kind in ("plain", "synthid") else 30, **options[kind])


@cache
def perplexity() -> PerplexityDetector:
    model, tokenizer = tiny_writer()
    return PerplexityDetector.fit(
        model, tokenizer, human=texts("plain")[:30], machine=texts("cold")[:15], max_tokens=100
    )


@cache
def greenlist() -> GreenlistDetector:
    model, tokenizer = tiny_writer()
    detector = WatermarkDetector(model.config, "cpu", GREEN, ignore_repeated_ngrams=True)
    return GreenlistDetector(detector, tokenizer)


@cache
def synthid() -> SynthIDDetector:
    """Trained on most of the texts, by the loss of transformers' own detector."""
    _, tokenizer = tiny_writer()
    processor = SynthIDTextWatermarkLogitsProcessor(
        ngram_len=5,
        keys=KEYS,
        sampling_table_size=2**16,
        sampling_table_seed=0,
        context_history_size=1024,
        device="cpu",
    )
    training = texts("synthid")[:80] + texts("plain")[:80]
    ids = torch.tensor([tokenizer.encode(t, add_special_tokens=False) for t in training])
    values = processor.compute_g_values(ids)
    mask = processor.compute_context_repetition_mask(ids)
    labels = torch.tensor([1.0] * 80 + [0.0] * 80)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = BayesianDetectorModel(BayesianDetectorConfig(watermarking_depth=len(KEYS)))
    module.prior.requires_grad_(False)
    optimizer = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        module(values, mask, labels=labels, return_dict=True).loss.backward()
        optimizer.step()
    return SynthIDDetector(SynthIDTextWatermarkDetector(module, processor, tokenizer))


def _pipeline(*, num_labels: int = 2) -> TextClassificationPipeline:
    _, tokenizer = tiny_writer()
    config = BertConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        num_labels=num_labels,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertForSequenceClassification(config).eval()
        torch.nn.init.normal_(model.classifier.weight, std=3.0)
    return TextClassificationPipeline(model=model, tokenizer=tokenizer)


@cache
def classifier() -> ClassifierDetector:
    return ClassifierDetector(_pipeline(), machine_labels="LABEL_1")


DETECTORS = {
    "perplexity": perplexity,
    "greenlist": greenlist,
    "synthid": synthid,
    "classifier": classifier,
}


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


def test_classifier_scores_are_the_probabilities_of_its_labels() -> None:
    pipeline = _pipeline(num_labels=3)
    detector = ClassifierDetector(pipeline, machine_labels=["LABEL_0", "LABEL_2"])
    some = ["w1 w2 w3", "w9", *texts("plain")[:2]]
    expected = []
    for text in some:
        ids = torch.tensor([pipeline.tokenizer.encode(text)[:64]])
        with torch.no_grad():
            shares = pipeline.model(ids).logits[0].softmax(0)
        expected.append(float(shares[0] + shares[2]))
    assert detector(some) == pytest.approx(expected, abs=1e-5)


def test_long_texts_are_read_as_far_as_is_asked_for() -> None:
    pipeline = _pipeline()
    short = ClassifierDetector(pipeline, machine_labels="LABEL_0", max_tokens=10)
    whole = ClassifierDetector(pipeline, machine_labels="LABEL_0")
    text = texts("plain")[0]
    assert short([text])[0] == pytest.approx(whole([" ".join(text.split()[:10])])[0], abs=1e-6)
    assert short([text])[0] != pytest.approx(whole([text])[0], abs=1e-5)


def test_a_classifier_with_one_label() -> None:
    pipeline = _pipeline(num_labels=1)
    detector = ClassifierDetector(pipeline, machine_labels="LABEL_0")
    with torch.no_grad():
        logit = pipeline.model(torch.tensor([[1, 2]])).logits[0, 0]
    assert detector(["w1 w2"]) == pytest.approx([float(logit.sigmoid())], abs=1e-6)


def test_rows_of_token_ids_are_scored_through_their_text() -> None:
    _, tokenizer = tiny_writer()
    rows = [{"input_ids": tokenizer.encode(text)} for text in texts("plain")[:4]]
    scores = detector_scores(perplexity(), rows, tokenizer=tokenizer)
    assert scores.tolist() == perplexity()(texts("plain")[:4]).tolist()


def _wrong(kind: str) -> Any:
    model, tokenizer = tiny_writer()
    if kind == "labels":
        return ClassifierDetector(_pipeline(), machine_labels="machine")
    if kind == "all labels":
        return ClassifierDetector(_pipeline(), machine_labels=["LABEL_0", "LABEL_1"])
    if kind == "no pipeline":
        return ClassifierDetector(model, machine_labels="LABEL_0")
    if kind == "prior":
        return GreenlistDetector(greenlist().detector, tokenizer, prior=1.0)
    if kind == "no watermark detector":
        return GreenlistDetector(model, tokenizer)
    if kind == "no synthid detector":
        return SynthIDDetector(greenlist().detector)
    if kind == "batch size":
        return PerplexityDetector(model, tokenizer, intercept=0.0, slope=0.0, batch_size=0)
    if kind == "slope":
        return PerplexityDetector(model, tokenizer, intercept=0.0, slope=float("nan"))
    return PerplexityDetector(None, tokenizer, intercept=0.0, slope=0.0)


@pytest.mark.parametrize(
    "kind",
    [
        "labels",
        "all labels",
        "no pipeline",
        "prior",
        "no watermark detector",
        "no synthid detector",
        "batch size",
        "slope",
        "no model",
    ],
)
def test_bad_input_is_refused(kind: str) -> None:
    with pytest.raises(ArgumentError):
        _wrong(kind)


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    for make in (SynthIDDetector, partial(ClassifierDetector, machine_labels="")):
        with pytest.raises(MissingExtraError, match=r"collapse_guard\[huggingface\]"):
            make(None)
