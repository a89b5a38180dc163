import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from collapse_guard import (
    ArgumentError,
    CollapseGuardError,
    CollapseMonitor,
    ReadingKind,
    Threshold,
    TokenizerMismatchError,
)
from collapse_guard.callbacks.records import record_keys
from collapse_guard.human_text.continuations import continuation_pairs
from collapse_guard.readings.log_odds import log_odds, log_odds_reading
from tests.paces import Scripted
from tests.tiny import VOCAB, perturb, tiny_gpt2, tiny_llama, tiny_opt, tiny_panel

PROMPTS = [[5, 6, 7], [8], [9, 4, 4, 4, 4, 4, 2], [1, 3], [20, 21]]
ONE, OTHER = [11], [12, 13, 14]
PAIRS = continuation_pairs(PROMPTS, ONE, OTHER)

Ids = list[int]


def by_hand(model: Any, prompt: Ids, continuation: Ids) -> float:
    """The chain rule, a forward pass for each token, without a batch."""
    total, ids = 0.0, list(prompt)
    with torch.no_grad():
        for token in continuation:
            total += model(torch.tensor([ids])).logits[0, -1].double().log_softmax(-1)[token].item()
            ids.append(token)
    return total


def differences(model: Any, prompts: list[Ids], one: Ids, other: Ids) -> list[float]:
    return [by_hand(model, p, one) - by_hand(model, p, other) for p in prompts]


@pytest.mark.parametrize("make", [tiny_gpt2, tiny_llama, tiny_opt])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_agrees_with_the_chain_rule(make: Any, batch_size: int) -> None:
    model = make().eval()
    expected = np.array(differences(model, PROMPTS, ONE, OTHER))
    found = log_odds(model, PAIRS, batch_size=batch_size)
    assert found.value == pytest.approx(expected.mean(), abs=1e-5)
    error = expected.std(ddof=1) / math.sqrt(len(expected))
    assert found.standard_error == pytest.approx(error, rel=1e-4)
    assert found.units == len(PROMPTS)


def test_per_token_is_the_mean_over_each_continuation() -> None:
    model = tiny_gpt2().eval()
    expected = [by_hand(model, p, ONE) - by_hand(model, p, OTHER) / 3 for p in PROMPTS]
    found = log_odds(model, PAIRS, per_token=True)
    assert found.value == pytest.approx(np.mean(expected), abs=1e-5)


ids = st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=5)
MODEL = tiny_gpt2().eval()


@settings(max_examples=30)
@given(
    asked=st.lists(
        st.tuples(ids, ids, ids).filter(lambda three: three[1] != three[2]), min_size=1, max_size=4
    ),
    per_token=st.booleans(),
)
def test_swapping_the_two_turns_the_sign(
    asked: list[tuple[Ids, Ids, Ids]], per_token: bool
) -> None:
    prompts, one, other = (list(each) for each in zip(*asked, strict=True))
    found = log_odds(MODEL, continuation_pairs(prompts, one, other), per_token=per_token)
    swapped = log_odds(MODEL, continuation_pairs(prompts, other, one), per_token=per_token)
    # The rows of a batch have changed places, which is a matter of rounding.
    assert swapped.value == pytest.approx(-found.value, abs=1e-4)
    assert swapped.standard_error == pytest.approx(found.standard_error, abs=1e-4, nan_ok=True)


def test_a_prompt_alone_has_no_error() -> None:
    assert math.isnan(log_odds(MODEL, continuation_pairs([[1]], [2], [3])).standard_error)


def test_all_ways_of_one_token_add_up_to_one() -> None:
    # Against one alternative, odds are probabilities over that of it.
    ways = [token for token in range(VOCAB) if token != 7]
    odds = [
        math.exp(log_odds(MODEL, continuation_pairs([[1, 2]], [way], [7])).value) for way in ways
    ]
    with torch.no_grad():
        told = MODEL(torch.tensor([[1, 2]])).logits[0, -1].softmax(-1)[7].item()
    assert 1 / (1 + sum(odds)) == pytest.approx(told, rel=1e-4)


def watching(*kinds: ReadingKind, **arguments: Any) -> CollapseMonitor:
    return CollapseMonitor(
        tiny_panel(), readings=list(kinds), rules_wait=False, sampling=None, **arguments
    )


def both() -> tuple[ReadingKind, ReadingKind]:
    return log_odds_reading("owl", PAIRS), log_odds_reading("owl_moved", PAIRS, since_start=True)


