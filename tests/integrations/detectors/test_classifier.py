import sys
from typing import Any

import pytest
import torch

from collapse_guard.errors import ArgumentError, MissingExtraError
from collapse_guard.integrations.detectors.classifier import ClassifierDetector
from tests.integrations.detectors.ready import make_pipeline, texts
from tests.integrations.detectors.texts import tiny_writer


def test_classifier_scores_are_the_probabilities_of_its_labels() -> None:
    pipeline = make_pipeline(num_labels=3)
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
    pipeline = make_pipeline()
    short = ClassifierDetector(pipeline, machine_labels="LABEL_0", max_tokens=10)
    whole = ClassifierDetector(pipeline, machine_labels="LABEL_0")
    text = texts("plain")[0]
    assert short([text])[0] == pytest.approx(whole([" ".join(text.split()[:10])])[0], abs=1e-6)
    assert short([text])[0] != pytest.approx(whole([text])[0], abs=1e-5)


def test_a_classifier_with_one_label() -> None:
    pipeline = make_pipeline(num_labels=1)
    detector = ClassifierDetector(pipeline, machine_labels="LABEL_0")
    with torch.no_grad():
        logit = pipeline.model(torch.tensor([[1, 2]])).logits[0, 0]
    assert detector(["w1 w2"]) == pytest.approx([float(logit.sigmoid())], abs=1e-6)


@pytest.mark.parametrize("labels", ["machine", ["LABEL_0", "LABEL_1"]])
def test_labels_that_do_not_part_the_texts_are_refused(labels: Any) -> None:
    with pytest.raises(ArgumentError):
        ClassifierDetector(make_pipeline(), machine_labels=labels)


def test_what_is_no_pipeline_is_refused() -> None:
    with pytest.raises(ArgumentError):
        ClassifierDetector(tiny_writer()[0], machine_labels="LABEL_0")


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"collapse_guard\[huggingface\]"):
        ClassifierDetector(None, machine_labels="")
