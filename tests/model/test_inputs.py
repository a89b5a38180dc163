import torch
from hypothesis import given, strategies as st

from collapse_guard.model.inputs import left_aligned


@given(
    rows=st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=5),
    seed=st.integers(0, 9),
)
def test_tokens_keep_their_order_and_padding_goes(rows: list[list[bool]], seed: int) -> None:
    mask = torch.tensor(rows)
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(-100, 100, mask.shape, generator=generator)
    positions = (torch.rand(mask.shape, generator=generator) < 0.5) & mask
    moved, chosen = left_aligned(ids, positions, mask.int())
    assert moved.shape == chosen.shape == (len(rows), max(int(mask.sum(1).max()), 1))
    for row in range(len(rows)):
        tokens = ids[row][mask[row]]
        assert moved[row].tolist() == tokens.tolist() + [0] * (moved.shape[1] - len(tokens))
        assert chosen[row][: len(tokens)].tolist() == positions[row][mask[row]].tolist()
    assert torch.equal(moved[chosen], ids[positions])
