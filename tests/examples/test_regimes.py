"""What each regime of the recursive example trains on, and how, against references of its own."""

from collections import Counter
from dataclasses import replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel, Trainer

from collapse_guard import Decoding, MixGuard, sample
from collapse_guard.examples.recursive_finetune.finetuning import (
    make_trainer,
    mix_rows,
    training_arguments,
)
from collapse_guard.examples.recursive_finetune.processes import Processes
from collapse_guard.examples.recursive_finetune.regimes.averaging import half_way_to_the_start
from collapse_guard.examples.recursive_finetune.regimes.editing import edited_human_rows
from collapse_guard.examples.recursive_finetune.regimes.regime import Lesson, Training
from collapse_guard.examples.recursive_finetune.regimes.registry import REGIMES
from collapse_guard.examples.recursive_finetune.regimes.selection import (
    by_detector,
    likeliest_half,
    most_varied_half,
)
from collapse_guard.examples.recursive_finetune.settings import Settings
from tests.integrations.matching.runs import first_step, gradients_of, tiny_tokenizer
from tests.tiny import VOCAB, perturb, tiny_llama, tiny_reference

WINDOW, ROWS, BATCH = 12, 16, 8


def settings(**changed: Any) -> Settings:
    values = {"window": WINDOW, "rows": ROWS, "batch_size": BATCH, "passes": 2, "cpu": True}
    return Settings(**(values | {"lora_rank": 0, "temperature": 0.7} | changed))


def rows(seed: int, count: int = ROWS) -> Any:
    return np.random.default_rng(seed).integers(1, VOCAB, size=(count, WINDOW))


def lesson(**changed: Any) -> Lesson:
    """Rows at random, three generations of them; the start is a model of its own."""
    values: dict[str, Any] = {
        "human": rows(1),
        "first": rows(2),
        "written": [rows(3), rows(4), rows(5)],
        "reference": tiny_reference(),
        "seed": 5,
        "held_out": rows(6, 40),
        "writer": tiny_llama(seed=1),
        "tokenizer": tiny_tokenizer(),
        "start": lambda: tiny_llama(seed=2),
        "more": lambda: rows(7),
    }
    return Lesson(**(values | changed))


def mixed(regime: str, chosen: Settings) -> MixGuard:
    return mix_rows(REGIMES[regime].recipe(lesson(), chosen), chosen, seed=5)


def shown(mix: MixGuard) -> Counter[str]:
    """How many slots show rows of each set."""
    names = {
        row.tobytes(): name
        for name, each in {
            "human": rows(1),
            "first": rows(2),
            **{str(number): rows(number + 2) for number in (1, 2, 3)},
        }.items()
        for row in each
    }
    return Counter(names[np.asarray(mix[slot]["input_ids"]).tobytes()] for slot in range(len(mix)))


@pytest.mark.parametrize(
    ("regime", "expected"),
    [
        ("human", {"human": 32}),
        ("replace", {"3": 32}),
        # Of each 8: .3 x 8 and .618 x 8, rounded up.
        ("mix", {"human": 12, "3": 20}),
        ("anchored", {"human": 12, "3": 20}),
        ("golden", {"human": 20, "3": 12}),
        # All there is, once in each of two passes.
        ("accumulate", {"first": 32, "1": 32, "2": 32, "3": 32}),
        ("recover", {"human": 32}),
    ],
)
def test_regimes_show_what_they_say(regime: str, expected: dict[str, int]) -> None:
    assert shown(mixed(regime, settings())) == expected


def test_a_subsample_has_a_part_of_each_generation_and_no_more_rows() -> None:
    counts = shown(mixed("accumulate_subsample", settings()))
    assert sum(counts.values()) == 32
    assert set(counts.values()) == {8}


def test_a_recovery_begins_on_its_own_text() -> None:
    """After as many generations as are asked for there is human text, and not before."""
    for after, expected in ((2, {"human": 32}), (3, {"3": 32})):
        assert shown(mixed("recover", settings(recover_after=after))) == expected


def test_all_but_the_growing_one_train_on_equally_many_tokens() -> None:
    sizes = {}
    for name, regime in REGIMES.items():
        recipe = regime.recipe(lesson(), settings())
        sizes[name] = len(mix_rows(recipe, settings(), seed=5))
    assert sizes.pop("accumulate") == 2 * 4 * ROWS
    assert set(sizes.values()) == {2 * ROWS}


def nll(model: PreTrainedModel, row: Any) -> float:
    ids = torch.from_numpy(row)[None]
    with torch.no_grad():
        return float(model(input_ids=ids, labels=ids).loss)


def test_the_likelier_half_is_that_of_generation_0() -> None:
    (kept,) = likeliest_half(lesson(), settings()).written
    pool = np.concatenate([rows(5), rows(7)])
    losses = np.array([nll(tiny_llama(seed=2), row) for row in pool])
    best = np.sort(np.argsort(losses)[:ROWS])
    assert np.array_equal(kept, pool[best])


