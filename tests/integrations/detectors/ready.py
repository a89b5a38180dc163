"""A detector of each kind, with texts whose origin is known."""

from functools import cache
from typing import Any

import torch
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

from collapse_guard.integrations.detectors.classifier import ClassifierDetector
from collapse_guard.integrations.detectors.greenlist import GreenlistDetector
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


def make_pipeline(*, num_labels: int = 2) -> TextClassificationPipeline:
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
    return ClassifierDetector(make_pipeline(), machine_labels="LABEL_1")


DETECTORS = {
    "perplexity": perplexity,
    "greenlist": greenlist,
    "synthid": synthid,
    "classifier": classifier,
}
