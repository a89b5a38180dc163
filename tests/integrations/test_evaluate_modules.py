"""The `evaluate` modules: by path, combined and directly, against the functions they call."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from collapse_guard import (
    ArgumentError,
    CollapseMonitor,
    HeldOutPanel,
    HumanReference,
    PanelError,
    TokenizerMismatchError,
)
from collapse_guard.integrations import evaluate_path
from collapse_guard.readings.against_human import compare_with_human, diversity_figures
from collapse_guard.readings.from_logprobs import logprob_readings
from tests.tiny import VOCAB, perturb, tiny_gpt2, tiny_reference, zipf_documents

# Importing `evaluate` takes seconds.
pytestmark = pytest.mark.slow

TEXT_MODULES = ("output_diversity", "collapse")


class NumberTokenizer:
    """Reads texts of numbers, such as "3 14 15"."""

    def get_vocab(self) -> dict[str, int]:
        return {str(token): token for token in range(VOCAB)}

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        return [int(word) % VOCAB for word in text.split() if word.isdecimal()]


def as_texts(documents: list[list[int]]) -> list[str]:
    return [" ".join(map(str, ids)) for ids in documents]


SAMPLES, HUMAN = zipf_documents(12, length=40, seed=5), zipf_documents(12, length=50, seed=6)


@pytest.fixture(scope="module")
def evaluate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    import evaluate

    with pytest.MonkeyPatch.context() as patch:
        cache = tmp_path_factory.mktemp("evaluate")
        patch.setattr(evaluate.config, "HF_METRICS_CACHE", cache)
        patch.setattr(evaluate.config, "HF_MODULES_CACHE", str(cache / "modules"))
        yield evaluate


def with_reference(tokenizer: NumberTokenizer) -> HumanReference:
    return HumanReference.from_token_ids(
        zipf_documents(40, seed=1), vocab_size=VOCAB, tokenizer=tokenizer
    )


def test_output_diversity_of_texts_and_of_token_ids(evaluate: Any) -> None:
    sizes = {"budget": 300, "num_texts": 10, "length": 30}
    expected = diversity_figures(SAMPLES, **sizes)
    of_texts = evaluate.load(evaluate_path("output_diversity"))
    of_ids = evaluate.load(evaluate_path("output_diversity"), "token_ids", **sizes)
    texts = as_texts(SAMPLES)
    assert of_texts.compute(predictions=texts, tokenizer=NumberTokenizer(), **sizes) == expected
    assert of_ids.compute(predictions=SAMPLES) == expected
    # Words are other tokens of the same pattern: only the bytes to compress differ.
    words = of_texts.compute(predictions=texts, **sizes)
    assert words.pop("compression_ratio") != expected.pop("compression_ratio")
    assert words == pytest.approx(expected, rel=1e-9)
    # A function from a text to its tokens.
    letters = of_texts.compute(predictions=["abcabc", "xyz"], tokenizer=list, budget=9)
    assert letters["distinct_1"] == 6 / 9


def test_padded_token_ids(evaluate: Any) -> None:
    padded = [[VOCAB] * (i % 7) + ids + [VOCAB] * (i % 5) for i, ids in enumerate(SAMPLES)]
    of_ids = evaluate.load(evaluate_path("output_diversity"), "token_ids", budget=300)
    assert of_ids.compute(predictions=padded, pad_token_id=VOCAB) == diversity_figures(
        SAMPLES, budget=300
    )
    reference = HumanReference(np.append(tiny_reference().counts, 0), special_ids=(VOCAB,))
    collapse = evaluate.load(evaluate_path("collapse"), "token_ids")
    for told, known in (({"pad_token_id": VOCAB}, None), ({}, reference)):
        expected = compare_with_human(SAMPLES, HUMAN, reference=known)
        values = collapse.compute(
            predictions=padded, references=HUMAN, human_reference=known, **told
        )
        assert values == pytest.approx(expected, nan_ok=True)
    ends = collapse.compute(
        predictions=[[VOCAB] * 9] * 12, references=HUMAN, human_reference=reference
    )
    assert ends["sample_tail_share"] == ends["budget"] == 0


def test_tail_probability_does_not_score_special_tokens(evaluate: Any) -> None:
    reference = HumanReference(np.append(tiny_reference().counts, 0), special_ids=(VOCAB,))
    logprobs = (-np.random.default_rng(0).exponential(3.0, (len(HUMAN), 50))).tolist()
    metric = evaluate.load(evaluate_path("tail_probability"), human_reference=reference)
    expected = metric.compute(predictions=logprobs, references=HUMAN)
    found = metric.compute(
        predictions=[[*row, -9.0, -9.0] for row in logprobs],
        references=[[*ids, VOCAB, VOCAB] for ids in HUMAN],
    )
    assert found == expected


def test_output_diversity_in_batches(evaluate: Any) -> None:
    module = evaluate.load(evaluate_path("output_diversity"), budget=300)
    for text in as_texts(SAMPLES):
        module.add(prediction=text)
    assert module.compute() == evaluate.load(evaluate_path("output_diversity")).compute(
        predictions=as_texts(SAMPLES), budget=300
    )


def test_collapse_of_texts_and_of_token_ids(evaluate: Any, tmp_path: Path) -> None:
    tokenizer = NumberTokenizer()
    reference = with_reference(tokenizer)
    reference.save(tmp_path / "reference.npz")
    sizes = {"num_texts": 10, "length": 30}
    # Nothing is repeated in the human texts, and a ratio to that is not a number.
    expected = pytest.approx(
        compare_with_human(SAMPLES, HUMAN, reference=reference, **sizes), rel=1e-12, nan_ok=True
    )
    of_texts = evaluate.load(
        evaluate_path("collapse"), tokenizer=tokenizer, human_reference=reference
    )
    of_ids = evaluate.load(evaluate_path("collapse"), "token_ids")
    assert (
        of_texts.compute(predictions=as_texts(SAMPLES), references=as_texts(HUMAN), **sizes)
        == expected
    )
    assert (
        of_ids.compute(
            predictions=SAMPLES,
            references=HUMAN,
            human_reference=str(tmp_path / "reference.npz"),
            **sizes,
        )
        == expected
    )


def test_tail_probability_of_logprobs(evaluate: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    # Padded, as a Trainer gathers them.
    ids = np.array(zipf_documents(10, length=30, seed=3))
    now, start = -rng.exponential(3.0, (2, *ids.shape))
    ids[2:5, 20:] = -100
    now[2:5, 20:] = -100.0
    reference = tiny_reference()
    reference.save(tmp_path / "reference.npz")
    expected = logprob_readings(list(now), list(ids), reference, start_logprobs=list(start))
    metric = evaluate.load(
        evaluate_path("tail_probability"), human_reference=tmp_path / "reference.npz"
    )
    values = metric.compute(predictions=now, references=ids, start_logprobs=start)
    assert set(values) == {*expected, *(f"{name}_se" for name in expected)}
    for name, estimate in expected.items():
        assert values[name] == estimate.value
        assert values[f"{name}_se"] == estimate.standard_error
        assert type(values[name]) is float
    ragged = metric.compute(
        predictions=[list(row[row > -100]) for row in now],
        references=[list(row[row >= 0]) for row in ids],
    )
    for name, value in ragged.items():
        assert value == pytest.approx(values[name], rel=1e-12)


def test_tail_probability_of_texts_is_what_a_monitor_reads(evaluate: Any) -> None:
    tokenizer = NumberTokenizer()
    reference = with_reference(tokenizer)
    texts = as_texts(HUMAN)
    panel = HeldOutPanel.from_texts(texts, tokenizer, reference, window=24)
    monitor = CollapseMonitor(panel, rules=[])
    model, start_model = tiny_gpt2(), tiny_gpt2()
    perturb(model, 0.05)
    monitor.start(start_model)
    expected = monitor.look(model, 1)
    metric = evaluate.load(
        evaluate_path("tail_probability"), "texts", tokenizer=tokenizer, human_reference=reference
    )
    values = metric.compute(references=texts, model=model, start_model=start_model, window=24)
    for name in expected:
        assert values[name] == expected[name]
        assert values[f"{name}_se"] == pytest.approx(expected.standard_errors[name], nan_ok=True)
    without_start = metric.compute(references=texts, model=model, window=24)
    assert set(values) - set(without_start) == {
        name + end
        for name in ("tail_retention", "head_retention", "tail_gap")
        for end in ("", "_se")
    }


def test_tail_probability_counts_texts_of_one_label_as_one(evaluate: Any) -> None:
    tokenizer, texts = NumberTokenizer(), as_texts(HUMAN)
    reference, labels = with_reference(tokenizer), [number // 3 for number in range(len(texts))]
    panel = HeldOutPanel.from_texts(texts, tokenizer, reference, window=24, groups=labels)
    model = tiny_gpt2()
    expected = CollapseMonitor(panel, rules=[]).start(model)
    metric = evaluate.load(
        evaluate_path("tail_probability"), "texts", tokenizer=tokenizer, human_reference=reference
    )
    values = metric.compute(references=texts, model=model, window=24, groups=labels)
    alone = metric.compute(references=texts, model=model, window=24)
    assert values["tail_logprob_se"] == expected.standard_errors["tail_logprob"]
    assert values["tail_logprob_se"] != alone["tail_logprob_se"]


def test_all_three_combine_by_loaded_modules_and_share_settings(evaluate: Any) -> None:
    tokenizer = NumberTokenizer()
    reference = with_reference(tokenizer)
    together = evaluate.combine(
        [
            evaluate.load(evaluate_path("output_diversity")),
            evaluate.load(evaluate_path("collapse")),
            evaluate.load(evaluate_path("tail_probability"), "texts", model=tiny_gpt2()),
        ]
    )
    values = together.compute(
        predictions=as_texts(SAMPLES),
        references=as_texts(HUMAN),
        budget=300,
        window=24,
        tokenizer=tokenizer,
        human_reference=reference,
    )
    assert values["distinct_2"] == values["sample_distinct_2"]
    assert values["tail_prob"] > 0
    assert values["ratio_tail_share"] == values["sample_tail_share"] / values["human_tail_share"]


def test_combine_takes_paths(evaluate: Any) -> None:
    together = evaluate.combine([evaluate_path(name) for name in TEXT_MODULES], force_prefix=True)
    values = together.compute(predictions=as_texts(SAMPLES), references=as_texts(HUMAN), budget=300)
    assert values["output_diversity_distinct_2"] == values["collapse_sample_distinct_2"]


def test_direct_instantiation(evaluate: Any) -> None:
    from collapse_guard.integrations.collapse.collapse import Collapse
    from collapse_guard.integrations.output_diversity.output_diversity import OutputDiversity
    from collapse_guard.integrations.tail_probability.tail_probability import TailProbability

    for kind, name in (
        (Collapse, "collapse"),
        (OutputDiversity, "output_diversity"),
        (TailProbability, "tail_probability"),
    ):
        assert isinstance(kind(), evaluate.EvaluationModule)
        assert kind().name == name
    module = OutputDiversity("token_ids", budget=300, keep_in_memory=True)
    assert module.compute(predictions=SAMPLES) == diversity_figures(SAMPLES, budget=300)


def test_an_error_leaves_the_module_usable(evaluate: Any) -> None:
    module = evaluate.load(evaluate_path("output_diversity"))
    with pytest.raises(ArgumentError, match="which is what the text allows"):
        module.compute(predictions=["a b c"], budget=100)
    assert module.compute(predictions=["a b c"], budget=3)["distinct_1"] == 1.0


def test_global_random_states_stay(evaluate: Any) -> None:
    before = np.random.get_state()[1].tolist(), torch.get_rng_state()
    evaluate.load(evaluate_path("collapse")).compute(
        predictions=as_texts(SAMPLES), references=as_texts(HUMAN)
    )
    assert np.random.get_state()[1].tolist() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


@pytest.mark.parametrize(
    ("name", "config", "given", "message"),
    [
        ("output_diversity", None, {"predictions": ["a b c"]}, "`budget` expected how many"),
        (
            "output_diversity",
            None,
            {"predictions": [], "budget": 5},
            "at least one text that is not empty",
        ),
        ("output_diversity", None, {"predictions": ["", " "], "budget": 5}, "2 texts without"),
        ("output_diversity", "token_ids", {"predictions": [[]], "budget": 5}, "at least one token"),
        (
            "output_diversity",
            None,
            {"predictions": ["a b c d"] * 3, "budget": 5, "num_texts": 2},
            "`num_texts` expected `length` beside it",
        ),
        (
            "output_diversity",
            None,
            {"predictions": ["a b c d"] * 3, "budget": 5, "num_texts": 4, "length": 4},
            "from 2 to 3, the documents of at least length = 4",
        ),
        ("output_diversity", None, {"predictions": ["a"], "buget": 5}, "`buget` expected to be a"),
        (
            "output_diversity",
            None,
            {"predictions": ["a"], "budget": 5, "tokenizer": 3},
            "`tokenizer` expected",
        ),
        (
            "collapse",
            None,
            {"predictions": ["a b", ""], "references": ["", ""]},
            "`human` expected",
        ),
        ("collapse", None, {"predictions": ["", ""], "references": ["a b", ""]}, "`samples` exp"),
        (
            "collapse",
            None,
            {"predictions": ["1 2"], "references": ["3 4"], "human_reference": "no such file"},
            "`human_reference` expected a HumanReference",
        ),
        (
            "collapse",
            None,
            {"predictions": ["1 2"], "references": ["3 4"], "human_reference": tiny_reference()},
            "`tokenizer` expected the tokenizer that",
        ),
        (
            "tail_probability",
            None,
            {"predictions": [[-1.0]], "references": [[1]]},
            "`human_reference` expected",
        ),
        (
            "tail_probability",
            "texts",
            {
                "references": ["1 2 3"],
                "tokenizer": NumberTokenizer(),
                "human_reference": tiny_reference(),
                "window": 2,
            },
            "fewer than 2 documents",
        ),
        (
            "tail_probability",
            "texts",
            {
                "references": as_texts(HUMAN),
                "tokenizer": NumberTokenizer(),
                "human_reference": tiny_reference(),
                "window": 20,
            },
            "`model` expected a causal",
        ),
    ],
)
def test_bad_input_is_named(
    evaluate: Any, name: str, config: str | None, given: dict[str, Any], message: str
) -> None:
    # In memory, because `evaluate` waits a second for a file that an error has left locked.
    module = evaluate.load(evaluate_path(name), config, keep_in_memory=True)
    with pytest.raises((ArgumentError, PanelError), match=message):
        module.compute(**given)


def test_other_numbers_of_texts_are_refused_by_evaluate(evaluate: Any) -> None:
    module = evaluate.load(evaluate_path("collapse"))
    with pytest.raises(ValueError, match=r"Mismatch in the number of predictions \(1\)"):
        module.compute(predictions=["a b"], references=["c d", "e f"])


def test_another_tokenizer_is_refused(evaluate: Any) -> None:
    class Other(NumberTokenizer):
        def get_vocab(self) -> dict[str, int]:
            return {str(token): VOCAB - 1 - token for token in range(VOCAB)}

    module = evaluate.load(
        evaluate_path("collapse"), human_reference=with_reference(NumberTokenizer())
    )
    with pytest.raises(TokenizerMismatchError):
        module.compute(predictions=["1 2"], references=["3 4"], tokenizer=Other())


@pytest.mark.parametrize("name", ["collapse", "output_diversity", "tail_probability"])
def test_unknown_settings_and_configurations_are_refused_at_load(evaluate: Any, name: str) -> None:
    with pytest.raises(ArgumentError, match="`buget` expected to be a setting"):
        evaluate.load(evaluate_path(name), buget=3)
    with pytest.raises(ArgumentError, match="`config_name` expected one of"):
        evaluate.load(evaluate_path(name), "words")


def test_ratio_to_nothing_is_nan(evaluate: Any) -> None:
    values = evaluate.load(evaluate_path("collapse")).compute(
        predictions=["a b c a"], references=["d e f g"]
    )
    assert values["human_good_turing_coverage"] == 0.0
    assert math.isnan(values["ratio_good_turing_coverage"])
