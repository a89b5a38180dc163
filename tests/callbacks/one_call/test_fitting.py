"""What human text serves for: to count in, to look at, and to find a decoding with."""

from typing import Any

import pytest

from collapse_guard import Decoding, HumanReference, MixGuard, PanelError, Source
from collapse_guard.callbacks.one_call.fitting import Fitting, fit
from collapse_guard.callbacks.one_call.loop import of_loop
from collapse_guard.callbacks.one_call.matched import ToMatch
from collapse_guard.callbacks.one_call.sizes import Length
from tests.callbacks.one_call.people import people_write, token_ids, word_tokenizer
from tests.tiny import VOCAB, tiny_gpt2

HELD_OUT, HUMAN = people_write(120, seed=5), people_write(30, seed=6)
ROWS = [{"input_ids": ids} for ids in token_ids(people_write(40, seed=7))]
MIX = MixGuard(
    [{"input_ids": ids} for ids in token_ids(people_write(40, seed=8))],
    Source(ROWS, "web", "synthetic", decoding="find"),
    human_fraction=0.5,
    block_size=4,
)
REFERENCE = HumanReference.from_token_ids(token_ids(HUMAN), vocab_size=VOCAB)


def fitted(training: Any, decodings: Any, **given: Any) -> Fitting:
    target = of_loop(tiny_gpt2(), steps=10**6, tokens_per_step=100.0)
    target = type(target)(**{**target.__dict__, "training": training})
    settings = {"held_out": HELD_OUT, "human": None, "groups": None, "reference": None}
    matching = None if decodings is None else ToMatch(None, decodings)
    tokenizer = word_tokenizer()
    return fit(target, matching, tokenizer=tokenizer, **{**settings, **given})


def places(documents: Any, texts: list[str]) -> list[int]:
    ids = token_ids(texts)
    return [ids.index(each.tolist()) for each in documents]


def test_a_models_rows_are_not_counted() -> None:
    found = fitted(ROWS, Decoding(0.8))
    assert found.fitted.where == "half of the held-out text"
    assert found.fitted.panel.reference.num_tokens == 60 * 40
    assert len(found.to_find_with) == 0
    assert fitted(ROWS, None).fitted.where == "40 training rows, which are taken to be human"
    assert found.length == Length(10**6, 100.0)


def test_what_is_counted_finds_where_nobody_trains_on_it() -> None:
    found = fitted(ROWS, "find")
    assert places(found.to_find_with, HELD_OUT) == list(range(0, 120, 2))
    assert found.fitted.panel.num_documents == 60
    found = fitted(ROWS, "find", human=HUMAN)
    assert places(found.to_find_with, HUMAN) == list(range(30))
    assert found.fitted.panel.num_documents == 120


@pytest.mark.parametrize(
    ("training", "decodings", "given"),
    [(MIX, MIX, {}), (MIX, MIX, {"human": HUMAN}), (ROWS, "find", {"reference": REFERENCE})],
    ids=["human rows", "human text", "a reference"],
)
def test_else_some_is_set_aside(training: Any, decodings: Any, given: dict[str, Any]) -> None:
    found = fitted(training, decodings, **given)
    assert len(places(found.to_find_with, HELD_OUT)) == 60
    assert found.fitted.panel.num_documents == 60
    assert found.fitted.documents == 0


def test_where_all_is_known_nothing_is() -> None:
    known = MixGuard(
        ROWS, Source(ROWS, "web", "synthetic", decoding=Decoding(0.8)), human_fraction=0.5,
        block_size=4,
    )  # fmt: skip
    found = fitted(known, known)
    assert len(found.to_find_with) == 0
    assert found.fitted.panel.num_documents == 120


def test_held_out_text_that_a_model_wrote_down_is_refused() -> None:
    leaked = [*ROWS, {"input_ids": token_ids(HELD_OUT)[1]}]
    with pytest.raises(PanelError, match="training"):
        fitted(leaked, Decoding(0.8))


def test_a_copy_in_the_other_half_does_not_find() -> None:
    found = fitted(ROWS, "find", held_out=[HELD_OUT[1], *HELD_OUT[1:]])
    assert places(found.to_find_with, HELD_OUT) == list(range(2, 120, 2))
