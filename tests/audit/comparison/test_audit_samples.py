import random
from typing import Any

import numpy as np
import pytest
import torch

from collapse_guard.audit import (
    ContentSample,
    audit_samples,
    audit_texts,
    detector_scores,
    effective_temperature,
)
from collapse_guard.errors import ArgumentError
from tests.audit.comparison.languages import zipf_texts
from tests.tiny import VOCAB, tiny_gpt2

HUMAN = zipf_texts(220, seed=0)
# Some stand in the human text, and some come twice.
COLD = [*zipf_texts(200, seed=1, temperature=0.7), *HUMAN[:9]]
COLD += COLD[:7]


def sample_of(texts: list[str], cuts: list[int], order: random.Random) -> ContentSample:
    """The sample of some texts, merged from parts in a random order."""
    parts = []
    for number, (start, stop) in enumerate(zip([0, *cuts], [*cuts, len(texts)], strict=True)):
        parts.append(ContentSample(100_000))
        parts[-1].extend(texts[start:stop], part=f"{number:05d}")
    while len(parts) > 1:
        one, other = (parts.pop(order.randrange(len(parts))) for _ in range(2))
        parts.append(one.merge(other))
    return parts[0]


@pytest.mark.parametrize("seed", range(5))
def test_an_audit_of_parts_is_that_of_the_whole_bit_by_bit(seed: int) -> None:
    order = random.Random(seed)
    samples = []
    for texts in (HUMAN, COLD):
        cuts = sorted(order.randrange(len(texts)) for _ in range(order.randrange(1, 9)))
        samples.append(sample_of(texts, cuts, order))
    whole = audit_texts(HUMAN, COLD, characters=100_000)
    audit = audit_samples(*samples)
    assert audit.to_dict() == whole.to_dict()
    assert str(audit) == str(whole)


def test_a_sample_that_leaves_most_out_says_the_same_in_parts() -> None:
    human, cold = zipf_texts(3_000, seed=0), zipf_texts(3_000, seed=1, temperature=0.7)
    whole = audit_texts(human, cold, characters=100_000)
    assert whole.is_sampled
    samples = [sample_of(texts, [400, 401, 2_000], random.Random(0)) for texts in (human, cold)]
    assert audit_samples(*samples).to_dict() == whole.to_dict()


class Letters:
    """A tokenizer of one token for each letter."""

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        return [(ord(letter) - 97) % 26 for letter in text]


def test_what_reads_a_sample_reads_the_same_of_parts() -> None:
    whole = sample_of(COLD, [], random.Random(0))
    parts = sample_of(COLD, [20, 21, 150], random.Random(1))
    model, read = tiny_gpt2(), []
    letters = np.bincount(
        [each for text in COLD for each in Letters().encode(text)], minlength=VOCAB
    )
    with torch.no_grad():
        # A model that knows how frequent letters are, so that the texts have a temperature.
        model.get_input_embeddings().weight[:, 0] = torch.from_numpy(np.log(letters + 0.1)) / 5
        model.transformer.ln_f.bias[0] = 5.0
    for sample in (whole, parts):
        texts = [one.text for one in sample.contents()]
        found = effective_temperature(texts, model, tokenizer=Letters(), max_rows=40)
        scores = detector_scores(lambda batch: [len(each) / 1_000 for each in batch], texts)
        assert not found.is_at_limit
        read.append((found, scores.tolist()))
    assert read[0] == read[1]


@pytest.mark.parametrize(
    ("argument", "given"),
    [("human", ["texts"]), ("synthetic", None), ("target", 1.0), ("near", 0.2), ("seed", -1)],
)
def test_what_cannot_be_is_refused_by_name(argument: str, given: Any) -> None:
    arguments = {"human": sample_of(HUMAN, [], random.Random(0))}
    arguments = {**arguments, "synthetic": arguments["human"], argument: given}
    with pytest.raises(ArgumentError, match=f"`{argument}`"):
        audit_samples(**arguments)
