"""The sampler-matched loss: cross-entropy to the bit for plain tokens, unbiased for drawn ones."""

from fractions import Fraction
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from collapse_guard.errors import ArgumentError
from collapse_guard.model.decoding import VLLM_ORDER, Decoding
from collapse_guard.model.marked_labels import mark_labels
from collapse_guard.model.matched_loss import SamplerMatchedLoss, sampler_matched_loss
from collapse_guard.model.next_token import candidates, draw, uniforms
from collapse_guard.model.sampled_logprob import sampled_logprob

VOCABULARY = 60

DECODINGS = [
    Decoding(temperature=0.5),
    Decoding(top_k=10),
    Decoding(top_p=0.8),
    Decoding(min_p=0.1),
    Decoding(temperature=0.8, top_p=0.95),
]

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
REDUCTIONS = pytest.mark.parametrize(
    ("settings", "plainly"),
    [
        ({"reduction": "mean"}, {"reduction": "mean"}),
        ({"reduction": "sum"}, {"reduction": "sum"}),
        ({"reduction": "mean", "num_items": 700}, {"reduction": "sum", "divided": 700}),
        (
            {"reduction": "mean", "num_items": torch.tensor(700)},
            {"reduction": "sum", "divided": torch.tensor(700)},
        ),
    ],
    ids=["mean", "sum", "num_items", "num_items in a tensor"],
)