def test_the_most_varied_half_covers_what_any_could_to_within_a_third() -> None:
    """And the first row is one with most pairs of its own: nothing is covered before it."""
    few = np.random.default_rng(8).integers(1, 4, size=(8, 5))
    asked = lesson(written=[few[:4]], more=lambda: few[4:])
    (kept,) = most_varied_half(asked, settings()).written
    pairs = [set(pairwise(row)) for row in few.tolist()]
    best = max(len(set().union(*choice)) for choice in combinations(pairs, 4))
    covered = len(set().union(*(set(pairwise(row)) for row in kept.tolist())))
    assert best * (1 - 1 / np.e) <= covered <= best
    assert len(kept) == 4
    assert max(map(len, pairs)) in {len(set(pairwise(row))) for row in kept.tolist()}


def test_a_detector_shows_more_of_what_it_holds_for_human() -> None:
    """What the model wrote is likely under generation 0; among it stand rows that are not."""
    drawn = sample(
        tiny_llama(seed=2),
        num_sequences=3 * ROWS // 2,
        length=WINDOW - 1,
        prompt_ids=torch.ones(1, dtype=torch.int64),
        decoding=Decoding(temperature=0.3),
        seed=0,
    ).numpy()
    drawn = np.concatenate([np.ones((len(drawn), 1), np.int64), drawn], axis=1)
    strange = rows(7, ROWS // 2)
    asked = lesson(written=[drawn[:ROWS]], more=lambda: np.concatenate([drawn[ROWS:], strange]))
    chosen = settings(passes=1)
    recipe = by_detector(asked, chosen)
    assert recipe.slots == ROWS
    assert recipe.quality is not None
    assert len(recipe.quality) == 2 * ROWS == len(recipe.written[0])
    assert recipe.quality[-ROWS // 2 :].mean() > 1.5 * recipe.quality[: -ROWS // 2].mean()
    assert len(mix_rows(recipe, chosen, seed=5)) == ROWS


def test_tokens_are_edited_where_the_model_is_sure_of_them() -> None:
    asked, chosen = lesson(), settings(edit_above=0.02)
    recipe = edited_human_rows(asked, chosen)
    (edited,), human = recipe.written, asked.human
    with torch.no_grad():
        logits = tiny_llama(seed=1).eval()(input_ids=torch.from_numpy(human)).logits[:, :-1]
    given = logits.softmax(-1).gather(2, torch.from_numpy(human)[:, 1:, None]).squeeze(2).numpy()
    changed = edited != human
    assert not changed[:, 0].any()
    assert 0 < changed.sum() < human.size
    assert (given[changed[:, 1:]] >= 0.02).all()
    assert recipe.by_people == pytest.approx(1 - changed.mean())
    assert edited_human_rows(asked, settings(edit_above=2.0)).by_people == 1.0
    again = edited_human_rows(asked, chosen)
    assert np.array_equal(again.written[0], edited)


def test_edited_tokens_follow_the_sampler_in_the_context_that_people_wrote() -> None:
    """At a place that is always drawn anew, in 2,000 copies of a row: its top-3 and their law."""
    asked = lesson(human=np.repeat(rows(1)[:1], 2000, axis=0))
    chosen = settings(edit_above=0.0, temperature=0.5, top_k=3)
    (edited,) = edited_human_rows(asked, chosen).written
    ids = torch.from_numpy(rows(1)[:1])
    with torch.no_grad():
        logits = tiny_llama(seed=1).eval()(input_ids=ids).logits[0, 6]
    values, types = (logits / 0.5).topk(3)
    expected = values.softmax(0).numpy()
    counts = np.array([(edited[:, 7] == token).sum() for token in types.tolist()])
    assert counts.sum() == 2000
    errors = np.sqrt(2000 * expected * (1 - expected))
    assert (abs(counts - 2000 * expected) < 4 * errors).all()


def test_prompts_are_never_edited() -> None:
    chosen = settings(edit_above=0.0, temperature=3.0, prompt=4)
    (edited,) = edited_human_rows(lesson(), chosen).written
    assert np.array_equal(edited[:, :4], lesson().human[:, :4])
    assert not np.array_equal(edited[:, 4:], lesson().human[:, 4:])


def trainer_of(regime: str, chosen: Settings, folder: Any) -> tuple[Trainer, MixGuard]:
    mix = mixed(regime, chosen)
    arguments = training_arguments(chosen, Processes(cpu=True), folder, seed=5)
    arguments |= {"logging_strategy": "steps", "max_grad_norm": 0.0}
    return make_trainer("hf", tiny_llama(), mix, arguments, tiny_tokenizer()), mix


def token_losses(model: PreTrainedModel, row: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Negative log-likelihoods of the trained tokens of a row, and those tokens."""
    ids = torch.as_tensor(row["input_ids"])
    labels = torch.as_tensor(row.get("labels", row["input_ids"]))[1:]
    logprobs = model(input_ids=ids[None]).logits[0, :-1].log_softmax(-1)
    counted = labels != -100
    return -logprobs[counted].gather(1, labels[counted][:, None]).squeeze(1), labels[counted]


def truncated(losses: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    return losses * (torch.exp(-losses.detach()) <= 0.02)


def weighted(losses: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    reference = tiny_reference()
    weights = 1.0 + 3.0 * reference.tail_types
    mean = (weights * reference.counts).sum() / reference.counts.sum()
    return losses * torch.from_numpy(weights / mean)[tokens].float()


@pytest.mark.parametrize("prompt", [0, 3])
@pytest.mark.parametrize(
    ("regime", "law"), [("truncated_ce", truncated), ("rare_weighted", weighted)]
)
def test_a_step_is_that_of_the_weighted_tokens(
    tmp_path: Any, regime: str, law: Any, prompt: int
) -> None:
    """By hand, row by row; and the same however a step's rows are accumulated."""
    for on_device in (8, 4):
        chosen = settings(truncate_above=0.02, prompt=prompt, device_batch_size=on_device)
        trainer, mix = trainer_of(regime, chosen, tmp_path)
        with REGIMES[regime].loss(Training(trainer, mix, lesson(), chosen)):
            loss, gradients = first_step(trainer)
        assert trainer.compute_loss_func is None
        model = tiny_llama()
        terms = [law(*token_losses(model, mix[slot])) for slot in range(BATCH)]
        plain = sum(token_losses(model, mix[slot])[0].sum().item() for slot in range(BATCH))
        expected = torch.cat(terms).sum() / sum(map(len, terms))
        expected.backward()
        assert loss == pytest.approx(expected.item(), rel=1e-4)
        assert abs(loss - plain / sum(map(len, terms))) > 1e-2
        for name, gradient in gradients_of(model).items():
            torch.testing.assert_close(gradients[name], gradient, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("prompt", [0, 3])
def test_an_anchored_step_adds_the_divergence_on_human_rows(tmp_path: Any, prompt: int) -> None:
    for on_device in (8, 4):
        chosen = settings(anchor=2.5, prompt=prompt, device_batch_size=on_device)
        trainer, mix = trainer_of("anchored", chosen, tmp_path)
        with REGIMES["anchored"].loss(Training(trainer, mix, lesson(), chosen)):
            loss, gradients = first_step(trainer)
        assert "compute_loss" not in trainer.__dict__
        model, start = tiny_llama(), tiny_llama(seed=2).eval()
        people = {row.tobytes() for row in rows(1)}
        total, count, seen = torch.zeros(()), 0, 0
        for slot in range(BATCH):
            row = mix[slot]
            losses, _ = token_losses(model, row)
            total, count = total + losses.sum(), count + len(losses)
            if np.asarray(row["input_ids"]).tobytes() in people:
                seen += 1
                ids = torch.as_tensor(row["input_ids"])[None]
                ours = torch.distributions.Categorical(logits=model(input_ids=ids).logits[0, :-1])
                with torch.no_grad():
                    theirs = torch.distributions.Categorical(
                        logits=start(input_ids=ids).logits[0, :-1]
                    )
                divergence = torch.distributions.kl_divergence(theirs, ours)
                total = total + 2.5 * divergence[max(prompt - 1, 0) :].sum()
        assert seen == 3
        expected = total / count
        expected.backward()
        assert loss == pytest.approx(expected.item(), rel=1e-4)
        for name, gradient in gradients_of(model).items():
            torch.testing.assert_close(gradients[name], gradient, atol=1e-5, rtol=1e-3)


def test_half_way_to_the_start_is_the_mean_of_both() -> None:
    model = tiny_llama(seed=1)
    perturb(model, 0.1)
    before = {name: weights.clone() for name, weights in model.named_parameters()}
    half_way_to_the_start(model, lesson())
    start = dict(tiny_llama(seed=2).named_parameters())
    for name, weights in model.named_parameters():
        torch.testing.assert_close(weights, (before[name] + start[name]) / 2)


def test_only_decodings_are_matched(tmp_path: Any) -> None:
    """A regime that says how its rows were drawn has marked labels, and no other one has."""
    for name, regime in REGIMES.items():
        asked = replace(lesson(), more=lambda: rows(7))
        decoding = regime.recipe(asked, settings()).decoding
        if name in ("guarded", "matched", "mix_matched"):
            assert decoding == Decoding(temperature=0.7)
        else:
            assert decoding == ("find" if name == "found" else None)
        assert regime.is_matched == (decoding is not None)