def test_several_are_watched_beside_each_other() -> None:
    turned = log_odds_reading("fox", continuation_pairs(PROMPTS, OTHER, ONE))
    monitor, model = watching(*both(), turned), tiny_gpt2()
    start = monitor.start(model)
    assert start["owl"] == pytest.approx(-start["fox"], abs=1e-4)
    assert start["owl_moved"] == 0.0
    before = np.array(differences(model.eval(), PROMPTS, ONE, OTHER))
    perturb(model, 0.1)
    look = monitor.look(model, 1)
    moved = np.array(differences(model, PROMPTS, ONE, OTHER)) - before
    assert look["owl_moved"] == pytest.approx(moved.mean(), abs=1e-4)
    error = moved.std(ddof=1) / math.sqrt(len(moved))
    assert look.standard_errors["owl_moved"] == pytest.approx(error, rel=1e-3)
    assert look["owl"] == pytest.approx(start["owl"] + look["owl_moved"], abs=1e-4)
    assert {"owl", "owl_se", "owl_moved", "owl_moved_se"} < set(record_keys(monitor))
    resumed = watching(*both(), turned)
    resumed.load_state_dict(json.loads(json.dumps(monitor.state_dict())))
    assert resumed.look(model, 1) == look


def test_a_rule_is_told_of_a_difference_that_all_prompts_share() -> None:
    rules = [Threshold("owl_moved", above=0.5), Threshold("owl_moved", above=1.5)]
    random = np.random.default_rng(0)
    prompts = random.integers(VOCAB, size=(40, 4)).tolist()
    pairs = continuation_pairs(prompts, [11], [12])
    moved = log_odds_reading("owl_moved", pairs, since_start=True)

    class Biased(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.bias = tiny_gpt2(), torch.nn.Parameter(torch.zeros(VOCAB))

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            return self.model(input_ids).logits + self.bias

    model, monitor = Biased(), watching(moved, rules=rules)
    monitor.start(model)
    with torch.no_grad():
        model.bias[11] += 1.0
    (alert,) = monitor.look(model, 1).alerts
    assert alert.rule == "owl_moved above 0.5"
    assert alert.value == pytest.approx(1.0, abs=1e-4)
    assert "log-odds of the continuation against the alternative over 40 prompts" in alert.message


def test_a_multiple_of_the_start_is_refused() -> None:
    level, moved = both()
    for kind, hint in ((level, "since_start=True"), (moved, "no multiple")):
        with pytest.raises(ArgumentError, match=hint):
            watching(kind, rules=[Threshold(kind.name, above=2.0, relative_to_start=True)])


def test_it_may_be_read_at_each_look() -> None:
    kind = log_odds_reading("owl", PAIRS, cost="each look")
    monitor, model = watching(kind, "tail_retention", "perplexity", pace=Scripted(6)), tiny_gpt2()
    monitor.start(model)
    perturb(model, 0.1)
    small = monitor.observe(model, 1)
    assert set(small) == {"owl", "tail_retention"}
    assert small["owl"] == pytest.approx(log_odds(model, PAIRS).value, abs=1e-5)


def test_training_goes_on_as_if_nobody_had_looked() -> None:
    def trained(looked_at: bool) -> list[torch.Tensor]:
        torch.manual_seed(0)
        model = tiny_gpt2(dropout=0.2).train()
        model.transformer.wte.requires_grad_(False)
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
        for _ in range(3):
            rows = torch.randint(VOCAB, (2, 8))
            model(rows, labels=rows).loss.backward()
            if looked_at:
                log_odds(model, PAIRS, batch_size=2)
            optimizer.step()
            optimizer.zero_grad()
        assert model.training
        return [*(p.detach() for p in model.parameters()), torch.get_rng_state()]

    for plain, watched in zip(trained(False), trained(True), strict=True):
        assert torch.equal(plain, watched)


def test_a_start_of_other_prompts_is_refused() -> None:
    model, monitor = tiny_gpt2(), watching(*both())
    monitor.start(model)
    other = continuation_pairs(PROMPTS[::-1], ONE, OTHER)
    resumed = watching(both()[0], log_odds_reading("owl_moved", other, since_start=True))
    resumed.load_state_dict(monitor.state_dict())
    with pytest.raises(CollapseGuardError, match="log-odds of other prompts for owl_moved"):
        resumed.look(model, 1)


def test_bad_arguments() -> None:
    with pytest.raises(ArgumentError, match="`name`"):
        log_odds_reading("an owl", PAIRS)
    with pytest.raises(ArgumentError, match="`bad`"):
        log_odds_reading("owl", PAIRS, bad="worse")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="`cost`"):
        log_odds_reading("owl", PAIRS, cost="writes text")
    with pytest.raises(ArgumentError, match="`batch_size`"):
        log_odds(MODEL, PAIRS, batch_size=0)
    with pytest.raises(TokenizerMismatchError):
        log_odds(MODEL, continuation_pairs([[1]], [2], [VOCAB]))


def test_what_is_read_per_token_says_so() -> None:
    kind, model = log_odds_reading("owl", PAIRS, per_token=True), tiny_gpt2()
    assert kind.meaning.endswith("over 5 prompts, per token")
    start = watching(kind).start(model)
    expected = log_odds(model, PAIRS, per_token=True)
    assert start["owl"] == pytest.approx(expected.value, abs=1e-5)
    assert expected.value != pytest.approx(log_odds(model, PAIRS).value, abs=0.1)
