import numpy as np
from hypothesis import given, strategies as st

from collapse_guard.mixing.tokens.ranked_bits import RankedBits
from collapse_guard.mixing.tokens.token_slots import TokenSlots


@given(
    draws=st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any),
    kinds=st.integers(0, 31),
    epochs=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_every_draw_of_every_source_has_one_slot(
    draws: list[int], kinds: int, epochs: int, seed: int
) -> None:
    human = np.array([bool(kinds >> source & 1) for source in range(len(draws))])
    per_epoch, human_rows = sum(draws), int(np.array(draws)[human].sum())
    generator = np.random.default_rng(seed)
    parts = [generator.permutation(np.arange(per_epoch) < human_rows) for _ in range(epochs)]
    slots = TokenSlots(RankedBits(parts), draws, human, epochs=epochs, block_size=1)
    every = np.arange(per_epoch * epochs)
    sources, numbers = slots.assign(every)
    assert human[sources].tolist() == np.concatenate(parts).tolist()
    for source, count in enumerate(draws):
        # In order, and epoch by epoch.
        assert numbers[sources == source].tolist() == list(range(count * epochs))
        assert (sources[:per_epoch] == source).sum() == count
    for slot in [*every.tolist(), per_epoch * epochs]:
        before = np.bincount(sources[:slot], minlength=len(draws))
        assert slots.draws_before(slot).tolist() == before.tolist()
    # As who looks ahead asks for.
    assert slots.assign(every[-1:] + 5)[0] == sources[-1:]
