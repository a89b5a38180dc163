import numpy as np
import pytest
import torch

from collapse_guard import CollapseMonitor, HeldOutPanel, HumanReference, Sampling, Threshold
from collapse_guard.diversity import distinct_n, rarefied_types, rep_n_diversity, self_bleu
from collapse_guard.readings.sampled import human_texts
from collapse_guard.readings.sampling import Samples, draw_samples
from tests.human_text.test_reference import word_tokenizer
from tests.looks import WRITTEN, make_sampled_readings
from tests.tiny import VOCAB, perturb, tiny_gpt2, tiny_panel, tiny_reference, zipf_documents

SMALL = Sampling(num_free=10, num_prompts=6, samples_per_prompt=3, prompt_length=8, length=16)


def test_readings_are_those_of_the_diversity_functions() -> None:
    panel = tiny_panel()
    samples = draw_samples(tiny_gpt2(), panel, SMALL)
    readings = make_sampled_readings(samples, panel)
    assert list(readings) == list(WRITTEN)
    for start, texts in (("free", samples.free), ("prompted", samples.prompted.reshape(-1, 16))):
        tokens = texts.size
        expected = {
            "rarefied_types": rarefied_types(texts, budget=tokens // 2),
            "distinct_2": distinct_n(texts, 2, budget=tokens),
            "rep_n_diversity": rep_n_diversity(texts, length=16),
            "self_bleu": self_bleu(texts, num_texts=len(texts)),
            "tail_share": panel.reference.tail_types[texts].mean()
            / float(panel.tail_positions.sum() / panel.positions.sum()),
        }
        for name, value in expected.items():
            assert readings[f"{start}_{name}"][0] == pytest.approx(value), name
    within = [distinct_n(texts, 2, budget=48) for texts in samples.prompted]
    assert readings["per_input_distinct_2"][0] == pytest.approx(np.mean(within))
    across = [distinct_n(samples.prompted[:, i], 2, budget=96) for i in range(3)]
    assert readings["cross_input_distinct_2"][0] == pytest.approx(np.mean(across))
    assert all(each.standard_error >= 0 for each in readings.values())


def test_an_error_is_no_surer_than_the_groups_that_tell_it() -> None:
    texts = np.array(zipf_documents(120, length=16, seed=3))
    readings = make_sampled_readings(Samples(texts[:40], texts.reshape(30, 4, 16)), tiny_panel())
    units = {name: each.units for name, each in readings.items()}
    # Errors of means are over all texts or prompts; others are jackknifed over 20 groups.
    assert units["free_tail_share"] == 40
    assert units["prompted_tail_share"] == units["per_input_distinct_2"] == 30
    assert units["free_distinct_2"] == units["cross_input_distinct_2"] == 20
    few = make_sampled_readings(Samples(texts[:9], texts.reshape(30, 4, 16)[:7]), tiny_panel())
    assert (few["free_distinct_2"].units, few["prompted_self_bleu"].units) == (9, 7)


def test_human_text_has_its_own_share_of_tail_tokens() -> None:
    panel = tiny_panel(documents=60)
    human = np.array(zipf_documents(400, length=16, seed=8))
    readings = make_sampled_readings(Samples(human, human.reshape(100, 4, 16)), panel)
    share, error = readings["free_tail_share"][:2]
    assert abs(share - 1) < 4 * error < 0.4


def test_a_model_that_says_one_thing_reads_collapsed() -> None:
    panel = tiny_panel()
    same = np.tile(np.arange(4), (12, 4))
    readings = make_sampled_readings(Samples(same, same.reshape(4, 3, 16)), panel)
    assert readings["free_self_bleu"][0] == pytest.approx(1)
    assert readings["free_distinct_2"][0] < 0.05
    assert readings["free_tail_share"][0] == 0
    assert readings["free_rep_n_diversity"][0] < 0.05


def test_tokens_past_the_tokenizer_are_no_tail() -> None:
    panel = tiny_panel()
    padded = np.full((8, 16), VOCAB + 3)
    readings = make_sampled_readings(Samples(padded, padded.reshape(4, 2, 16)), panel)
    assert readings["free_tail_share"][:2] == (0, 0)


def test_the_monitor_reads_them_and_leaves_no_trace() -> None:
    model = tiny_gpt2(dropout=0.1).train()
    state = torch.get_rng_state()
    rule = Threshold("free_distinct_2", below=2.0, relative_to_start=True)
    monitor = CollapseMonitor(tiny_panel(), rules=[rule], rules_wait=False, sampling=SMALL)
    start = monitor.start(model)
    assert set(WRITTEN) < set(start)
    assert monitor.look(model, 1)["free_distinct_2"] == start["free_distinct_2"]
    assert [alert.reading for alert in monitor.alerts] == ["free_distinct_2"]
    perturb(model, 0.5)
    assert monitor.look(model, 2)["free_distinct_2"] != start["free_distinct_2"]
    assert torch.equal(torch.get_rng_state(), state)
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("other", ["end", "past the tokenizer"])
def test_what_is_no_text_is_no_token_of_what_is_written(other: str) -> None:
    human = np.array(zipf_documents(400, length=16, seed=8))
    counts = np.append(tiny_reference().counts, 0)
    reference = HumanReference(counts, special_ids=(VOCAB,))
    panel = HeldOutPanel.from_token_ids(zipf_documents(60, seed=2), reference, window=32)
    blank = np.full_like(human, VOCAB if other == "end" else VOCAB + 3)
    expected = make_sampled_readings(Samples(human, human.reshape(100, 4, 16)), panel)
    half = np.concatenate([human, blank], axis=1)
    found = make_sampled_readings(Samples(half, half.reshape(100, 4, 32)), panel)
    for name in ("free_tail_share", "prompted_tail_share"):
        assert found[name][:2] == expected[name][:2]
    nothing = make_sampled_readings(Samples(blank, blank.reshape(100, 4, 16)), panel)
    assert nothing["free_tail_share"][:2] == nothing["prompted_tail_share"][:2] == (0, 0)


class Writes(torch.nn.Module):
    """Human head tokens, and the end of a text with a probability."""

    def __init__(self, reference: HumanReference, end: int, share: float) -> None:
        super().__init__()
        counts = torch.tensor(reference.counts * reference.head_types, dtype=torch.float32)
        probabilities = counts / counts.sum() * (1 - share)
        probabilities[end] = share
        self.logits = torch.nn.Parameter(probabilities.clamp_min(1e-30).log())

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(*input_ids.shape, -1)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_model_that_writes_the_end_and_nothing_else_has_no_tail(share: float) -> None:
    tokenizer = word_tokenizer(*(f"w{i}" for i in range(1, VOCAB)))
    tokenizer.add_special_tokens({"eos_token": "<end>"})
    end = tokenizer.eos_token_id
    assert end == VOCAB
    # An end is rarer than anything in the text: it was the very tail before it was left out.
    documents = zipf_documents(40, seed=1)
    documents[0] = [*documents[0], end]
    reference = HumanReference.from_token_ids(
        documents, vocab_size=len(tokenizer), tokenizer=tokenizer
    )
    panel = HeldOutPanel.from_token_ids(zipf_documents(12, seed=2), reference, window=32)
    sampling = Sampling(num_free=8, num_prompts=4, samples_per_prompt=2, length=32, start_ids=(0,))
    look = CollapseMonitor(panel, sampling=sampling).start(Writes(reference, end, share))
    assert look["free_tail_share"] == look["prompted_tail_share"] == 0
    assert look["tail_mass_ratio"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("documents", "count", "length"), [(12, 10, 16), (3, 40, 16), (12, 9, 60)])
def test_text_of_people_is_as_varied_as_that_of_people(
    documents: int, count: int, length: int
) -> None:
    panel = tiny_panel(documents=documents)
    human = human_texts(panel, count, length)
    assert human.shape == (min(count, len(panel)), min(length, 31))
    own = {row.tobytes() for row in panel.input_ids[:, 1 : 1 + human.shape[1]].numpy()}
    assert {text.tobytes() for text in human} <= own
    readings = make_sampled_readings(Samples(human, np.stack([human, human])), panel)
    for name in ("free_distinct_2_vs_human", "free_rep_n_diversity_vs_human"):
        assert readings[name].value == pytest.approx(1.0)
        assert readings[name].standard_error > 0
        assert readings[name].units == min(len(human), 20)


def test_text_that_repeats_itself_is_less_varied_than_that_of_people() -> None:
    panel = tiny_panel()
    texts = np.tile(np.array([[3, 4, 5, 4]]), (10, 4))
    readings = make_sampled_readings(Samples(texts, texts.reshape(5, 2, 16)), panel)
    human = human_texts(panel, 10, 16)
    expected = distinct_n(texts, 2, budget=160) / distinct_n(human, 2, budget=160)
    assert readings["free_distinct_2_vs_human"].value == pytest.approx(expected)
    expected = rep_n_diversity(texts, length=16) / rep_n_diversity(human, length=16)
    assert readings["free_rep_n_diversity_vs_human"].value == pytest.approx(expected)
