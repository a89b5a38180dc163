"""Human text to find a decoding with, and what is left to be looked at."""

import numpy as np
import pytest

from collapse_guard import ArgumentError, HeldOutPanel
from collapse_guard.callbacks.one_call.held_out import HeldOutText
from collapse_guard.callbacks.one_call.set_aside import ENOUGH, apart_from, set_aside
from tests.tiny import tiny_reference, zipf_documents


def text(count: int, groups: list[int] | None = None) -> HeldOutText:
    return HeldOutText([np.array([number, 0]) for number in range(count)], groups, count)


@pytest.mark.parametrize(("count", "taken"), [(4, 2), (41, 20), (200, 100), (1000, 100)])
def test_as_much_is_taken_as_tells_most_and_at_most_half(count: int, taken: int) -> None:
    aside, rest = set_aside(text(count))
    assert len(aside) == taken <= ENOUGH
    numbers = {int(ids[0]) for ids in (*aside, *rest.documents)}
    assert numbers == set(range(count))
    assert len(rest.documents) == count - taken
    # Not the first ones: a text may be sorted.
    assert np.mean([ids[0] for ids in aside]) == pytest.approx((count - 1) / 2, abs=1.1)


def test_groups_stay_whole() -> None:
    groups = [number // 10 for number in range(1000)]
    aside, rest = set_aside(text(1000, groups))
    assert len(aside) == ENOUGH
    assert rest.groups is not None
    assert not {int(ids[0]) // 10 for ids in aside} & set(rest.groups)


def test_three_groups_cannot_be_split() -> None:
    with pytest.raises(ArgumentError, match=r"`held_out` expected at least 4.*name the Decoding"):
        set_aside(text(30, [number % 3 for number in range(30)]))


def test_copies_of_what_is_looked_at_do_not_serve() -> None:
    documents = zipf_documents(8, seed=2)
    panel = HeldOutPanel.from_token_ids(documents[:4], tiny_reference(), window=64)
    nearly = documents[1][:60] + documents[6][:4]
    longer = zipf_documents(1, length=900, seed=7)[0] + documents[2]
    given = [np.array(ids) for ids in (documents[4], documents[0], nearly, longer, documents[5])]
    left = apart_from(panel, given)
    assert [ids.tolist() for ids in left] == [documents[4], documents[5]]
