from collections.abc import Iterator
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from collapse_guard.audit import audit_texts
from collapse_guard.errors import ArgumentError
from tests.audit.comparison.languages import zipf_texts

HUMAN = zipf_texts(200, seed=0)
COLD = zipf_texts(200, seed=1, temperature=0.7)


def test_each_length_is_compared_and_tokens_where_there_is_a_tokenizer() -> None:
    assert [one.length for one in audit_texts(HUMAN, COLD).coverage] == [1, 2, 3]
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Whitespace()
    trained.train_from_iterator(HUMAN, trainers.BpeTrainer(vocab_size=2_000))
    with_tokens = audit_texts(HUMAN, COLD, tokenizer=trained).coverage[-1]
    assert (with_tokens.unit, with_tokens.length) == ("tokens", 1)
    assert with_tokens.frequency.high < 0.9


def test_texts_may_be_gone_through_once() -> None:
    def once(texts: list[str]) -> Iterator[str]:
        yield from texts

    assert audit_texts(once(HUMAN), once(COLD)).to_dict() == audit_texts(HUMAN, COLD).to_dict()


def test_a_part_of_many_texts_says_the_same() -> None:
    human, cold = zipf_texts(3_000, seed=0), zipf_texts(3_000, seed=1, temperature=0.7)
    part, whole = (audit_texts(human, cold, characters=size) for size in (300_000, 1 << 24))
    assert part.is_sampled
    assert not whole.is_sampled
    # Rare is another thing in a smaller text, but what is cold is cold.
    assert part.coverage[0].frequency.high < 0.9
    assert part.coverage[0].frequency.value == pytest.approx(
        whole.coverage[0].frequency.value, abs=0.1
    )
    assert part.human.texts == 3_000


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("human", "one text"),
        ("human", []),
        ("human", ["too few words"] * 10),
        ("synthetic", [1, 2, 3]),
        ("synthetic", [""] * 1_000),
        ("target", 1.0),
        ("target", "much"),
        ("near", 0.2),
        ("characters", 10),
        ("seed", -1),
        ("spans", None),
    ],
)
def test_what_cannot_be_is_refused_by_name(argument: str, given: Any) -> None:
    arguments = {"human": HUMAN, "synthetic": COLD, argument: given}
    with pytest.raises(ArgumentError, match=f"`{argument}`"):
        audit_texts(arguments.pop("human"), arguments.pop("synthetic"), **arguments)
