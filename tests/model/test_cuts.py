"""Cuts against the warpers of transformers, bit by bit, ties and all orders included."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
import torch
from hypothesis import given, strategies as st
from transformers import TopPLogitsWarper

from collapse_guard.model import cuts
from collapse_guard.model.cuts import cut, is_kept, likeliest
from collapse_guard.model.decoding import TRANSFORMERS_ORDER, VLLM_ORDER, Decoding
from tests.model.warpers import ORDERS, by_warpers, logits, ours


@pytest.fixture(params=["as set", "a few columns"], autouse=True)
def _sizes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Small vocabularies go by whole rows as they are; here they also go by a few columns."""
    if request.param == "as set":
        yield
        return

    def few(decoding: Decoding, vocabulary: int) -> tuple[int, ...]:
        columns = (decoding.top_k or 12) + 3
        return tuple(n for n in (columns, 3 * columns) if n < vocabulary)

    with patch.object(cuts, "_sizes", few):
        yield


def test_the_orders_are_those_of_the_generators() -> None:
    assert TRANSFORMERS_ORDER in ORDERS
    assert VLLM_ORDER in ORDERS


@given(
    seed=st.integers(0, 10_000),
    vocabulary=st.integers(5, 300),
    grain=st.sampled_from([0.0, 0.125, 1.0]),
    spread=st.floats(0.1, 8),
    temperature=st.sampled_from([1.0, 0.8, 0.5]),
    top_k=st.none() | st.integers(1, 400),
    top_p=st.none() | st.floats(0.01, 0.9999) | st.sampled_from([0.5, 0.25, 0.9]),
    min_p=st.none() | st.floats(0.001, 1.0) | st.sampled_from([0.05, 0.5]),
    order=st.sampled_from(ORDERS),
)
def test_what_is_kept_is_what_the_warpers_keep(
    seed: int,
    vocabulary: int,
    grain: float,
    spread: float,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    min_p: float | None,
    order: tuple[str, ...],
) -> None:
    scaled = logits(seed, 8, vocabulary, grain=grain, spread=spread) / temperature
    decoding = Decoding(top_k=top_k, top_p=top_p, min_p=min_p, order=order)
    assert torch.equal(ours(scaled, decoding), by_warpers(scaled, decoding))


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("spread", [2.0, 4.0])
def test_so_it_is_at_the_size_of_real_vocabularies(
    order: tuple[str, ...], dtype: torch.dtype, spread: float
) -> None:
    # Logits of a bfloat16 model tie by the hundred.
    scaled = logits(1, 12, 20_000, grain=0, spread=spread).to(dtype).float() / 0.7
    for decoding in (
        Decoding(top_k=50, order=order),
        Decoding(top_p=0.9, order=order),
        Decoding(min_p=0.05, order=order),
        Decoding(top_k=100, top_p=0.8, min_p=0.02, order=order),
    ):
        assert torch.equal(ours(scaled, decoding), by_warpers(scaled, decoding)), decoding


@given(
    values=st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0, -torch.inf]), min_size=3, max_size=9),
    top_p=st.sampled_from([0.25, 0.5, 0.75, 0.2, 1 / 3]),
)
def test_shares_that_meet_the_limit_exactly_fall_as_they_do_there(
    values: list[float], top_p: float
) -> None:
    scaled = torch.tensor([[*values, 1.0]])
    decoding = Decoding(top_p=top_p)
    assert torch.equal(ours(scaled, decoding), by_warpers(scaled, decoding))


def test_the_unstable_sort_keeps_as_many_of_them() -> None:
    scaled = logits(2, 16, 5_000, grain=0.5, spread=2)
    kept = ours(scaled, Decoding(top_p=0.7))
    theirs = ~TopPLogitsWarper(0.7)(None, scaled).isneginf()
    for row, mine, other in zip(scaled, kept, theirs, strict=True):
        assert torch.equal(row[mine].sort().values, row[other].sort().values)


def test_the_likeliest_hold_what_they_say() -> None:
    peaked, flat = (logits(3, 16, 20_000, grain=0, spread=spread) for spread in (4, 1))
    scaled = torch.cat([peaked, flat])
    kept = cut(scaled, Decoding(top_p=0.6))
    assert kept.likeliest is not None
    mask = is_kept(scaled, kept.lowest, kept.ties)
    inside = mask.gather(1, kept.likeliest).sum(1) == mask.sum(1)
    # Which it does not say where the columns end with a tie.
    assert not (kept.among_likeliest & ~inside).any()
    assert kept.among_likeliest.any()
    assert not kept.among_likeliest.all()


@given(
    seed=st.integers(0, 10_000),
    vocabulary=st.integers(5, 700),
    size=st.integers(1, 90),
    grain=st.sampled_from([0.0, 0.5]),
    nans=st.sampled_from([0, 3]),
)
def test_the_likeliest_are_those_that_torch_finds(
    seed: int, vocabulary: int, size: int, grain: float, nans: int
) -> None:
    scaled = logits(seed, 8, vocabulary, grain=grain, spread=2)
    scaled[:, :nans] = torch.nan
    size = min(size, vocabulary)
    values, ids = likeliest(scaled, size)
    torch.testing.assert_close(values, scaled.topk(size).values, rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(values, scaled.gather(1, ids), rtol=0, atol=0, equal_nan=True)
    assert all(len(row.unique()) == size for row in ids)


def test_nan_is_not_cut() -> None:
    scaled = torch.zeros(1, 40)
    scaled[0, 3] = torch.nan
    for decoding in (Decoding(top_k=3), Decoding(top_p=0.5), Decoding(min_p=0.5)):
        assert ours(scaled, decoding)[0, 3]