def batch(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, labels with some of -100, and how each token was drawn: more than 256 labels."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20, 30, VOCABULARY, generator=generator)
    labels = torch.randint(VOCABULARY, (20, 30), generator=generator)
    labels[torch.rand(20, 30, generator=generator) < 0.2] = -100
    drawn_with = torch.randint(len(DECODINGS) + 1, (20, 30), generator=generator)
    # Rows of one kind too, as they are in most batches.
    drawn_with[:8], drawn_with[8:12] = 0, 2
    return logits.to(dtype), labels, drawn_with


def plain(
    logits: torch.Tensor, labels: torch.Tensor, *, reduction: str, divided: Any = 1
) -> torch.Tensor:
    flat = logits.flatten(0, 1), labels.flatten()
    loss = F.cross_entropy(*flat, ignore_index=-100, reduction=reduction)
    return loss if divided == 1 else loss / divided


def gradient(loss: torch.Tensor, leaf: torch.Tensor) -> torch.Tensor:
    return torch.autograd.grad(loss, leaf)[0]


@DTYPES
@REDUCTIONS
@pytest.mark.parametrize("decodings", [[], [Decoding()]], ids=["none", "one that is plain"])
def test_with_nothing_to_match_it_is_cross_entropy_to_the_bit(
    decodings: list[Decoding], settings: Any, plainly: Any, dtype: torch.dtype
) -> None:
    logits, labels, drawn_with = batch(dtype)
    drawn_with = drawn_with.clamp_max(len(decodings))
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    loss = sampler_matched_loss(ours, labels, decodings, drawn_with, **settings)
    expected = plain(theirs, labels, **plainly)
    assert loss.dtype == expected.dtype
    assert torch.equal(loss, expected)
    assert torch.equal(gradient(loss, ours), gradient(expected, theirs))


@DTYPES
@REDUCTIONS
@pytest.mark.parametrize("scaled", [False, True])
def test_gradients_of_plain_tokens_are_those_of_cross_entropy_to_the_bit(
    settings: Any, plainly: Any, dtype: torch.dtype, scaled: bool
) -> None:
    logits, labels, drawn_with = batch(dtype)
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    loss = sampler_matched_loss(
        ours, labels, DECODINGS, drawn_with, scale_by_temperature=scaled, **settings
    )
    assert loss.dtype == dtype
    human = drawn_with == 0
    found = gradient(loss, ours)
    expected = gradient(plain(theirs, labels, **plainly), theirs)
    assert torch.equal(found[human], expected[human])
    assert not torch.equal(found[~human], expected[~human])
    assert not found[labels == -100].any()


@DTYPES
def test_terms_are_those_of_each_law(dtype: torch.dtype) -> None:
    logits, labels, drawn_with = batch(dtype)
    terms = sampler_matched_loss(logits, labels, DECODINGS, drawn_with, reduction="none")
    assert terms.shape == labels.shape
    assert not terms[labels == -100].any()
    for number, decoding in enumerate([None, *DECODINGS]):
        here = (drawn_with == number) & (labels != -100)
        assert here.any()
        if decoding is None:
            expected = F.cross_entropy(logits[here], labels[here], reduction="none").float()
        else:
            expected = -sampled_logprob(logits[here], labels[here], decoding)
        assert torch.equal(terms[here], expected)


def test_the_reductions_are_of_the_terms() -> None:
    logits, labels, drawn_with = batch()

    def loss(**settings: Any) -> torch.Tensor:
        return sampler_matched_loss(logits, labels, DECODINGS, drawn_with, **settings)

    total = loss(reduction="none").sum()
    torch.testing.assert_close(loss(reduction="sum"), total)
    torch.testing.assert_close(loss(), total / (labels != -100).sum())
    torch.testing.assert_close(loss(num_items=700), total / 700)


def test_temperature_may_be_taken_out_of_the_gradient() -> None:
    """The likelihood's own gradient at temperature T is 1/T of that by z / T, and T of it is 1."""
    logits, labels, _ = batch()
    labels = labels.clamp_min(0)
    cold = [Decoding(temperature=0.5)]
    ones = torch.ones_like(labels)
    leaf = logits.requires_grad_()
    own = gradient(sampler_matched_loss(leaf, labels, cold, ones, reduction="sum"), leaf)
    taken_out = gradient(
        sampler_matched_loss(leaf, labels, cold, ones, reduction="sum", scale_by_temperature=True),
        leaf,
    )
    hotter = (logits.detach() / 0.5).requires_grad_()
    by_scaled = gradient(plain(hotter, labels, reduction="sum"), hotter)
    torch.testing.assert_close(taken_out, by_scaled)
    torch.testing.assert_close(own, 2 * by_scaled)


@pytest.mark.parametrize("decoding", DECODINGS, ids=str)
@pytest.mark.parametrize("scaled", [False, True])
def test_the_gradient_vanishes_at_the_generators_own_logits(
    decoding: Decoding, scaled: bool
) -> None:
    contexts, draws = 4, 30_000
    generator = torch.Generator().manual_seed(1)
    table = 2 * torch.randn(contexts, VOCABULARY, generator=generator)
    probabilities, ids = candidates(table, decoding)
    numbers = uniforms(3, range(contexts), draws)
    labels = torch.stack(
        [
            ids[row].gather(0, draw(probabilities[row].expand(draws, -1), numbers[row]).squeeze(1))
            for row in range(contexts)
        ]
    )
    leaf = table.requires_grad_()
    logits = leaf[:, None].expand(-1, draws, -1)
    matched = sampler_matched_loss(
        logits, labels, [decoding], torch.ones_like(labels), scale_by_temperature=scaled
    )
    # Of a mean over all contexts, whose gradient each of them sees a fraction of.
    slopes = contexts * gradient(matched, leaf)
    plainly = contexts * gradient(plain(logits, labels, reduction="mean"), leaf)
    law = torch.zeros_like(table).scatter(1, ids, probabilities / probabilities.sum(1, True))
    error = (law * (1 - law) / draws).sqrt()
    drawable = law > 0.001
    pull = 1 if scaled else 1 / decoding.temperature
    assert not slopes[law == 0].any()
    assert (slopes / (pull * error))[drawable].abs().max() < 4.5
    # The plain loss pulls many standard errors away from what has drawn these very tokens.
    assert (plainly / error)[drawable].abs().max() > 20
    assert law[drawable].numel() > 20


def test_half_of_a_batch_of_one_kind_is_the_mean_of_both() -> None:
    """Whole rows by a slice, by an index, and a half of them: the same terms."""
    logits, labels, _ = batch()
    labels = labels.clamp_min(0)
    decoding = [Decoding(temperature=0.8, top_k=5)]
    ones = torch.ones_like(labels)
    whole = sampler_matched_loss(logits, labels, decoding, ones, reduction="none")
    half = ones.clone()
    half[::2] = 0
    terms = sampler_matched_loss(logits, labels, decoding, half, reduction="none")
    assert torch.equal(terms[1::2], whole[1::2])


@pytest.mark.parametrize("length", [1, 70], ids="runs of {}".format)
def test_rows_that_follow_one_another_are_scored_as_each_by_itself(length: int) -> None:
    """By slices where runs are long, also of more rows than are worked on at once."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(700, 6_000, generator=generator)
    labels = torch.randint(6_000, (700,), generator=generator)
    labels[:: max(length, 5)] = -100
    labels[-400:] = 7
    decodings = [Decoding(temperature=0.8), Decoding(top_p=0.9)]
    drawn_with = (torch.arange(700) // length % 3).clamp_max(2)
    drawn_with[-400:] = 2
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    found = sampler_matched_loss(ours, labels, decodings, drawn_with, reduction="sum")
    expected = F.cross_entropy(theirs[drawn_with == 0], labels[drawn_with == 0], reduction="sum")
    for number, decoding in enumerate(decodings, start=1):
        here = (drawn_with == number) & (labels != -100)
        expected = expected - sampled_logprob(theirs[here], labels[here], decoding).sum()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradient(found, ours), gradient(expected, theirs))


def test_autocast_is_heeded_as_cross_entropy_heeds_it() -> None:
    logits, labels, drawn_with = batch(torch.bfloat16)
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = sampler_matched_loss(ours, labels, DECODINGS, drawn_with)
        expected = plain(theirs, labels, reduction="mean")
    assert loss.dtype == expected.dtype == torch.float32
    human = drawn_with == 0
    found = gradient(loss, ours)
    assert torch.equal(found[human], gradient(expected, theirs)[human])


@pytest.mark.parametrize("order", [Decoding().order, VLLM_ORDER], ids="-".join)
def test_an_order_makes_a_difference(order: tuple[str, ...]) -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    decoding = Decoding(top_p=0.83, min_p=0.2, order=order)
    loss = sampler_matched_loss(logits, torch.tensor([0]), [decoding], torch.tensor([1]))
    # The first two hold .80 of all, and .84 of what is left when the last has gone.
    kept = 0.8 if order == VLLM_ORDER else 0.95
    assert loss.neg().exp().item() == pytest.approx(0.5 / kept)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"labels": torch.zeros(3, dtype=torch.int64)}, "`drawn_with` expected integers of shape"),
        ({"labels": torch.zeros(4)}, r"`labels` expected int64 of shape \(4,\)"),
        ({"drawn_with": torch.ones(4)}, "`drawn_with` expected integers"),
        ({"drawn_with": torch.full((4,), 2)}, "`drawn_with` expected 0 to 1, as there are 1 deco"),
        ({"drawn_with": torch.full((4,), -1)}, "`drawn_with` expected 0 to 1"),
        ({"decodings": [Decoding(top_k=1)]}, r"`decodings\[0\]` expected a top-k above 1"),
        ({"reduction": "median"}, "`reduction` expected mean, sum or none"),
        ({"reduction": "sum", "num_items": 5}, "`num_items` expected None"),
        ({"num_items": 0}, "`num_items` expected a number above 0"),
        ({"num_items": Fraction(5)}, "`num_items` expected a number or a tensor"),
        ({"num_items": torch.ones(1, device="meta")}, "`num_items` expected a number or a tensor"),
        ({"labels": [0, 0, 0, 0]}, "`labels` expected"),
        ({"drawn_with": torch.ones(4, dtype=torch.int64).to_sparse()}, "`drawn_with` expected"),
        ({"decodings": Decoding(top_k=3)}, "`decodings` expected a list of decodings"),
    ],
)
def test_bad_arguments_are_named(wrong: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "logits": torch.zeros(4, 6),
        "labels": torch.zeros(4, dtype=torch.int64),
        "decodings": [Decoding(top_k=3)],
        "drawn_with": torch.ones(4, dtype=torch.int64),
    }
    with pytest.raises(ArgumentError, match=message):
        sampler_matched_loss(**(arguments | wrong))


def test_all_labels_may_be_ignored() -> None:
    logits = torch.zeros(4, 6, requires_grad=True)
    labels = torch.full((4,), -100)
    drawn_with = torch.ones(4, dtype=torch.int64)
    loss = sampler_matched_loss(logits, labels, [Decoding(top_k=3)], drawn_with, reduction="sum")
    assert loss == 0
    assert not gradient(loss, logits).any()


def test_marked_labels_say_themselves_how_they_were_drawn() -> None:
    logits, labels, drawn_with = batch()
    loss_of = SamplerMatchedLoss(DECODINGS)
    expected = sampler_matched_loss(logits, labels, DECODINGS, drawn_with)
    assert torch.equal(loss_of(logits, mark_labels(labels, drawn_with)), expected)


def test_a_loss_of_marked_labels_hands_on_how_it_is_to_be_taken() -> None:
    logits, labels, drawn_with = batch()
    marked = mark_labels(labels, drawn_with)
    scaled = SamplerMatchedLoss(DECODINGS, scale_by_temperature=True)
    expected = sampler_matched_loss(
        logits, labels, DECODINGS, drawn_with, num_items=7, scale_by_temperature=True
    )
    assert torch.equal(scaled(logits, marked, num_items=7), expected)
    each = sampler_matched_loss(
        logits, labels, DECODINGS, drawn_with, reduction="none", scale_by_temperature=True
    )
    assert torch.equal(scaled(logits, marked, reduction="none"), each)


def test_greedy_decodings_are_refused_when_the_loss_is_made() -> None:
    with pytest.raises(ArgumentError, match=r"`decodings\[1\]` expected a top-k above 1"):
        SamplerMatchedLoss([Decoding(), Decoding(top_k=1)])


class Mix:
    """Knows what the marks mean, and keeps count of who does."""

    def __init__(self, decodings: Any) -> None:
        self.decodings, self.losses = decodings, 0

    def count_losses(self, change: int) -> None:
        self.losses += change


def test_a_mix_is_told_of_a_loss_until_that_is_released() -> None:
    mix = Mix(DECODINGS)
    first, second = SamplerMatchedLoss(mix), SamplerMatchedLoss(mix)
    assert mix.losses == 2
    for _ in range(2):
        # Once: who says it twice does not take another one's place.
        first.release()
        assert mix.losses == 1
    second.release()
    assert mix.losses == 0
    logits, labels, drawn_with = batch()
    expected = sampler_matched_loss(logits, labels, DECODINGS, drawn_with)
    assert torch.equal(second(logits, mark_labels(labels, drawn_with)), expected)
    SamplerMatchedLoss(DECODINGS).release()


def test_what_does_not_know_what_the_marks_mean_is_refused() -> None:
    silent = Mix(DECODINGS)
    silent.count_losses = None
    for given in (silent, Mix(5), 0.8, Decoding()):
        with pytest.raises(
            ArgumentError, match="`decodings` expected a list of decodings, or a mi"
        ):
            SamplerMatchedLoss(given)
    greedy = Mix([Decoding(top_k=1)])
    with pytest.raises(ArgumentError, match=r"`decodings\[0\]`"):
        SamplerMatchedLoss(greedy)
    assert greedy.losses == 0
