"""Panels that are fitted to a run."""

import numpy as np
import pytest

from collapse_guard import HumanReference, PanelError
from collapse_guard.callbacks.one_call.counted import human_rows
from collapse_guard.callbacks.one_call.held_out import held_out_text
from collapse_guard.callbacks.one_call.panels import Fitted, fitted_panel, prefix_of
from collapse_guard.callbacks.one_call.sizes import Length, with_tail
from tests.callbacks.one_call.people import people_write, token_ids, word_tokenizer

TRAINING = [{"input_ids": ids} for ids in token_ids(people_write(200, seed=2))]


def fitted(
    texts: list[str], steps: int | None = None, reference: HumanReference | None = None
) -> Fitted:
    tokenizer = word_tokenizer()
    return fitted_panel(
        held_out_text("held_out", texts, tokenizer),
        tokenizer,
        training=human_rows(TRAINING),
        reference=reference,
        positions=None,
        length=None if steps is None else Length(steps, 100.0),
    )


def test_a_short_run_gets_as_little_as_rules_need() -> None:
    found = fitted(people_write(100), steps=1)
    assert len(found.panel) == 32
    assert with_tail(found.panel) >= 30
    assert found.documents == 100 - found.panel.num_sources


def test_a_long_run_gets_it_all() -> None:
    found = fitted(people_write(100), steps=10**6)
    assert len(found.panel) == 100
    assert found.documents == 0


def test_where_few_documents_have_rare_tokens_more_are_looked_at() -> None:
    plain = np.random.default_rng(3).integers(3, 8, size=(120, 40))
    common = [" ".join(f"w{index}" for index in row) for row in plain]
    rare = people_write(40)
    mixed = [each for place in range(40) for each in (rare[place], *common[3 * place :][:3])]
    found = fitted(mixed, steps=1)
    assert len(found.panel) == 128
    assert with_tail(found.panel) == 32


def test_counts_that_are_given_are_kept() -> None:
    reference = fitted(people_write(40)).panel.reference
    found = fitted(people_write(40), reference=reference)
    assert found.panel.reference is reference
    assert "given" in found.where


def test_what_is_trained_on_is_not_held_out() -> None:
    leaked = " ".join(f"w{index}" for index in TRAINING[3]["input_ids"])
    with pytest.raises(PanelError, match="training"):
        fitted([*people_write(40), leaked])


def test_the_token_that_begins_texts_stands_before_each_window() -> None:
    class Beginning:
        bos_token_id = 7

        def __init__(self, adds: bool) -> None:
            self._adds = adds

        def __call__(self, text: str) -> dict[str, list[int]]:
            return {"input_ids": [7, 3] if self._adds else [3]}

    assert prefix_of(Beginning(adds=True)) == (7,)
    assert prefix_of(Beginning(adds=False)) == ()
    assert prefix_of(word_tokenizer()) == ()
